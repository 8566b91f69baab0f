//! Likelihood of measurements.

use super::{Measurements, Row, is_missing};
use crate::check;
use crate::error::Result;
use crate::loss::{Datum, Error, Family, Likelihood, NoiseLevel};

/// Observable of [`Measurements`], with the distribution of its values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observable<'a> {
    /// Name in the table.
    pub name: &'a str,
    /// Distribution of the values.
    pub family: Family,
    /// Source of the noise level.
    pub noise: NoiseSource,
}

/// Source of the noise level of an [`Observable`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NoiseSource {
    /// Known noise level.
    Given(f64),
    /// Column `noise` of the table.
    Column,
    /// Output of the model at the same time.
    Output(usize),
}

impl Measurements {
    /// Returns the number of entries of the state, for a model with this number of outputs.
    pub fn entries(&self, outputs: usize) -> usize {
        outputs * self.conditions.iter().map(|c| c.times.len()).sum::<usize>()
    }

    /// Returns the negative log-likelihood of the measurements, without missing values.
    ///
    /// The state holds `outputs` numbers for every time of the first condition, then for every time of the second, and so on. The
    /// observables are the first outputs, in their order. Noise levels may be further outputs.
    ///
    /// # Errors
    /// Fails if the table has other observables than these, or a noise level that is not a positive number although the
    /// observable takes it from there, if there are fewer outputs than are used, and as [`Likelihood::new`] does.
    pub fn likelihood(&self, outputs: usize, observables: &[Observable<'_>]) -> Result<Likelihood> {
        check::option(
            "the number of outputs",
            outputs as f64,
            outputs >= observables.len(),
            "give at least one for each observable",
        )?;
        for (i, observable) in observables.iter().enumerate() {
            if let NoiseSource::Output(output) = observable.noise {
                check::option(
                    "the output that holds a noise level",
                    output as f64,
                    output < outputs,
                    "give an index below the number of outputs",
                )?;
            }
            let again = |other: &Observable<'_>| other.name == observable.name;
            if observables[..i].iter().any(again) {
                return Err(Error::Twice {
                    name: observable.name.to_string(),
                }
                .into());
            }
        }
        // First entries of the conditions.
        let mut firsts = vec![0];
        for condition in &self.conditions {
            firsts.push(firsts[firsts.len() - 1] + outputs * condition.times.len());
        }
        let present = self.rows.iter().filter(|row| !row.value.is_nan());
        let data = present.map(|row| {
            let first = firsts[row.condition] + outputs * row.time;
            self.datum(row, first, observables)
        });
        Likelihood::new(self.entries(outputs), data.collect::<Result<Vec<_>>>()?)
    }

    /// Returns the datum of a line whose outputs start at the entry `first`.
    fn datum(&self, row: &Row, first: usize, observables: &[Observable<'_>]) -> Result<Datum> {
        let [names, values, noises] = &self.columns;
        let index = observables.iter().position(|o| o.name == row.observable);
        let index = index.ok_or_else(|| {
            let problem = "is not among the observables; add it, or remove its lines";
            Error::cell((row.line, names), &row.observable, problem)
        })?;
        let Observable { family, noise, .. } = observables[index];
        if family.is_positive() && row.value <= 0.0 {
            let problem = "has no logarithm; give positive values, or another family";
            let text = row.value.to_string();
            return Err(Error::cell((row.line, values), &text, problem).into());
        }
        let noise = match noise {
            NoiseSource::Given(sigma) => NoiseLevel::Given(sigma),
            NoiseSource::Output(output) => NoiseLevel::Entry(first + output),
            NoiseSource::Column => NoiseLevel::Given(level(row, noises)?),
        };
        Ok(Datum {
            mean: first + index,
            noise,
            value: row.value,
            family,
        })
    }
}

/// Returns the noise level in a line.
fn level(row: &Row, column: &str) -> Result<f64> {
    let problem = match (column.is_empty(), is_missing(&row.noise)) {
        (true, _) => "is needed, but the table has no column `noise`; add it",
        (false, true) => "is no noise level; give one for every value",
        (false, false) => {
            "is no positive number; write one with a decimal point, or make the noise level an output of the model"
        }
    };
    let found = row.noise.parse::<f64>().ok();
    let found = found.filter(|sigma| *sigma > 0.0 && sigma.is_finite());
    let column = if column.is_empty() { "noise" } else { column };
    found.ok_or_else(|| Error::cell((row.line, column), &row.noise, problem).into())
}
