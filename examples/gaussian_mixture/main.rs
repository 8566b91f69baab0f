//! Fits a mixture of two Gaussians by gradient descent in six geometries, and draws how they differ.

mod basins;
mod options;
mod output;
mod pictures;
mod problem;
mod quadratics;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::process::ExitCode;

use options::Options;
use output::Run;
use problem::{BOX, Case, Problem};
use pullback::plot::Field2;
use support::command::{self, Failure};
use support::output::{Printer, bar, make_folder, note, write_file};

fn main() -> ExitCode {
    command::main(options::HELP, Options::read, run)
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
        "\nwrote pictures (PNG, SVG) and all iterates (CSV) to {}",
        options.out.display()
    ));
    Ok(())
}

/// Number of cells along each axis of the densities.
fn cells(options: &Options) -> usize {
    if options.quick { 28 } else { 56 }
}

/// Runs one descent per geometry.
fn descents(options: &Options, case: Case) -> Result<Vec<Run>, Failure> {
    let problem = Problem::new(case, options.loss, cells(options))?;
    let start = options
        .start
        .clone()
        .unwrap_or_else(|| case.start().to_vec());
    let limit = if options.quick { 100 } else { 400 };
    let total = options.geometries.len() * limit;
    let bar = bar(total, &format!("case {}: fitting", case.name()));
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

/// Writes the pictures and the table of one case.
fn draw(options: &Options, case: Case, runs: &[Run]) -> Result<(), Failure> {
    let file = |what: &str| options.out.join(format!("case_{}_{what}", case.name()));
    write_file(&file("trajectories.csv"), &output::trajectories(case, runs))?;
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
    let landscape = pictures::landscape(&problem, case, if options.quick { 32 } else { 64 });
    pictures::paths(runs, &landscape, &file("paths"))?;
    quadratics::picture(&problem, runs, &file("quadratic_models"))?;
    draw_basins(options, case, runs, &file("basins"))
}

fn draw_basins(options: &Options, case: Case, runs: &[Run], stem: &Path) -> Result<(), Failure> {
    let side = if options.quick { 8 } else { 16 };
    let starts = side * side * options.geometries.len();
    let bar = bar(
        starts,
        &format!("case {}: fits from all starts", case.name()),
    );
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
