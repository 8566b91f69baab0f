//! Continuation: a sequence of problems along a parameter, each started from the result of the last.
//!
//! ```
//! use pullback::automatic::{Curve, Formula, Scalar};
//! use pullback::continuation::Continuation;
//! use pullback::{Descent, loss::L2Misfit};
//!
//! /// y = sin(ωt) at a number of times.
//! struct Wave(usize);
//!
//! impl Formula for Wave {
//!     fn dims(&self) -> (usize, usize) {
//!         (self.0, 1)
//!     }
//!
//!     fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
//!         for (k, y) in out.iter_mut().enumerate() {
//!             *y = (theta[0] * (0.1 * k as f64)).sin();
//!         }
//!     }
//! }
//!
//! // A short record has one minimum near ω = 3, a long one has many. Continuation lengthens the record.
//! let data = Curve::new(Wave(200)).predict(&[3.0])?;
//! let fit = |length: f64, start: &[f64]| {
//!     let wave = Curve::new(Wave(length as usize));
//!     let loss = L2Misfit::euclidean(data[..length as usize].to_vec())?;
//!     Descent::new(&wave, &loss).run(start, |_| ())
//! };
//! assert!((fit(200.0, &[2.0])?.theta[0] - 3.0).abs() > 0.1);
//!
//! let path = Continuation::new(12.0, 200.0).step(20.0).run(&[2.0], fit, |_| ())?;
//!
//! println!("{path}");
//! assert!(path.reached() && (path.last().report.theta[0] - 3.0).abs() < 1e-8);
//! # Ok::<(), pullback::Error>(())
//! ```

mod path;
mod windows;

pub use self::path::{End, Path, Point, Rejection};
pub use self::windows::GrowingWindow;

use crate::check;
use crate::descent::{Counts, Report};
use crate::error::{Error, Result};

/// Continuation in a parameter of the problem, with adaptive steps.
///
/// Each run starts from the result of the last, or with [`secant`](Self::secant) from the extrapolation of the last two. A
/// run that fails or does not converge is repeated with half the step. After two successes in a row the step is doubled,
/// up to its first size.
///
/// The page of the [module](self) has an example. For a parameter that spans decades, continue in its logarithm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Continuation {
    from: f64,
    to: f64,
    step: f64,
    smallest: f64,
    secant: bool,
}

/// One run of a continuation, passed to the observer.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'r> {
    /// Value of the parameter.
    pub value: f64,
    /// Fraction of the interval behind the last accepted value, from 0 to 1.
    pub fraction: f64,
    /// Report of the run, or the error that ended it.
    pub outcome: std::result::Result<&'r Report, &'r Error>,
}

/// Steps of the parameter: their size, and the number of successes in a row.
struct Pace {
    step: f64,
    successes: usize,
}

impl Continuation {
    /// Creates a continuation between two values of the parameter, in ten steps of equal size, each of which may be halved
    /// ten times.
    pub fn new(from: f64, to: f64) -> Self {
        let step = (to - from).abs() / 10.0;
        Self {
            from,
            to,
            step,
            smallest: step / 1024.0,
            secant: false,
        }
    }

    /// Sets the largest step of the parameter, with which the continuation begins. The smallest becomes 1/1024 of it.
    #[must_use]
    pub fn step(mut self, step: f64) -> Self {
        self.step = step;
        self.smallest = step / 1024.0;
        self
    }

    /// Sets the smallest step of the parameter. The continuation ends where a smaller one would be needed.
    #[must_use]
    pub fn smallest_step(mut self, step: f64) -> Self {
        self.smallest = step;
        self
    }

    /// Starts each run from the linear extrapolation of the last two results. If such a run fails, it is repeated from the
    /// last result before the step is halved.
    #[must_use]
    pub fn secant(mut self) -> Self {
        self.secant = true;
        self
    }

