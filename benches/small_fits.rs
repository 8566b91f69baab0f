//! Microseconds a fit for many small fits, beside a descent for each.
//!
//! `cargo bench --bench small_fits`. Every fit is y = a exp(−b t) + c to ten data. `benches/peers/small_fits.py` fits the same
//! data by MINPACK, through SciPy.

use std::time::Instant;

use pullback::automatic::{Curve, Formula, Scalar};
use pullback::faer::Mat;
use pullback::fits::FitMany;
use pullback::loss::L2Misfit;
use pullback::{Descent, Result};
use rayon::ThreadPoolBuilder;

const COUNT: usize = 20_000;
const START: [f64; 3] = [1.0, 1.0, 0.0];

struct Decay;

impl Formula for Decay {
    fn dims(&self) -> (usize, usize) {
        (10, 3)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        for (k, y) in out.iter_mut().enumerate() {
            *y = theta[0] * (theta[1] * (-0.4 * k as f64)).exp() + theta[2];
        }
    }
}

/// Decays of different heights, rates and levels, with deterministic errors of at most 0.02.
fn data() -> Mat<f64> {
    Mat::from_fn(10, COUNT, |k, i| {
        let i = i as f64;
        let (height, rate, level) = (
            2.0 + (0.1 * i).sin(),
            1.0 + 0.5 * (0.37 * i).sin(),
            0.5 * (0.53 * i).cos(),
        );
        let error = 0.02 * (12.9898 * i + 78.233 * k as f64).sin();
        height * (-0.4 * rate * k as f64).exp() + level + error
    })
}

/// Returns the shortest of several runs, in microseconds a fit.
fn shortest(count: usize, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..7 {
        let clock = Instant::now();
        work()?;
        best = best.min(1e6 * clock.elapsed().as_secs_f64() / count as f64);
    }
    Ok(best)
}

fn main() -> Result<()> {
    let data = data();
    let mut summary = String::new();
    let mut fits = |threads: usize| {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|e| pullback::Error::custom(e.to_string()))?;
        pool.install(|| {
            shortest(COUNT, || {
                let fits = FitMany::new(&Decay).run(data.as_ref(), &START)?;
                summary = format!("{fits}; sum of θ {:.9}", fits.theta.sum());
                Ok(())
            })
        })
    };
    let (one, two) = (fits(1)?, fits(2)?);
    let (curve, some) = (Curve::new(Decay), 500);
    let descents = shortest(some, || {
        for i in 0..some {
            let loss = L2Misfit::euclidean(data.col_as_slice(i).to_vec())?;
            let report = Descent::new(&curve, &loss).run(&START, |_| ())?;
            assert!(report.converged());
        }
        Ok(())
    })?;
    println!("{summary}");
    println!(
        "microseconds a fit: fit_many {one:.2} on one thread, {two:.2} on two; a descent each {descents:.1}"
    );
    Ok(())
}
