//! Second derivatives of the transport equations, contracted with multipliers.

use faer::Mat;

use super::InvariantMeasure;
use crate::model::Variation;

/// Point (ρ, θ) with a direction (δρ, δθ) from it.
struct Along<'a> {
    rho: &'a [f64],
    theta: &'a [f64],
    d_rho: Vec<f64>,
    d_theta: Vec<f64>,
}

impl InvariantMeasure<'_> {
    /// Returns the derivatives of Aᵀλ and Cᵀλ along every column of a variation, or None if the flow has no second
    /// derivatives.
    pub(super) fn bend(
        &self,
        rho: &[f64],
        theta: &[f64],
        along: &Variation<'_>,
    ) -> Option<[Mat<f64>; 2]> {
        let (p, columns) = along.theta.shape();
        let (zero, mut out) = (vec![0.0; p], vec![[0.0; 3]; p]);
        let flow = self.flow.as_ref();
        if !flow.second_derivative(&self.grid.centre(0), theta, &zero, &mut out) {
            return None;
        }
        let mut by_state = Mat::zeros(rho.len(), columns);
        let mut by_param = Mat::zeros(p, columns);
        for j in 0..columns {
            let at = Along {
                rho,
                theta,
                d_rho: along.rho.col(j).iter().copied().collect(),
                d_theta: along.theta.col(j).iter().copied().collect(),
            };
            let [state, param] = self.column(along.lambda, &at);
            by_state.col_as_slice_mut(j).copy_from_slice(&state);
            by_param.col_as_slice_mut(j).copy_from_slice(&param);
        }
        Some([by_state, by_param])
    }

    /// Returns the derivatives of Aᵀλ and Cᵀλ along one direction.
    fn column(&self, lambda: &[f64], at: &Along<'_>) -> [Vec<f64>; 2] {
        // A sample point with velocity v and weight w on a face adds w/h (v⁺ρ_l − v⁻ρ_u)(λ_l − λ_u) to λᵀg. The gauge
        // γ Σλ (Σρ/N − u/vol), where γ is the fraction `gauge` of Σ w/h (v⁺ + v⁻)/N, adds w/h (v⁺ + v⁻) κ. Together these
        // are w/h (a v⁺ + b v⁻), with a and b linear in ρ. Both rates have the second derivative v⁺″ in v, and dv⁻/dv = −`down_slope`.
        let n = at.rho.len() as f64;
        let fraction = self.gauge / n * lambda.iter().sum::<f64>();
        let kappa = fraction * (at.rho.iter().sum::<f64>() / n - self.uniform());
        let d_kappa = fraction * at.d_rho.iter().sum::<f64>() / n;
        let p = at.theta.len();
        let (mut by_state, mut by_param, mut rates) = (vec![0.0; at.rho.len()], vec![0.0; p], 0.0);
        let (mut slopes, mut bends) = (vec![[0.0; 3]; p], vec![[0.0; 3]; p]);
        self.grid.visit_faces(|axis, lower, upper| {
            let face = self.grid.face(axis, lower, upper);
            let drop = lambda[lower] - lambda[upper];
            let [a, b] = [drop * at.rho[lower] + kappa, kappa - drop * at.rho[upper]];
            let [d_a, d_b] = [
                drop * at.d_rho[lower] + d_kappa,
                d_kappa - drop * at.d_rho[upper],
            ];
            self.sample(&face, |weight, x| {
                let parts = self.flux.parts(self.flow.velocity(x, at.theta)[axis]);
                self.flow.param_derivative(x, at.theta, &mut slopes);
                self.flow
                    .second_derivative(x, at.theta, &at.d_theta, &mut bends);
                let weight = weight / face.spacing;
                let pairs = slopes.iter().zip(&at.d_theta);
                let d_v = weight * pairs.map(|(slope, d)| slope[axis] * d).sum::<f64>();
                by_state[lower] += drop * parts.up_slope * d_v;
                by_state[upper] += drop * parts.down_slope * d_v;
                rates += (parts.up_slope - parts.down_slope) * d_v;
                let slope = weight * (parts.up_slope * a - parts.down_slope * b);
                let change = weight * (parts.up_slope * d_a - parts.down_slope * d_b)
                    + parts.bend * (a + b) * d_v;
                let terms = slopes.iter().zip(&bends);
                for (out, (first, second)) in by_param.iter_mut().zip(terms) {
                    *out += change * first[axis] + slope * second[axis];
                }
            });
        });
        by_state.iter_mut().for_each(|s| *s += fraction * rates / n);
        [by_state, by_param]
    }
}
