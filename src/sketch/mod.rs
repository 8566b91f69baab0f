//! Randomised estimates of Z and LZ from a few adjoint solves, for any number of parameters.
//!
//! [`Probes`] W with `E[wwᵀ] = I` are drawn and multiplied by Lᵀ and Zᵀ block by block, which gives
//! S = (LᵀW)ᵀZ by one adjoint solve per probe. A [`Sketch`] then estimates the geometry and directions, each
//! as an [`Estimate`] with its standard error:
//!
//! | quantity | method | unbiased |
//! |---|---|---|
//! | G = (LZ)ᵀ(LZ) | [`Sketch::information`] | yes |
//! | the natural direction, from the data residual | [`Sketch::solve`] | exact on data in the range of LZ, for m ≥ p |
//! | the natural direction, from the exact gradient | [`Sketch::natural`] | in length, after correction |
//! | the published matrix (1/m) H HᵀLZ and its direction | [`Hutchinson`] | the matrix; the direction after scaling |

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
