//! One experiment at given parameters.

use std::sync::Arc;

use super::course::Course;
use super::plan::{Lengths, Plan};
use super::structures::Structures;

/// Experiment that is to be integrated at given parameters of the model.
pub(super) struct Problem<'a, D> {
    pub(super) dynamics: &'a D,
    pub(super) plan: &'a Plan,
    pub(super) course: &'a Course,
    /// Steps of every phase, if they are kept.
    pub(super) kept: Option<&'a [Lengths]>,
    pub(super) theta: &'a [f64],
    pub(super) structures: Arc<Structures>,
}
