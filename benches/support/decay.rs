//! Fits of y = a exp(−b t) + c.

use pullback::automatic::{Formula, Scalar};
use pullback::faer::Mat;

pub const START: [f64; 3] = [1.0, 1.0, 0.0];

/// Decay at k times from 0 to 4.
pub struct Decay(pub usize);

impl Decay {
    fn time(&self, i: usize) -> f64 {
        4.0 * i as f64 / self.0 as f64
    }
}

impl Formula for Decay {
    fn dims(&self) -> (usize, usize) {
        (self.0, 3)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        self.rows(theta, 0, out);
    }

    fn rows<S: Scalar>(&self, theta: &[S], first: usize, out: &mut [S]) -> bool {
        for (i, y) in out.iter_mut().enumerate() {
            *y = theta[0] * (theta[1] * -self.time(first + i)).exp() + theta[2];
        }
        true
    }
}

/// Decays of different heights, rates and levels, with deterministic errors of at most 0.02.
pub fn data(decay: &Decay, count: usize) -> Mat<f64> {
    // The first rates are those of the start.
    let first = if count == 1 { 3 } else { 0 };
    Mat::from_fn(decay.0, count, |k, i| {
        let i = (first + i) as f64;
        let (height, rate, level) = (
            2.0 + (0.1 * i).sin(),
            1.0 + 0.5 * (0.37 * i).sin(),
            0.5 * (0.53 * i).cos(),
        );
        let error = 0.02 * (12.9898 * i + 78.233 * k as f64).sin();
        height * (-rate * decay.time(k)).exp() + level + error
    })
}
