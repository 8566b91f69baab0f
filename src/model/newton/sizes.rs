//! Row scales for the residual: the size of the terms of every equation.

use faer::{Mat, MatMut, MatRef};

use crate::error::Result;
use crate::linalg::{Factor, Operator, Side};
use crate::random;

/// Row scales of the equations near a point, computed from the entries of A = ∂g/∂ρ at that point.
pub(super) struct Sizes<'a> {
    a: Operator<'a>,
    /// Scale of every equation if A is matrix-free.
    fallback: f64,
}

impl<'a> Sizes<'a> {
    pub(super) fn new(a: Operator<'a>, fallback: f64) -> Self {
        Self { a, fallback }
    }

    /// Returns |A|x, the summed magnitudes of the terms of every equation, for unknowns of magnitude x ≥ 0.
    ///
    /// Returns the fallback for every equation if A is matrix-free.
    pub(super) fn of(&self, x: &[f64]) -> Vec<f64> {
        let n = x.len();
        let mut sizes = vec![0.0; n];
        if self.a.knows_entries() {
            self.a.magnitude_into(
                Side::Plain,
                MatRef::from_column_major_slice(x, n, 1),
                MatMut::from_column_major_slice_mut(&mut sizes, n, 1),
            );
        } else {
            sizes.fill(self.fallback);
        }
        sizes
    }

    /// Returns maxᵢ |gᵢ|/(|A||ρ|)ᵢ, with 0/0 = 0.
    pub(super) fn relative(&self, g: &[f64], rho: &[f64]) -> f64 {
        let sizes = self.of(&magnitudes(rho));
        let ratios = g.iter().zip(&sizes).map(|(g, size)| ratio(*g, *size).abs());
        // `f64::max` would discard NaN.
        ratios.fold(0.0, |m: f64, r| if r > m || r.is_nan() { r } else { m })
    }

    /// Returns whether g consists of rounding errors: every component of the Newton step A⁻¹g is at most
    /// `tolerance` times its unknown plus a multiple of the effect of rounding.
    pub(super) fn is_rounding(
        &self,
        factor: &dyn Factor,
        (g, rho): (&[f64], &[f64]),
        tolerance: f64,
    ) -> Result<bool> {
        // The exact terms of an equation may all be zero. Its residual then stems from rounding errors that
        // other, larger equations leave in the unknowns, and its scaled residual is large although nothing
        // can be improved. The bound is therefore put on the step: one solve gives A⁻¹g, and another A⁻¹e
        // with eᵢ = ±ε(|A||ρ|)ᵢ, every equation rounded once with a random sign. At rounding level A⁻¹g is at
        // most a moderate multiple of A⁻¹e.
        let n = g.len();
        let sizes = self.of(&magnitudes(rho));
        let signs = random::normal(n, 0x0DD5, 0);
        // Actual rounding errors have practically random signs. Errors of equal sign could cancel in A⁻¹e
        // because of the structure of A.
        let rounded = |i: usize| sizes[i].copysign(signs[i]) * f64::EPSILON;
        let mut batch = Mat::from_fn(n, 2, |i, j| if j == 0 { g[i] } else { rounded(i) });
        factor.solve(Side::Plain, None, batch.as_mut())?;
        let within = |i: usize| {
            let (change, noise) = (batch[(i, 0)].abs(), batch[(i, 1)].abs());
            change <= tolerance * rho[i].abs() + ROUNDINGS * noise.max(f64::EPSILON * rho[i].abs())
        };
        Ok((0..n).all(within))
    }
}

/// Bound on the rounding error of one evaluation of g and one solve, as a multiple of the error from rounding
/// every equation once.
const ROUNDINGS: f64 = 100.0;

fn magnitudes(x: &[f64]) -> Vec<f64> {
    x.iter().map(|x| x.abs()).collect()
}

/// Returns ‖g‖₂ with every equation divided by its scale.
pub(super) fn scaled_norm(g: &[f64], sizes: &[f64]) -> f64 {
    let squares = g.iter().zip(sizes).map(|(g, s)| ratio(*g, *s).powi(2));
    squares.sum::<f64>().sqrt()
}

/// Returns g/size, with 0/0 = 0.
fn ratio(g: f64, size: f64) -> f64 {
    if g == 0.0 { 0.0 } else { g / size }
}
