//! Curvatures to look at: spectra, diagonals, blocks, and which combinations of the parameters the data see.
//!
//! A [`Curvature`] is a symmetric matrix on the parameters, known by its products. [`Descent::curvature`](crate::Descent::curvature)
//! lends that of a problem at a point, of any [`Kind`]. No method forms the matrix unless it says so.
//!
//! | question | answer |
//! |---|---|
//! | largest and smallest eigenvalue, condition number | [`Extremes`] |
//! | trace, spectral density, effective dimension | [`Spectrum`] |
//! | diagonal | [`Diagonal`] |
//! | blocks of groups of parameters, such as layers | [`blocks`] |
//! | which combinations of parameters the data determine | [`Combinations`] |
//!
//! ```
//! use pullback::automatic::{Curve, Formula, Scalar};
//! use pullback::curvature::{Extremes, Kind, Spectrum};
//! use pullback::{Descent, loss::L2Misfit};
//!
//! /// A sum of three exponentials, whose rates are known to be hard to tell apart.
//! struct Decays;
//!
//! impl Formula for Decays {
//!     fn dims(&self) -> (usize, usize) {
//!         (30, 3)
//!     }
//!
//!     fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
//!         for (i, y) in out.iter_mut().enumerate() {
//!             let t = 0.1 * i as f64;
//!             *y = (theta[0] * -t).exp() + (theta[1] * -t).exp() + (theta[2] * -t).exp();
//!         }
//!     }
//! }
//!
//! let model = Curve::new(Decays);
//! let loss = L2Misfit::euclidean(vec![0.0; 30])?;
//! let descent = Descent::new(&model, &loss);
//! let theta = [0.5, 1.0, 2.0];
//! let extremes = descent.curvature(&theta, Kind::Information, |g| Extremes::of(g, &Default::default()))?;
//! println!("{extremes}"); // condition number 1.190e3
//! let spectrum = descent.curvature(&theta, Kind::Information, |g| Spectrum::dense(g))?;
//! // Beside a damping of 1e-2 of the largest eigenvalue, less than two of the three directions count.
//! let dimension = spectrum.effective_dimension(1e-2 * extremes.largest.value)?;
//! assert!((dimension.value - 1.794).abs() < 1e-3, "{dimension}");
//! # Ok::<(), pullback::Error>(())
//! ```

mod average;
mod block;
mod checked;
mod combinations;
mod diagonal;
mod error;
mod extremes;
mod spectrum;
mod units;
mod words;

pub use self::average::Average;
pub use self::block::{Block, Group, blocks};
pub use self::combinations::{Combinations, Comparison, Sight, Unit};
pub use self::diagonal::Diagonal;
pub use self::error::Error;
pub use self::extremes::{Condition, Extreme, Extremes, Lanczos};
pub use self::spectrum::{Quadrature, Spectrum};
pub use crate::hessian::{Curvature, GaussNewton, Hessian};

/// Curvature of an objective f(ρ(θ)) + R(θ).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Information matrix G = ZᵀMZ of the data: the metric of the descent, pulled back, without priors.
    Information,
    /// Gauss-Newton Hessian G + C with the metric of the loss and the precision C of the priors.
    GaussNewton,
    /// Exact Hessian, for models and losses with second derivatives.
    Exact,
}
