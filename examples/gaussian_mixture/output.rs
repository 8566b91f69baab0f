//! Tables and JSON.

use std::fmt::Write as _;

use pullback::Report;
use pullback::descent::Stop;

use crate::problem::Case;
use crate::support::geometry::{Geometry, LossKind};

/// One descent and its result.
pub struct Run {
    pub case: Case,
    pub geometry: Geometry,
    pub loss: LossKind,
    pub start: Vec<f64>,
    pub report: Report,
}

impl Run {
    /// Distance of the result from the truth.
    pub fn error(&self) -> f64 {
        self.case.distance(&self.report.theta)
    }

    pub fn reached_truth(&self) -> bool {
        self.error() < REACHED
    }

    /// Reason for stopping, in a word.
    pub fn ending(&self) -> &'static str {
        match self.report.stop {
            Stop::Target { .. } => "target",
            Stop::Gradient { .. } => "gradient",
            Stop::Step { .. } | Stop::Loss { .. } => "no change",
            Stop::Iterations { .. } => "limit",
            _ => "stalled",
        }
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
            "stop": self.ending(),
            "seconds": self.seconds(),
        })
        .to_string()
    }
}

/// A result within this distance from the truth has found it.
pub const REACHED: f64 = 1e-2;

/// All iterates of all runs of one case as CSV.
pub fn trajectories(case: Case, runs: &[Run]) -> String {
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
    text
}

/// Describes the unknown parameters and the loss of a case.
pub fn describe(case: Case, loss: LossKind) -> String {
    let names = case.names().join(", ");
    format!(
        "case {}: unknown ({names}), {} loss",
        case.name(),
        loss.label()
    )
}

/// The final table.
pub fn summary(runs: &[Run]) -> String {
    let mut text = String::new();
    let mut last = None;
    for run in runs {
        if last != Some(run.case) {
            let _ = writeln!(
                text,
                "\n{}\n{:<11} {:>10} {:>11} {:>11} {:>6}  {:<9} {:>7}  final parameters θ",
                describe(run.case, run.loss),
                "metric",
                "iterations",
                "final loss",
                "‖θ − θ*‖",
                "found",
                "stopped",
                "ms"
            );
            last = Some(run.case);
        }
        let theta: Vec<String> = run.report.theta.iter().map(|t| format!("{t:.4}")).collect();
        let _ = writeln!(
            text,
            "{:<11} {:>10} {:>11.3e} {:>11.3e} {:>6}  {:<9} {:>7.1}  {}",
            run.geometry.name(),
            run.report.iterations(),
            run.report.loss,
            run.error(),
            if run.reached_truth() { "yes" } else { "no" },
            run.ending(),
            1e3 * run.seconds(),
            theta.join(", ")
        );
    }
    text + "\nfound: the final distance from the true parameters θ* is below 0.01; target: the loss fell to 1e-10 of its initial value"
}
