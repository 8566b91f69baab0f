//! Command line of the example.

use std::path::PathBuf;

use crate::support::backend::Solver;
use crate::support::command::{Arguments, number, one_of, path, positive};

/// Settings of a run.
pub struct Options {
    pub cells: usize,
    pub points: usize,
    pub noise: f64,
    pub range: f64,
    pub direction: &'static str,
    pub rank: usize,
    pub seed: u64,
    pub solver: Solver,
    pub out: PathBuf,
    pub json: bool,
}

pub const HELP: &str = "\
Estimates the permeability of a porous medium from the pressure in a few wells, with error bars.

usage: darcy [options]
  --n CELLS          [128, quick 32]  cells along each side; each cell has one unknown, its log-permeability
  --points N         [200]            number of wells; 0 measures the pressure in every cell
  --noise SD         [0.01]           standard deviation of the measurement error; pressures lie between 0 and 1
  --range LENGTH     [0.3]            correlation length of the prior; the square has side 1
  --direction NAME   [auto]           method for the search direction:
                                      auto: the method with the fewest solves
                                      cg: conjugate gradients
                                      nystrom: conjugate gradients with a randomised preconditioner
                                      data: one adjoint solve per well
                                      dual: one sparse linear system
                                      sketch: 128 random adjoint solves
  --rank N           [150]            eigenpairs that describe the posterior distribution
  --seed N           [1]              seed of the true medium and of the measurement errors
  --backend NAME     [cpu]            where to solve linear systems: cpu, cuda (a GPU), auto (a GPU where it is faster)
  --out DIR          [out/darcy]      folder for the pictures
  --quick            run a small problem, in less than a second
  --json             print one JSON object to standard output and everything else to standard error
  --help             print this text";

const DIRECTIONS: [&str; 6] = ["auto", "cg", "nystrom", "data", "dual", "sketch"];

impl Options {
    pub fn read(given: &Arguments) -> Result<Self, String> {
        Ok(Self {
            cells: given.get("--n", number(4..=2048))?,
            points: given.get("--points", number(0..=100_000))?,
            noise: given.get("--noise", positive)?,
            range: given.get("--range", positive)?,
            direction: given.get("--direction", one_of(&DIRECTIONS, |name| name))?,
            rank: given.get("--rank", number(1..=10_000))?,
            seed: given.get("--seed", number(0..=u64::MAX))?,
            out: given.get("--out", path)?,
            json: given.switch("--json"),
            solver: given.get("--backend", Solver::open)?,
        })
    }
}
