//! Estimates the parameters of the Lorenz system, or of another one, from its invariant measure.

mod fit;
mod options;
mod output;
mod pictures;
mod problem;
mod setting;
#[path = "../support/mod.rs"]
mod support;

use std::path::PathBuf;
use std::process::ExitCode;

use fit::Fit;
use options::{Options, Source};
use problem::Problem;
use setting::LOSSES;
use support::command::{self, Failure};
use support::geometry::{Geometry, LossKind};
use support::output::{Printer, make_folder, note, write_file};

fn main() -> ExitCode {
    command::main(options::HELP, Options::read, run)
}

fn run(options: &Options) -> Result<(), Failure> {
    let printer = Printer { json: options.json };
    for source in &options.sources {
        let problem = Problem::new(options, source)?;
        let folder = folder(options, source)?;
        let fits = fits(options, &problem, &printer)?;
        printer.line(&output::summary(&problem, &fits))?;
        for fit in &fits {
            printer.json(|| output::json(options, &problem, fit))?;
        }
        let table = output::iterates(&problem, &fits);
        write_file(&folder.join("iterates.csv"), &table)?;
        pictures::draw(&problem, &fits, &folder)?;
        let place = folder.display();
        note(&format!(
            "wrote pictures (PNG, SVG) and all iterates (CSV) to {place}\n"
        ));
    }
    Ok(())
}

/// Creates the folder for the output of one data source.
fn folder(options: &Options, source: &Source) -> Result<PathBuf, Failure> {
    let folder = options.out.join(match source {
        Source::Twin => "twin",
        Source::Trajectory => "trajectory",
        Source::File(_) => "file",
    });
    make_folder(&folder)?;
    Ok(folder)
}

/// Runs the fit that the options ask for, its bias correction if the data are a trajectory, and fits to compare with.
fn fits(options: &Options, problem: &Problem, printer: &Printer) -> Result<Vec<Fit>, Failure> {
    let matched = |loss: LossKind| loss.matched().unwrap_or(Geometry::L2);
    let first = options.loss.unwrap_or(LossKind::Kl);
    let metric = options.metric.unwrap_or(matched(first));
    let mut pairs = vec![(first, metric)];
    if options.loss.is_none() && options.metric.is_none() {
        pairs.extend(LOSSES[1..].iter().map(|l| (*l, matched(*l))));
        pairs.push((LossKind::Kl, Geometry::Standard));
    }
    printer.line(&output::heading(problem))?;
    let mut fits = Vec::new();
    for (i, &pair) in pairs.iter().enumerate() {
        let mut rows = Vec::new();
        let first = options.first_metric.filter(|_| i == 0);
        let fit = fit::descend(problem, pair, first, |row| rows.push(row))?;
        if i == 0 {
            let title = format!("Fit with loss / metric {}:", fit.label());
            printer.line(&format!("{title}\n{}\n{}\n", rows.join("\n"), fit.outcome))?;
        }
        fits.push(fit);
    }
    let mut rows = Vec::new();
    match fit::correct(problem, &fits[0], |row| rows.push(row)) {
        Ok(Some(fit)) => {
            let title = "Bias correction (residuals from simulated trajectories, derivatives from the model):";
            printer.line(&format!("{title}\n{}\n{}\n", rows.join("\n"), fit.outcome))?;
            fits.insert(1, fit);
        }
        Ok(None) => {}
        Err(error) => printer.line(&format!("The bias correction failed: {error}\n"))?,
    }
    Ok(fits)
}
