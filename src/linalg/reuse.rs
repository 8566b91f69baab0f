//! One factorisation for equal matrices that are asked for one after the other.
//!
//! A state is found by solving with ∂g/∂ρ, and then differentiated by solving with ∂g/∂ρ again: where g is affine in ρ
//! that is the same matrix. Whether it is can be told from its entries, so models need not say so.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::operator::Operator;
use super::{Backend, Factor};
use crate::error::Result;

/// Factors that may be shared.
pub(crate) trait Factors: Send + Sync {
    /// A factor of `a`, and whether it had to be made.
    ///
    /// # Errors
    /// As for [`Backend::factor`].
    fn factor<'a>(&'a self, a: Operator<'a>) -> Result<(Arc<dyn Factor + 'a>, bool)>;

    /// Whether the last factor is one of an equal matrix.
    fn knows(&self, a: &Operator<'_>) -> bool;
}

/// Keeps the last factorisation.
pub(crate) struct Reuse<'b> {
    backend: &'b dyn Backend,
    last: Mutex<Option<Kept<'b>>>,
}

struct Kept<'b> {
    matrix: Operator<'b>,
    factor: Arc<dyn Factor + 'b>,
}

impl<'b> Reuse<'b> {
    pub(crate) fn new(backend: &'b dyn Backend) -> Self {
        Self {
            backend,
            last: Mutex::default(),
        }
    }

    fn last(&self) -> MutexGuard<'_, Option<Kept<'b>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last factor, if it is one of an equal matrix.
    fn known(&self, a: &Operator<'_>) -> Option<Arc<dyn Factor + 'b>> {
        let last = self.last();
        let kept = last.as_ref().filter(|kept| kept.matrix.equals(a))?;
        Some(Arc::clone(&kept.factor))
    }
}

impl Factors for Reuse<'_> {
    fn factor<'a>(&'a self, a: Operator<'a>) -> Result<(Arc<dyn Factor + 'a>, bool)> {
        if let Some(factor) = self.known(&a) {
            return Ok((factor, false));
        }
        let Some(matrix) = a.to_owned_entries() else {
            return Ok((Arc::from(self.backend.factor(a)?), true));
        };
        // What is kept goes before the next is made: there need not be room for both.
        *self.last() = None;
        let factor: Arc<dyn Factor + '_> = Arc::from(self.backend.factor(matrix.clone())?);
        *self.last() = Some(Kept {
            matrix,
            factor: Arc::clone(&factor),
        });
        Ok((factor, true))
    }
    fn knows(&self, a: &Operator<'_>) -> bool {
        self.known(a).is_some()
    }
}
