//! The command line.

use std::path::{Path, PathBuf};

use pullback::models::Flux;

use crate::backend::Choice;
use crate::command;
use crate::setting::{LossKind, MetricKind, System};

/// Where the data come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// The model itself, at the true parameters.
    Twin,
    /// A simulated trajectory.
    Trajectory,
    /// A trajectory in a file.
    File(PathBuf),
}

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Options {
    pub system: System,
    pub cells: Option<usize>,
    pub sources: Vec<Source>,
    pub loss: Option<LossKind>,
    pub metric: Option<MetricKind>,
    pub first_metric: Option<MetricKind>,
    pub start: Option<Vec<f64>>,
    pub edges: Option<Vec<f64>>,
    pub alpha: f64,
    pub flux: Flux,
    pub duration: f64,
    pub interval: f64,
    pub noise: f64,
    pub seed: u64,
    pub backend: Choice,
    pub out: PathBuf,
    pub quick: bool,
    pub json: bool,
}

/// Mass that is teleported every thousandth of a unit of time has seen nothing of the flow.
const MOST_ALPHA: f64 = 1000.0;

pub const USAGE: &str = "\
Recovers the parameters of a chaotic system from the way it spends its time.

usage: lorenz [options]
  --flow NAME          lorenz, arctan-lorenz, rossler, chen or van-der-pol; lorenz if not given
  --data SOURCE        twin: the model's own density at the truth; trajectory: the histogram of a simulated one;
                       FILE: the histogram of a trajectory in a .csv or .npy file; twin and trajectory if not given
  --n CELLS            cells along each axis; 24 if not given
  --box A,B,C,D,...    lower and upper end of every axis; the flow's own box if not given
  --loss NAME          l2, kl or h-1; all three, and kl by plain gradient descent, if not given
  --metric NAME        standard, l2, fisher-rao, h-1, h1 or w2; the one that matches the loss if not given
  --first-metric NAME  one to begin with, until a step gains less than a tenth; none if not given
  --start X,Y,...      where the descent starts, one number for each parameter
  --alpha RATE         teleportation, at most 1000; 0 if not given
  --flux NAME          face (averaged over faces), point, or smooth; face if not given
  --duration T         length of the trajectory; 2000 if not given
  --interval DT        time between its samples, also in a file without a time column; 0.005 if not given
  --noise SD           standard deviation of the noise on every coordinate, assumed for a file; 0 if not given
  --seed N             seed of the trajectory; 1 if not given
  --backend NAME       what solves the linear systems: cpu, cuda (a GPU), or auto (a GPU where that is faster); cpu if
                       not given
  --out DIR            where pictures and tables go; out/lorenz if not given
  --quick              12 cells along each axis and a trajectory of 200 unless these are given; a few seconds in all
  --json               one JSON object a fit on standard output, everything else on standard error
  --help               this text";

impl Options {
    fn new() -> Self {
        Self {
            system: System::Lorenz,
            cells: None,
            sources: vec![Source::Twin, Source::Trajectory],
            loss: None,
            metric: None,
            first_metric: None,
            start: None,
            edges: None,
            alpha: 0.0,
            flux: Flux::FaceAveraged,
            duration: f64::NAN,
            interval: 0.005,
            noise: 0.0,
            seed: 1,
            backend: Choice::Cpu,
            out: PathBuf::from("out/lorenz"),
            quick: false,
            json: false,
        }
    }

    /// Cells along each axis.
    pub fn cells(&self) -> usize {
        self.cells.unwrap_or(if self.quick { 12 } else { 24 })
    }
}

/// Reads the arguments; None when help was asked for.
pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options::new();
    let mut arguments = command::split(arguments);
    while let Some(flag) = arguments.next() {
        match flag.as_str() {
            "--quick" => options.quick = true,
            "--json" => options.json = true,
            "--help" | "-h" => return Ok(None),
            flag if !flag.starts_with("--") => return Err(format!("unknown argument `{flag}`")),
            flag => {
                let usable = |v: &String| !v.is_empty() && !v.starts_with("--");
                let value = arguments.next().filter(usable);
                set(&mut options, flag, value)?;
            }
        }
    }
    if options.duration.is_nan() {
        options.duration = if options.quick { 200.0 } else { 2000.0 };
    }
    check(&options)?;
    Ok(Some(options))
}

