//! Text and JSON.

use pullback::multistart::Summary;
use serde_json::{Value, json};

use crate::options::Options;
use crate::problem::{PERIODS, Pressure};

/// The table of the optima, and a comparison with the certified fit.
pub fn text(pressure: &Pressure, summary: &Summary) -> String {
    let mut text = format!(
        "y = θ0 + w(12; θ1, θ2) + w(θ3; θ4, θ5) + w(θ6; θ7, θ8),  w(T; a, b) = a cos(2πt/T) + b sin(2πt/T)\n\n{summary}\n"
    );
    let best = summary.best();
    text += &format!(
        "\nsum of squares {:.8}, certified by NIST {:.8}",
        2.0 * best.loss,
        pressure.sum_of_squares
    );
    if let Some(optimum) = summary.optima().first() {
        let pairs = optimum.theta.iter().zip(&pressure.certified);
        let off = pairs.map(|(a, b)| ((a - b) / b).abs());
        let [long, short] = PERIODS.map(|j| optimum.theta[j]);
        text += &format!(
            "\nbest periods {long:.4} and {short:.4} months; largest relative difference from the certified parameters {:.1e}",
            off.fold(0.0, f64::max)
        );
    }
    text
}

/// All results as one JSON object.
pub fn json(options: &Options, summary: &Summary) -> Value {
    let optima = summary.optima().iter().map(|optimum| {
        json!({
            "objective": optimum.loss,
            "theta": optimum.theta,
            "standard_errors": optimum.standard_errors,
            "starts": optimum.starts,
        })
    });
    let runs = summary.fits().iter().map(|fit| {
        json!({
            "start": fit.start,
            "objective": fit.report.loss,
            "theta": fit.report.theta,
            "optimum": fit.optimum,
            "stop": fit.report.stop.name(),
        })
    });
    json!({
        "starts": options.starts,
        "seed": options.seed,
        "converged": summary.converged(),
        "failed": summary.failures().len(),
        "model_solves": summary.counts().model_solves,
        "optima": optima.collect::<Vec<_>>(),
        "runs": runs.collect::<Vec<_>>(),
    })
}
