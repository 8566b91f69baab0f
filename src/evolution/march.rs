//! Integration forward in time, over all phases of an experiment.

use super::controller::Controller;
use super::course::Phase;
use super::dynamics::Dynamics;
use super::error::Error;
use super::plan::{Lengths, Plan, Steps};
use super::problem::Problem;
use super::stepper::Stepper;
use super::structures::Halt;
use super::trajectory::{Leg, Trajectory};

/// Change of the state by a step, relative to the allowed error, that counts as rest.
const RESTS: f64 = 1e-3;

/// Number of longer and longer steps without change after which a state is steady.
const QUIET: usize = 4;

/// Integrates an experiment over all phases. Records all steps if the record is to be `complete`, and else their lengths and the
/// states where they are observed.
///
/// # Errors
/// Fails if a rate is not finite at a state that was reached, if the steps become too short or too many, if algebraic equations
/// have no solution, and if a state does not become steady.
pub(super) fn march<D: Dynamics>(
    problem: &Problem<'_, D>,
    complete: bool,
) -> Result<Trajectory, Halt> {
    let n = problem.dynamics.dims().0;
    let mut x = vec![f64::NAN; n];
    let phases = &problem.course.phases;
    problem
        .dynamics
        .initial(&phases[0].gather(problem.theta), &mut x);
    let mut legs = Vec::with_capacity(phases.len());
    for (index, phase) in phases.iter().enumerate() {
        let mut way = Way {
            t: phase.from,
            phase,
            plan: problem.plan,
            kept: problem.kept.map(|kept| &kept[index]),
            stepper: Stepper::new(problem, phase, x),
            leg: Leg::new(n, problem.plan.tableau.stages(), complete),
        };
        way.run()?;
        legs.push(way.leg);
        x = way.stepper.x;
    }
    Ok(Trajectory { legs })
}

/// Phase in progress.
struct Way<'a, D> {
    t: f64,
    phase: &'a Phase,
    plan: &'a Plan,
    kept: Option<&'a Lengths>,
    stepper: Stepper<'a, D>,
    leg: Leg,
}

impl<D: Dynamics> Way<'_, D> {
    fn run(&mut self) -> Result<(), Halt> {
        let phase = self.phase;
        self.stepper.begin(self.t)?;
        self.leg.first.clone_from(&self.stepper.x);
        let distance = phase.until - self.t;
        let length = self.stepper.first_length(distance);
        let mut controller = Controller::new(length, self.plan.tableau.power);
        for &time in &phase.times {
            self.advance(&mut controller, time)?;
            self.leg.observe(&self.stepper.x);
        }
        self.advance(&mut controller, phase.until)
    }

    /// Takes steps up to a time, or until the state is steady if it is infinite.
    fn advance(&mut self, controller: &mut Controller, time: f64) -> Result<(), Halt> {
        let before = self.t;
        let earlier = self.leg.steps.len();
        let mut quiet = 0;
        while self.t < time {
            let (t, step) = (self.t, self.leg.steps.len());
            if step >= self.plan.most_steps {
                return Err(self.too_many().into());
            }
            let (h, last) = self.length(controller, [before, time], step - earlier);
            let error = self.stepper.attempt(t, h)?;
            if self.kept.is_none() && self.plan.chooses(self.phase) {
                if !controller.judge(h, error) {
                    if controller.vanishes(t.abs().max(self.scale())) {
                        return Err(self.vanished().into());
                    }
                    continue;
                }
            } else if error.is_none() {
                return Err(Error::Unsolved { t }.into());
            }
            if time == f64::INFINITY && self.stepper.change() <= RESTS {
                quiet += 1;
            } else {
                quiet = 0;
            }
            self.stepper.record(&mut self.leg, [t, h]);
            self.stepper.accept(h);
            let steady = self.kept.is_none() && quiet >= QUIET;
            self.t = if last || steady { time } else { t + h };
        }
        Ok(())
    }

    /// Returns the length of the next step, and whether it reaches the time.
    fn length(
        &self,
        controller: &Controller,
        [before, time]: [f64; 2],
        taken: usize,
    ) -> (f64, bool) {
        if let Some(kept) = self.kept {
            let step = self.leg.steps.len();
            // Steps that lead to the next observation, or to the end of the phase.
            let seen = kept.seen.get(self.leg.seen.len());
            let last = seen.copied().unwrap_or(kept.lengths.len());
            return (kept.lengths[step], step + 1 == last);
        }
        match self.plan.steps {
            Steps::Every(longest) if time.is_finite() => {
                let count = ((time - before) / longest * (1.0 - 1e-12)).ceil().max(1.0);
                ((time - before) / count, (taken + 1) as f64 >= count)
            }
            _ => controller.step(time - self.t),
        }
    }

    /// Size of the times of the phase.
    fn scale(&self) -> f64 {
        let span = self.phase.until - self.phase.from;
        if span.is_finite() { span } else { 0.0 }
    }

    /// Returns the error of steps that vanish.
    fn vanished(&self) -> Error {
        let component = self.stepper.fastest();
        Error::Vanished {
            t: self.t,
            component,
            x: self.stepper.x[component],
        }
    }

    /// Returns the error of too many steps.
    fn too_many(&self) -> Error {
        let (limit, t) = (self.plan.most_steps, self.t);
        if self.phase.settles() {
            let component = self.stepper.fastest();
            return Error::Unsteady { limit, component };
        }
        Error::TooMany {
            limit,
            t,
            end: self.phase.until,
        }
    }
}
