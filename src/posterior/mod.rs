//! Gaussian approximations of the posterior at the best point, to quantify the uncertainty of the parameters.
//!
//! Let the loss be a negative log-likelihood, such as [`Observations`](crate::loss::Observations), with its own
//! metric. Laplace's approximation with the Gauss-Newton Hessian then takes the curvature H = G + C at the minimum,
//! with the precision C of the priors, as posterior precision: H⁻¹ is the covariance of the parameters. Other losses
//! need a scale, see [`Uncertainty::scaled`]. A [`Posterior`] may use the exact Hessian instead ([`Rank::exact`]).

mod error;
mod estimates;
mod low_rank;
mod quantile;
mod resolved;
mod uncertainty;

pub use self::error::CovarianceError;
pub use self::estimates::Estimates;
pub(crate) use self::estimates::{numbered, plain};
pub(crate) use self::low_rank::{Data, no_prior};
pub use self::low_rank::{Posterior, Rank};
pub(crate) use self::quantile::Confidence;
pub(crate) use self::resolved::Scores;
pub use self::uncertainty::Uncertainty;
