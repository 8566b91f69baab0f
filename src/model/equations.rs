//! Models whose equations and Jacobians are closures.

use faer::Mat;

use super::{Model, Variation};
use crate::linalg::Operator;

/// Model whose equations g(ρ, θ) and Jacobians are closures.
///
/// ```
/// use pullback::{Descent, Operator, faer::mat, loss::L2Misfit, model::Equations};
/// // ρ² = θ; find the θ whose square root is 3.
/// let model = Equations::new(
///     (1, 1),
///     |rho, theta, g| g[0] = rho[0] * rho[0] - theta[0],
///     |rho, _| Operator::diagonal(vec![2.0 * rho[0]]),
///     |_, _| Operator::dense(mat![[-1.0]]),
/// )
/// .guess(|_| vec![1.0]);
/// let loss = L2Misfit::euclidean(vec![3.0])?;
/// let report = Descent::new(&model, &loss).run(&[2.0], |_| ())?;
/// assert!((report.theta[0] - 9.0).abs() < 1e-6);
/// # Ok::<(), pullback::Error>(())
/// ```
///
/// Implement [`Model`] instead if the Jacobians borrow from the model, if the state is not computed by Newton's method, or if
/// the derivative is available in another form.
pub struct Equations<G, A, C> {
    dimensions: (usize, usize),
    residual: G,
    state_jacobian: A,
    param_jacobian: C,
    guess: Option<Guess>,
    second_derivative: Option<Second>,
}

type Guess = Box<dyn Fn(&[f64]) -> Vec<f64> + Sync>;
type Second = Box<dyn Fn(&[f64], &[f64], &Variation<'_>) -> [Mat<f64>; 2] + Sync>;

impl<G, A, C> Equations<G, A, C>
where
    G: Fn(&[f64], &[f64], &mut [f64]) + Sync,
    A: Fn(&[f64], &[f64]) -> Operator<'static> + Sync,
    C: Fn(&[f64], &[f64]) -> Operator<'static> + Sync,
{
    /// Creates a model with `dimensions` (k, p), the lengths of ρ and θ.
    ///
    /// `residual(ρ, θ, out)` writes g(ρ, θ) to `out`; `state_jacobian(ρ, θ)` returns ∂g/∂ρ, k × k, and
    /// `param_jacobian(ρ, θ)` returns ∂g/∂θ, k × p.
    pub fn new(
        dimensions: (usize, usize),
        residual: G,
        state_jacobian: A,
        param_jacobian: C,
    ) -> Self {
        Self {
            dimensions,
            residual,
            state_jacobian,
            param_jacobian,
            guess: None,
            second_derivative: None,
        }
    }

    /// Sets `guess(θ)` as the initial guess of Newton's method, instead of zero.
    #[must_use]
    pub fn guess(mut self, guess: impl Fn(&[f64]) -> Vec<f64> + Sync + 'static) -> Self {
        self.guess = Some(Box::new(guess));
        self
    }

    /// Sets the second derivatives: `second(ρ, θ, along)` returns the derivatives of Aᵀλ and Cᵀλ along the columns of a
    /// [`Variation`] (see [`Model::second_derivative`], which has an example).
    #[must_use]
    pub fn second_derivative(
        mut self,
        second: impl Fn(&[f64], &[f64], &Variation<'_>) -> [Mat<f64>; 2] + Sync + 'static,
    ) -> Self {
        self.second_derivative = Some(Box::new(second));
        self
    }
}

impl<G, A, C> Model for Equations<G, A, C>
where
    G: Fn(&[f64], &[f64], &mut [f64]) + Sync,
    A: Fn(&[f64], &[f64]) -> Operator<'static> + Sync,
    C: Fn(&[f64], &[f64]) -> Operator<'static> + Sync,
{
    fn state_dim(&self) -> usize {
        self.dimensions.0
    }

    fn param_dim(&self) -> usize {
        self.dimensions.1
    }

    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        (self.residual)(rho, theta, out);
    }

    fn state_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        (self.state_jacobian)(rho, theta)
    }

    fn param_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        (self.param_jacobian)(rho, theta)
    }

    fn second_derivative(
        &self,
        rho: &[f64],
        theta: &[f64],
        along: &Variation<'_>,
    ) -> Option<[Mat<f64>; 2]> {
        let second = self.second_derivative.as_ref()?;
        Some(second(rho, theta, along))
    }

    fn guess(&self, theta: &[f64]) -> Vec<f64> {
        match &self.guess {
            Some(guess) => guess(theta),
            None => vec![0.0; self.dimensions.0],
        }
    }
}
