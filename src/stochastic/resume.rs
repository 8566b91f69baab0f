//! Saving a stochastic run at rest, and resuming it.

use super::Stochastic;
use super::progress::{Progress, State};
use super::report::Ending;
use super::run::Run;
use super::saved::Saved;
use crate::descent::{Carried, SaveError};
use crate::error::Result;
use crate::saving::Signature;

impl Run<'_> {
    /// Returns the run as it is now, to be written to a file or resumed.
    ///
    /// # Errors
    /// Fails with a [`SaveError`] if the memory of the step rule or of the direction has no form in bytes, and if the next batch
    /// cannot be prepared.
    pub fn saved(&self) -> Result<Saved> {
        let Self {
            descent,
            progress,
            ending,
        } = self;
        let (batch, objective) = descent.ahead(&progress.state)?;
        Ok(Saved {
            signature: descent.signature(),
            batch,
            objective,
            state: progress.state.clone(),
            carried: progress.carried.state()?,
            ending: *ending,
            elapsed: progress.elapsed(),
        })
    }
}

impl<'a> Stochastic<'a> {
    /// Resumes a saved run. A run that ended after its epochs or was stopped by its observer goes on, within the epochs of this
    /// descent.
    ///
    /// The objective of the next batch is computed and compared with the saved one. Counts do not contain this work.
    ///
    /// # Errors
    /// Fails with a [`SaveError`] if the saved run is that of other items or another method: another number of items, size of a
    /// batch, seed, number of averaged epochs, number of parameters, metric, direction, step rule, bounds or transforms, or an
    /// objective of the next batch that differs in any bit. Fails as [`begin`](Self::begin) does.
    pub fn resume(&self, saved: &Saved) -> Result<Run<'a>> {
        saved.signature.compare(&self.signature())?;
        self.check(saved.theta())?;
        let (batch, found) = self.ahead(&saved.state)?;
        saved.batch.compare(&batch)?;
        if found.to_bits() != saved.objective.to_bits() {
            let saved = saved.objective;
            return Err(SaveError::Objective { saved, found }.into());
        }
        let carried = Carried::resume(self.direction, self.rule(), &saved.carried)?;
        let ended = |ending: &Ending| !matches!(ending, Ending::Epochs | Ending::Observer);
        let over = saved.history().len() >= self.epochs;
        Ok(Run {
            descent: self.clone(),
            progress: Progress::resume(carried, saved.state.clone(), saved.elapsed),
            ending: (saved.ending.filter(ended)).or(over.then_some(Ending::Epochs)),
        })
    }

    /// Returns the properties of the items and of their order.
    fn signature(&self) -> Signature {
        Signature::new([
            ("number of items", self.items.count().to_string()),
            ("size of a batch", self.size.to_string()),
            ("seed", self.seed.to_string()),
            ("number of averaged epochs", self.averaged.to_string()),
            ("number of parameters", self.items.param_dim().to_string()),
        ])
    }

    /// Returns the properties of the next batch with its descent, and its objective, or NaN if it cannot be computed.
    fn ahead(&self, state: &State) -> Result<(Signature, f64)> {
        let epoch = state.history.len();
        // After an error in the objective of all items, the batches of an epoch are over, but not the epoch.
        let mut batches = self.batches(epoch);
        batches.extend(self.batches(epoch + 1));
        let chosen = &batches[state.epoch.batches];
        let batch = self.items.batch(chosen)?;
        let lengths = batch.lengths(chosen)?;
        let guess = lengths.map(|lengths| state.states.guess(chosen, lengths));
        let descent = self.on(&batch);
        // A run may rest where the next batch has no objective. Its next step will say so.
        let objective = descent.objective_from(&state.theta, guess.as_deref());
        let objective = objective.unwrap_or(f64::NAN);
        Ok((descent.signature(), objective))
    }
}
