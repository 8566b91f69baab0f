//! Microseconds a fit for curves of three parameters, with ten data and with many.
//!
//! `cargo bench --bench small_fits`, with the words of the rows to run, such as `-- descent 1000`. Every fit is
//! y = a exp(−b t) + c. `benches/peers/small_fits.py` fits the same data by MINPACK, through SciPy, and
//! `benches/peers/levenberg_marquardt` by the crate of that name.

use std::time::Instant;

use pullback::automatic::{Curve, Formula, Scalar};
use pullback::faer::Mat;
use pullback::fits::FitMany;
use pullback::loss::L2Misfit;
use pullback::{Descent, Result};
use rayon::{ThreadPool, ThreadPoolBuilder};

const START: [f64; 3] = [1.0, 1.0, 0.0];

/// Numbers of data of a fit, each with the numbers of fits for `FitMany` and for descents.
const SIZES: [(usize, usize, usize); 3] = [(10, 20_000, 500), (1000, 500, 50), (1_000_000, 1, 1)];

/// Decay at k times from 0 to 4.
struct Decay(usize);

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
fn data(decay: &Decay, count: usize) -> Mat<f64> {
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

/// Prints the time of fits by one `FitMany`, and the sum of their parameters.
fn many(decay: &Decay, count: usize) -> Result<()> {
    let (data, mut summary) = (data(decay, count), String::new());
    let time = shortest(count, || {
        let fits = FitMany::new(decay).run(data.as_ref(), &START)?;
        summary = format!("sum of θ {:.9}; {fits}", fits.theta.sum());
        Ok(())
    })?;
    println!("{time:12.2} µs; {summary}");
    Ok(())
}

/// Prints the time of fits by a descent each.
fn descents(decay: &Decay, count: usize) -> Result<()> {
    let data = data(decay, count);
    let (curve, mut sum) = (Curve::new(Decay(decay.0)), 0.0);
    let time = shortest(count, || {
        sum = 0.0;
        for i in 0..count {
            let loss = L2Misfit::euclidean(data.col_as_slice(i).to_vec())?;
            let report = Descent::new(&curve, &loss).run(&START, |_| ())?;
            assert!(report.converged());
            sum += report.theta.iter().sum::<f64>();
        }
        Ok(())
    })?;
    println!("{time:12.2} µs; sum of θ {sum:.9} of {count} fits");
    Ok(())
}

fn pool(threads: usize) -> Result<ThreadPool> {
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(|e| pullback::Error::custom(e.to_string()))
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    for (k, fits, runs) in SIZES {
        for threads in [1, 2] {
            let pool = pool(threads)?;
            for (name, count) in [("FitMany", fits), ("descent", runs)] {
                let row = [
                    name.to_string(),
                    k.to_string(),
                    format!("threads={threads}"),
                ];
                if words.iter().all(|word| row.contains(word)) {
                    print!("{name}, {k:7} data, {threads} thread(s): ");
                    pool.install(|| match name {
                        "FitMany" => many(&Decay(k), count),
                        _ => descents(&Decay(k), count),
                    })?;
                }
            }
        }
    }
    Ok(())
}
