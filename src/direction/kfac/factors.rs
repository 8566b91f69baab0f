//! Damped systems with the Kronecker factors of one layer.

use std::ops::Range;

use faer::{Mat, MatRef};

use crate::check;
use crate::error::Result;
use crate::linalg::{Side, lower_cholesky, solve_triangular};
use crate::model::adjoint::Kronecker;

/// Averages of the factors A and B of one layer.
pub(super) struct Factors {
    range: Range<usize>,
    right: Mat<f64>,
    left: Mat<f64>,
}

/// Name of a damped factor in messages.
const WHAT: &str = "a factor of K-FAC";

/// Range, A, B and their sizes, for runs that are saved.
pub(super) type Parts = (usize, [usize; 2], [Vec<f64>; 2]);

impl Factors {
    pub(super) fn new(factors: Kronecker) -> Self {
        Self {
            range: factors.range,
            right: factors.right,
            left: factors.left,
        }
    }

    /// Replaces the averages by `past` times themselves plus the rest of the new factors.
    ///
    /// # Errors
    /// Fails if the layer has another size.
    pub(super) fn average(&mut self, new: &Self, past: f64) -> Result<()> {
        let [now, before] = [new, self].map(|f| [f.range.start, f.right.nrows(), f.left.nrows()]);
        for (now, before) in now.into_iter().zip(before) {
            check::length(
                "the size of a layer, which changed from step to step,",
                now,
                before,
            )?;
        }
        self.right = past * &self.right + (1.0 - past) * &new.right;
        self.left = past * &self.left + (1.0 - past) * &new.left;
        Ok(())
    }

    /// Writes (A ⊗ B + λI)⁻¹∇, with the damping shared by the factors, to the entries of the layer.
    pub(super) fn solve(&self, damping: f64, grad: &[f64], out: &mut [f64]) -> Result<()> {
        // (A + π√λ I) ⊗ (B + √λ/π I) = A ⊗ B + λI + π√λ I ⊗ B + (√λ/π) A ⊗ I. The last two terms are least for
        // π² = (tr A/dim A)/(tr B/dim B) in the trace norm (Martens and Grosse 2015, section 6.3).
        let [a, b] = [&self.right, &self.left].map(mean_diagonal);
        let pi = if a > 0.0 && b > 0.0 {
            (a / b).sqrt()
        } else {
            1.0
        };
        let root = damping.sqrt();
        let right = damped(&self.right, pi * root)?;
        let left = damped(&self.left, root / pi)?;
        // The gradient of the layer is a matrix ∇ with vec(B X A) = (A ⊗ B) vec X, so that X = B⁻¹∇A⁻¹.
        let (rows, columns) = (self.left.nrows(), self.right.nrows());
        let own = &grad[self.range.clone()];
        let mut x = MatRef::from_column_major_slice(own, rows, columns).to_owned();
        for side in [Side::Plain, Side::Transpose] {
            solve_triangular(left.as_ref(), side, x.as_mut());
        }
        let mut transposed = x.transpose().to_owned();
        for side in [Side::Plain, Side::Transpose] {
            solve_triangular(right.as_ref(), side, transposed.as_mut());
        }
        let targets = out[self.range.clone()].chunks_exact_mut(rows);
        for (j, target) in targets.enumerate() {
            let entries = target.iter_mut().enumerate();
            entries.for_each(|(i, target)| *target = transposed[(j, i)]);
        }
        Ok(())
    }

    /// Returns the parts of which [`from_parts`](Self::from_parts) makes the factors again.
    pub(super) fn to_parts(&self) -> Parts {
        let entries = |m: &Mat<f64>| m.col_iter().flat_map(|c| c.iter().copied()).collect();
        let sizes = [self.right.nrows(), self.left.nrows()];
        (
            self.range.start,
            sizes,
            [entries(&self.right), entries(&self.left)],
        )
    }

    /// # Errors
    /// Fails if the parts have other sizes than they say.
    pub(super) fn from_parts((start, sizes, entries): Parts) -> Result<Self> {
        for (size, entries) in sizes.iter().zip(&entries) {
            let what = "the entries of a saved factor of K-FAC";
            check::length(what, entries.len(), size.saturating_mul(*size))?;
        }
        let [right, left] = sizes;
        let matrix = |k: usize| MatRef::from_column_major_slice(&entries[k], sizes[k], sizes[k]);
        Ok(Self {
            range: start..start.saturating_add(right.saturating_mul(left)),
            right: matrix(0).to_owned(),
            left: matrix(1).to_owned(),
        })
    }
}

/// Returns tr M/dim M.
fn mean_diagonal(m: &Mat<f64>) -> f64 {
    let diagonal = (0..m.nrows()).map(|i| m[(i, i)]);
    diagonal.sum::<f64>() / m.nrows() as f64
}

/// Returns the Cholesky factor of M + λI.
fn damped(m: &Mat<f64>, damping: f64) -> Result<Mat<f64>> {
    let mut sum = m.clone();
    (0..m.nrows()).for_each(|i| sum[(i, i)] += damping);
    lower_cholesky(sum.as_ref(), WHAT)
}
