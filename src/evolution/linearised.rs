//! Linearised steps of an experiment.

use faer::{Mat, MatRef};

use super::course::{Course, Phase};
use super::dynamics::{At, Dynamics, Function, Second};
use super::error::Error;
use super::march::March;
use super::matrix::Lu;
use super::method::Tableau;
use super::stepper::{INSTANT, moves};
use super::trajectory::{Leg, Trajectory};
use super::watch::Watch;
use crate::automatic::{Formula, Slopes};

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
    pub(super) tableau: &'static Tableau,
    /// 1 for a component with a rate, 0 for an algebraic one.
    pub(super) moves: Vec<f64>,
    /// Number of observables.
    pub(super) outputs: usize,
    /// Derivatives of the initial value.
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
    /// Derivatives of the observables in the state and in the parameters, column by column, for every observation.
    pub(super) observed: Vec<Vec<f64>>,
}

/// Linearised stage.
pub(super) struct Stage {
    /// Derivatives of the rate in the state and in the parameters, column by column.
    pub(super) slopes: Vec<f64>,
    /// Factors of D − hγJ of an implicit stage, and hγ.
    pub(super) system: Option<(Lu, f64)>,
}

impl<'a> Linearised<'a> {
    /// Linearises all steps of a march.
    ///
    /// # Errors
    /// Fails if automatic differentiation refuses a function of the dynamics.
    pub(super) fn new<D: Dynamics>(
        march: &March<'a, D>,
        watch: &Watch,
        trajectory: Trajectory,
    ) -> Result<Self, Error> {
        let (dynamics, course) = (march.dynamics, march.course);
        let (n, p) = dynamics.dims();
        let moves = moves(dynamics);
        let tableau = march.plan.method.tableau();
        let mut initial = Vec::new();
        let mut legs = Vec::with_capacity(course.phases.len());
        for (index, (phase, leg)) in course.phases.iter().zip(trajectory.legs).enumerate() {
            let parameters = phase.gather(march.theta);
            let mut linearise = Linearise {
                dynamics,
                watch,
                moves: &moves,
                phase,
                derivatives: Slopes::new(n, n + p),
                both: [&leg.first[..], &parameters].concat(),
            };
            if index == 0 {
                initial = linearise.slopes(Function::Initial)?;
            }
            legs.push(linearise.leg(leg, tableau)?);
        }
        Ok(Self {
            second: Box::new(dynamics),
            theta: march.theta,
            course,
            tableau,
            outputs: dynamics.outputs(),
            initial,
            legs,
            moves,
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
    moves: &'a [f64],
    phase: &'a Phase,
    derivatives: Slopes<4>,
    /// State, and parameters of the dynamics.
    both: Vec<f64>,
}

impl<D: Dynamics> Linearise<'_, D> {
    fn leg(mut self, leg: Leg, tableau: &Tableau) -> Result<LinearLeg, Error> {
        let (n, start) = (self.moves.len(), self.phase.from);
        let first = self.stage(start, 0.0)?;
        let algebraic = self.moves.contains(&0.0);
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

    /// Differentiates a function, column by column, and checks it where its branches are new.
    fn slopes(&mut self, function: Function) -> Result<Vec<f64>, Error> {
        let (dynamics, n) = (self.dynamics, self.moves.len());
        let at = At { dynamics, function };
        let arguments = match function {
            Function::Initial => &self.both[n..],
            Function::Rate(_) | Function::Output(_) => &self.both[..],
        };
        let mut out = vec![0.0; at.dims().0 * arguments.len()];
        let branch = self.derivatives.at(&at, arguments, &mut out);
        self.watch.check(&at, arguments, branch)?;
        Ok(out)
    }

    /// Linearises the rate at a time and at the state in `both`.
    fn stage(&mut self, t: f64, shift: f64) -> Result<Stage, Error> {
        let n = self.moves.len();
        let slopes = self.slopes(Function::Rate(self.phase.clock(t)))?;
        let factors = || (Lu::shifted(self.moves, shift, &slopes[..n * n]), shift);
        let system = (shift != 0.0).then(factors);
        Ok(Stage { slopes, system })
    }

    fn observations(&mut self, leg: &Leg) -> Result<Vec<Vec<f64>>, Error> {
        let n = self.moves.len();
        let mut observed = Vec::with_capacity(leg.seen.len());
        for (&t, state) in self.phase.times.iter().zip(leg.observed.chunks_exact(n)) {
            self.both[..n].copy_from_slice(state);
            observed.push(self.slopes(Function::Output(t))?);
        }
        Ok(observed)
    }
}
