//! Fits of one formula to many small sets of data: pixels, wells, cells.
//!
//! A [`Descent`](crate::Descent) is made for models whose solution costs much more than a step. For a formula with a few
//! parameters and some dozen data, [`FitMany`] does the same in microseconds a fit, on all cores.
//!
//! ```
//! use pullback::automatic::{Formula, Scalar};
//! use pullback::faer::Mat;
//! use pullback::fits::FitMany;
//!
//! /// y = a exp(−b t) + c.
//! struct Decay([f64; 8]);
//!
//! impl Formula for Decay {
//!     fn dims(&self) -> (usize, usize) {
//!         (8, 3)
//!     }
//!
//!     fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
//!         for (y, &t) in out.iter_mut().zip(&self.0) {
//!             *y = theta[0] * (theta[1] * -t).exp() + theta[2];
//!         }
//!     }
//! }
//!
//! let decay = Decay([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]);
//! // Every column holds the data of one fit.
//! let rate = |i: usize| 0.5 + 0.01 * i as f64;
//! let data = Mat::from_fn(8, 100, |k, i| 3.0 * (-rate(i) * decay.0[k]).exp() + 1.0);
//!
//! let fits = FitMany::new(&decay).run(data.as_ref(), &[2.0, 1.0, 0.5])?;
//!
//! println!("{fits}");
//! assert!(fits.all_converged());
//! assert!((0..100).all(|i| (fits.theta[(1, i)] - rate(i)).abs() < 1e-8));
//! # Ok::<(), pullback::Error>(())
//! ```
//!
//! Formulas, starts and options are checked once. The fits then take the steps of a descent with its default direction and
//! step rule, and stop by the same tests. NaN marks missing data: fits with different numbers of data, such as wells with
//! times of their own, share the formula at all times.

mod fitter;
mod local;
mod objective;
mod outcome;

use faer::{Mat, MatRef};
use rayon::prelude::*;

pub use self::outcome::Fits;

use self::fitter::Fitter;
use self::objective::Rules;
use crate::automatic::{Curve, Formula};
use crate::check;
use crate::coordinates::{Bounds, Transform};
use crate::descent::Tolerances;
use crate::error::Result;
use crate::loss::Penalty;
use crate::noise::Noise;

/// Fits of a [`Formula`] with few parameters to many sets of data, in parallel.
///
/// The page of the [module](self) has an example. Results have the same bits on any number of threads.
pub struct FitMany<'a, F> {
    formula: &'a F,
    noise: Option<&'a Noise>,
    rules: Rules<'a>,
}

/// Least number of fits that a thread takes at a time.
const SHARE: usize = 16;

impl<'a, F: Formula> FitMany<'a, F> {
    /// Creates fits of a formula by least squares, without bounds.
    pub fn new(formula: &'a F) -> Self {
        Self {
            formula,
            noise: None,
            rules: Rules {
                bounds: None,
                transforms: None,
                deviations: None,
                robust: None,
                tolerances: Tolerances::default(),
            },
        }
    }

    /// Sets the noise of the data, which weights them. Standard errors are then those of this noise. Without it, every fit
    /// estimates the noise of its data by 2 f/(n − p), where parameters held by bounds do not count.
    #[must_use]
    pub fn noise(mut self, noise: &'a Noise) -> Self {
        self.noise = Some(noise);
        self
    }

    /// Sets a penalty against outliers, with its [standard scale](Penalty::standard_scale) (see
    /// [`Robust`](crate::loss::Robust)). It needs the noise.
    #[must_use]
    pub fn penalty(mut self, penalty: Penalty) -> Self {
        self.rules.robust = Some((penalty, penalty.standard_scale()));
        self
    }

    /// Sets bounds on θ.
    #[must_use]
    pub fn bounds(mut self, bounds: &'a Bounds) -> Self {
        self.rules.bounds = Some(bounds);
        self
    }

    /// Sets one transform per parameter, in whose coordinates steps are taken.
    #[must_use]
    pub fn transforms(mut self, transforms: &'a [Transform]) -> Self {
        self.rules.transforms = Some(transforms);
        self
    }

    /// Sets the tolerances of the stopping tests.
    #[must_use]
    pub fn tolerances(mut self, tolerances: Tolerances) -> Self {
        self.rules.tolerances = tolerances;
        self
    }

    /// Fits every column of `data`, all from one start.
    ///
    /// # Errors
    /// Fails if an option, the start or the formula is invalid. A single fit that fails is in [`Fits::outcomes`].
    pub fn run(&self, data: MatRef<'_, f64>, start: &[f64]) -> Result<Fits> {
        check::length("the start θ", start.len(), self.formula.dims().1)?;
        self.rules.check(start)?;
        self.run_from(data, |_, _, theta| theta.copy_from_slice(start))
    }

