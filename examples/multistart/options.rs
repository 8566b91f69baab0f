//! Command line of the example.

use std::path::PathBuf;

use crate::support::command::{Arguments, number, path};

/// Settings of a run.
pub struct Options {
    pub starts: usize,
    pub seed: u64,
    pub out: PathBuf,
    pub json: bool,
}

pub const HELP: &str = "\
Fits a year and two unknown periods to 168 monthly differences of air pressure between Easter Island and Darwin (NIST's
regression set ENSO), from many random starts.

usage: multistart [options]
  --starts N  [400, quick 60]   number of starting points
  --seed N    [1]               seed of the starting points
  --out DIR   [out/multistart]  folder for the pictures
  --quick     run few starts, in a second
  --json      print one JSON object to standard output and everything else to standard error
  --help      print this text

The table lists the distinct optima with their standard errors. In the waterfall picture every plateau is an optimum.";

impl Options {
    pub fn read(given: &Arguments) -> Result<Self, String> {
        Ok(Self {
            starts: given.get("--starts", number(1..=100_000))?,
            seed: given.get("--seed", number(0..=u64::MAX))?,
            out: given.get("--out", path)?,
            json: given.switch("--json"),
        })
    }
}
