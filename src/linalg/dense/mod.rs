//! Dense linear algebra: LU, Cholesky, and products that do not depend on the number of threads.

pub(crate) mod damped;
pub(crate) mod least_squares;
pub(crate) mod reflections;
pub(crate) mod spectral;
mod substitution;
pub(crate) mod triangle;

use std::ops::Range;

use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::cholesky::llt::solve as llt;
use faer::linalg::lu::partial_pivoting as lu;
use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::linalg::solvers::{Llt, Solve};
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_upper_triangular_in_place,
};
use faer::perm::PermRef;
use faer::prelude::ReborrowMut;
use faer::{Accum, Mat, MatMut, MatRef, Par, Side as Triangle, get_global_parallelism};

use super::Method;
use super::cpu::checked::{Direct, InUnits, units};
use super::operator::{Operator, Side};
use crate::error::{Error, Result};

/// LU with partial pivoting, P A = L U.
pub(super) struct DenseLu {
    /// L below the diagonal (unit diagonal not stored), and U on and above the diagonal.
    triangles: Mat<f64>,
    /// Row permutation P and its inverse.
    order: [Vec<usize>; 2],
}

impl DenseLu {
    /// Factorises A on all threads.
    pub(super) fn new(a: MatRef<'_, f64>) -> Self {
        Self::by(a, get_global_parallelism())
    }

    /// Factorises A with the given parallelism.
    pub(super) fn by(a: MatRef<'_, f64>, par: Par) -> Self {
        let n = a.nrows();
        let mut triangles = a.to_owned();
        let [mut forward, mut backward] = [vec![0; n], vec![0; n]];
        let scratch = lu::factor::lu_in_place_scratch::<usize, f64>(n, n, par, Default::default());
        lu::factor::lu_in_place(
            triangles.as_mut(),
            &mut forward,
            &mut backward,
            par,
            MemStack::new(&mut MemBuffer::new(scratch)),
            Default::default(),
        );
        Self {
            triangles,
            order: [forward, backward],
        }
    }
}

impl Direct for DenseLu {
    fn method(&self) -> Method {
        Method::DenseLu
    }

    fn bytes(&self) -> usize {
        bytes(self.triangles.nrows())
    }

    fn scratch(&self, columns: usize) -> StackReq {
        let n = self.triangles.nrows();
        lu::solve::solve_in_place_scratch::<usize, f64>(n, columns, Par::Seq)
    }

    fn solve(&self, side: Side, batch: MatMut<'_, f64>, stack: &mut MemStack) {
        // P A = L U gives A⁻¹ = U⁻¹L⁻¹P and A⁻ᵀ = PᵀL⁻ᵀU⁻ᵀ: one factor serves both.
        let solve = match side {
            Side::Plain => lu::solve::solve_in_place::<usize, f64, f64>,
            Side::Transpose => lu::solve::solve_transpose_in_place::<usize, f64, f64>,
        };
        let [forward, backward] = &self.order;
        let order = PermRef::new_checked(forward, backward, forward.len());
        // The solver takes L and U as two matrices and reads one triangle of each.
        let triangles = self.triangles.as_ref();
        solve(triangles, triangles, order, batch, Par::Seq, stack);
    }

    /// Factorises the scaled matrix R A C if the units of A are far apart.
    fn safer(&self, matrix: &Operator<'_>) -> Option<Box<dyn Direct>> {
        let a = matrix.as_dense()?;
        let units = units(matrix)?;
        let scaled = Mat::from_fn(a.nrows(), a.ncols(), |i, j| {
            units[0][i] * a[(i, j)] * units[1][j]
        });
        // Partial pivoting compares entries of one column, which have the units of different equations. In R
        // A C, the large entries of all rows and columns are near 1, so that the comparison is meaningful.
        let direct = Box::new(Self::by(scaled.as_ref(), Par::Seq));
        Some(Box::new(InUnits { direct, units }))
    }
}

impl Direct for Llt<f64> {
    fn method(&self) -> Method {
        Method::DenseCholesky
    }

    fn bytes(&self) -> usize {
        bytes(self.L().nrows())
    }

    fn scratch(&self, columns: usize) -> StackReq {
        llt::solve_in_place_scratch::<f64>(self.L().nrows(), columns, Par::Seq)
    }

    fn solve(&self, _: Side, batch: MatMut<'_, f64>, stack: &mut MemStack) {
        llt::solve_in_place::<f64, f64>(self.L(), batch, Par::Seq, stack);
    }
}

/// Returns an upper bound on the size in bytes of the dense factorisation of a matrix with `rows` rows.
pub(super) fn bytes(rows: usize) -> usize {
    // Per row: the entries, up to 8 for the padding of columns, and 2 indices for the permutation and its inverse.
    let entries = rows.saturating_mul(rows.saturating_add(8 + 2));
    entries.saturating_mul(size_of::<f64>())
}

/// Returns the Cholesky factor L of a dense matrix A = L Lᵀ. Reads the lower triangle of A.
pub(super) fn cholesky(matrix: MatRef<'_, f64>, what: &'static str) -> Result<Llt<f64>> {
    matrix
        .llt(Triangle::Lower)
        .map_err(|_| Error::NotPositiveDefinite { what })
}

