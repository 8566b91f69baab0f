//! Sparse factorisations of stencils, including their gauge.

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
use crate::linalg::operator::{Operator, Side, Stencil};

/// Factorisation of A + c 11ᵀ that uses a factorisation of the sparse matrix P = A + s e_k e_kᵀ.
///
/// A + c 11ᵀ = P + U D Uᵀ with U = (1, e_k) and D = diag(c, −s). By the Sherman-Morrison-Woodbury formula
/// (A + c 11ᵀ)⁻¹ = P⁻¹ − Y S⁻¹ Uᵀ P⁻¹ with Y = P⁻¹U and S = D⁻¹ + UᵀY. If A is singular and 1 spans its left null
/// space, P and S are nonsingular. P and S are well conditioned if the right null vector is large in the pinned cell k.
pub(super) struct Gauged<'a> {
    /// Factorisation of P = A + s e_k e_kᵀ.
    pinned: Box<dyn Direct + 'a>,
    /// Symbolic analyses and budget for a second factorisation, with pivoting, or `None` if A is positive
    /// definite.
    analyses: Option<(&'a GeneralAnalyses, Budget)>,
    /// Index of the pinned cell k.
    pin: usize,
    /// Matrices Y = P⁻¹U for A and for Aᵀ.
    columns: [Mat<f64>; 2],
    /// Matrix S⁻¹ for A. Its transpose is the matrix for Aᵀ.
    inverse: [[f64; 2]; 2],
}

/// Smallest entry of the null vector in the pinned cell, relative to its largest entry, for which the cell is
/// kept.
// The null vector, in the normalisation z = ρ/(sρ_k), is a column of Y. Its largest entry multiplies rounding
// errors by max ρ/ρ_k. A hundred costs two digits, and a smaller loss does not justify a second
// factorisation.
const POOR_PIN: f64 = 1e-2;

/// Factorises a stencil. A positive definite stencil is factorised from its row sums if it holds them, and by
/// Cholesky otherwise. All other stencils are factorised by LU.
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

/// Factorises a stencil with a gauge, pinned in a cell where the null vector is large.
fn gauged<'a>(
    stencil: &Stencil,
    sparse: impl Fn(&Stencil) -> Result<Box<dyn Direct + 'a>>,
) -> Result<Gauged<'a>> {
    // For a generator the right null vector is the stationary density. This density is large where the outflow |aᵢᵢ| is
    // small.
    // Aρ = 0 means that |aᵢᵢ|ρᵢ equals the inflow: ρ is large where the outflow rate is small. This choice is
    // a cheap guess, which is checked against the null vector that the factorisation yields.
    let slowest = |best: usize, i: usize| {
        let d = stencil.diagonal();
        if d[i].abs() < d[best].abs() { i } else { best }
    };
    let first = (0..stencil.cells()).fold(0, slowest);
    let gauged = Gauged::new(stencil, first, &sparse)?;
    let null = gauged.columns[0].col_as_slice(1);
    // y = P⁻¹e_k, the second column of Y, is a null vector of a singular A: P y = e_k means A y = (1 − s y_k)
    // e_k, and since 1ᵀA = 0 both sides vanish. If the density nearly vanishes in the pinned cell, even the
    // sign of y is lost in rounding errors, but its shape is correct.
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
    /// Factorises P for a pinned cell, and computes Y and S⁻¹.
    fn new(
        stencil: &Stencil,
        pin: usize,
        factorise: impl Fn(&Stencil) -> Result<Box<dyn Direct + 'a>>,
    ) -> Result<Self> {
        let (n, c) = (stencil.cells(), stencil.gauge());
        let mean = stencil.diagonal().iter().map(|d| d.abs()).sum::<f64>() / n as f64;
        // In a grid of one cell, the gauge may be the only entry.
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
        // S = D⁻¹ + UᵀY with D⁻¹ = diag(1/c, −1/s). Uᵀ maps a column to its sum and to its entry in cell k.
        // The 2×2 matrix S = [a p; b q] is inverted by cofactors. If 1ᵀA = 0, then 1ᵀP = s e_kᵀ. Applied to
        // P y = 1 and P z = e_k, where y and z are the columns of Y, this gives y_k = N/s and z_k = 1/s.
        // So q = z_k − 1/s vanishes up to rounding errors, and S = [a p; N/s 0] has the determinant −pN/s
        // with p = Σz. z is the null vector of A with z_k = 1/s, so that p is moderate if the pinned cell
        // holds a fair share of the mass, and huge if it holds hardly any.
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

    fn shared_work(&self) -> usize {
        self.pinned.shared_work()
    }

    fn solve(&self, side: Side, mut batch: MatMut<'_, f64>, stack: &mut MemStack) {
        self.pinned.solve(side, batch.rb_mut(), stack);
        let [[a, b], [c, d]] = self.inverse;
        let (columns, [[a, b], [c, d]]) = match side {
            Side::Plain => (&self.columns[0], [[a, b], [c, d]]),
            Side::Transpose => (&self.columns[1], [[a, c], [b, d]]),
        };
        // x ← x − Y S⁻¹ Uᵀ x for x = P⁻¹ b.
        for x in batch.rb_mut().col_iter_mut() {
            let (sum, at_pin) = (x.rb().iter().sum::<f64>(), x[self.pin]);
            // The rank-two correction costs two scalars and one pass per column, next to two triangular
            // solves.
            let (f, g) = (a * sum + b * at_pin, c * sum + d * at_pin);
            let y = columns.col_as_slice(0).iter().zip(columns.col_as_slice(1));
            for (x, (y, z)) in x.iter_mut().zip(y) {
                *x -= f * y + g * z;
            }
        }
    }

    fn safer(&self, matrix: &Operator<'_>) -> Option<Box<dyn Direct>> {
        let ((analyses, budget), stencil) = (self.analyses?, matrix.as_stencil()?);
        let pivoting = |stencil: &Stencil| -> Result<Box<dyn Direct>> {
            lu::with_pivoting(stencil.compress().as_ref(), analyses, budget)
        };
        Some(Box::new(gauged(stencil, pivoting).ok()?))
    }
}
