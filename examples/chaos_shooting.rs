//! Finds the parameters of the Lorenz equations from a noisy trajectory that is far too long for an ordinary fit.
//!
//! Neighbouring solutions separate like e^(0.9 t). A simulation from the start says nothing about the data after a dozen units of
//! time, and the loss has countless minima. *Multiple shooting* divides the time into short windows, each with an unknown start
//! of its own, and penalises the gaps between the end of a window and the start of the next. The penalty grows from fit to fit,
//! until the windows join to one trajectory.

#[path = "support/mod.rs"]
mod support;

use std::path::PathBuf;
use std::process::ExitCode;

use pullback::descent::Tolerances;
use pullback::evolution::{Evolution, Experiment};
use pullback::loss::{Observations, Sum};
use pullback::models::dynamics::Lorenz;
use pullback::plot::{Chart, Corner, Marker, PALETTE, Page, Stroke};
use pullback::{Descent, Loss, Noise, Operator, Report, Result, random};

use support::command::{self, Arguments, Failure, number, path, positive};
use support::output::{Printer, make_folder};

const HELP: &str = "\
Finds the parameters of the chaotic Lorenz equations from a long noisy trajectory, by short windows that are tied together.

usage: chaos_shooting [options]
  --windows N  [40, quick 10]       windows, each of half a unit of time
  --noise X    [0.5]                standard deviation of a measurement; x, y and z vary by about 8
  --seed N     [1]                  seed of the noise
  --out DIR    [out/chaos_shooting] folder for the picture
  --quick      a shorter trajectory
  --json       print one JSON object to standard output and everything else to standard error
  --help       print this text";

struct Options {
    windows: usize,
    noise: f64,
    seed: u64,
    out: PathBuf,
    json: bool,
}

impl Options {
    fn read(given: &Arguments) -> std::result::Result<Self, String> {
        Ok(Self {
            windows: given.get("--windows", number(2..=200))?,
            noise: given.get("--noise", positive)?,
            seed: given.get("--seed", number(0..=u64::MAX))?,
            out: given.get("--out", path)?,
            json: given.switch("--json"),
        })
    }
}

/// Length of a window in time.
const LENGTH: f64 = 0.5;

/// Readings in a window, without that at its end.
const READINGS: usize = 10;

/// Largest number of windows in the picture.
const SHOWN: usize = 12;

/// Parameters at the start of the fits.
const GUESS: [f64; 3] = [5.0, 20.0, 1.0];

/// Sizes that the gaps between windows may have, from fit to fit.
const GAPS: [f64; 5] = [10.0, 1.0, 0.1, 0.01, 0.001];

/// Names of the first parameters.
const NAMES: [&str; 3] = ["σ", "ρ", "β"];

/// A noisy trajectory. All states are x, y and z, one time after the other.
struct Record {
    windows: usize,
    times: Vec<f64>,
    exact: Vec<f64>,
    data: Vec<f64>,
    noise: f64,
}

impl Record {
    fn new(options: &Options) -> Result<Self> {
        let count = options.windows * READINGS + 1;
        let times: Vec<f64> = (0..count)
            .map(|k| LENGTH * k as f64 / READINGS as f64)
            .collect();
        let model = Evolution::new(Lorenz::unknown_start(), times.clone())?;
        let exact = model.predict(&[Lorenz::CLASSIC, Lorenz::START].concat())?;
        let errors = random::normal(exact.len(), options.seed, 0);
        let pairs = exact.iter().zip(errors);
        Ok(Self {
            windows: options.windows,
            data: pairs.map(|(x, e)| x + options.noise * e).collect(),
            times,
            exact,
            noise: options.noise,
        })
    }

    /// Returns the equations in windows. The parameters are σ, ρ, β, and the start of every window.
    fn model(&self) -> Result<Evolution<Lorenz>> {
        let window = |j: usize| {
            let times = self.times[j * READINGS..=(j + 1) * READINGS].to_vec();
            let experiment = Experiment::new(times).start(self.times[j * READINGS]);
            (0..3).fold(experiment, |e, i| e.own(3 + i, 3 + 3 * j + i))
        };
        let experiments = (0..self.windows).map(window).collect();
        Evolution::over(Lorenz::unknown_start(), experiments)
    }

