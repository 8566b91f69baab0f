//! Descents from many starting points, and the distinct optima that they find.
//!
//! ```
//! use pullback::automatic::{Curve, Formula, Scalar};
//! use pullback::multistart::MultiStart;
//! use pullback::{Bounds, Descent, loss::L2Misfit};
//!
//! /// y = sin(ωt). The misfit has a minimum in every interval of about π/T of the frequency ω.
//! struct Wave;
//!
//! impl Formula for Wave {
//!     fn dims(&self) -> (usize, usize) {
//!         (40, 1)
//!     }
//!
//!     fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
//!         for (k, y) in out.iter_mut().enumerate() {
//!             *y = (theta[0] * (0.25 * k as f64)).sin();
//!         }
//!     }
//! }
//!
//! let wave = Curve::new(Wave);
//! let loss = L2Misfit::euclidean(wave.predict(&[3.0])?)?;
//! let descent = Descent::new(&wave, &loss);
//! let range = Bounds::new(vec![0.5], vec![6.0])?;
//!
//! let summary = MultiStart::new(&descent).within(&range, 30).run(|_| ())?;
//!
//! println!("{summary}"); // a table of the distinct optima
//! assert!(summary.optima().len() > 5 && (summary.best().theta[0] - 3.0).abs() < 1e-8);
//! # Ok::<(), pullback::Error>(())
//! ```
//!
//! # When two runs count as one optimum
//!
//! Only converged runs count as optima. A run that ended at [`Tolerances::target`](crate::descent::Tolerances::target) need not be
//! at an optimum, and is counted apart ([`Summary::reached`]). In the order of their objectives, each run is compared with the lowest run of every
//! optimum so far, and joins the first optimum that agrees with it:
//!
//! - objectives: |f − f′| ≤ 10⁻⁶ max(|f|, |f′|) + 10⁻¹² f₀, with the median f₀ of the objectives at the starts. The last
//!   term is for perfect fits, whose objectives are squares of rounding errors. Twice the decrease that the run still predicts is
//!   added;
//! - every parameter: |θⱼ − θⱼ′| ≤ max(10⁻⁴ sⱼ, 0.1 eⱼ). The size sⱼ is the mean distance of the starts from their
//!   mean, and at least 10⁻⁴ max(|θⱼ|, |θⱼ′|), the inaccuracy of runs, so that an offset such as 10⁵ in all parameters merges
//!   nothing. With [`Transform::Log`](crate::Transform::Log), and where all starts are equal, sⱼ is the largest of |θⱼ|, |θⱼ′| and the
//!   median of |θⱼ| over the starts. The standard error eⱼ is 0 unless [`MultiStart::standard_errors`] asks for it.
//!
//! [`Merging`] holds the three tolerances. Points of a valley along which the objective is constant are distinct optima
//! without standard errors, and one optimum with them, because the standard error along the valley is infinite.
//! [`MultiStart::representative`] merges optima that differ by a symmetry of the model.

mod display;
mod merge;
mod shortlist;
mod starts;
mod summary;

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

pub use self::merge::Merging;
pub use self::summary::{Failure, Fit, Optimum, Summary};

use self::merge::Merger;
use self::shortlist::Shortlist;
use self::starts::Group;
use self::summary::{Outcome, Runs};
use crate::check;
use crate::coordinates::Bounds;
use crate::descent::{Counts, Descent, Report};
use crate::error::{Error, Result};
use crate::posterior::{Variance, numbered};

/// Map of θ to the representative of its symmetry class.
type Representative<'a> = &'a (dyn Fn(&[f64]) -> Vec<f64> + Sync);

/// Search for optima by one [`Descent`] from many starting points, in parallel.
///
/// The page of the [module](self) has an example. Starting points are the groups added by [`at`](Self::at),
/// [`within`](Self::within) and [`around`](Self::around), in the order of the calls.
///
/// Results have the same bits on any number of threads if evaluations of the model do not depend on those before. This holds
/// for all models of this library but one: a model written with [`automatic`](crate::automatic) whose residual has branches
/// that use other variables. Its sparsity pattern grows when a run first takes such a branch; from then on sums have
/// further zeros and possibly another order, in all runs that share the model. Their last bits then depend on which thread came
/// first. One run at a point on every branch beforehand, or one thread, makes them equal again.
#[derive(Clone)]
pub struct MultiStart<'a> {
    descent: &'a Descent<'a>,
    groups: Vec<Group>,
    seed: u64,
    shortlist: Option<Shortlist>,
    merging: Merging,
    variance: Option<Variance>,
    representative: Option<Representative<'a>>,
    names: Option<Vec<String>>,
}

