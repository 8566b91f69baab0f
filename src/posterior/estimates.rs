//! Table of parameter estimates with errors, confidence intervals and correlations.

use std::fmt;

use super::Uncertainty;
use super::quantile::Confidence;
use crate::check;
use crate::error::Result;

/// Estimates of parameters with standard errors, confidence intervals and correlations. `Display` prints a table.
///
/// ```
/// use pullback::automatic::{Curve, Formula, Scalar};
/// use pullback::{Descent, loss::L2Misfit};
/// /// y = a + b t.
/// struct Line;
/// impl Formula for Line {
///     fn dims(&self) -> (usize, usize) { (5, 2) }
///     fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
///         for (t, y) in out.iter_mut().enumerate() { *y = theta[0] + theta[1] * t as f64; }
///     }
/// }
/// let (curve, loss) = (Curve::new(Line), L2Misfit::euclidean(vec![1.1, 2.9, 5.2, 6.8, 9.1])?);
/// let descent = Descent::new(&curve, &loss);
/// let report = descent.run(&[0.0, 0.0], |_| ())?;
/// // The noise is estimated from the residual of 5 data with 2 parameters.
/// let freedom = 3.0;
/// let covariance = report.covariance(&descent)?.scaled(2.0 * report.loss / freedom);
/// let table = covariance.estimates(&report.theta)?.named(&["a", "b"])?.freedom(freedom)?;
/// assert!(table.to_string().contains("1.990 ± 0.060"));
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Estimates<'a> {
    names: Vec<String>,
    values: &'a [f64],
    uncertainty: &'a Uncertainty,
    confidence: Confidence,
}

impl Uncertainty {
    /// Returns the estimates `theta` with these uncertainties, as a table.
    ///
    /// # Errors
    /// Fails if the number of parameters differs from that of the covariance.
    pub fn estimates<'a>(&'a self, theta: &'a [f64]) -> Result<Estimates<'a>> {
        check::length(
            "θ of the estimates",
            theta.len(),
            self.standard_errors.len(),
        )?;
        Ok(Estimates {
            names: numbered(theta.len()),
            values: theta,
            uncertainty: self,
            confidence: Confidence::default(),
        })
    }
}

impl Estimates<'_> {
    /// Sets the names of the parameters.
    ///
    /// # Errors
    /// Fails if there is not one name per parameter.
    pub fn named(mut self, names: &[&str]) -> Result<Self> {
        check::length(
            "the names of the parameters",
            names.len(),
            self.values.len(),
        )?;
        self.names = names.iter().map(|name| (*name).to_string()).collect();
        Ok(self)
    }

    /// Sets the degrees of freedom n − p of an estimated noise. Intervals are then those of Student's distribution, and
    /// otherwise normal.
    ///
    /// # Errors
    /// Fails if the number is not positive.
    pub fn freedom(mut self, freedom: f64) -> Result<Self> {
        self.confidence.freedom = Some(freedom);
        self.confidence.check()?;
        Ok(self)
    }

    /// Sets the level of the confidence intervals, 0.95 by default.
    ///
    /// # Errors
    /// Fails if the level is not between 0 and 1.
    pub fn level(mut self, level: f64) -> Result<Self> {
        self.confidence.level = level;
        self.confidence.check()?;
        Ok(self)
    }

    /// Returns the number t of standard errors from the middle of an interval to its ends.
    pub fn quantile(&self) -> f64 {
        self.confidence.quantile()
    }

    /// Returns the confidence interval of every parameter, θ ± t σ. It is infinite for an undetermined parameter, and a
    /// single point for one that is held by a bound.
    pub fn intervals(&self) -> Vec<(f64, f64)> {
        let t = self.quantile();
        let pairs = self.values.iter().zip(&self.uncertainty.standard_errors);
        pairs
            .map(|(value, error)| (value - t * error, value + t * error))
            .collect()
    }

    /// Returns the cell of a correlation.
    fn correlation(&self, i: usize, j: usize) -> String {
        let fixed = |k: usize| {
            let error = self.uncertainty.standard_errors[k];
            error == 0.0 || error.is_infinite()
        };
        match fixed(i) || fixed(j) {
            true => "–".to_string(),
            false => format!("{:.3}", self.uncertainty.correlation(i, j)),
        }
    }

    /// Returns the cells of a row: value with error, and interval.
    fn cells(&self, i: usize, (low, high): (f64, f64)) -> [String; 2] {
        let (value, error) = (self.values[i], self.uncertainty.standard_errors[i]);
        if self.uncertainty.held.contains(&i) {
            return [plain(value, 0.0), "held by its bound".to_string()];
        }
        if error.is_infinite() {
            return [plain(value, 0.0), "undetermined".to_string()];
        }
        let interval = format!("[{}, {}]", plain(low, error), plain(high, error));
        [with_error(value, error), interval]
    }

    /// Prints the combinations of parameters that the data do not determine.
    fn write_null_space(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for combination in self.uncertainty.undetermined() {
            let terms: Vec<String> = combination
                .map(|(i, x)| format!("{x:+.3} {}", self.names[i]))
                .collect();
            let combination = terms.join(" ");
            write!(
                f,
                "\nnot determined by the data: the combination {combination}"
            )?;
        }
        Ok(())
    }
}

