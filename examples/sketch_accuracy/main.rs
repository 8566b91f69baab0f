//! How far random probes are off: error and length of sketched directions against the number of probes.

mod measure;
mod method;
mod options;
mod output;
mod pictures;
mod problem;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use measure::measure;
use options::Options;
use problem::Problem;

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let options = match options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{}", options::USAGE);
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            eprintln!("{}\n\nsketch_accuracy: {message}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sketch_accuracy: {error}");
            ExitCode::FAILURE
        }
    }
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