    /// Runs the sequence from `theta`. `problem` runs the descent at a value of the parameter from a start, and the observer
    /// is called after each of these runs.
    ///
    /// To reject a result that has jumped to another branch, let `problem` return [`Error::custom`].
    ///
    /// # Errors
    /// Fails if an option is invalid, or if the first run fails; with [`Error::NoStart`] if the first run does not converge.
    /// A continuation that ends before the last value is no error: see [`Path::end`].
    pub fn run(
        &self,
        theta: &[f64],
        mut problem: impl FnMut(f64, &[f64]) -> Result<Report>,
        mut observer: impl FnMut(Progress<'_>),
    ) -> Result<Path> {
        self.check(theta)?;
        let first = problem(self.from, theta);
        observer(self.progress(self.from, self.from, &first));
        let first = first?;
        if !first.converged() {
            let reasons = format!("at the first value {}: {}", self.from, first.stop);
            return Err(Error::NoStart { reasons });
        }
        let mut path = Path::new(self.from, first);
        let mut pace = Pace {
            step: self.step,
            successes: 0,
        };
        while path.last().value != self.to {
            let here = path.last().value;
            let value = self.next(here, pace.step);
            // A step that rounding swallows would be repeated for ever.
            if pace.step < self.smallest || value == here {
                path.end = End::Stuck { step: pace.step };
                return Ok(path);
            }
            let mut accepted = false;
            for start in self.starts(&path, value) {
                let outcome = problem(value, &start);
                observer(self.progress(value, here, &outcome));
                accepted = path.add(value, outcome);
                if accepted {
                    break;
                }
            }
            pace.adapt(accepted, self.step);
        }
        Ok(path)
    }

    fn check(&self, theta: &[f64]) -> Result<()> {
        check::finite("the start θ", theta)?;
        check::finite("an end of the continuation", &[self.from, self.to])?;
        let sound = |step: f64| step > 0.0 && step.is_finite();
        let (needed, remedy) = (self.from != self.to, "give a positive number");
        let what = "the step of the continuation";
        check::option(what, self.step, !needed || sound(self.step), remedy)?;
        let what = "the smallest step of the continuation";
        check::option(what, self.smallest, !needed || sound(self.smallest), remedy)
    }

    /// Returns the next value, which is the last one if it is within a step.
    fn next(&self, here: f64, step: f64) -> f64 {
        let left = (self.to - here).abs();
        // A rest that only rounding separates from a step is no step of its own.
        match left <= step * (1.0 + 1e-9) {
            true => self.to,
            false => here + step.copysign(self.to - here),
        }
    }

    /// Returns the starting points to try at a value, in order.
    fn starts(&self, path: &Path, value: f64) -> Vec<Vec<f64>> {
        let last = path.last();
        let mut starts = vec![last.report.theta.clone()];
        if let ([.., before, last], true) = (path.points(), self.secant) {
            let ratio = (value - last.value) / (last.value - before.value);
            let pairs = last.report.theta.iter().zip(&before.report.theta);
            starts.insert(0, pairs.map(|(b, a)| b + ratio * (b - a)).collect());
        }
        starts
    }

    fn progress<'r>(&self, value: f64, here: f64, outcome: &'r Result<Report>) -> Progress<'r> {
        let length = self.to - self.from;
        let fraction = if length == 0.0 {
            1.0
        } else {
            (here - self.from) / length
        };
        Progress {
            value,
            fraction,
            outcome: outcome.as_ref(),
        }
    }
}

impl Pace {
    fn adapt(&mut self, accepted: bool, largest: f64) {
        if !accepted {
            (self.step, self.successes) = (0.5 * self.step, 0);
            return;
        }
        self.successes += 1;
        if self.successes == 2 {
            (self.step, self.successes) = ((2.0 * self.step).min(largest), 0);
        }
    }
}

impl Path {
    fn new(value: f64, report: Report) -> Self {
        let mut path = Self {
            points: Vec::new(),
            rejected: Vec::new(),
            end: End::Reached,
            counts: Counts::default(),
        };
        path.counts += report.counts;
        path.points.push(Point { value, report });
        path
    }

    /// Adds a run that converged to the points, and any other to the rejections. Returns whether it converged.
    fn add(&mut self, value: f64, outcome: Result<Report>) -> bool {
        let reason = match outcome {
            Ok(report) => {
                self.counts += report.counts;
                if report.converged() {
                    self.points.push(Point { value, report });
                    return true;
                }
                report.stop.to_string()
            }
            Err(error) => error.to_string(),
        };
        self.rejected.push(Rejection { value, reason });
        false
    }
}
