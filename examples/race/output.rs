//! Laps, and how they are written as text, CSV and JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::problems::Problem;

/// Distances from the optimum, relative to its size, whose cost is measured.
pub const GOALS: [f64; 2] = [1e-3, 1e-6];

/// Cost until a goal was reached.
#[derive(Clone, Copy, Debug)]
pub struct Reached {
    pub steps: usize,
    /// Solves of the model: for states, tangents and adjoints.
    pub solves: usize,
    /// Solves for the metric and the loss.
    pub metric_solves: usize,
    pub seconds: f64,
}

/// What one entrant did with one loss of a problem.
#[derive(Clone, Debug, Default)]
pub struct Lap {
    pub problem: &'static str,
    pub loss: &'static str,
    pub method: &'static str,
    pub metric: &'static str,
    /// Rate of the run, for methods with a fixed rate.
    pub rate: Option<f64>,
    pub reached: [Option<Reached>; 2],
    /// Distance from the optimum at the end.
    pub error: f64,
    /// Solves of the model and distance from the optimum after every step.
    pub path: Vec<(usize, f64)>,
    /// Reason for stopping, or the error that ended the run.
    pub outcome: String,
}

impl Lap {
    /// Name of the method, with its metric if it has one.
    pub fn label(&self) -> String {
        match self.metric {
            "—" => self.method.to_string(),
            metric => format!("{}, {metric}", self.method),
        }
    }

    /// Where and why a run ended that did not reach the last goal, or the rate of one that did.
    fn ending(&self) -> String {
        let rate = self
            .rate
            .map_or(String::new(), |rate| format!("rate {rate:.0e}"));
        if self.reached[GOALS.len() - 1].is_some() {
            return rate;
        }
        if self.error.is_nan() {
            let reason = self.outcome.split([';', ':']).next();
            return reason.unwrap_or_default().to_string();
        }
        format!("at {:.0e}, {} {rate}", self.error, self.outcome)
    }

    /// Steps, solves and seconds to a goal as three columns.
    fn columns(&self, goal: usize) -> String {
        match self.reached[goal] {
            Some(r) => format!("{:>7}{:>8}{:>9.3}", r.steps, r.solves, r.seconds),
            None => format!("{:>7}{:>8}{:>9}", "—", "—", "—"),
        }
    }
}

/// Returns one table for every loss of a problem.
pub fn table(problem: &Problem, laps: &[Lap]) -> String {
    let mut text = format!("{}\n", problem.title);
    for (loss, _) in &problem.losses {
        let _ = writeln!(
            text,
            "\nloss {loss:<25}{:^24}  {:^24}\n{:<30}{:>7}{:>8}{:>9}  {:>7}{:>8}{:>9}",
            "to 1e-3", "to 1e-6", "", "steps", "solves", "seconds", "steps", "solves", "seconds"
        );
        for lap in laps.iter().filter(|lap| lap.loss == *loss) {
            let _ = writeln!(
                text,
                "{:<30}{}  {}  {}",
                lap.label(),
                lap.columns(0),
                lap.columns(1),
                lap.ending()
            );
        }
    }
    text
}

/// Returns the labels of laps, each of them once.
pub fn labels<'l>(laps: impl Iterator<Item = &'l Lap>) -> Vec<String> {
    let mut labels: Vec<String> = Vec::new();
    for label in laps.map(Lap::label) {
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    labels
}

/// Returns the table of a problem in Markdown: solves of the model and seconds until the optimum is near, one pair of columns for
/// each loss.
pub fn markdown(problem: &Problem, laps: &[Lap]) -> String {
    let mut text = format!("### {}\n\n|", problem.title);
    for (loss, _) in &problem.losses {
        let _ = write!(text, " | {loss}: to 1e-3 | to 1e-6");
    }
    let columns = 2 * problem.losses.len() + 1;
    let _ = writeln!(text, " |\n{}|", "|---".repeat(columns));
    for label in labels(laps.iter()) {
        let _ = write!(text, "| {label}");
        for (loss, _) in &problem.losses {
            let lap = laps.iter().find(|l| l.loss == *loss && l.label() == label);
            for goal in 0..GOALS.len() {
                let reached = lap.and_then(|lap| lap.reached[goal]);
                let cell = reached.map(|r| format!("{} / {:.3} s", r.solves, r.seconds));
                let _ = write!(text, " | {}", cell.unwrap_or("—".into()));
            }
        }
        text.push_str(" |\n");
    }
    text.push('\n');
    text
}

/// Returns all laps as a table with commas.
pub fn csv(laps: &[Lap]) -> String {
    let mut text = String::from("problem,loss,method,metric,rate");
    for goal in GOALS {
        for what in ["steps", "solves", "metric_solves", "seconds"] {
            let _ = write!(text, ",{what}_to_{goal:e}");
        }
    }
    text.push_str(",error,outcome\n");
    for lap in laps {
        let rate = lap.rate.map_or(String::new(), |rate| format!("{rate:e}"));
        let _ = write!(
            text,
            "{},\"{}\",\"{}\",\"{}\",{rate}",
            lap.problem, lap.loss, lap.method, lap.metric
        );
        for reached in &lap.reached {
            match reached {
                Some(r) => {
                    let Reached {
                        steps,
                        solves,
                        metric_solves,
                        seconds,
                    } = r;
                    let _ = write!(text, ",{steps},{solves},{metric_solves},{seconds:.6}");
                }
                None => text.push_str(",,,,"),
            }
        }
        let outcome = lap.outcome.replace('"', "'");
        let _ = writeln!(text, ",{:e},\"{outcome}\"", lap.error);
    }
    text
}

/// Returns all laps as one JSON list.
pub fn json(laps: &[Lap]) -> Value {
    let goal = |reached: &Option<Reached>| {
        reached.map(|r| {
            json!({
                "steps": r.steps,
                "solves": r.solves,
                "metric_solves": r.metric_solves,
                "seconds": r.seconds,
            })
        })
    };
    let row = |lap: &Lap| {
        json!({
            "problem": lap.problem,
            "loss": lap.loss,
            "method": lap.method,
            "metric": lap.metric,
            "rate": lap.rate,
            "to_1e-3": goal(&lap.reached[0]),
            "to_1e-6": goal(&lap.reached[1]),
            "error": lap.error,
            "outcome": lap.outcome,
        })
    };
    laps.iter().map(row).collect()
}
