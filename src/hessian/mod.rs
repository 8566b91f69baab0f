//! Gauss-Newton and exact Hessian of the reduced objective: products, eigenpairs and Krylov spaces.

mod chain;
mod curvature;
mod eigenpairs;
mod error;
mod full;
mod gauss_newton;
mod lanczos;
mod orthogonal;
mod quadrature;
mod spectrum;
mod tridiagonal;

pub(crate) use self::chain::{Chain, advance};
pub use self::curvature::Curvature;
pub(crate) use self::eigenpairs::Eigenpairs;
pub use self::error::HessianError;
pub use self::full::{Hessian, SecondOrder};
pub use self::gauss_newton::GaussNewton;
pub(crate) use self::lanczos::{End, Goal, Krylov, Limits, Pencil};
pub(crate) use self::quadrature::{Ritz, Rule};
pub(crate) use self::spectrum::Spectrum;