    /// Returns parameters of the windows whose starts are taken from a trajectory.
    fn parameters(&self, first: &[f64; 3], trajectory: &[f64]) -> Vec<f64> {
        let starts = trajectory.chunks(3 * READINGS).take(self.windows);
        let starts = starts.flat_map(|window| &window[..3]);
        first.iter().chain(starts).copied().collect()
    }

    /// Returns the entry of the state that holds component i of reading k of window j.
    fn entry(&self, j: usize, k: usize, i: usize) -> usize {
        3 * (j * (READINGS + 1) + k) + i
    }

    /// Returns the misfit of the data. The reading at the end of a window is that at the start of the next.
    fn misfit(&self) -> Result<Observations> {
        let (n, states) = (self.data.len(), 3 * (READINGS + 1) * self.windows);
        let row = |row: usize| {
            let window = (row / (3 * READINGS)).min(self.windows - 1);
            let rest = row - 3 * READINGS * window;
            (row, self.entry(window, rest / 3, rest % 3), 1.0)
        };
        let operator = Operator::triplets(n, states, (0..n).map(row));
        Observations::new(operator, self.data.clone(), Noise::uniform(n, self.noise)?)
    }

    /// Returns the penalty ½‖(end of a window) − (start of the next)‖²/size², summed over the gaps.
    fn penalty(&self, size: f64) -> Result<Observations> {
        let (n, states) = (3 * (self.windows - 1), 3 * (READINGS + 1) * self.windows);
        let ends = (0..n).map(|g| (g, self.entry(g / 3, READINGS, g % 3), 1.0));
        let starts = (0..n).map(|g| (g, self.entry(g / 3 + 1, 0, g % 3), -1.0));
        let operator = Operator::triplets(n, states, ends.chain(starts));
        Observations::new(operator, vec![0.0; n], Noise::uniform(n, size)?)
    }

    /// Fits one simulation over all the time.
    fn single(&self) -> Result<Report> {
        let model = Evolution::new(Lorenz::unknown_start(), self.times.clone())?;
        let noise = Noise::uniform(self.data.len(), self.noise)?;
        let loss = Observations::present(&self.data, &noise)?;
        let tolerances = Tolerances {
            iterations: 100,
            ..Tolerances::default()
        };
        let start = [&GUESS[..], &self.data[..3]].concat();
        Descent::new(&model, &loss)
            .tolerances(tolerances)
            .run(&start, |_| ())
    }

    /// Returns χ²/n for a misfit of the readings.
    fn reduced(&self, misfit: f64) -> f64 {
        2.0 * misfit / self.data.len() as f64
    }

    /// Returns the largest gap between windows.
    fn largest_gap(&self, rho: &[f64]) -> Result<f64> {
        let gaps = self.penalty(1.0)?.whitened_residual(rho)?;
        Ok(gaps.iter().fold(0.0, |largest, gap| gap.abs().max(largest)))
    }
}

/// Fit with gaps of about a size.
struct Fit {
    size: f64,
    largest_gap: f64,
    report: Report,
    errors: Vec<f64>,
}

/// Fits windows with gaps that become smaller and smaller, each time from the last optimum.
fn shoot(
    record: &Record,
    mut done: impl FnMut(&Fit) -> std::io::Result<()>,
) -> std::result::Result<Vec<Fit>, Failure> {
    let model = record.model()?;
    let mut theta = record.parameters(&GUESS, &record.data);
    let mut fits = Vec::new();
    for size in GAPS {
        let loss = Sum::default()
            .add(1.0, record.misfit()?)?
            .add(1.0, record.penalty(size)?)?;
        let descent = Descent::new(&model, &loss);
        let report = descent.run(&theta, |_| ())?;
        theta.clone_from(&report.theta);
        let fit = Fit {
            size,
            largest_gap: record.largest_gap(&report.rho)?,
            errors: report.covariance(&descent)?.standard_errors,
            report,
        };
        done(&fit)?;
        fits.push(fit);
    }
    Ok(fits)
}

