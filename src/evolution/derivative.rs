//! Derivatives of the functions of dynamics at a point.

use std::ops::Range;
use std::sync::Arc;

use super::course::Phase;
use super::dynamics::{At, Dynamics, Function};
use super::error::Error;
use super::problem::Problem;
use super::stage::{Derivatives, Shape, System};
use super::structures::Structures;
use crate::error::Result;

/// Derivative of a function in the state and in the parameters of the dynamics.
pub(super) struct Derivative {
    shape: Arc<Shape>,
    values: Vec<f64>,
    /// Number of columns of the state, which come first. The initial value has none.
    state: usize,
}

impl Derivative {
    /// Number of values.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    fn parameters<const L: usize>(&self, v: &[[f64; L]]) -> Range<usize> {
        self.state..self.state + v.len()
    }

    /// Adds `a` times the derivative along tangents of the state.
    pub(super) fn add_state<const L: usize>(&self, a: f64, x: &[[f64; L]], out: &mut [[f64; L]]) {
        self.shape.add(0..self.state, (&self.values, a), x, out);
    }

    /// Adds `a` times the derivative along tangents of the parameters.
    pub(super) fn add_parameters<const L: usize>(
        &self,
        a: f64,
        v: &[[f64; L]],
        out: &mut [[f64; L]],
    ) {
        self.shape
            .add(self.parameters(v), (&self.values, a), v, out);
    }

    /// Adds `a` times the covectors of the state to `x`, and those of the parameters to `v`.
    pub(super) fn add_transposed<const L: usize>(
        &self,
        a: f64,
        w: &[[f64; L]],
        x: &mut [[f64; L]],
        v: &mut [[f64; L]],
    ) {
        let values = &self.values[..];
        self.shape.add_transposed(0..self.state, (values, a), w, x);
        self.add_parameters_transposed(a, w, v);
    }

    /// Adds `a` times the covectors of the parameters.
    pub(super) fn add_parameters_transposed<const L: usize>(
        &self,
        a: f64,
        w: &[[f64; L]],
        v: &mut [[f64; L]],
    ) {
        let columns = self.parameters(v);
        self.shape.add_transposed(columns, (&self.values, a), w, v);
    }
}

/// Linearised stage.
pub(super) struct Stage {
    /// Derivative of the rate.
    pub(super) rate: Derivative,
    /// Factors of D − hγJ of an implicit stage, and hγ.
    pub(super) system: Option<(System, f64)>,
}

impl Stage {
    /// Number of values that the factors take.
    pub(super) fn system_len(&self) -> usize {
        self.system.as_ref().map_or(0, |(system, _)| system.len())
    }
}

/// Differentiation of the functions of dynamics in a phase.
pub(super) struct Differentiate<'a, D> {
    problem: Problem<'a, D>,
    phase: &'a Phase,
    structures: Structures,
    initial: Derivatives,
    rate: Derivatives,
    output: Derivatives,
    /// State, and parameters of the dynamics.
    both: Vec<f64>,
}

impl<'a, D: Dynamics> Differentiate<'a, D> {
    /// Prepares differentiation in a phase.
    ///
    /// # Errors
    /// Fails if a function of the dynamics does not write all its outputs, or is not a function of its arguments alone.
    pub(super) fn new(problem: &Problem<'a, D>, phase: &'a Phase) -> Result<Self> {
        let structures = problem.structures()?;
        let (n, p) = problem.dynamics.dims();
        Ok(Self {
            problem: *problem,
            phase,
            initial: Derivatives::new(&structures.initial, p),
            rate: Derivatives::new(structures.rate.both(), n + p),
            output: Derivatives::new(&structures.output, n + p),
            both: [vec![f64::NAN; n], phase.gather(problem.theta)].concat(),
            structures,
        })
    }

    /// Sets the state.
    pub(super) fn set(&mut self, state: &[f64]) {
        self.both[..state.len()].copy_from_slice(state);
    }

    /// Linearises the rate at a time, with the system D − aJ if the shift a is not 0.
    ///
    /// # Errors
    /// Fails if the rate is not a differentiable function, and if the system is singular.
    pub(super) fn stage(&mut self, t: f64, shift: f64) -> Result<Stage> {
        let rate = self.slopes(Function::Rate(self.phase.clock(t)))?;
        if shift == 0.0 {
            let system = None;
            return Ok(Stage { rate, system });
        }
        let mut system = System::new(&self.structures.rate);
        if !system.set(shift, &rate.values) {
            return Err(Error::Unsolved { t }.into());
        }
        let system = Some((system, shift));
        Ok(Stage { rate, system })
    }

    /// Differentiates a function, and checks it where its branches are new.
    ///
    /// # Errors
    /// Fails if the function is not differentiable.
    pub(super) fn slopes(&mut self, function: Function) -> Result<Derivative> {
        let dynamics = self.problem.dynamics;
        let at = At { dynamics, function };
        let state = match function {
            Function::Initial => 0,
            Function::Rate(_) | Function::Output(_) => dynamics.dims().0,
        };
        let derivatives = match function {
            Function::Initial => &mut self.initial,
            Function::Rate(_) => &mut self.rate,
            Function::Output(_) => &mut self.output,
        };
        let arguments = &self.both[dynamics.dims().0 - state..];
        loop {
            let shape = Arc::clone(self.structures.of(function));
            let mut values = vec![0.0; shape.len()];
            match derivatives.at(&at, arguments, &mut values)? {
                Ok(branch) => {
                    self.problem.watch.check(&at, arguments, branch)?;
                    return Ok(Derivative {
                        shape,
                        values,
                        state,
                    });
                }
                Err(more) => {
                    let own = self.structures.clone();
                    self.structures = self.problem.known.extended(own, function, &more);
                    *derivatives = Derivatives::new(self.structures.of(function), arguments.len());
                }
            }
        }
    }
}
