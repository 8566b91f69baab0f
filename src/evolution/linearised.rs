//! Linearised steps of an experiment.

use std::sync::Arc;

use faer::{Mat, MatRef};

use super::course::{Course, Phase};
use super::dynamics::{At, Dynamics, Function, Second};
use super::error::Error;
use super::method::Tableau;
use super::problem::Problem;
use super::stage::{Derivatives, Part, System};
use super::stepper::INSTANT;
use super::structures::{Halt, Structures};
use super::trajectory::{Leg, Trajectory};
use super::watch::Watch;

/// Place on the way of a sweep, where a function of the dynamics is linearised.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Initial,
    /// Solution of the algebraic equations, or first slope, at the start of a leg.
    Start(usize),
    Stage {
        leg: usize,
        step: usize,
        stage: usize,
    },
    Observation {
        leg: usize,
        index: usize,
    },
}

/// Linearisation of all steps of an experiment.
pub(super) struct Linearised<'a> {
    second: Box<dyn Second + 'a>,
    theta: &'a [f64],
    pub(super) course: &'a Course,
    pub(super) tableau: &'a Tableau,
    pub(super) structures: Arc<Structures>,
    /// Number of observables.
    pub(super) outputs: usize,
    /// Values of the derivatives of the initial value.
    pub(super) initial: Vec<f64>,
    pub(super) legs: Vec<LinearLeg>,
}

/// Linearisation of the steps of a phase.
pub(super) struct LinearLeg {
    pub(super) leg: Leg,
    /// Solution of the algebraic equations at the start, if there are any.
    pub(super) consistent: Option<Stage>,
    /// First slope.
    pub(super) first: Stage,
    /// Every stage but the first of every step.
    pub(super) stages: Vec<Stage>,
    /// Values of the derivatives of the observables in the state and in the parameters, for every observation.
    pub(super) observed: Vec<Vec<f64>>,
}

/// Linearised stage.
pub(super) struct Stage {
    /// Values of the derivatives of the rate in the state and in the parameters.
    pub(super) slopes: Vec<f64>,
    /// Factors of D − hγJ of an implicit stage, and hγ.
    pub(super) system: Option<(System, f64)>,
}

impl<'a> Linearised<'a> {
    /// Linearises all steps of a trajectory.
    ///
    /// # Errors
    /// Fails if automatic differentiation refuses a function of the dynamics, and if the system of a stage is singular.
    pub(super) fn new<D: Dynamics>(
        problem: &Problem<'a, D>,
        watch: &Watch,
        trajectory: Trajectory,
    ) -> Result<Self, Halt> {
        let (dynamics, course) = (problem.dynamics, problem.course);
        let tableau = &problem.plan.tableau;
        let mut initial = Vec::new();
        let mut legs = Vec::with_capacity(course.phases.len());
        for (index, (phase, leg)) in course.phases.iter().zip(trajectory.legs).enumerate() {
            let mut linearise = Linearise::new(problem, watch, phase, &leg.first);
            if index == 0 {
                initial = linearise.slopes(Function::Initial)?;
            }
            legs.push(linearise.leg(leg, tableau)?);
        }
        Ok(Self {
            second: Box::new(dynamics),
            theta: problem.theta,
            course,
            tableau,
            outputs: dynamics.outputs(),
            structures: Arc::clone(&problem.structures),
            initial,
            legs,
        })
    }
}

impl Linearised<'_> {
    /// Returns ∇²(Σ λᵢfᵢ) V of the function f at a place.
    pub(super) fn bend(&self, place: Place, lambda: &[f64], v: MatRef<'_, f64>) -> Mat<f64> {
        let at = |leg: usize, state: &[f64]| {
            [state, &self.course.phases[leg].gather(self.theta)].concat()
        };
        let (function, at) = match place {
            Place::Initial => (Function::Initial, at(0, &[])),
            Place::Start(leg) => {
                let phase = &self.course.phases[leg];
                let time = phase.clock(phase.from);
                (Function::Rate(time), at(leg, &self.legs[leg].leg.first))
            }
            Place::Stage { leg, step, stage } => {
                let record = &self.legs[leg].leg;
                let [t, h] = record.steps[step];
                let time = self.course.phases[leg].clock(t + self.tableau.c[stage] * h);
                (Function::Rate(time), at(leg, record.stage(step, stage)))
            }
            Place::Observation { leg, index } => {
                let time = self.course.phases[leg].times[index];
                (
                    Function::Output(time),
                    at(leg, self.legs[leg].leg.seen_state(index)),
                )
            }
        };
        self.second.product(function, &at, lambda, v)
    }
}

