//! Sparse factorisations of stencils, gauge included.

use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Mat, MatMut};

use super::dissection;
use crate::error::{Error, Result};
use crate::linalg::Method;
use crate::linalg::cpu::checked::Direct;
use crate::linalg::cpu::direct::cholesky::{CholeskyAnalyses, SparseCholesky};
use crate::linalg::cpu::direct::lu;
use crate::linalg::cpu::direct::lu::GeneralAnalyses;
use crate::linalg::memory::Budget;
use crate::linalg::operator::{Operator, Side, Stencil, View};

/// A factorisation of A + c 11ᵀ by way of the sparse P = A + s e_k e_kᵀ.
///
/// The two differ by U D Uᵀ with U = (1, e_k), D = diag(c, −s), so that by the formula of Sherman, Morrison and
/// Woodbury (A + c 11ᵀ)⁻¹ = P⁻¹ − Y S⁻¹ Uᵀ P⁻¹ with Y = P⁻¹U and S = D⁻¹ + UᵀY. A singular A, of which only 1
/// is a left null vector, leaves P and S regular, and well so if k is a cell where the right null vector is large.
pub(super) struct Gauged<'a> {
    pinned: Box<dyn Direct + 'a>,
    /// For the way with pivoting, where there is one.
    analyses: Option<(&'a GeneralAnalyses, Budget)>,
    pin: usize,
    /// Y for A and for Aᵀ.
    columns: [Mat<f64>; 2],
    /// S⁻¹ for A; that for Aᵀ is its transpose.
    inverse: [[f64; 2]; 2],
}

/// A pin at which the null vector is less than this fraction of its largest entry is moved.
const POOR_PIN: f64 = 1e-2;

/// Factorises a stencil, by Cholesky if it is said to be positive definite.
pub(crate) fn factorise<'a>(
    stencil: &Stencil,
    definite: bool,
    (lu, cholesky): (&'a GeneralAnalyses, &CholeskyAnalyses),
    budget: Budget,
) -> Result<Box<dyn Direct + 'a>> {
    let sparse = |stencil: &Stencil| -> Result<Box<dyn Direct + 'a>> {
        let matrix = stencil.compress();
        if let Some(sums) = stencil.excess().filter(|_| definite) {
            let order = || dissection::order(stencil.shape);
            let lu = lu::by_sums((matrix.as_ref(), sums), lu, &order, budget)?;
            return Ok(Box::new(lu.ok_or(Error::Parts)?));
        }
        if definite {
            let order = || dissection::diagonal_order(stencil.shape);
            let cholesky = SparseCholesky::new(matrix.as_ref(), cholesky, Some(&order), budget)?;
            return Ok(Box::new(cholesky));
        }
        let order = || dissection::order(stencil.shape);
        lu::factorise(matrix.as_ref(), lu, Some(&order), budget)
    };
    if stencil.gauge() == 0.0 {
        return sparse(stencil);
    }
    let mut gauged = gauged(stencil, sparse)?;
    gauged.analyses = (!definite).then_some((lu, budget));
    Ok(Box::new(gauged))
}

/// Pins a cell where the null vector is large.
fn gauged<'a>(
    stencil: &Stencil,
    sparse: impl Fn(&Stencil) -> Result<Box<dyn Direct + 'a>>,
) -> Result<Gauged<'a>> {
    // Where little flows out, much has gathered.
    let slowest = |best: usize, i: usize| {
        let d = stencil.diagonal();
        if d[i].abs() < d[best].abs() { i } else { best }
    };
    let first = (0..stencil.cells()).fold(0, slowest);
    let gauged = Gauged::new(stencil, first, &sparse)?;
    let null = gauged.columns[0].col_as_slice(1);
    // With a pin in near-vacuum even the sign of the null vector is chance; its shape is not.
    let larger = |m: usize, i: usize| {
        if null[i].abs() > null[m].abs() { i } else { m }
    };
    let densest = (0..null.len()).fold(0, larger);
    if null[first].abs() >= POOR_PIN * null[densest].abs() {
        return Ok(gauged);
    }
    Gauged::new(stencil, densest, sparse)
}

impl<'a> Gauged<'a> {
    fn new(
        stencil: &Stencil,
        pin: usize,
        factorise: impl Fn(&Stencil) -> Result<Box<dyn Direct + 'a>>,
    ) -> Result<Self> {
        let (n, c) = (stencil.cells(), stencil.gauge());
        let mean = stencil.diagonal().iter().map(|d| d.abs()).sum::<f64>() / n as f64;
        // Without couplings, as in a box of one cell, the gauge is all there is.
        let s = if mean > 0.0 { mean } else { c.abs() };
        let mut pinned = stencil.clone().with_gauge(0.0);
        let mut diagonal = vec![0.0; n];
        diagonal[pin] = s;
        pinned.add_diagonal(&diagonal);
        let pinned = factorise(&pinned)?;
        let columns = [Side::Plain, Side::Transpose].map(|side| {
            let mut y = Mat::from_fn(n, 2, |i, j| f64::from(u8::from(j == 0 || i == pin)));
            let stack = &mut MemBuffer::new(pinned.scratch(2));
            pinned.solve(side, y.as_mut(), MemStack::new(stack));
            y
        });
        let project = |j: usize| {
            let y = columns[0].col_as_slice(j);
            [y.iter().sum::<f64>(), y[pin]]
        };
        let ([a, b], [p, q]) = (project(0), project(1));
        let (a, q) = (a + c.recip(), q - s.recip());
        let determinant = a * q - p * b;
        let inverse = [
            [q / determinant, -p / determinant],
            [-b / determinant, a / determinant],
        ];
        Ok(Self {
            pinned,
            analyses: None,
            pin,
            columns,
            inverse,
        })
    }
}

impl Direct for Gauged<'_> {
    fn method(&self) -> Method {
        self.pinned.method()
    }

    fn bytes(&self) -> usize {
        self.pinned.bytes() + 4 * size_of_val(self.columns[0].col_as_slice(0))
    }

    fn scratch(&self, columns: usize) -> StackReq {
        self.pinned.scratch(columns)
    }

    fn solve(&self, side: Side, mut batch: MatMut<'_, f64>, stack: &mut MemStack) {
        self.pinned.solve(side, batch.rb_mut(), stack);
        let [[a, b], [c, d]] = self.inverse;
        let (columns, [[a, b], [c, d]]) = match side {
            Side::Plain => (&self.columns[0], [[a, b], [c, d]]),
            Side::Transpose => (&self.columns[1], [[a, c], [b, d]]),
        };
        for x in batch.rb_mut().col_iter_mut() {
            let (sum, at_pin) = (x.rb().iter().sum::<f64>(), x[self.pin]);
            let (f, g) = (a * sum + b * at_pin, c * sum + d * at_pin);
            let y = columns.col_as_slice(0).iter().zip(columns.col_as_slice(1));
            for (x, (y, z)) in x.iter_mut().zip(y) {
                *x -= f * y + g * z;
            }
        }
    }

    fn safer(&self, matrix: &Operator<'_>) -> Option<Box<dyn Direct>> {
        let (Some((analyses, budget)), View::Stencil(stencil)) = (self.analyses, matrix.view())
        else {
            return None;
        };
        let pivoting = |stencil: &Stencil| -> Result<Box<dyn Direct>> {
            lu::with_pivoting(stencil.compress().as_ref(), analyses, budget)
        };
        Some(Box::new(gauged(stencil, pivoting).ok()?))
    }
}
