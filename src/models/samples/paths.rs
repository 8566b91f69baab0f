//! Paths of stochastic differential equations, observed at some times.

use super::cloud::Map;
use super::diffusion::Diffusion;
use super::draws::Draws;
use super::push_forward::PushForward;
use super::scheme::{Scheme, Walk, noncommuting};
use crate::automatic::Scalar;
use crate::check;
use crate::error::Result;
use crate::models::Error;
use crate::random;

/// Paths of a [`Diffusion`] from t = 0, observed at some times: the [`Map`] from all normal numbers of a path to its positions.
///
/// The draw of a path holds the numbers of its start, and then one for every noise in every step.
pub struct Paths<D> {
    diffusion: D,
    scheme: Scheme,
    /// Start, step and number of steps up to every time of observation.
    intervals: Vec<(f64, f64, usize)>,
}

/// Model of an ensemble: [`Paths`] of N particles with common random numbers, observed at some times.
///
/// ```
/// use pullback::automatic::Scalar;
/// use pullback::models::{Diffusion, Ensemble, Paths};
/// /// dx = −a x dt + s dW from a point x(0) = 1, with θ = (a, s).
/// struct Relaxation;
/// impl Diffusion for Relaxation {
///     fn dims(&self) -> (usize, usize, usize) { (1, 1, 2) }
///     fn start_dim(&self) -> usize { 0 }
///     fn start<S: Scalar>(&self, _: &[f64], _: &[S], x: &mut [S]) { x[0] = 1.0.into(); }
///     fn drift<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) { out[0] = -theta[0] * x[0]; }
///     fn noise<S: Scalar>(&self, _: f64, _: &[S], theta: &[S], out: &mut [S]) { out[0] = theta[1]; }
/// }
/// // At t = 1 and 2, in steps of 0.01.
/// let paths = Paths::new(Relaxation, &[1.0, 2.0], 0.01)?;
/// let model = Ensemble::simulate(paths, 1000, 1)?;
/// let clouds = model.sample(&[0.7, 0.3])?;
/// let mean: f64 = clouds[..1000].iter().sum::<f64>() / 1000.0;
/// assert!((mean - (-0.7_f64).exp()).abs() < 2e-3);
/// # Ok::<(), pullback::Error>(())
/// ```
pub type Ensemble<D> = PushForward<Paths<D>>;

impl<D: Diffusion> Paths<D> {
    /// Creates paths that are observed at increasing times, in steps of at most this length. The steps up to a time are equal.
    ///
    /// # Errors
    /// Fails if there are no times, if they do not increase from 0 on, or if the step is not positive.
    pub fn new(diffusion: D, times: &[f64], step: f64) -> Result<Self> {
        let count = times.len();
        let what = "the number of times of observation";
        check::option(what, count as f64, count > 0, "give at least one")?;
        check::positive("the step of a stochastic differential equation", &[step])?;
        check::finite("a time of observation", times)?;
        let mut intervals = Vec::with_capacity(count);
        let mut last = 0.0;
        for (index, &time) in times.iter().enumerate() {
            check::option(
                "a time of observation",
                time,
                time > last || (index == 0 && time == 0.0),
                "give times from 0 on, in increasing order",
            )?;
            // Rounding must not add a step: 0.3/0.1 is above 3.
            let steps = ((time - last) / step * (1.0 - 1e-12)).ceil();
            check::option(
                "the number of steps up to a time of observation",
                steps,
                steps < MOST,
                "give a longer step",
            )?;
            intervals.push((last, (time - last) / steps.max(1.0), steps as usize));
            last = time;
        }
        Ok(Self {
            diffusion,
            scheme: Scheme::default(),
            intervals,
        })
    }

    /// Sets the method of the steps.
    #[must_use]
    pub fn scheme(mut self, scheme: Scheme) -> Self {
        self.scheme = scheme;
        self
    }

    /// Returns the equation.
    pub fn diffusion(&self) -> &D {
        &self.diffusion
    }

    /// Returns the number of steps of a path.
    pub fn steps(&self) -> usize {
        self.intervals.iter().map(|(.., steps)| steps).sum()
    }

    /// Returns whitened draws for N = `count` paths. All numbers of a path are whitened together if there are at least twice as
    /// many paths and at most 1000 numbers, and otherwise those of the start and of every step by themselves.
    ///
    /// # Errors
    /// Fails unless there are twice as many paths as the start has numbers, and as there are noises.
    pub fn draws(&self, count: usize, seed: u64) -> Result<Draws> {
        Draws::in_groups(count, &self.groups(count), seed)
    }

    /// Returns whitened draws for N = `count` paths in pairs of opposite starts and noises. Means of equations that are linear have
    /// no sampling error then.
    ///
    /// # Errors
    /// Fails unless N is even, and there are twice as many pairs as the start has numbers, and as there are noises.
    pub fn antithetic(&self, count: usize, seed: u64) -> Result<Draws> {
        Draws::antithetic_in_groups(count, &self.groups(count / 2), seed)
    }

