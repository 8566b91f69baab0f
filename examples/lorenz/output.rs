//! What is written besides pictures: tables, JSON, iterates.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::json;

use crate::fit::Fit;
use crate::options::Options;
use crate::problem::Problem;

/// What is about to be fitted.
pub fn heading(problem: &Problem) -> String {
    let axes = problem.grid.axes().iter();
    let axes: Vec<String> = axes
        .map(|a| format!("[{}, {}]", a.lower, a.upper))
        .collect();
    let cells: Vec<String> = problem
        .grid
        .axes()
        .iter()
        .map(|a| a.cells.to_string())
        .collect();
    format!(
        "{}: {}\n{} cells on {}; unknown ({}), from ({})\nsolving on {}\n",
        problem.system.name(),
        problem.data.label,
        cells.join("×"),
        axes.join("×"),
        problem.system.names().join(", "),
        numbers(&problem.start, 4),
        problem.solver
    )
}

fn numbers(values: &[f64], digits: usize) -> String {
    let texts: Vec<String> = values.iter().map(|v| format!("{v:.digits$}")).collect();
    texts.join(", ")
}

/// The table at the end, raw and corrected side by side.
pub fn summary(problem: &Problem, fits: &[Fit]) -> String {
    let names = problem.system.names();
    let mut text = format!("{:<22}", "fit");
    for name in &names {
        let _ = write!(text, " {name:>12}");
    }
    let _ = write!(
        text,
        " {:>10} {:>9} {:>6} {:>7} {:>7} {:>8}",
        "rel. error", "worst", "steps", "to 1e-3", "to 1e-6", "seconds"
    );
    for fit in fits {
        text += &row(problem, fit);
    }
    if let Some(weak) = &problem.data.weak {
        let _ = write!(text, "\n{:<22}", "weak form, of samples");
        weak.iter().for_each(|t| {
            let _ = write!(text, " {t:>12.6}");
        });
        let error = problem
            .error(weak)
            .map_or("–".into(), |e| format!("{e:.2e}"));
        let _ = write!(text, " {error:>10}");
    }
    if let Some(truth) = &problem.data.truth {
        let _ = write!(text, "\n{:<22}", "truth");
        truth.iter().for_each(|t| {
            let _ = write!(text, " {t:>12.6}");
        });
    }
    text + "\n"
}

/// The row of one fit, and its standard errors below.
fn row(problem: &Problem, fit: &Fit) -> String {
    let mut text = String::new();
    let _ = write!(text, "\n{:<22}", fit.label());
    for value in &fit.theta {
        let _ = write!(text, " {value:>12.6}");
    }
    let error = problem
        .error(&fit.theta)
        .map_or("–".into(), |e| format!("{e:.2e}"));
    let worst = problem.errors(&fit.theta);
    let worst = worst.map(|e| e.into_iter().fold(0.0, f64::max));
    let worst = worst.map_or("–".into(), |e| format!("{e:.2e}"));
    let to = |error: f64| {
        fit.iterations_to(problem, error)
            .map_or("–".into(), |i| i.to_string())
    };
    let _ = write!(
        text,
        " {error:>10} {worst:>9} {:>6} {:>7} {:>7} {:>8.2}",
        fit.iterations(),
        to(1e-3),
        to(1e-6),
        fit.seconds
    );
    let stuck = fit.at_bounds(problem);
    if !stuck.is_empty() {
        let _ = write!(text, "   ({} at a bound)", stuck.join(", "));
    }
    if let Some(errors) = &fit.standard_errors {
        let _ = write!(text, "\n{:<22}", "  ± standard error");
        errors.iter().for_each(|e| {
            let _ = write!(text, " {e:>12.6}");
        });
    }
    text
}

/// One fit as a JSON object.
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
        "n": options.cells(),
        "flow": problem.system.name(),
        "data": problem.data.name,
        "backend": options.backend.name(),
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

/// All iterates of all fits.
pub fn write_iterates(path: &Path, problem: &Problem, fits: &[Fit]) -> Result<(), String> {
    let mut text = format!(
        "fit,iteration,{},loss,relative_error\n",
        problem.system.names().join(",")
    );
    for fit in fits {
        for (i, (theta, loss)) in fit.path.iter().enumerate() {
            let theta_text: Vec<String> = theta.iter().map(|t| format!("{t:.12e}")).collect();
            let loss = if loss.is_nan() {
                String::new()
            } else {
                format!("{loss:.12e}")
            };
            let error = problem
                .error(theta)
                .map_or(String::new(), |e| format!("{e:.6e}"));
            let _ = writeln!(
                text,
                "{},{i},{},{loss},{error}",
                fit.label().replace(',', ""),
                theta_text.join(",")
            );
        }
    }
    let written = path
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(path, text));
    written.map_err(|error| format!("cannot write {}: {error}", path.display()))
}
