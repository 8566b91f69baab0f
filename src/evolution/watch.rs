//! Checks of the functions of dynamics for what automatic differentiation cannot see.

use super::dynamics::{At, Dynamics, Function};
use super::error::Error;
use crate::automatic::{self, Variable};

/// Checks of the initial value, the rate, the observables and the events, wherever they take branches that are new.
pub(super) struct Watch {
    initial: automatic::Watch,
    rate: automatic::Watch,
    output: automatic::Watch,
    events: Vec<automatic::Watch>,
}

impl Watch {
    /// Creates the checks of dynamics with this number of events.
    pub(super) fn new(events: usize) -> Self {
        Self {
            initial: automatic::Watch::new(),
            rate: automatic::Watch::new(),
            output: automatic::Watch::new(),
            events: (0..events).map(|_| automatic::Watch::new()).collect(),
        }
    }

    /// Checks a function at its arguments, where it took these branches.
    ///
    /// # Errors
    /// Fails if the function does not write an output, or is not a differentiable function of its arguments.
    pub(super) fn check<D: Dynamics>(
        &self,
        at: &At<'_, D>,
        arguments: &[f64],
        branch: u64,
    ) -> Result<(), Error> {
        let (watch, function) = match at.function {
            Function::Initial => (&self.initial, "the initial value"),
            Function::Rate(_) => (&self.rate, "the rate"),
            Function::Output(_) => (&self.output, "an observable"),
            Function::Event(index, _) => (&self.events[index], "an event or its jump"),
        };
        // The parameters come last.
        let components = arguments.len() - at.dynamics.dims().1;
        let name = |variable| match variable {
            Variable::Parameter(j) if j < components => Variable::Component(j),
            Variable::Parameter(j) => Variable::Parameter(j - components),
            other => other,
        };
        let explain = |error: automatic::Error| Error::Function {
            function,
            error: error.renamed(name),
        };
        watch.check(at, arguments, branch).map_err(explain)
    }
}
