//! Finds the three parameters of the Lorenz equations from the series x(t) alone, with no model but the simulator itself.
//!
//! The data are a histogram of delay vectors (x(t), x(t − τ), x(t − 2τ)). A first fit weighs its cells as if they were independent.
//! Simulations at the first estimate then show how their errors hang together, and a second fit weighs them by the covariance.

#[path = "support/mod.rs"]
mod support;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use pullback::correction::{
    Corrected, Options as Correcting, Regression, Replicates, Report, Simulator,
};
use pullback::metric::Observed;
use pullback::models::Occupations;
use pullback::models::flow::Lorenz;
use pullback::models::trajectory::{Delay, Sampling};
use pullback::plot::{Chart, Corner, Field2, Marker, PALETTE, Page, Palette, Stroke};
use pullback::{Bounds, Grid, Operator};

use support::command::{self, Arguments, Failure, number, path, positive};
use support::output::{Printer, bar, make_folder};

const HELP: &str = "\
Finds the parameters of the Lorenz equations from x(t) alone, by the measure in delay coordinates and a black-box simulator.

usage: delay_measure [options]
  --runs N       [1]                data sets, each from a trajectory of its own
  --duration T   [2000, quick 400]  length of a trajectory
  --interval DT  [0.01]             time between samples
  --lag N        [16]               delay τ in sampling intervals
  --n CELLS      [8]                cells along each axis of the histogram
  --replicates N [300, quick 100]   simulations for the covariance of the histogram
  --noise SD     [0]                standard deviation of the measurement error of x
  --seed N       [1]                seed of the simulations
  --out DIR      [out/delay_measure]  folder for the picture
  --quick        shorter trajectories
  --json         print one JSON object per run to standard output and everything else to standard error
  --help         print this text";

struct Options {
    runs: u64,
    duration: f64,
    interval: f64,
    lag: usize,
    cells: usize,
    replicates: usize,
    noise: f64,
    seed: u64,
    out: PathBuf,
    json: bool,
}

impl Options {
    fn read(given: &Arguments) -> Result<Self, String> {
        Ok(Self {
            runs: given.get("--runs", number(1..=1000))?,
            duration: given.get("--duration", positive)?,
            interval: given.get("--interval", positive)?,
            lag: given.get("--lag", number(1..=10_000))?,
            cells: given.get("--n", number(4..=32))?,
            replicates: given.get("--replicates", number(10..=100_000))?,
            noise: given.get("--noise", number(0.0..=5.0))?,
            seed: given.get("--seed", number(0..=u64::MAX / 2))?,
            out: given.get("--out", path)?,
            json: given.switch("--json"),
        })
    }

    fn sampling(&self) -> Sampling {
        Sampling {
            duration: self.duration,
            interval: self.interval,
            noise: self.noise,
            tolerance: 1e-7,
            ..Sampling::default()
        }
    }
}

/// Parameters at the start of the fits.
const START: [f64; 3] = [9.0, 25.0, 2.2];

/// Names of the parameters.
const NAMES: [&str; 3] = ["σ", "ρ", "β"];

/// Shrinkage of the covariance.
const SHRINKAGE: f64 = 0.01;

/// Displacements of the parameters for the second fit, which begins close to the answer.
const CLOSE: Regression = Regression {
    displacement: 0.03,
    memory: 100,
};

fn main() -> ExitCode {
    command::main(HELP, Options::read, run)
}

