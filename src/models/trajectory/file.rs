//! What the two file formats share: rows of numbers, with the time first where it is known.

use std::fmt::Display;
use std::path::Path;

use super::{Trajectory, check_dim};
use crate::check;
use crate::error::Error;
use crate::error::Result;

/// Deviation from equal times, in intervals, that rounding in a file may cause.
const EQUAL: f64 = 1e-3;

/// The error of a file: where in it, what is wrong and what to do.
pub(super) fn wrong(path: &Path, place: impl Display, message: impl Display) -> Error {
    Error::File {
        path: path.display().to_string(),
        place: place.to_string(),
        message: message.to_string(),
    }
}

/// Gathers rows of dim numbers, or of dim + 1 with the time first.
pub(super) struct Rows {
    dim: usize,
    points: Vec<[f64; 3]>,
    times: Vec<f64>,
}

impl Rows {
    pub(super) fn new(dim: usize) -> Result<Self> {
        check_dim(dim)?;
        Ok(Self {
            dim,
            points: Vec::new(),
            times: Vec::new(),
        })
    }

    /// Whether a row may have so many numbers.
    pub(super) fn check_width(&self, found: usize) -> std::result::Result<(), String> {
        let dim = self.dim;
        if found == dim || found == dim + 1 {
            return Ok(());
        }
        Err(format!(
            "found {found} column(s) where {dim} coordinates are needed, or {} with the time first",
            dim + 1
        ))
    }

    /// Adds a row, or says what is wrong with it.
    pub(super) fn push(&mut self, row: &[f64]) -> std::result::Result<(), String> {
        self.check_width(row.len())?;
        let dim = self.dim;
        let timed = row.len() == dim + 1;
        if !self.points.is_empty() && timed == self.times.is_empty() {
            return Err(
                "the number of columns changes; give every row as many as the first".into(),
            );
        }
        if let Some(value) = row.iter().find(|x| !x.is_finite()) {
            return Err(format!("{value} is not finite; drop or mend the row"));
        }
        if timed {
            self.times.push(row[0]);
        }
        let mut point = [0.0; 3];
        point[..dim].copy_from_slice(&row[row.len() - dim..]);
        self.points.push(point);
        Ok(())
    }

    /// The trajectory, with its interval where times were given and differ equally.
    pub(super) fn finish(self, path: &Path) -> Result<Trajectory> {
        if self.points.is_empty() {
            return Err(wrong(
                path,
                "the end",
                "there are no numbers; is it the right file?",
            ));
        }
        let interval = equal_interval(&self.times);
        if self.times.len() > 1 && interval.is_none() {
            return Err(wrong(
                path,
                "the first column",
                "its times do not increase by equal steps, so that samples would not weigh the same; resample the \
                 trajectory, or drop the column if it is no time",
            ));
        }
        Ok(Trajectory {
            points: self.points,
            dim: self.dim,
            interval,
        })
    }
}

fn equal_interval(times: &[f64]) -> Option<f64> {
    let ([first, .., last], steps) = (times, times.len().saturating_sub(1)) else {
        return None;
    };
    let dt = (last - first) / steps as f64;
    let due = |(k, t): (usize, &f64)| (t - first - k as f64 * dt).abs() <= EQUAL * dt;
    (dt > 0.0 && times.iter().enumerate().all(due)).then_some(dt)
}

impl Trajectory {
    /// The rows of a file: the time from the first point where the interval is known, then the coordinates.
    pub(super) fn rows(&self) -> impl Iterator<Item = impl Iterator<Item = f64>> {
        let row = |(k, x): (usize, &[f64; 3])| {
            let time = self.interval.map(|dt| k as f64 * dt);
            let x = *x;
            time.into_iter().chain((0..self.dim).map(move |d| x[d]))
        };
        self.points.iter().enumerate().map(row)
    }

    /// Fails for a trajectory that could not be read from its file again.
    pub(super) fn check_writable(&self) -> Result<()> {
        check_dim(self.dim)?;
        let (count, some) = (self.points.len(), !self.points.is_empty());
        check::option("the number of points", 0.0, some, "give at least one")?;
        check::finite("the points of the trajectory", self.points.as_flattened())?;
        let Some(interval) = self.interval else {
            return Ok(());
        };
        let sound = interval > 0.0 && (interval * (count - 1).max(1) as f64).is_finite();
        check::option(
            "the interval of the trajectory",
            interval,
            sound,
            "give a positive time with which all times are finite, or none",
        )?;
        check::option(
            "the number of points at equal times",
            count as f64,
            count > 1,
            "give at least two, or no interval: one time shows none",
        )
    }
}
