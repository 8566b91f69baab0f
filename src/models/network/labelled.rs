//! Samples with labels as items.

use super::Network;
use crate::check;
use crate::error::Result;
use crate::linalg::Backend;
use crate::loss::{Predictive, Scores, Softmax};
use crate::metric::{Metric, Root};
use crate::random;
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
    ///
    /// [`Scores::Sampled`] draws the labels of a sample anew at every state of its batch, and equal labels at equal states.
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
        let network = self.network.subset(chosen)?;
        let labels = self.loss.labels();
        let labels = chosen.iter().map(|&n| labels[n]).collect();
        // The mean over a batch is the mean over all samples on average.
        let loss = Softmax::new(network.outputs(), labels)?.mean();
        let loss = loss.numbered(chosen);
        let batch = MiniBatch::new(network, loss.clone());
        Ok(match self.scores {
            Scores::Expected => batch,
            scores => batch.metric(Information {
                loss,
                scores,
                chosen: chosen.to_vec(),
            }),
        })
    }
}

/// Information of the labels of a batch.
struct Information {
    loss: Softmax,
    scores: Scores,
    /// Numbers of the samples of the batch.
    chosen: Vec<usize>,
}

impl Metric for Information {
    fn at<'a>(&'a self, rho: &'a [f64], _: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        match self.scores {
            // With the streams of their places in the batch, the first samples of all batches would draw alike, and in every epoch.
            Scores::Sampled { draws, seed } => {
                let seed = seed ^ random::hash(rho);
                self.loss.sampled(rho, (draws, seed), &self.chosen)
            }
            scores => self.loss.information(rho, scores),
        }
    }

    fn name(&self) -> &'static str {
        "information of labels"
    }
}

#[cfg(test)]
mod tests {
    use faer::{Mat, MatRef};

    use super::*;
    use crate::linalg::Cpu;

    /// Returns the sampled information of batches of one sample with these logits, on average over `count` batches.
    fn mean_information(count: usize, batch: impl Fn(usize) -> (usize, [f64; 3])) -> Mat<f64> {
        let mut sum = Mat::zeros(3, 3);
        for k in 0..count {
            let (sample, logits) = batch(k);
            let information = Information {
                loss: Softmax::new(3, vec![0]).unwrap(),
                scores: Scores::Sampled { draws: 1, seed: 7 },
                chosen: vec![sample],
            };
            let cpu = Cpu::default();
            let root = information.at(&logits, &cpu).unwrap();
            sum += root.apply(Mat::<f64>::identity(3, 3).as_ref()).unwrap();
        }
        (count as f64).recip() * sum
    }

    fn off(found: MatRef<'_, f64>, logits: [f64; 3]) -> f64 {
        let loss = Softmax::new(3, vec![0]).unwrap();
        let root = loss.information(&logits, Scores::Expected).unwrap();
        let exact = root.apply(Mat::<f64>::identity(3, 3).as_ref()).unwrap();
        (found - &exact).norm_l2() / exact.norm_l2()
    }

    #[test]
    fn samples_and_visits_draw_labels_of_their_own() {
        let logits = [0.3, -0.2, 0.5];
        let samples = mean_information(4000, |k| (k, logits));
        // The relative error of 4,000 draws is about 1/√4000 = 0.016.
        let error = off(samples.as_ref(), logits);
        assert!(error < 0.05, "{error}");
        // One sample that comes again with almost the same logits.
        let visits = mean_information(4000, |k| (5, logits.map(|x| x + 1e-9 * k as f64)));
        let error = off(visits.as_ref(), logits);
        assert!(error < 0.05, "{error}");
        // Equal states draw equal labels.
        let same = mean_information(10, |_| (5, logits));
        assert_eq!(same, mean_information(10, |_| (5, logits)));
        assert!(off(same.as_ref(), logits) > 0.2);
    }
}
