//! Steps from a saddle, at which a run would otherwise end.

use super::attempt::Attempt;
use super::linearised::Linearised;
use super::search::{Search, checked_first, checked_reach};
use super::step_norm::StepNorm;
use super::stop::Stop;
use super::trials::{Outcome, StepFamily, Trials};
use crate::direction::{Path, Proposal};
use crate::error::Result;
use crate::step::NEGLIGIBLE;

impl<'p, 'a> Search<'_, 'p, 'a> {
    /// Ends the run for this reason, or moves on if the run is about to end at a saddle.
    pub(super) fn finish(&mut self, at: &mut Linearised<'p>, stop: Stop) -> Result<Outcome<'a>> {
        let escaped = match stop.is_stationary() && !self.memory.in_first_phase {
            true => self.escape(at)?,
            false => None,
        };
        Ok(escaped.unwrap_or(Outcome::Ended(stop)))
    }

    /// Returns a step along negative curvature that reduces the objective, if the direction finds one.
    fn escape(&mut self, at: &mut Linearised<'p>) -> Result<Option<Outcome<'a>>> {
        let problem = self.problem;
        let widest = self.memory.widest(at);
        problem.factorise_priors(at)?;
        let Some(mut path) = self.finder.escape(&at.local(&widest))? else {
            return Ok(None);
        };
        // How far steps may go was learnt close to the saddle, where they are short.
        *self.judge = self.rule.begin();
        let (scale, _) = checked_first(self.judge.as_ref())?;
        let mut attempt = Attempt::new(path.as_mut(), scale, 0.0)?;
        attempt.check(at.chart.free.len())?;
        // Where the gradient vanishes, the objective falls on both sides, and a bound blocks one.
        if problem.leaves_box(at, &attempt.proposal) {
            path = Box::new(Opposite(path));
            attempt = Attempt::new(path.as_mut(), scale, 0.0)?;
        }
        let norm = StepNorm::new(problem, self.memory, at, path.norms());
        let reach = checked_reach(self.judge.as_ref())?;
        attempt.shorten(path.as_mut(), &norm, reach)?;
        // A decrease within rounding could not be told from none.
        if attempt.scale * attempt.proposal.predicted <= NEGLIGIBLE * at.rounding {
            return Ok(None);
        }
        let remark = path.remark();
        let mut family = StepFamily {
            path: path.as_mut(),
            norm,
            remaining: None,
        };
        let (judge, memory) = (self.judge.as_mut(), &mut *self.memory);
        let mut trials = Trials {
            problem,
            judge,
            memory,
        };
        let outcome = trials.run(at, &mut family, attempt)?;
        Ok(match outcome {
            Outcome::Moved(next, step) if next.point.loss < at.point.loss => {
                self.memory.add_remark(remark);
                Some(Outcome::Moved(next, step))
            }
            _ => None,
        })
    }
}

/// Steps in the opposite direction.
struct Opposite<'f>(Box<dyn Path + 'f>);

impl Path for Opposite<'_> {
    fn at(&mut self, damping: f64) -> Result<Proposal> {
        let mut proposal = self.0.at(damping)?;
        proposal.eta.iter_mut().for_each(|eta| *eta = -*eta);
        Ok(proposal)
    }

    fn norms(&self) -> &[f64] {
        self.0.norms()
    }

    fn remark(&self) -> Option<String> {
        self.0.remark()
    }
}
