//! How large the terms of every equation are, and what may be left of it.

use faer::{Mat, MatMut, MatRef};

use crate::error::Result;
use crate::linalg::{Factor, Operator, Side};
use crate::random;

/// The sizes of the equations near a point, by the entries of A = ∂g/∂ρ there.
pub(super) struct Sizes<'a> {
    a: Operator<'a>,
    /// What all equations are measured by where the entries are not known.
    otherwise: f64,
}

impl<'a> Sizes<'a> {
    pub(super) fn new(a: Operator<'a>, otherwise: f64) -> Self {
        Self { a, otherwise }
    }

    /// |A|x, the sizes of the terms that cancel in g for unknowns of the sizes x ≥ 0.
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
            sizes.fill(self.otherwise);
        }
        sizes
    }

    /// max |gᵢ|/(|A||ρ|)ᵢ; 0/0 is 0.
    pub(super) fn relative(&self, g: &[f64], rho: &[f64]) -> f64 {
        let sizes = self.of(&magnitudes(rho));
        let ratios = g.iter().zip(&sizes).map(|(g, size)| ratio(*g, *size).abs());
        // NaN must not get lost.
        ratios.fold(0.0, |m: f64, r| if r > m || r.is_nan() { r } else { m })
    }

    /// Whether g is what rounding leaves: no unknown would change by more than `tolerance` times its size, or than a few
    /// times what it would change by if every equation were rounded once.
    ///
    /// The terms of an equation may all vanish, while what is left of it comes from unknowns that are zero but for the
    /// rounding of other, larger equations. No component of A⁻¹g shows more than A⁻¹(ε |A||ρ|) then.
    pub(super) fn is_rounding(
        &self,
        factor: &dyn Factor,
        (g, rho): (&[f64], &[f64]),
        tolerance: f64,
    ) -> Result<bool> {
        let n = g.len();
        let sizes = self.of(&magnitudes(rho));
        let signs = random::normal(n, 0x0DD5, 0);
        let rounded = |i: usize| sizes[i].copysign(signs[i]) * f64::EPSILON;
        let mut batch = Mat::from_fn(n, 2, |i, j| if j == 0 { g[i] } else { rounded(i) });
        factor.solve(Side::Plain, None, batch.as_mut())?;
        let within = |i: usize| {
            let (change, noise) = (batch[(i, 0)].abs(), batch[(i, 1)].abs());
            change <= tolerance * rho[i].abs() + FEW * noise.max(f64::EPSILON * rho[i].abs())
        };
        Ok((0..n).all(within))
    }
}

/// Rounding errors that an evaluation of g and a solve bring together, as a multiple of a random one.
const FEW: f64 = 100.0;

fn magnitudes(x: &[f64]) -> Vec<f64> {
    x.iter().map(|x| x.abs()).collect()
}

/// ‖g‖, every equation divided by its size.
pub(super) fn scaled_norm(g: &[f64], sizes: &[f64]) -> f64 {
    let squares = g.iter().zip(sizes).map(|(g, s)| ratio(*g, *s).powi(2));
    squares.sum::<f64>().sqrt()
}

fn ratio(g: f64, size: f64) -> f64 {
    if g == 0.0 { 0.0 } else { g / size }
}
