//! Short runs from all starting points, which choose those for full runs.

use super::summary::Fit;
use crate::check;
use crate::error::Result;

/// Number of starting points for full runs, and of iterations that choose them.
#[derive(Clone, Copy)]
pub(super) struct Shortlist {
    pub(super) count: usize,
    pub(super) iterations: usize,
}

impl Shortlist {
    pub(super) fn check(self) -> Result<()> {
        let remedy = "ask for at least one";
        let positive = |what, n: usize| check::option(what, n as f64, n > 0, remedy);
        positive("the number of starts on the shortlist", self.count)?;
        positive("the iterations before the shortlist", self.iterations)
    }

    /// Returns the starts of the lowest runs, in order.
    pub(super) fn choose(self, fits: &[Fit]) -> Vec<(usize, Vec<f64>)> {
        let mut sorted: Vec<&Fit> = fits.iter().collect();
        // The sort is stable, so that the earlier of two equal starts comes first.
        sorted.sort_by(|a, b| a.report.loss.total_cmp(&b.report.loss));
        sorted.truncate(self.count);
        sorted.sort_by_key(|fit| fit.start);
        let start = |fit: &&Fit| (fit.start, fit.from.clone());
        sorted.iter().map(start).collect()
    }
}