/// Largest ratio of a pivot to its diagonal entry at which the pivot is indistinguishable from zero.
///
/// The pivot lᵢᵢ² = gᵢᵢ − Σⱼ lᵢⱼ² is a difference of values up to gᵢᵢ. Its rounding error is a modest
/// multiple of ε·gᵢᵢ, with ε = 2.2e-16.
const LEAST_PIVOT: f64 = 1e-13;

/// Returns G⁻¹ b for a small symmetric positive definite G.
pub(crate) fn symmetric_solve(
    g: MatRef<'_, f64>,
    b: &[f64],
    what: &'static str,
) -> Result<Vec<f64>> {
    let llt = cholesky(g, what)?;
    // gᵢᵢ − Σ lᵢⱼ² is the squared distance of column i of Y from the span of the earlier ones if G = YᵀY.
    // Relative to gᵢᵢ it is sin² of an angle: 10⁻¹³ means an angle of 3·10⁻⁷. A Gram matrix does not resolve
    // smaller angles.
    let pivot = |i: usize| llt.L()[(i, i)] * llt.L()[(i, i)];
    if (0..g.nrows()).any(|i| pivot(i) <= LEAST_PIVOT * g[(i, i)]) {
        return Err(Error::NotPositiveDefinite { what });
    }
    let mut x = Mat::from_fn(b.len(), 1, |i, _| b[i]);
    llt.solve_in_place(x.as_mut());
    Ok(x.col_as_slice(0).to_vec())
}

/// Returns the lower triangular Cholesky factor C of Γ = C Cᵀ.
pub(crate) fn lower_cholesky(gamma: MatRef<'_, f64>, what: &'static str) -> Result<Mat<f64>> {
    Ok(cholesky(gamma, what)?.L().to_owned())
}

/// Computes batch ← C⁻¹ batch or C⁻ᵀ batch, for a lower triangular C.
pub(crate) fn solve_triangular(c: MatRef<'_, f64>, side: Side, batch: MatMut<'_, f64>) {
    match side {
        Side::Plain => solve_lower_triangular_in_place(c, batch, Par::Seq),
        Side::Transpose => solve_upper_triangular_in_place(c.transpose(), batch, Par::Seq),
    }
}

/// Returns A B. Runs on one thread, so that the rounding does not depend on the number of threads.
pub(crate) fn product(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Mat<f64> {
    let mut out = Mat::zeros(a.nrows(), b.ncols());
    add_product(out.as_mut(), a, b);
    out
}

/// Computes out ← out + A B. Runs on one thread, so that the rounding does not depend on the number of threads.
pub(crate) fn add_product(out: MatMut<'_, f64>, a: MatRef<'_, f64>, b: MatRef<'_, f64>) {
    matmul(out, Accum::Add, a, b, 1.0, Par::Seq);
}

/// Returns the Gram matrix YᵀY.
pub(crate) fn gram(y: MatRef<'_, f64>) -> Mat<f64> {
    symmetric_product(y, y)
}

/// Returns ZᵀW, which must be symmetric. Computes its lower triangle and mirrors it.
pub(crate) fn symmetric_product(z: MatRef<'_, f64>, w: MatRef<'_, f64>) -> Mat<f64> {
    // This takes half of the operations of the full product, and the result is exactly symmetric.
    let mut g = Mat::zeros(z.ncols(), z.ncols());
    lower_product(g.as_mut(), z, w);
    mirrored(g)
}

/// Returns ZᵀW with W = `map`(Z). The product must be symmetric. Computes W block by block.
///
/// `blocks` must partition the columns of Z in increasing order. Only one block of W is in memory at a time.
///
/// # Errors
/// Fails if `map` fails.
pub(crate) fn symmetric_product_by(
    z: MatRef<'_, f64>,
    blocks: impl Iterator<Item = Range<usize>>,
    mut map: impl FnMut(MatRef<'_, f64>) -> Result<Mat<f64>>,
) -> Result<Mat<f64>> {
    let n = z.ncols();
    let mut g = Mat::zeros(n, n);
    for block in blocks {
        let (start, rest) = (block.start, n - block.end);
        let columns = z.subcols(start, block.len());
        let w = map(columns)?;
        // The part of a block consists of its columns from the first diagonal entry down: a triangle above a
        // rectangle.
        let mut part = g
            .as_mut()
            .submatrix_mut(start, start, n - start, block.len());
        lower_product(
            part.rb_mut().subrows_mut(0, block.len()),
            columns,
            w.as_ref(),
        );
        let below = z.subcols(block.end, rest).transpose();
        // Below the triangle, the block needs all later columns of Z, but only its own columns of W.
        let part = part.subrows_mut(block.len(), rest);
        matmul(part, Accum::Replace, below, w.as_ref(), 1.0, Par::Seq);
    }
    Ok(mirrored(g))
}

/// Computes the lower triangle of g ← ZᵀW.
fn lower_product(g: MatMut<'_, f64>, z: MatRef<'_, f64>, w: MatRef<'_, f64>) {
    triangular::matmul(
        g,
        BlockStructure::TriangularLower,
        Accum::Replace,
        z.transpose(),
        BlockStructure::Rectangular,
        w,
        BlockStructure::Rectangular,
        1.0,
        Par::Seq,
    );
}

/// Returns g with its lower triangle copied to the upper one.
fn mirrored(g: Mat<f64>) -> Mat<f64> {
    let n = g.nrows();
    Mat::from_fn(n, n, |i, j| if i >= j { g[(i, j)] } else { g[(j, i)] })
}
