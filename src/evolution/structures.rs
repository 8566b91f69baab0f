//! Entries of the derivatives of all functions of dynamics.

use std::sync::Arc;

use super::dynamics::{At, Dynamics, Function};
use super::error::Error;
use super::stage::{Shape, Structure};
use crate::automatic::Entries;
use crate::error::Result;

/// Entries of the derivatives of dynamics, as far as they are known.
#[derive(Clone)]
pub(super) struct Structures {
    pub(super) rate: Arc<Structure>,
    pub(super) initial: Shape,
    pub(super) output: Shape,
}

impl Structures {
    /// Finds the entries at a time and at the initial value.
    ///
    /// # Errors
    /// Fails if a function does not write all its outputs, or is not a function of its arguments alone.
    pub(super) fn find<D: Dynamics>(dynamics: &D, t: f64, theta: &[f64]) -> Result<Self> {
        let mut x = vec![f64::NAN; dynamics.dims().0];
        dynamics.initial(theta, &mut x);
        let both = [&x, theta].concat();
        let at = |function| At { dynamics, function };
        Ok(Self {
            rate: Arc::new(Structure::find(dynamics, t, &both)?),
            initial: Shape::find(&at(Function::Initial), theta)?,
            output: Shape::find(&at(Function::Output(t)), &both)?,
        })
    }

    /// Adds entries of a function.
    pub(super) fn extend(&mut self, function: Function, more: &Entries) {
        match function {
            Function::Initial => self.initial = self.initial.extended(more),
            Function::Rate(_) => self.rate = Arc::new(self.rate.extended(more)),
            Function::Output(_) => self.output = self.output.extended(more),
        }
    }
}

/// Reason why an integration ends before its time.
pub(super) enum Halt {
    /// It fails.
    Failure(crate::error::Error),
    /// A function has more entries than were known, so that it must start again.
    More(Function, Entries),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failure(error.into())
    }
}

impl From<crate::error::Error> for Halt {
    fn from(error: crate::error::Error) -> Self {
        Self::Failure(error)
    }
}
