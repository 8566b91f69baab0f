//! Command line of the example.

use std::path::PathBuf;

use crate::support::command::{Arguments, number, one_of, path};
use crate::support::geometry::Geometry;

/// Settings of a run.
pub struct Options {
    pub cells: usize,
    pub metrics: Vec<Geometry>,
    pub seeds: usize,
    pub out: PathBuf,
    pub json: bool,
}

pub const HELP: &str = "\
Measures the error of natural-gradient steps that are estimated from random probes, for the Lorenz invariant measure.

usage: sketch_accuracy [options]
  --n CELLS      [12, quick 8]          cells along each axis of the grid
  --metric NAME                         l2 or w2; by default both
  --seeds N      [48, quick 32]         repetitions with other random numbers, for every number of probes
  --out DIR      [out/sketch_accuracy]  folder for the pictures
  --quick        run a small problem, in two seconds
  --json         print one JSON object to standard output and everything else to standard error
  --help         print this text";

const METRICS: [Geometry; 2] = [Geometry::L2, Geometry::W2];

impl Options {
    pub fn read(given: &Arguments) -> Result<Self, String> {
        let metric = given.maybe("--metric", one_of(&METRICS, Geometry::name))?;
        Ok(Self {
            cells: given.get("--n", number(4..=32))?,
            metrics: metric.map_or(METRICS.to_vec(), |metric| vec![metric]),
            seeds: given.get("--seeds", number(2..=10_000))?,
            out: given.get("--out", path)?,
            json: given.switch("--json"),
        })
    }
}