/// Starting point with its index.
type Start = (usize, Vec<f64>);

/// One finished run of a search, passed to the observer.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'r> {
    /// Index of the starting point.
    pub start: usize,
    /// Number of finished runs, including this one.
    pub finished: usize,
    /// Number of all runs, short ones for a [shortlist](MultiStart::shortlist) included. It falls if so many short runs fail
    /// that the shortlist is not filled.
    pub total: usize,
    /// Report of the run, unfinished after a short run, or the error that ended it.
    pub outcome: std::result::Result<&'r Report, &'r Error>,
}

impl<'a> MultiStart<'a> {
    /// Creates a search without starting points, with seed 1.
    pub fn new(descent: &'a Descent<'a>) -> Self {
        Self {
            descent,
            groups: Vec::new(),
            seed: 1,
            shortlist: None,
            merging: Merging::default(),
            variance: None,
            representative: None,
            names: None,
        }
    }

    /// Sets the names of the parameters in the table, which are θ0, θ1, … by default.
    #[must_use]
    pub fn named(mut self, names: &[&str]) -> Self {
        self.names = Some(names.iter().map(|name| (*name).to_string()).collect());
        self
    }

    /// Adds starting points.
    #[must_use]
    pub fn at<P: AsRef<[f64]>>(mut self, points: &[P]) -> Self {
        let points = points.iter().map(|p| p.as_ref().to_vec()).collect();
        self.groups.push(Group::Given(points));
        self
    }

    /// Adds `count` starting points in a box, by a Latin hypercube.
    ///
    /// The points are uniform in the coordinates of the descent: in log θ for a parameter with
    /// [`Transform::Log`](crate::Transform::Log). Every end must be finite and inside the bounds and transforms of the
    /// descent. A parameter with equal ends is fixed.
    #[must_use]
    pub fn within(mut self, bounds: &Bounds, count: usize) -> Self {
        self.groups.push(Group::Within(bounds.clone(), count));
        self
    }

    /// Adds `count` starting points around `centre`, with normal displacements.
    ///
    /// `spread` holds the standard deviation of every parameter, in the coordinates of the descent: 0.5 scatters a
    /// parameter with [`Transform::Log`](crate::Transform::Log) by factors of about e^±0.5. Points outside the bounds of the
    /// descent are moved to the nearest point of the box.
    #[must_use]
    pub fn around(mut self, centre: &[f64], spread: &[f64], count: usize) -> Self {
        self.groups.push(Group::Around {
            centre: centre.to_vec(),
            spread: spread.to_vec(),
            count,
        });
        self
    }

    /// Sets the seed of the random starting points, 1 by default.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Runs only `iterations` iterations from every starting point, and full runs from the `count` points whose short runs
    /// ended lowest.
    ///
    /// Where most starts lead to local optima, short runs from many starts and few full runs find the best optimum more often
    /// than full runs from all. A full run begins at its starting point again, so that its report is the same as without a
    /// shortlist.
    #[must_use]
    pub fn shortlist(mut self, count: usize, iterations: usize) -> Self {
        self.shortlist = Some(Shortlist { count, iterations });
        self
    }

    /// Sets the tolerances by which two runs count as one optimum.
    #[must_use]
    pub fn merging(mut self, merging: Merging) -> Self {
        self.merging = merging;
        self
    }

    /// Computes the standard errors of every optimum as [`Report::estimates`] does, with the noise of this [`Variance`].
    ///
    /// This costs p tangent solves for every optimum, which the [counts](Summary::counts) do not include.
    #[must_use]
    pub fn standard_errors(mut self, variance: Variance) -> Self {
        self.variance = Some(variance);
        self
    }

    /// Sets a map of θ to a representative of all parameters with the same state ρ(θ), for models with a symmetry. Optima
    /// with equal representatives are merged.
    ///
    /// A sum of two exponentials does not change if they are exchanged; its representative has them in the order of
    /// their rates.
    #[must_use]
    pub fn representative(mut self, map: &'a (dyn Fn(&[f64]) -> Vec<f64> + Sync)) -> Self {
        self.representative = Some(map);
        self
    }

