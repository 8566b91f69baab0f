//! What the data leave open, at the end of a descent.

use faer::Mat;

use super::point::Problem;
use super::{Descent, LEAST_SQUARES};
use crate::error::{Error, Result};
use crate::linalg::{Cpu, Tally};
use crate::posterior::{Posterior, Rank, Uncertainty, no_prior};
use crate::prior::PriorTerms;

impl<'a> Descent<'a> {
    /// The Gaussian posterior at `theta`, for any number of parameters: see [`Posterior`]. Bounds and transforms are left
    /// out of account.
    ///
    /// # Errors
    /// As for [`run`](Descent::run), and when there is no prior, or one that leaves some parameters free.
    pub fn posterior(mut self, theta: &[f64], rank: Rank) -> Result<Posterior<'a>> {
        self.check(theta)?;
        self.forget_the_way();
        (self.setting.bounds, self.setting.transforms) = (None, None);
        if self.setting.priors.is_empty() {
            return Err(no_prior());
        }
        let backend = self.backend.unwrap_or_else(|| Cpu::shared());
        let prior = PriorTerms::new(&self.setting.priors, theta)?;
        let own = self.setting.loss.metric();
        let systems = Tally::new(backend);
        let problem = Problem::new(self.setting, backend, own.as_deref(), &systems);
        let point = problem.start(theta)?;
        let here = problem.linearise(&point)?;
        let root = here.root.as_deref().ok_or(Error::NoMetric)?;
        Posterior::new(theta, &here.z, root, prior, (backend, rank))
    }

    /// What the data leave open is a matter of the loss and its metric, however the minimum was found.
    fn forget_the_way(&mut self) {
        self.setting.direction = LEAST_SQUARES;
        self.setting.first_metric = None;
    }

    pub(super) fn uncertainty(mut self, theta: &[f64]) -> Result<Uncertainty> {
        self.check(theta)?;
        self.forget_the_way();
        let cpu = Cpu::default();
        let backend = self.backend.unwrap_or(&cpu);
        let own = self.setting.loss.metric();
        let systems = Tally::new(backend);
        let problem = Problem::new(self.setting, backend, own.as_deref(), &systems);
        let point = problem.start(theta)?;
        let here = problem.linearise(&point)?;
        let root = here.root.as_deref().ok_or(Error::NoMetric)?;
        let data = root.lift(here.z.matrix()?.as_ref())?;
        let rows = match &here.prior {
            None => data,
            Some(prior) => {
                let p = prior.matrix()?;
                let above = data.nrows();
                Mat::from_fn(above + p.nrows(), p.ncols(), |i, j| match i < above {
                    true => data[(i, j)],
                    false => p[(i - above, j)],
                })
            }
        };
        if rows
            .col_iter()
            .any(|column| column.iter().any(|x| !x.is_finite()))
        {
            return Err(Error::Overflow {
                what: "the curvature of the objective (is the noise in the units of the data?)",
            });
        }
        Ok(Uncertainty::new(
            rows.as_ref(),
            &here.chart.free,
            &here.chart.scale,
        ))
    }
}
