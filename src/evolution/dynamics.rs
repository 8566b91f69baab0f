//! Right-hand sides and initial values, written once for all scalars.

use crate::automatic::{Formula, Scalar};

/// Dynamics ẋ = f(t, x, θ) with the initial value x(t₀) = x₀(θ), of which y = h(t, x, θ) is observed.
///
/// The page of the [module](super) has an example. Only the dimensions, the rate and the initial value must be given. By default
/// x itself is observed, every equation is a rate, and nothing jumps.
pub trait Dynamics: Sync {
    /// Returns (n, p), the lengths of x and θ.
    fn dims(&self) -> (usize, usize);

    /// Writes f(t, x, θ) to `out`, all n entries.
    fn rate<S: Scalar>(&self, t: f64, x: &[S], theta: &[S], out: &mut [S]);

    /// Writes x₀(θ) to `out`, all n entries.
    fn initial<S: Scalar>(&self, theta: &[S], out: &mut [S]);

    /// Returns the number of observables, the length of y.
    fn outputs(&self) -> usize {
        self.dims().0
    }

    /// Writes h(t, x, θ) to `out`, all observables.
    fn observe<S: Scalar>(&self, t: f64, x: &[S], theta: &[S], out: &mut [S]) {
        let _ = (t, theta);
        out.copy_from_slice(x);
    }

    /// Returns whether equation i is algebraic, 0 = fᵢ(t, x, θ), instead of ẋᵢ = fᵢ.
    ///
    /// The algebraic equations must determine the components xᵢ of the same indices (index 1). The initial value of such a
    /// component is a guess.
    fn is_algebraic(&self, i: usize) -> bool {
        let _ = i;
        false
    }
}

/// Rate at a time, as a function of x and θ together.
pub(super) struct Rate<'a, D> {
    pub(super) dynamics: &'a D,
    pub(super) t: f64,
}

impl<D: Dynamics> Formula for Rate<'_, D> {
    fn dims(&self) -> (usize, usize) {
        let (n, p) = self.dynamics.dims();
        (n, n + p)
    }

    #[inline(always)]
    fn values<S: Scalar>(&self, both: &[S], out: &mut [S]) {
        let (x, theta) = both.split_at(out.len());
        self.dynamics.rate(self.t, x, theta, out);
    }
}

/// Initial value as a function of θ.
pub(super) struct Initial<'a, D>(pub(super) &'a D);

impl<D: Dynamics> Formula for Initial<'_, D> {
    fn dims(&self) -> (usize, usize) {
        self.0.dims()
    }

    #[inline(always)]
    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        self.0.initial(theta, out);
    }
}

/// Observables at a time, as a function of x and θ together.
pub(super) struct Output<'a, D> {
    pub(super) dynamics: &'a D,
    pub(super) t: f64,
}

impl<D: Dynamics> Formula for Output<'_, D> {
    fn dims(&self) -> (usize, usize) {
        let (n, p) = self.dynamics.dims();
        (self.dynamics.outputs(), n + p)
    }

    #[inline(always)]
    fn values<S: Scalar>(&self, both: &[S], out: &mut [S]) {
        let (x, theta) = both.split_at(self.dynamics.dims().0);
        self.dynamics.observe(self.t, x, theta, out);
    }
}
