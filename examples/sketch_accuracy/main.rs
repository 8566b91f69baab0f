//! How far random probes are off: error and length of sketched directions against the number of probes.

#[path = "../support/command.rs"]
mod command;
mod measure;
mod method;
mod options;
mod output;
mod pictures;
#[path = "../support/printer.rs"]
mod printer;
mod problem;

use std::process::ExitCode;
use std::time::Instant;

use command::Failure;
use measure::measure;
use options::Options;
use printer::{Printer, make_folder, note};
use problem::Problem;

fn main() -> ExitCode {
    command::main(("sketch_accuracy", options::USAGE), options::parse, run)
}

fn run(options: &Options) -> std::result::Result<(), Failure> {
    let started = Instant::now();
    make_folder(&options.out)?;
    let printer = Printer { json: options.json };
    let problem = Problem::new(options.cells())?;
    let results = measure(&problem, options)?;
    printer.line(&output::text(options, &results))?;
    printer.json(|| output::json(options, &results).to_string())?;
    pictures::draw(options, &results)?;
    note(&format!(
        "pictures (PNG, SVG) are in {}; {:.1} seconds",
        options.out.display(),
        started.elapsed().as_secs_f64()
    ));
    Ok(())
}
