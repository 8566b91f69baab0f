//! Ready forward problems.

mod gaussian_mixture;
mod invariant_measure;

pub use gaussian_mixture::{GaussianMixture, Parameter};
pub use invariant_measure::{Flux, InvariantMeasure};
