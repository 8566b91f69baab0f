//! Stochastic differential equations.

use crate::automatic::Scalar;

/// Stochastic differential equation dx = a(t, x; θ) dt + B(t, x; θ) dW in the sense of Itô, written once for all scalars.
pub trait Diffusion: Sync {
    /// Returns (d, m, p): the lengths of x, of the noise W, and of θ.
    fn dims(&self) -> (usize, usize, usize);

    /// Returns the number of normal numbers from which [`start`](Self::start) makes x(0). The default is d.
    fn start_dim(&self) -> usize {
        self.dims().0
    }

    /// Writes x(0) to `x`, given independent normal numbers z. It may depend on θ.
    fn start<S: Scalar>(&self, z: &[f64], theta: &[S], x: &mut [S]);

    /// Writes the drift a to `out`, all d entries. Assign an entry before you add to it.
    fn drift<S: Scalar>(&self, t: f64, x: &[S], theta: &[S], out: &mut [S]);

    /// Writes B to `out`, d entries for each noise, one noise after the other, zeros too. Assign an entry before you add to it.
    fn noise<S: Scalar>(&self, t: f64, x: &[S], theta: &[S], out: &mut [S]);
}
