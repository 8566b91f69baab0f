//! Command line of the example.

use std::path::PathBuf;

use crate::problem::Case;
use crate::support::command::{Arguments, check_start, numbers, one_of, path};
use crate::support::geometry::{Geometry, LossKind};

/// Settings of a run.
pub struct Options {
    pub cases: Vec<Case>,
    pub geometries: Vec<Geometry>,
    pub loss: LossKind,
    pub start: Option<Vec<f64>>,
    pub out: PathBuf,
    pub quick: bool,
    pub json: bool,
}

pub const HELP: &str = "\
Fits the mixture 0.3 N([1,3], I) + 0.7 N([3,2], I) of two Gaussians by gradient descent in six geometries.

usage: gaussian_mixture [options]
  --case NAME                             unknown parameters: a = mean μ₁ of the first Gaussian, b = its weight w and the
                                          coordinate μ₁₁ of its mean, five = (w, μ₁, μ₂); by default all three cases
  --metric NAME                           standard (plain gradient descent), l2, w2, fisher-rao, h1 or h-1; by default all
  --loss NAME     [l2]                    l2, kl, reverse-kl, hellinger, chi2 or h-1
  --start X,Y,...                         initial parameters (needs --case)
  --out DIR       [out/gaussian_mixture]  folder for pictures and tables
  --quick         use coarse grids and at most 100 instead of 400 iterations, for a few seconds
  --json          print one JSON object per run to standard output and everything else to standard error
  --help          print this text

A run stops when the loss is 1e-10 of its initial value. It has found the truth if it ends within a distance of 0.01.";

impl Options {
    pub fn read(given: &Arguments) -> Result<Self, String> {
        let case = given.maybe("--case", one_of(&Case::ALL, Case::name))?;
        let metric = given.maybe("--metric", one_of(&Geometry::ALL, Geometry::name))?;
        let start = given.maybe("--start", numbers)?;
        match (&start, case) {
            (Some(start), Some(case)) => check_start(start, case.names(), &case.intervals())?,
            (Some(_), None) => {
                return Err("--start needs --case, because each case has other parameters".into());
            }
            (None, _) => {}
        }
        Ok(Self {
            cases: case.map_or(Case::ALL.to_vec(), |case| vec![case]),
            geometries: metric.map_or(Geometry::ALL.to_vec(), |metric| vec![metric]),
            loss: given.get("--loss", one_of(&LossKind::ALL, LossKind::name))?,
            start,
            out: given.get("--out", path)?,
            quick: given.switch("--quick"),
            json: given.switch("--json"),
        })
    }
}