/// Linearisation of a phase in progress.
struct Linearise<'a, D> {
    dynamics: &'a D,
    watch: &'a Watch,
    structures: Arc<Structures>,
    phase: &'a Phase,
    initial: Derivatives,
    rate: Derivatives,
    output: Derivatives,
    /// State, and parameters of the dynamics.
    both: Vec<f64>,
}

impl<'a, D: Dynamics> Linearise<'a, D> {
    fn new(problem: &Problem<'a, D>, watch: &'a Watch, phase: &'a Phase, x: &[f64]) -> Self {
        let structures = Arc::clone(&problem.structures);
        let both = [x, &phase.gather(problem.theta)].concat();
        let arguments = both.len();
        Self {
            dynamics: problem.dynamics,
            watch,
            phase,
            initial: Derivatives::new(&structures.initial, arguments - x.len()),
            rate: Derivatives::new(structures.rate.shape(Part::Both), arguments),
            output: Derivatives::new(&structures.output, arguments),
            structures,
            both,
        }
    }

    fn leg(mut self, leg: Leg, tableau: &Tableau) -> Result<LinearLeg, Halt> {
        let (n, start) = (self.dynamics.dims().0, self.phase.from);
        let first = self.stage(start, 0.0)?;
        let algebraic = self.structures.rate.moves.contains(&0.0);
        let consistent = algebraic.then(|| self.stage(start, INSTANT));
        let mut stages = Vec::with_capacity(leg.steps.len() * (tableau.stages() - 1));
        for (step, &[t, h]) in leg.steps.iter().enumerate() {
            for (state, i) in leg.stages(step).zip(1..) {
                self.both[..n].copy_from_slice(state);
                stages.push(self.stage(t + tableau.c[i] * h, h * tableau.diagonal(i))?);
            }
        }
        Ok(LinearLeg {
            consistent: consistent.transpose()?,
            first,
            stages,
            observed: self.observations(&leg)?,
            leg,
        })
    }

    /// Differentiates a function, and checks it where its branches are new.
    fn slopes(&mut self, function: Function) -> Result<Vec<f64>, Halt> {
        let dynamics = self.dynamics;
        let at = At { dynamics, function };
        let (shape, derivatives) = match function {
            Function::Initial => (&self.structures.initial, &mut self.initial),
            Function::Rate(_) => (self.structures.rate.shape(Part::Both), &mut self.rate),
            Function::Output(_) => (&self.structures.output, &mut self.output),
        };
        let arguments = match function {
            Function::Initial => &self.both[dynamics.dims().0..],
            Function::Rate(_) | Function::Output(_) => &self.both[..],
        };
        let mut out = vec![0.0; shape.len()];
        let found = derivatives.at(&at, arguments, &mut out)?;
        let branch = found.map_err(|more| Halt::More(function, more))?;
        self.watch.check(&at, arguments, branch)?;
        Ok(out)
    }

    /// Linearises the rate at a time and at the state in `both`.
    fn stage(&mut self, t: f64, shift: f64) -> Result<Stage, Halt> {
        let slopes = self.slopes(Function::Rate(self.phase.clock(t)))?;
        if shift == 0.0 {
            let system = None;
            return Ok(Stage { slopes, system });
        }
        let mut system = System::new(&self.structures.rate);
        if !system.set(shift, &slopes) {
            return Err(Error::Unsolved { t }.into());
        }
        let system = Some((system, shift));
        Ok(Stage { slopes, system })
    }

    fn observations(&mut self, leg: &Leg) -> Result<Vec<Vec<f64>>, Halt> {
        let n = self.dynamics.dims().0;
        let mut observed = Vec::with_capacity(leg.seen.len());
        for (&t, state) in self.phase.times.iter().zip(leg.observed.chunks_exact(n)) {
            self.both[..n].copy_from_slice(state);
            observed.push(self.slopes(Function::Output(t))?);
        }
        Ok(observed)
    }
}
