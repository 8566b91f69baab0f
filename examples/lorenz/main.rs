//! Recovers the parameters of the Lorenz system, or another one, from its invariant measure.

#[path = "../support/backend.rs"]
mod backend;
#[path = "../support/command.rs"]
mod command;
mod fit;
mod options;
mod output;
mod pictures;
#[path = "../support/printer.rs"]
mod printer;
mod problem;
mod progress;
mod setting;

use std::path::PathBuf;
use std::process::ExitCode;

use backend::Opened;
use command::Failure;
use fit::Fit;
use options::{Options, Source};
use printer::{Printer, make_folder, note};
use problem::Problem;
use setting::{LossKind, MetricKind};

fn main() -> ExitCode {
    let read = |arguments| {
        let Some(options) = options::parse(arguments)? else {
            return Ok(None);
        };
        let opened = options.backend.open()?;
        Ok(Some((options, opened)))
    };
    let words = ("lorenz", options::USAGE);
    command::main(words, read, |(options, opened)| run(options, opened))
}

fn run(options: &Options, opened: &Opened) -> Result<(), Failure> {
    let printer = Printer { json: options.json };
    for source in &options.sources {
        let problem = Problem::new(options, source, opened)?;
        let folder = folder(options, source)?;
        let fits = fits(options, &problem, &printer)?;
        printer.line(&output::summary(&problem, &fits))?;
        for fit in &fits {
            printer.json(|| output::json(options, &problem, fit))?;
        }
        output::write_iterates(&folder.join("iterates.csv"), &problem, &fits)?;
        pictures::draw(&problem, &fits, &folder)?;
        note(&format!(
            "pictures (PNG, SVG) and iterates (CSV) are in {}\n",
            folder.display()
        ));
    }
    Ok(())
}

/// Where pictures and tables of these data go. Made before anything is fitted, so that no work is lost.
fn folder(options: &Options, source: &Source) -> Result<PathBuf, Failure> {
    let folder = options.out.join(match source {
        Source::Twin => "twin",
        Source::Trajectory => "trajectory",
        Source::File(_) => "file",
    });
    make_folder(&folder)?;
    Ok(folder)
}

/// The fit that was asked for first, its correction where the data are a trajectory's, and others to compare.
fn fits(options: &Options, problem: &Problem, printer: &Printer) -> Result<Vec<Fit>, Failure> {
    let first = options.loss.unwrap_or(LossKind::Kl);
    let metric = options.metric.unwrap_or(first.matched());
    let mut pairs = vec![(first, metric)];
    if options.loss.is_none() && options.metric.is_none() {
        pairs.extend(LossKind::ALL[1..].iter().map(|l| (*l, l.matched())));
        pairs.push((LossKind::Kl, MetricKind::Standard));
    }
    printer.line(&output::heading(problem))?;
    let mut fits = Vec::new();
    for (i, &pair) in pairs.iter().enumerate() {
        let mut rows = Vec::new();
        let first = options.first_metric.filter(|_| i == 0);
        let fit = fit::descend(problem, pair, first, |row| rows.push(row))?;
        if i == 0 {
            printer.line(&format!("{}\n{}\n", rows.join("\n"), fit.ending))?;
        }
        fits.push(fit);
    }
    let mut rows = Vec::new();
    match fit::correct(problem, &fits[0], |row| rows.push(row)) {
        Ok(Some(fit)) => {
            let what = "correction: the residual from simulated trajectories, the derivative from the model";
            printer.line(&format!("{what}\n{}\n{}\n", rows.join("\n"), fit.ending))?;
            fits.insert(1, fit);
        }
        Ok(None) => {}
        Err(error) => printer.line(&format!("no correction: {error}\n"))?,
    }
    Ok(fits)
}
