//! Measurements in long format: a line of text for every measured value.

mod layout;
mod likelihood;
mod text;

pub use self::likelihood::{NoiseSource, Observable};

use std::collections::HashMap;
use std::fmt;

use self::text::{Column, Line, Table};
use crate::error::Result;
use crate::evolution::Experiment;

/// Measured values of observables under conditions, in long format.
///
/// A table has a header, and a line for every value. Columns may have any order, and further columns are ignored:
///
/// | column | name in PEtab | content |
/// |---|---|---|
/// | `observable` | `observableId` | name of the observable |
/// | `condition` | `simulationConditionId` | name of the condition; may be left out |
/// | `preequilibration` | `preequilibrationConditionId` | name of the condition before the start; may be left out |
/// | `time` | `time` | time, or `inf` for the steady state |
/// | `value` | `measurement` | measured value; empty, `NA` or `NaN` if it is missing |
/// | `noise` | `noiseParameters` | noise level; may be left out |
///
/// Cells are separated by tabs, semicolons or commas. Lines that begin with `#` are comments; put a name that begins with it in
/// quotes. Several lines may have the same observable, condition and time. PEtab
/// (Schmiester et al. 2021) is a format for parameter estimation in systems biology. Its column `observableParameters` is not read:
/// scales and offsets belong in the model.
///
/// [`Condition::experiment`] gives the experiment of a condition, with its name and its times, to which you add inputs.
/// [`likelihood`](Self::likelihood) makes a loss of the measurements for the model of these experiments, which it finds by their
/// names. The order of the lines and of the conditions makes no difference.
///
/// ```
/// use pullback::automatic::Scalar;
/// use pullback::evolution::{Dynamics, Evolution};
/// use pullback::loss::{Family, Measurements, NoiseSource, Observable};
/// use pullback::Descent;
///
/// /// A drug x is cleared. θ holds the rate, the noise level of the concentration, and the dose.
/// struct Clearance;
///
/// impl Dynamics for Clearance {
///     fn dims(&self) -> (usize, usize) {
///         (1, 3)
///     }
///
///     fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
///         out[0] = -theta[0] * x[0];
///     }
///
///     fn initial<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
///         out[0] = theta[2];
///     }
///
///     fn outputs(&self) -> usize {
///         2
///     }
///
///     fn observe<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
///         out[0] = x[0];
///         out[1] = theta[1];
///     }
/// }
///
/// let measured = Measurements::parse(
///     "observable, condition, time, value
///      drug, weak, 1, 0.62
///      drug, weak, 2, 0.36
///      drug, strong, 1, 3.07
///      drug, strong, 2, NA
///      drug, strong, 4, 0.66",
/// )?;
/// let experiments = measured.conditions().iter().map(|condition| {
///     let dose = if condition.name == "weak" { 1.0 } else { 5.0 };
///     condition.experiment().given(2, dose)
/// });
/// let model = Evolution::over(Clearance, experiments.collect())?;
/// let drug = Observable { name: "drug", family: Family::LogNormal, noise: NoiseSource::Output(1) };
/// let loss = measured.likelihood(&model, &[drug])?;
/// let report = Descent::new(&model, &loss).run(&[1.0, 0.5], |_| ())?;
/// assert!(report.converged() && (report.theta[0] - 0.5).abs() < 0.02);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Measurements {
    conditions: Vec<Condition>,
    rows: Vec<Row>,
    /// Names of the columns of observables, values and noise, for messages.
    columns: [String; 3],
}

/// Condition of measurements, with its times. `Display` prints its name, followed by that of the condition before the start, as in
/// "high after rest".
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// Name of the condition, which is empty if the table has no conditions.
    pub name: String,
    /// Name of the condition before the start, if there is one.
    pub preequilibration: Option<String>,
    /// Times at which something was measured, in increasing order. Lines without a value count. The last time may be ∞.
    pub times: Vec<f64>,
}

/// Line of a table of measurements.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Number of the line in the text, from 1.
    pub line: usize,
    /// Name of the observable.
    pub observable: String,
    /// Index of the condition.
    pub condition: usize,
    /// Index of the time among those of the condition.
    pub time: usize,
    /// Measured value, or NaN if it is missing.
    pub value: f64,
    /// Text of the noise level, which is empty if it is missing.
    pub noise: String,
}

