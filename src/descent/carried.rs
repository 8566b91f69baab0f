//! Single steps of descents on one objective after another, with a common memory.

use serde::{Deserialize, Serialize};

use super::Descent;
use super::counts::Counts;
use super::learned::Learned;
use super::memory::Memory;
use super::remark::Remark;
use super::run::Run;
use super::stop::Stop;
use crate::direction::{Direction, Finder, Local, Path, Remembered};
use crate::error::Result;
use crate::step::{Judge, StepRule, Trial, Verdict};

/// Finder, judge and memory that outlive an objective, such as that of a batch of the data.
pub(crate) struct Carried<'a> {
    finder: Box<dyn Finder + 'a>,
    judge: Box<dyn Judge + 'a>,
    memory: Option<Memory>,
}

/// What is carried from objective to objective, in a form that can be saved.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct CarriedState {
    learned: Learned,
    memory: Option<Memory>,
}

impl<'a> Carried<'a> {
    /// Begins with a direction and a step rule.
    pub(crate) fn new(direction: &'a dyn Direction, step: &'a dyn StepRule) -> Self {
        Self {
            finder: direction.begin(),
            judge: step.begin(),
            memory: None,
        }
    }

    /// Returns the state.
    ///
    /// # Errors
    /// Fails if the memory of the step rule or of the direction has no form in bytes.
    pub(crate) fn state(&self) -> Result<CarriedState> {
        Ok(CarriedState {
            learned: Learned::of(self.judge.as_ref(), self.finder.as_ref())?,
            memory: self.memory.clone(),
        })
    }

    /// Goes on from a state.
    ///
    /// # Errors
    /// Fails if the direction or the step rule does not come back as it was.
    pub(crate) fn resume(
        direction: &'a dyn Direction,
        step: &'a dyn StepRule,
        state: &CarriedState,
    ) -> Result<Self> {
        let (judge, finder) = state.learned.recall(step, direction)?;
        Ok(Self {
            finder,
            judge,
            memory: state.memory.clone(),
        })
    }

    /// Forgets the step that led to the current point, whose slope another objective does not share.
    pub(crate) fn change_objective(&mut self) {
        if let Some(memory) = &mut self.memory {
            memory.departure = None;
            memory.sampled = true;
        }
    }

    /// Returns the remarks of the directions so far.
    pub(crate) fn remarks(&self) -> Vec<Remark> {
        self.memory
            .as_ref()
            .map_or_else(Vec::new, |memory| memory.remarks.clone())
    }

    /// Returns the reason for the last failure at a trial point.
    pub(crate) fn failure(&self) -> Option<String> {
        self.memory.as_ref()?.failure.clone()
    }
}

/// Step on one objective.
pub(crate) struct Stepped {
    /// Objective before the step.
    pub(crate) before: f64,
    /// Parameters after the step, or None if no trial was accepted.
    pub(crate) theta: Option<Vec<f64>>,
    /// State at the end of the step.
    pub(crate) rho: Vec<f64>,
    /// Reason why there was no step.
    pub(crate) stop: Option<Stop>,
    /// Cost of the step.
    pub(crate) counts: Counts,
}

impl Descent<'_> {
    /// Takes one step from `theta` with what is carried from other objectives, and with an optional guess of the state there.
    ///
    /// # Errors
    /// Fails as [`run`](Self::run) does.
    pub(crate) fn carry(
        &self,
        theta: &[f64],
        rho: Option<&[f64]>,
        carried: &mut Carried<'_>,
    ) -> Result<Stepped> {
        let mut run = Run::new(self, theta, rho)?;
        // A new run has counted the first state.
        let counts = run.memory.counts;
        if let Some(memory) = carried.memory.take() {
            run.memory = memory;
        }
        run.memory.counts = counts;
        run.finder = Box::new(LentFinder(carried.finder.as_mut()));
        run.judge = Box::new(LentJudge(carried.judge.as_mut()));
        let (before, steps) = (run.loss(), run.memory.steps);
        let stop = run.step();
        // A step that failed has learned something, too, and another one may follow.
        carried.memory = Some(run.memory.clone());
        let stop = stop?;
        let moved = run.memory.steps > steps;
        Ok(Stepped {
            before,
            theta: moved.then(|| run.theta().to_vec()),
            rho: run.rho().to_vec(),
            stop,
            counts: run.problem.counts(&run.memory, None),
        })
    }
}

/// Finder lent to a run.
struct LentFinder<'f>(&'f mut dyn Finder);

impl Finder for LentFinder<'_> {
    fn prepare<'a>(&'a mut self, at: &Local<'a>) -> Result<Box<dyn Path + 'a>> {
        self.0.prepare(at)
    }

    fn escape<'a>(&'a mut self, at: &Local<'a>) -> Result<Option<Box<dyn Path + 'a>>> {
        self.0.escape(at)
    }

    fn brake(&mut self) -> bool {
        self.0.brake()
    }

    fn memory(&self) -> Result<Remembered> {
        self.0.memory()
    }

    fn recall(&mut self, memory: &Remembered) -> Result<()> {
        self.0.recall(memory)
    }
}

/// Judge lent to a run.
struct LentJudge<'j>(&'j mut dyn Judge);

impl Judge for LentJudge<'_> {
    fn first(&self) -> (f64, f64) {
        self.0.first()
    }

    fn reach(&self) -> f64 {
        self.0.reach()
    }

    fn judge(&mut self, trial: &Trial) -> Verdict {
        self.0.judge(trial)
    }

    fn is_scheduled(&self) -> bool {
        self.0.is_scheduled()
    }

    fn arrive(&mut self, trial: &Trial, slope: f64) {
        self.0.arrive(trial, slope);
    }

    fn memory(&self) -> Result<Remembered> {
        self.0.memory()
    }

    fn recall(&mut self, memory: &Remembered) -> Result<()> {
        self.0.recall(memory)
    }
}
