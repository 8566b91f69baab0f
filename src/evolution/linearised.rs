//! Linearised steps of an experiment.

use faer::{Mat, MatRef};

use super::course::{Course, Phase};
use super::crossing::{Crossing, linear_stages};
use super::derivative::{Derivative, Differentiate, Stage};
use super::dynamics::{At, Covectors, Dynamics, Function, moves};
use super::error::Error;
use super::method::Tableau;
use super::problem::Problem;
use super::replay::Replays;
use super::stepper::INSTANT;
use super::trajectory::{Leg, Trajectory};
use crate::automatic::second_derivative;
use crate::error::Result;
use crate::random;
use crate::vector::dot;

/// Seed of the directions along which products in closed form are compared.
const PROBE: u64 = 0x5eed;

/// Largest relative disagreement of products in closed form.
const AGREEMENT: f64 = 1e-9;

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

/// What sweeps need of a problem, whatever the type of its dynamics.
pub(super) trait Source: Replays {
    /// Adds the products of covectors of the rate in closed form, as [`Dynamics::pull_back`].
    fn pull_back(&self, from: Covectors<'_>, x: &mut [f64], theta: &mut [f64]) -> bool;

    /// Returns ∇²(Σ λᵢfᵢ) V of a function f of the dynamics at its arguments.
    fn bend(&self, f: Function, at: &[f64], lambda: &[f64], v: MatRef<'_, f64>) -> Mat<f64>;
}

impl<D: Dynamics> Source for Problem<'_, D> {
    fn pull_back(&self, from: Covectors<'_>, x: &mut [f64], theta: &mut [f64]) -> bool {
        self.dynamics.pull_back(from, x, theta)
    }

    fn bend(&self, f: Function, at: &[f64], lambda: &[f64], v: MatRef<'_, f64>) -> Mat<f64> {
        let function = At {
            dynamics: self.dynamics,
            function: f,
        };
        second_derivative(&function, at, lambda, v)
    }
}

/// Linearisation of all steps of an experiment.
pub(super) struct Linearised<'a> {
    pub(super) source: Box<dyn Source + 'a>,
    theta: &'a [f64],
    pub(super) course: &'a Course,
    pub(super) tableau: &'a Tableau,
    /// 1 for a component with a rate, 0 for an algebraic one.
    pub(super) moves: Vec<f64>,
    /// Number of observables.
    pub(super) outputs: usize,
    /// Derivative of the initial value.
    pub(super) initial: Derivative,
    pub(super) legs: Vec<LinearLeg>,
    /// Number of states that sweeps may store to take steps again.
    pub(super) slots: usize,
}

/// Linearisation of the steps of a leg.
pub(super) struct LinearLeg {
    pub(super) leg: Leg,
    /// Solution of the algebraic equations at the start, if there are any.
    pub(super) consistent: Option<Stage>,
    /// First slope.
    pub(super) first: Stage,
    /// Every stage but the first of every step, unless they are computed again in every sweep.
    pub(super) stages: Option<Vec<Stage>>,
    /// Whether covectors of the rate are pulled back in closed form.
    pub(super) closed: bool,
    /// Derivative of the observables, for every observation.
    pub(super) observed: Vec<Derivative>,
    /// Rate at the start, if the leg begins with an event at a fixed time.
    pub(super) slide: Option<Vec<f64>>,
    /// Event at the end.
    pub(super) crossing: Option<Crossing>,
}

