//! Intervals of the parameters from fits to resampled data.

use pullback::descent::Tolerances;
use pullback::{Descent, Result, random};

use crate::fit::{Method, metric};
use crate::options::Options;
use crate::problem::{Clouds, Problem};

/// Steps of a fit. The first ones go far below the error of the sample.
const STEPS: usize = 8;

/// Estimates and their standard errors.
pub struct Intervals {
    pub theta: Vec<f64>,
    pub errors: Vec<f64>,
}

/// Fits the data from `start`, and then as many times data that are drawn from them with replacement, each time with other draws of
/// the model.
pub fn resample(
    problem: &Problem,
    start: &[f64],
    options: &Options,
    finished: &(dyn Fn() + Sync),
) -> Result<Intervals> {
    let theta = fit(problem, start)?;
    let mut fits = Vec::new();
    for replicate in 1..=options.replicates as u64 {
        let seed = options.seed.wrapping_add(replicate * 1_000_003);
        let again = problem.again(options, redrawn(problem, seed), seed)?;
        fits.push(fit(&again, &theta)?);
        finished();
    }
    let count = fits.len() as f64;
    let error = |j: usize| {
        let mean = fits.iter().map(|fit| fit[j]).sum::<f64>() / count;
        let squares = fits.iter().map(|fit| (fit[j] - mean).powi(2)).sum::<f64>();
        (squares / (count - 1.0)).sqrt()
    };
    Ok(Intervals {
        errors: (0..theta.len()).map(error).collect(),
        theta,
    })
}

/// Runs the natural gradient for a few steps.
fn fit(problem: &Problem, start: &[f64]) -> Result<Vec<f64>> {
    let tolerances = Tolerances {
        iterations: STEPS,
        ..Tolerances::default()
    };
    let metric = metric(problem, Method::Own);
    let descent = Descent::new(problem.model.as_ref(), problem.loss.as_ref());
    let mut descent = descent.bounds(&problem.bounds);
    if let Some(metric) = &metric {
        descent = descent.metric(metric.as_ref());
    }
    Ok(descent.tolerances(tolerances).run(start, |_| ())?.theta)
}

/// The data, drawn with replacement.
fn redrawn(problem: &Problem, seed: u64) -> Clouds {
    let d = problem.space;
    let clouds = problem.data.iter().zip(0..);
    clouds
        .map(|(cloud, index)| {
            let count = cloud.len() / d;
            let chosen =
                random::uniform(count, (0.0, count as f64), seed.wrapping_add(index << 40));
            let chosen = chosen.into_iter().map(|u| (u as usize).min(count - 1));
            chosen.flat_map(|n| &cloud[n * d..][..d]).copied().collect()
        })
        .collect()
}
