//! Means over random probes.

use std::fmt;

use crate::error::Result;
use crate::posterior::{Confidence, plain, with_error};

/// Mean over independent random probes, with its standard error.
///
/// ```
/// use pullback::Operator;
/// use pullback::curvature::{Quadrature, Spectrum};
/// let h = Operator::triplets(50, 50, (1..50).flat_map(|i| [(i, i - 1, 1.0), (i - 1, i, 1.0), (i, i, 4.0)]));
/// let trace = Spectrum::of(&h, &Quadrature::default())?.trace();
/// let (low, high) = trace.interval(0.99)?;
/// assert!(low <= 196.0 && 196.0 <= high);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Average {
    /// Mean over the probes.
    pub value: f64,
    /// Standard error of the mean, 0 for an exact value.
    pub standard_error: f64,
    /// Degrees of freedom of the standard error, the number of probes less one, or 0 for an exact value.
    pub freedom: usize,
    /// Error by too few Lanczos steps: the difference of the rules of Gauss and of Gauss and Radau. It is a bound for
    /// functions whose even derivatives are positive and odd ones negative, such as those of the effective dimension, and an
    /// estimate for others. It includes rounding, and is infinite if the
    /// function is not finite at the end of the spectrum, or if the nodes do not resolve it.
    pub truncation: f64,
    /// Numbers between which the value lies, such as 0 and the number of parameters for an effective dimension.
    pub range: (f64, f64),
}

/// Range of a value that may be any number.
const ANY: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

impl Average {
    pub(super) fn exact(value: f64) -> Self {
        Self {
            value,
            standard_error: 0.0,
            freedom: 0,
            truncation: 0.0,
            range: ANY,
        }
    }

    /// Returns the mean of two or more independent samples.
    pub(super) fn of(samples: &[f64]) -> Self {
        let n = samples.len() as f64;
        let value = samples.iter().sum::<f64>() / n;
        let squares: f64 = samples.iter().map(|x| (x - value) * (x - value)).sum();
        Self {
            value,
            standard_error: (squares / (n * (n - 1.0))).sqrt(),
            freedom: samples.len() - 1,
            truncation: 0.0,
            range: ANY,
        }
    }

    /// Returns a + b times the mean, which may be any number.
    pub(super) fn mapped(self, a: f64, b: f64) -> Self {
        Self {
            range: ANY,
            value: a + b * self.value,
            standard_error: b.abs() * self.standard_error,
            freedom: self.freedom,
            truncation: b.abs() * self.truncation,
        }
    }

    /// Returns the average of a value that lies between two numbers.
    pub(super) fn within(self, low: f64, high: f64) -> Self {
        Self {
            range: (low, high),
            ..self
        }
    }

    /// Returns the interval of Student's distribution with this level, such as 0.95, widened by the truncation and cut off at the
    /// ends of the range.
    ///
    /// # Errors
    /// Fails if the level is not between 0 and 1.
    pub fn interval(&self, level: f64) -> Result<(f64, f64)> {
        let half = self.truncation + spread(self.standard_error, self.freedom, level)?;
        let (low, high) = self.range;
        let ends = [self.value - half, self.value + half].map(|x| x.max(low).min(high));
        Ok((ends[0], ends[1]))
    }
}

/// Error relative to a value below which it is not printed.
const SMALL: f64 = 1e-12;

/// Returns t times the standard error, for a level of confidence.
pub(super) fn spread(standard_error: f64, freedom: usize, level: f64) -> Result<f64> {
    let freedom = Some(freedom as f64).filter(|nu| *nu > 0.0);
    let confidence = Confidence { level, freedom };
    confidence.check()?;
    Ok(match standard_error > 0.0 {
        true => confidence.quantile() * standard_error,
        false => 0.0,
    })
}

impl fmt::Display for Average {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = self.standard_error + self.truncation;
        // A few ulps are no news.
        if error.is_infinite() {
            return write!(f, "{} (not resolved)", plain(self.value, self.value));
        }
        match error > SMALL * self.value.abs() {
            true => write!(f, "{}", with_error(self.value, error)),
            false => write!(f, "{}", plain(self.value, 0.0)),
        }
    }
}
