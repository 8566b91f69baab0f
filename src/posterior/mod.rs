//! What the data leave open: Gaussian approximations of the posterior at the best point.
//!
//! Where the loss is minus a log-likelihood (such as [`Observations`](crate::loss::Observations)) and its own metric is
//! used, the curvature H = G + C at the minimum, C being that of the priors, is the precision of the posterior in Laplace's approximation with the
//! Hessian of Gauss and Newton: H⁻¹ is the covariance of the parameters. Other losses need a scale, see
//! [`Uncertainty::scaled`].

mod low_rank;
mod uncertainty;

pub(crate) use self::low_rank::no_prior;
pub use self::low_rank::{Posterior, Rank};
pub use self::uncertainty::Uncertainty;
