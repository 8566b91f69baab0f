//! Tables and JSON.

use std::fmt::Write as _;

use serde_json::json;

use crate::fit::Fit;
use crate::options::Options;
use crate::problem::Problem;

/// Describes the problem before it is solved.
pub fn heading(problem: &Problem) -> String {
    let axes = problem.grid.axes().iter();
    let cells: Vec<String> = axes.clone().map(|a| a.cells.to_string()).collect();
    let axes: Vec<String> = axes
        .map(|a| format!("[{}, {}]", a.lower, a.upper))
        .collect();
    let start: Vec<String> = problem.start.iter().map(|v| format!("{v:.4}")).collect();
    format!(
        "System: {}\nData: {}\nGrid: {} cells on {}\nUnknown parameters: ({}), initially ({})\nLinear systems solved on {}\n",
        problem.system.name,
        problem.data.label,
        cells.join("×"),
        axes.join("×"),
        problem.system.names().join(", "),
        start.join(", "),
        problem.solver
    )
}

/// The final table, with one row per fit.
pub fn summary(problem: &Problem, fits: &[Fit]) -> String {
    let mut text = format!("{:<22}", "loss / metric");
    for name in &problem.system.names() {
        let _ = write!(text, " {name:>12}");
    }
    text += "  rel. error largest  steps to 1e-3 to 1e-6  seconds";
    for fit in fits {
        text += &row(problem, fit);
    }
    let data = &problem.data;
    if let Some(weak) = &data.weak {
        let error = in_short(problem.error(weak));
        text += &format!("{}  {error:>10}", values("weak-form estimate", weak));
    }
    if let Some(truth) = &data.truth {
        text += &values("truth", truth);
    }
    text + "\n\nrel. error: ‖θ − θ*‖/‖θ*‖ for true parameters θ*; largest: largest relative error of one parameter\n\
            steps: in all, and until the relative error stays below 1e-3 and 1e-6\n"
}

/// A label and parameters, on a new line.
fn values(label: &str, values: &[f64]) -> String {
    let values = values.iter().map(|v| format!(" {v:>12.6}"));
    format!("\n{label:<22}{}", values.collect::<String>())
}

/// An error in three digits, or a dash if the truth is not known.
fn in_short(error: Option<f64>) -> String {
    error.map_or("–".into(), |e| format!("{e:.2e}"))
}

/// The row of a fit, followed by its standard errors.
fn row(problem: &Problem, fit: &Fit) -> String {
    let worst = problem.errors(&fit.theta);
    let worst = worst.map(|e| e.into_iter().fold(0.0, f64::max));
    let steps_to = |error: f64| {
        let steps = fit.iterations_to(problem, error);
        steps.map_or("–".into(), |i| i.to_string())
    };
    let mut text = values(&fit.label(), &fit.theta);
    let _ = write!(
        text,
        "  {:>10} {:>8} {:>5} {:>7} {:>7} {:>8.2}",
        in_short(problem.error(&fit.theta)),
        in_short(worst),
        fit.iterations(),
        steps_to(1e-3),
        steps_to(1e-6),
        fit.seconds
    );
    let bounded = fit.at_bounds(problem);
    if !bounded.is_empty() {
        let _ = write!(text, "   ({} at a bound)", bounded.join(", "));
    }
    if let Some(errors) = &fit.standard_errors {
        text += &values("  standard error", errors);
    }
    text
}

/// A fit as a JSON object.
pub fn json(options: &Options, problem: &Problem, fit: &Fit) -> String {
    let counts = fit.counts.map(|c| {
        json!({
            "model_solves": c.model_solves,
            "factorisations": c.factorisations,
            "tangent_solves": c.tangent_solves,
            "adjoint_solves": c.adjoint_solves,
            "metric_factorisations": c.metric_factorisations,
            "metric_solves": c.metric_solves,
        })
    });
    json!({
        "n": options.cells,
        "flow": problem.system.name,
        "data": problem.data.name,
        "backend": options.solver.name,
        "method": if fit.corrected { "correction" } else { "descent" },
        "loss": fit.loss.name(),
        "metric": fit.metric.name(),
        "start": fit.path[0].0,
        "iterations": fit.iterations(),
        "iterations_to_1e3": fit.iterations_to(problem, 1e-3),
        "iterations_to_1e6": fit.iterations_to(problem, 1e-6),
        "theta": fit.theta,
        "standard_errors": fit.standard_errors,
        "relative_error": problem.error(&fit.theta),
        "error": problem.errors(&fit.theta),
        "converged": fit.converged,
        "simulations": fit.simulations,
        "seconds": fit.seconds,
        "counts": counts,
        "solver_iterations": fit.counts.map(|c| c.solver_iterations),
    })
    .to_string()
}

/// All iterates of all fits as CSV.
pub fn iterates(problem: &Problem, fits: &[Fit]) -> String {
    let names = problem.system.names().join(",");
    let mut text = format!("fit,iteration,{names},loss,relative_error\n");
    for fit in fits {
        for (i, (theta, loss)) in fit.path.iter().enumerate() {
            let theta_text: Vec<String> = theta.iter().map(|t| format!("{t:.12e}")).collect();
            let loss = Some(loss).filter(|loss| !loss.is_nan());
            let loss = loss.map_or(String::new(), |loss| format!("{loss:.12e}"));
            let error = problem.error(theta);
            let error = error.map_or(String::new(), |e| format!("{e:.6e}"));
            let (fit, theta) = (fit.label(), theta_text.join(","));
            let _ = writeln!(text, "{fit},{i},{theta},{loss},{error}");
        }
    }
    text
}
