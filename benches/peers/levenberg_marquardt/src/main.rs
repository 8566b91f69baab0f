//! Microseconds a fit for y = a exp(−b t) + c by the crate `levenberg-marquardt`, to the data of benches/small_fits.rs.
//!
//! `cargo run --release`, for one line of `cargo bench --bench flagships` with the name of the run.

use std::time::Instant;

use levenberg_marquardt::{LeastSquaresProblem, LevenbergMarquardt};
use nalgebra::{DVector, Dyn, OMatrix, Owned, U3, Vector3};

struct Fit<'a> {
    times: &'a [f64],
    data: &'a [f64],
    theta: Vector3<f64>,
}

impl LeastSquaresProblem<f64, Dyn, U3> for Fit<'_> {
    type ResidualStorage = Owned<f64, Dyn>;
    type JacobianStorage = Owned<f64, Dyn, U3>;
    type ParameterStorage = Owned<f64, U3>;

    fn set_params(&mut self, theta: &Vector3<f64>) {
        self.theta = *theta;
    }

    fn params(&self) -> Vector3<f64> {
        self.theta
    }

    fn residuals(&self) -> Option<DVector<f64>> {
        let [a, b, c] = self.theta.into();
        let pairs = self.times.iter().zip(self.data);
        let residual = pairs.map(|(t, y)| a * (-b * t).exp() + c - y);
        Some(DVector::from_iterator(self.data.len(), residual))
    }

    fn jacobian(&self) -> Option<OMatrix<f64, Dyn, U3>> {
        let [a, b, _] = self.theta.into();
        let mut jacobian = OMatrix::<f64, Dyn, U3>::zeros(self.data.len());
        for (i, t) in self.times.iter().enumerate() {
            let e = (-b * t).exp();
            jacobian[(i, 0)] = e;
            jacobian[(i, 1)] = -a * t * e;
            jacobian[(i, 2)] = 1.0;
        }
        Some(jacobian)
    }
}

/// Data of fit i, with deterministic errors of at most 0.02.
fn data(times: &[f64], i: usize) -> Vec<f64> {
    let i = i as f64;
    let (height, rate, level) = (
        2.0 + (0.1 * i).sin(),
        1.0 + 0.5 * (0.37 * i).sin(),
        0.5 * (0.53 * i).cos(),
    );
    let value = |(k, t): (usize, &f64)| {
        height * (-rate * t).exp() + level + 0.02 * (12.9898 * i + 78.233 * k as f64).sin()
    };
    times.iter().enumerate().map(value).collect()
}

fn main() {
    // Name of one run of `cargo bench --bench flagships`, of which a line in its form is printed.
    let wanted = std::env::args().nth(1);
    for (k, first, count) in [(10, 0, 2000), (1000, 0, 500), (1_000_000, 3, 1)] {
        let run = format!("fits-{k}");
        if wanted.as_ref().is_some_and(|wanted| *wanted != run) {
            continue;
        }
        let times: Vec<f64> = (0..k).map(|i| 4.0 * i as f64 / k as f64).collect();
        let sets: Vec<_> = (first..first + count).map(|i| data(&times, i)).collect();
        let (mut best, mut sum, mut evaluations) = (f64::INFINITY, 0.0, 0);
        for _ in 0..7 {
            let clock = Instant::now();
            (sum, evaluations) = (0.0, 0);
            for data in &sets {
                let start = Fit {
                    times: &times,
                    data,
                    theta: Vector3::new(1.0, 1.0, 0.0),
                };
                let (fit, report) = LevenbergMarquardt::new().minimize(start);
                assert!(report.termination.was_successful());
                sum += fit.theta.sum();
                evaluations += report.number_of_evaluations;
            }
            best = f64::min(best, 1e6 * clock.elapsed().as_secs_f64() / count as f64);
        }
        if wanted.is_some() {
            println!("{run},a fit,levenberg-marquardt,{:.3e}", 1e-6 * best);
            continue;
        }
        let mean = evaluations as f64 / count as f64;
        println!("{k:7} data: {best:12.2} µs; sum of θ {sum:.9}, {mean:.1} evaluations a fit");
    }
}
