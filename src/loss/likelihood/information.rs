//! Information of data by their scores.

use super::{Likelihood, Term};
use crate::check;
use crate::error::Result;
use crate::loss::Loss;
use crate::loss::fisher::{Predictive, Scores, check_draws};
use crate::metric::{Root, Rows, diagonal_root};
use crate::random;

impl Predictive for Likelihood {
    fn information<'a>(&'a self, rho: &'a [f64], scores: Scores) -> Result<Box<dyn Root + 'a>> {
        self.check(rho)?;
        match scores {
            Scores::Expected => {
                let mut roots = vec![0.0; self.entries];
                let terms = self.terms.iter();
                terms.for_each(|term| term.add_fisher(rho, &mut roots));
                self.diagonal(&roots)
            }
            Scores::Sampled { draws, seed } => {
                check_draws(draws)?;
                self.sampled(rho, draws, seed)
            }
            Scores::Measured => {
                let row = |term: &Term| term.row(term.score(rho));
                let rows: Vec<_> = self.terms.iter().map(row).collect();
                // The gradient of the loss is the sum of the scores.
                let ones = vec![1.0; rows.len()];
                Ok(Box::new(Rows::new(self.entries, &rows)?.with_dual(ones)))
            }
        }
    }
}

impl Likelihood {
    /// Returns the root of a diagonal information, given by its roots.
    pub(super) fn diagonal<'a>(&self, roots: &[f64]) -> Result<Box<dyn Root + 'a>> {
        check::finite("the Fisher information of a likelihood", roots)?;
        let seen = self.seen.iter();
        let weights = seen.map(|&entry| (entry, roots[entry])).collect();
        Ok(diagonal_root(self.entries, weights))
    }

    /// Returns the root of the mean of s sᵀ over draws of every datum.
    fn sampled<'a>(&self, rho: &[f64], draws: usize, seed: u64) -> Result<Box<dyn Root + 'a>> {
        let (mut rows, mut dual) = (Vec::new(), Some(Vec::new()));
        for term in &self.terms {
            // Every datum has a random stream, which more draws continue.
            let mut rng = random::generator(seed, term.index() as u64 + 1);
            let mut sums = [0.0; 3];
            for _ in 0..draws {
                let [a, b] = term.merged(term.drawn_score(rho, &mut rng));
                (sums[0], sums[1], sums[2]) = (sums[0] + a * a, sums[1] + a * b, sums[2] + b * b);
            }
            let gram = sums.map(|sum| sum / draws as f64);
            let (root, own) = term.root_of(gram, term.merged(term.score(rho)));
            rows.extend(root);
            match (&mut dual, own) {
                (Some(dual), Some(own)) => dual.extend(own),
                _ => dual = None,
            }
        }
        let root = Rows::new(self.entries, &rows)?;
        Ok(Box::new(match dual {
            Some(dual) => root.with_dual(dual),
            None => root,
        }))
    }
}

/// Fraction of a mean square below which what remains of it after a projection is rounding.
const ROUNDING: f64 = 1e-13;

impl Term {
    /// Returns the derivatives with respect to the entries of μ and σ, of which there may be only one.
    fn merged(&self, [mean, sigma]: [f64; 2]) -> [f64; 2] {
        match self.places() {
            (_, None) => [mean, 0.0],
            (entry, Some(noise)) if noise == entry => [mean + sigma, 0.0],
            _ => [mean, sigma],
        }
    }

    /// Returns a row with these derivatives.
    fn row(&self, score: [f64; 2]) -> Vec<(usize, f64)> {
        let [first, second] = self.merged(score);
        let (entry, noise) = self.places();
        let other = noise.filter(|noise| *noise != entry);
        let other = other.map(|noise| (noise, second));
        [(entry, first)].into_iter().chain(other).collect()
    }

    /// Returns the rows R of a triangle with RᵀR = [[a, b], [b, c]], and the y with Rᵀy = s, if there is one.
    #[allow(clippy::type_complexity)]
    fn root_of(
        &self,
        [a, b, c]: [f64; 3],
        s: [f64; 2],
    ) -> (Vec<Vec<(usize, f64)>>, Option<[f64; 2]>) {
        // R = [[√a, b/√a], [0, √(c − b²/a)]], and Rᵀy = s by substitution.
        let (first, off) = match a > 0.0 {
            true => (a.sqrt(), b / a.sqrt()),
            false => (0.0, 0.0),
        };
        let rest = c - off * off;
        let last = if rest > ROUNDING * c {
            rest.sqrt()
        } else {
            0.0
        };
        let quotient = |s: f64, r: f64| match r > 0.0 {
            true => Some(s / r),
            false => (s == 0.0).then_some(0.0),
        };
        let own = quotient(s[0], first).and_then(|y| Some([y, quotient(s[1] - off * y, last)?]));
        let (entry, noise) = self.places();
        let noise = noise.unwrap_or(entry);
        let upper = match noise == entry {
            true => vec![(entry, first)],
            false => vec![(entry, first), (noise, off)],
        };
        (vec![upper, vec![(noise, last)]], own)
    }
}
