//! Ready-made forward models.

mod darcy;
pub mod dynamics;
mod error;
pub mod fields;
pub mod flow;
mod gaussian_mixture;
mod invariant_measure;
mod network;
mod occupation;
mod samples;
pub mod trajectory;

pub use self::darcy::{Darcy, End};
pub use self::error::Error;
pub use self::gaussian_mixture::{GaussianMixture, Parameter};
pub use self::invariant_measure::{Flux, InvariantMeasure};
pub use self::network::{Activation, Labelled, Network};
pub use self::occupation::Occupations;
pub use self::samples::{Diffusion, Draws, Ensemble, Map, Paths, PushForward, Scheme};
