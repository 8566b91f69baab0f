//! Command line of the example.

use std::path::PathBuf;

use crate::support::command::{Arguments, number, path};

/// Settings of a run.
pub struct Options {
    pub particles: usize,
    pub data: usize,
    pub replicates: usize,
    pub seed: u64,
    pub out: PathBuf,
    pub json: bool,
}

pub const HELP: &str = "\
Fits two stochastic differential equations to clouds of particles at a few times. No particle is followed: every time has its own.

usage: particles [options]
  --particles N   [4096, quick 512] particles of the model
  --data N        [4096, quick 512] data at each time
  --replicates N  [20, quick 6]     fits to resampled data, for the intervals
  --seed N        [1]               seed of all random numbers
  --out DIR       [out/particles]   folder for tables and pictures
  --quick         take few particles
  --json          print one JSON object to standard output and everything else to standard error
  --help          print this text

The tables list the steps of every method to the floor of the sample, which is the loss at the truth, and intervals of all parameters.";

impl Options {
    pub fn read(given: &Arguments) -> Result<Self, String> {
        Ok(Self {
            particles: given.get("--particles", number(64..=1_000_000))?,
            data: given.get("--data", number(16..=1_000_000))?,
            replicates: given.get("--replicates", number(2..=10_000))?,
            seed: given.get("--seed", number(0..=u64::MAX / 2))?,
            out: given.get("--out", path)?,
            json: given.switch("--json"),
        })
    }
}
