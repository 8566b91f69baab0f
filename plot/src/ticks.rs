//! Ticks of an axis: where they stand and how they are labelled.

use crate::axis::Axis;
use crate::font;
use crate::number::{fixed, multiples, nice, power_of_ten};

/// Height of tick labels in pixels.
pub(crate) const TICK_SIZE: f64 = 14.0;

/// Most ticks an axis gets.
const MOST: usize = 9;

/// One labelled tick; `at` is the fraction of the axis from its lower end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tick {
    pub(crate) at: f64,
    pub(crate) label: String,
}

/// All ticks of an axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ticks {
    pub(crate) major: Vec<Tick>,
    /// Fractions at which unlabelled short ticks stand.
    pub(crate) minor: Vec<f64>,
    /// Power of ten that all labels are to be multiplied by, as text; empty where it is one.
    pub(crate) factor: String,
}

/// The room that an axis offers: its length in pixels and its direction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) length: f64,
    pub(crate) horizontal: bool,
}

impl Room {
    /// Whether neighbouring labels keep their distance.
    fn holds(&self, ticks: &Ticks) -> bool {
        let extent = |tick: &Tick| match self.horizontal {
            true => font::width(&tick.label, TICK_SIZE) + 16.0,
            false => 2.0 * TICK_SIZE,
        };
        ticks.major.windows(2).all(|pair| {
            let apart = (pair[1].at - pair[0].at) * self.length;
            apart >= 0.5 * (extent(&pair[0]) + extent(&pair[1]))
        })
    }
}

impl Ticks {
    /// The densest ticks that fit.
    pub(crate) fn of(axis: &Axis, room: Room) -> Ticks {
        let decades = axis.upper.floor() - axis.lower.ceil();
        match axis.log {
            true if decades >= 1.0 => decade_ticks(axis, room),
            true => mantissa_ticks(axis, room),
            false => linear_ticks(axis, room),
        }
    }

    /// Width of the widest label.
    pub(crate) fn width(&self) -> f64 {
        let widths = self.major.iter().map(|t| font::width(&t.label, TICK_SIZE));
        widths.fold(0.0, f64::max)
    }
}

/// Ticks at multiples of 1, 2 or 5 times a power of ten.
fn linear_ticks(axis: &Axis, room: Room) -> Ticks {
    let tries = (1..=MOST).rev().map(|count| {
        let step = nice(axis.span() / count as f64);
        labelled(axis, &multiples([axis.lower, axis.upper], step), step)
    });
    choose(tries, room)
}

/// The first of the tries that fits with at least two ticks, or else the last that has any.
fn choose(tries: impl Iterator<Item = Ticks>, room: Room) -> Ticks {
    let mut fallback = Ticks::default();
    for ticks in tries {
        if ticks.major.len() >= 2 && room.holds(&ticks) {
            return ticks;
        }
        if !ticks.major.is_empty() {
            fallback = ticks;
        }
    }
    // Not even two labels fit side by side: one is better than an overlap.
    fallback.major.truncate(1);
    fallback
}

/// Ticks at given values with labels of equal precision, and a common power of ten for large or small ones.
fn labelled(axis: &Axis, values: &[f64], step: f64) -> Ticks {
    let size = values.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let power = match size {
        s if s >= 99_999.5 || (s < 9.9e-4 && s > 0.0) => (s * (1.0 + 1e-12)).log10().floor() as i32,
        _ => 0,
    };
    let unit = 10f64.powi(power);
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

/// Powers of ten, every one or every few, with short ticks between neighbours.
fn decade_ticks(axis: &Axis, room: Room) -> Ticks {
    let (first, last) = (axis.lower.ceil() as i32, axis.upper.floor() as i32);
    let strides = [1, 2, 3, 4, 5, 10, 20, 50, 100, 200];
    let at = |v: f64| (v - axis.lower) / axis.span();
    let inside = |f: &f64| (0.0..=1.0).contains(f);
    let tries = strides.into_iter().map(|stride| {
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
    choose(tries, room)
}

/// Ticks of a logarithmic axis too short for two powers of ten.
fn mantissa_ticks(axis: &Axis, room: Room) -> Ticks {
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
    // Below a factor of two in all, evenly spaced values tell more.
    let fine = (1..=5).rev().map(|count| {
        let step = nice((high - low) / f64::from(count));
        labelled(axis, &multiples([low, high], step), step)
    });
    match axis.span() > 0.45 {
        true => choose(coarse.chain(fine), room),
        false => choose(fine, room),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: Room = Room {
        length: 500.0,
        horizontal: true,
    };

    fn labels(lower: f64, upper: f64, log: bool) -> (Vec<String>, String) {
        let axis = Axis { lower, upper, log };
        let ticks = Ticks::of(&axis, WIDE);
        let inside = |t: &Tick| (-1e-6..=1.0 + 1e-6).contains(&t.at);
        assert!(ticks.major.iter().all(inside), "{ticks:?}");
        assert!(WIDE.holds(&ticks));
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
    fn a_tiny_room_keeps_one_label() {
        let axis = Axis::exactly([0.0, 1.0], Axis::around([0.0, 1.0].into_iter(), false));
        let room = Room {
            length: 10.0,
            horizontal: true,
        };
        assert_eq!(Ticks::of(&axis, room).major.len(), 1);
    }
}
