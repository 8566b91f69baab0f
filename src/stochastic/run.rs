//! Stochastic descent in progress.

use super::Stochastic;
use super::batches::batches;
use super::progress::Progress;
use super::report::{Ending, Epoch, Report};
use crate::descent::Control;
use crate::error::Result;
use crate::saving::Schedule;

/// Stochastic descent in progress, created by [`Stochastic::begin`].
///
/// ```
/// use pullback::faer::Mat;
/// use pullback::models::{Activation, Labelled, Network};
/// use pullback::stochastic::Stochastic;
/// let inputs = Mat::from_fn(2, 60, |d, n| (1.0 + d as f64 + 0.7 * n as f64).sin());
/// let labels = (0..60).map(|n| usize::from(inputs[(0, n)] > 0.0)).collect();
/// let network = Network::new(&inputs, &[2], Activation::Tanh)?;
/// let items = Labelled::new(&network, labels)?;
/// let mut run = Stochastic::new(&items, 30).epochs(3).begin(&network.initial(1))?;
/// while run.epoch()?.is_none() {
///     println!("{:?}", run.theta());
/// }
/// assert_eq!(run.report().history.len(), 3);
/// # Ok::<(), pullback::Error>(())
/// ```
pub struct Run<'a> {
    pub(super) descent: Stochastic<'a>,
    pub(super) progress: Progress<'a>,
    pub(super) ending: Option<Ending>,
}

impl<'a> Run<'a> {
    /// Begins a run at `theta`.
    pub(super) fn new(descent: &Stochastic<'a>, theta: &[f64]) -> Self {
        let method = (descent.direction, descent.rule());
        Self {
            progress: Progress::new(method, theta, descent.averaged),
            descent: descent.clone(),
            ending: None,
        }
    }

    /// Takes a step on every batch of an epoch. Returns the reason for the end once the run has ended. Later calls do nothing and
    /// return it again.
    ///
    /// # Errors
    /// Fails if a batch cannot be prepared, and if its objective is not finite or cannot be differentiated. A failure at a trial
    /// point only rejects the trial. The next call tries the batch again.
    pub fn epoch(&mut self) -> Result<Option<Ending>> {
        self.advance(&mut |_| Control::Continue)
    }

    /// Runs to the end. The observer receives every epoch from the next one on, and may return [`Control::Stop`].
    ///
    /// # Errors
    /// Fails as [`epoch`](Self::epoch) does.
    pub fn finish<F: Into<Control>>(
        &mut self,
        mut observer: impl FnMut(&Epoch) -> F,
    ) -> Result<Report> {
        while self.advance(&mut |epoch| observer(epoch).into())?.is_none() {}
        Ok(self.report())
    }

    /// Takes an [`epoch`](Self::epoch), which an observer receives.
    fn advance(&mut self, observer: &mut dyn FnMut(&Epoch) -> Control) -> Result<Option<Ending>> {
        if self.ending.is_some() {
            return Ok(self.ending);
        }
        let before = self.history().len();
        self.ending = self.take_epoch(observer)?;
        let (after, ended) = (self.history().len(), self.ending.is_some());
        let due = |saving: &&Schedule| saving.is_due(before, after, ended);
        if let Some(saving) = self.descent.saving.as_ref().filter(due) {
            self.saved()?.write(saving.path())?;
        }
        Ok(self.ending)
    }

    fn take_epoch(
        &mut self,
        observer: &mut dyn FnMut(&Epoch) -> Control,
    ) -> Result<Option<Ending>> {
        let Self {
            descent, progress, ..
        } = self;
        let batches = descent.batches(progress.history().len());
        // After an error the epoch goes on from the batch that failed.
        for chosen in &batches[progress.batches()..] {
            let batch = descent.items.batch(chosen)?;
            let lengths = batch.lengths(chosen)?;
            progress.step(&descent.on(&batch), chosen, lengths)?;
        }
        let objective = match descent.evaluated {
            true => Some(progress.evaluate(|theta, states| descent.objective_from(theta, states))?),
            false => None,
        };
        let (epoch, ended) = progress.finish(objective);
        if observer(epoch) == Control::Stop {
            return Ok(Some(Ending::Observer));
        }
        let over = epoch.epoch >= descent.epochs;
        Ok(ended.or(over.then_some(Ending::Epochs)))
    }

    /// Returns the current parameters.
    pub fn theta(&self) -> &[f64] {
        self.progress.theta()
    }

    /// Returns all epochs so far.
    pub fn history(&self) -> &[Epoch] {
        self.progress.history()
    }

    /// Returns the reason for the end once the run has ended.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// Returns the report of the run so far. Before the run has ended, its `ending` is [`Ending::Unfinished`].
    pub fn report(&self) -> Report {
        let Stochastic {
            direction, size, ..
        } = self.descent;
        let ending = self.ending.unwrap_or(Ending::Unfinished);
        self.progress.report(ending, (direction.name(), size))
    }
}

impl Stochastic<'_> {
    /// Returns the batches of an epoch, counted from 0.
    pub(super) fn batches(&self, epoch: usize) -> Vec<Vec<usize>> {
        batches(self.items.count(), self.size, (self.seed, epoch))
    }
}