/// Losses along ρ with all other parameters at the truth.
struct Slice {
    values: Vec<f64>,
    whole: Vec<f64>,
    windows: Vec<f64>,
}

impl Slice {
    fn new(record: &Record, points: usize) -> Result<Self> {
        let whole = Evolution::new(Lorenz::unknown_start(), record.times.clone())?;
        let noise = Noise::uniform(record.data.len(), record.noise)?;
        let misfit = Observations::present(&record.data, &noise)?;
        let (model, in_windows) = (record.model()?, record.misfit()?);
        let mut slice = Self {
            values: (0..points)
                .map(|k| 26.0 + 4.0 * k as f64 / (points - 1) as f64)
                .collect(),
            whole: Vec::new(),
            windows: Vec::new(),
        };
        for &rho in &slice.values {
            let first = [Lorenz::CLASSIC[0], rho, Lorenz::CLASSIC[2]];
            let state = whole.predict(&[first, Lorenz::START].concat())?;
            slice.whole.push(record.reduced(misfit.value(&state)));
            let state = model.predict(&record.parameters(&first, &record.exact))?;
            slice.windows.push(record.reduced(in_windows.value(&state)));
        }
        Ok(slice)
    }
}

/// Returns the number of minima inside a list of values.
fn minima(values: &[f64]) -> usize {
    let inside = values.windows(3);
    inside.filter(|v| v[1] < v[0] && v[1] < v[2]).count()
}

fn main() -> ExitCode {
    command::main(HELP, Options::read, run)
}

fn run(options: &Options) -> std::result::Result<(), Failure> {
    make_folder(&options.out)?;
    let printer = Printer { json: options.json };
    let record = Record::new(options)?;
    printer.line(&format!(
        "The Lorenz equations ẋ = σ(y − x), ẏ = x(ρ − z) − y, ż = xy − βz are chaotic. {} readings of x, y and z over {} units of\n\
         time have errors of {}. Unknown are σ, ρ, β and the start. χ²/n compares the misfit of the n readings with their errors,\n\
         and is about 1 for a good fit.\n",
        record.times.len(),
        LENGTH * record.windows as f64,
        record.noise
    ))?;
    let slice = Slice::new(&record, 401)?;
    let minima = [&slice.whole, &slice.windows].map(|values| minima(values));
    let single = record.single()?;
    printer.line(&format!(
        "1. One simulation from the start. With all else at the truth, χ²/n as a function of ρ from 26 to 30 has {} minima\n   \
         (in windows of half a unit of time, from their true starts: {}). A descent from σ = {}, ρ = {}, β = {} comes in {}\n   \
         steps to {}, with χ²/n = {:.1}.\n",
        minima[0],
        minima[1],
        GUESS[0],
        GUESS[1],
        GUESS[2],
        single.iterations(),
        named(&single.theta),
        record.reduced(single.loss)
    ))?;
    let fits = shoot_all(&record, &printer)?;
    let last = fits.last().ok_or("there is no fit")?;
    printer.line(&table(last))?;
    let page = draw(&record, &slice, last)?;
    let file = &page.save(&options.out.join("chaos_shooting"))?[0];
    printer.line(&format!("\nwrote the picture {}", file.display()))?;
    printer.json(|| json(&record, &fits, minima, &single).to_string())?;
    Ok(())
}

/// Returns σ, ρ and β as text.
fn named(theta: &[f64]) -> String {
    let pairs = NAMES.iter().zip(theta);
    let pairs: Vec<String> = pairs.map(|(name, x)| format!("{name} = {x:.2}")).collect();
    pairs.join(", ")
}

