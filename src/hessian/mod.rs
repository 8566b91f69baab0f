//! Gauss-Newton Hessian of the reduced objective: products, eigenpairs and Krylov spaces.

mod curvature;
mod eigenpairs;
mod lanczos;
mod spectrum;

pub(crate) use self::curvature::Curvature;
pub(crate) use self::eigenpairs::Eigenpairs;
pub(crate) use self::lanczos::{End, Krylov, Limits, Pencil};
pub(crate) use self::spectrum::Spectrum;
