//! What is written besides pictures: the table of trajectories, the summary, JSON.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use pullback::Report;

use crate::problem::{Case, Geometry, LossKind};

/// One descent and how it went.
pub struct Run {
    pub case: Case,
    pub geometry: Geometry,
    pub loss: LossKind,
    pub start: Vec<f64>,
    pub report: Report,
}

impl Run {
    /// The distance of the result from the truth.
    pub fn error(&self) -> f64 {
        let pairs = self.report.theta.iter().zip(self.case.truth());
        pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
    }

    pub fn reached_truth(&self) -> bool {
        self.error() < REACHED
    }

    pub fn seconds(&self) -> f64 {
        self.report.history.last().map_or(0.0, |i| i.seconds)
    }

    pub fn json(&self) -> String {
        serde_json::json!({
            "case": self.case.name(),
            "metric": self.geometry.name(),
            "loss": self.loss.name(),
            "start": self.start,
            "iterations": self.report.iterations(),
            "theta": self.report.theta,
            "final_loss": self.report.loss,
            "converged": self.report.converged(),
            "reached_truth": self.reached_truth(),
            "seconds": self.seconds(),
        })
        .to_string()
    }
}

/// A result this close to the truth has reached it.
pub const REACHED: f64 = 1e-2;

/// All iterates of all runs of one case.
pub fn write_trajectories(path: &Path, case: Case, runs: &[Run]) -> Result<(), String> {
    let mut text = format!(
        "metric,iteration,{},loss,gradient,scale,seconds\n",
        case.names().join(",")
    );
    for run in runs {
        for i in &run.report.history {
            let theta: Vec<String> = i.theta.iter().map(|t| format!("{t:.12e}")).collect();
            let scale = i.step.map_or(String::new(), |s| format!("{:.6e}", s.scale));
            let _ = writeln!(
                text,
                "{},{},{},{:.12e},{:.6e},{scale},{:.6}",
                run.geometry.name(),
                i.iteration,
                theta.join(","),
                i.loss,
                i.gradient,
                i.seconds
            );
        }
    }
    let written = path
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(path, text));
    written.map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// The table at the end.
pub fn summary(runs: &[Run]) -> String {
    let mut text = format!(
        "{:<5} {:<11} {:>10} {:>11} {:>11} {:>6} {:>8}  {}\n",
        "case", "metric", "iterations", "final loss", "|θ − θ*|", "truth", "seconds", "θ"
    );
    for run in runs {
        let theta: Vec<String> = run.report.theta.iter().map(|t| format!("{t:.4}")).collect();
        let _ = writeln!(
            text,
            "{:<5} {:<11} {:>10} {:>11.3e} {:>11.3e} {:>6} {:>8.2}  {}",
            run.case.name(),
            run.geometry.name(),
            run.report.iterations(),
            run.report.loss,
            run.error(),
            if run.reached_truth() { "yes" } else { "no" },
            run.seconds(),
            theta.join(", ")
        );
    }
    text
}
