//! Directions of a second derivative.

use faer::MatRef;

/// Multipliers λ of the equations, and directions (δρ, δθ) along which Aᵀλ and Cᵀλ are differentiated, one a column. See
/// [`Model::second_derivative`](super::Model::second_derivative).
#[derive(Clone, Copy)]
pub struct Variation<'a> {
    /// Multipliers λ, one for every equation.
    pub lambda: &'a [f64],
    /// Directions δρ, k × m.
    pub rho: MatRef<'a, f64>,
    /// Directions δθ, p × m.
    pub theta: MatRef<'a, f64>,
}
