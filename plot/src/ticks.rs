//! Ticks of an axis: positions and labels.

use crate::axis::Axis;
use crate::font;
use crate::number::{fixed, multiples, nice, power_of_ten};

/// Size of tick labels in pixels.
pub(crate) const TICK_SIZE: f64 = 14.0;

/// Largest number of intervals into which ticks divide a linear axis.
const MAX_INTERVALS: usize = 9;

/// Labelled tick at the fraction `at` of the axis, from the lower end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tick {
    pub(crate) at: f64,
    pub(crate) label: String,
}

/// All ticks of an axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ticks {
    pub(crate) major: Vec<Tick>,
    /// Positions of the short ticks without labels, as fractions of the axis.
    pub(crate) minor: Vec<f64>,
    /// Text of the power of ten that is common to all labels, empty if the power is one.
    pub(crate) factor: String,
}

/// Length of an axis in pixels, and its direction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) length: f64,
    pub(crate) horizontal: bool,
}

impl Extent {
    /// Returns whether neighbouring tick labels keep a minimum distance along the axis.
    fn fits(&self, ticks: &Ticks) -> bool {
        let size = |tick: &Tick| match self.horizontal {
            true => font::width(&tick.label, TICK_SIZE) + 16.0,
            false => 2.0 * TICK_SIZE,
        };
        ticks.major.windows(2).all(|pair| {
            let apart = (pair[1].at - pair[0].at) * self.length;
            apart >= 0.5 * (size(&pair[0]) + size(&pair[1]))
        })
    }
}

impl Ticks {
    /// Chooses the densest ticks whose labels fit.
    pub(crate) fn of(axis: &Axis, extent: Extent) -> Ticks {
        let decades = axis.upper.floor() - axis.lower.ceil();
        match axis.log {
            true if decades >= 1.0 => decade_ticks(axis, extent),
            true => mantissa_ticks(axis, extent),
            false => linear_ticks(axis, extent),
        }
    }

    /// Returns the width of the widest label.
    pub(crate) fn width(&self) -> f64 {
        let widths = self.major.iter().map(|t| font::width(&t.label, TICK_SIZE));
        widths.fold(0.0, f64::max)
    }
}

/// Returns ticks at multiples of 1, 2 or 5 times a power of ten.
fn linear_ticks(axis: &Axis, extent: Extent) -> Ticks {
    let candidates = (1..=MAX_INTERVALS).rev().map(|count| {
        let step = nice(axis.span() / count as f64);
        let step = if axis.whole { step.max(1.0) } else { step };
        labelled(axis, &multiples([axis.lower, axis.upper], step), step)
    });
    choose(candidates, extent)
}

/// Returns the first candidate that fits and has at least two ticks.
///
/// If there is none, returns the last candidate that has any tick, reduced to one tick.
fn choose(candidates: impl Iterator<Item = Ticks>, extent: Extent) -> Ticks {
    let mut fallback = Ticks::default();
    for ticks in candidates {
        if ticks.major.len() >= 2 && extent.fits(&ticks) {
            return ticks;
        }
        if !ticks.major.is_empty() {
            fallback = ticks;
        }
    }
    // Not even two labels fit next to each other. One label is better than an overlap.
    fallback.major.truncate(1);
    fallback
}

/// Places ticks at `values`, with labels of equal precision and a common power of ten for large or small values.
fn labelled(axis: &Axis, values: &[f64], step: f64) -> Ticks {
    let size = values.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    // Values from 9.9·10⁻⁴ up to five digits before the decimal point are written without a power of ten.
    // The factor 1 + 1e-12 keeps a value that rounding left just below a power of ten in its decade.
    let power = match size {
        s if s >= 99_999.5 || (s < 9.9e-4 && s > 0.0) => (s * (1.0 + 1e-12)).log10().floor() as i32,
        _ => 0,
    };
    let unit = 10f64.powi(power);
    // A step of 10⁻ᵏ needs k decimals, and steps are 1, 2 or 5 times a power of ten. 1e-9 absorbs rounding of the
    // logarithm.
    let decimals = (-(step / unit).log10() - 1e-9).ceil().clamp(0.0, 15.0) as usize;
    let major = values.iter().map(|v| Tick {
        at: axis.fraction(*v),
        label: fixed(v / unit, decimals),
    });
    Ticks {
        major: major.collect(),
        minor: Vec::new(),
        factor: match power {
            0 => String::new(),
            _ => format!("×{}", power_of_ten(power)),
        },
    }
}