fn run(options: &Options) -> Result<(), Failure> {
    make_folder(&options.out)?;
    let printer = Printer { json: options.json };
    let grid = Grid::new(&[(-25.0, 25.0, options.cells); 3])?;
    let delay = Delay {
        coordinate: 0,
        lag: options.lag,
        copies: 3,
    };
    let simulator = Occupations::new(&grid, &Lorenz, options.sampling()).delayed(delay);
    let tau = options.lag as f64 * options.interval;
    printer.line(&format!(
        "Data: the histogram of (x(t), x(t − {tau:.3}), x(t − {:.3})) over {} units of time, on {}³ cells; start ({}, {}, {}).\n\
         {:>4}  {:36}{:36}{:>12}{:>9}",
        2.0 * tau, options.duration, options.cells, START[0], START[1], START[2],
        "run", "first fit (deviation in %)", "fit by the covariance (in %)", "simulations", "seconds"
    ))?;
    let mut fits = Vec::new();
    for k in 0..options.runs {
        let fit = Fit::new(options, &simulator, options.seed.wrapping_add(k))?;
        printer.line(&fit.line(k + 1))?;
        printer.json(|| fit.json().to_string())?;
        fits.push(fit);
    }
    printer.line(&medians(&fits))?;
    let page = draw(&simulator, &fits[0])?;
    let file = &page.save(&options.out.join("delay_measure"))?[0];
    printer.line(&format!("wrote the picture {}", file.display()))?;
    Ok(())
}

/// Both fits to one histogram.
struct Fit {
    data: Vec<f64>,
    first: Report,
    second: Report,
    replicates: usize,
    seconds: f64,
}

