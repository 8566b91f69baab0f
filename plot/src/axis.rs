//! Ranges of axes, linear or logarithmic.

/// Largest absolute value of the ends of an axis. Larger ends are clamped, so that differences and margins cannot
/// overflow.
const LARGEST: f64 = 1e300;

/// Margin at each end as a fraction of the extent of the data.
const MARGIN: f64 = 0.04;

/// Range of an axis in its drawn coordinate, which is the value itself or its decimal logarithm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Axis {
    pub(crate) lower: f64,
    pub(crate) upper: f64,
    pub(crate) log: bool,
    /// Whether ticks lie at whole numbers only.
    pub(crate) whole: bool,
}

impl Axis {
    /// Returns the axis that contains all drawable `values` with a margin.
    pub(crate) fn around(values: impl Iterator<Item = f64>, log: bool) -> Axis {
        let drawn = values.map(|v| coordinate(v, log)).filter(|v| v.is_finite());
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

    /// Returns the axis over `range`, or `fallback` if the range has no drawable extent.
    pub(crate) fn exactly(range: [f64; 2], fallback: Axis) -> Axis {
        let [a, b] = range.map(|v| coordinate(v, fallback.log));
        match (a.is_finite(), b.is_finite()) {
            (true, true) => Axis::between(a.min(b), a.max(b), fallback.log),
            // A lower end that is not positive cannot be drawn on a logarithmic axis: the fallback supplies it.
            (false, true) if fallback.lower < b => Axis::between(fallback.lower, b, fallback.log),
            _ => fallback,
        }
    }

    /// Returns the axis between two drawn coordinates, widened if they coincide.
    fn between(low: f64, high: f64, log: bool) -> Axis {
        let (low, high) = (low.clamp(-LARGEST, LARGEST), high.clamp(-LARGEST, LARGEST));
        let size = low.abs().max(high.abs());
        // Tick labels cannot distinguish ends that agree to twelve digits.
        if high - low > 1e-12 * size {
            return Axis {
                lower: low,
                upper: high,
                log,
                whole: false,
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
            whole: false,
        }
    }

    /// Moves the lower end to zero if no value is negative, because bars stand on zero.
    pub(crate) fn standing_on_zero(self, mut values: impl Iterator<Item = f64>) -> Axis {
        match !self.log && self.upper > 0.0 && !values.any(|v| v < 0.0) {
            true => Axis { lower: 0.0, ..self },
            false => self,
        }
    }

    /// Returns the length of the range in the drawn coordinate.
    pub(crate) fn span(&self) -> f64 {
        self.upper - self.lower
    }

    /// Returns the position of `value` on the axis: 0 at the lower end, 1 at the upper end, NaN if the value cannot be
    /// drawn.
    pub(crate) fn fraction(&self, value: f64) -> f64 {
        (coordinate(value, self.log) - self.lower) / self.span()
    }

    /// Returns the value at a position on the axis.
    pub(crate) fn value(&self, fraction: f64) -> f64 {
        let drawn = self.lower + fraction * self.span();
        if self.log { 10f64.powf(drawn) } else { drawn }
    }

    /// Multiplies the span of the axis by `factor` about the centre.
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

/// Converts a value to the drawn coordinate, which is NaN if the value cannot be drawn.
fn coordinate(value: f64, log: bool) -> f64 {
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
        assert!((axis.value(0.5) - 1e-1).abs() < 1e-12);
    }

    #[test]
    fn given_ranges_replace_the_data_and_reversed_ones_are_swapped() {
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
