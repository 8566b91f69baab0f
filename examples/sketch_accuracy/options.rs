//! The command line.

use std::path::PathBuf;

use crate::command;
use crate::problem::MetricKind;

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Options {
    pub cells: Option<usize>,
    pub seeds: Option<usize>,
    pub metrics: Vec<MetricKind>,
    pub out: PathBuf,
    pub quick: bool,
    pub json: bool,
}

pub const USAGE: &str = "\
Measures how far natural-gradient directions by random probes are off, on the invariant measure of Lorenz.

usage: sketch_accuracy [options]
  --n CELLS        cells along each axis; 12 if not given
  --metric NAME    l2 or w2; both if not given
  --seeds N        draws of the probes for every number of probes; 48 if not given
  --out DIR        where pictures go; out/sketch_accuracy if not given
  --quick          8 cells along each axis and 32 seeds unless these are given; two seconds in all
  --json           one JSON object on standard output, everything else on standard error
  --help           this text";

impl Options {
    /// Cells along each axis.
    pub fn cells(&self) -> usize {
        self.cells.unwrap_or(if self.quick { 8 } else { 12 })
    }

    /// How often everything is drawn.
    pub fn seeds(&self) -> usize {
        self.seeds.unwrap_or(if self.quick { 32 } else { 48 })
    }
}

/// Reads the arguments; None when help was asked for.
pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options {
        cells: None,
        seeds: None,
        metrics: MetricKind::ALL.to_vec(),
        out: PathBuf::from("out/sketch_accuracy"),
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
        "--n" => options.cells = Some(whole(flag, &value()?, (4, 32))?),
        "--seeds" => options.seeds = Some(whole(flag, &value()?, (2, 10_000))?),
        "--metric" => options.metrics = vec![MetricKind::parse(&value()?)?],
        "--out" => options.out = PathBuf::from(value()?),
        other => return Err(format!("unknown option `{other}`")),
    }
    Ok(())
}

fn whole(flag: &str, text: &str, (least, most): (usize, usize)) -> Result<usize, String> {
    let number = text.parse().ok().filter(|n| (least..=most).contains(n));
    number.ok_or_else(|| format!("{flag}: `{text}` is not a whole number from {least} to {most}"))
}