/// Sets an option that takes a value.
fn set(options: &mut Options, flag: &str, value: Option<String>) -> Result<(), String> {
    let value = || value.clone().ok_or_else(|| format!("{flag} needs a value"));
    let number = || numbers(flag, &value()?, Some(1)).map(|n| n[0]);
    match flag {
        "--flow" => options.system = System::parse(&value()?)?,
        "--data" => options.sources = vec![source(&value()?)?],
        "--n" => {
            let text = value()?;
            let cells = text.parse().ok().filter(|n| (4..=256).contains(n));
            let wrong = || format!("--n: `{text}` is not a whole number from 4 to 256");
            options.cells = Some(cells.ok_or_else(wrong)?);
        }
        "--box" => options.edges = Some(numbers(flag, &value()?, None)?),
        "--loss" => options.loss = Some(LossKind::parse(&value()?)?),
        "--metric" => options.metric = Some(MetricKind::parse(flag, &value()?)?),
        "--first-metric" => options.first_metric = Some(MetricKind::parse(flag, &value()?)?),
        "--start" => options.start = Some(numbers(flag, &value()?, None)?),
        "--alpha" => options.alpha = number()?,
        "--flux" => options.flux = flux(&value()?)?,
        "--duration" => options.duration = number()?,
        "--interval" => options.interval = number()?,
        "--noise" => options.noise = number()?,
        "--seed" => {
            let text = value()?;
            let wrong =
                |_| format!("--seed: `{text}` is not a whole number of 0 or more, in 64 bits");
            options.seed = text.parse().map_err(wrong)?;
        }
        "--backend" => options.backend = Choice::parse(&value()?, &Choice::ALL)?,
        "--out" => options.out = PathBuf::from(value()?),
        other => return Err(format!("unknown option `{other}`")),
    }
    Ok(())
}

fn source(text: &str) -> Result<Source, String> {
    match text {
        "twin" => Ok(Source::Twin),
        "trajectory" => Ok(Source::Trajectory),
        file if Path::new(file).is_file() => Ok(Source::File(PathBuf::from(file))),
        other => Err(format!(
            "--data: `{other}` is neither twin nor trajectory, and no such file is there"
        )),
    }
}

fn flux(text: &str) -> Result<Flux, String> {
    match text {
        "face" => Ok(Flux::FaceAveraged),
        "point" => Ok(Flux::Point),
        "smooth" => Ok(Flux::Smooth { width: 1.0 }),
        other => Err(format!("--flux: `{other}` is none of face, point, smooth")),
    }
}

fn numbers(flag: &str, text: &str, count: Option<usize>) -> Result<Vec<f64>, String> {
    let number = |part: &str| match part.trim().parse::<f64>() {
        Ok(x) if x.is_finite() => Ok(x),
        _ => Err(format!("{flag}: `{part}` is not a finite number")),
    };
    let all: Vec<f64> = text.split(',').map(number).collect::<Result<_, _>>()?;
    match count {
        Some(n) if all.len() != n => Err(format!("{flag} takes one number, not `{text}`")),
        _ => Ok(all),
    }
}

fn check(options: &Options) -> Result<(), String> {
    let names = options.system.names();
    if let Some(start) = &options.start {
        if start.len() != names.len() {
            return Err(format!(
                "--start: {} has {} parameter(s) ({}), and {} number(s) were given",
                options.system.name(),
                names.len(),
                names.join(", "),
                start.len()
            ));
        }
        let bounds = names.iter().zip(options.system.bounds()).zip(start);
        for ((name, (lower, upper)), value) in bounds {
            if !(lower..=upper).contains(value) {
                return Err(format!(
                    "--start: {name} = {value:?} must lie in [{lower:.4}, {upper:.4}]"
                ));
            }
        }
    }
    let plain = |metric: Option<MetricKind>| metric == Some(MetricKind::Standard);
    if plain(options.first_metric) || (plain(options.metric) && options.first_metric.is_some()) {
        return Err("--first-metric: plain gradient descent has no metric to switch".into());
    }
    let dim = options.system.edges().len();
    match &options.edges {
        Some(edges) if edges.len() != 2 * dim => {
            return Err(format!(
                "--box needs {} numbers, two an axis, and {} were given",
                2 * dim,
                edges.len()
            ));
        }
        _ => {}
    }
    for (flag, value) in [
        ("--duration", options.duration),
        ("--interval", options.interval),
    ] {
        if value <= 0.0 {
            return Err(format!("{flag}: {value:?} must be positive"));
        }
    }
    if options.noise < 0.0 {
        return Err(format!("--noise: {:?} must be 0 or more", options.noise));
    }
    if !(0.0..=MOST_ALPHA).contains(&options.alpha) {
        let alpha = options.alpha;
        return Err(format!("--alpha: {alpha:?} must lie in [0, {MOST_ALPHA}]"));
    }
    Ok(())
}
