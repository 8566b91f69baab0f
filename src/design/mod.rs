//! Optimal design: which observations tell the most about the parameters.
//!
//! To first order, observations with Jacobians Jᵢ and noise levels σᵢ give the information M = Σ wᵢ JᵢᵀJᵢ/σᵢ², whose inverse is
//! the covariance of the estimates. [`Candidates`] are observations that could be made, such as those at each of many times.
//! [`Candidates::weights`] finds the shares wᵢ of the effort that are best by a [`Criterion`], and [`Candidates::choose`] the best
//! k of the candidates.
//!
//! ```
//! use pullback::Noise;
//! use pullback::automatic::Scalar;
//! use pullback::design::{Candidates, Criterion};
//! use pullback::evolution::{Dynamics, Evolution};
//!
//! /// A drug that decays, ẋ = −bx from x(0) = a.
//! struct Decay;
//!
//! impl Dynamics for Decay {
//!     fn dims(&self) -> (usize, usize) {
//!         (1, 2)
//!     }
//!
//!     fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
//!         out[0] = -theta[1] * x[0];
//!     }
//!
//!     fn initial<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
//!         out[0] = theta[0];
//!     }
//! }
//!
//! // When should it be measured, if a is about 10 and b about 0.5? At once, and at t = 1/b, with equal effort.
//! let times: Vec<f64> = (0..=60).map(|i| 0.1 * f64::from(i)).collect();
//! let model = Evolution::new(Decay, times.clone())?;
//! let candidates = Candidates::of(&model, &[10.0, 0.5], &Noise::uniform(61, 0.1)?)?;
//! let design = candidates.weights(Criterion::D)?;
//! println!("{design}");
//! let best: Vec<f64> = design.support(0.01).map(|(i, _)| times[i]).collect();
//! assert_eq!(best, [times[0], times[20]]);
//!
//! // Four measurements at different times, with the least sum of relative variances.
//! let four = candidates.units(&[10.0, 0.5])?.choose(4, Criterion::A)?;
//! let best: Vec<f64> = four.chosen.iter().map(|&i| times[i]).collect();
//! println!("measure at {best:?}, {:.0} % as good as can be", 100.0 * four.efficiency);
//! # assert!(four.efficiency > 0.9);
//! # Ok::<(), pullback::Error>(())
//! ```
//!
//! The Jacobian is that of a guess of the parameters. If the guess is uncertain, compare the designs of several guesses.

mod barrier;
mod candidates;
mod choice;
mod criterion;
mod error;
mod problem;
mod weights;

pub use self::candidates::Candidates;
pub use self::choice::Choice;
pub use self::criterion::Criterion;
pub use self::error::Error;
pub use self::weights::Design;
