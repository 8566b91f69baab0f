//! Items of batches: samples of a model, or experiments.

use std::sync::Arc;

use pullback::metric::Scaled;
use pullback::stochastic::{Experiments, Items, MiniBatch};
use pullback::{Metric, Result};
use pyo3::prelude::*;

use crate::descend::model_of;
use crate::error::raise;
use crate::metrics::{Subject, metric};
use crate::objective::Loss;
use crate::ready::ReadyModel;
use crate::sampled::{Part, Sampled, Separable};
use crate::stopping::Stopping;
use crate::watch::Watch;
use crate::word::Word;

/// Model with its data, or several of them.
#[derive(FromPyObject)]
pub(crate) enum Problem<'py> {
    Samples(PyRef<'py, ReadyModel>, PyRef<'py, Loss>),
    Experiments(Vec<(Bound<'py, PyAny>, PyRef<'py, Loss>)>),
}

impl Problem<'_> {
    /// Returns the items that batches consist of.
    pub(crate) fn items(
        &self,
        word: Option<&Word>,
        watch: &Arc<Watch>,
    ) -> PyResult<Box<dyn Items>> {
        match self {
            Self::Samples(model, loss) => Ok(Box::new(Samples::new(model, loss, word, watch)?)),
            Self::Experiments(all) => {
                let mut experiments = Experiments::new();
                for (model, loss) in all {
                    let (inner, grid) = model_of(model, watch)?;
                    let subject = Subject {
                        grid: grid.as_ref(),
                        likelihood: loss.likelihood.as_ref(),
                        clouds: loss.clouds.as_ref(),
                    };
                    let metric = word.map(|word| metric(word, subject)).transpose()?;
                    let (model, loss) = (stopping(inner, watch), Arc::clone(&loss.loss));
                    experiments = match metric {
                        Some(metric) => experiments.add_with_metric(model, loss, metric),
                        None => experiments.add(model, loss),
                    };
                }
                Ok(Box::new(experiments))
            }
        }
    }

    /// Returns whether a model is code in Python, which need not bear to be called by several threads at once.
    pub(crate) fn is_python(&self) -> bool {
        match self {
            Self::Samples(..) => false,
            Self::Experiments(all) => {
                let mut models = all.iter().map(|(model, _)| model);
                models.any(|model| !model.is_instance_of::<ReadyModel>())
            }
        }
    }
}

fn stopping(model: Arc<dyn pullback::Model + Send + Sync>, watch: &Arc<Watch>) -> Stopping {
    Stopping {
        model,
        watch: Arc::clone(watch),
        forgetful: false,
    }
}

/// Samples of a model with their data, as items.
struct Samples {
    model: Arc<dyn Sampled>,
    loss: Arc<dyn Separable>,
    metric: Option<Word>,
    /// Samples that have data.
    kept: Vec<usize>,
    watch: Arc<Watch>,
}

impl Samples {
    fn new(
        model: &ReadyModel,
        loss: &Loss,
        metric: Option<&Word>,
        watch: &Arc<Watch>,
    ) -> PyResult<Self> {
        let missing = || raise(pullback::Error::custom("the state is not made of samples"));
        let model = Arc::clone(model.samples.as_ref().ok_or_else(missing)?);
        let loss = Arc::clone(loss.sum.as_ref().ok_or_else(missing)?);
        let [samples, values, _] = model.sizes();
        let found = Self {
            kept: (0..samples).filter(|&n| loss.has(n, values)).collect(),
            metric: metric.cloned(),
            watch: Arc::clone(watch),
            model,
            loss,
        };
        if let (Some(word), Some(&first)) = (metric, found.kept.first()) {
            let part = found.loss.part(&[first], values, 1.0).map_err(raise)?;
            of_part(word, (&part, 1.0), &[first])?;
        }
        Ok(found)
    }
}

/// Returns the metric of the loss of some samples, which has a weight. Draws of its own belong to them.
fn of_part(
    word: &Word,
    (part, weight): (&Part, f64),
    samples: &[usize],
) -> PyResult<Box<dyn Metric + Send>> {
    let subject = Subject {
        grid: None,
        likelihood: part.likelihood.as_ref(),
        clouds: None,
    };
    match word.name() {
        // With one seed for all batches, their first samples would draw alike.
        "sampled_fisher" => {
            let [_, seed] = word.options("metric", ["draws", "seed"])?;
            let seed = word.whole_or("seed", seed, 0)? as u64;
            metric(&word.with("seed", mixed(seed, samples) as f64), subject)
        }
        // The information of the part has its weight.
        "fisher" | "empirical_fisher" => metric(word, subject),
        _ => Ok(Box::new(Scaled {
            metric: metric(word, subject)?,
            factor: weight,
        })),
    }
}

/// Returns a seed for some samples, a whole number that a float can hold.
fn mixed(seed: u64, samples: &[usize]) -> u64 {
    // The hash of Fowler, Noll and Vo, of whole numbers in place of bytes, with a last mixing of high and low bits.
    let step = |hash: u64, n: &usize| (hash ^ *n as u64).wrapping_mul(0x0100_0000_01b3);
    let hash = samples.iter().fold(0xcbf2_9ce4_8422_2325 ^ seed, step);
    (hash ^ (hash >> 32)) & ((1 << 53) - 1)
}

impl Items for Samples {
    fn count(&self) -> usize {
        self.kept.len()
    }

    fn param_dim(&self) -> usize {
        let [_, _, parameters] = self.model.sizes();
        parameters
    }

    fn batch<'a>(&'a self, chosen: &[usize]) -> Result<MiniBatch<'a>> {
        let samples: Vec<usize> = chosen.iter().map(|&i| self.kept[i]).collect();
        let [_, values, _] = self.model.sizes();
        let weight = self.count() as f64 / chosen.len() as f64;
        let part = self.loss.part(&samples, values, weight)?;
        let metric = self.metric.as_ref();
        let metric = metric
            .map(|word| of_part(word, (&part, weight), &samples))
            .transpose();
        let metric = metric.map_err(|error| {
            self.watch.keep(error);
            Watch::failure()
        })?;
        let batch = MiniBatch::new(
            stopping(self.model.model_of(&samples)?, &self.watch),
            part.loss,
        );
        Ok(match metric {
            Some(metric) => batch.metric(metric),
            None => batch,
        })
    }
}
