//! Measures the error of natural-gradient steps from random probes, over the number of probes.

mod measure;
mod method;
mod options;
mod output;
mod pictures;
mod problem;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;
use std::time::Instant;

use measure::measure;
use options::Options;
use problem::Problem;
use support::command::{self, Failure};
use support::output::{Printer, make_folder, note};

fn main() -> ExitCode {
    command::main(options::HELP, Options::read, run)
}

fn run(options: &Options) -> Result<(), Failure> {
    let started = Instant::now();
    make_folder(&options.out)?;
    let printer = Printer { json: options.json };
    let problem = Problem::new(options.cells)?;
    let results = measure(&problem, options)?;
    printer.line(&output::text(options, &results))?;
    printer.json(|| output::json(options, &results).to_string())?;
    pictures::draw(options, &results)?;
    note(&format!(
        "wrote pictures (PNG, SVG) to {}; {:.1} s in all",
        options.out.display(),
        started.elapsed().as_secs_f64()
    ));
    Ok(())
}
