//! Objectives that are sums over items.

use crate::check;
use crate::error::Result;
use crate::loss::Loss;
use crate::metric::Metric;
use crate::model::Model;

/// Objective Σ fᵢ(θ) over items, such as observations, experiments or labelled samples.
///
/// ```
/// use pullback::stochastic::{Items, MiniBatch, Stochastic};
/// use pullback::automatic::{Curve, Formula, Scalar};
/// use pullback::{Noise, Result, direction::Gradient, loss::Observations, step::Fixed};
/// /// The numbers 0, …, 9, each to be met by θ.
/// struct Numbers;
/// struct Constant(usize);
/// impl Formula for Constant {
///     fn dims(&self) -> (usize, usize) { (self.0, 1) }
///     fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) { out.iter_mut().for_each(|y| *y = theta[0]); }
/// }
/// impl Items for Numbers {
///     fn count(&self) -> usize { 10 }
///     fn param_dim(&self) -> usize { 1 }
///     fn batch<'a>(&'a self, chosen: &[usize]) -> Result<MiniBatch<'a>> {
///         let data: Vec<f64> = chosen.iter().map(|&i| i as f64).collect();
///         // ½ Σ (θ − i)² over the batch, times 10 over its size.
///         let deviation = (chosen.len() as f64 / 10.0).sqrt();
///         let loss = Observations::present(&data, &Noise::uniform(data.len(), deviation)?)?;
///         Ok(MiniBatch::new(Curve::new(Constant(chosen.len())), loss))
///     }
/// }
/// let step = Fixed { scale: 1e-3 };
/// let stochastic = Stochastic::new(&Numbers, 2).direction(&Gradient).step(&step).epochs(200);
/// let report = stochastic.run(&[0.0], |_| ())?;
/// assert!((report.theta[0] - 4.5).abs() < 0.1);
/// # Ok::<(), pullback::Error>(())
/// ```
pub trait Items: Sync {
    /// Returns the number of items.
    fn count(&self) -> usize;

    /// Returns p, the length of θ.
    fn param_dim(&self) -> usize;

    /// Returns the objective of some items, in increasing order, each at most once.
    ///
    /// Its loss is the sum over the chosen items times the number of all items over that of the chosen ones. Its expectation
    /// over random batches is then the whole objective.
    ///
    /// # Errors
    /// Fails if the items cannot be prepared.
    fn batch<'a>(&'a self, chosen: &[usize]) -> Result<MiniBatch<'a>>;

    /// Checks the items at the start θ of a run, once. The default accepts all.
    ///
    /// # Errors
    /// Fails with what is wrong.
    fn check(&self, theta: &[f64]) -> Result<()> {
        let _ = theta;
        Ok(())
    }
}

/// Model, loss and metric of some items.
pub struct MiniBatch<'a> {
    pub(super) model: Box<dyn Model + 'a>,
    pub(super) loss: Box<dyn Loss + 'a>,
    pub(super) metric: Option<Box<dyn Metric + 'a>>,
    /// Lengths of the states of the items, if solves start from earlier ones.
    lengths: Option<Vec<usize>>,
}

impl<'a> MiniBatch<'a> {
    /// Creates a batch with the metric of the loss.
    pub fn new(model: impl Model + 'a, loss: impl Loss + 'a) -> Self {
        Self {
            model: Box::new(model),
            loss: Box::new(loss),
            metric: None,
            lengths: None,
        }
    }

    /// Sets another metric, on states of the batch.
    #[must_use]
    pub fn metric(mut self, metric: impl Metric + 'a) -> Self {
        self.metric = Some(Box::new(metric));
        self
    }

    /// Lets the solve of every item start from the state at which its last visit ended, for models given by equations.
    ///
    /// ρ of the batch consists of the states of its items, in their order and of these lengths. The last states of all items are
    /// kept, and saved with a run.
    #[must_use]
    pub fn warm_starts(mut self, lengths: Vec<usize>) -> Self {
        self.lengths = Some(lengths);
        self
    }

    /// Returns the lengths of the states of the chosen items, if solves start from earlier ones.
    pub(super) fn lengths(&self, chosen: &[usize]) -> Result<Option<&[usize]>> {
        if let Some(lengths) = &self.lengths {
            let (items, states) = (lengths.len(), lengths.iter().sum());
            check::length("the lengths of the states of items", items, chosen.len())?;
            check::length("the states of items", states, self.model.state_dim())?;
        }
        Ok(self.lengths.as_deref())
    }

    /// Returns the model of the batch.
    pub fn model(&self) -> &(dyn Model + 'a) {
        self.model.as_ref()
    }

    /// Returns the loss of the batch.
    pub fn loss(&self) -> &(dyn Loss + 'a) {
        self.loss.as_ref()
    }
}