/// Returns ticks at the powers of ten whose exponent is a multiple of a stride, with short ticks between them.
fn decade_ticks(axis: &Axis, extent: Extent) -> Ticks {
    let (first, last) = (axis.lower.ceil() as i32, axis.upper.floor() as i32);
    let strides = [1, 2, 3, 4, 5, 10, 20, 50, 100, 200];
    let at = |v: f64| (v - axis.lower) / axis.span();
    let inside = |f: &f64| (0.0..=1.0).contains(f);
    let candidates = strides.into_iter().map(|stride| {
        let powers = (first..=last).filter(|p| p % stride == 0);
        let tick = |p: i32| Tick {
            at: at(f64::from(p)),
            label: power_of_ten(p),
        };
        let between = (first - 1..=last).flat_map(|p| {
            let fine = 2..=9;
            fine.map(move |m| f64::from(p) + f64::from(m).log10())
        });
        let minor: Vec<f64> = match stride {
            1 => between.map(at).filter(inside).collect(),
            _ if last - first <= 30 => (first..=last).map(|p| at(f64::from(p))).collect(),
            _ => Vec::new(),
        };
        Ticks {
            major: powers.map(tick).collect(),
            minor,
            factor: String::new(),
        }
    });
    choose(candidates, extent)
}

/// Returns the ticks of a logarithmic axis that contains fewer than two powers of ten.
fn mantissa_ticks(axis: &Axis, extent: Extent) -> Ticks {
    let (low, high) = (10f64.powf(axis.lower), 10f64.powf(axis.upper));
    let power = axis.lower.floor() as i32;
    let sets: [&[i32]; 4] = [
        &[1, 2, 3, 4, 5, 6, 7, 8, 9],
        &[1, 2, 3, 5, 7],
        &[1, 2, 5],
        &[1, 3],
    ];
    let coarse = sets.into_iter().map(|set| {
        let values: Vec<f64> = (power..=power + 2)
            .flat_map(|p| set.iter().map(move |m| f64::from(*m) * 10f64.powi(p)))
            .filter(|v| (low..=high).contains(v))
            .collect();
        let finest = values.first().map_or(1.0, |v| v.log10() + 1e-9);
        labelled(axis, &values, 10f64.powf(finest.floor()))
    });
    // Evenly spaced values are more informative if the ends differ by less than a factor of 10^0.45 ≈ 2.8.
    let fine = (1..=5).rev().map(|count| {
        let step = nice((high - low) / f64::from(count));
        labelled(axis, &multiples([low, high], step), step)
    });
    match axis.span() > 0.45 {
        true => choose(coarse.chain(fine), extent),
        false => choose(fine, extent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: Extent = Extent {
        length: 500.0,
        horizontal: true,
    };

    fn labels(lower: f64, upper: f64, log: bool) -> (Vec<String>, String) {
        let axis = Axis {
            lower,
            upper,
            log,
            whole: false,
        };
        let ticks = Ticks::of(&axis, WIDE);
        let inside = |t: &Tick| (-1e-6..=1.0 + 1e-6).contains(&t.at);
        assert!(ticks.major.iter().all(inside), "{ticks:?}");
        assert!(WIDE.fits(&ticks));
        let labels = ticks.major.into_iter().map(|t| t.label).collect();
        (labels, ticks.factor)
    }

    #[test]
    fn linear_ticks_are_round_numbers() {
        let (ticks, factor) = labels(-0.1, 1.05, false);
        assert_eq!(ticks, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert!(factor.is_empty());
        let (ticks, _) = labels(-2.1, 2.1, false);
        assert!(ticks.contains(&"−1".to_string()) || ticks.contains(&"−1.0".to_string()));
    }

    #[test]
    fn extreme_values_share_a_power_of_ten() {
        assert_eq!(labels(0.0, 3.1e-7, false).1, "×10^{−7}");
        assert_eq!(labels(0.0, 2.4e9, false).1, "×10^{9}");
        let (ticks, factor) = labels(1e6, 1e6 + 1.0, false);
        assert_eq!(factor, "×10^{6}");
        assert!(ticks.len() >= 2 && ticks.windows(2).all(|p| p[0] != p[1]));
    }

    #[test]
    fn logarithmic_ticks_are_powers_of_ten() {
        let (ticks, _) = labels(-12.3, 0.2, true);
        assert!(ticks.len() >= 4 && ticks.contains(&"10^{−6}".to_string()));
        assert!(labels(-300.0, 300.0, true).0.len() >= 3);
    }

    #[test]
    fn a_short_logarithmic_axis_still_has_ticks() {
        for (lower, upper) in [(0.1, 0.9), (-0.3, 0.3), (0.30, 0.31), (-5.2, -4.9)] {
            assert!(labels(lower, upper, true).0.len() >= 2, "{lower} {upper}");
        }
    }

    #[test]
    fn a_tiny_axis_keeps_one_label() {
        let axis = Axis::exactly([0.0, 1.0], Axis::around([0.0, 1.0].into_iter(), false));
        let extent = Extent {
            length: 10.0,
            horizontal: true,
        };
        assert_eq!(Ticks::of(&axis, extent).major.len(), 1);
    }
}