    /// Fits every column of `data`. The closure receives the index of a fit and its data, and writes the start.
    ///
    /// ```
    /// # use pullback::automatic::{Formula, Scalar};
    /// # use pullback::faer::Mat;
    /// # use pullback::fits::FitMany;
    /// # struct Decay;
    /// # impl Formula for Decay {
    /// #     fn dims(&self) -> (usize, usize) { (6, 2) }
    /// #     fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
    /// #         for (t, y) in out.iter_mut().enumerate() { *y = theta[0] * (theta[1] * -(t as f64)).exp(); }
    /// #     }
    /// # }
    /// // a exp(−b t) starts from the first datum, and from the logarithm of the first two.
    /// let data = Mat::from_fn(6, 50, |t, i| (1.0 + i as f64) * (-0.3 * t as f64).exp());
    /// let fits = FitMany::new(&Decay).run_from(data.as_ref(), |_, data, start| {
    ///     start[0] = data[0];
    ///     start[1] = (data[0] / data[1]).ln();
    /// })?;
    /// assert!(fits.all_converged());
    /// # Ok::<(), pullback::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails if an option or the formula is invalid. A single fit that fails is in [`Fits::outcomes`].
    pub fn run_from(
        &self,
        data: MatRef<'_, f64>,
        start: impl Fn(usize, &[f64], &mut [f64]) + Sync,
    ) -> Result<Fits> {
        let rules = self.checked(data)?;
        match self.formula.dims().1 {
            1 => self.dispatch::<1>(&rules, data, &start),
            2 => self.dispatch::<2>(&rules, data, &start),
            3 => self.dispatch::<3>(&rules, data, &start),
            4 => self.dispatch::<4>(&rules, data, &start),
            5 | 6 => self.dispatch::<6>(&rules, data, &start),
            _ => self.dispatch::<8>(&rules, data, &start),
        }
    }

    /// Returns the settings of all fits.
    fn checked(&self, data: MatRef<'_, f64>) -> Result<Rules<'a>> {
        let (k, p) = self.formula.dims();
        check::length("the rows of the data", data.nrows(), k)?;
        for (what, size) in [
            ("the number of values of a formula", k),
            ("the number of parameters of a formula", p),
        ] {
            check::option(what, size as f64, size > 0, "give at least one")?;
        }
        if let Some(bounds) = self.rules.bounds {
            check::length("the bounds", bounds.lower().len(), p)?;
        }
        if let Some(transforms) = self.rules.transforms {
            check::length("the transforms", transforms.len(), p)?;
        }
        self.rules.tolerances.check()?;
        let mut rules = self.rules;
        if let Some(noise) = self.noise {
            check::length("the noise covariance", noise.dim(), k)?;
            rules.deviations = noise.independent();
            check::option(
                "the number of correlated data of a fit",
                k as f64,
                rules.deviations.is_some(),
                "give independent noise by `Noise::uniform` or `Noise::deviations`",
            )?;
        }
        check::option(
            "the scale of a penalty without noise",
            rules.robust.map_or(0.0, |(_, scale)| scale),
            rules.robust.is_none() || rules.deviations.is_some(),
            "give the noise of the data, in whose standard deviations the scale is measured",
        )?;
        Ok(rules)
    }

    /// Runs all fits with N derivatives in an evaluation.
    fn dispatch<const N: usize>(
        &self,
        rules: &Rules<'_>,
        data: MatRef<'_, f64>,
        start: &(impl Fn(usize, &[f64], &mut [f64]) + Sync),
    ) -> Result<Fits> {
        let (k, p) = self.formula.dims();
        let count = data.ncols();
        let read = |i: usize, column: &mut [f64]| {
            let entries = column.iter_mut().zip(data.col(i).iter());
            entries.for_each(|(out, datum)| *out = *datum);
        };
        if count > 0 {
            let (mut column, mut theta) = (vec![0.0; k], vec![f64::NAN; p]);
            read(0, &mut column);
            start(0, &column, &mut theta);
            Curve::new(self.formula).trace(&theta)?;
        }
        let (mut theta, mut errors) = (vec![f64::NAN; p * count], vec![f64::NAN; p * count]);
        let mut ends = Vec::with_capacity(count);
        let pairs = theta.par_chunks_mut(p).zip(errors.par_chunks_mut(p));
        let jobs = pairs.enumerate().with_min_len(SHARE);
        jobs.map_init(
            || (Fitter::<F, N>::new(self.formula, rules), vec![0.0; k]),
            |(fitter, column), (i, (theta, errors))| {
                read(i, column);
                start(i, column, theta);
                let end = fitter.fit(column, theta, errors);
                if end.is_err() {
                    theta.fill(f64::NAN);
                    errors.fill(f64::NAN);
                }
                end
            },
        )
        .collect_into_vec(&mut ends);
        Ok(Fits::new(matrix(p, &theta), matrix(p, &errors), ends))
    }
}

/// Returns the matrix with these columns of p entries.
fn matrix(p: usize, entries: &[f64]) -> Mat<f64> {
    MatRef::from_column_major_slice(entries, p, entries.len() / p).to_owned()
}
