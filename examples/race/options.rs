//! Command line of the example.

use std::path::PathBuf;

use crate::heat::Limits;
use crate::problems::Which;
use crate::support::command::{Arguments, number, one_of, path, positive};

/// Settings of a run.
pub struct Options {
    pub problems: Vec<Which>,
    pub limits: Limits,
    pub quick: bool,
    pub out: PathBuf,
    pub json: bool,
}

pub const HELP: &str = "\
Races optimisers, metrics and losses: steps, solves and seconds until the parameters are within 1e-3 and 1e-6 of the optimum.

usage: race [options]
  --problem NAME  one of mixture, lorenz, darcy, lotka-volterra; all of them by default
  --seconds S     [4]                 time after which a run is stopped
  --steps N       [20000, quick 150]  steps after which a run is stopped
  --out DIR       [out/race]          folder for the pictures and the table race.csv
  --quick         run smaller problems and fewer steps, in a minute
  --json          print one JSON object to standard output and everything else to standard error
  --help          print this text

Methods with a fixed rate (momentum, Nesterov) run with five rates, and Adam with three decaying ones; the best counts.";

impl Options {
    pub fn read(given: &Arguments) -> Result<Self, String> {
        let one = given.maybe("--problem", one_of(&Which::ALL, Which::name))?;
        Ok(Self {
            problems: one.map_or(Which::ALL.to_vec(), |one| vec![one]),
            limits: Limits {
                seconds: given.get("--seconds", positive)?,
                steps: given.get("--steps", number(1..=1_000_000))?,
            },
            quick: given.switch("--quick"),
            out: given.get("--out", path)?,
            json: given.switch("--json"),
        })
    }
}