/// Largest number of parameters whose correlations are printed.
const CORRELATED: usize = 8;

impl fmt::Display for Estimates<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let correlated = (2..=CORRELATED).contains(&self.values.len());
        let rows = self.intervals().into_iter().enumerate();
        let rows: Vec<[String; 2]> = rows.map(|(i, interval)| self.cells(i, interval)).collect();
        let level = format!("{} % interval", 100.0 * self.confidence.level);
        let widest = |cells: &mut dyn Iterator<Item = &str>| {
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let width = widest(&mut self.names.iter().map(String::as_str).chain(["parameter"]));
        let a = widest(
            &mut rows
                .iter()
                .map(|row| row[0].as_str())
                .chain(["value ± error"]),
        );
        let b = widest(
            &mut rows
                .iter()
                .map(|row| row[1].as_str())
                .chain([level.as_str()]),
        );
        let (name, value) = ("parameter", "value ± error");
        write!(f, "{name:width$}  {value:>a$}  {level:>b$}")?;
        if correlated {
            write!(f, "  correlation")?;
        }
        for (i, [value, interval]) in rows.iter().enumerate() {
            write!(f, "\n{:width$}  {value:>a$}  {interval:>b$}", self.names[i])?;
            if correlated {
                (0..i).try_for_each(|j| write!(f, "  {:>6}", self.correlation(i, j)))?;
            }
        }
        self.write_null_space(f)
    }
}

/// Returns the names θ0, θ1, … of parameters without names of their own.
pub(crate) fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("θ{i}")).collect()
}

/// Returns the decimal exponent of a number.
fn exponent(x: f64) -> i32 {
    if x == 0.0 {
        0
    } else {
        x.abs().log10().floor() as i32
    }
}

/// Formats a value and its error with two digits of the error.
fn with_error(value: f64, error: f64) -> String {
    let size = exponent(value.abs().max(error));
    // Powers of ten outside this range are written once for value and error.
    if (-3..6).contains(&size) {
        let decimals = decimals(error, 0);
        return format!("{value:.decimals$} ± {error:.decimals$}");
    }
    let (scale, decimals) = (10.0_f64.powi(size), decimals(error, size));
    format!(
        "({:.decimals$} ± {:.decimals$})e{size}",
        value / scale,
        error / scale
    )
}

/// Formats a number to the digit at which its error has its second digit, or to six digits without an error.
pub(crate) fn plain(value: f64, error: f64) -> String {
    let size = exponent(value.abs().max(error));
    let error = if error > 0.0 {
        error
    } else {
        1e-4 * 10.0_f64.powi(size)
    };
    if (-3..6).contains(&size) {
        return format!("{value:.0$}", decimals(error, 0));
    }
    format!(
        "{:.1$}e{size}",
        value / 10.0_f64.powi(size),
        decimals(error, size)
    )
}

/// Returns the number of decimals that show two digits of an error, in units of 10^`size`.
fn decimals(error: f64, size: i32) -> usize {
    (1 - exponent(error) + size).clamp(0, 15) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_rounded_by_their_errors() {
        for (value, error, expected) in [
            (238.942_129, 2.707_007, "238.9 ± 2.7"),
            (5.501_564_3e-4, 7.266_87e-6, "(5.502 ± 0.073)e-4"),
            (-0.000_12, 3.4, "-0.0 ± 3.4"),
            (1.5e12, 2.5e9, "(1.5000 ± 0.0025)e12"),
            (12.0, 120.0, "12 ± 120"),
            (0.0, 0.0123, "0.000 ± 0.012"),
        ] {
            assert_eq!(with_error(value, error), expected);
        }
    }
}