    /// Returns all starting points, in order.
    ///
    /// # Errors
    /// Fails if there is no starting point, if a group is empty, and if a point or box has the wrong length, is not
    /// finite, or is outside the bounds or transforms of the descent.
    pub fn starts(&self) -> Result<Vec<Vec<f64>>> {
        let none = self.groups.is_empty();
        let remedy = "add some with `at`, `within` or `around`";
        check::option("the number of starting points", 0.0, !none, remedy)?;
        let mut starts = Vec::new();
        for (k, group) in self.groups.iter().enumerate() {
            // Groups of one seed use different numbers.
            let seed = self.seed.wrapping_add((k as u64) << 32);
            starts.extend(group.points(self.descent, seed)?);
        }
        Ok(starts)
    }

    /// Runs a descent from every starting point, or from those on the [shortlist](Self::shortlist). The observer is called after
    /// every run, short ones included, on the thread of the run and in the order in which runs end.
    ///
    /// All reports of full runs are kept, each with its history and its state ρ.
    ///
    /// # Errors
    /// Fails as [`starts`](Self::starts) does, and if a tolerance, the shortlist, the number of names or the representative of a start is invalid.
    /// Fails with [`Error::NoStart`] if every run fails; a run that does not converge has not failed.
    pub fn run(&self, observer: impl Fn(Progress<'_>) + Sync) -> Result<Summary> {
        self.merging.check()?;
        let p = self.descent.param_dim();
        let names = self.names.clone().unwrap_or_else(|| numbered(p));
        check::length("the names of the parameters", names.len(), p)?;
        let starts = self.starts()?;
        if let Some(map) = self.representative {
            let image = map(&starts[0]);
            check::length("the representative of θ", image.len(), starts[0].len())?;
        }
        let mut runs = self.run_all(starts.into_iter().enumerate().collect(), &observer)?;
        runs.check()?;
        let merger = Merger {
            descent: self.descent,
            merging: self.merging,
            variance: self.variance,
            representative: self.representative,
        };
        let optima = merger.merge(&mut runs.fits, &runs.starts);
        Ok(Summary::new(runs, optima, names))
    }

    /// Runs from all starts, and again from those on the shortlist if there is one.
    fn run_all(
        &self,
        starts: Vec<Start>,
        observer: &(impl Fn(Progress<'_>) + Sync),
    ) -> Result<Runs> {
        let mut runs = Runs::default();
        let finished = AtomicUsize::new(0);
        let full = |from: &[f64]| self.descent.attempt(from, None);
        let Some(shortlist) = self.shortlist else {
            runs.add(run_each(starts, &full, (&finished, 0), observer));
            runs.note_starts();
            return Ok(runs);
        };
        shortlist.check()?;
        let (all, chosen) = (starts.len(), shortlist.count.min(starts.len()));
        let short = |from: &[f64]| self.descent.attempt_steps(from, None, shortlist.iterations);
        runs.add(run_each(starts, &short, (&finished, chosen), observer));
        runs.note_starts();
        let starts = shortlist.choose(&runs.fits);
        runs.drop_fits(starts.len());
        runs.add(run_each(starts, &full, (&finished, all), observer));
        Ok(runs)
    }
}

/// Runs from every one of these starts in parallel, with `others` runs before or after.
fn run_each(
    starts: Vec<Start>,
    run: &(impl Fn(&[f64]) -> (Result<Report>, Counts) + Sync),
    (finished, others): (&AtomicUsize, usize),
    observer: &(impl Fn(Progress<'_>) + Sync),
) -> Vec<Outcome> {
    let total = starts.len() + others;
    // One start a task: runs differ in length.
    let jobs = starts.into_par_iter().with_max_len(1);
    let jobs = jobs.map(|(start, from)| {
        let (result, cost) = run(&from);
        observer(Progress {
            start,
            finished: 1 + finished.fetch_add(1, Ordering::Relaxed),
            total,
            outcome: result.as_ref(),
        });
        Outcome {
            start: (start, from),
            result,
            cost,
        }
    });
    jobs.collect()
}
