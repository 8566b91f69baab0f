//! Likelihood of measurements.

use super::layout::Layout;
use super::{Measurements, Row, is_missing};
use crate::check;
use crate::error::{Result, number};
use crate::evolution::{Dynamics, Evolution};
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
    /// Known noise level. Numbers in the column `noise` must not contradict it.
    Given(f64),
    /// Column `noise` of the table.
    Column,
    /// Output of the model at the same time, after those of the observables. The column `noise` may name a parameter, but must hold
    /// no number.
    Output(usize),
}

impl Measurements {
    /// Returns the negative log-likelihood of the measurements, without missing values, for an evolution.
    ///
    /// The experiment of a condition is the one with its name, as [`Condition::experiment`](super::Condition::experiment) makes it.
    /// The experiments may have any order, and the model may have further experiments and times. The observables are the first
    /// outputs of the dynamics, in their order. Noise levels may be further outputs. An observable without lines in the table keeps
    /// its place among the outputs.
    ///
    /// # Errors
    /// Fails if the model has no experiment for a condition or several, or does not observe it at a time of the table, if the table
    /// has other observables than these, a noise level that is not a positive number although the observable takes it from there,
    /// or one that the observable does not use, if there are fewer outputs than are used, and as [`Likelihood::new`] does.
    pub fn likelihood<D: Dynamics>(
        &self,
        model: &Evolution<D>,
        observables: &[Observable<'_>],
    ) -> Result<Likelihood> {
        self.placed(&Layout::of(&self.conditions, model)?, observables)
    }

    /// Returns the negative log-likelihood of the measurements, without missing values, for a model of your own.
    ///
    /// The state must hold `outputs` numbers for every time of the first of the [`conditions`](Self::conditions), then for every
    /// time of the second, and so on. Nothing can check this order: for an evolution use [`likelihood`](Self::likelihood).
    ///
    /// # Errors
    /// Fails as [`likelihood`](Self::likelihood) does.
    pub fn likelihood_in_order(
        &self,
        outputs: usize,
        observables: &[Observable<'_>],
    ) -> Result<Likelihood> {
        self.placed(&Layout::in_order(&self.conditions, outputs), observables)
    }

    fn placed(&self, layout: &Layout, observables: &[Observable<'_>]) -> Result<Likelihood> {
        check_observables(layout.outputs, observables)?;
        let present = self.rows.iter().filter(|row| !row.value.is_nan());
        let data = present.map(|row| {
            let first = layout.firsts[row.condition][row.time];
            Ok((self.name(row), self.datum(row, first, observables)?))
        });
        Likelihood::named(layout.entries, &data.collect::<Result<Vec<_>>>()?)
    }

    /// Returns the name of the measurement in a line, for messages.
    fn name(&self, row: &Row) -> String {
        let condition = &self.conditions[row.condition];
        let time = number(condition.times[row.time]);
        let (observable, line) = (&row.observable, row.line);
        match condition.to_string() {
            name if name.is_empty() => format!("`{observable}` at t = {time} (line {line})"),
            name => format!("`{observable}` in condition `{name}` at t = {time} (line {line})"),
        }
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
        let unused = |used: Option<f64>| match row.noise.parse::<f64>().ok() {
            Some(level) if !level.is_nan() && used != Some(level) => {
                let problem = "is a noise level that the observable does not use; use `NoiseSource::Column`, or give the column \
                               another name";
                Err(Error::cell((row.line, noises), &row.noise, problem))
            }
            _ => Ok(()),
        };
        let noise = match noise {
            NoiseSource::Given(sigma) => {
                unused(Some(sigma))?;
                NoiseLevel::Given(sigma)
            }
            NoiseSource::Output(output) => {
                unused(None)?;
                NoiseLevel::Entry(first + output)
            }
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

/// Checks that observables are different, and that their outputs exist.
fn check_observables(outputs: usize, observables: &[Observable<'_>]) -> Result<()> {
    check::option(
        "the number of outputs",
        outputs as f64,
        outputs >= observables.len(),
        "give at least one for each observable",
    )?;
    for (i, observable) in observables.iter().enumerate() {
        match observable.noise {
            NoiseSource::Output(output) => check::option(
                "the output that holds a noise level",
                output as f64,
                (observables.len()..outputs).contains(&output),
                "the first outputs are the observables: give the index of a further one, below the number of outputs",
            )?,
            NoiseSource::Given(sigma) => check::option(
                "the noise level given for an observable",
                sigma,
                sigma > 0.0 && sigma.is_finite(),
                "give a positive number",
            )?,
            NoiseSource::Column => {}
        }
        let again = |other: &Observable<'_>| other.name == observable.name;
        if observables[..i].iter().any(again) {
            return Err(Error::Twice {
                name: observable.name.to_string(),
            }
            .into());
        }
    }
    Ok(())
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
