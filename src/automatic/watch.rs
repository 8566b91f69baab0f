//! Checks of a formula whose derivatives are computed by [`Slopes`](super::Slopes).

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::cache::Jacobian;
use super::curve::{Formula, Values};
use super::error::{Error, Outcome, Variable};
use super::outputs::check_outputs;

/// Branches of a formula whose derivatives have been compared with differences.
pub(crate) struct Watch {
    jacobian: Jacobian,
    seen: Mutex<HashSet<u64>>,
    /// Whether an evaluation without branches has been checked.
    straight: AtomicBool,
}

impl Watch {
    /// Creates the watch of a formula that has not been evaluated.
    pub(crate) fn new() -> Self {
        Self {
            jacobian: Jacobian::new(Variable::Parameter),
            seen: Mutex::default(),
            straight: AtomicBool::new(false),
        }
    }

    /// Checks a formula at x, where an evaluation took these branches, unless they are known.
    ///
    /// Derivatives that are not finite at x pass.
    ///
    /// # Errors
    /// Fails if the formula does not write an output, and if it is not a differentiable function of x alone.
    pub(crate) fn check<F: Formula>(&self, formula: &F, x: &[f64], branch: u64) -> Outcome<()> {
        // Most functions have no branches, and are checked once.
        if branch == 0 && self.straight.load(Ordering::Relaxed) {
            return Ok(());
        }
        let seen = || self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen().contains(&branch) {
            return Ok(());
        }
        let map = Values(formula);
        check_outputs(&map, x)?;
        match self.jacobian.check(&map, x) {
            Ok(_) | Err(Error::NotFinite { .. }) => {}
            Err(fault) => return Err(fault),
        }
        seen().insert(branch);
        self.straight.fetch_or(branch == 0, Ordering::Relaxed);
        Ok(())
    }
}
