//! Models, data and starts.

use pullback::loss::{KernelDiscrepancy, SlicedTransport, Snapshots};
use pullback::models::{Diffusion, Draws, Ensemble, Map as _, Paths, PushForward};
use pullback::{Bounds, Cpu, Loss, Model, Result};

use crate::equations::{D, Ornstein, Wells};
use crate::options::Options;

/// Times at which the particles are seen.
pub const TIMES: [f64; 3] = [0.5, 1.0, 2.0];

/// Step of the model and of the simulation that makes the data.
const STEP: f64 = 0.05;

/// Clouds at all times.
pub type Clouds = Vec<Vec<f64>>;

/// Creates the loss between an ensemble and clouds at all times.
type Comparison = fn(&[Vec<f64>]) -> Result<Box<dyn Loss>>;

/// An equation to be found from clouds.
pub struct Problem {
    pub name: &'static str,
    pub names: Vec<String>,
    /// Dimension of the space.
    pub space: usize,
    pub truth: Vec<f64>,
    pub start: Vec<f64>,
    /// Bounds that keep noises from vanishing, where their logarithms have no effect any more.
    pub bounds: Bounds,
    pub model: Box<dyn Model>,
    pub data: Clouds,
    pub loss: Box<dyn Loss>,
    /// Kernels of the metric beside the quadratic potentials.
    pub kernels: bool,
    /// Creates the model with the draws of another seed.
    simulate: fn(&Options, u64) -> Result<Box<dyn Model>>,
    compare: Comparison,
}

impl Problem {
    /// The problem with these data, and with other draws.
    pub fn again(&self, options: &Options, data: Clouds, seed: u64) -> Result<Self> {
        Ok(Self {
            name: self.name,
            names: self.names.clone(),
            space: self.space,
            truth: self.truth.clone(),
            start: self.start.clone(),
            bounds: self.bounds.clone(),
            model: (self.simulate)(options, seed)?,
            loss: (self.compare)(&data)?,
            data,
            kernels: self.kernels,
            simulate: self.simulate,
            compare: self.compare,
        })
    }

    /// The clouds of the model at θ, one after the other.
    pub fn clouds(&self, theta: &[f64]) -> Result<Vec<f64>> {
        let mut rho = vec![0.0; self.model.state_dim()];
        self.model.solve(theta, &mut rho, Cpu::shared())?;
        Ok(rho)
    }

    pub fn loss_at(&self, theta: &[f64]) -> Result<f64> {
        Ok(self.loss.value(&self.clouds(theta)?))
    }
}

fn ornstein_paths() -> Result<Paths<Ornstein>> {
    Paths::new(Ornstein, &TIMES, STEP)
}

fn wells_paths() -> Result<Paths<Wells>> {
    Paths::new(Wells, &TIMES, STEP)
}

/// A drift that turns in two planes and decays.
pub fn ornstein(options: &Options) -> Result<Problem> {
    let simulate = |options: &Options, seed| -> Result<Box<dyn Model>> {
        let model = Ensemble::simulate(ornstein_paths()?, options.particles, seed)?;
        Ok(Box::new(model))
    };
    let compare = |data: &[Vec<f64>]| -> Result<Box<dyn Loss>> {
        let losses = data.iter().map(|y| SlicedTransport::new(D, y.clone()));
        Ok(Box::new(Snapshots::new(losses.collect::<Result<_>>()?)))
    };
    let mut truth = vec![0.0; D * D];
    for (i, rate) in [0.8, 0.6, 1.0, 0.7, 0.9].into_iter().enumerate() {
        truth[i * D + i] = -rate;
    }
    for (i, j, value) in [
        (0, 1, 1.2),
        (1, 0, -1.2),
        (2, 3, 0.8),
        (3, 2, -0.8),
        (4, 0, 0.5),
    ] {
        truth[i * D + j] = value;
    }
    truth.extend([0.5, -0.3, 0.2, 0.0, 0.4]);
    truth.extend([0.5_f64, 0.4, 0.6, 0.5, 0.3].map(f64::ln));
    let mut start = vec![0.0; truth.len()];
    (0..D).for_each(|i| start[i * D + i] = -1.0);
    let entries = (0..D).flat_map(|i| (0..D).map(move |j| format!("A{}{}", i + 1, j + 1)));
    let rest = ["c", "ln s"].map(|name| (1..=D).map(move |i| format!("{name}{i}")));
    let data = clouds(options, &truth, ornstein_paths)?;
    Ok(Problem {
        name: "Ornstein-Uhlenbeck",
        names: entries.chain(rest.into_iter().flatten()).collect(),
        space: D,
        bounds: noises(start.len(), D)?,
        start,
        model: simulate(options, options.seed)?,
        loss: compare(&data)?,
        data,
        truth,
        kernels: false,
        simulate,
        compare,
    })
}

/// Bounds of the last `count` of so many parameters, which are logarithms of noises.
fn noises(parameters: usize, count: usize) -> Result<Bounds> {
    let ends = |inside: f64, outside: f64| {
        let end = |j: usize| {
            if j + count < parameters {
                outside
            } else {
                inside
            }
        };
        (0..parameters).map(end).collect()
    };
    Bounds::new(ends(-4.0, f64::NEG_INFINITY), ends(2.0, f64::INFINITY))
}

/// Two wells, of which one is deeper.
pub fn wells(options: &Options) -> Result<Problem> {
    let simulate = |options: &Options, seed| -> Result<Box<dyn Model>> {
        let model = Ensemble::simulate(wells_paths()?, options.particles, seed)?;
        Ok(Box::new(model))
    };
    let compare = |data: &[Vec<f64>]| -> Result<Box<dyn Loss>> {
        let losses = data.iter().map(|y| KernelDiscrepancy::energy(1, y.clone()));
        Ok(Box::new(Snapshots::new(losses.collect::<Result<_>>()?)))
    };
    let truth = vec![2.0, 0.0, 0.2, 0.7_f64.ln()];
    let data = clouds(options, &truth, wells_paths)?;
    Ok(Problem {
        name: "two wells",
        names: ["a", "ln b", "c", "ln s"].map(String::from).into(),
        space: 1,
        start: vec![0.5, -1.0, 0.0, 0.0],
        bounds: noises(4, 1)?,
        model: simulate(options, options.seed)?,
        loss: compare(&data)?,
        data,
        truth,
        kernels: true,
        simulate,
        compare,
    })
}

/// Data: every time has particles of its own, with independent draws.
fn clouds<E: Diffusion>(
    options: &Options,
    truth: &[f64],
    paths: fn() -> Result<Paths<E>>,
) -> Result<Clouds> {
    let times = 0..TIMES.len();
    times
        .map(|index| {
            let paths = paths()?;
            let seed = options.seed.wrapping_add((index as u64 + 1) << 32);
            let draws = Draws::raw(options.data, paths.dims().0, seed)?;
            let all = PushForward::new(paths, draws)?.sample(truth)?;
            let size = all.len() / TIMES.len();
            Ok(all[index * size..][..size].to_vec())
        })
        .collect()
}
