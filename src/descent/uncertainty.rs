//! What the data leave open, at a point of a descent.

use faer::Mat;

use super::problem::{Problem, Setting};
use crate::direction::LeastSquares;
use crate::error::{Error, Result};
use crate::posterior::{Posterior, Rank, Uncertainty, no_prior};
use crate::prior::PriorTerms;

impl<'a> Problem<'a> {
    /// The same objective in the metric of its loss, whatever directions and first metrics the run took: what the data leave
    /// open depends on these alone.
    fn for_uncertainty(&self) -> Problem<'a> {
        let setting = Setting {
            direction: LeastSquares::STANDARD,
            first_metric: None,
            ..self.setting.clone()
        };
        Problem::new(setting, self.backend)
    }

    pub(super) fn posterior(&self, theta: &[f64], rank: Rank) -> Result<Posterior<'a>> {
        if self.setting.priors.is_empty() {
            return Err(no_prior());
        }
        let mut problem = self.for_uncertainty();
        (problem.setting.bounds, problem.setting.transforms) = (None, None);
        let prior = PriorTerms::new(&problem.setting.priors, theta)?;
        let mut memory = problem.memory();
        let state = problem.start(theta, &mut memory)?;
        let here = problem.linearise(&state, &mut memory)?;
        let root = here.root.as_deref().ok_or(Error::NoMetric)?;
        Posterior::new(&here.z, root, prior, self.backend, rank)
    }

    pub(super) fn uncertainty(&self, theta: &[f64]) -> Result<Uncertainty> {
        let problem = self.for_uncertainty();
        let mut memory = problem.memory();
        let state = problem.start(theta, &mut memory)?;
        let here = problem.linearise(&state, &mut memory)?;
        let root = here.root.as_deref().ok_or(Error::NoMetric)?;
        let data = root.lift(here.z.matrix()?.as_ref())?;
        // The rows of L Z above those of the priors' root P: their Gram matrix is G + C.
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
        let mut columns = rows.col_iter();
        if columns.any(|column| column.iter().any(|x| !x.is_finite())) {
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
