//! Integration forward in time, over all phases of an experiment.

use super::controller::Controller;
use super::course::Phase;
use super::dynamics::Dynamics;
use super::error::Error;
use super::events::Events;
use super::plan::{Lengths, Plan, Steps};
use super::problem::Problem;
use super::stepper::Stepper;
use super::trajectory::{Ending, Leg, Trajectory};
use crate::error::Result;

/// Change of the state by a step, relative to the allowed error, that counts as rest.
const RESTS: f64 = 1e-3;

/// Number of longer and longer steps without change after which a state is steady.
const QUIET: usize = 4;

/// Distance of an event to a fixed time, relative to it and to the length of the phase, that is rounding.
const CLOSE: f64 = 1e-12;

/// Integrates an experiment over all phases. Records all steps if the record is to be `complete`, and else their lengths and the
/// states where they are observed.
///
/// # Errors
/// Fails if a rate is not finite at a state that was reached, if the steps become too short or too many, if algebraic equations
/// have no solution, if a state does not become steady, and if events fire for ever.
pub(super) fn march<D: Dynamics>(problem: &Problem<'_, D>, complete: bool) -> Result<Trajectory> {
    let n = problem.dynamics.dims().0;
    let mut x = vec![f64::NAN; n];
    let phases = &problem.course.phases;
    problem
        .dynamics
        .initial(&phases[0].gather(problem.theta), &mut x);
    let parameters = |phase: &Phase| phase.gather(problem.theta);
    check_initial(&x)?;
    let mut events = Events::new(problem.dynamics, &phases[0], parameters(&phases[0]), &x)?;
    let mut legs = Vec::with_capacity(phases.len());
    for (index, phase) in phases.iter().enumerate() {
        if let Some(events) = &mut events {
            events.enter(phase, parameters(phase));
        }
        let stages = problem.plan.tableau.stages();
        let mut way = Way {
            t: phase.from,
            phase,
            plan: problem.plan,
            kept: problem.kept.map(|kept| &kept[legs.len()..]),
            stepper: Stepper::new(problem, phase, x)?,
            events,
            leg: Leg::new((index, phase.from), n, stages, complete),
            legs: Vec::new(),
            taken: 0,
        };
        way.run()?;
        legs.append(&mut way.legs);
        legs.push(way.leg);
        (x, events) = (way.stepper.x, way.events);
    }
    Ok(Trajectory { legs })
}

/// Checks that all components of the initial value are finite.
fn check_initial(x: &[f64]) -> Result<()> {
    match x.iter().position(|x| !x.is_finite()) {
        Some(component) => {
            let x = x[component];
            Err(Error::Initial { component, x }.into())
        }
        None => Ok(()),
    }
}

/// Phase in progress.
struct Way<'a, D> {
    t: f64,
    phase: &'a Phase,
    plan: &'a Plan,
    /// Steps of this leg and of those that follow, if they are kept.
    kept: Option<&'a [Lengths]>,
    stepper: Stepper<'a, D>,
    events: Option<Events<'a, D>>,
    leg: Leg,
    /// Legs before, which ended with events.
    legs: Vec<Leg>,
    /// Number of their steps.
    taken: usize,
}

impl<'a, D: Dynamics> Way<'a, D> {
    fn run(&mut self) -> Result<()> {
        let phase = self.phase;
        self.stepper.begin(self.t)?;
        self.leg.first.clone_from(&self.stepper.x);
        let mut controller = self.controller();
        for &time in &phase.times {
            self.advance(&mut controller, time)?;
            self.leg.observe(&self.stepper.x);
        }
        self.advance(&mut controller, phase.until)
    }

    /// Returns the control of the steps from the current state on.
    fn controller(&self) -> Controller {
        let distance = self.phase.until - self.t;
        let length = self.stepper.first_length(distance);
        Controller::new(length, self.plan.tableau.power)
    }