impl Fit {
    fn new(options: &Options, simulator: &Occupations<'_>, seed: u64) -> Result<Self, Failure> {
        let data = simulator.simulate(&Lorenz::CLASSIC, seed)?.data()?;
        let started = Instant::now();
        let metric = simulator.metric();
        let first = correct(
            Corrected::without_model(simulator, &data, &metric),
            &START,
            seed,
        )?;
        let bar = bar(options.replicates, "simulating for the covariance");
        let (runs, other) = (options.replicates, seed ^ 1 << 40);
        let replicates =
            Replicates::simulate(simulator, &first.theta, (runs, other), |_| bar.inc(1))?;
        bar.finish_and_clear();
        let (noise, identity) = (replicates.noise(SHRINKAGE)?, Operator::identity(data.len()));
        let metric = Observed::new(&identity, &noise)?;
        let second = correct(
            Corrected::without_model(simulator, &data, &metric).regression(CLOSE),
            &first.theta,
            seed ^ 1 << 41,
        )?;
        Ok(Self {
            data,
            first,
            second,
            replicates: options.replicates,
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    fn simulations(&self) -> usize {
        self.first.simulations + self.replicates + self.second.simulations
    }

    fn line(&self, run: u64) -> String {
        let triple = |d: [f64; 3]| format!("{:9.3} {:9.3} {:9.3}", d[0], d[1], d[2]);
        format!(
            "{run:>4}  {:36}{:36}{:>12}{:>9.1}",
            triple(deviations(&self.first)),
            triple(deviations(&self.second)),
            self.simulations(),
            self.seconds
        )
    }

    fn json(&self) -> serde_json::Value {
        let of = |report: &Report| {
            serde_json::json!({
                "theta": report.theta,
                "standard_errors": report.standard_errors,
                "deviations": deviations(report),
                "converged": report.converged(),
                "simulations": report.simulations,
                "rejected_starts": report.rejected_starts,
            })
        };
        serde_json::json!({
            "truth": Lorenz::CLASSIC,
            "first": of(&self.first),
            "second": of(&self.second),
            "simulations": self.simulations(),
        })
    }
}

/// Runs a fit within bounds.
fn correct(fit: Corrected<'_>, start: &[f64], seed: u64) -> Result<Report, Failure> {
    let options = Correcting {
        seed,
        ..Correcting::default()
    };
    let bounds = Bounds::new(vec![1.0, 2.8, 0.26], vec![40.0, 112.0, 10.6])?;
    let bar = bar(options.iterations, "fitting");
    let report = fit
        .bounds(&bounds)
        .options(options)
        .run(&[start], |iterate| {
            bar.set_position(iterate.iteration as u64);
        })?;
    bar.finish_and_clear();
    Ok(report)
}

/// Returns the deviations from the true parameters, in per cent.
fn deviations(report: &Report) -> [f64; 3] {
    [0, 1, 2].map(|j| 100.0 * (report.theta[j] / Lorenz::CLASSIC[j] - 1.0))
}

/// Returns a table of the median errors, the largest errors, and the standard errors that the second fits claim.
fn medians(fits: &[Fit]) -> String {
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let errors = |report: fn(&Fit) -> &Report, j: usize| -> Vec<f64> {
        fits.iter()
            .map(|fit| deviations(report(fit))[j].abs())
            .collect()
    };
    let mut text = String::from(
        "\nerrors in %    first: median  largest    second: median  largest   claimed\n",
    );
    for (j, name) in NAMES.iter().enumerate() {
        let (first, second) = (errors(|f| &f.first, j), errors(|f| &f.second, j));
        let largest = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
        let claimed = fits
            .iter()
            .filter_map(|fit| fit.second.standard_errors.as_ref());
        let claimed: Vec<f64> = claimed.map(|e| 100.0 * e[j] / Lorenz::CLASSIC[j]).collect();
        let claim = match claimed.is_empty() {
            true => "–".into(),
            false => format!("{:.3}", median(claimed)),
        };
        let ends = [largest(&first), largest(&second)];
        text.push_str(&format!(
            "{name:10}{:>19.3}{:>9.3}{:>18.3}{:>9.3}{claim:>10}\n",
            median(first),
            ends[0],
            median(second),
            ends[1]
        ));
    }
    text
}

/// Draws the measure of the data, at the start and at the estimate, and the errors of all iterates.
fn draw(simulator: &Occupations<'_>, fit: &Fit) -> Result<Page, Failure> {
    let grid = simulator.grid;
    let mut page = Page::new(2).title("Lorenz equations from x(t) alone");
    let simulated = |theta: &[f64]| simulator.simulate(theta, 5)?.data();
    let panels = [
        ("data", fit.data.clone()),
        ("start", simulated(&START)?),
        ("estimate", simulated(&fit.second.theta)?),
    ];
    let marginal = |rho: &[f64]| grid.marginal(rho, &[0, 1]);
    // The charts share a colour scale, so that equal colours mean equal densities.
    let mut largest = 0.0_f64;
    for (_, rho) in &panels {
        largest = marginal(rho)?.into_iter().fold(largest, f64::max);
    }
    let [x, y] = [0, 1].map(|d| grid.axes()[d]);
    for (name, rho) in &panels {
        let field = Field2 {
            x: [x.lower, x.upper],
            y: [y.lower, y.upper],
            shape: [x.cells, y.cells],
            values: marginal(rho)?,
        };
        let chart = Chart::new(name)
            .labels("x(t)", "x(t − τ)")
            .colour_label("density");
        let chart = chart.heat(field, Palette::Sequential);
        page = page.chart(chart.colour_range(0.0, largest));
    }
    Ok(page.chart(errors(fit)))
}

/// Draws the largest relative error of a parameter against the number of the simulation.
fn errors(fit: &Fit) -> Chart {
    let path = |report: &Report, from: usize| -> Vec<[f64; 2]> {
        let worst = |theta: &[f64]| {
            let pairs = theta.iter().zip(Lorenz::CLASSIC);
            pairs.map(|(t, s)| (t / s - 1.0).abs()).fold(0.0, f64::max)
        };
        let points = report
            .history
            .iter()
            .map(|i| [(from + i.iteration) as f64, worst(&i.theta)]);
        points.collect()
    };
    let (first, second) = (
        path(&fit.first, 0),
        path(&fit.second, fit.first.history.len()),
    );
    Chart::new("largest relative error of a parameter")
        .labels("step", "error")
        .log_y()
        .line("independent cells", &first, Stroke::solid(PALETTE[1]))
        .markers("", &first, PALETTE[1], Marker::Circle)
        .line("covariance", &second, Stroke::solid(PALETTE[0]))
        .markers("", &second, PALETTE[0], Marker::Circle)
        .legend(Corner::UpperRight)
}
