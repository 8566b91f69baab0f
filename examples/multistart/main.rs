//! Fits two unknown periods to the air pressure behind El Niño from many starts, and shows which optima they find.

mod options;
mod output;
mod pictures;
mod problem;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

use options::Options;
use problem::Pressure;
use pullback::Descent;
use pullback::automatic::Curve;
use pullback::descent::Tolerances;
use pullback::loss::L2Misfit;
use pullback::multistart::{MultiStart, Summary};
use pullback::posterior::Variance;
use support::command::{self, Failure};
use support::output::{Printer, bar, make_folder, note};

fn main() -> ExitCode {
    command::main(options::HELP, Options::read, run)
}

fn run(options: &Options) -> Result<(), Failure> {
    make_folder(&options.out)?;
    let printer = Printer { json: options.json };
    let pressure = Pressure::read()?;
    let summary = search(&pressure, options)?;
    printer.line(&output::text(&pressure, &summary))?;
    printer.json(|| output::json(options, &summary).to_string())?;
    pictures::draw(&pressure, &summary, &options.out)?;
    note(&format!(
        "wrote pictures (PNG, SVG) to {}",
        options.out.display()
    ));
    Ok(())
}

/// Runs a descent from every start.
fn search(pressure: &Pressure, options: &Options) -> Result<Summary, Failure> {
    let curve = Curve::new(pressure);
    let loss = L2Misfit::euclidean(pressure.data.clone())?;
    let transforms = problem::transforms();
    let bounds = problem::bounds()?;
    let tolerances = Tolerances {
        iterations: 300,
        ..Tolerances::default()
    };
    let descent = Descent::new(&curve, &loss)
        .transforms(&transforms)
        .bounds(&bounds)
        .tolerances(tolerances);
    let bar = bar(options.starts, "fits from all starts");
    let summary = MultiStart::new(&descent)
        .within(&problem::region()?, options.starts)
        .seed(options.seed)
        .representative(&problem::longer_first)
        .standard_errors(Variance::Estimated)
        .run(|_| bar.inc(1))?;
    bar.finish_and_clear();
    Ok(summary)
}
