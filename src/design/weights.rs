//! Optimal weights.

use std::fmt;

use super::barrier::maximise;
use super::candidates::Candidates;
use super::criterion::Criterion;
use super::problem::Problem;
use crate::error::Result;

/// Shares of the effort that are best by a [`Criterion`]. `Display` prints those that matter.
#[derive(Clone, Debug)]
pub struct Design {
    /// Criterion.
    pub criterion: Criterion,
    /// Weight of every candidate. The sum is 1.
    pub weights: Vec<f64>,
    /// Value of the criterion.
    pub value: f64,
    /// Lower bound of the efficiency, from 0 to 1: the quality of the design, divided by the best. For D this is the ratio of
    /// (det M)^(1/p), for A that of 1/tr M⁻¹, and for E that of the smallest eigenvalues.
    ///
    /// The bound is that of the equivalence theorem, and holds whatever the iteration has done. D and A reach 1 to about ten
    /// digits; rounding limits E to about five, and fewer if the eigenvalues of M differ by many orders.
    pub efficiency: f64,
}

/// Weight below which a candidate is left out.
const LEAST: f64 = 1e-7;

impl Candidates {
    /// Returns the best weights of the candidates.
    ///
    /// Takes about fifty solves of m equations for m candidates, which suits at most a thousand or two.
    ///
    /// # Errors
    /// Fails if all candidates together, with the prior, do not determine the parameters.
    pub fn weights(&self, criterion: Criterion) -> Result<Design> {
        let problem = self.problem(self.total());
        problem.check()?;
        let (weights, best) = optimum(&problem, criterion);
        let information = problem.information(&weights);
        let quality = criterion.quality(information.as_ref());
        Ok(Design {
            criterion,
            value: criterion.value(information.as_ref()),
            weights,
            efficiency: criterion.efficiency(quality, best, problem.parameters()),
        })
    }
}

/// Returns the best weights, and a bound of the quality.
pub(super) fn optimum(problem: &Problem, criterion: Criterion) -> (Vec<f64>, f64) {
    let found = maximise(problem, criterion);
    // Inside the simplex no weight is 0.
    let kept = found.weights.iter();
    let mut weights: Vec<f64> = kept.map(|w| if *w < LEAST { 0.0 } else { *w }).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|w| *w /= sum);
    (weights, found.bound)
}

impl Design {
    /// Iterates over the candidates whose weights exceed a number such as 0.01, each with its weight.
    pub fn support(&self, least: f64) -> impl Iterator<Item = (usize, f64)> {
        let pairs = self.weights.iter().copied().enumerate();
        pairs.filter(move |(_, weight)| *weight > least)
    }
}

impl fmt::Display for Design {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            criterion, value, ..
        } = self;
        let what = match criterion {
            Criterion::D => "ln det of the information",
            Criterion::A => "sum of the variances",
            Criterion::E => "smallest eigenvalue of the information",
        };
        let efficiency = 100.0 * self.efficiency;
        write!(
            f,
            "{criterion:?}-optimal design: {what} {value:.6e}, efficiency at least {efficiency:.4} %"
        )?;
        write!(f, "\ncandidate  weight")?;
        let mut support = self.support(1e-3);
        support.try_for_each(|(i, weight)| write!(f, "\n{i:9}  {weight:6.4}"))
    }
}
