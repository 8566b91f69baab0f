//! Interval of scales that narrows around a minimum of the objective along a direction.

use super::Trial;

/// Scale with the objective and, where it is known, the slope.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct End {
    pub(super) scale: f64,
    pub(super) loss: f64,
    slope: Option<f64>,
}

impl End {
    pub(super) fn of(trial: &Trial) -> Self {
        Self {
            scale: trial.scale,
            loss: trial.trial_loss,
            slope: trial.end_slope,
        }
    }
}

/// Interval from the lowest scale so far to a scale beyond the minimum, once there is one.
#[derive(Debug, Default)]
pub(super) struct Interval {
    /// Scale with the lowest objective, whose slope is known.
    pub(super) low: End,
    /// Other end of the interval.
    high: Option<End>,
    /// Lowest scale before `low`.
    before: Option<End>,
    /// Widths before the last trial and before the one before it, at first ∞.
    widths: [f64; 2],
}

/// Least and largest growth of a scale that is too short.
const GROWTH: [f64; 2] = [1.1, 10.0];

/// Part of the interval at both ends in which there is no trial.
const MARGIN: f64 = 0.1;

/// Part of the interval that may remain after two trials. Otherwise the next trial halves it.
const SLOW: f64 = 0.66;

impl Interval {
    /// Returns the interval before the first trial, which begins at the scale 0.
    pub(super) fn new(trial: &Trial) -> Self {
        Self {
            low: End {
                scale: 0.0,
                loss: trial.loss,
                slope: Some(trial.slope),
            },
            high: None,
            before: None,
            widths: [f64::INFINITY; 2],
        }
    }

    /// Ends the interval at a scale that is too high.
    pub(super) fn end_at(&mut self, high: End) {
        self.high = Some(high);
    }

    /// Moves the low end to a better scale.
    pub(super) fn move_to(&mut self, low: End) {
        let rises = |towards: f64| low.slope.unwrap_or(0.0) * towards >= 0.0;
        // The objective falls from the low end into the interval. If it rises from the new low end towards the high end,
        // the minimum lies between the new and the old low end.
        let towards = self.high.map_or(1.0, |high| high.scale - low.scale);
        if rises(towards) {
            self.high = Some(self.low);
        }
        self.before = Some(std::mem::replace(&mut self.low, low));
    }

    /// Returns the scale of the next trial.
    pub(super) fn next(&mut self) -> f64 {
        let low = self.low;
        let Some(high) = self.high else {
            // Without a high end the cubic through the last two low ends is extrapolated.
            let [least, most] = GROWTH.map(|growth| growth * low.scale);
            let scale = self.before.map_or(most, |before| minimum(&before, &low));
            return match scale > low.scale {
                true => scale.clamp(least, most),
                false => most,
            };
        };
        let width = high.scale - low.scale;
        let [last, earlier] = self.widths;
        self.widths = [width.abs(), last];
        if width.abs() > SLOW * earlier {
            return low.scale + 0.5 * width;
        }
        let part = (minimum(&low, &high) - low.scale) / width;
        let part = if part.is_finite() { part } else { 0.5 };
        low.scale + part.clamp(MARGIN, 1.0 - MARGIN) * width
    }
}

/// Returns the minimum of the cubic through the values and slopes at `a` and `b`, or of the parabola if the slope at `b` is
/// unknown. Returns NaN if there is none.
fn minimum(a: &End, b: &End) -> f64 {
    let (h, slope) = (b.scale - a.scale, a.slope.unwrap_or(f64::NAN));
    let rise = (b.loss - a.loss) / h;
    let Some(end) = b.slope else {
        // q(x) = f + s x + c x² with q(h) = f + rise·h gives c = (rise − s)/h and the minimum at −s/(2c). For an infinite
        // rise this is the end a.
        return a.scale - 0.5 * slope * h / (rise - slope);
    };
    // The cubic with p(0) = f, p′(0) = s, p(h) = f + rise·h, p′(h) = e has p′(x) = s + 2(c/h)x + 3(d/h²)x² with
    // d = s + e − 2·rise and c = 3·rise − 2s − e. Of the two zeros of p′, p″ is positive at x = −s h/(c ± √(c² − 3ds)), with the sign
    // of h.
    let (c, three_d) = (
        3.0 * rise - 2.0 * slope - end,
        3.0 * (slope + end - 2.0 * rise),
    );
    let root = h.signum() * (c * c - three_d * slope).sqrt();
    a.scale - slope * h / (c + root)
}
