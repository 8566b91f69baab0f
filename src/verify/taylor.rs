//! Taylor remainders and the order at which they vanish.

use super::probe::worst;
use super::report::Check;
use super::scan::{FEWEST, NO_STEPS, Sample, Trial, order};
use super::{ORDER, PLATEAU};

/// |F(x + hv) − F(x) − h s|, which vanishes like h^`expected` or faster if s belongs there.
pub(super) struct Remainder<'a> {
    pub(super) name: &'static str,
    pub(super) expected: f64,
    /// F(x), one entry a direction.
    pub(super) base: &'a [f64],
    /// s, likewise.
    pub(super) slopes: &'a [f64],
}

impl Remainder<'_> {
    /// Judges the direction in which most of the order is missing.
    pub(super) fn check(&self, samples: &[Sample]) -> Check {
        if samples.len() < FEWEST {
            let mut check = Check::new(self.name, f64::NAN, ORDER);
            check.note = Some(NO_STEPS.into());
            return check;
        }
        (0..self.base.len())
            .map(|j| self.along(j, samples))
            .reduce(|a, b| if a.error >= b.error { a } else { b })
            .unwrap_or_else(|| Check::new(self.name, 0.0, ORDER))
    }

    fn along(&self, j: usize, samples: &[Sample]) -> Check {
        let remainder = |s: &Sample| Trial {
            h: s.h,
            error: (s.plus[j] - self.base[j] - s.h * self.slopes[j]).abs(),
        };
        let trials: Vec<Trial> = samples.iter().map(remainder).collect();
        // At the shortest steps nothing but rounding and the noise of solves is left of a right remainder.
        let rounding = 4.0 * f64::EPSILON * self.base[j].abs();
        let shortest = trials.iter().rev().take(3).map(|t| t.error);
        let noise = 100.0 * shortest.fold(rounding, worst);
        let observed = order(&trials, |_| noise);
        let missing = match observed {
            Some(order) => (self.expected - order).max(0.0),
            None if self.negligible(j, samples, &trials) => 0.0,
            None => self.expected,
        };
        let mut check = Check::new(self.name, missing, ORDER);
        check.order = observed;
        check.trials = trials;
        check
    }

    /// Whether all remainders are next to nothing, so that no order need be seen.
    fn negligible(&self, j: usize, samples: &[Sample], trials: &[Trial]) -> bool {
        let size = |s: &Sample| self.base[j].abs().max((s.plus[j] - self.base[j]).abs());
        let mut pairs = samples.iter().zip(trials);
        pairs.all(|(s, t)| t.error <= PLATEAU * size(s))
    }
}
