//! Systems of Newton's method for the stages of a step.

use super::course::Phase;
use super::dynamics::{At, Dynamics, Function};
use super::problem::Problem;
use super::stage::{Derivatives, System};
use super::structures::Structures;
use crate::error::Result;
use crate::linalg::Side;

/// Matrix D − hγJ, with J at the start of a step.
pub(super) struct Newton<'a, D> {
    problem: Problem<'a, D>,
    phase: &'a Phase,
    structures: Structures,
    derivatives: Derivatives,
    jacobian: Vec<f64>,
    /// Whether `jacobian` belongs to the current state.
    fresh: bool,
    system: System,
    /// hγ of the factors.
    factored: f64,
    /// Whether the factors are those of a regular matrix.
    regular: bool,
}

impl<'a, D: Dynamics> Newton<'a, D> {
    /// Creates the systems of a phase.
    ///
    /// # Errors
    /// Fails if a function of the dynamics does not write all its outputs, or is not a function of its arguments alone.
    pub(super) fn new(problem: &Problem<'a, D>, phase: &'a Phase) -> Result<Self> {
        let structures = problem.structures()?;
        let (n, p) = problem.dynamics.dims();
        let state = structures.rate.state();
        Ok(Self {
            problem: *problem,
            phase,
            derivatives: Derivatives::new(state, n + p),
            jacobian: vec![0.0; state.len()],
            fresh: false,
            system: System::new(&structures.rate),
            factored: 0.0,
            regular: false,
            structures,
        })
    }

    /// Forgets the Jacobian of the last step.
    pub(super) fn outdate(&mut self) {
        self.fresh = false;
    }

    /// Computes J at a state and parameters, unless that has been done.
    ///
    /// # Errors
    /// Fails if the rate is not a differentiable function.
    pub(super) fn linearise(&mut self, t: f64, both: &[f64]) -> Result<()> {
        if self.fresh {
            return Ok(());
        }
        let function = Function::Rate(self.phase.clock(t));
        let at = At {
            dynamics: self.problem.dynamics,
            function,
        };
        while let Err(more) = self.derivatives.at(&at, both, &mut self.jacobian)? {
            let own = self.structures.clone();
            self.structures = self.problem.known.extended(own, function, &more);
            let state = self.structures.rate.state();
            self.derivatives = Derivatives::new(state, both.len());
            self.jacobian = vec![0.0; state.len()];
            self.system = System::new(&self.structures.rate);
        }
        (self.fresh, self.factored) = (true, 0.0);
        Ok(())
    }

    /// Factorises D − hγJ, unless that has been done, and returns whether it is regular.
    pub(super) fn factorise(&mut self, shift: f64) -> bool {
        if self.factored != shift {
            self.regular = self.system.set(shift, &self.jacobian);
            self.factored = shift;
        }
        self.regular
    }

    /// Solves with the last matrix.
    pub(super) fn solve(&self, x: &mut [f64]) {
        self.system.solve_one(Side::Plain, x);
    }
}
