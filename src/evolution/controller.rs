//! Lengths of the steps.

/// Share of the step that the error estimate would allow.
const SAFETY: f64 = 0.9;

/// Factor of a step that failed without an estimate.
const FAILED: f64 = 0.25;

/// Smallest error, relative to what is allowed, that counts.
const LEAST: f64 = 1e-10;

/// Distance to a time, relative to the step, within which the step reaches it.
const CLOSE: f64 = 1e-12;

/// Step lengths by the estimated error of every step.
pub(super) struct Controller {
    /// Length that the errors so far allow.
    length: f64,
    /// Power of the length in the estimated error.
    order: i32,
}

impl Controller {
    pub(super) fn new(length: f64, order: i32) -> Self {
        Self { length, order }
    }

    /// Returns the length of the next step, and whether it covers the whole distance to the next time.
    pub(super) fn step(&self, distance: f64) -> (f64, bool) {
        if self.length >= distance * (1.0 - CLOSE) {
            (distance, true)
        } else if 2.0 * self.length > distance {
            // Two equal steps instead of a long one and a tiny one.
            (0.5 * distance, false)
        } else {
            (self.length, false)
        }
    }

    /// Adapts to the error of a step of this length, relative to what is allowed, or to a step that failed. Returns whether the
    /// step is accepted.
    pub(super) fn judge(&mut self, step: f64, error: Option<f64>) -> bool {
        let Some(error) = error else {
            self.length = FAILED * step;
            return false;
        };
        let factor = SAFETY * error.max(LEAST).powf(-1.0 / f64::from(self.order));
        if error > 1.0 {
            self.length = step * factor.clamp(0.1, 0.9);
            return false;
        }
        let next = step * factor.clamp(0.2, 5.0);
        // A step that was cut short at a time says nothing against the length before it.
        self.length = match step < self.length && factor >= 1.0 {
            true => self.length.max(next),
            false => next,
        };
        true
    }

    /// Returns whether the next step would not change a time of this size.
    pub(super) fn vanishes(&self, size: f64) -> bool {
        self.length <= 4.0 * f64::EPSILON * size
    }
}
