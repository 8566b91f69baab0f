//! Table of parameter estimates with errors, confidence intervals and correlations.

use std::fmt;

use super::Uncertainty;
use super::digits::{plain, with_error};
use super::quantile::Confidence;
use crate::check;
use crate::error::Result;
use crate::model::Model;
use crate::noise::Noise;

/// Estimates of parameters with standard errors, confidence intervals and correlations. `Display` prints a table.
///
/// ```
/// use pullback::automatic::{Curve, Formula, Scalar};
/// use pullback::posterior::Variance;
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
/// let table = report.estimates(&descent, Variance::Estimated)?.named(&["a", "b"])?;
/// assert!(table.to_string().contains("1.990 ± 0.060"));
/// assert!(table.to_string().contains("3 degrees of freedom"));
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Estimates {
    names: Vec<String>,
    values: Vec<f64>,
    uncertainty: Uncertainty,
    confidence: Confidence,
}

impl Uncertainty {
    /// Returns the estimates `theta` with these uncertainties, as a table. Intervals are those of Student's distribution if the
    /// noise was estimated, and otherwise normal.
    ///
    /// # Errors
    /// Fails if the number of parameters differs from that of the covariance.
    pub fn estimates(&self, theta: &[f64]) -> Result<Estimates> {
        check::length(
            "θ of the estimates",
            theta.len(),
            self.standard_errors.len(),
        )?;
        Ok(Estimates {
            names: numbered(theta.len()),
            values: theta.to_vec(),
            confidence: Confidence {
                freedom: self.freedom(),
                ..Confidence::default()
            },
            uncertainty: self.clone(),
        })
    }
}

impl Estimates {
    /// Returns the covariance and the standard errors.
    pub fn uncertainty(&self) -> &Uncertainty {
        &self.uncertainty
    }

    /// Returns the names of the parameters.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the level of the confidence intervals.
    pub fn confidence(&self) -> f64 {
        self.confidence.level
    }

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

    /// Sets the degrees of freedom of the intervals, in place of those of the [`Variance`](super::Variance).
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

    /// Computes the confidence interval ρᵢ ± t σᵢ of every entry of the state of `model`, to first order in the parameters.
    ///
    /// The model may be another one with the same parameters, such as the same formula at other points (see
    /// [`Uncertainty::band`]). Each interval has the level by itself, and is infinite where undetermined parameters matter.
    ///
    /// # Errors
    /// Fails if the model cannot be solved, or has another number of parameters.
    pub fn band(&self, model: &dyn Model) -> Result<Vec<(f64, f64)>> {
        self.intervals_of(model, |_| 0.0)
    }

    /// Computes the interval ρᵢ ± t √(σᵢ² + s²γᵢ²) in which a new datum of every entry lies with this level.
    ///
    /// The deviations γ of `noise` are in the units of those in the loss, or 1 if it has none; s² is the
    /// [variance](Uncertainty::variance) of the noise.
    ///
    /// # Errors
    /// Fails as [`band`](Self::band) does, and if the noise has another size than the state.
    pub fn prediction_band(&self, model: &dyn Model, noise: &Noise) -> Result<Vec<(f64, f64)>> {
        check::length("the noise of new data", noise.dim(), model.state_dim())?;
        let variances = noise.variances();
        self.intervals_of(model, |i| self.uncertainty.variance() * variances[i])
    }

    /// Returns the intervals of the state with this variance in addition to that of the parameters.
    fn intervals_of(
        &self,
        model: &dyn Model,
        variance: impl Fn(usize) -> f64,
    ) -> Result<Vec<(f64, f64)>> {
        let (rho, errors) = self.uncertainty.predicted(model, &self.values)?;
        let t = self.quantile();
        let pairs = rho.iter().zip(&errors).enumerate();
        let intervals = pairs.map(|(i, (rho, error))| {
            let half = t * (error * error + variance(i)).sqrt();
            (rho - half, rho + half)
        });
        Ok(intervals.collect())
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
                .map(|(i, x)| match x.abs() < 1e-3 {
                    true => format!("{x:+.3e} {}", self.names[i]),
                    false => format!("{x:+.3} {}", self.names[i]),
                })
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

impl Estimates {
    /// Returns what the residual says of the noise, and what else the reader of the table has to know.
    pub fn notes(&self) -> Vec<String> {
        let remarks = self.uncertainty.remarks().iter().cloned();
        self.noise().into_iter().chain(remarks).collect()
    }

    /// Returns what the residual says of the noise.
    fn noise(&self) -> Option<String> {
        let uncertainty = &self.uncertainty;
        let residual = uncertainty.residual()?;
        let (data, parameters, freedom) = (residual.data, residual.parameters, residual.freedom());
        let counts =
            format!("{freedom} degrees of freedom ({data} data, {parameters} fitted parameters)");
        let deviation = plain(uncertainty.variance().sqrt(), 0.0);
        match (uncertainty.freedom(), residual.reduced()) {
            (Some(own), _) if own == freedom => Some(format!(
                "residual standard deviation {deviation} on {counts}"
            )),
            (None, Some(reduced)) if uncertainty.variance() == 1.0 => {
                let chi = plain(residual.chi_squared(), 0.0);
                Some(format!("χ² {chi} on {counts}, reduced χ² {reduced:.3}"))
            }
            (None, None) if uncertainty.variance() == 1.0 => None,
            _ => Some(format!(
                "standard deviation of the noise given: {deviation}"
            )),
        }
    }
}

/// Largest number of parameters whose correlations are printed.
const CORRELATED: usize = 8;

impl fmt::Display for Estimates {
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
        self.write_null_space(f)?;
        let mut notes = self.notes().into_iter();
        notes.try_for_each(|note| write!(f, "\n{note}"))
    }
}

/// Returns the names θ0, θ1, … of parameters without names of their own.
pub(crate) fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("θ{i}")).collect()
}
