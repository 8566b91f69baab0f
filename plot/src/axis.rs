//! The range of an axis, linear or logarithmic.

/// Beyond this the arithmetic of ranges could overflow.
const LARGEST: f64 = 1e300;

/// Share of the data's extent that is left free at each end.
const MARGIN: f64 = 0.04;

/// A range in the coordinate that is drawn: the value itself, or its decimal logarithm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Axis {
    pub(crate) lower: f64,
    pub(crate) upper: f64,
    pub(crate) log: bool,
}

impl Axis {
    /// The axis that takes in all drawable `values` with a small margin.
    pub(crate) fn around(values: impl Iterator<Item = f64>, log: bool) -> Axis {
        let drawn = values.map(|v| warp(v, log)).filter(|v| v.is_finite());
        let extremes = drawn.fold(None, |range: Option<[f64; 2]>, v| {
            Some(range.map_or([v, v], |[low, high]| [low.min(v), high.max(v)]))
        });
        match extremes {
            None if log => Axis::between(-1.0, 1.0, log),
            None => Axis::between(0.0, 1.0, log),
            Some([low, high]) => {
                let pad = MARGIN * (high - low);
                Axis::between(low - pad, high + pad, log)
            }
        }
    }

    /// The axis over exactly `range`, or `other` where the range has no extent that can be drawn.
    pub(crate) fn exactly(range: [f64; 2], other: Axis) -> Axis {
        let [a, b] = range.map(|v| warp(v, other.log));
        match (a.is_finite(), b.is_finite()) {
            (true, true) => Axis::between(a.min(b), a.max(b), other.log),
            // A non-positive lower end on a logarithmic axis: keep what the data suggest.
            (false, true) if other.lower < b => Axis::between(other.lower, b, other.log),
            _ => other,
        }
    }

    /// The axis between two drawn coordinates, widened where they coincide.
    fn between(low: f64, high: f64, log: bool) -> Axis {
        let (low, high) = (low.clamp(-LARGEST, LARGEST), high.clamp(-LARGEST, LARGEST));
        let size = low.abs().max(high.abs());
        // Twelve digits apart is the least that tick labels can tell.
        if high - low > 1e-12 * size {
            return Axis {
                lower: low,
                upper: high,
                log,
            };
        }
        let pad = match (log, size > 0.0) {
            (true, _) | (false, false) => 0.5,
            (false, true) => 0.1 * size,
        };
        let centre = 0.5 * low + 0.5 * high;
        Axis {
            lower: centre - pad,
            upper: centre + pad,
            log,
        }
    }

    /// The same axis without a margin below zero, where no value is negative: bars stand on it.
    pub(crate) fn standing_on_zero(self, mut values: impl Iterator<Item = f64>) -> Axis {
        match !self.log && self.upper > 0.0 && !values.any(|v| v < 0.0) {
            true => Axis { lower: 0.0, ..self },
            false => self,
        }
    }

    /// Length of the range in the drawn coordinate.
    pub(crate) fn span(&self) -> f64 {
        self.upper - self.lower
    }

    /// Where `value` lies, 0 at the lower and 1 at the upper end; NaN where it cannot be drawn.
    pub(crate) fn fraction(&self, value: f64) -> f64 {
        (warp(value, self.log) - self.lower) / self.span()
    }

    /// The same axis with its span multiplied by `factor` about its centre.
    pub(crate) fn stretched(self, factor: f64) -> Axis {
        let centre = 0.5 * self.lower + 0.5 * self.upper;
        let half = 0.5 * self.span() * factor;
        Axis {
            lower: centre - half,
            upper: centre + half,
            ..self
        }
    }
}

/// The drawn coordinate of a value.
fn warp(value: f64, log: bool) -> f64 {
    match (log, value > 0.0) {
        (false, _) => value,
        (true, true) => value.log10(),
        (true, false) => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(values: &[f64], log: bool) -> Axis {
        Axis::around(values.iter().copied(), log)
    }

    #[test]
    fn ranges_take_in_the_data_with_a_margin() {
        let axis = around(&[1.0, 3.0, f64::NAN, f64::INFINITY], false);
        assert!(axis.lower < 1.0 && axis.lower > 0.8);
        assert!(axis.upper > 3.0 && axis.upper < 3.2);
    }

    #[test]
    fn degenerate_data_still_have_a_range() {
        let cases: [&[f64]; 7] = [
            &[],
            &[0.0],
            &[5.0, 5.0],
            &[-1e300, 1e300],
            &[f64::MAX, f64::MIN],
            &[1e-310],
            &[f64::NAN],
        ];
        for values in cases {
            for log in [false, true] {
                let axis = around(values, log);
                assert!(axis.span() > 0.0 && axis.span().is_finite(), "{values:?}");
            }
        }
    }

    #[test]
    fn a_logarithmic_axis_skips_what_is_not_positive() {
        let axis = around(&[-1.0, 0.0, 1e-3, 10.0], true);
        assert!(axis.lower < -3.0 && axis.lower > -3.5);
        assert!(axis.fraction(0.0).is_nan());
        assert!((axis.fraction(1e-1) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn given_ranges_win_and_reversed_ones_are_turned() {
        let data = around(&[1.0, 100.0], true);
        let axis = Axis::exactly([1000.0, 0.1], data);
        assert_eq!((axis.lower, axis.upper), (-1.0, 3.0));
        let half = Axis::exactly([0.0, 1000.0], data);
        assert_eq!((half.lower, half.upper), (data.lower, 3.0));
        assert_eq!(
            Axis::exactly([f64::NAN, 1.0], around(&[2.0], false)),
            around(&[2.0], false)
        );
    }
}
