//! Randomised views of Z and LZ: a few adjoint solves, whatever the number of parameters.
//!
//! [`Probes`] W with `E[wwᵀ] = I` are drawn, lowered and pulled back block by block, S = (LᵀW)ᵀZ, one adjoint solve a probe.
//! A [`Sketch`] then answers for the geometry and for directions, each as an [`Estimate`] that says how far
//! chance has moved it:
//!
//! | wanted | by | right in the mean |
//! |---|---|---|
//! | G = (LZ)ᵀ(LZ) | [`Sketch::information`] | exactly |
//! | the natural direction, from the data residual | [`Sketch::solve`] | exact on data in the range of LZ, for m ≥ p |
//! | the natural direction, from the exact gradient | [`Sketch::natural`] | in length, once chance is divided out |
//! | the published matrix (1/m) H HᵀLZ and its direction | [`Hutchinson`] | the matrix; the direction once scaled |

mod estimate;
mod fit;
mod hutchinson;
mod probes;
mod rows;

pub use self::estimate::Estimate;
pub use self::hutchinson::{Hutchinson, Length};
pub use self::probes::{ProbeKind, Probes};
pub use self::rows::Sketch;

use crate::linalg::{add_product, product};
