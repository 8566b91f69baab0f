//! Finds the conductivity along a bar from temperatures that a few sensors record while the bar is heated.
//!
//! The unknown is ln of the conductivity in every cell. Far more cells than a record can tell apart are no obstacle: a smooth
//! prior decides what the data leave open, and the error bars say where that is.

#[path = "support/mod.rs"]
mod support;

use std::f64::consts::PI;
use std::path::PathBuf;
use std::process::ExitCode;

use pullback::descent::Tolerances;
use pullback::evolution::{Evolution, Method};
use pullback::loss::Observations;
use pullback::models::{End, fields::Heat};
use pullback::plot::{Chart, Corner, Marker, PALETTE, Page, Stroke};
use pullback::posterior::Rank;
use pullback::prior::Matern;
use pullback::{Descent, Grid, Noise, Operator, Report, random};

use support::command::{self, Arguments, Failure, number, path, positive};
use support::output::{Printer, make_folder};

const HELP: &str = "\
Finds the conductivity along a bar from temperatures in time, with error bars.

usage: heat_conductivity [options]
  --cells N    [200, quick 40]         cells of the bar, each with an unknown conductivity
  --sensors N  [12, quick 8]           sensors along the bar
  --noise X    [0.005]                 standard deviation of a measured temperature; the heated end has 1
  --seed N     [1]                     seed of the noise
  --out DIR    [out/heat_conductivity] folder for the picture
  --quick      few cells and sensors
  --json       print one JSON object to standard output and everything else to standard error
  --help       print this text";

struct Options {
    cells: usize,
    sensors: usize,
    noise: f64,
    seed: u64,
    out: PathBuf,
    json: bool,
}

impl Options {
    fn read(given: &Arguments) -> Result<Self, String> {
        Ok(Self {
            cells: given.get("--cells", number(8..=2000))?,
            sensors: given.get("--sensors", number(2..=200))?,
            noise: given.get("--noise", positive)?,
            seed: given.get("--seed", number(0..=u64::MAX))?,
            out: given.get("--out", path)?,
            json: given.switch("--json"),
        })
    }
}

/// Number of readings of every sensor.
const READINGS: usize = 20;

/// The bar, what is known of it, and what was measured.
struct Problem {
    grid: Grid,
    model: Evolution<Heat>,
    truth: Vec<f64>,
    sensors: Vec<f64>,
    times: Vec<f64>,
    data: Vec<f64>,
    loss: Observations,
    prior: Matern,
}

impl Problem {
    fn new(options: &Options) -> pullback::Result<Self> {
        let n = options.cells;
        let grid = Grid::new(&[(0.0, 1.0, n)])?;
        let count = options.sensors as f64;
        let sensors: Vec<f64> = (0..options.sensors)
            .map(|i| (i as f64 + 0.5) / count)
            .collect();
        let points: Vec<[f64; 1]> = sensors.iter().map(|x| [*x]).collect();
        // The bar is cold at first. One end is heated, the other kept cold.
        let bar = Heat::new(&grid, vec![0.0; n])?
            .fixed(0, End::Lower, 1.0)?
            .fixed(0, End::Upper, 0.0)?
            .sensors(&points)?;
        let times: Vec<f64> = (1..=READINGS).map(|i| 0.03 * i as f64).collect();
        let model = Evolution::new(bar, times.clone())?
            .method(Method::Implicit)
            .accuracy(1e-5, &[1e-6])?;
        let truth = grid.sample(|x| conductivity(x[0]).ln());
        let exact = model.predict(&truth)?;
        let errors = random::normal(exact.len(), options.seed, 0);
        let data: Vec<f64> = exact
            .iter()
            .zip(errors)
            .map(|(x, e)| x + options.noise * e)
            .collect();
        let noise = Noise::uniform(data.len(), options.noise)?;
        Ok(Self {
            loss: Observations::new(Operator::identity(data.len()), data.clone(), noise)?,
            // Before any measurement, ln of the conductivity varies by about 1 over a fifth of the bar.
            prior: Matern::new(&grid, 1.0, 0.2)?,
            grid,
            model,
            truth,
            sensors,
            times,
            data,
        })
    }
}

/// True conductivity: a wave, with a section that conducts badly.
fn conductivity(x: f64) -> f64 {
    let section = (-((x - 0.62) / 0.06).powi(2)).exp();
    (0.5 * (2.0 * PI * x).sin() - 1.3 * section).exp()
}

fn main() -> ExitCode {
    command::main(HELP, Options::read, run)
}

