//! Ready forward problems.

mod darcy;
mod gaussian_mixture;
mod invariant_measure;
mod occupation;

pub use darcy::{Darcy, End};
pub use gaussian_mixture::{GaussianMixture, Parameter};
pub use invariant_measure::{Flux, InvariantMeasure};
pub use occupation::Occupations;
