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

pub use estimate::Estimate;
pub use hutchinson::{Hutchinson, Length};
pub use probes::{ProbeKind, Probes};
pub use rows::Sketch;

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};

/// A B in one thread, so that the bits do not depend on their number.
pub(crate) fn product(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Mat<f64> {
    let mut out = Mat::zeros(a.nrows(), b.ncols());
    add_product(out.as_mut(), a, b);
    out
}

/// out += A B, likewise.
fn add_product(out: MatMut<'_, f64>, a: MatRef<'_, f64>, b: MatRef<'_, f64>) {
    matmul(out, Accum::Add, a, b, 1.0, Par::Seq);
}