    /// Returns draws for paths whose starts have given numbers, such as points that were seen at t = 0. The noise is whitened as that
    /// of [`draws`](Self::draws).
    ///
    /// `starts` holds as many numbers for each path as the [start](Diffusion::start_dim) takes, one path after the other.
    ///
    /// ```
    /// use pullback::automatic::Scalar;
    /// use pullback::models::{Diffusion, Ensemble, Paths};
    /// /// Brownian motion dx = s dW from points that are known, with θ = s.
    /// struct Brownian;
    /// impl Diffusion for Brownian {
    ///     fn dims(&self) -> (usize, usize, usize) { (1, 1, 1) }
    ///     fn start<S: Scalar>(&self, z: &[f64], _: &[S], x: &mut [S]) { x[0] = z[0].into(); }
    ///     fn drift<S: Scalar>(&self, _: f64, _: &[S], _: &[S], out: &mut [S]) { out[0] = 0.0.into(); }
    ///     fn noise<S: Scalar>(&self, _: f64, _: &[S], theta: &[S], out: &mut [S]) { out[0] = theta[0]; }
    /// }
    /// let paths = Paths::new(Brownian, &[0.0, 1.0], 0.5)?;
    /// let draws = paths.draws_from(&[3.0, 5.0, 9.0], 1)?;
    /// let clouds = Ensemble::new(paths, draws)?.sample(&[0.1])?;
    /// assert_eq!(clouds[..3], [3.0, 5.0, 9.0]);
    /// # Ok::<(), pullback::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails if the starts are none, not a whole number of paths, or not finite, or unless there are twice as many paths as noises.
    pub fn draws_from(&self, starts: &[f64], seed: u64) -> Result<Draws> {
        let width = self.diffusion.start_dim();
        let starts = Draws::given(width, starts.to_vec())?;
        if self.kicks().sum::<usize>() == 0 {
            return Ok(starts);
        }
        let groups = together(starts.count(), self.kicks().collect());
        let noise = Draws::in_groups(starts.count(), &groups, seed)?;
        let path = |n: usize| [starts.of(n), noise.of(n)].concat();
        Draws::given(
            width + noise.dim(),
            (0..starts.count()).flat_map(path).collect(),
        )
    }

    /// Returns how many numbers of a path are whitened together, with so many independent paths.
    fn groups(&self, independent: usize) -> Vec<usize> {
        let start = Some(self.diffusion.start_dim()).filter(|width| *width > 0);
        together(independent, start.into_iter().chain(self.kicks()).collect())
    }

    /// Returns the number of noises of every step.
    fn kicks(&self) -> impl Iterator<Item = usize> + use<D> {
        let (_, noises, _) = self.diffusion.dims();
        std::iter::repeat_n(noises, self.steps())
    }

    /// Calls `visit` with the index and the position at every time of observation.
    fn walk<S: Scalar>(&self, z: &[f64], theta: &[S], mut visit: impl FnMut(usize, &[S])) {
        let (_, noises, _) = self.diffusion.dims();
        let (start, mut normals) = z.split_at(self.diffusion.start_dim());
        let mut walk = Walk::new(&self.diffusion, theta);
        walk.x.fill(S::from(f64::NAN));
        self.diffusion.start(start, theta, &mut walk.x);
        for (index, &(from, h, steps)) in self.intervals.iter().enumerate() {
            for step in 0..steps {
                let (now, rest) = normals.split_at(noises);
                walk.step(self.scheme, (from + step as f64 * h, h), now);
                normals = rest;
            }
            visit(index, &walk.x);
        }
    }
}

/// Largest number of entries that are whitened together.
const WIDEST: usize = 1000;

/// Joins the groups to one if there are at least twice as many draws as numbers, and not too many of these.
fn together(independent: usize, widths: Vec<usize>) -> Vec<usize> {
    let all = widths.iter().sum();
    match independent >= 2 * all && all <= WIDEST {
        true => vec![all],
        false => widths,
    }
}

/// Number of steps from which on a step is too short.
const MOST: f64 = 1e7;

impl<D: Diffusion> Map for Paths<D> {
    fn dims(&self) -> (usize, usize, usize) {
        let (d, m, p) = self.diffusion.dims();
        (self.diffusion.start_dim() + m * self.steps(), d, p)
    }

    fn map<S: Scalar>(&self, z: &[f64], theta: &[S], x: &mut [S]) {
        let (d, ..) = self.diffusion.dims();
        self.walk(z, theta, |index, position| {
            x[index * d..][..d].copy_from_slice(position);
        });
    }

    fn snapshots(&self) -> usize {
        self.intervals.len()
    }

    /// Checks that the noises commute along a path, if the scheme needs it.
    fn check(&self, theta: &[f64]) -> Result<()> {
        let (_, noises, _) = self.diffusion.dims();
        if self.scheme == Scheme::EulerMaruyama || noises < 2 {
            return Ok(());
        }
        // A path of its own, since noises may commute at the special points where all paths start.
        let z = random::normal(self.dims().0, PATH, 0);
        let mut found = None;
        self.walk(&z, theta, |index, x| {
            let (from, h, steps) = self.intervals[index];
            let now = (from + steps as f64 * h, h);
            found = found.or_else(|| noncommuting(&self.diffusion, now, (x, theta)));
        });
        match found {
            None => Ok(()),
            Some((first, second, defect)) => Err(Error::NoncommutingNoise {
                first,
                second,
                defect,
            }
            .into()),
        }
    }
}

/// Seed of the path along which noises must commute.
const PATH: u64 = 0xC033;

impl<D: Diffusion> Ensemble<D> {
    /// Creates the model of so many paths with the whitened [draws](Paths::draws) of a seed. [`PushForward::new`] takes others, such as
    /// [antithetic](Draws::antithetic) ones.
    ///
    /// # Errors
    /// Fails as [`Paths::draws`] does.
    pub fn simulate(paths: Paths<D>, particles: usize, seed: u64) -> Result<Self> {
        let draws = paths.draws(particles, seed)?;
        Self::new(paths, draws)
    }
}
