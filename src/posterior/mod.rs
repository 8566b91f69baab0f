//! Gaussian approximations of the posterior at the best point, to quantify the uncertainty of the parameters.
//!
//! Let the loss be a negative log-likelihood, such as [`Observations`](crate::loss::Observations), with its own
//! metric. Laplace's approximation with the Gauss-Newton Hessian then takes the curvature H = G + C at the minimum,
//! with the precision C of the priors, as posterior precision: H⁻¹ is the covariance of the parameters. If the noise is
//! not in the loss, [`Variance`] says what it is; [`Report::estimates`](crate::Report::estimates) returns the table. A [`Posterior`] may use the exact Hessian instead ([`Rank::exact`]).

mod digits;
mod error;
mod estimates;
mod low_rank;
mod quantile;
mod resolved;
mod uncertainty;
mod variance;

pub(crate) use self::digits::plain;
pub use self::digits::with_error;
pub use self::error::CovarianceError;
pub use self::estimates::Estimates;
pub(crate) use self::estimates::numbered;
pub(crate) use self::low_rank::{Data, no_prior};
pub use self::low_rank::{Posterior, Rank};
pub(crate) use self::quantile::Confidence;
pub(crate) use self::resolved::Scores;
pub use self::uncertainty::Uncertainty;
pub use self::variance::{Residual, Variance};