    /// Takes steps up to a time, or until the state is steady if it is infinite. Legs end at events on the way.
    fn advance(&mut self, controller: &mut Controller, time: f64) -> Result<()> {
        self.fire_at_start(controller, time)?;
        let mut before = self.t;
        let mut earlier = self.leg.steps.len();
        let mut quiet = 0;
        while !self.has_reached(time) {
            let (t, step) = (self.t, self.leg.steps.len());
            if self.taken + step >= self.plan.most_steps {
                return Err(self.too_many().into());
            }
            let (h, last) = self.length(controller, [before, time], step - earlier);
            if let Some(event) = self.kept_event(step) {
                let found = self.near(event, h, time)?;
                self.expect_none([t, found.1], Some(event))?;
                self.fire_after(controller, found, time)?;
                continue;
            }
            let error = self.stepper.attempt(t, h)?;
            if self.plan.chooses(time) {
                if !controller.judge(h, error) {
                    if controller.vanishes(t.abs().max(self.scale())) {
                        return Err(self.vanished().into());
                    }
                    continue;
                }
            } else if error.is_none() {
                let refused = self.stepper.refused();
                return Err(refused.unwrap_or(Error::Unsolved { t }).into());
            }
            if let Some(found) = self.event_in([t, h])? {
                self.fire_after(controller, found, time)?;
                (before, earlier, quiet) = (self.t, 0, 0);
                continue;
            }
            if time == f64::INFINITY && self.stepper.change() <= RESTS {
                quiet += 1;
            } else {
                quiet = 0;
            }
            self.stepper.record(&mut self.leg, [t, h]);
            self.stepper.accept(h);
            let steady = self.kept.is_none() && quiet >= QUIET && !self.is_expecting()?;
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
        if let Some(kept) = self.kept() {
            let step = self.leg.steps.len();
            let is_fraction = self.leg.seen.is_empty();
            let unit = self.leg.distance().filter(|_| is_fraction).unwrap_or(1.0);
            return (unit * kept.lengths[step], step + 1 == self.goal(kept));
        }
        match self.plan.steps {
            Steps::Every(longest) if time.is_finite() => {
                let count = ((time - before) / longest * (1.0 - 1e-12)).ceil().max(1.0);
                ((time - before) / count, (taken + 1) as f64 >= count)
            }
            _ => controller.step(time - self.t),
        }
    }

    /// Returns the steps of this leg, if they are kept.
    fn kept(&self) -> Option<&'a Lengths> {
        self.kept.map(|kept| &kept[self.legs.len()])
    }

    /// Returns the number of kept steps to the next observation, or to the end of the leg.
    fn goal(&self, kept: &Lengths) -> usize {
        let seen = kept.seen.get(self.leg.seen.len());
        seen.copied().unwrap_or(kept.lengths.len())
    }

    /// Returns whether a time has been reached, by all its steps if they are kept.
    fn has_reached(&self, time: f64) -> bool {
        match self.kept() {
            // A leg that ends with an event goes on in the next.
            Some(kept) if self.events.is_some() => {
                let ends = self.leg.seen.len() == kept.seen.len() && kept.event.is_some();
                !ends && self.leg.steps.len() >= self.goal(kept)
            }
            _ => self.t >= time,
        }
    }

    /// Returns the event to which a step leads, if it is kept.
    fn kept_event(&self, step: usize) -> Option<usize> {
        let kept = self.kept()?;
        kept.event.filter(|_| step + 1 == kept.lengths.len())
    }

    /// Returns the first event in the last attempt of a step, which is then the step to it.
    fn event_in(&mut self, step: [f64; 2]) -> Result<Option<(usize, f64)>> {
        match &mut self.events {
            Some(events) if self.kept.is_none() => events.in_step(&mut self.stepper, step),
            _ => self.expect_none(step, None).map(|()| None),
        }
    }

    /// Checks that the last attempt of a kept step leads over no event but this one.
    fn expect_none(&mut self, [t, h]: [f64; 2], but: Option<usize>) -> Result<()> {
        match &mut self.events {
            Some(events) => events.expect_none(t + h, &self.stepper.next, but),
            None => Ok(()),
        }
    }

