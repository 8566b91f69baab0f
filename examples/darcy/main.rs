//! Finds a permeability field from a few pressures, with thousands of parameters, and shows how far to trust it.

#[path = "../support/backend.rs"]
mod backend;
#[path = "../support/command.rs"]
mod command;
mod options;
mod pictures;
#[path = "../support/printer.rs"]
mod printer;
mod problem;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use backend::Opened;
use command::Failure;
use indicatif::ProgressBar;
use options::Options;
use printer::{Printer, make_folder};
use problem::Problem;
use pullback::descent::{Counts, Tolerances};
use pullback::direction::{
    Auto, ConjugateGradient, DataSpace, Dual, Nystrom, Preconditioner, Sketched,
};
use pullback::posterior::Rank;
use pullback::{Backend, Descent, Direction, Report};

fn main() -> ExitCode {
    let read = |arguments| {
        let Some(options) = options::parse(arguments)? else {
            return Ok(None);
        };
        let opened = options.backend.open()?;
        Ok(Some((options, opened)))
    };
    let words = ("darcy", options::USAGE);
    command::main(words, read, |(options, opened)| run(options, opened))
}

fn run(options: &Options, opened: &Opened) -> Result<(), Failure> {
    make_folder(&options.out)?;
    let problem = Problem::new(options)?;
    let (n, backend) = (options.cells(), opened.backend.as_ref());
    let printer = Printer { json: options.json };
    printer.line(&format!(
        "log-permeability of {n} x {n} cells ({} parameters) from {} pressures, noise {}; solving on {}\n",
        n * n,
        problem.observations,
        options.noise,
        opened.label
    ))?;
    let direction = direction(&options.direction);
    let started = Instant::now();
    let mut printed = Ok(());
    let report =
        descent(&problem, backend, direction.as_ref()).run(&vec![0.0; n * n], |iterate| {
            if printed.is_ok() {
                printed = printer.line(&iterate.to_string());
            }
        })?;
    printed?;
    let seconds = started.elapsed().as_secs_f64();
    printer.line(&format!("{report}\n{}\n", spent(&report.counts, seconds)))?;

    let spinner = ProgressBar::new_spinner().with_message("posterior: leading eigenpairs");
    spinner.enable_steady_tick(Duration::from_millis(100));
    let rank = Rank {
        rank: options.rank,
        seed: options.seed,
        ..Rank::default()
    };
    let posterior =
        descent(&problem, backend, direction.as_ref()).posterior(&report.theta, rank)?;
    let deviations: Vec<f64> = posterior
        .variances()?
        .iter()
        .map(|v| v.max(0.0).sqrt())
        .collect();
    let samples = posterior.samples(1, options.seed)?;
    spinner.finish_and_clear();
    printer.line(&format!("posterior: {posterior}"))?;
    printer.line(&trust(&problem, &report, &deviations))?;

    let found = pictures::Found {
        report: &report,
        deviations: &deviations,
        sample: samples.col_as_slice(0),
        eigenvalues: posterior.eigenvalues(),
    };
    let file = pictures::draw(&problem, &found, &options.out)?;
    printer.line(&format!("\nthe picture is {}", file.display()))?;
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
    problem: &'a Problem,
    backend: &'a dyn Backend,
    direction: &'a dyn Direction,
) -> Descent<'a> {
    let tolerances = Tolerances {
        gradient: 1e-4,
        ..Tolerances::default()
    };
    Descent::new(&problem.model, &problem.loss)
        .prior(&problem.prior)
        .direction(direction)
        .backend(backend)
        .tolerances(tolerances)
}

/// Solves with the model's matrix.
fn solves(counts: &Counts) -> usize {
    counts.newton_solves + counts.tangent_solves + counts.adjoint_solves
}

fn spent(counts: &Counts, seconds: f64) -> String {
    format!(
        "  {} solves with the flow equation, {} with the prior, {seconds:.2} s",
        solves(counts),
        counts.system_solves
    )
}

/// How the map compares with the truth, and whether its error bars hold.
fn trust(problem: &Problem, report: &Report, deviations: &[f64]) -> String {
    let cells = problem.truth.len() as f64;
    let errors = report.theta.iter().zip(&problem.truth).map(|(a, b)| a - b);
    let rms = (errors.clone().map(|e| e * e).sum::<f64>() / cells).sqrt();
    let spread = (problem.truth.iter().map(|t| t * t).sum::<f64>() / cells).sqrt();
    let inside = errors
        .zip(deviations)
        .filter(|(e, s)| e.abs() <= 2.0 * **s)
        .count();
    format!(
        "error of the map {rms:.2} (the truth varies by {spread:.2}); it lies within two standard deviations in {:.0} % \
         of the cells",
        100.0 * inside as f64 / cells
    )
}

fn json(options: &Options, problem: &Problem, report: &Report, seconds: f64) -> String {
    serde_json::json!({
        "n": options.cells(),
        "parameters": problem.truth.len(),
        "observations": problem.observations,
        "direction": options.direction,
        "backend": options.backend.name(),
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