/// Fits the windows, and prints a line for every fit.
fn shoot_all(record: &Record, printer: &Printer) -> std::result::Result<Vec<Fit>, Failure> {
    printer.line(&format!(
        "2. {} windows, each with an unknown start: {} parameters, from the same σ, ρ, β and the noisy readings.\n   \
         size of gaps  steps  largest gap    χ²/n        σ        ρ        β",
        record.windows,
        3 + 3 * record.windows,
    ))?;
    let misfit = record.misfit()?;
    shoot(record, |fit| {
        let reduced = record.reduced(misfit.value(&fit.report.rho));
        let [sigma, rho, beta] = [0, 1, 2].map(|i| fit.report.theta[i]);
        printer.line(&format!(
            "   {:12}  {:5}  {:11.6}  {reduced:6.3}  {sigma:7.4}  {rho:7.4}  {beta:7.4}",
            fit.size,
            fit.report.iterations(),
            fit.largest_gap,
        ))
    })
}

/// Returns the table of σ, ρ and β beside the truth.
fn table(last: &Fit) -> String {
    let mut text = String::from(
        "\n3. The windows have joined to one trajectory. Estimates beside the truth:\n   parameter     found ± error       truth   deviation/error\n",
    );
    for (i, truth) in Lorenz::CLASSIC.iter().enumerate() {
        let (found, error) = (last.report.theta[i], last.errors[i]);
        text.push_str(&format!(
            "   {:9}  {found:8.5} ± {error:7.5}  {truth:8.5}  {:16.1}\n",
            NAMES[i],
            (found - truth) / error
        ));
    }
    text.trim_end().to_string()
}

/// Returns the results as a JSON object.
fn json(
    record: &Record,
    fits: &[Fit],
    [whole, windows]: [usize; 2],
    single: &Report,
) -> serde_json::Value {
    let fits = fits.iter().map(|fit| {
        serde_json::json!({
            "size": fit.size,
            "largest_gap": fit.largest_gap,
            "converged": fit.report.converged(),
            "steps": fit.report.iterations(),
            "theta": fit.report.theta[..3],
            "standard_errors": fit.errors[..3],
        })
    });
    serde_json::json!({
        "minima_of_one_simulation": whole,
        "minima_of_windows": windows,
        "reduced_of_one_simulation": record.reduced(single.loss),
        "truth": Lorenz::CLASSIC,
        "fits": fits.collect::<Vec<_>>(),
    })
}

/// Draws the losses along ρ, and x in the first windows before the first and after the last fit.
fn draw(record: &Record, slice: &Slice, last: &Fit) -> Result<Page> {
    let along = |losses: &[f64]| -> Vec<[f64; 2]> {
        let pairs = slice.values.iter().zip(losses);
        pairs.map(|(rho, loss)| [*rho, *loss]).collect()
    };
    let (whole, windows) = (along(&slice.whole), along(&slice.windows));
    let losses = Chart::new("Misfit with all other parameters at the truth")
        .labels("ρ", "misfit per reading")
        .log_y()
        .line("one simulation", &whole, Stroke::solid(PALETTE[1]))
        .line("windows", &windows, Stroke::solid(PALETTE[0]))
        .legend(Corner::LowerLeft);
    let readings = SHOWN * READINGS + 1;
    let every = record.times.iter().zip(record.data.chunks(3));
    let data: Vec<[f64; 2]> = every.take(readings).map(|(t, x)| [*t, x[0]]).collect();
    let mut motion = Chart::new("x in the first windows")
        .labels("time", "x")
        .markers("readings", &data, PALETTE[2], Marker::Circle)
        .legend(Corner::UpperRight);
    let start = record.parameters(&GUESS, &record.data);
    let before = record.model()?.predict(&start)?;
    for (k, state) in [&before, &last.report.rho].into_iter().enumerate() {
        let windows = state.chunks(3 * (READINGS + 1)).take(SHOWN);
        for (j, window) in windows.enumerate() {
            let pairs = record.times[j * READINGS..].iter().zip(window.chunks(3));
            let line: Vec<[f64; 2]> = pairs.map(|(t, x)| [*t, x[0]]).collect();
            let label = ["before the fits", "after them"][k];
            let label = if j == 0 { label } else { "" };
            motion = motion.line(label, &line, Stroke::solid(PALETTE[1 - k]));
        }
    }
    Ok(Page::new(1).chart(losses).chart(motion))
}
