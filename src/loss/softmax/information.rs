//! Information of labels by their scores.

use super::{Loss, Softmax};
use crate::error::Result;
use crate::loss::fisher::{Predictive, Scores, check_draws};
use crate::metric::{Root, Rows};
use crate::random;

impl Predictive for Softmax {
    fn information<'a>(&'a self, rho: &'a [f64], scores: Scores) -> Result<Box<dyn Root + 'a>> {
        match scores {
            Scores::Expected => Ok(Box::new(self.root(rho)?)),
            Scores::Sampled { draws, seed } => {
                // Every sample has a random stream, which more draws continue.
                let samples: Vec<usize> = (0..self.labels.len()).collect();
                self.sampled(rho, (draws, seed), &samples)
            }
            Scores::Measured => {
                self.check(rho)?;
                let samples = self.samples(rho).enumerate();
                let row = |(n, (logits, label)): (usize, (&[f64], &usize))| {
                    self.row(n, (logits, *label), 1.0)
                };
                let rows: Vec<_> = samples.map(row).collect();
                // The gradient of the loss is w times the sum of the scores, and the rows carry √w.
                let dual = vec![self.weight.sqrt(); rows.len()];
                Ok(Box::new(Rows::new(rho.len(), &rows)?.with_dual(dual)))
            }
        }
    }
}

impl Softmax {
    /// Returns the row √(w share) (p − e_y) of sample `n` for a label y.
    fn row(&self, n: usize, (logits, label): (&[f64], usize), share: f64) -> Vec<(usize, f64)> {
        let mut score = vec![0.0; self.classes];
        self.score(logits, label, &mut score);
        let first = n * self.classes;
        let weight = (self.weight * share).sqrt();
        let entries = score.iter().enumerate();
        entries
            .map(|(class, s)| (first + class, weight * s))
            .collect()
    }

    /// Prepares the root of the sampled information, where each sample draws from the random stream of its own number.
    ///
    /// # Errors
    /// Fails if there are no draws, or if the logits are not finite or too few.
    pub(crate) fn sampled<'a>(
        &'a self,
        rho: &'a [f64],
        (draws, seed): (usize, u64),
        numbers: &[usize],
    ) -> Result<Box<dyn Root + 'a>> {
        self.check(rho)?;
        check_draws(draws)?;
        let rows = self.drawn(rho, (draws, seed), numbers);
        Ok(Box::new(Rows::new(rho.len(), &rows)?))
    }

    /// Returns the rows of labels drawn from the probabilities. Equal labels of a sample share a row.
    fn drawn(
        &self,
        rho: &[f64],
        (draws, seed): (usize, u64),
        numbers: &[usize],
    ) -> Vec<Vec<(usize, f64)>> {
        let roots = self.roots(rho);
        let mut rows = Vec::new();
        for (n, (logits, _)) in self.samples(rho).enumerate() {
            let mut uniform = random::uniform_stream(seed, numbers[n] as u64 + 1);
            let roots = &roots[n * self.classes..][..self.classes];
            let mut counts = vec![0_usize; self.classes];
            (0..draws).for_each(|_| counts[class_at(roots, uniform())] += 1);
            for (label, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                let share = *count as f64 / draws as f64;
                rows.push(self.row(n, (logits, label), share));
            }
        }
        rows
    }
}

/// Returns the class whose interval of the distribution function holds x ∈ [0, 1), given the roots of the probabilities.
fn class_at(roots: &[f64], x: f64) -> usize {
    let mut left = x;
    for (class, root) in roots.iter().enumerate() {
        left -= root * root;
        if left < 0.0 {
            return class;
        }
    }
    // Rounding may leave the sum of the probabilities below x: the last class that has a probability takes the rest.
    roots.iter().rposition(|root| *root > 0.0).unwrap_or(0)
}
