//! What is written besides pictures: tables and JSON.

use std::fmt::Write as _;

use pullback::models::flow::Lorenz;
use serde_json::{Map, Value, json};

use crate::measure::{COUNTS, Curve, Curves};
use crate::options::Options;
use crate::problem::THETA;

/// The numbers of probes that have a column, by their place in [`COUNTS`].
const SHOWN: [usize; 5] = [2, 3, 4, 6, 8];

/// Below this an error is rounding.
const EXACT: f64 = 1e-8;

/// Tables in every metric.
pub fn text(options: &Options, results: &[Curves]) -> String {
    let mut text = format!(
        "A natural-gradient step, estimated from m random probes instead of computed: how far is it off?\n\n\
         Lorenz invariant measure on {0}×{0}×{0} cells at θ = {THETA:?}, data at θ = (10, 28, 8/3), {1} seeds.\n\
         m probes cost m adjoint solves, whatever the number p of parameters. The exact step costs p tangent solves:\n\
         with p = 3 it is cheapest of all, and here the measure to judge by. Probes are for p in the thousands.\n",
        options.cells(),
        options.seeds(),
    );
    results.iter().for_each(|curves| text += &tables(curves));
    text
}

fn tables(curves: &Curves) -> String {
    let view = &curves.view;
    let mut text = format!(
        "\n== metric {}: probes of length {}; {:.0} % of the data is out of the model's reach\n\n\
         error of the step, ‖η − η*‖/‖η*‖, median over the seeds: 0.10 is off by a tenth, 1.00 is no better than no step\n",
        view.metric.label(),
        view.dim(),
        100.0 * view.unexplained,
    );
    heading(&mut text);
    for (method, curve) in &curves.directions {
        row(&mut text, method.label(), |i| curve.error[i].map(number));
    }
    text += "\nlength along the exact step, mean over the seeds ± its standard error: 1.00 is right, 0.10 a step ten times too short\n";
    heading(&mut text);
    for (method, curve) in &curves.directions {
        row(&mut text, method.label(), |i| {
            curve.length[i].map(|[mean, error]| match error < EXACT {
                true if (mean - 1.0).abs() < EXACT => "exact".into(),
                _ => format!("{mean:.4} ±{error:.4}"),
            })
        });
    }
    text += "(probes are of signs: the debiased inverse may stay short by up to 2/m where few cells carry a parameter)\n";
    text += "\nerror of the information matrix, ‖Ĝ − G‖/‖G‖ in units where G = I, median over the seeds\n";
    heading(&mut text);
    for (matrix, curve) in &curves.matrices {
        row(&mut text, matrix.label(), |i| curve.error[i].map(number));
    }
    row(&mut text, "√(p/m), to compare", |i| {
        Some(number((view.params() as f64 / COUNTS[i] as f64).sqrt()))
    });
    let _ = writeln!(
        text,
        "\nOne batch of probes by real adjoint solves agrees with the product that stands for them to {:.0e}.",
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

/// Everything as one JSON object; null where an estimator is not defined, or has no length to speak of.
pub fn json(options: &Options, results: &[Curves]) -> Value {
    let mut all = json!({
        "n": options.cells(),
        "seeds": options.seeds(),
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
