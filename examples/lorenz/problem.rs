//! Data, and the model that is fitted to them.

use std::path::Path;

use pullback::models::InvariantMeasure;
use pullback::models::flow::Flow;
use pullback::models::trajectory::{Occupation, Sampling, Trajectory, perplexity};
use pullback::{Backend, Bounds, Grid};

use crate::options::{Options, Source};
use crate::setting::System;
use crate::support::command::Failure;
use crate::support::output::bar;

/// Model, data and initial parameters of a fit.
pub struct Problem<'b> {
    pub system: System,
    pub grid: Grid,
    pub model: InvariantMeasure<'static>,
    pub bounds: Bounds,
    pub start: Vec<f64>,
    pub data: Data,
    pub backend: &'b dyn Backend,
    /// Description of the backend.
    pub solver: &'b str,
}

/// Observed density and its origin.
pub struct Data {
    /// Twin, trajectory or the path of a file.
    pub name: String,
    /// Description for people.
    pub label: String,
    pub density: Vec<f64>,
    /// Parameters that generated the data, if known.
    pub truth: Option<Vec<f64>>,
    /// Sampling of the trajectory; None for twin data.
    pub sampling: Option<Sampling>,
    /// Estimate by the weak form of the equations, if the flow is linear in its parameters.
    pub weak: Option<Vec<f64>>,
}

impl<'b> Problem<'b> {
    pub fn new(options: &'b Options, source: &Source) -> Result<Self, Failure> {
        let system = options.system;
        let grid = grid(options)?;
        let model = InvariantMeasure::new(&grid, system.flow)?
            .flux(options.flux)?
            .teleportation(options.alpha)?;
        let (lower, upper) = system.bounds().into_iter().unzip();
        let backend = options.solver.backend.as_ref();
        let data = match source {
            Source::Twin => Data {
                name: "twin".into(),
                label: "twin data: the density of the model at the true parameters".into(),
                density: model.density(system.truth, backend)?,
                truth: Some(system.truth.to_vec()),
                sampling: None,
                weak: None,
            },
            Source::Trajectory => simulated(options, &grid)?,
            Source::File(path) => read(options, &grid, path)?,
        };
        Ok(Self {
            system,
            grid,
            model,
            bounds: Bounds::new(lower, upper)?,
            start: options.start.clone().unwrap_or(system.start.to_vec()),
            data,
            backend,
            solver: &options.solver.label,
        })
    }

    /// Relative error ‖θ − θ*‖/‖θ*‖, if the truth is known.
    pub fn error(&self, theta: &[f64]) -> Option<f64> {
        let truth = self.data.truth.as_ref()?;
        let norm = |a: &mut dyn Iterator<Item = f64>| a.map(|x| x * x).sum::<f64>().sqrt();
        let off = norm(&mut theta.iter().zip(truth).map(|(a, b)| a - b));
        Some(off / norm(&mut truth.iter().copied()))
    }

    /// Relative errors |θⱼ − θ*ⱼ|/|θ*ⱼ| of all parameters.
    pub fn errors(&self, theta: &[f64]) -> Option<Vec<f64>> {
        let truth = self.data.truth.as_ref()?;
        let relative = |(a, b): (&f64, &f64)| (a - b).abs() / b.abs();
        Some(theta.iter().zip(truth).map(relative).collect())
    }
}

fn grid(options: &Options) -> Result<Grid, Failure> {
    let cells = options.cells;
    let default = options.system.edges.iter();
    let axes: Vec<(f64, f64, usize)> = match &options.edges {
        Some(edges) => edges.chunks(2).map(|e| (e[0], e[1], cells)).collect(),
        None => default.map(|&(a, b)| (a, b, cells)).collect(),
    };
    Ok(Grid::new(&axes)?)
}

/// Sampling of trajectories.
fn sampling(options: &Options) -> Sampling {
    Sampling {
        duration: options.duration,
        interval: options.interval,
        start: options.system.origin,
        noise: options.noise,
        seed: options.seed,
        ..Sampling::default()
    }
}

fn simulated(options: &Options, grid: &Grid) -> Result<Data, Failure> {
    let (system, sampling) = (options.system, sampling(options));
    let bar = bar(1000, "simulating the data");
    let trajectory = sampling.run(system.flow, system.truth, |share| {
        bar.set_position((1000.0 * share) as u64);
    })?;
    bar.finish_and_clear();
    let mut data = observed(options, grid, &trajectory)?;
    data.name = "trajectory".into();
    data.truth = Some(system.truth.to_vec());
    data.label = format!(
        "simulated trajectory of {} time units: {}",
        sampling.duration, data.label
    );
    // Another seed than that of the data, which would make the correction exact.
    data.sampling = Some(Sampling {
        seed: sampling.seed + 1000,
        ..sampling
    });
    Ok(data)
}

fn read(options: &Options, grid: &Grid, path: &Path) -> Result<Data, Failure> {
    let npy = path.extension().is_some_and(|e| e == "npy");
    let trajectory = if npy {
        Trajectory::read_npy(path, grid.dim())?
    } else {
        Trajectory::read_csv(path, grid.dim())?
    };
    let mut data = observed(options, grid, &trajectory)?;
    data.name = path.display().to_string();
    data.label = format!("trajectory in {}: {}", data.name, data.label);
    let mut sampling = sampling(options);
    sampling.interval = trajectory.interval.unwrap_or(options.interval);
    sampling.duration = sampling.interval * trajectory.points.len() as f64;
    data.sampling = Some(sampling);
    Ok(data)
}

/// Least number of cells (perplexity of the histogram) from which parameters can be estimated.
const FEWEST_FILLED: f64 = 8.0;

/// Computes the histogram of a trajectory and the weak-form estimate.
fn observed(options: &Options, grid: &Grid, trajectory: &Trajectory) -> Result<Data, Failure> {
    let flow: &dyn Flow = options.system.flow;
    let Occupation {
        density,
        outside,
        samples,
    } = trajectory.histogram(grid, flow.symmetry())?;
    let filled = perplexity(&density, grid.volume());
    if filled < FEWEST_FILLED {
        return Err(format!(
            "the trajectory spends its time in about {filled:.1} cells, too few to estimate parameters; use a longer \
             trajectory, one that does not come to rest, or more cells (--n)"
        )
        .into());
    }
    let (lower, upper): (Vec<f64>, Vec<f64>) = options.system.bounds().into_iter().unzip();
    let inside = |theta: &Vec<f64>| {
        let mut bounded = theta.iter().zip(lower.iter().zip(&upper));
        bounded.all(|(t, (a, b))| (a..=b).contains(&t))
    };
    let weak = trajectory.weak_start(flow).ok().filter(inside);
    Ok(Data {
        name: String::new(),
        label: format!(
            "{samples} samples, {:.2} % of them outside the grid",
            100.0 * outside
        ),
        density,
        truth: None,
        sampling: None,
        weak,
    })
}
