//! Text, tables and JSON.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::Study;
use crate::options::Options;
use crate::support::output::write_file;

pub const INTRODUCTION: &str = "\
Stochastic differential equations from clouds of particles at t = 0.5, 1 and 2

  Every time has particles of its own, and none is followed. The loss compares clouds without pairing particles: sliced
  transport for the Ornstein-Uhlenbeck process in five dimensions, the energy distance for the particle in two wells.
  A descent ends when the loss is that of the true parameters. Nothing below this floor is known from samples of this size.
";

/// Ends of 95 % intervals in standard errors.
const WIDTH: f64 = 1.96;

impl Study {
    /// The number of parameters whose intervals contain the truth.
    pub fn covered(&self) -> usize {
        let errors = self.intervals.theta.iter().zip(&self.intervals.errors);
        let truth = errors.zip(&self.problem.truth);
        truth
            .filter(|((x, e), t)| (*x - *t).abs() <= WIDTH * *e)
            .count()
    }
}

/// The tables of an equation.
pub fn study(study: &Study) -> String {
    let (problem, count) = (&study.problem, study.problem.truth.len());
    let mut text = format!(
        "{}, {count} parameters; loss at the truth {:.3e}\n\n   method        steps   seconds   loss/floor\n",
        problem.name, study.floor
    );
    for track in &study.tracks {
        let (steps, loss, seconds) = track.points.last().copied().unwrap_or_default();
        let more = if track.reached { ' ' } else { '>' };
        let _ = writeln!(
            text,
            "   {:12} {more}{steps:>5}  {seconds:>8.2}   {:>10.3}",
            track.method.label(),
            loss / study.floor
        );
    }
    text += "\n   parameter     truth   estimate ± standard error\n";
    for (j, name) in problem.names.iter().enumerate() {
        let (truth, value, error) = (
            problem.truth[j],
            study.intervals.theta[j],
            study.intervals.errors[j],
        );
        let missed = if (value - truth).abs() > WIDTH * error {
            "   outside 95 %"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "   {name:10} {truth:>8.3}   {value:>8.3} ± {error:.3}{missed}"
        );
    }
    let _ = writeln!(
        text,
        "\n   {} of {count} intervals of 95 % contain the truth\n",
        study.covered()
    );
    text
}

/// Writes the ways of all methods, and all estimates.
pub fn write_tables(studies: &[Study], out: &Path) -> Result<(), String> {
    let mut paths = String::from("equation,method,step,loss,floor,seconds\n");
    let mut estimates = String::from("equation,parameter,truth,estimate,standard_error\n");
    for study in studies {
        let name = study.problem.name;
        for track in &study.tracks {
            for (step, loss, seconds) in &track.points {
                let method = track.method.label();
                let floor = study.floor;
                let _ = writeln!(paths, "{name},{method},{step},{loss},{floor},{seconds}");
            }
        }
        for (j, parameter) in study.problem.names.iter().enumerate() {
            let (truth, found) = (study.problem.truth[j], study.intervals.theta[j]);
            let error = study.intervals.errors[j];
            let _ = writeln!(estimates, "{name},{parameter},{truth},{found},{error}");
        }
    }
    write_file(&out.join("paths.csv"), &paths)?;
    write_file(&out.join("estimates.csv"), &estimates)
}

pub fn json(options: &Options, studies: &[Study]) -> Value {
    let one = |study: &Study| {
        let tracks = study.tracks.iter().map(|track| {
            let (steps, loss, _) = track.points.last().copied().unwrap_or_default();
            json!({
                "method": track.method.label(),
                "steps": steps,
                "loss": loss,
                "reached": track.reached,
            })
        });
        json!({
            "equation": study.problem.name,
            "floor": study.floor,
            "methods": tracks.collect::<Vec<_>>(),
            "theta": study.intervals.theta,
            "standard_errors": study.intervals.errors,
            "covered": study.covered(),
        })
    };
    json!({
        "particles": options.particles,
        "data": options.data,
        "studies": studies.iter().map(one).collect::<Vec<_>>(),
    })
}
