//! Entries of the derivatives of all functions of dynamics.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::dynamics::{At, Dynamics, Function};
use super::stage::{Shape, Structure};
use crate::automatic::Entries;
use crate::error::Result;

/// Entries of the derivatives of dynamics.
#[derive(Clone)]
pub(super) struct Structures {
    pub(super) rate: Arc<Structure>,
    pub(super) initial: Arc<Shape>,
    pub(super) output: Arc<Shape>,
    /// Of every event.
    pub(super) events: Vec<Arc<Shape>>,
}

impl Structures {
    /// Finds the entries at a time and at the initial value.
    ///
    /// # Errors
    /// Fails if a function does not write all its outputs, or is not a function of its arguments alone.
    fn find<D: Dynamics>(dynamics: &D, t: f64, theta: &[f64]) -> Result<Self> {
        let mut x = vec![f64::NAN; dynamics.dims().0];
        dynamics.initial(theta, &mut x);
        let both = [&x, theta].concat();
        let shape = |function, arguments| Shape::find(&At { dynamics, function }, arguments);
        let events = (0..dynamics.events()).map(|index| shape(Function::Event(index, t), &both));
        Ok(Self {
            events: events
                .map(|found| found.map(Arc::new))
                .collect::<Result<_>>()?,
            rate: Arc::new(Structure::find(dynamics, t, &both)?),
            initial: Arc::new(shape(Function::Initial, theta)?),
            output: Arc::new(shape(Function::Output(t), &both)?),
        })
    }

    /// Returns the entries of a function.
    pub(super) fn of(&self, function: Function) -> &Arc<Shape> {
        match function {
            Function::Initial => &self.initial,
            Function::Rate(_) => self.rate.both(),
            Function::Output(_) => &self.output,
            Function::Event(index, _) => &self.events[index],
        }
    }

    /// Takes over the entries of one function. Those of others, which other threads may have found, would not fit what was made of
    /// the former ones.
    pub(super) fn adopt(&mut self, function: Function, known: Self) {
        match function {
            Function::Initial => self.initial = known.initial,
            Function::Rate(_) => self.rate = known.rate,
            Function::Output(_) => self.output = known.output,
            Function::Event(index, _) => self.events[index] = Arc::clone(&known.events[index]),
        }
    }

    fn extend(&mut self, function: Function, more: &Entries) {
        match function {
            Function::Initial => self.initial = Arc::new(self.initial.extended(more)),
            Function::Rate(_) => self.rate = Arc::new(self.rate.extended(more)),
            Function::Output(_) => self.output = Arc::new(self.output.extended(more)),
            Function::Event(index, _) => {
                self.events[index] = Arc::new(self.events[index].extended(more));
            }
        }
    }
}

/// Entries that are known so far, shared by all integrations of a model.
#[derive(Default)]
pub(super) struct Known(Mutex<Option<Structures>>);

impl Known {
    fn lock(&self) -> MutexGuard<'_, Option<Structures>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the entries, which are found at a time and at the initial value if none are known.
    ///
    /// # Errors
    /// Fails if a function does not write all its outputs, or is not a function of its arguments alone.
    pub(super) fn get<D: Dynamics>(
        &self,
        dynamics: &D,
        t: f64,
        theta: &[f64],
    ) -> Result<Structures> {
        let mut known = self.lock();
        if let Some(structures) = &*known {
            return Ok(structures.clone());
        }
        Ok(known.insert(Structures::find(dynamics, t, theta)?).clone())
    }

    /// Adds entries of a function, and returns all that are known.
    pub(super) fn extended(
        &self,
        mut own: Structures,
        function: Function,
        more: &Entries,
    ) -> Structures {
        let mut known = self.lock();
        // Another thread may have found other entries meanwhile.
        if let Some(structures) = &*known {
            own = structures.clone();
        }
        own.extend(function, more);
        known.insert(own).clone()
    }
}
