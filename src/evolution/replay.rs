//! Steps that are computed again because their linearisation does not fit into memory.

use super::crossing::linear_stages;
use super::derivative::{Differentiate, Stage};
use super::dynamics::Dynamics;
use super::error::Error;
use super::problem::Problem;
use super::stepper::{State, Stepper};
use super::trajectory::Leg;
use crate::error::Result;

/// Steps of a leg, taken again.
pub(super) trait Replay {
    /// Takes a step from the current state, which is that before it, and returns its linearised stages.
    ///
    /// # Errors
    /// Fails if a function of the dynamics is not differentiable.
    fn linearise(&mut self, step: usize) -> Result<Vec<Stage>>;

    /// Takes a step from the current state, which is that before it, and returns the states of its stages but the first.
    ///
    /// # Errors
    /// Fails if the step does.
    fn states(&mut self, step: usize) -> Result<&[f64]>;

    /// Takes a step from the current state, which is that before it.
    ///
    /// # Errors
    /// Fails if the step does.
    fn advance(&mut self, step: usize) -> Result<()>;

    /// Stores the current state in a slot.
    fn store(&mut self, slot: usize);

    /// Makes the state of a slot the current one.
    fn restore(&mut self, slot: usize);
}

/// Source of replays, whatever the type of the dynamics.
pub(super) trait Replays: Send + Sync {
    /// Starts to take the steps of a leg again.
    ///
    /// # Errors
    /// Fails if the first slope is not finite, which it was before.
    fn replay<'s>(&'s self, leg: &'s Leg) -> Result<Box<dyn Replay + 's>>;
}

impl<D: Dynamics> Replays for Problem<'_, D> {
    fn replay<'s>(&'s self, leg: &'s Leg) -> Result<Box<dyn Replay + 's>> {
        let phase = &self.phases()[leg.phase];
        let mut stepper = Stepper::new(self, phase, leg.first.clone())?;
        stepper.resume(leg.from)?;
        Ok(Box::new(Steps {
            differentiate: Differentiate::new(self, phase)?,
            problem: self,
            leg,
            stepper,
            slots: Vec::new(),
        }))
    }
}

struct Steps<'a, D> {
    problem: &'a Problem<'a, D>,
    leg: &'a Leg,
    stepper: Stepper<'a, D>,
    differentiate: Differentiate<'a, D>,
    slots: Vec<State>,
}

impl<D: Dynamics> Steps<'_, D> {
    fn attempt(&mut self, step: usize) -> Result<()> {
        let [t, h] = self.leg.steps[step];
        // The step to an event was taken to its last digits.
        let to_event = self.leg.ending.is_some() && step + 1 == self.leg.steps.len();
        let exact = self.stepper.exact;
        self.stepper.exact |= to_event;
        let error = self.stepper.attempt(t, h)?;
        error.ok_or(Error::Unsolved { t })?;
        self.stepper.exact = exact;
        Ok(())
    }
}

impl<D: Dynamics> Replay for Steps<'_, D> {
    fn linearise(&mut self, step: usize) -> Result<Vec<Stage>> {
        let [t, h] = self.leg.steps[step];
        self.attempt(step)?;
        let is_fraction = step < self.leg.fractions();
        let motion = is_fraction.then(|| self.leg.motion(step, &self.stepper.slopes));
        let stages = linear_stages(
            &mut self.differentiate,
            &self.problem.plan.tableau,
            [t, h],
            self.stepper.stages(),
            motion.as_ref(),
        )?;
        self.stepper.accept(h);
        Ok(stages)
    }

    fn states(&mut self, step: usize) -> Result<&[f64]> {
        self.advance(step)?;
        Ok(self.stepper.states())
    }

    fn advance(&mut self, step: usize) -> Result<()> {
        self.attempt(step)?;
        self.stepper.accept(self.leg.steps[step][1]);
        Ok(())
    }

    fn store(&mut self, slot: usize) {
        if slot < self.slots.len() {
            self.stepper.save(&mut self.slots[slot]);
        } else {
            let mut state = State::default();
            self.stepper.save(&mut state);
            self.slots.push(state);
        }
    }

    fn restore(&mut self, slot: usize) {
        self.stepper.restore(&self.slots[slot]);
    }
}