fn run(options: &Options) -> Result<(), Failure> {
    make_folder(&options.out)?;
    let printer = Printer { json: options.json };
    let problem = Problem::new(options)?;
    printer.line(&format!(
        "A bar of {} cells with unknown conductivity. Its lower end is heated to 1, its upper end stays at 0.\n\
         {} sensors record {READINGS} temperatures each, with errors of {}.\n",
        options.cells, options.sensors, options.noise
    ))?;
    let tolerances = Tolerances {
        gradient: 1e-4,
        ..Tolerances::default()
    };
    let descent = Descent::new(&problem.model, &problem.loss)
        .prior(&problem.prior)
        .tolerances(tolerances);
    let mut printed = Ok(());
    let report = descent.run(&vec![0.0; options.cells], |iterate| {
        if printed.is_ok() {
            printed = printer.line(&iterate.to_string());
        }
    })?;
    printed?;
    printer.line(&format!("\n{report}\n"))?;
    let rank = Rank {
        rank: 40.min(options.cells / 2),
        ..Rank::default()
    };
    let posterior = descent.posterior(&report.theta, rank)?;
    printer.line(&format!("posterior: {posterior}\n"))?;
    let variances = posterior.variances()?;
    let deviations: Vec<f64> = variances.iter().map(|v| v.max(0.0).sqrt()).collect();
    printer.line(&table(&problem, &report.theta, &deviations))?;
    let page = draw(&problem, &report, &deviations);
    let file = &page.save(&options.out.join("heat_conductivity"))?[0];
    printer.line(&format!("wrote the picture {}", file.display()))?;
    printer.json(|| {
        let inside = share_inside(&problem, &report.theta, &deviations);
        serde_json::json!({
            "cells": options.cells,
            "data": problem.data.len(),
            "converged": report.converged(),
            "iterations": report.iterations(),
            "objective": report.loss,
            "within_two_deviations": inside,
        })
        .to_string()
    })?;
    Ok(())
}

/// Returns the share of cells whose true value is within two standard deviations of the estimate.
fn share_inside(problem: &Problem, theta: &[f64], deviations: &[f64]) -> f64 {
    let cells = theta.iter().zip(&problem.truth).zip(deviations);
    let inside = cells.filter(|((a, b), s)| (*a - *b).abs() <= 2.0 * **s);
    inside.count() as f64 / theta.len() as f64
}

/// Returns the conductivity at ten places, with its factor of uncertainty.
fn table(problem: &Problem, theta: &[f64], deviations: &[f64]) -> String {
    let centres = problem.grid.axes()[0].centres();
    let mut text = String::from(
        "conductivity along the bar; the error is a factor: the truth is likely within found ×÷ error\n\n    \
         x      true     found    error\n",
    );
    for k in 0..10 {
        let i = (2 * k + 1) * theta.len() / 20;
        let (x, truth, found) = (centres[i], problem.truth[i].exp(), theta[i].exp());
        let error = deviations[i].exp();
        text.push_str(&format!(
            "{x:6.3}  {truth:8.3}  {found:8.3}  ×÷ {error:5.3}\n"
        ));
    }
    let inside = 100.0 * share_inside(problem, theta, deviations);
    text.push_str(&format!(
        "\nThe truth is within two standard deviations in {inside:.0} % of the cells.\n"
    ));
    text
}

/// Draws the conductivity with its band, and the temperatures with the fit.
fn draw(problem: &Problem, report: &Report, deviations: &[f64]) -> Page {
    let centres = problem.grid.axes()[0].centres();
    let line = |values: &[f64]| -> Vec<[f64; 2]> {
        let pairs = centres.iter().zip(values);
        pairs.map(|(x, k)| [*x, k.exp()]).collect()
    };
    let band = centres.iter().zip(&report.theta).zip(deviations);
    let band: Vec<[f64; 3]> = band
        .map(|((x, k), s)| [*x, (k - 2.0 * s).exp(), (k + 2.0 * s).exp()])
        .collect();
    let bar = Chart::new("Conductivity along the bar")
        .labels("position", "conductivity")
        .log_y()
        .band("two standard deviations", &band, PALETTE[0])
        .line("true", &line(&problem.truth), Stroke::dashed(PALETTE[1]))
        .line("found", &line(&report.theta), Stroke::solid(PALETTE[0]))
        .legend(Corner::LowerLeft);
    let sensors = problem.sensors.len();
    let mut record = Chart::new("Temperatures at three sensors, measured and fitted")
        .labels("time", "temperature")
        .y_range(-0.05, 1.3);
    for (k, sensor) in [0, sensors / 2, sensors - 1].into_iter().enumerate() {
        let seen = |values: &[f64]| -> Vec<[f64; 2]> {
            let rows = values.chunks(sensors).zip(&problem.times);
            rows.map(|(row, t)| [*t, row[sensor]]).collect()
        };
        let label = format!("at {:.2}", problem.sensors[sensor]);
        record = record
            .line(&label, &seen(&report.rho), Stroke::solid(PALETTE[k]))
            .markers("", &seen(&problem.data), PALETTE[k], Marker::Circle);
    }
    Page::new(2)
        .chart(bar)
        .chart(record.legend(Corner::UpperLeft))
}
