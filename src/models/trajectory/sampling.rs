//! How a trajectory is sampled.

use super::histogram::{Histogram, Occupation};
use super::orbit::Orbit;
use super::{Trajectory, check_dim, check_grid};
use crate::check;
use crate::error::Result;
use crate::grid::Grid;
use crate::models::flow::Flow;
use crate::random;

/// The most points that [`Sampling::run`] keeps.
const KEPT: f64 = 1e9;

/// The most intervals of a run.
const MOST: f64 = 1e15;

/// Streams of random numbers that belong to one seed.
const START_STREAM: u64 = 0;
const NOISE_STREAM: u64 = 1;

/// How a trajectory of a [`Flow`] is sampled: x(burn_in + j·interval) + noise for j = 1, 2 … up to the duration.
///
/// The same settings give the same numbers, bit for bit. The seed moves the start a little, so that chaotic
/// trajectories of different seeds are independent after the burn-in, and it draws the noise.
///
/// ```
/// use pullback::{models::flow::Lorenz, models::trajectory::Sampling};
/// let sampling = Sampling { duration: 10.0, noise: 0.1, seed: 7, ..Sampling::default() };
/// let trajectory = sampling.run(&Lorenz, &Lorenz::CLASSIC, |done| println!("{:.0} %", 100.0 * done))?;
/// assert_eq!(trajectory.points.len(), 2000);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Time over which points are taken, rounded to whole intervals.
    pub duration: f64,
    /// Time that passes before; longer for flows that mix slowly, such as Rössler's.
    pub burn_in: f64,
    /// Time from a point to the next.
    pub interval: f64,
    /// Where the trajectory starts; the third entry does not count in the plane.
    pub start: [f64; 3],
    /// The start's entries x are moved by normal numbers with standard deviation `spread`·(1 + |x|); 0 for none.
    pub spread: f64,
    /// Standard deviation of normal noise added to every entry of every point, though not to the trajectory itself.
    pub noise: f64,
    /// Relative and absolute tolerance of the integrator, of order 8, for one step.
    pub tolerance: f64,
    /// Seed of the start's move and of the noise.
    pub seed: u64,
}

impl Default for Sampling {
    /// 400 000 points over a time of 2000 from (1, 1, 20), after 50, without noise.
    fn default() -> Self {
        Self {
            duration: 2000.0,
            burn_in: 50.0,
            interval: 0.005,
            start: [1.0, 1.0, 20.0],
            spread: 0.01,
            noise: 0.0,
            tolerance: 1e-8,
            seed: 0,
        }
    }
}

impl Sampling {
    /// Number of points.
    pub fn samples(&self) -> usize {
        (self.duration / self.interval).round() as usize
    }

    /// Whether the settings make sense.
    ///
    /// # Errors
    /// The first that does not, with what it may be.
    pub fn check(&self) -> Result<()> {
        let times = [
            ("the interval", self.interval),
            ("the duration", self.duration),
        ];
        for (what, time) in times {
            let sound = time > 0.0 && time.is_finite();
            check::option(what, time, sound, "give a positive time")?;
        }
        let others = [
            ("the burn-in", self.burn_in, "give a time of 0 or more"),
            (
                "the noise",
                self.noise,
                "give a standard deviation of 0 or more",
            ),
            (
                "the spread of the start",
                self.spread,
                "give a relative deviation of 0 or more",
            ),
        ];
        for (what, value, remedy) in others {
            check::option(what, value, value >= 0.0 && value.is_finite(), remedy)?;
        }
        self.check_intervals("the duration, in intervals,", self.duration)?;
        check::option(
            "the duration, in intervals,",
            self.duration / self.interval,
            self.samples() >= 1,
            "lengthen it to at least one, or shorten the interval",
        )?;
        self.check_intervals("the burn-in, in intervals,", self.burn_in)?;
        check::option(
            "the tolerance of the integrator",
            self.tolerance,
            (1e-14..=1e-2).contains(&self.tolerance),
            "choose it between 1e-14 and 1e-2",
        )?;
        check::finite("the start of the trajectory", &self.start)
    }