    /// Returns whether an event is still to come although the state rests.
    fn is_expecting(&self) -> Result<bool> {
        match &self.events {
            Some(events) => events.is_expected(&self.stepper.x),
            None => Ok(false),
        }
    }

    /// Attempts the step to an event that is kept, whose length is close to a guess. Returns it with its length.
    fn near(&mut self, event: usize, guess: f64, time: f64) -> Result<(usize, f64)> {
        let Some(events) = &self.events else {
            return Ok((event, guess));
        };
        // On the way to a steady state, the event may move by the length of the leg so far.
        let distance = Some(time - self.t).filter(|d| d.is_finite());
        let distance = distance.unwrap_or(self.t - self.leg.from).abs();
        let scale = guess.abs().max(distance);
        let length = events.near(&mut self.stepper, event, [self.t, guess, scale])?;
        Ok((event, length))
    }

    /// Takes the last attempt, of length h, as the step to an event on the way to a fixed time, and begins the next leg.
    fn fire_after(
        &mut self,
        controller: &mut Controller,
        (event, h): (usize, f64),
        time: f64,
    ) -> Result<()> {
        let t = self.t;
        self.stepper.record(&mut self.leg, [t, h]);
        let last = (
            self.stepper.slopes.clone(),
            self.stepper.stages().flatten().copied().collect(),
        );
        self.stepper.accept(h);
        self.t = t + h;
        // No step is left between an event and a fixed time that differ by rounding.
        let close = CLOSE * time.abs().max(self.scale());
        if time.is_finite() && (time - self.t).abs() <= close {
            self.t = time;
        }
        self.fire(event, last, time)?;
        self.fire_at_start(controller, time)?;
        *controller = self.controller();
        Ok(())
    }

    /// Fires all events that fire where a leg begins.
    fn fire_at_start(&mut self, controller: &mut Controller, time: f64) -> Result<()> {
        while self.leg.steps.is_empty() {
            let kept = self.kept();
            let Some(events) = &mut self.events else {
                break;
            };
            let mut first = events.at_start(self.t, &self.stepper.x)?;
            if let Some(kept) = kept {
                first = kept.event.filter(|_| kept.lengths.is_empty());
                match first {
                    Some(event) => events.expect_at_start(event, self.t, &self.stepper.x)?,
                    None => events.expect_none(self.t, &self.stepper.x, None)?,
                }
            }
            let Some(event) = first else { break };
            self.fire(event, Default::default(), time)?;
            *controller = self.controller();
        }
        Ok(())
    }

    /// Ends the leg with an event, after a last step with these slopes and stages, and begins the next.
    fn fire(
        &mut self,
        event: usize,
        (slopes, stages): (Vec<f64>, Vec<f64>),
        time: f64,
    ) -> Result<()> {
        let Some(events) = &mut self.events else {
            return Ok(());
        };
        let state = self.stepper.x.clone();
        let after = events.fire(event, self.t, &state)?;
        self.stepper.restart(self.t, &after)?;
        let mut next = self.leg.next(self.t, time);
        next.first.clone_from(&self.stepper.x);
        self.leg.ending = Some(Ending {
            event,
            state,
            slopes,
            stages,
        });
        self.taken += self.leg.steps.len();
        self.legs.push(std::mem::replace(&mut self.leg, next));
        Ok(())
    }

    /// Size of the times of the phase.
    fn scale(&self) -> f64 {
        let span = self.phase.until - self.phase.from;
        if span.is_finite() { span } else { 0.0 }
    }

    /// Returns the error of steps that vanish.
    fn vanished(&self) -> Error {
        if let Some(error) = self.stepper.refused() {
            return error;
        }
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
        let x = &self.stepper.x;
        let component = (0..x.len()).max_by(|&i, &j| x[i].abs().total_cmp(&x[j].abs()));
        let component = component.unwrap_or(0);
        Error::TooMany {
            limit,
            t,
            end: self.phase.until,
            component,
            x: x[component],
        }
    }
}
