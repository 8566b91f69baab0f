//! Slope of the objective at a trial, for step rules that ask for it.

use super::attempt::Attempt;
use super::linearise::gradients;
use super::linearised::Linearised;
use super::memory::Memory;
use super::point::{Derivative, Evaluated};
use super::problem::Problem;
use crate::error::Result;

impl<'a> Problem<'a> {
    /// Returns the slope of the objective at the trial point of an attempt from `at`, along its direction η. The derivative
    /// stays with the trial.
    pub(super) fn end_slope(
        &self,
        at: &Linearised<'_>,
        trial: &mut Evaluated<'a>,
        (attempt, memory): (&Attempt, &mut Memory),
    ) -> Result<f64> {
        let mut gradient = self.differentiate(trial, memory)?;
        let theta = &trial.point.theta;
        if let Some(prior) = self.terms(theta, &self.chart(theta))? {
            let penalty = prior.gradient();
            gradient.iter_mut().zip(&penalty).for_each(|(g, r)| *g += r);
        }
        // A parameter that a bound or the limit of its transform stops does not move at the end of the step.
        let (bounds, transforms) = (self.setting.bounds, self.setting.transforms);
        let moves = |i: usize, eta: f64| {
            let change = attempt.scale * eta;
            bounds.is_none_or(|b| !b.blocks(i, theta[i], eta))
                && transforms.is_none_or(|t| t[i].limit(change) == change)
        };
        let terms = at.chart.free.iter().zip(&attempt.proposal.eta);
        let terms = terms.filter(|&(&i, &eta)| moves(i, eta));
        Ok(terms.map(|(&i, eta)| gradient[i] * eta).sum())
    }

    /// Returns the gradient of the misfit at a trial, by one linearisation and one adjoint solve.
    fn differentiate(&self, trial: &mut Evaluated<'a>, memory: &mut Memory) -> Result<Vec<f64>> {
        let covector = self.covector(trial)?;
        let mut z = self.linearisation(&trial.point, false)?;
        z.set_chart(self.chart(&trial.point.theta));
        let gradients = gradients(&z, [&covector, &covector], None);
        memory.counts.adjoint_solves += z.solves().1;
        drop(z);
        let [gradient, _] = gradients?;
        trial.derivative = Some(Derivative {
            covector,
            gradient: gradient.clone(),
        });
        Ok(gradient)
    }
}