impl Measurements {
    /// Reads a table of measurements from text.
    ///
    /// # Errors
    /// Fails with the line, the column and the text if a column is missing or given twice, if a line has another number of cells
    /// than the header, if a name or a time is missing, and if a number is not one.
    pub fn parse(text: &str) -> Result<Self> {
        let table = Table::parse(text)?;
        let observable = table.needed(&["observable", "observableId"])?;
        let time = table.needed(&["time"])?;
        let value = table.needed(&["value", "measurement"])?;
        let noise = table.column(&["noise", "noiseParameters"])?;
        let condition = table.column(&["condition", "simulationConditionId"])?;
        let before = table.column(&["preequilibration", "preequilibrationConditionId"])?;
        let (mut conditions, mut times) = (Vec::<Condition>::new(), Vec::new());
        let mut known = HashMap::new();
        let mut rows = Vec::with_capacity(table.lines.len());
        for line in &table.lines {
            let name = condition.map_or(Ok(""), |column| named(line, column))?;
            let earlier = before.map(|column| line.cell(column));
            let key = (name, earlier.filter(|name| !is_missing(name)));
            let index = *known.entry(key).or_insert_with(|| {
                conditions.push(Condition::new(key));
                conditions.len() - 1
            });
            let t = moment(line, time)?;
            conditions[index].times.push(t);
            times.push(t);
            rows.push(Row {
                line: line.number,
                observable: named(line, observable)?.to_string(),
                condition: index,
                time: 0,
                value: measured(line, value)?,
                noise: noise.map_or("", |column| line.cell(column)).to_string(),
            });
        }
        for condition in &mut conditions {
            condition.times.sort_unstable_by(f64::total_cmp);
            condition.times.dedup();
        }
        for (row, t) in rows.iter_mut().zip(times) {
            let known = &conditions[row.condition].times;
            row.time = known.partition_point(|other| *other < t);
        }
        let name = |column: Column<'_>| column.name.to_string();
        Ok(Self {
            columns: [
                name(observable),
                name(value),
                noise.map_or_else(String::new, name),
            ],
            conditions,
            rows,
        })
    }

    /// Returns the conditions in order of appearance.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// Returns the lines of the table.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }
}

impl Condition {
    /// Returns a condition without times, given its name and that of the condition before the start.
    fn new((name, before): (&str, Option<&str>)) -> Self {
        Self {
            name: name.to_string(),
            preequilibration: before.map(str::to_string),
            times: Vec::new(),
        }
    }

    /// Returns the experiment of the condition: it has the name that `Display` prints, starts at t = 0, and is observed at the
    /// times of the condition. Inputs are to be added.
    ///
    /// For the same experiment at other times, such as those of a curve, write
    /// `Experiment::new(times).named(&condition.to_string())`.
    pub fn experiment(&self) -> Experiment {
        Experiment::new(self.times.clone()).named(&self.to_string())
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.preequilibration {
            Some(before) => write!(f, "{} after {before}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Returns whether a cell stands for a missing entry.
fn is_missing(cell: &str) -> bool {
    cell.is_empty() || cell.eq_ignore_ascii_case("na") || cell.eq_ignore_ascii_case("nan")
}

/// Returns the name in a cell.
fn named<'l>(line: &'l Line, column: Column<'_>) -> Result<&'l str> {
    let name = line.cell(column);
    match name.is_empty() {
        true => Err(line.error(column, "is no name; give one").into()),
        false => Ok(name),
    }
}

/// Returns the time in a cell.
fn moment(line: &Line, column: Column<'_>) -> Result<f64> {
    let found = line.cell(column).parse::<f64>().ok();
    // −0 + 0 = 0 makes both zeros the same time.
    found
        .filter(|t| !t.is_nan() && *t > f64::NEG_INFINITY)
        .map(|t| t + 0.0)
        .ok_or_else(|| {
            line.error(
                column,
                "is no time; write a number with a decimal point, or `inf`",
            )
            .into()
        })
}

/// Returns the value in a cell, or NaN if it is missing.
fn measured(line: &Line, column: Column<'_>) -> Result<f64> {
    let text = line.cell(column);
    if is_missing(text) {
        return Ok(f64::NAN);
    }
    let found = text.parse::<f64>().ok().filter(|x| x.is_finite());
    found.ok_or_else(|| {
        line.error(
            column,
            "is no number; write it with a decimal point, or `NA` if it is missing",
        )
        .into()
    })
}
