//! Distributions known by samples: images of fixed draws under maps with parameters.

mod blocks;
mod draws;
mod paths;
mod push_forward;
mod scheme;
mod sensitivity;

pub use self::draws::Draws;
pub use self::paths::{Diffusion, Ensemble, Paths};
pub use self::push_forward::{Map, PushForward};
pub use self::scheme::Scheme;
