//! Search over a geometric grid of scales.

use super::{Judge, StepRule, Trial, Verdict, positive};
use crate::check;
use crate::error::Result;

/// Tries the scales τ, τr, τr², … and takes the one with the lowest objective.
///
/// Each scale costs one solve of the model. The search is for directions whose length is known to no more than orders of
/// magnitude, and for objectives with more than one minimum along them, as with networks and truncated directions
/// ([`LeastSquares::cutoff`](crate::direction::LeastSquares::cutoff)). The best trial is kept and not evaluated again.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    /// First and largest scale τ.
    pub first: f64,
    /// Ratio r of successive scales, between 0 and 1.
    pub ratio: f64,
    /// Number of scales.
    pub count: usize,
}

impl Default for Grid {
    /// Returns the scales 1, ½, ¼, …, 2⁻²⁰.
    fn default() -> Self {
        Self {
            first: 1.0,
            ratio: 0.5,
            count: 21,
        }
    }
}

impl StepRule for Grid {
    fn begin(&self) -> Box<dyn Judge + '_> {
        Box::new(Search {
            rule: *self,
            best: None,
        })
    }

    fn check(&self) -> Result<()> {
        positive("the first scale of a grid", self.first)?;
        check::option(
            "the ratio of a grid of scales",
            self.ratio,
            self.ratio > 0.0 && self.ratio < 1.0,
            "give a number between 0 and 1, such as 0.5",
        )?;
        let least = self.scale(self.count.saturating_sub(1));
        check::option(
            "the number of scales of a grid",
            self.count as f64,
            self.count > 0 && self.count <= MOST && least > 0.0,
            "give a number from 1 to 1000, small enough that the last scale is not 0",
        )
    }

    fn name(&self) -> &'static str {
        "grid"
    }
}

/// Largest number of scales, up to which a search lets every rule go on.
const MOST: usize = 1000;

impl Grid {
    fn scale(&self, number: usize) -> f64 {
        self.first * self.ratio.powi(number as i32)
    }
}

/// Search in one run. Nothing carries over from one step to the next.
struct Search {
    rule: Grid,
    /// Lowest objective so far, below that at the point of the step.
    best: Option<f64>,
}

impl Judge for Search {
    fn first(&self) -> (f64, f64) {
        (self.rule.first, 0.0)
    }

    fn judge(&mut self, trial: &Trial) -> Verdict {
        if trial.attempt == 0 {
            self.best = None;
            if trial.indistinguishable() {
                return Verdict::Accept;
            }
        }
        let better = trial.trial_loss < self.best.unwrap_or(trial.loss);
        if better {
            self.best = Some(trial.trial_loss);
        }
        let next = trial.attempt + 1;
        let scale = self.rule.scale(next);
        match (better, next < self.rule.count) {
            (true, true) => Verdict::Keep(scale),
            (false, true) => Verdict::Scale(scale),
            (true, false) => Verdict::Accept,
            (false, false) if self.best.is_some() => Verdict::AcceptKept,
            (false, false) => Verdict::GiveUp,
        }
    }
}
