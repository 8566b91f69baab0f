//! Words about the combinations of the parameters that the data see.

use std::fmt;

use super::combinations::{Combinations, Comparison, EQUAL, Sight};
use crate::posterior::plain;

/// Share, relative to the largest, below which a term is left out.
const SMALL: f64 = 0.02;

/// Largest number of terms of a combination, and of combinations of a sight, that are written out.
const TERMS: usize = 8;
const LINES: usize = 10;

impl Combinations {
    /// Returns a combination in words, such as `a + 0.30 b to ± 0.020`, or the direction of an unseen one.
    ///
    /// # Panics
    /// Panics if there is no combination with this index.
    pub fn words(&self, k: usize) -> String {
        let (coefficients, unit) = self.relative(k);
        let mut text = self.terms(k, &coefficients);
        if self.sight(k) == Sight::Unseen {
            return text;
        }
        let error = unit * self.information[k].sqrt().recip();
        text += &format!(" to ± {}", plain(error, error));
        if self.comparison == Comparison::Priors {
            text += &format!(" (prior ± {})", plain(unit, unit));
        }
        text
    }

    /// Returns the terms of a combination, the largest share first.
    fn terms(&self, k: usize, coefficients: &[f64]) -> String {
        let shares = self.shares(k);
        let size = |j: usize| shares[j].abs();
        let largest = (0..shares.len()).map(size).fold(0.0, f64::max);
        // Shares that are equal up to rounding keep their order.
        let rounded = |j: usize| (size(j) / (EQUAL * largest)).round();
        let mut order: Vec<usize> = (0..shares.len()).collect();
        order.sort_by(|&i, &j| rounded(j).total_cmp(&rounded(i)).then(i.cmp(&j)));
        let kept = order.iter().take_while(|&&j| size(j) > SMALL * largest);
        let kept = kept.take(TERMS).count();
        let mut text = String::new();
        for (place, &j) in order[..kept].iter().enumerate() {
            let x = coefficients[j];
            match (place, x < 0.0) {
                (0, _) => {}
                (_, true) => text += " − ",
                (_, false) => text += " + ",
            }
            if x.abs() != 1.0 {
                text += &format!("{} ", plain(x.abs(), x.abs()));
            }
            text += &self.names[j];
        }
        if order[kept..].iter().any(|&j| size(j) > EQUAL * largest) {
            text += " …";
        }
        text
    }

    /// Writes the combinations of a sight, each on a line.
    fn write(&self, f: &mut fmt::Formatter<'_>, sight: Sight) -> fmt::Result {
        let all: Vec<usize> = (0..self.information.len())
            .filter(|&k| self.sight(k) == sight)
            .collect();
        for &k in all.iter().take(LINES) {
            write!(f, "\n  {}", self.words(k))?;
        }
        match all.len().saturating_sub(LINES) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

impl fmt::Display for Combinations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (determined, all) = (self.count(Sight::Determined), self.information.len());
        let than = match self.comparison {
            Comparison::Priors => "better than the priors do",
            Comparison::Sizes => "to less than the sizes of the parameters",
            Comparison::Units => "to less than a unit",
        };
        let combinations = if all == 1 {
            "combination"
        } else {
            "combinations"
        };
        write!(
            f,
            "the data determine {determined} of {all} {combinations} of the parameters {than}"
        )?;
        self.write(f, Sight::Determined)?;
        if self.count(Sight::Weak) > 0 {
            write!(f, "\nthey say little of")?;
            self.write(f, Sight::Weak)?;
        }
        if self.count(Sight::Unseen) > 0 {
            write!(f, "\nthey do not see small changes along")?;
            self.write(f, Sight::Unseen)?;
        }
        Ok(())
    }
}
