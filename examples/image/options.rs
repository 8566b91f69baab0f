//! Command line of the example.

use std::path::PathBuf;

use crate::support::command::{Arguments, number, path};

/// Settings of a run.
pub struct Options {
    pub fashion: Option<PathBuf>,
    pub samples: usize,
    pub hidden: usize,
    pub epochs: usize,
    pub steps: usize,
    pub seed: u64,
    pub out: PathBuf,
    pub json: bool,
}

pub const HELP: &str = "\
Classifies small pictures by a network with one hidden layer, fitted in several ways. These are not CIFAR-10.

usage: image [options]
  --fashion DIR  fit the clothes of Fashion-MNIST in this folder, as Debian's package dataset-fashion-mnist installs them
  --samples N    [1797, quick 400]   largest number of digits, a fifth of them held out; of clothes, five times as many are fitted
  --hidden N     units of the hidden layer, by default 16, or 64 with --fashion
  --epochs N     [30, quick 10]      epochs of the methods on batches
  --steps N      [20, quick 15]      steps of the methods on all samples
  --seed N       [1]                 seed of the initial weights and of the batches
  --out DIR      [out/image]         folder for the pictures and the table
  --quick        fit few samples, in seconds
  --json         print one JSON object to standard output and everything else to standard error
  --help         print this text

Every method fits the network twice: as it is, and with outputs in ten units between 1e-6 and 10.";

impl Options {
    pub fn read(given: &Arguments) -> Result<Self, String> {
        let fashion = given.maybe("--fashion", path)?;
        let hidden = given.maybe("--hidden", number(1..=1000))?;
        Ok(Self {
            hidden: hidden.unwrap_or(if fashion.is_some() { 64 } else { 16 }),
            fashion,
            samples: given.get("--samples", number(50..=100_000))?,
            epochs: given.get("--epochs", number(1..=10_000))?,
            steps: given.get("--steps", number(1..=10_000))?,
            seed: given.get("--seed", number(0..=u64::MAX))?,
            out: given.get("--out", path)?,
            json: given.switch("--json"),
        })
    }
}
