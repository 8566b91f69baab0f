//! Command line of the example.

use std::path::{Path, PathBuf};

use pullback::models::Flux;

use crate::setting::{LOSSES, SYSTEMS, System};
use crate::support::backend::Solver;
use crate::support::command::{Arguments, check_start, number, numbers, one_of, path, positive};
use crate::support::geometry::{Geometry, LossKind};

/// Source of the data.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// Density of the model at the true parameters.
    Twin,
    /// Simulated trajectory.
    Trajectory,
    /// Trajectory in a file.
    File(PathBuf),
}

/// Settings of a run.
pub struct Options {
    pub system: System,
    pub sources: Vec<Source>,
    pub cells: usize,
    pub edges: Option<Vec<f64>>,
    pub loss: Option<LossKind>,
    pub metric: Option<Geometry>,
    pub first_metric: Option<Geometry>,
    pub start: Option<Vec<f64>>,
    pub alpha: f64,
    pub flux: Flux,
    pub duration: f64,
    pub interval: f64,
    pub noise: f64,
    pub seed: u64,
    pub solver: Solver,
    pub out: PathBuf,
    pub json: bool,
}

pub const HELP: &str = "\
Estimates the parameters of a chaotic system from its invariant measure: the fraction of time that a trajectory spends
in each cell of a grid.

usage: lorenz [options]
  --flow NAME          [lorenz]           lorenz, arctan-lorenz, rossler, chen or van-der-pol
  --data SOURCE                           twin: density of the model at the true parameters; trajectory: histogram of a
                                          simulated trajectory; or a .csv or .npy file with a trajectory; by default
                                          both twin and trajectory
  --n CELLS            [24, quick 12]     cells along each axis of the grid
  --box A,B,C,D,...                       lower and upper end of each axis; by default a box that suits the system
  --loss NAME                             l2, kl or h-1; by default all three, and kl with plain gradient descent
  --metric NAME                           standard (plain gradient descent), l2, w2, fisher-rao, h1 or h-1; by default
                                          the metric that matches the loss
  --first-metric NAME                     metric for the first steps, replaced when a step gains less than 10 %
  --start X,Y,...                         initial parameters of the fit
  --alpha RATE         [0]                rate of random jumps to any cell (teleportation), at most 1000
  --flux NAME          [face]             velocity on the faces of cells: face (average), point (at the centre) or smooth
  --duration T         [2000, quick 200]  length of the simulated trajectory
  --interval DT        [0.005]            time between samples, also for a file without a time column
  --noise SD           [0]                standard deviation of the measurement error of each coordinate
  --seed N             [1]                seed of the simulation
  --backend NAME       [cpu]              where to solve linear systems: cpu, cuda (a GPU), auto (a GPU where it is faster)
  --out DIR            [out/lorenz]       folder for pictures and tables
  --quick              run a small problem, in a few seconds
  --json               print one JSON object per fit to standard output and everything else to standard error
  --help               print this text";

const FLUXES: [(&str, Flux); 3] = [
    ("face", Flux::FaceAveraged),
    ("point", Flux::Point),
    ("smooth", Flux::Smooth { width: 1.0 }),
];

impl Options {
    pub fn read(given: &Arguments) -> Result<Self, String> {
        let geometry = one_of(&Geometry::ALL, Geometry::name);
        let both = || vec![Source::Twin, Source::Trajectory];
        let options = Self {
            system: given.get("--flow", one_of(&SYSTEMS, |system| system.name))?,
            sources: given
                .maybe("--data", source)?
                .map_or_else(both, |one| vec![one]),
            cells: given.get("--n", number(4..=256))?,
            edges: given.maybe("--box", numbers)?,
            loss: given.maybe("--loss", one_of(&LOSSES, LossKind::name))?,
            metric: given.maybe("--metric", &geometry)?,
            first_metric: given.maybe("--first-metric", &geometry)?,
            start: given.maybe("--start", numbers)?,
            // With a jump in every thousandth of a time unit, mass does not follow the flow at all.
            alpha: given.get("--alpha", number(0.0..=1000.0))?,
            flux: given.get("--flux", one_of(&FLUXES, |flux| flux.0))?.1,
            duration: given.get("--duration", positive)?,
            interval: given.get("--interval", positive)?,
            noise: given.get("--noise", number(0.0..=1e6))?,
            seed: given.get("--seed", number(0..=u64::MAX))?,
            out: given.get("--out", path)?,
            json: given.switch("--json"),
            solver: given.get("--backend", Solver::open)?,
        };
        options.check()?;
        Ok(options)
    }

    fn check(&self) -> Result<(), String> {
        if let Some(start) = &self.start {
            check_start(start, &self.system.names(), &self.system.bounds())?;
        }
        let plain = Some(Geometry::Standard);
        if self.first_metric == plain || (self.metric == plain && self.first_metric.is_some()) {
            return Err("--first-metric cannot be combined with plain gradient descent, which has no metric".into());
        }
        let (ends, given) = (
            2 * self.system.edges.len(),
            self.edges.as_ref().map(Vec::len),
        );
        match given {
            Some(given) if given != ends => Err(format!(
                "--box needs {ends} numbers, two per axis, not {given}"
            )),
            _ => Ok(()),
        }
    }
}

fn source(text: &str) -> Result<Source, String> {
    match text {
        "twin" => Ok(Source::Twin),
        "trajectory" => Ok(Source::Trajectory),
        file if Path::new(file).is_file() => Ok(Source::File(file.into())),
        _ => Err("is neither twin nor trajectory nor an existing file".into()),
    }
}
