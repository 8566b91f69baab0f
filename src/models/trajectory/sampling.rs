//! Sampling of simulated trajectories.

use super::histogram::{Histogram, Occupation};
use super::orbit::Orbit;
use super::{Trajectory, check_dim, check_grid};
use crate::check;
use crate::error::Result;
use crate::grid::Grid;
use crate::models::flow::Flow;
use crate::random;

/// Largest number of points that [`Sampling::run`] keeps.
const MAX_POINTS: f64 = 1e9;

/// Exclusive upper limit of the number of intervals of a run.
// 10¹⁵ < 2⁵³ ≈ 9·10¹⁵: all counts below are exact in f64.
const MAX_INTERVALS: f64 = 1e15;

/// Streams of random numbers of one seed: the perturbation of the initial point, and the noise.
const START_STREAM: u64 = 0;
const NOISE_STREAM: u64 = 1;

/// Settings for samples x(burn_in + j·interval) + noise, j = 1, 2 … up to the duration, of a trajectory of a [`Flow`].
///
/// Equal settings give equal samples, bit for bit. The seed perturbs the initial point slightly, so that
/// chaotic trajectories of different seeds are independent after the burn-in. The seed also determines the
/// noise.
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
    /// Duration of the sampling, rounded to whole intervals.
    pub duration: f64,
    /// Time before the first sample. Flows that mix slowly, such as Rössler's, need a longer burn-in.
    pub burn_in: f64,
    /// Time between consecutive samples.
    pub interval: f64,
    /// Initial point of the trajectory. In the plane the third entry is ignored.
    pub start: [f64; 3],
    /// Relative perturbation of the initial point: entry x gets a normal number with standard deviation
    /// `spread`·(1 + |x|). 0 means no perturbation.
    pub spread: f64,
    /// Standard deviation of the normal noise added to every entry of every point. The trajectory itself is free of
    /// noise.
    pub noise: f64,
    /// Relative and absolute tolerance of one step of the integrator, which has order 8.
    pub tolerance: f64,
    /// Seed of the perturbation of the initial point and of the noise.
    pub seed: u64,
}

impl Default for Sampling {
    /// Returns settings for 400 000 noise-free points over a time of 2000, after a burn-in of 50 from (1, 1,
    /// 20).
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
    /// Returns the number of samples of a run.
    pub fn samples(&self) -> usize {
        (self.duration / self.interval).round() as usize
    }

    /// Checks that the settings are valid.
    ///
    /// # Errors
    /// Fails for the first invalid setting and names its valid range.
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

    /// Checks that a time has fewer than 10¹⁵ intervals, so that the number of intervals is exact in `f64` and fits
    /// `usize`.
    fn check_intervals(&self, what: &'static str, time: f64) -> Result<()> {
        let (count, remedy) = (time / self.interval, "there may be no more than 10¹⁵");
        check::option(what, count, count < MAX_INTERVALS, remedy)
    }

    /// Simulates a trajectory and calls `each` with every point, without storing the points. Calls `progress` with the
    /// completed fraction.
    ///
    /// # Errors
    /// Fails if a setting is invalid, if the parameters do not fit the flow, if the velocity is not finite, or if the
    /// trajectory is unbounded or cannot be integrated.
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
            point: self.perturbed_start(flow.dim()),
            time: 0.0,
        };
        let samples = self.samples();
        // The burn-in is divided into whole intervals no longer than those of the samples. Without a burn-in
        // there are none, and their length is irrelevant. The last interval of the burn-in ends where the
        // first of the samples begins, for any ratio of the two times.
        let burn_in = (self.burn_in / self.interval).ceil() as usize;
        let unit = self.burn_in / burn_in.max(1) as f64;
        let share = burn_in as f64 / (burn_in + samples) as f64;
        orbit.advance((burn_in, unit), |_| (), |done| progress(share * done))?;
        let mut noise = self.noise_for(flow.dim());
        let rest = 1.0 - share;
        orbit.advance(
            (samples, self.interval),
            |x| each(&noise(x)),
            |done| progress(share + rest * done),
        )
    }

    /// Returns the initial point, perturbed by random numbers of the seed.
    fn perturbed_start(&self, dim: usize) -> [f64; 3] {
        // Nearby orbits of a chaotic flow separate like e^{λt}. For Lorenz' λ ≈ 0.9 a perturbation of 1 %
        // grows to the size of the attractor within about ten units of time, well before the end of the
        // default burn-in of 50.
        let xi = random::normal(3, self.seed, START_STREAM);
        let mut start = [0.0; 3];
        for d in 0..dim {
            let x = self.start[d];
            start[d] = x + self.spread * (1.0 + x.abs()) * xi[d];
        }
        start
    }

    /// Returns a function that adds noise to consecutive points.
    fn noise_for(&self, dim: usize) -> impl FnMut([f64; 3]) -> [f64; 3] {
        // The separate stream makes the underlying trajectory independent of the noise.
        let deviation = self.noise;
        let mut normal = random::normal_stream(self.seed, NOISE_STREAM);
        move |mut x| {
            if deviation > 0.0 {
                x[..dim].iter_mut().for_each(|x| *x += deviation * normal());
            }
            x
        }
    }

    /// Simulates a trajectory and returns all its points.
    ///
    /// # Errors
    /// Fails as [`visit`](Sampling::visit) does, and if the points do not fit into memory or are more than 10⁹.
    pub fn run(
        &self,
        flow: &dyn Flow,
        theta: &[f64],
        progress: impl FnMut(f64),
    ) -> Result<Trajectory> {
        self.check()?;
        let count = self.samples();
        let mut points = Vec::new();
        let reserved = count as f64 <= MAX_POINTS && points.try_reserve_exact(count).is_ok();
        check::option(
            "the number of points to keep",
            count as f64,
            reserved,
            "take fewer, or use `Sampling::occupation`, which stores none",
        )?;
        self.visit(flow, theta, |x| points.push(*x), progress)?;
        Ok(Trajectory {
            points,
            dim: flow.dim(),
            interval: Some(self.interval),
        })
    }

    /// Returns the fraction of time that a trajectory spends in each cell, symmetrised by [`Flow::symmetry`].
    ///
    /// No point is stored. For another symmetry, or for none, use [`visit`](Sampling::visit) with a [`Histogram`].
    ///
    /// # Errors
    /// Fails as [`visit`](Sampling::visit) and [`Trajectory::histogram`] do.
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
