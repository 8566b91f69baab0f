//! Tables and JSON.

use std::fmt::Write as _;

use pullback::models::flow::Lorenz;
use serde_json::{Map, Value, json};

use crate::measure::{COUNTS, Curve, Curves};
use crate::options::Options;
use crate::problem::THETA;

/// Indices into [`COUNTS`] of the numbers of probes in the tables.
const SHOWN: [usize; 5] = [2, 3, 4, 6, 8];

/// Errors below this are due to rounding.
const EXACT: f64 = 1e-8;

/// Formats the tables of all metrics.
pub fn text(options: &Options, results: &[Curves]) -> String {
    let mut text = format!(
        "How accurate is a natural-gradient step that is estimated from m random probes?\n\n\
         Lorenz invariant measure on {0}×{0}×{0} cells at θ = {THETA:?}, data for θ = (10, 28, 8/3), {1} seeds.\n\
         The estimate costs m adjoint solves for any number p of parameters, the exact step η* costs p tangent solves.\n\
         Here p is only 3, so that the exact step is cheap and the error can be measured; probes pay off for large p.\n\n\
         Estimates: sketch and solve    least squares with sketched Jacobian and misfit\n\
         \x20          exact gradient      sketched information matrix and exact gradient; the inverse is biased if uncorrected\n\
         \x20          published           an estimate from the literature, as printed and with its length corrected\n\
         \x20          spanning            probes that include the Jacobian of the previous step\n\
         \x20          exact data          without the part of the misfit that no parameters explain\n",
        options.cells, options.seeds,
    );
    results.iter().for_each(|curves| text += &tables(curves));
    text
}

fn tables(curves: &Curves) -> String {
    let view = &curves.view;
    let mut text = format!(
        "\n== metric {}: probes of length {}; no change of the parameters explains {:.0} % of the misfit\n\n\
         Error ‖η − η*‖/‖η*‖ of the step, median over the seeds (0.10: wrong by 10 %; 1.00: no better than no step)\n",
        view.metric.label(),
        view.dim(),
        100.0 * view.unexplained,
    );
    heading(&mut text);
    for (method, curve) in &curves.directions {
        row(&mut text, method.label(), |i| curve.error[i].map(number));
    }
    text += "\nLength relative to the exact step, mean over the seeds ± standard error (1.00: exact; 0.10: ten times too short)\n";
    heading(&mut text);
    for (method, curve) in &curves.directions {
        row(&mut text, method.label(), |i| {
            curve.length[i].map(|[mean, error]| match error < EXACT {
                true if (mean - 1.0).abs() < EXACT => "exact".into(),
                _ => format!("{mean:.4} ±{error:.4}"),
            })
        });
    }
    text += "(With probes of random signs the unbiased inverse can be too short by up to 2/m if a parameter affects few cells.)\n";
    text += "\nError ‖Ĝ − G‖/‖G‖ of the information matrix, in coordinates with G = I, median over the seeds\n";
    heading(&mut text);
    for (matrix, curve) in &curves.matrices {
        row(&mut text, matrix.label(), |i| curve.error[i].map(number));
    }
    row(&mut text, "√(p/m), for comparison", |i| {
        Some(number((view.params() as f64 / COUNTS[i] as f64).sqrt()))
    });
    let _ = writeln!(
        text,
        "\nCheck: sketches by adjoint solves agree with the matrix products that replace them here, up to {:.0e}.",
        view.adjoint_gap
    );
    text
}

fn heading(text: &mut String) {
    row(text, "", |i| Some(format!("m = {}", COUNTS[i])));
}

fn row(text: &mut String, label: &str, cell: impl Fn(usize) -> Option<String>) {
    let _ = write!(text, "{label:<31}");
    for i in SHOWN {
        let _ = write!(text, "  {:>14}", cell(i).unwrap_or("–".into()));
    }
    text.push('\n');
}

fn number(error: f64) -> String {
    match error {
        e if e < EXACT => "exact".into(),
        e if e < 0.0995 => format!("{e:.4}"),
        e => format!("{e:.2}"),
    }
}

/// All results as one JSON object; null where an estimator or its mean length does not exist.
pub fn json(options: &Options, results: &[Curves]) -> Value {
    let mut all = json!({
        "n": options.cells,
        "seeds": options.seeds,
        "p": THETA.len(),
        "theta": THETA,
        "truth": Lorenz::CLASSIC,
        "m": COUNTS,
    });
    for curves in results {
        let direction = |curve: &Curve| {
            let part = |which: usize| curve.length.iter().map(move |l| l.map(|l| l[which]));
            json!({
                "error": curve.error,
                "length": part(0).collect::<Vec<_>>(),
                "length_error": part(1).collect::<Vec<_>>(),
            })
        };
        let directions = curves.directions.iter();
        let directions = directions.map(|(m, c)| (m.name().to_string(), direction(c)));
        let matrices = curves.matrices.iter();
        let matrices = matrices.map(|(m, c)| (m.name().to_string(), json!({"error": c.error})));
        all[curves.view.metric.name()] = json!({
            "k": curves.view.dim(),
            "unexplained": curves.view.unexplained,
            "adjoint_gap": curves.view.adjoint_gap,
            "directions": directions.collect::<Map<_, _>>(),
            "matrices": matrices.collect::<Map<_, _>>(),
        });
    }
    all
}