impl<'a> Linearised<'a> {
    /// Linearises all steps of a trajectory.
    ///
    /// # Errors
    /// Fails if automatic differentiation refuses a function of the dynamics, and if the system of a stage is singular.
    pub(super) fn new<D: Dynamics>(
        problem: &Problem<'a, D>,
        trajectory: Trajectory,
    ) -> Result<Self> {
        let mut first = Differentiate::new(problem, &problem.phases()[0])?;
        let initial = first.slopes(Function::Initial)?;
        let mut legs = Vec::with_capacity(trajectory.legs.len());
        for leg in trajectory.legs {
            legs.push(LinearLeg::new(problem, leg)?);
        }
        let n = problem.dynamics.dims().0;
        Ok(Self {
            source: Box::new(*problem),
            theta: problem.theta,
            course: problem.course,
            tableau: &problem.plan.tableau,
            moves: moves(problem.dynamics),
            outputs: problem.dynamics.outputs(),
            initial,
            legs,
            // A state and its slope.
            slots: (problem.plan.memory / (16 * n)).max(2),
        })
    }

    /// Returns the phase of a leg.
    pub(super) fn phase(&self, leg: usize) -> &'a Phase {
        &self.course.phases[self.legs[leg].leg.phase]
    }

    /// Returns the parameters of the dynamics in the phase of a leg.
    pub(super) fn parameters(&self, leg: usize) -> Vec<f64> {
        self.phase(leg).gather(self.theta)
    }

    /// Returns whether the states of all stages are stored and there are no events.
    pub(super) fn is_smooth(&self) -> bool {
        let mut legs = self.legs.iter();
        legs.all(|leg| leg.leg.is_complete() && leg.crossing.is_none())
    }

    /// Returns ∇²(Σ λᵢfᵢ) V of the function f at a place, if all stages are stored and there are no events.
    pub(super) fn bend(&self, place: Place, lambda: &[f64], v: MatRef<'_, f64>) -> Mat<f64> {
        let at = |leg: usize, state: &[f64]| [state, &self.parameters(leg)].concat();
        let (function, at) = match place {
            Place::Initial => (Function::Initial, at(0, &[])),
            Place::Start(leg) => {
                let time = self.phase(leg).clock(self.legs[leg].leg.from);
                (Function::Rate(time), at(leg, &self.legs[leg].leg.first))
            }
            Place::Stage { leg, step, stage } => {
                let record = &self.legs[leg].leg;
                let [t, h] = record.steps[step];
                let time = self.phase(leg).clock(t + self.tableau.c[stage] * h);
                (Function::Rate(time), at(leg, record.stage(step, stage)))
            }
            Place::Observation { leg, index } => {
                let record = &self.legs[leg].leg;
                let time = self.phase(leg).times[record.before + index];
                let state = record.seen_state(index);
                (Function::Output(time), at(leg, state))
            }
        };
        self.source.bend(function, &at, lambda, v)
    }
}

impl LinearLeg {
    fn new<D: Dynamics>(problem: &Problem<'_, D>, leg: Leg) -> Result<Self> {
        let phase = &problem.phases()[leg.phase];
        let n = problem.dynamics.dims().0;
        let mut differentiate = Differentiate::new(problem, phase)?;
        differentiate.set(&leg.first);
        let mut first = differentiate.stage(leg.from, 0.0)?;
        let algebraic = (0..n).any(|i| problem.dynamics.is_algebraic(i));
        let consistent = algebraic.then(|| differentiate.stage(leg.from, INSTANT));
        let mut consistent = consistent.transpose()?;
        let slide = leg.slides().then(|| differentiate.rate(leg.from));
        if leg.horizon.is_some() {
            let [drift, own] = first_drifts(&differentiate, &leg);
            first.drift = Some(drift);
            if let Some(consistent) = &mut consistent {
                consistent.drift = Some(own);
            }
        }
        let tableau = &problem.plan.tableau;
        let size = 8 * (first.rate.len() + consistent.as_ref().map_or(0, Stage::system_len));
        let fits = leg.steps.len() * (tableau.stages() - 1) * size <= problem.plan.memory;
        let closed = !tableau.is_implicit()
            && problem.dynamics.events() == 0
            && pulls_back(problem, (&leg, &first))?;
        let stages = match leg.is_complete() && fits && !closed {
            true => Some(linearise(&mut differentiate, &leg, tableau)?),
            false => None,
        };
        let mut observed = Vec::with_capacity(leg.seen.len());
        let times = &phase.times[leg.before..];
        for (&t, state) in times.iter().zip(leg.observed.chunks_exact(n)) {
            differentiate.set(state);
            observed.push(differentiate.slopes(Function::Output(t))?);
        }
        let crossing = leg.ending.as_ref();
        let crossing =
            crossing.map(|ending| Crossing::new(&mut differentiate, &leg, ending, tableau));
        Ok(Self {
            slide,
            crossing: crossing.transpose()?,
            leg,
            consistent,
            first,
            stages,
            closed,
            observed,
        })
    }

