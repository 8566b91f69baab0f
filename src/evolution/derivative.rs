//! Derivatives of the functions of dynamics at a point.

use std::ops::Range;
use std::sync::Arc;

use super::course::Phase;
use super::dynamics::{At, Dynamics, Function, moves};
use super::error::Error;
use super::lanes::{Lanes, add_product, restrict};
use super::problem::Problem;
use super::stage::{Derivatives, Shape, System};
use super::structures::Structures;
use crate::automatic::Formula;
use crate::error::Result;
use crate::linalg::Side;

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

/// What the tangents of all stages of a leg have in common.
#[derive(Clone, Copy)]
pub(super) struct Along<'a, const L: usize> {
    /// 1 for a component with a rate, 0 for an algebraic one.
    pub(super) moves: &'a [f64],
    /// Tangents of the parameters.
    pub(super) v: &'a [Lanes<L>],
    /// Tangents of the time at which the leg begins.
    pub(super) time: &'a Lanes<L>,
}

/// Linearised stage.
pub(super) struct Stage {
    /// Derivative of the rate.
    pub(super) rate: Derivative,
    /// Factors of D − hγJ of an implicit stage, and hγ.
    pub(super) system: Option<(System, f64)>,
    /// Derivative of the rate in the time at which its leg begins, if that is the time of an event.
    pub(super) drift: Option<Vec<f64>>,
}

impl Stage {
    /// Number of values that the factors take.
    pub(super) fn system_len(&self) -> usize {
        self.system.as_ref().map_or(0, |(system, _)| system.len())
    }

    /// Replaces tangents of the base of the stage by those of the stage, and writes those of its slope.
    pub(super) fn pass<const L: usize>(
        &self,
        Along { moves, v, time }: Along<'_, L>,
        base: &mut [Lanes<L>],
        slope: &mut [Lanes<L>],
    ) {
        let Some((system, shift)) = &self.system else {
            slope.fill([0.0; L]);
            self.rate.add_state(1.0, base, slope);
            self.rate.add_parameters(1.0, v, slope);
            if let Some(drift) = &self.drift {
                add_product(drift, time, slope);
            }
            restrict(moves, slope);
            return;
        };
        slope.copy_from_slice(base);
        restrict(moves, slope);
        self.rate.add_parameters(*shift, v, slope);
        if let Some(drift) = &self.drift {
            add_product(drift, &time.map(|t| shift * t), slope);
        }
        system.solve(Side::Plain, slope);
        // The slope's place holds the stage so far.
        for ((k, b), m) in slope.iter_mut().zip(base).zip(moves) {
            let factor = m / shift;
            for (k, b) in k.iter_mut().zip(b) {
                let stage = *k;
                *k = factor * (stage - *b);
                *b = stage;
            }
        }
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
    events: Vec<Derivatives>,
    /// 1 for a component with a rate, 0 for an algebraic one.
    pub(super) moves: Vec<f64>,
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
            moves: moves(problem.dynamics),
            initial: Derivatives::new(&structures.initial, p),
            rate: Derivatives::new(structures.rate.both(), n + p),
            output: Derivatives::new(&structures.output, n + p),
            events: (structures.events.iter())
                .map(|shape| Derivatives::new(shape, n + p))
                .collect(),
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
            return Ok(Stage {
                rate,
                system: None,
                drift: None,
            });
        }
        let mut system = System::new(&self.structures.rate);
        if !system.set(shift, &rate.values) {
            return Err(Error::Unsolved { t }.into());
        }
        Ok(Stage {
            rate,
            system: Some((system, shift)),
            drift: None,
        })
    }

    /// Returns the time that the rate sees.
    pub(super) fn clock(&self, t: f64) -> f64 {
        self.phase.clock(t)
    }

    /// Returns the rate at the current state, with 0 for algebraic components.
    pub(super) fn rate(&self, t: f64) -> Vec<f64> {
        let mut rate = self.values(Function::Rate(self.phase.clock(t)));
        rate.iter_mut().zip(&self.moves).for_each(|(k, m)| *k *= m);
        rate
    }

    fn values(&self, function: Function) -> Vec<f64> {
        let dynamics = self.problem.dynamics;
        let at = At { dynamics, function };
        let mut out = vec![f64::NAN; at.dims().0];
        at.values(&self.both, &mut out);
        out
    }

    /// Differentiates the rate or an event in time at the current state, where the steps are at most as long as `longest`.
    ///
    /// Time is an `f64`, so that automatic differentiation does not reach it. The error of the difference of fourth order is about
    /// 1e-12 if the rate changes over times of one to ten steps, as it does where steps are accurate.
    pub(super) fn in_time(&self, function: Function, longest: f64) -> Vec<f64> {
        let Phase { from, until, .. } = self.phase;
        let span = if until.is_finite() { until - from } else { 0.0 };
        let (Function::Rate(t) | Function::Output(t) | Function::Event(_, t)) = function else {
            return Vec::new();
        };
        let least = 1e-5 * t.abs().max(span);
        let mut distance = 1e-3 * longest.max(least);
        if let Function::Rate(_) = function {
            // Forced inputs jump at the ends of a phase.
            distance = distance.min(0.5 * self.phase.margin(t));
        }
        // A multiple of the spacing of numbers near t.
        distance = t + distance - t;
        let at = |steps: f64| {
            let t = t + steps * distance;
            self.values(match function {
                Function::Event(index, _) => Function::Event(index, self.phase.moment(t)),
                _ => Function::Rate(self.phase.clock(t)),
            })
        };
        let [before, after, far_before, far_after] = [-1.0, 1.0, -2.0, 2.0].map(at);
        let difference = |i: usize| {
            let (near, far) = (after[i] - before[i], far_after[i] - far_before[i]);
            let change = 8.0 * near - far;
            if change == 0.0 {
                0.0
            } else {
                change / (12.0 * distance)
            }
        };
        (0..before.len()).map(difference).collect()
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
            _ => dynamics.dims().0,
        };
        let derivatives = match function {
            Function::Initial => &mut self.initial,
            Function::Rate(_) => &mut self.rate,
            Function::Output(_) => &mut self.output,
            Function::Event(index, _) => &mut self.events[index],
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
                    let known = self.problem.known.extended(own, function, &more);
                    self.structures.adopt(function, known);
                    *derivatives = Derivatives::new(self.structures.of(function), arguments.len());
                }
            }
        }
    }
}
