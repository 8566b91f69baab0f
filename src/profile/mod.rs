//! Profile likelihoods: how far each parameter can move if all others follow, and the intervals that result.
//!
//! The profile of θⱼ is the lowest objective at a fixed value of θⱼ,
//!
//! ```text
//! F(θⱼ) = min f(ρ(θ)) + R(θ)   over all other parameters,
//! ```
//!
//! and its interval is where F − f̂ ≤ Δ (Bates and Watts, *Nonlinear Regression Analysis and Its Applications*, 1988, chapter 6;
//! Raue et al., Bioinformatics 25, 2009). The objective must be the negative logarithm of a likelihood.
//!
//! - Noise known: Δ = z²/2, the quantile of χ² with one degree of freedom, halved.
//! - Noise estimated ([`Variance::Estimated`]): Δ = t² s²/2, with Student's t and s² = 2 f̂/(n − p).
//!
//! If the model is linear, these are the intervals of the covariance, θ̂ ± t σ. Otherwise profiles follow the curvature of the
//! objective: they need not be symmetric, do not depend on the parametrisation, and show which parameters the data do not
//! determine.
//!
//! ```
//! use pullback::automatic::{Curve, Formula, Scalar};
//! use pullback::posterior::Variance;
//! use pullback::profile::ProfileLikelihood;
//! use pullback::{Descent, loss::L2Misfit};
//!
//! /// Oxygen demand y = a (1 − exp(−b t)) after t days.
//! struct Demand;
//!
//! impl Formula for Demand {
//!     fn dims(&self) -> (usize, usize) {
//!         (6, 2)
//!     }
//!
//!     fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
//!         for (y, t) in out.iter_mut().zip([1.0, 2.0, 3.0, 4.0, 5.0, 7.0]) {
//!             *y = theta[0] * (-(theta[1] * -t).exp() + 1.0);
//!         }
//!     }
//! }
//!
//! let curve = Curve::new(Demand);
//! let loss = L2Misfit::euclidean(vec![8.3, 10.3, 19.0, 16.0, 15.6, 19.8])?;
//! let descent = Descent::new(&curve, &loss);
//! let report = descent.run(&[20.0, 0.5], |_| ())?;
//!
//! let profiles = ProfileLikelihood::new(&descent)
//!     .named(&["a", "b"])
//!     .variance(Variance::Estimated)
//!     .run(&report.theta, |_| ())?;
//!
//! println!("{profiles}"); // a table of the intervals
//! let (low, high) = profiles.profiles[0].interval;
//! assert!((low - 14.05).abs() < 0.01 && (high - 38.46).abs() < 0.01);
//! assert!(high - report.theta[0] > 3.0 * (report.theta[0] - low)); // far from symmetric
//! # Ok::<(), pullback::Error>(())
//! ```
//!
//! # How a profile is followed
//!
//! From the fit, θⱼ moves in both directions in its coordinate of the descent, such as log θⱼ. At each value the descent runs
//! over the other parameters, from the tangent of the profile or the line through its last two points. Steps are chosen so that
//! the root √(F − f̂) grows by an eighth of its value at the threshold. A step that adds twice as much is repeated shorter; one
//! whose run fails or does not converge is halved, up to ten times. The crossing is found by false position on the
//! root, to 10⁻⁷ of its distance from the fit.
//!
//! A profile that stays below its threshold ends at the bound of the parameter, or where its [reach](ProfileLikelihood::reach)
//! is used up. [`End`] and [`Identifiability`] say which.

mod axis;
mod display;
mod held;
mod join;
mod problem;
mod result;
mod walk;

use rayon::prelude::*;

pub use self::result::{Better, End, Identifiability, Point, Profile, Profiles, Rejection};

use self::join::collect;
use self::problem::Problem;
use self::walk::Side;
use crate::check;
use crate::descent::{Descent, Report};
use crate::error::{Error, Result};
use crate::posterior::{Confidence, CovarianceError, Uncertainty, Variance, numbered};

/// Profile likelihoods of the parameters of a [`Descent`], in parallel.
///
/// The page of the [module](self) has an example. Any loss, metric, prior, bounds and transforms of the descent are kept; its
/// [target](crate::descent::Tolerances::target) is not. Results have the same bits on any number of threads.
#[derive(Clone)]
pub struct ProfileLikelihood<'a> {
    descent: &'a Descent<'a>,
    parameters: Option<Vec<usize>>,
    names: Option<Vec<String>>,
    confidence: Confidence,
    variance: Variance,
    reach: f64,
}

/// One finished run, passed to the observer.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'r> {
    /// Index of the profiled parameter.
    pub parameter: usize,
    /// Value of the profiled parameter.
    pub value: f64,
    /// Increase of the objective, relative to the threshold; None if the run failed.
    pub increase: Option<f64>,
    /// Report of the run, or the error that ended it.
    pub outcome: std::result::Result<&'r Report, &'r Error>,
}

impl<'a> ProfileLikelihood<'a> {
    /// Creates profiles of all parameters at the level 0.95, for known noise.
    pub fn new(descent: &'a Descent<'a>) -> Self {
        Self {
            descent,
            parameters: None,
            names: None,
            confidence: Confidence::default(),
            variance: Variance::Known,
            reach: 1000.0,
        }
    }

    /// Selects the parameters whose profiles are computed, all by default.
    #[must_use]
    pub fn only(mut self, parameters: &[usize]) -> Self {
        self.parameters = Some(parameters.to_vec());
        self
    }

    /// Sets the names of all parameters.
    #[must_use]
    pub fn named(mut self, names: &[&str]) -> Self {
        self.names = Some(names.iter().map(|name| (*name).to_string()).collect());
        self
    }

