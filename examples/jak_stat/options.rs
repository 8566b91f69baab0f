//! Command line of the example.

use std::path::PathBuf;

use crate::support::command::{Arguments, number, path};

/// Settings of a run.
pub struct Options {
    pub starts: usize,
    pub runs: usize,
    pub seed: u64,
    pub out: PathBuf,
    pub json: bool,
}

pub const HELP: &str = "\
Fits six rates and three noise levels to 48 measurements of the protein STAT5 (Boehm et al. 2014), from many random starts.

usage: jak_stat [options]
  --starts N  [500, quick 80] number of starting points, each for a short run
  --runs N    [100, quick 12] number of full runs, from the starts whose short runs ended lowest
  --seed N    [1]             seed of the starting points
  --out DIR   [out/jak_stat]  folder for the pictures
  --quick     run few starts
  --json      print one JSON object to standard output and everything else to standard error
  --help      print this text

The tables list the distinct optima, the best estimates with their correlations, and the intervals of profile likelihoods.";

impl Options {
    pub fn read(given: &Arguments) -> Result<Self, String> {
        Ok(Self {
            starts: given.get("--starts", number(1..=100_000))?,
            runs: given.get("--runs", number(1..=100_000))?,
            seed: given.get("--seed", number(0..=u64::MAX))?,
            out: given.get("--out", path)?,
            json: given.switch("--json"),
        })
    }
}
