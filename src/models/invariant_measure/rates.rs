//! Rates at which mass crosses the faces of the grid.

use super::InvariantMeasure;
use crate::automatic::{Expansion, Scalar};
use crate::grid::Face;

impl InvariantMeasure<'_> {
    /// Returns the speeds ⟨v⁺⟩ + D/h and ⟨v⁻⟩ + D/h at which mass crosses a face upward and downward.
    ///
    /// The flux is J = up ρ_lower − down ρ_upper. `slopes` is a buffer.
    pub(in crate::models) fn rates<S: Scalar>(
        &self,
        face: &Face,
        theta: &Expansion<S>,
        slopes: &mut Vec<[f64; 3]>,
    ) -> [S; 2] {
        let mut rates = [S::from(0.0); 2];
        self.sample(face, |weight, x| {
            let v = self.normal_velocity((x, face.axis), theta, slopes);
            let parts = |v| self.flux.parts(v);
            // dv⁻/dv = −`down_slope`, and both parts have the same second derivative.
            let up = v.lookup(|v| {
                let parts = parts(v);
                [parts.up, parts.up_slope, parts.bend]
            });
            let down = v.lookup(|v| {
                let parts = parts(v);
                [parts.down, -parts.down_slope, parts.bend]
            });
            rates[0] += up * weight;
            rates[1] += down * weight;
        });
        // J = v⁺ρ_lower − v⁻ρ_upper − D (ρ_upper − ρ_lower)/h.
        rates.map(|rate| rate + self.diffusion / face.spacing)
    }

    /// Returns the velocity at a point along an axis.
    ///
    /// If the flow has no second derivatives, then those of the velocity are NaN.
    fn normal_velocity<S: Scalar>(
        &self,
        (x, axis): (&[f64; 3], usize),
        theta: &Expansion<S>,
        slopes: &mut Vec<[f64; 3]>,
    ) -> S {
        let value = self.flow.velocity(x, theta.values())[axis];
        if S::ORDER > 0 {
            slopes.resize(theta.values().len(), [0.0; 3]);
            self.flow.param_derivative(x, theta.values(), slopes);
        }
        let bends = match S::ORDER {
            0 | 1 => Vec::new(),
            _ => self.second_slopes(x, theta.values()),
        };
        theta.function(value, |j| slopes[j][axis], |i, j| bends[i][j][axis])
    }

    /// Returns ∂²v/∂θᵢ∂θⱼ for all i and j.
    fn second_slopes(&self, x: &[f64; 3], theta: &[f64]) -> Vec<Vec<[f64; 3]>> {
        let p = theta.len();
        let row = |i: usize| {
            let (mut unit, mut out) = (vec![0.0; p], vec![[f64::NAN; 3]; p]);
            unit[i] = 1.0;
            if !self.flow.second_derivative(x, theta, &unit, &mut out) {
                out.fill([f64::NAN; 3]);
            }
            out
        };
        (0..p).map(row).collect()
    }

    /// Calls `f(weight, x)` for the sample points of a face: its centre, or its Gauss points.
    pub(super) fn sample(&self, face: &Face, mut f: impl FnMut(f64, &[f64; 3])) {
        if !self.flux.averages() {
            return f(1.0, &face.centre);
        }
        // A velocity that vanishes at the centre of a face rarely vanishes at all points around it. The
        // averages therefore keep an outflow in cells with a fixed point, in which point values can trap all
        // mass.
        // Two Gauss points per direction across the face, at ±(h/2)/√3 = ±h/√12 from the centre, with equal weights.
        let dim = self.grid.dim();
        let mut across = (0..dim).filter(|&d| d != face.axis);
        let offset =
            |d: Option<usize>| d.map(|d| (d, self.grid.axes()[d].spacing() / 12.0_f64.sqrt()));
        let (first, second) = (offset(across.next()), offset(across.next()));
        let points = 1_usize << (dim - 1);
        for point in 0..points {
            let mut x = face.centre;
            for (bit, step) in [first, second].into_iter().enumerate() {
                if let Some((d, h)) = step {
                    x[d] += if point >> bit & 1 == 0 { -h } else { h };
                }
            }
            f((points as f64).recip(), &x);
        }
    }
}
