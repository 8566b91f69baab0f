//! Estimates a permeability field with thousands of unknowns from a few pressures, and its uncertainty.

mod options;
mod pictures;
mod problem;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use options::Options;
use problem::Problem;
use pullback::descent::{Counts, Tolerances};
use pullback::direction::{
    Auto, ConjugateGradient, DataSpace, Dual, Nystrom, Preconditioner, Sketched,
};
use pullback::posterior::{Posterior, Rank};
use pullback::{Descent, Direction, Report};
use support::command::{self, Failure};
use support::output::{Printer, make_folder};

fn main() -> ExitCode {
    command::main(options::HELP, Options::read, run)
}

fn run(options: &Options) -> Result<(), Failure> {
    make_folder(&options.out)?;
    let problem = Problem::new(options)?;
    let n = options.cells;
    let printer = Printer { json: options.json };
    printer.line(&format!(
        "{} unknown log-permeabilities ({n}×{n} cells), {} pressures measured with standard deviation {}\n\
         linear systems solved on {}\n",
        n * n,
        problem.observations,
        options.noise,
        options.solver.label
    ))?;
    let direction = direction(options.direction);
    let descent = || descent(options, &problem, direction.as_ref());
    let started = Instant::now();
    let mut printed = Ok(());
    let report = descent().run(&vec![0.0; n * n], |iterate| {
        if printed.is_ok() {
            printed = printer.line(&iterate.to_string());
        }
    })?;
    printed?;
    let seconds = started.elapsed().as_secs_f64();
    printer.line(&format!("{report}\n{}\n", spent(&report.counts, seconds)))?;

    let spinner = ProgressBar::new_spinner().with_message("computing the posterior distribution");
    spinner.enable_steady_tick(Duration::from_millis(100));
    let rank = Rank {
        rank: options.rank,
        seed: options.seed,
        ..Rank::default()
    };
    let posterior = descent().posterior(&report.theta, rank)?;
    let deviations = deviations(&posterior)?;
    let samples = posterior.samples(1, options.seed)?;
    spinner.finish_and_clear();
    printer.line(&format!("posterior: {posterior}"))?;
    printer.line(&accuracy(&problem, &report, &deviations))?;

    let found = pictures::Found {
        report: &report,
        deviations: &deviations,
        sample: samples.col_as_slice(0),
        eigenvalues: posterior.eigenvalues(),
    };
    let file = pictures::draw(&problem, &found, &options.out)?;
    printer.line(&format!("\nwrote the picture {}", file.display()))?;
    printer.json(|| json(options, &problem, &report, seconds))?;
    Ok(())
}

fn direction(name: &str) -> Box<dyn Direction> {
    match name {
        "cg" => Box::new(ConjugateGradient::default()),
        "nystrom" => Box::new(ConjugateGradient {
            preconditioner: Preconditioner::Nystrom(Nystrom::default()),
            ..ConjugateGradient::default()
        }),
        "data" => Box::new(DataSpace),
        "dual" => Box::new(Dual),
        "sketch" => Box::new(Sketched {
            probes: 128,
            ..Sketched::default()
        }),
        _ => Box::new(Auto::default()),
    }
}

fn descent<'a>(
    options: &'a Options,
    problem: &'a Problem,
    direction: &'a dyn Direction,
) -> Descent<'a> {
    let tolerances = Tolerances {
        gradient: 1e-4,
        ..Tolerances::default()
    };
    Descent::new(&problem.model, &problem.loss)
        .prior(&problem.prior)
        .direction(direction)
        .backend(options.solver.backend.as_ref())
        .tolerances(tolerances)
}

/// Posterior standard deviation of every unknown.
fn deviations(posterior: &Posterior<'_>) -> pullback::Result<Vec<f64>> {
    let variances = posterior.variances()?;
    Ok(variances.iter().map(|v| v.max(0.0).sqrt()).collect())
}

/// Number of solves with the matrix of the flow equation.
fn solves(counts: &Counts) -> usize {
    counts.newton_solves + counts.tangent_solves + counts.adjoint_solves
}

fn spent(counts: &Counts, seconds: f64) -> String {
    format!(
        "  cost: {} solves of the flow equation, {} of linear systems for the unknowns, {seconds:.2} s",
        solves(counts),
        counts.system_solves
    )
}

/// Compares the estimate with the truth, and the true errors with the predicted standard deviations.
fn accuracy(problem: &Problem, report: &Report, deviations: &[f64]) -> String {
    let cells = problem.truth.len() as f64;
    let errors = report.theta.iter().zip(&problem.truth).map(|(a, b)| a - b);
    let rms = (errors.clone().map(|e| e * e).sum::<f64>() / cells).sqrt();
    let spread = (problem.truth.iter().map(|t| t * t).sum::<f64>() / cells).sqrt();
    let inside = errors
        .zip(deviations)
        .filter(|(e, s)| e.abs() <= 2.0 * **s)
        .count();
    format!(
        "accuracy: root mean square error {rms:.2}, for a true field of root mean square {spread:.2}\n\
         error bars: the truth lies within two standard deviations of the estimate in {:.0} % of the cells",
        100.0 * inside as f64 / cells
    )
}

fn json(options: &Options, problem: &Problem, report: &Report, seconds: f64) -> String {
    serde_json::json!({
        "n": options.cells,
        "parameters": problem.truth.len(),
        "observations": problem.observations,
        "direction": options.direction,
        "backend": options.solver.name,
        "remarks": report.remarks.iter().map(|r| r.text.clone()).collect::<Vec<_>>(),
        "outer_iterations": report.iterations(),
        "solves": solves(&report.counts),
        "prior_solves": report.counts.system_solves,
        "objective": report.loss,
        "converged": report.converged(),
        "seconds": seconds,
    })
    .to_string()
}
