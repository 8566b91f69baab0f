//! Metrics by name.

use std::sync::Arc;

use pullback::loss::{Fisher, Predictive, Scores};
use pullback::metric::{FisherRao, HellingerKantorovich, L2, Root, Sobolev, Wasserstein2};
use pullback::{Backend, Grid, Metric};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::clouds::Clouds;
use crate::error::raise;
use crate::objective::unknown;
use crate::word::Word;

/// Number of draws of every datum.
const DRAWS: f64 = 10.0;

/// What a metric refers to, if there is one.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// Grid of densities.
    pub(crate) grid: Option<&'a Grid>,
    /// Likelihood of the data.
    pub(crate) likelihood: Option<&'a Arc<dyn Predictive + Send + Sync>>,
    /// Clouds of points.
    pub(crate) clouds: Option<&'a Clouds>,
}

/// Names of the metrics.
const METRICS: &str = "l2, sobolev, fisher_rao, wasserstein, hellinger_kantorovich, fisher, sampled_fisher, empirical_fisher, \
     sampled_wasserstein, kwng or particles";

/// Returns a metric by its name.
pub(crate) fn metric(word: &Word, subject: Subject<'_>) -> PyResult<Box<dyn Metric + Send>> {
    let name = word.name();
    let grid = || {
        let text = format!("metric: '{name}' is a metric of densities, but the model has no grid");
        let grid = subject.grid;
        grid.ok_or_else(|| PyValueError::new_err(text))
    };
    let plain = || word.options("metric", []).map(|[]| ());
    Ok(match name {
        "l2" => {
            plain()?;
            Box::new(subject.grid.map_or(L2 { volume: 1.0 }, L2::new))
        }
        "sobolev" => {
            let [order] = word.options("metric", ["order"])?;
            Box::new(Sobolev::new(grid()?, order.unwrap_or(-1.0)).map_err(raise)?)
        }
        "fisher_rao" => {
            let [floor] = word.options("metric", ["floor"])?;
            let plain = FisherRao::new(grid()?);
            Box::new(FisherRao {
                floor: floor.unwrap_or(plain.floor),
                ..plain
            })
        }
        "wasserstein" => {
            plain()?;
            Box::new(Wasserstein2::new(grid()?))
        }
        "hellinger_kantorovich" => {
            let [beta, alpha] = word.options("metric", ["beta", "alpha"])?;
            Box::new(HellingerKantorovich {
                beta: beta.unwrap_or(1.0),
                alpha: alpha.unwrap_or(1.0),
                ..HellingerKantorovich::new(grid()?)
            })
        }
        "fisher" | "sampled_fisher" | "empirical_fisher" => {
            Box::new(Information::new(word, subject)?)
        }
        "sampled_wasserstein" | "kwng" | "particles" => of_clouds(word, subject)?,
        other => return Err(unknown("metric", other, METRICS)),
    })
}

/// Returns a metric of clouds of points.
fn of_clouds(word: &Word, subject: Subject<'_>) -> PyResult<Box<dyn Metric + Send>> {
    let name = word.name();
    let clouds = subject.clouds.ok_or_else(|| {
        PyValueError::new_err(format!(
            "metric: '{name}' is a metric of clouds of points: take a loss between clouds, such as 'sliced_transport'"
        ))
    })?;
    let found = clouds.metric(word)?;
    found.ok_or_else(|| unknown("metric", name, METRICS))
}

/// Fisher's information of a likelihood that it shares.
struct Information {
    likelihood: Arc<dyn Predictive + Send + Sync>,
    scores: Scores,
}

impl Information {
    fn new(word: &Word, subject: Subject<'_>) -> PyResult<Self> {
        let name = word.name();
        let scores = match name {
            "sampled_fisher" => {
                let [draws, seed] = word.options("metric", ["draws", "seed"])?;
                let draws = word.whole("draws", draws.unwrap_or(DRAWS))?;
                let seed = word.whole("seed", seed.unwrap_or(0.0))? as u64;
                Scores::Sampled { draws, seed }
            }
            _ => {
                let [] = word.options("metric", [])?;
                match name {
                    "fisher" => Scores::Expected,
                    _ => Scores::Measured,
                }
            }
        };
        let likelihood = subject.likelihood.ok_or_else(|| {
            PyValueError::new_err(format!(
                "metric: '{name}' is the information of data of known noise: give sigma with the loss 'l2', or a `likelihood`; for \
                 densities take 'fisher_rao'"
            ))
        })?;
        let found = Self {
            likelihood: Arc::clone(likelihood),
            scores,
        };
        found.fisher().map_err(raise)?;
        Ok(found)
    }

    fn fisher(&self) -> pullback::Result<Fisher<'_>> {
        match self.scores {
            Scores::Expected => Ok(Fisher::exact(self.likelihood.as_ref())),
            Scores::Measured => Ok(Fisher::empirical(self.likelihood.as_ref())),
            Scores::Sampled { draws, seed } => {
                Fisher::sampled(self.likelihood.as_ref(), draws, seed)
            }
        }
    }
}

impl Metric for Information {
    fn at<'a>(
        &'a self,
        rho: &'a [f64],
        _: &'a dyn Backend,
    ) -> pullback::Result<Box<dyn Root + 'a>> {
        self.likelihood.information(rho, self.scores)
    }

    fn name(&self) -> &'static str {
        self.fisher()
            .map_or("Fisher information", |fisher| fisher.name())
    }
}
