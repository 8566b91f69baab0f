//! Models from their equations alone: exact derivatives by automatic differentiation.
//!
//! A residual or formula is written once, generic over a [`Scalar`]. Evaluated with `f64` it gives values. Evaluated with
//! dual numbers it gives derivatives to rounding, without step sizes.
//!
//! ```
//! use pullback::automatic::{Curve, Formula, Scalar};
//! use pullback::{Descent, loss::L2Misfit};
//!
//! /// y = a exp(−b t).
//! struct Decay {
//!     times: Vec<f64>,
//! }
//!
//! impl Formula for Decay {
//!     fn dims(&self) -> (usize, usize) {
//!         (self.times.len(), 2)
//!     }
//!
//!     fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
//!         for (y, &t) in out.iter_mut().zip(&self.times) {
//!             *y = theta[0] * (theta[1] * -t).exp();
//!         }
//!     }
//! }
//!
//! let curve = Curve::new(Decay { times: vec![0.0, 1.0, 2.0, 3.0] });
//! let loss = L2Misfit::euclidean(vec![2.0, 1.2, 0.7, 0.4])?;
//! let report = Descent::new(&curve, &loss).run(&[1.0, 1.0], |_| ())?;
//! assert!(report.converged() && (report.theta[1] - 0.52).abs() < 0.01);
//! # Ok::<(), pullback::Error>(())
//! ```
//!
//! # Sparse Jacobians
//!
//! The first derivative at a point records the residual on a tape, which shows the pattern of the Jacobian. Columns without a
//! common row share a colour, and one dual evaluation differentiates with respect to all columns of a colour (Curtis,
//! Powell & Reid 1974). Rows that are too full for this, such as a mass constraint Σρᵢ = 1, are differentiated in reverse.
//! The pattern and its colouring are computed once and shared between threads. A check in every evaluation finds
//! entries that appear only at other points, behind an `if` for instance. The pattern then grows.
//!
//! # Branches
//!
//! A dual number knows the branch that was taken, and nothing of the others. Every evaluation therefore notes the outcomes of its
//! comparisons and the values that were read without derivatives. The first evaluation with new outcomes is compared with
//! differences, which costs about eight evaluations with `f64`. A derivative that belongs to a single point only, or is lost, is
//! an [`Error`] that names the entry and the variable. At a kink the derivative of either side is accepted.
//!
//! A residual must compute on the thread that calls it. A [`Formula`] of many values that can compute some without the others says
//! so by [`Formula::rows`], and is evaluated by blocks on all threads.

mod arithmetic;
mod bend;
mod blocks;
mod cache;
mod colouring;
mod curve;
mod decisions;
mod dense;
mod differences;
mod dual;
mod equation;
mod error;
mod expansion;
mod jacobian;
mod outputs;
mod scalar;
mod sparse;
mod sparsity;
mod tape;
#[cfg(test)]
mod tests;
mod trace;
mod watch;

pub use self::curve::{Curve, Formula};
pub(crate) use self::curve::{evaluate, second_derivative};
pub(crate) use self::dense::Slopes;
pub use self::equation::{Automatic, Equation};
pub use self::error::{Error, Variable};
pub(crate) use self::expansion::Expansion;
pub use self::scalar::Scalar;
pub(crate) use self::sparse::{Entries, Evaluated, SparseSlopes};
pub(crate) use self::watch::Watch;