    /// Sets the variance of the noise, [`Variance::Known`] by default.
    #[must_use]
    pub fn variance(mut self, variance: Variance) -> Self {
        self.variance = variance;
        self
    }

    /// Sets the degrees of freedom of a noise that is estimated by s² = 2 f̂/`freedom`, in place of
    /// [`variance`](Self::variance), for a loss that does not know its number of data.
    #[must_use]
    pub fn freedom(mut self, freedom: f64) -> Self {
        self.confidence.freedom = Some(freedom);
        self
    }

    /// Sets the level of the confidence intervals, 0.95 by default.
    #[must_use]
    pub fn level(mut self, level: f64) -> Self {
        self.confidence.level = level;
        self
    }

    /// Sets how far a profile below its threshold is followed, 1000 by default.
    ///
    /// A profile is open on a side if θⱼ has moved by this multiple of |θ̂ⱼ|, and by ten times half the Wald interval, without
    /// crossing the threshold or still rising. With [`Transform::Log`](crate::Transform::Log) θⱼ has changed by this factor, and with [`Transform::Logit`](crate::Transform::Logit) its odds
    /// (θⱼ − lower)/(upper − θⱼ). If there is a bound further away, the objective at this bound decides.
    #[must_use]
    pub fn reach(mut self, factor: f64) -> Self {
        self.reach = factor;
        self
    }

    /// Computes the profiles from the parameters `theta` of a fit. The observer is called after every run, on the thread of
    /// the run.
    ///
    /// # Errors
    /// Fails if an option or `theta` is invalid, if the objective cannot be computed there, if its covariance cannot although
    /// the descent has a metric, if the noise cannot be estimated, and for noise that is not known if there are priors. A
    /// profile that cannot be followed is no error: see [`End::Failed`]. Neither is a fit that is not the minimum: see
    /// [`Profiles::better`].
    pub fn run(&self, theta: &[f64], observer: impl Fn(Progress<'_>) + Sync) -> Result<Profiles> {
        let (parameters, names) = self.check()?;
        let fit = self.descent.begin(theta)?;
        let noise = self.noise(fit.misfit())?;
        let uncertainty = match (fit.uncertainty(noise), noise) {
            (Ok(uncertainty), _) => Some(uncertainty),
            (Err(Error::NoMetric), Variance::Known | Variance::Given { .. }) => None,
            (Err(error), _) => return Err(error),
        };
        let (variance, freedom) = match (&uncertainty, noise) {
            (Some(uncertainty), _) => (uncertainty.variance(), uncertainty.freedom()),
            (None, Variance::Given { variance, freedom }) => (variance, freedom),
            (None, _) => (1.0, None),
        };
        let confidence = Confidence {
            freedom,
            ..self.confidence
        };
        let quantile = confidence.quantile();
        let problem = Problem {
            descent: self.descent,
            theta,
            rho: fit.rho(),
            objective: fit.loss(),
            threshold: 0.5 * quantile * quantile * variance,
            quantile,
            wald: match &uncertainty {
                None => None,
                Some(uncertainty) => Some(self.wald(uncertainty, theta)?),
            },
            uncertainty: uncertainty.as_ref(),
            reach: self.reach,
            observer: &observer,
        };
        let sides = parameters.iter().flat_map(|&j| [(j, -1.0), (j, 1.0)]);
        let sides: Vec<(usize, f64)> = sides.collect();
        let jobs = sides.into_par_iter().with_max_len(1);
        let walks = jobs.map(|(j, sign)| Side::follow(&problem, j, sign));
        Ok(collect(
            &problem,
            walks.collect(),
            names,
            self.confidence.level,
        ))
    }

    /// Returns the parameters and names, checked together with the other options.
    fn check(&self) -> Result<(Vec<usize>, Vec<String>)> {
        let p = self.descent.param_dim();
        self.confidence.check()?;
        let sound = self.reach > 1.0 && self.reach.is_finite();
        let what = "the reach of the profiles";
        check::option(what, self.reach, sound, "give a factor such as 1000")?;
        let names = self.names.clone().unwrap_or_else(|| numbered(p));
        check::length("the names of the parameters", names.len(), p)?;
        let parameters = self.parameters.clone().unwrap_or_else(|| (0..p).collect());
        let some = !parameters.is_empty();
        let what = "the number of profiled parameters";
        check::option(what, 0.0, some, "give at least one index to `only`")?;
        match parameters.iter().position(|&j| j >= p) {
            None => Ok((parameters, names)),
            Some(index) => Err(Error::OutOfRange {
                what: "the index of a profiled parameter",
                index,
                value: parameters[index] as f64,
                lower: 0.0,
                upper: p as f64 - 1.0,
            }),
        }
    }

    /// Returns the intervals from the covariance.
    fn wald(&self, uncertainty: &Uncertainty, theta: &[f64]) -> Result<Vec<(f64, f64)>> {
        let estimates = uncertainty.estimates(theta)?.level(self.confidence.level)?;
        Ok(estimates.intervals())
    }

    /// Returns the noise, given the misfit of the fit.
    fn noise(&self, misfit: f64) -> Result<Variance> {
        let known = self.confidence.freedom.is_none() && self.variance == Variance::Known;
        if !known && self.descent.has_priors() {
            // (f/s² + R)s² is not the objective f + R of the runs.
            return Err(CovarianceError::Priors.into());
        }
        let Some(freedom) = self.confidence.freedom else {
            return Ok(self.variance);
        };
        let (variance, remedy) = (
            2.0 * misfit / freedom,
            "a fit without a residual does not tell the noise: put the noise into the loss, and leave out `freedom`",
        );
        let what = "the variance 2 f/(n − p) of the residual";
        check::option(what, variance, variance > 0.0, remedy)?;
        Ok(Variance::Given {
            variance,
            freedom: Some(freedom),
        })
    }
}
