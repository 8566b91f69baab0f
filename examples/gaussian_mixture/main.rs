//! Fits a mixture of two Gaussians by gradient descent in six geometries, and shows how they differ.

mod basins;
#[path = "../support/command.rs"]
mod command;
mod options;
mod output;
mod pictures;
#[path = "../support/printer.rs"]
mod printer;
mod problem;
mod quadratics;

use std::path::Path;
use std::process::ExitCode;

use command::Failure;
use indicatif::{ProgressBar, ProgressStyle};
use options::Options;
use output::Run;
use printer::{Printer, make_folder, note};
use problem::{BOX, Case, Problem};
use pullback::plot::Field2;

fn main() -> ExitCode {
    command::main(("gaussian_mixture", options::USAGE), options::parse, run)
}

fn run(options: &Options) -> Result<(), Failure> {
    make_folder(&options.out)?;
    let printer = Printer { json: options.json };
    let mut all = Vec::new();
    for &case in &options.cases {
        let runs = descents(options, case)?;
        for run in &runs {
            printer.json(|| run.json())?;
        }
        draw(options, case, &runs)?;
        all.extend(runs);
    }
    printer.line(output::summary(&all).trim_end())?;
    note(&format!(
        "\npictures (PNG, SVG) and trajectories (CSV) are in {}",
        options.out.display()
    ));
    Ok(())
}

/// Cells along each axis of the states.
fn cells(options: &Options) -> usize {
    if options.quick { 28 } else { 56 }
}

/// One descent for every geometry asked for.
fn descents(options: &Options, case: Case) -> Result<Vec<Run>, Failure> {
    let problem = Problem::new(case, options.loss, cells(options))?;
    let start = options
        .start
        .clone()
        .unwrap_or_else(|| case.start().to_vec());
    let limit = if options.quick { 100 } else { 400 };
    let bar = progress(
        options.geometries.len() * limit,
        &format!("case {}: descents", case.name()),
    );
    let mut runs = Vec::new();
    for (done, &geometry) in options.geometries.iter().enumerate() {
        let report = problem.descend(geometry, &start, limit, |i| {
            bar.set_position((done * limit + i.iteration) as u64);
        })?;
        runs.push(Run {
            case,
            geometry,
            loss: options.loss,
            start: start.clone(),
            report,
        });
    }
    bar.finish_and_clear();
    Ok(runs)
}

/// Pictures and the table of one case.
fn draw(options: &Options, case: Case, runs: &[Run]) -> Result<(), Failure> {
    let file = |what: &str| options.out.join(format!("case_{}_{what}", case.name()));
    output::write_trajectories(&file("trajectories.csv"), case, runs)?;
    pictures::convergence(runs, &file("convergence"))?;
    let problem = Problem::new(case, options.loss, cells(options))?;
    if case == Case::Five {
        let side = cells(options);
        let density = Field2 {
            x: BOX,
            y: BOX,
            shape: [side, side],
            values: problem.mixture.density(case.truth())?,
        };
        pictures::means(runs, &density, &file("paths"))?;
        return Ok(());
    }
    let landscape = pictures::landscape(&problem, case, if options.quick { 48 } else { 120 });
    pictures::paths(runs, &landscape, &file("paths"))?;
    quadratics::picture(&problem, runs, &file("quadratic_models"))?;
    draw_basins(options, case, runs, &file("basins"))
}

fn draw_basins(options: &Options, case: Case, runs: &[Run], stem: &Path) -> Result<(), Failure> {
    let side = if options.quick { 8 } else { 28 };
    let starts = side * side * options.geometries.len();
    let bar = progress(starts, &format!("case {}: basin maps", case.name()));
    let mut maps = Vec::new();
    for &geometry in &options.geometries {
        maps.push((
            geometry,
            basins::map(case, options.loss, geometry, side, &bar)?,
        ));
    }
    bar.finish_and_clear();
    pictures::basins(runs, &maps, stem)?;
    Ok(())
}

/// A bar on standard error.
fn progress(length: usize, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(length as u64).with_message(what.to_string());
    if let Ok(style) = ProgressStyle::with_template("{msg:28} {wide_bar} {percent:>3} %  {eta:>4}")
    {
        bar.set_style(style);
    }
    bar
}
