//! Microseconds a fit for curves of three parameters, with ten data and with many.
//!
//! `cargo bench --bench small_fits`, with the words of the rows to run, such as `-- descent 1000`. Every fit is
//! y = a exp(−b t) + c. `benches/peers/small_fits.py` fits the same data by MINPACK, through SciPy, and
//! `benches/peers/levenberg_marquardt` by the crate of that name.

#[path = "support/decay.rs"]
mod decay;

use std::time::Instant;

use decay::{Decay, START, data};
use pullback::automatic::Curve;
use pullback::fits::FitMany;
use pullback::loss::L2Misfit;
use pullback::{Descent, Result};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Numbers of data of a fit, each with the numbers of fits for `FitMany` and for descents.
const SIZES: [(usize, usize, usize); 3] = [(10, 20_000, 500), (1000, 500, 50), (1_000_000, 1, 1)];

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
