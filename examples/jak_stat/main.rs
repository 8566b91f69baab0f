//! Fits reactions of a signalling protein to measurements from many starts, and shows which rates the data determine.

mod fit;
mod options;
mod output;
mod pictures;
mod problem;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

use options::Options;
use problem::Problem;
use support::command::{self, Failure};
use support::output::{Printer, bar, make_folder, note};

fn main() -> ExitCode {
    command::main(options::HELP, Options::read, run)
}

fn run(options: &Options) -> Result<(), Failure> {
    make_folder(&options.out)?;
    let printer = Printer { json: options.json };
    printer.line(output::INTRODUCTION)?;

    let problem = Problem::new(problem::SEARCH)?;
    let progress = bar(
        options.starts + options.runs.min(options.starts),
        "short runs from all starts, and full runs from the best",
    );
    let summary = fit::search(&problem, options, &|| progress.inc(1))?;
    progress.finish_and_clear();
    printer.line(&output::search(&summary))?;

    let exact = Problem::new(problem::FINAL)?;
    let best = fit::finish(&exact, &summary.best().theta)?;
    printer.line(&output::best(&best))?;

    let progress = bar(fit::SIDES, "profiles of the parameters");
    let profiles = fit::profiles(&exact, &best.report.theta, &|| progress.inc(1))?;
    progress.finish_and_clear();
    printer.line(&output::profiles(&profiles))?;

    printer.json(|| output::json(options, &summary, (&best, &profiles)).to_string())?;
    pictures::draw(&summary, &best, &profiles, &options.out)?;
    let out = options.out.display();
    note(&format!("wrote pictures (PNG, SVG) to {out}"));
    Ok(())
}
