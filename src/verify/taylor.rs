//! Taylor remainders and their order.

use super::probe::worst;
use super::report::{Check, Trial};
use super::scan::{FEWEST, NO_STEPS, Sample, order};
use super::{ORDER, PLATEAU};

/// Remainder |F(x + hv) − F(x) − h s|, which vanishes like h^`expected` or faster.
///
/// The expected order is 2 if s is the derivative of F along v, and 1 for s = 0.
pub(super) struct Remainder<'a> {
    pub(super) name: &'static str,
    pub(super) expected: f64,
    /// Values F(x), one entry per direction.
    pub(super) base: &'a [f64],
    /// Slopes s, one entry per direction.
    pub(super) slopes: &'a [f64],
}

impl Remainder<'_> {
    /// Checks every direction and returns the check whose observed order falls short the most.
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

    /// Checks the remainder along direction `j`.
    fn along(&self, j: usize, samples: &[Sample]) -> Check {
        let remainder = |s: &Sample| Trial {
            h: s.h,
            error: (s.plus[j] - self.base[j] - s.h * self.slopes[j]).abs(),
        };
        let trials: Vec<Trial> = samples.iter().map(remainder).collect();
        // At the shortest steps a correct remainder consists only of rounding and of the errors of solves.
        // Only remainders a hundred times as large show the order.
        let rounding = 4.0 * f64::EPSILON * self.base[j].abs();
        let shortest = trials.iter().rev().take(3).map(|t| t.error);
        let noise = 100.0 * shortest.fold(rounding, worst);
        // Each of two such remainders is off by 1 % at most, and their order by 0.02/ln 10 < 0.01, far less
        // than its tolerance.
        let observed = order(&trials, |_| noise);
        let deficit = match observed {
            Some(order) => (self.expected - order).max(0.0),
            None if self.negligible(j, samples, &trials) => 0.0,
            None => self.expected,
        };
        let mut check = Check::new(self.name, deficit, ORDER);
        check.order = observed;
        check.trials = trials;
        check
    }

    /// Returns whether all remainders are negligible relative to F, so that no order need be observed.
    fn negligible(&self, j: usize, samples: &[Sample], trials: &[Trial]) -> bool {
        // An objective that is linear along v has remainders that consist only of rounding and show no order.
        let size = |s: &Sample| self.base[j].abs().max((s.plus[j] - self.base[j]).abs());
        let mut pairs = samples.iter().zip(trials);
        pairs.all(|(s, t)| t.error <= PLATEAU * size(s))
    }
}
