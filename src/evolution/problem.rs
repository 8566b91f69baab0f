//! One experiment at given parameters.

use super::course::{Course, Phase};
use super::dynamics::Dynamics;
use super::plan::{Lengths, Plan};
use super::structures::{Known, Structures};
use super::watch::Watch;
use crate::error::Result;

/// Experiment that is to be integrated at given parameters of the model.
pub(super) struct Problem<'a, D> {
    pub(super) dynamics: &'a D,
    pub(super) plan: &'a Plan,
    pub(super) course: &'a Course,
    /// Steps of every leg, if they are kept.
    pub(super) kept: Option<&'a [Lengths]>,
    pub(super) theta: &'a [f64],
    pub(super) known: &'a Known,
    pub(super) watch: &'a Watch,
}

impl<D> Clone for Problem<'_, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D> Copy for Problem<'_, D> {}

impl<'a, D: Dynamics> Problem<'a, D> {
    /// Returns the phases.
    pub(super) fn phases(&self) -> &'a [Phase] {
        &self.course.phases
    }

    /// Returns the entries of all derivatives, as far as they are known.
    ///
    /// # Errors
    /// Fails if a function of the dynamics does not write all its outputs, or is not a function of its arguments alone.
    pub(super) fn structures(&self) -> Result<Structures> {
        let phase = &self.phases()[0];
        let t = phase.clock(phase.from);
        self.known.get(self.dynamics, t, &phase.gather(self.theta))
    }
}
