//! How far random probes are off: error and length of sketched directions against the number of probes.

#[path = "../support/command.rs"]
mod command;
mod measure;
mod method;
mod options;
mod output;
mod pictures;
mod problem;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use command::Failure;
use measure::measure;
use options::Options;
use problem::Problem;

fn main() -> ExitCode {
    command::main(("sketch_accuracy", options::USAGE), options::parse, run)
}

fn run(options: &Options) -> std::result::Result<(), Failure> {
    let started = Instant::now();
    let problem = Problem::new(options.cells())?;
    let results = measure(&problem, options)?;
    // Text goes to standard output, unless JSON does.
    let text = output::text(options, &results);
    match options.json {
        true => {
            writeln!(io::stderr(), "{text}")?;
            writeln!(io::stdout(), "{}", output::json(options, &results))?;
        }
        false => writeln!(io::stdout(), "{text}")?,
    }
    pictures::draw(options, &results)?;
    eprintln!(
        "pictures (PNG, SVG) are in {}; {:.1} seconds",
        options.out.display(),
        started.elapsed().as_secs_f64()
    );
    Ok(())
}
