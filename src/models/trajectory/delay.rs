//! Delay coordinates: points made of one coordinate at several times.

use std::collections::VecDeque;

use super::Trajectory;
use super::histogram::{Histogram, Occupation};
use super::sampling::Sampling;
use crate::check;
use crate::error::Result;
use crate::grid::Grid;
use crate::models::flow::Flow;

/// Delay coordinates (x(t), x(t − τ), x(t − 2τ)) of one observed coordinate x.
///
/// A single coordinate of a chaotic system tells of the others by its past (Takens 1981). The measure in delay coordinates is
/// therefore as informative as the invariant measure, and needs no more than a scalar series.
///
/// ```
/// use pullback::models::trajectory::Delay;
/// let delay = Delay { coordinate: 0, lag: 2, copies: 2 };
/// let trajectory = delay.embed(&[1.0, 2.0, 3.0, 4.0], Some(0.1))?;
/// assert_eq!(trajectory.points, [[3.0, 1.0, 0.0], [4.0, 2.0, 0.0]]);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// Index of the observed coordinate of a flow, from 0.
    pub coordinate: usize,
    /// Delay τ, in sampling intervals.
    pub lag: usize,
    /// Number of times: 2 or 3.
    pub copies: usize,
}

impl Delay {
    /// Checks the options, for an observed point of this dimension.
    fn check(&self, dim: usize) -> Result<()> {
        check::option(
            "the observed coordinate",
            self.coordinate as f64,
            self.coordinate < dim,
            "count the coordinates from 0",
        )?;
        check::option(
            "the lag of delay coordinates",
            self.lag as f64,
            self.lag > 0,
            "give at least one sampling interval",
        )?;
        check::option(
            "the number of delay coordinates",
            self.copies as f64,
            self.copies == 2 || self.copies == 3,
            "take two or three",
        )
    }

    /// Returns the longest delay, in sampling intervals.
    fn span(&self) -> usize {
        (self.copies - 1).saturating_mul(self.lag)
    }

    /// Checks that this many values are enough for one vector.
    fn check_length(&self, what: &'static str, values: usize) -> Result<()> {
        check::option(
            what,
            values as f64,
            values > self.span(),
            "give more than the delays span, or choose a shorter lag",
        )
    }

    /// Returns the delay vectors of a scalar series with this interval between its values.
    ///
    /// # Errors
    /// Fails if an option is out of range, if a value is not finite, or if the series is too short for one vector.
    pub fn embed(&self, series: &[f64], interval: Option<f64>) -> Result<Trajectory> {
        self.check(self.coordinate.saturating_add(1))?;
        check::finite("the series", series)?;
        self.check_length("the number of values of the series", series.len())?;
        let mut past = Past::new(*self);
        let points = series.iter().filter_map(|x| past.push(*x));
        Ok(Trajectory {
            points: points.collect(),
            dim: self.copies,
            interval,
        })
    }
}

/// Values of the observed coordinate during the longest delay.
struct Past {
    delay: Delay,
    values: VecDeque<f64>,
}

impl Past {
    fn new(delay: Delay) -> Self {
        Self {
            delay,
            values: VecDeque::new(),
        }
    }

    /// Appends a value, and returns the delay vector that it completes, if the values reach back far enough.
    fn push(&mut self, x: f64) -> Option<[f64; 3]> {
        let Delay { lag, copies, .. } = self.delay;
        let span = self.delay.span();
        self.values.push_front(x);
        self.values.truncate(span + 1);
        self.values.get(span)?;
        let mut point = [0.0; 3];
        for (k, entry) in point[..copies].iter_mut().enumerate() {
            *entry = self.values[k * lag];
        }
        Some(point)
    }
}

impl Trajectory {
    /// Returns the trajectory in delay coordinates.
    ///
    /// # Errors
    /// Fails as [`Delay::embed`] does, and if the trajectory has no such coordinate.
    pub fn delayed(&self, delay: &Delay) -> Result<Self> {
        delay.check(self.dim)?;
        let series: Vec<f64> = self.points.iter().map(|x| x[delay.coordinate]).collect();
        delay.embed(&series, self.interval)
    }
}

impl Sampling {
    /// Returns the fraction of time that a trajectory spends in each cell of a grid in delay coordinates. If [`Flow::symmetry`]
    /// reverses the observed coordinate, the measure is symmetrised.
    ///
    /// # Errors
    /// Fails as [`occupation`](Sampling::occupation) does, if an option of the delay is out of range, if the grid has another
    /// dimension, or if the trajectory is shorter than the delays.
    pub fn delay_occupation(
        &self,
        flow: &dyn Flow,
        theta: &[f64],
        grid: &Grid,
        delay: &Delay,
    ) -> Result<Occupation> {
        delay.check(flow.dim())?;
        check::length("the list of axes of the grid", grid.dim(), delay.copies)?;
        self.check()?;
        delay.check_length("the number of samples of the trajectory", self.samples())?;
        let reversed = flow.symmetry().is_some_and(|s| s[delay.coordinate] < 0.0);
        let mut histogram = Histogram::new(grid, reversed.then_some([-1.0; 3]));
        let mut past = Past::new(*delay);
        let add = |x: &[f64; 3]| {
            if let Some(point) = past.push(x[delay.coordinate]) {
                histogram.add(&point);
            }
        };
        self.visit(flow, theta, add, |_| ())?;
        histogram.finish()
    }
}
