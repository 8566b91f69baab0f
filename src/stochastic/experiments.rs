//! Experiments as items: pairs of a model and a loss with common parameters.

use super::items::{Items, MiniBatch};
use super::sum::{LossPart, SumLoss};
use super::together::{ModelPart, TogetherModel};
use crate::check;
use crate::error::Result;
use crate::loss::Loss;
use crate::model::Model;

/// Experiments with common parameters, one item each: the objective Σ fᵢ(ρᵢ(θ)) of losses fᵢ and models with the states ρᵢ.
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
    pairs: Vec<(Box<dyn Model + 'e>, Box<dyn Loss + 'e>)>,
}

impl<'e> Experiments<'e> {
    /// Creates a collection without experiments.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an experiment.
    #[must_use]
    pub fn add(mut self, model: impl Model + 'e, loss: impl Loss + 'e) -> Self {
        self.pairs.push((Box::new(model), Box::new(loss)));
        self
    }
}

impl Items for Experiments<'_> {
    fn count(&self) -> usize {
        self.pairs.len()
    }

    fn param_dim(&self) -> usize {
        self.pairs.first().map_or(0, |(model, _)| model.param_dim())
    }

    fn batch<'a>(&'a self, chosen: &[usize]) -> Result<MiniBatch<'a>> {
        let weight = self.count() as f64 / chosen.len() as f64;
        let (mut models, mut losses) = (Vec::new(), Vec::new());
        let mut start = 0;
        for &i in chosen {
            let (model, loss) = &self.pairs[i];
            let what = "the number of parameters of an experiment";
            check::length(what, model.param_dim(), self.param_dim())?;
            let range = start..start + model.state_dim();
            start = range.end;
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
        Ok(MiniBatch::new(TogetherModel(models), loss))
    }
}
