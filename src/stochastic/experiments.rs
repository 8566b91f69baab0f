//! Experiments as items: pairs of a model and a loss with common parameters.

use super::items::{Items, MiniBatch};
use super::stacked::{ModelPart, StackedModel};
use super::sum::{LossPart, SumLoss, SumMetric};
use crate::check;
use crate::error::Result;
use crate::loss::Loss;
use crate::metric::Metric;
use crate::model::{Clouds, Model};

/// Experiments with common parameters, one item each: the objective Σ fᵢ(ρᵢ(θ)) of losses fᵢ and models with the states ρᵢ.
///
/// The experiments of a batch are solved side by side on all threads. Results and counts do not depend on their number. A solve
/// starts from the state at which the last visit of its experiment ended, which saves iterations of Newton's method. With a
/// [`Backend`](crate::Backend) other than a [`Cpu`](crate::Cpu) they are solved one after another.
///
/// ```
/// use pullback::automatic::{Curve, Formula, Scalar};
/// use pullback::loss::L2Misfit;
/// use pullback::stochastic::{Experiments, Stochastic};
/// /// Decay from a known start, y = s exp(−θ t), at two times.
/// struct Decay(f64);
/// impl Formula for Decay {
///     fn dims(&self) -> (usize, usize) { (2, 1) }
///     fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
///         for (i, y) in out.iter_mut().enumerate() {
///             *y = (theta[0] * -(1.0 + i as f64)).exp() * self.0;
///         }
///     }
/// }
/// let mut experiments = Experiments::new();
/// for start in [1.0, 2.0, 3.0, 4.0] {
///     let curve = Curve::new(Decay(start));
///     let loss = L2Misfit::euclidean(curve.predict(&[0.7])?)?;
///     experiments = experiments.add(curve, loss);
/// }
/// let report = Stochastic::new(&experiments, 2).epochs(6).run(&[0.3], |_| ())?;
/// assert!((report.theta[0] - 0.7).abs() < 1e-8);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Default)]
pub struct Experiments<'e> {
    all: Vec<Experiment<'e>>,
}

/// Model and loss of one experiment, and a metric if it is not that of the loss.
struct Experiment<'e> {
    model: Box<dyn Model + 'e>,
    loss: Box<dyn Loss + 'e>,
    metric: Option<Box<dyn Metric + 'e>>,
}

impl Experiment<'_> {
    /// Returns the metric of the experiment, if there is one.
    fn metric(&self) -> Option<Box<dyn Metric + '_>> {
        match &self.metric {
            Some(own) => Some(Box::new(own.as_ref())),
            None => self.loss.metric(),
        }
    }
}

impl<'e> Experiments<'e> {
    /// Creates a collection without experiments.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an experiment.
    #[must_use]
    pub fn add(mut self, model: impl Model + 'e, loss: impl Loss + 'e) -> Self {
        self.all.push(Experiment {
            model: Box::new(model),
            loss: Box::new(loss),
            metric: None,
        });
        self
    }

    /// Adds an experiment with a metric on its state, in place of that of the loss.
    #[must_use]
    pub fn add_with_metric(
        mut self,
        model: impl Model + 'e,
        loss: impl Loss + 'e,
        metric: impl Metric + 'e,
    ) -> Self {
        self.all.push(Experiment {
            model: Box::new(model),
            loss: Box::new(loss),
            metric: Some(Box::new(metric)),
        });
        self
    }
}

impl Items for Experiments<'_> {
    fn count(&self) -> usize {
        self.all.len()
    }

    fn param_dim(&self) -> usize {
        let first = self.all.first();
        first.map_or(0, |experiment| experiment.model.param_dim())
    }

    fn batch<'a>(&'a self, chosen: &[usize]) -> Result<MiniBatch<'a>> {
        check::chosen(chosen, self.count())?;
        let weight = self.count() as f64 / chosen.len() as f64;
        let (mut models, mut losses, mut metrics) = (Vec::new(), Vec::new(), Vec::new());
        let mut lengths = Vec::with_capacity(chosen.len());
        let mut start = 0;
        for &i in chosen {
            let experiment = &self.all[i];
            let (model, loss) = (&experiment.model, &experiment.loss);
            let what = "the number of parameters of an experiment";
            check::length(what, model.param_dim(), self.param_dim())?;
            Clouds::check(model.clouds(), loss.clouds())?;
            let metric = experiment.metric();
            let made_for = metric.as_ref().and_then(|metric| metric.clouds());
            Clouds::check(model.clouds(), made_for)?;
            let range = start..start + model.state_dim();
            start = range.end;
            lengths.push(range.len());
            metrics.extend(metric.map(|metric| (range.clone(), metric)));
            losses.push(LossPart {
                loss: loss.as_ref(),
                range: range.clone(),
            });
            models.push(ModelPart {
                model: model.as_ref(),
                range,
            });
        }
        let loss = SumLoss {
            parts: losses,
            weight,
        };
        // An explicit model leaves its warm start unused. Its states are as many numbers as its data.
        let batch = MiniBatch::new(StackedModel(models), loss).warm_starts(lengths);
        // Without metrics of their own the losses lend theirs when they are prepared, and share work.
        let own = chosen.iter().any(|&i| self.all[i].metric.is_some());
        Ok(match own && metrics.len() == chosen.len() {
            true => batch.metric(SumMetric {
                parts: metrics,
                weight,
            }),
            false => batch,
        })
    }
}
