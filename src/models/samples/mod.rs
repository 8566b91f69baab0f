//! Distributions known by samples: images of fixed draws under maps with parameters.

mod blocks;
mod cloud;
mod diffusion;
mod draws;
mod paths;
mod push_forward;
mod scheme;
mod sensitivity;

pub use self::cloud::Map;
pub use self::diffusion::Diffusion;
pub use self::draws::Draws;
pub use self::paths::{Ensemble, Paths};
pub use self::push_forward::PushForward;
pub use self::scheme::Scheme;
