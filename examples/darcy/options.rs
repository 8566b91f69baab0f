//! The command line.

use std::path::PathBuf;

use crate::backend::Choice;
use crate::command;

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Options {
    pub cells: Option<usize>,
    pub points: usize,
    pub noise: f64,
    pub range: f64,
    pub direction: String,
    pub rank: usize,
    pub seed: u64,
    pub backend: Choice,
    pub out: PathBuf,
    pub quick: bool,
    pub json: bool,
}

pub const DIRECTIONS: [&str; 6] = ["auto", "cg", "nystrom", "data", "dual", "sketch"];

pub const USAGE: &str = "\
Finds the permeability of a porous medium from pressures at a few wells, and how far it can be trusted.

usage: darcy [options]
  --n CELLS          cells along each side, so n*n parameters; 128 if not given
  --points N         wells, 0 to measure every cell; 200 if not given
  --noise SD         standard deviation of the measured pressures, which lie between 0 and 1; 0.01 if not given
  --range LENGTH     correlation length of the prior, the side being 1; 0.3 if not given
  --direction NAME   auto, cg (conjugate gradients), nystrom (the same, preconditioned by a sketch), data (one adjoint
                     a well), dual (one sparse system), sketch (128 random adjoints); auto if not given
  --rank N           eigenpairs of the posterior; 150 if not given
  --seed N           seed of the medium and of the noise; 1 if not given
  --backend NAME     what solves the linear systems: cpu, cuda (a GPU), or auto (a GPU where that is faster); cpu if not
                     given
  --out DIR          where the pictures go; out/darcy if not given
  --quick            32 cells along each side unless --n is given; less than a second
  --json             one JSON object on standard output, everything else on standard error
  --help             this text";

impl Options {
    /// Cells along each side.
    pub fn cells(&self) -> usize {
        self.cells.unwrap_or(if self.quick { 32 } else { 128 })
    }
}

/// Reads the arguments; None when help was asked for.
pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options {
        cells: None,
        points: 200,
        noise: 0.01,
        range: 0.3,
        direction: "auto".to_string(),
        rank: 150,
        seed: 1,
        backend: Choice::Cpu,
        out: PathBuf::from("out/darcy"),
        quick: false,
        json: false,
    };
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
    Ok(Some(options))
}

/// Sets an option that takes a value.
fn set(options: &mut Options, flag: &str, value: Option<String>) -> Result<(), String> {
    let value = || value.clone().ok_or_else(|| format!("{flag} needs a value"));
    match flag {
        "--n" => options.cells = Some(whole(flag, &value()?, 4..=2048)?),
        "--points" => options.points = whole(flag, &value()?, 0..=100_000)?,
        "--rank" => options.rank = whole(flag, &value()?, 1..=10_000)?,
        "--seed" => {
            let text = value()?;
            let wrong =
                |_| format!("--seed: `{text}` is not a whole number of 0 or more, in 64 bits");
            options.seed = text.parse().map_err(wrong)?;
        }
        "--noise" => options.noise = positive(flag, &value()?)?,
        "--range" => options.range = positive(flag, &value()?)?,
        "--direction" => {
            let name = value()?;
            if !DIRECTIONS.contains(&name.as_str()) {
                let names = DIRECTIONS.join(", ");
                return Err(format!("--direction: `{name}` is none of {names}"));
            }
            options.direction = name;
        }
        "--backend" => options.backend = Choice::parse(&value()?, &Choice::ALL)?,
        "--out" => options.out = PathBuf::from(value()?),
        other => return Err(format!("unknown option `{other}`")),
    }
    Ok(())
}

fn whole(flag: &str, text: &str, range: std::ops::RangeInclusive<usize>) -> Result<usize, String> {
    let (least, most) = (range.start(), range.end());
    let wrong = || format!("{flag}: `{text}` is not a whole number from {least} to {most}");
    let number = text.parse().ok().filter(|n| range.contains(n));
    number.ok_or_else(wrong)
}

fn positive(flag: &str, text: &str) -> Result<f64, String> {
    let number: Option<f64> = text.parse().ok();
    let sound = number.filter(|x| x.is_finite() && *x > 0.0);
    sound.ok_or_else(|| format!("{flag}: `{text}` is not a positive number"))
}
