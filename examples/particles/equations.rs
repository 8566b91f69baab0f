//! The two equations.

use pullback::automatic::Scalar;
use pullback::models::Diffusion;

/// Components of the Ornstein-Uhlenbeck process.
pub const D: usize = 5;

/// dx = (A x + c) dt + diag(eˢ) dW in five dimensions, from a normal distribution that is known. The parameters are the 25 entries
/// of A row by row, c and s.
pub struct Ornstein;

/// Mean and deviation of the start.
const START: [[f64; D]; 2] = [[2.0, -1.0, 1.0, 0.0, -2.0], [1.0, 0.4, 0.7, 0.5, 0.3]];

impl Diffusion for Ornstein {
    fn dims(&self) -> (usize, usize, usize) {
        (D, D, D * D + 2 * D)
    }

    fn start<S: Scalar>(&self, z: &[f64], _: &[S], x: &mut [S]) {
        for (i, x) in x.iter_mut().enumerate() {
            *x = S::from(START[0][i] + START[1][i] * z[i]);
        }
    }

    fn drift<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        let (a, c) = theta.split_at(D * D);
        for (i, out) in out.iter_mut().enumerate() {
            *out = c[i];
            for (a, x) in a[i * D..][..D].iter().zip(x) {
                *out += *a * *x;
            }
        }
    }

    fn noise<S: Scalar>(&self, _: f64, _: &[S], theta: &[S], out: &mut [S]) {
        out.fill(S::from(0.0));
        for i in 0..D {
            out[i * D + i] = theta[D * D + D + i].exp();
        }
    }
}

/// dx = (a x − b x³ + c) dt + s dW, which is drawn to two wells, from a normal distribution around 0. The parameters are a, ln b, c
/// and ln s.
pub struct Wells;

impl Diffusion for Wells {
    fn dims(&self) -> (usize, usize, usize) {
        (1, 1, 4)
    }

    fn start<S: Scalar>(&self, z: &[f64], _: &[S], x: &mut [S]) {
        x[0] = S::from(0.5 * z[0]);
    }

    fn drift<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out[0] = theta[0] * x[0] - theta[1].exp() * x[0] * x[0] * x[0] + theta[2];
    }

    fn noise<S: Scalar>(&self, _: f64, _: &[S], theta: &[S], out: &mut [S]) {
        out[0] = theta[3].exp();
    }
}
