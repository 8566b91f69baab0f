//! Models and losses that are made of samples, of which some make a model and a loss of their own.

use std::sync::Arc;

use pullback::faer::{Mat, MatRef};
use pullback::loss::{Observations, Penalty, Predictive, Robust, Softmax};
use pullback::metric::Scaled;
use pullback::{Metric, Model, Noise, Result};

/// Explicit model whose state holds the values at many samples, sample by sample, each of which can be computed without the others.
pub(crate) trait Sampled: Send + Sync {
    /// Returns the numbers of samples, of values of one of them, and of parameters.
    fn sizes(&self) -> [usize; 3];

    /// Returns the model of some samples.
    ///
    /// # Errors
    /// Fails if a sample does not exist.
    fn model_of(&self, samples: &[usize]) -> Result<Arc<dyn Model + Send + Sync>>;
}

/// Loss of some samples.
pub(crate) struct Part {
    pub(crate) loss: Arc<dyn pullback::Loss + Send + Sync>,
    /// The loss as a likelihood, if it is one of known noise.
    pub(crate) likelihood: Option<Arc<dyn Predictive + Send + Sync>>,
}

impl Part {
    fn likelihood(likelihood: impl Predictive + Send + 'static) -> Self {
        let likelihood: Arc<dyn Predictive + Send + Sync> = Arc::new(likelihood);
        Self {
            loss: Arc::clone(&likelihood) as _,
            likelihood: Some(likelihood),
        }
    }

    fn plain(loss: impl pullback::Loss + Send + 'static) -> Self {
        Self {
            loss: Arc::new(loss),
            likelihood: None,
        }
    }
}

/// Loss that is a sum over samples.
pub(crate) trait Separable: Send + Sync {
    /// Returns whether a sample of this number of values has a datum.
    fn has(&self, sample: usize, values: usize) -> bool;

    /// Returns `weight` times the loss of some samples of this number of values.
    ///
    /// # Errors
    /// Fails if the samples have no data.
    fn part(&self, samples: &[usize], values: usize, weight: f64) -> Result<Part>;
}

/// Data with independent noise, each of which belongs to one value of the state. Missing data are NaN.
pub(crate) struct Single {
    pub(crate) data: Vec<f64>,
    /// Standard deviations, or None if they are unknown.
    pub(crate) deviations: Option<Vec<f64>>,
    /// Penalty against outliers and its scale.
    pub(crate) penalty: Option<(Penalty, f64)>,
}

impl Separable for Single {
    fn has(&self, sample: usize, values: usize) -> bool {
        let entries = &self.data[sample * values..(sample + 1) * values];
        entries.iter().any(|datum| !datum.is_nan())
    }

    fn part(&self, samples: &[usize], values: usize, weight: f64) -> Result<Part> {
        let entries = || samples.iter().flat_map(|n| n * values..(n + 1) * values);
        let data: Vec<f64> = entries().map(|i| self.data[i]).collect();
        // A weight w of ½ r²/σ² is that of the deviation σ/√w. A robust loss is no function of r/√w alone.
        let factor = if self.penalty.is_some() { 1.0 } else { weight };
        let deviation = |i: usize| self.deviations.as_ref().map_or(1.0, |all| all[i]);
        let deviations = entries().map(|i| deviation(i) / factor.sqrt());
        let noise = Noise::deviations(deviations.collect())?;
        let observations = Observations::present(&data, &noise)?;
        Ok(match self.penalty {
            Some((penalty, scale)) => Part::plain(Weighted {
                loss: Robust::new(observations, penalty)?.scale(scale)?,
                weight,
            }),
            None if self.deviations.is_some() => Part::likelihood(observations),
            None => Part::plain(observations),
        })
    }
}

/// Labels of samples, whose values are the logits of all classes.
pub(crate) struct Labels {
    pub(crate) labels: Vec<usize>,
    /// Weight of a sample.
    pub(crate) weight: f64,
}

impl Labels {
    /// Returns the loss of some labels with this weight.
    pub(crate) fn loss(classes: usize, labels: Vec<usize>, weight: f64) -> Result<Softmax> {
        Softmax::new(classes, labels)?.weighted(weight)
    }
}

impl Separable for Labels {
    fn has(&self, _: usize, _: usize) -> bool {
        true
    }

    fn part(&self, samples: &[usize], values: usize, weight: f64) -> Result<Part> {
        let labels = samples.iter().map(|&n| self.labels[n]).collect();
        let loss = Self::loss(values, labels, weight * self.weight)?;
        Ok(Part::likelihood(loss))
    }
}

/// Multiple of a robust loss.
struct Weighted {
    loss: Robust,
    weight: f64,
}

impl pullback::Loss for Weighted {
    fn value(&self, rho: &[f64]) -> f64 {
        self.weight * self.loss.value(rho)
    }

    fn gradient(&self, rho: &[f64], out: &mut [f64]) {
        self.loss.gradient(rho, out);
        out.iter_mut().for_each(|g| *g *= self.weight);
    }

    fn metric(&self) -> Option<Box<dyn Metric + '_>> {
        Some(Box::new(Scaled {
            metric: self.loss.metric()?,
            factor: self.weight,
        }))
    }

    fn hessian(&self, rho: &[f64], v: MatRef<'_, f64>) -> Result<Option<Mat<f64>>> {
        let product = self.loss.hessian(rho, v)?;
        Ok(product.map(|product| self.weight * product))
    }

    fn check(&self, rho: &[f64]) -> Result<()> {
        self.loss.check(rho)
    }
}