    fn check_intervals(&self, what: &'static str, time: f64) -> Result<()> {
        let (count, remedy) = (time / self.interval, "there may be no more than 10¹⁵");
        check::option(what, count, count < MOST, remedy)
    }

    /// Hands every point to `each` as it is made and keeps none; `progress` is told the share that is done.
    ///
    /// # Errors
    /// Settings that make no sense, parameters that do not fit the flow, a velocity that is not finite, a trajectory
    /// that runs to infinity or cannot be followed.
    pub fn visit(
        &self,
        flow: &dyn Flow,
        theta: &[f64],
        mut each: impl FnMut(&[f64; 3]),
        mut progress: impl FnMut(f64),
    ) -> Result<()> {
        self.check()?;
        check_dim(flow.dim())?;
        check::length("the parameters of the flow", theta.len(), flow.param_dim())?;
        check::finite("the parameters of the flow", theta)?;
        let mut orbit = Orbit {
            flow,
            theta,
            tolerance: self.tolerance,
            point: self.moved_start(flow.dim()),
            time: 0.0,
        };
        let late = self.samples();
        let early = (self.burn_in / self.interval).ceil() as usize;
        let share = early as f64 / (early + late) as f64;
        // Nothing moves in no time, and then the unit does not matter.
        let unit = self.burn_in / early.max(1) as f64;
        orbit.advance((early, unit), |_| (), |done| progress(share * done))?;
        let mut noise = self.noise_for(flow.dim());
        let (late, rest) = ((late, self.interval), 1.0 - share);
        orbit.advance(
            late,
            |x| each(&noise(x)),
            |done| progress(share + rest * done),
        )
    }

    fn moved_start(&self, dim: usize) -> [f64; 3] {
        let moves = random::normal(3, self.seed, START_STREAM);
        let mut start = [0.0; 3];
        for d in 0..dim {
            let x = self.start[d];
            start[d] = x + self.spread * (1.0 + x.abs()) * moves[d];
        }
        start
    }

    /// Adds noise to one point after the other.
    fn noise_for(&self, dim: usize) -> impl FnMut([f64; 3]) -> [f64; 3] {
        let deviation = self.noise;
        let mut normal = random::normal_stream(self.seed, NOISE_STREAM);
        move |mut x| {
            if deviation > 0.0 {
                x[..dim].iter_mut().for_each(|x| *x += deviation * normal());
            }
            x
        }
    }

    /// The points, all kept.
    ///
    /// # Errors
    /// Those of [`visit`](Sampling::visit), and more points than memory holds.
    pub fn run(
        &self,
        flow: &dyn Flow,
        theta: &[f64],
        progress: impl FnMut(f64),
    ) -> Result<Trajectory> {
        self.check()?;
        let count = self.samples();
        let mut points = Vec::new();
        let room = count as f64 <= KEPT && points.try_reserve_exact(count).is_ok();
        check::option(
            "the number of points to keep",
            count as f64,
            room,
            "take fewer, or use `Sampling::occupation`, which keeps none",
        )?;
        self.visit(flow, theta, |x| points.push(*x), progress)?;
        Ok(Trajectory {
            points,
            dim: flow.dim(),
            interval: Some(self.interval),
        })
    }

    /// The share of time that a trajectory spends in each cell, symmetrised by the flow's own symmetry; no point is
    /// kept. For another symmetry, or none, [`visit`](Sampling::visit) with a [`Histogram`].
    ///
    /// # Errors
    /// Those of [`visit`](Sampling::visit) and of [`Trajectory::histogram`].
    pub fn occupation(
        &self,
        flow: &dyn Flow,
        theta: &[f64],
        grid: &Grid,
        progress: impl FnMut(f64),
    ) -> Result<Occupation> {
        check_grid(grid, flow.dim())?;
        let mut histogram = Histogram::new(grid, flow.symmetry());
        self.visit(flow, theta, |x| histogram.add(x), progress)?;
        histogram.finish()
    }
}
