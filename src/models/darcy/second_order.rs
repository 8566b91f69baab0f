//! Second derivatives of the mass balances, contracted with multipliers.

use faer::Mat;

use super::Darcy;
use crate::error::Result;
use crate::linalg::{Operator, Side};
use crate::model::Variation;

impl Darcy {
    /// Returns the derivatives of Aᵀλ and Cᵀλ along every column of a variation, for all experiments.
    pub(super) fn bend(
        &self,
        permeability: &[f64],
        u: &[f64],
        along: &Variation<'_>,
    ) -> Result<[Mat<f64>; 2]> {
        let shapes = [along.rho, along.theta].map(|part| part.shape());
        if along.rho.ncols() == 0 {
            return Ok(shapes.map(|(rows, columns)| Mat::zeros(rows, columns)));
        }
        // g = K(θ)u − b(θ) is affine in u, and K is symmetric. With B = ∂(Kλ)/∂θ, the derivative of Aᵀλ along δθ is
        // K′(δθ)λ = B δθ, and that of Cᵀλ along δu is Bᵀδu.
        let mixed = self.product_slopes(permeability, along.lambda);
        let by_state = mixed.apply(Side::Plain, along.theta)?;
        let second = self.second(permeability, u, along.lambda)?;
        let by_param =
            mixed.apply(Side::Transpose, along.rho)? + second.apply(Side::Plain, along.theta)?;
        Ok([by_state, by_param])
    }

    /// Returns Σᵢ λᵢ ∂²gᵢ/∂θ², which couples neighbouring cells.
    fn second(&self, permeability: &[f64], u: &[f64], lambda: &[f64]) -> Result<Operator<'static>> {
        // λᵀg has the terms T_f q_f, q_f = Σ (λᵢ − λⱼ)(uᵢ − uⱼ) over the experiments, and T_b λᵢ (uᵢ − v). T_f is homogeneous
        // of degree one in e^θᵢ and e^θⱼ, and so is e^θᵢ in itself: adding a number to all θ multiplies T_f, T_b and their
        // derivatives by its exponential. Hence ∂²T/∂θᵢ² + ∂²T/∂θᵢ∂θⱼ = ∂T/∂θᵢ: the rows of the matrix sum to Cᵀλ. It is
        // diag(Cᵀλ) minus a Laplacian of the mixed derivatives.
        let slopes = self.sensitivities(permeability, u);
        let sums = slopes.apply_to(Side::Transpose, lambda)?;
        let (cells, volume) = (self.grid.cells(), self.grid.volume());
        let mut weights = Vec::with_capacity(self.grid.faces());
        self.grid.visit_faces(|_, lower, upper| {
            let pairs = u.chunks_exact(cells).zip(lambda.chunks_exact(cells));
            let drops = pairs.map(|(u, l)| (l[lower] - l[upper]) * (u[lower] - u[upper]));
            let mixed = mixed_slope(permeability[lower], permeability[upper]);
            weights.push(-volume * mixed * drops.sum::<f64>());
        });
        Ok(Operator::stencil(
            self.grid.weighted_laplacian(&weights, &sums),
        ))
    }
}

/// Returns ∂²m/∂θ∂η of the harmonic mean m of e^θ and e^η.
fn mixed_slope(a: f64, b: f64) -> f64 {
    // ∂m/∂θ = 2a s² with s = b/(a + b) and ∂s/∂η = s(1 − s), so that the derivative is 4a s² (1 − s) = 2m s(1 − s), m = 2a s.
    let share = b / (a + b);
    4.0 * a * share * share * (a / (a + b))
}
