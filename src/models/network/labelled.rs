//! Samples with labels as items.

use super::Network;
use crate::check;
use crate::error::Result;
use crate::linalg::Backend;
use crate::loss::{Predictive, Scores, Softmax};
use crate::metric::{Metric, Root};
use crate::stochastic::{Items, MiniBatch};

/// Samples of a network with their labels, one item each, for a [`Stochastic`](crate::stochastic::Stochastic) descent.
///
/// The objective is the cross entropy of all samples ([`Softmax`]) divided by their number.
///
/// ```
/// use pullback::direction::Gradient;
/// use pullback::faer::Mat;
/// use pullback::models::{Activation, Labelled, Network};
/// use pullback::step::Fixed;
/// use pullback::stochastic::Stochastic;
/// let inputs = Mat::from_fn(2, 200, |d, n| (1.0 + d as f64 + 0.7 * n as f64).sin());
/// let labels = (0..200).map(|n| usize::from(inputs[(0, n)] > inputs[(1, n)])).collect();
/// let network = Network::new(&inputs, &[8, 2], Activation::Tanh)?;
/// let items = Labelled::new(&network, labels)?;
/// let step = Fixed { scale: 0.5 };
/// let descent = Stochastic::new(&items, 20).direction(&Gradient).step(&step).epochs(20);
/// let report = descent.run(&network.initial(1), |epoch| println!("{epoch}"))?;
/// assert!(items.loss().accuracy(&network.predict(&report.theta)?)? > 0.95);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Labelled<'n> {
    network: &'n Network,
    loss: Softmax,
    scores: Scores,
}

impl<'n> Labelled<'n> {
    /// Creates the items of a network and the labels of its samples.
    ///
    /// # Errors
    /// Fails if there is not one label for every sample, if there are fewer than two outputs, or if a label is no output.
    pub fn new(network: &'n Network, labels: Vec<usize>) -> Result<Self> {
        check::length("the labels of a network", labels.len(), network.samples())?;
        Ok(Self {
            loss: Softmax::new(network.outputs(), labels)?.mean(),
            network,
            scores: Scores::Expected,
        })
    }

    /// Sets the scores whose squares make the metric, by default [`Scores::Expected`].
    #[must_use]
    pub fn scores(mut self, scores: Scores) -> Self {
        self.scores = scores;
        self
    }

    /// Returns the loss of all samples.
    pub fn loss(&self) -> &Softmax {
        &self.loss
    }
}

impl Items for Labelled<'_> {
    fn count(&self) -> usize {
        self.network.samples()
    }

    fn param_dim(&self) -> usize {
        self.network.parameters()
    }

    fn batch<'a>(&'a self, chosen: &[usize]) -> Result<MiniBatch<'a>> {
        let network = self.network.of(chosen)?;
        let labels = self.loss.labels();
        let labels = chosen.iter().map(|&n| labels[n]).collect();
        // The mean over a batch is the mean over all samples on average.
        let loss = Softmax::new(network.outputs(), labels)?.mean();
        let batch = MiniBatch::new(network, loss.clone());
        Ok(match self.scores {
            Scores::Expected => batch,
            scores => batch.metric(Information { loss, scores }),
        })
    }
}

/// Information of the labels of a batch.
struct Information {
    loss: Softmax,
    scores: Scores,
}

impl Metric for Information {
    fn at<'a>(&'a self, rho: &'a [f64], _: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        self.loss.information(rho, self.scores)
    }

    fn name(&self) -> &'static str {
        "information of labels"
    }
}
