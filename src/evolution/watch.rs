//! Checks of the functions of dynamics for what automatic differentiation cannot see.

use super::dynamics::Dynamics;
use super::error::Error;
use crate::automatic::{self, Formula, Scalar, Variable};

/// Checks of the rate, the initial value and the observables, wherever they take branches that are new.
pub(super) struct Watch(automatic::Watch);

impl Watch {
    pub(super) fn new() -> Self {
        Self(automatic::Watch::new())
    }

    /// Checks all functions at a time, and at x and θ, where one of them took these branches.
    ///
    /// # Errors
    /// Fails if one of them does not write an output, or is not a differentiable function of x and θ.
    pub(super) fn check<D: Dynamics>(
        &self,
        dynamics: &D,
        t: f64,
        both: &[f64],
        branch: u64,
    ) -> Result<(), Error> {
        let all = All { dynamics, t };
        self.0
            .check(&all, both, branch)
            .map_err(|error| all.explain(error))
    }
}

/// Rate, initial value and observables at a time, as a function of x and θ together.
///
/// One function for all three is compiled, traced and compared once.
struct All<'a, D> {
    dynamics: &'a D,
    t: f64,
}

impl<D: Dynamics> All<'_, D> {
    /// Says which function of the dynamics an error is about.
    fn explain(&self, error: automatic::Error) -> Error {
        let n = self.dynamics.dims().0;
        let (function, first) = match error.output() {
            row if row < n => ("the rate", 0),
            row if row < 2 * n => ("the initial value", n),
            _ => ("an observable", 2 * n),
        };
        let name = |variable| match variable {
            Variable::Parameter(j) if j < n => Variable::Component(j),
            Variable::Parameter(j) => Variable::Parameter(j - n),
            other => other,
        };
        let error = error.renamed(|row| row - first, name);
        Error::Function { function, error }
    }
}

impl<D: Dynamics> Formula for All<'_, D> {
    fn dims(&self) -> (usize, usize) {
        let (n, p) = self.dynamics.dims();
        (2 * n + self.dynamics.outputs(), n + p)
    }

    fn values<S: Scalar>(&self, both: &[S], out: &mut [S]) {
        let n = self.dynamics.dims().0;
        let (x, theta) = both.split_at(n);
        let (rate, rest) = out.split_at_mut(n);
        let (initial, observed) = rest.split_at_mut(n);
        self.dynamics.rate(self.t, x, theta, rate);
        self.dynamics.initial(theta, initial);
        self.dynamics.observe(self.t, x, theta, observed);
    }
}
