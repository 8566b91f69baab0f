//! Rows of numbers, common to both file formats: the coordinates, preceded by the time if it is known.

use std::fmt::Display;
use std::path::Path;

use super::{Trajectory, check_dim};
use crate::check;
use crate::error::{Error, Result};

/// Tolerated deviation from equally spaced times, in intervals, since times in files are rounded.
const EQUAL: f64 = 1e-3;

/// Returns a file error with its position in the file, the fault and the remedy.
pub(super) fn wrong(path: &Path, place: impl Display, message: impl Display) -> Error {
    crate::models::Error::File {
        path: path.display().to_string(),
        place: place.to_string(),
        message: message.to_string(),
    }
    .into()
}

/// Collection of rows of `dim` coordinates, or of `dim` + 1 numbers with the time first.
pub(super) struct Rows {
    dim: usize,
    points: Vec<[f64; 3]>,
    times: Vec<f64>,
}

impl Rows {
    /// Creates a collection without rows. Fails unless `dim` is 2 or 3.
    pub(super) fn new(dim: usize) -> Result<Self> {
        check_dim(dim)?;
        Ok(Self {
            dim,
            points: Vec::new(),
            times: Vec::new(),
        })
    }

    /// Checks that a row has `dim` or `dim` + 1 numbers.
    pub(super) fn check_width(&self, found: usize) -> std::result::Result<(), String> {
        let dim = self.dim;
        if found == dim || found == dim + 1 {
            return Ok(());
        }
        Err(format!(
            "found {found} column(s) instead of {dim} coordinates, or {} with the time first",
            dim + 1
        ))
    }

    /// Appends a row. If the row is invalid, fails with a description of the fault.
    pub(super) fn push(&mut self, row: &[f64]) -> std::result::Result<(), String> {
        self.check_width(row.len())?;
        let dim = self.dim;
        let timed = row.len() == dim + 1;
        if !self.points.is_empty() && timed == self.times.is_empty() {
            return Err(
                "the number of columns changes; give every row as many as the first has".into(),
            );
        }
        if let Some(value) = row.iter().find(|x| !x.is_finite()) {
            return Err(format!("{value} is not finite; remove or correct the row"));
        }
        if timed {
            self.times.push(row[0]);
        }
        let mut point = [0.0; 3];
        point[..dim].copy_from_slice(&row[row.len() - dim..]);
        self.points.push(point);
        Ok(())
    }

    /// Returns the trajectory, with its interval if the file has times. Fails if the times are not equally spaced.
    pub(super) fn finish(self, path: &Path) -> Result<Trajectory> {
        if self.points.is_empty() {
            return Err(wrong(
                path,
                "the end",
                "there are no numbers; check that it is the right file",
            ));
        }
        let interval = equal_interval(&self.times);
        if self.times.len() > 1 && interval.is_none() {
            return Err(wrong(
                path,
                "the first column",
                "its times do not increase by equal steps, so that samples would need different weights; resample the \
                 trajectory, or remove the column if it is not a time",
            ));
        }
        Ok(Trajectory {
            points: self.points,
            dim: self.dim,
            interval,
        })
    }
}

/// Returns the interval of equally spaced, increasing times, or None for other times.
fn equal_interval(times: &[f64]) -> Option<f64> {
    let ([first, .., last], steps) = (times, times.len().saturating_sub(1)) else {
        return None;
    };
    // The mean interval averages out the rounding of single times.
    let dt = (last - first) / steps as f64;
    let on_time = |(k, t): (usize, &f64)| (t - first - k as f64 * dt).abs() <= EQUAL * dt;
    (dt > 0.0 && times.iter().enumerate().all(on_time)).then_some(dt)
}

impl Trajectory {
    /// Iterates over the rows of a file: the time since the first point if the interval is known, then the coordinates.
    pub(super) fn rows(&self) -> impl Iterator<Item = impl Iterator<Item = f64>> {
        let row = |(k, x): (usize, &[f64; 3])| {
            let time = self.interval.map(|dt| k as f64 * dt);
            let x = *x;
            time.into_iter().chain((0..self.dim).map(move |d| x[d]))
        };
        self.points.iter().enumerate().map(row)
    }

    /// Checks that the trajectory can be written to a file and read back.
    pub(super) fn check_writable(&self) -> Result<()> {
        check_dim(self.dim)?;
        let count = self.points.len();
        check::option("the number of points", 0.0, count > 0, "give at least one")?;
        check::finite("the points of the trajectory", self.points.as_flattened())?;
        let Some(interval) = self.interval else {
            return Ok(());
        };
        // The largest time in the file is interval·(count − 1).
        let sound = interval > 0.0 && (interval * (count - 1).max(1) as f64).is_finite();
        check::option(
            "the interval of the trajectory",
            interval,
            sound,
            "give a positive interval for which all times are finite, or None",
        )?;
        check::option(
            "the number of points at equal times",
            count as f64,
            count > 1,
            "give at least two points, or set the interval to None: a single time does not determine it",
        )
    }
}
