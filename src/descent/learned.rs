//! What step rules and directions learn in a run, in a form that can be saved.

use serde::{Deserialize, Serialize};

use crate::direction::{Direction, Finder};
use crate::error::Result;
use crate::saving::{Remembered, SaveError};
use crate::step::{Judge, StepRule};

/// Memory of a judge and a finder.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Learned {
    judge: Remembered,
    /// Scale, damping and reach of the next trial.
    next: [f64; 3],
    finder: Remembered,
}

impl Learned {
    /// Returns what a judge and a finder know.
    pub(super) fn of(judge: &dyn Judge, finder: &dyn Finder) -> Result<Self> {
        Ok(Self {
            judge: judge.memory()?,
            next: next(judge),
            finder: finder.memory()?,
        })
    }

    /// Returns a judge and a finder that go on from this memory. Fails if the judge does not come back as it was.
    pub(super) fn recall<'a>(
        &self,
        rule: &'a dyn StepRule,
        direction: &'a dyn Direction,
    ) -> Result<(Box<dyn Judge + 'a>, Box<dyn Finder + 'a>)> {
        let mut judge = rule.begin();
        judge.recall(&self.judge)?;
        if next(judge.as_ref()).map(f64::to_bits) != self.next.map(f64::to_bits) {
            let rule = rule.name().to_string();
            return Err(SaveError::Forgotten { rule }.into());
        }
        let mut finder = direction.begin();
        finder.recall(&self.finder)?;
        Ok((judge, finder))
    }
}

/// Returns scale, damping and reach of the next trial.
fn next(judge: &dyn Judge) -> [f64; 3] {
    let (scale, damping) = judge.first();
    [scale, damping, judge.reach()]
}
