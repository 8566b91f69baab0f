//! Gauss-Newton and exact Hessian of the reduced objective: products, eigenpairs and Krylov spaces.

mod curvature;
mod eigenpairs;
mod error;
mod full;
mod lanczos;
mod orthogonal;
mod spectrum;
mod tridiagonal;

pub(crate) use self::curvature::Curvature;
pub(crate) use self::eigenpairs::Eigenpairs;
pub use self::error::HessianError;
pub use self::full::{Hessian, SecondOrder};
pub(crate) use self::lanczos::{End, Goal, Krylov, Limits, Pencil};
pub(crate) use self::spectrum::Spectrum;
