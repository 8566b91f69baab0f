//! Linearised steps of an experiment.

use super::course::{Course, Phase};
use super::dynamics::{Dynamics, Initial, Output, Rate};
use super::matrix::{Lu, add_slopes};
use super::method::Tableau;
use super::plan::Plan;
use super::stepper::{INSTANT, moves};
use super::trajectory::{Leg, Trajectory};
use crate::automatic::Slopes;

/// Linearisation of all steps of an experiment.
pub(super) struct Linearised<'a> {
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
    /// Lengths of the steps.
    pub(super) lengths: Vec<f64>,
    /// Number of steps before every observation.
    pub(super) seen: Vec<usize>,
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
    pub(super) fn new<D: Dynamics>(
        dynamics: &D,
        plan: &Plan,
        course: &'a Course,
        theta: &[f64],
        trajectory: &Trajectory,
    ) -> Self {
        let first = course.phases[0].gather(theta);
        let (n, p) = dynamics.dims();
        let mut initial = vec![0.0; n * p];
        Slopes::<4>::new(n, p).at(&Initial(dynamics), &first, &mut initial);
        let moves = moves(dynamics);
        let tableau = plan.method.tableau();
        let pairs = course.phases.iter().zip(&trajectory.legs);
        let legs = pairs.map(|(phase, leg)| {
            let linearise = Linearise {
                dynamics,
                moves: &moves,
                phase,
                derivatives: Slopes::new(n, n + p),
                both: [leg.state(0), &phase.gather(theta)].concat(),
            };
            linearise.leg(leg, tableau)
        });
        Self {
            course,
            tableau,
            outputs: dynamics.outputs(),
            initial,
            legs: legs.collect(),
            moves,
        }
    }
}

/// Linearisation of a phase in progress.
struct Linearise<'a, D> {
    dynamics: &'a D,
    moves: &'a [f64],
    phase: &'a Phase,
    derivatives: Slopes<4>,
    /// State, and parameters of the dynamics.
    both: Vec<f64>,
}

impl<D: Dynamics> Linearise<'_, D> {
    fn leg(mut self, leg: &Leg, tableau: &Tableau) -> LinearLeg {
        let (n, start) = (self.moves.len(), self.phase.from);
        let algebraic = self.moves.contains(&0.0);
        let first = self.stage(start, 0.0);
        let consistent = algebraic.then(|| self.stage(start, INSTANT));
        let mut stages = Vec::with_capacity(leg.steps.len() * (tableau.stages() - 1));
        for (step, &[t, h]) in leg.steps.iter().enumerate() {
            for i in 1..tableau.stages() {
                let stage = &mut self.both[..n];
                stage.copy_from_slice(leg.state(step));
                add_slopes(leg.slopes(step), h, tableau.a[i], stage);
                stages.push(self.stage(t + tableau.c[i] * h, h * tableau.diagonal(i)));
            }
        }
        LinearLeg {
            lengths: leg.steps.iter().map(|[_, h]| *h).collect(),
            seen: leg.seen.clone(),
            consistent,
            first,
            stages,
            observed: self.observations(leg),
        }
    }

    /// Linearises the rate at a time and at the state in `both`.
    fn stage(&mut self, t: f64, shift: f64) -> Stage {
        let n = self.moves.len();
        let (dynamics, t) = (self.dynamics, self.phase.clock(t));
        let mut slopes = vec![0.0; n * self.both.len()];
        self.derivatives
            .at(&Rate { dynamics, t }, &self.both, &mut slopes);
        let factors = || (Lu::shifted(self.moves, shift, &slopes[..n * n]), shift);
        let system = (shift != 0.0).then(factors);
        Stage { slopes, system }
    }

    fn observations(&mut self, leg: &Leg) -> Vec<Vec<f64>> {
        let (n, outputs) = (self.moves.len(), self.dynamics.outputs());
        let mut derivatives = Slopes::<4>::new(outputs, self.both.len());
        let mut observed = Vec::with_capacity(leg.seen.len());
        for (&t, state) in self.phase.times.iter().zip(leg.observed.chunks_exact(n)) {
            self.both[..n].copy_from_slice(state);
            let mut out = vec![0.0; outputs * self.both.len()];
            let output = Output {
                dynamics: self.dynamics,
                t,
            };
            derivatives.at(&output, &self.both, &mut out);
            observed.push(out);
        }
        observed
    }
}
