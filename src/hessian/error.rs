//! Errors of the exact Hessian.

use crate::error::{ModuleError, number};

/// Error of the exact Hessian of the objective.
///
/// Functions return this error wrapped in the library's error. [`Error::of`](crate::Error::of) unwraps it.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum HessianError {
    /// A model without second derivatives.
    #[error(
        "the exact Hessian needs second derivatives of the model; implement `Model::second_derivative` (or \
         `Sensitivity::curvature`), write the model with `automatic`, or use a Gauss-Newton direction such as \
         `LeastSquares` or `ConjugateGradient`"
    )]
    Model,
    /// A loss without a second derivative.
    #[error(
        "the exact Hessian needs the second derivative of the loss; implement `Loss::hessian` or `Misfit::hessian`, or use a \
         Gauss-Newton direction such as `LeastSquares` or `ConjugateGradient`"
    )]
    Loss,
    /// A [`Local`](crate::direction::Local) that was made by hand without its second order.
    #[error(
        "the exact Hessian is not available at this point; set `Local::second_order`, or let a `Descent` prepare the direction"
    )]
    Point,
    /// A Hessian with a negative eigenvalue, where a covariance needs a minimum.
    #[error(
        "the Hessian of the objective is indefinite at this point: with parameters scaled to curvatures of 1 it has the eigenvalue \
         {}; compute the covariance at a minimum, or from the Gauss-Newton Hessian by `covariance`", number(*eigenvalue)
    )]
    NoMinimum {
        /// Lowest eigenvalue of the Hessian, relative to the absolute values on its diagonal.
        eigenvalue: f64,
    },
    /// A Hessian that is not positive definite, where a posterior needs it to be.
    #[error(
        "the Hessian of the objective is not positive definite at this point: relative to the precision of the priors it has \
         the eigenvalue {}; compute the posterior at a minimum, or from the Gauss-Newton Hessian", number(*eigenvalue)
    )]
    Indefinite {
        /// Lowest eigenvalue of the Hessian relative to the precision of the priors.
        eigenvalue: f64,
    },
    /// A curvature whose products are not those of a symmetric matrix.
    #[error(
        "the curvature H is not symmetric: ⟨u, Hv⟩ = {} and ⟨Hu, v⟩ = {} for two orthogonal unit vectors; check its products, \
         and second derivatives of your own with `verify::model`", number(*forward), number(*backward)
    )]
    NotSymmetric {
        /// The product ⟨u, Hv⟩.
        forward: f64,
        /// The product ⟨Hu, v⟩.
        backward: f64,
    },
}

impl ModuleError for HessianError {
    fn kind(&self) -> &'static str {
        match self {
            Self::Model => "Model",
            Self::Loss => "Loss",
            Self::Point => "Point",
            Self::NoMinimum { .. } => "NoMinimum",
            Self::Indefinite { .. } => "Indefinite",
            Self::NotSymmetric { .. } => "NotSymmetric",
        }
    }
}

impl From<HessianError> for crate::error::Error {
    fn from(error: HessianError) -> Self {
        Self::Module(Box::new(error))
    }
}