    /// Returns the stages of a step but the first, if they are stored, for a method with this number of stages.
    pub(super) fn stages(&self, step: usize, count: usize) -> Option<&[Stage]> {
        let stages = self.stages.as_ref()?;
        Some(&stages[step * (count - 1)..(step + 1) * (count - 1)])
    }
}

/// Returns the derivatives of the first slope and of the algebraic equations in the time of the event with which a leg begins.
fn first_drifts<D: Dynamics>(differentiate: &Differentiate<'_, D>, leg: &Leg) -> [Vec<f64>; 2] {
    let function = Function::Rate(differentiate.clock(leg.from));
    let own = differentiate.in_time(function, leg.scale(0));
    let mut drift = own.clone();
    if leg.fractions() > 0 {
        let slope = differentiate.rate(leg.from);
        let stretch = leg.stretch();
        let entries = drift.iter_mut().zip(slope);
        entries.for_each(|(r, k)| *r += stretch * k);
    }
    [drift, own]
}

/// Returns whether the dynamics pull covectors of the rate back in closed form.
///
/// # Errors
/// Fails if the products at the start of a leg disagree with the derivative.
fn pulls_back<D: Dynamics>(problem: &Problem<'_, D>, (leg, first): (&Leg, &Stage)) -> Result<bool> {
    let phase = &problem.phases()[leg.phase];
    let (n, p) = problem.dynamics.dims();
    let (w, v) = (random::normal(n, PROBE, 0), random::normal(n + p, PROBE, 1));
    let mut out = vec![0.0; n + p];
    let (x, theta) = out.split_at_mut(n);
    let t = phase.clock(phase.from);
    let from = Covectors {
        t,
        x: &leg.first,
        theta: &phase.gather(problem.theta),
        w: &w,
    };
    if !problem.dynamics.pull_back(from, x, theta) {
        return Ok(false);
    }
    let mut along = vec![[0.0]; n];
    let tangents = v.as_chunks().0;
    first.rate.add_state(1.0, &tangents[..n], &mut along);
    first.rate.add_parameters(1.0, &tangents[n..], &mut along);
    let rate: f64 = along.iter().zip(&w).map(|([a], w)| a * w).sum();
    let size = along
        .iter()
        .zip(&w)
        .map(|([a], w)| (a * w).abs())
        .sum::<f64>();
    let pulled = dot(&out, &v);
    match (rate - pulled).abs() <= AGREEMENT * size {
        true => Ok(true),
        false => Err(Error::PulledBack { t, rate, pulled }.into()),
    }
}

/// Linearises all stages but the first of all steps.
fn linearise<D: Dynamics>(
    differentiate: &mut Differentiate<'_, D>,
    leg: &Leg,
    tableau: &Tableau,
) -> Result<Vec<Stage>> {
    let mut stages = Vec::with_capacity(leg.steps.len() * (tableau.stages() - 1));
    for (step, times) in leg.steps.iter().enumerate() {
        let is_fraction = step < leg.fractions();
        let motion = is_fraction.then(|| leg.motion(step, leg.slopes(step)));
        let states = leg.stages(step);
        let linear = linear_stages(differentiate, tableau, *times, states, motion.as_ref())?;
        stages.extend(linear);
    }
    Ok(stages)
}
