//! Choice of some of the candidates.

use faer::Mat;

use super::candidates::Candidates;
use super::criterion::Criterion;
use super::error::Error;
use super::problem::Problem;
use super::weights::optimum;
use crate::check;
use crate::error::Result;
use crate::random;

/// Some of the candidates, each observed once.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Criterion.
    pub criterion: Criterion,
    /// Indices of the chosen candidates, in increasing order.
    pub chosen: Vec<usize>,
    /// Value of the criterion.
    pub value: f64,
    /// Lower bound of the efficiency, from 0 to 1, as that of [`Design`](super::Design). The comparison is with optimal weights,
    /// which may observe a candidate several times or in part, so that the best choice has less than 1, too.
    pub efficiency: f64,
}

/// Share of the information of all candidates that is added during the search, so that few candidates can be compared.
const RIDGE: f64 = 1e-9;

/// Number of random starts.
const RANDOM: u64 = 8;

/// Relative improvement that rounding cannot make.
const GAIN: f64 = 1e-10;

impl Candidates {
    /// Chooses so many of the candidates.
    ///
    /// Starts from the candidates added one by one, from those with the largest optimal weights, and from eight at random, and
    /// exchanges single candidates as long as this helps (Fedorov 1972). No choice that differs from the result in one candidate is
    /// better. Among twelve candidates the best of all choices was found in every test.
    ///
    /// # Errors
    /// Fails if the number is 0 or exceeds that of the candidates, if all candidates together do not determine the parameters, and
    /// if no choice is found that does.
    pub fn choose(&self, count: usize, criterion: Criterion) -> Result<Choice> {
        let sound = count > 0 && count <= self.count();
        let remedy = "give a number from 1 to that of all candidates";
        check::option(
            "the number of candidates to choose",
            count as f64,
            sound,
            remedy,
        )?;
        let problem = self.problem(1.0);
        problem.check()?;
        let (weights, best) = optimum(&self.problem(count as f64), criterion);
        let m = self.count();
        let share = RIDGE * count as f64 / m as f64;
        let search = Search {
            problem: &problem,
            criterion,
            base: problem.information(&vec![share; m]),
        };
        let mut heaviest: Vec<usize> = (0..m).collect();
        heaviest.sort_by(|a, b| weights[*b].total_cmp(&weights[*a]));
        heaviest.truncate(count);
        let starts = [search.greedy(count), heaviest].into_iter();
        let starts = starts.chain((0..RANDOM).map(|seed| shuffled(m, count, seed)));
        let found = starts.map(|start| search.exchanged(start));
        let best_found = found.max_by(|a, b| a.1.total_cmp(&b.1));
        let mut chosen = best_found.map_or(Vec::new(), |found| found.0);
        chosen.sort_unstable();
        let mut ones = vec![0.0; m];
        chosen.iter().for_each(|&i| ones[i] = 1.0);
        let information = problem.information(&ones);
        let parameters = problem.parameters();
        if Problem::hidden(&information).is_some() {
            return Err(Error::TooFew { count, parameters }.into());
        }
        let quality = criterion.quality(information.as_ref());
        Ok(Choice {
            criterion,
            chosen,
            value: criterion.value(information.as_ref()),
            efficiency: criterion.efficiency(quality, best, parameters),
        })
    }
}

/// Returns so many of the first m numbers at random.
fn shuffled(m: usize, count: usize, seed: u64) -> Vec<usize> {
    let keys = random::normal(m, seed, 0);
    let mut order: Vec<usize> = (0..m).collect();
    order.sort_by(|a, b| keys[*a].total_cmp(&keys[*b]));
    order.truncate(count);
    order
}

/// Search among choices.
struct Search<'p> {
    problem: &'p Problem,
    criterion: Criterion,
    /// Information of no candidates: the prior and the ridge.
    base: Mat<f64>,
}

impl Search<'_> {
    /// Returns the information of these candidates.
    fn information(&self, chosen: &[usize]) -> Mat<f64> {
        let mut m = self.base.clone();
        chosen.iter().for_each(|&i| self.problem.add(&mut m, i));
        m
    }

    /// Returns the candidate that adds most to M by a criterion and is not yet chosen, with the quality.
    fn best(&self, m: &Mat<f64>, chosen: &[usize], criterion: Criterion) -> Option<(usize, f64)> {
        let free = (0..self.problem.count()).filter(|i| !chosen.contains(i));
        let judged = free.map(|i| {
            let mut more = m.clone();
            self.problem.add(&mut more, i);
            (i, criterion.quality(more.as_ref()))
        });
        judged.max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// Adds candidates one by one.
    fn greedy(&self, count: usize) -> Vec<usize> {
        // The smallest eigenvalue does not tell which candidates lead on while others still are to come.
        let criterion = match self.criterion {
            Criterion::E => Criterion::A,
            smooth => smooth,
        };
        let (mut chosen, mut m) = (Vec::new(), self.base.clone());
        while chosen.len() < count {
            let Some((next, _)) = self.best(&m, &chosen, criterion) else {
                break;
            };
            self.problem.add(&mut m, next);
            chosen.push(next);
        }
        chosen
    }

    /// Exchanges candidates as long as this helps, and returns the quality, too.
    fn exchanged(&self, mut chosen: Vec<usize>) -> (Vec<usize>, f64) {
        let start = self.information(&chosen);
        let mut quality = self.criterion.quality(start.as_ref());
        loop {
            let before = quality;
            for place in 0..chosen.len() {
                let mut others = chosen.clone();
                others.swap_remove(place);
                let m = self.information(&others);
                // The candidate itself does not count among the others, and may return.
                let Some((next, better)) = self.best(&m, &others, self.criterion) else {
                    continue;
                };
                if better > quality + self.margin(quality) {
                    (chosen[place], quality) = (next, better);
                }
            }
            // Every exchange improves the quality, so that no choice comes twice.
            if quality == before {
                return (chosen, quality);
            }
        }
    }

    /// Returns the improvement of a quality that counts as one.
    fn margin(&self, quality: f64) -> f64 {
        match self.criterion {
            Criterion::D => GAIN,
            _ => GAIN * quality.abs(),
        }
    }
}
