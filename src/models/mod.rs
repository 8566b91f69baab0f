//! Ready forward problems.

mod gaussian_mixture;
mod invariant_measure;
mod occupation;

pub use gaussian_mixture::{GaussianMixture, Parameter};
pub use invariant_measure::{Flux, InvariantMeasure};
pub use occupation::Occupations;
