//! A trust region whose steps shrink.

use serde::{Deserialize, Serialize};

use super::{Decaying, Judge, Remembered, StepRule, Trial, TrustRatio, Verdict};
use crate::error::Result;

/// Steps of a trust region, shortened by a scale that decays.
///
/// The rule is [`TrustRatio`] times the scale of [`Decaying`], for natural directions on batches: far from the minimum, where undamped
/// steps would lead astray, every step is judged by its own batch, and close to it the steps average over more and more batches. Where
/// the metric has another size than the loss, steps are stretched until the scale has fallen to ¼.
///
/// ```
/// use pullback::step::{Annealed, Decaying};
/// // Half of a step at first, and a quarter after 50 steps.
/// let decay = Decaying { scale: 0.5, steps: 50.0, ..Decaying::default() };
/// let rule = Annealed { decay, ..Annealed::default() };
/// # let _ = rule;
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Annealed {
    /// Trust region that judges the steps.
    pub region: TrustRatio,
    /// Scale of the steps, at most 1.
    pub decay: Decaying,
}

impl Annealed {
    /// Default options, as a constant to borrow.
    pub(crate) const STANDARD: &'static Self = &Self {
        region: *TrustRatio::STANDARD,
        decay: *Decaying::STANDARD,
    };
}

impl StepRule for Annealed {
    fn begin(&self) -> Box<dyn Judge + '_> {
        Box::new(Cooling {
            region: self.region.begin(),
            schedule: self.decay.begin(),
            last: 1.0,
        })
    }

    fn check(&self) -> Result<()> {
        self.region.check()?;
        self.decay.check()?;
        crate::check::option(
            "the first scale of a decaying trust region",
            self.decay.scale,
            self.decay.scale <= 1.0,
            "give at most 1, a whole step of the trust region",
        )
    }

    fn name(&self) -> &'static str {
        "annealed"
    }
}

/// Trust region and schedule in one run.
struct Cooling<'r> {
    region: Box<dyn Judge + 'r>,
    schedule: Box<dyn Judge + 'r>,
    /// Scale τ of the last trial.
    last: f64,
}

/// What both have learnt.
#[derive(Serialize, Deserialize)]
struct Both {
    region: Remembered,
    schedule: Remembered,
    last: f64,
}

impl Cooling<'_> {
    /// Returns the scale τ of the schedule.
    fn cooled(&self) -> f64 {
        self.schedule.first().0
    }

    /// Returns a trial as the region sees it.
    //
    // A step that falls by p at the scale 1 falls by τ(2 − τ)p at the scale τ if the model is right. The region takes τp for the
    // prediction.
    fn seen(&self, trial: &Trial) -> Trial {
        Trial {
            predicted: (2.0 - self.last) * trial.predicted,
            ..*trial
        }
    }
}

impl Judge for Cooling<'_> {
    fn first(&self) -> (f64, f64) {
        let (scale, damping) = self.region.first();
        (self.cooled() * scale, damping)
    }

    fn reach(&self) -> f64 {
        self.region.reach()
    }

    fn judge(&mut self, trial: &Trial) -> Verdict {
        self.last = self.cooled();
        let seen = self.seen(trial);
        match self.region.judge(&seen) {
            Verdict::Accept => self.schedule.judge(trial),
            Verdict::Scale(scale) => Verdict::Scale(self.last * scale),
            other => other,
        }
    }

    fn arrive(&mut self, trial: &Trial, slope: f64) {
        let seen = self.seen(trial);
        self.region.arrive(&seen, slope);
    }

    fn memory(&self) -> Result<Remembered> {
        Remembered::new(&Both {
            region: self.region.memory()?,
            schedule: self.schedule.memory()?,
            last: self.last,
        })
    }

    fn recall(&mut self, memory: &Remembered) -> Result<()> {
        let Both {
            region,
            schedule,
            last,
        } = memory.get()?;
        self.last = last;
        self.region.recall(&region)?;
        self.schedule.recall(&schedule)
    }
}
