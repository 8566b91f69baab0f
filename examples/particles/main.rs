//! Fits stochastic differential equations to clouds of particles that are not paired, with metrics of samples.

mod equations;
mod fit;
mod intervals;
mod options;
mod output;
mod pictures;
mod problem;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

use fit::{METHODS, Track};
use intervals::Intervals;
use options::Options;
use problem::Problem;
use support::command::{self, Failure};
use support::output::{Printer, bar, make_folder, note};

fn main() -> ExitCode {
    command::main(options::HELP, Options::read, run)
}

/// All that is found out about one equation.
pub struct Study {
    pub problem: Problem,
    pub floor: f64,
    pub tracks: Vec<Track>,
    pub intervals: Intervals,
}

fn run(options: &Options) -> Result<(), Failure> {
    make_folder(&options.out)?;
    let printer = Printer { json: options.json };
    printer.line(output::INTRODUCTION)?;
    let mut studies = Vec::new();
    for problem in [problem::ornstein(options)?, problem::wells(options)?] {
        let study = study(problem, options)?;
        printer.line(&output::study(&study))?;
        studies.push(study);
    }
    output::write_tables(&studies, &options.out)?;
    pictures::draw(&studies, &options.out)?;
    printer.json(|| output::json(options, &studies).to_string())?;
    let out = options.out.display();
    note(&format!(
        "wrote tables (CSV) and pictures (PNG, SVG) to {out}"
    ));
    Ok(())
}

/// Runs every method to the floor of the sample, and repeats the fit with resampled data.
fn study(problem: Problem, options: &Options) -> Result<Study, Failure> {
    let floor = problem.loss_at(&problem.truth)?;
    let progress = bar(
        METHODS.len() * fit::MOST,
        &format!("{}: descents", problem.name),
    );
    let mut tracks = Vec::new();
    for method in METHODS {
        tracks.push(fit::descend(&problem, method, floor, &|| progress.inc(1))?);
        progress.set_position((tracks.len() * fit::MOST) as u64);
    }
    progress.finish_and_clear();
    let progress = bar(options.replicates, &format!("{}: intervals", problem.name));
    let start = &tracks[0].theta;
    let intervals = intervals::resample(&problem, start, options, &|| progress.inc(1))?;
    progress.finish_and_clear();
    Ok(Study {
        floor,
        tracks,
        intervals,
        problem,
    })
}
