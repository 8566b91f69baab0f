//! Ready forward problems.

mod gaussian_mixture;

pub use gaussian_mixture::{GaussianMixture, Parameter};
