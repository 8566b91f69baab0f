//! Times of the two tasks on any backend.

use std::time::Instant;

use indicatif::ProgressBar;
use pullback::faer::Mat;
use pullback::linalg::Solved;
use pullback::metric::Wasserstein2;
use pullback::models::InvariantMeasure;
use pullback::models::flow::Lorenz;
use pullback::sketch::{ProbeKind, Probes, Sketch};
use pullback::{Backend, Grid, Linearisation, Metric, Model, Result, Side, random};

use crate::options::Options;
use crate::recorder::Recorder;

/// Invariant measure of the Lorenz system at its classical parameters.
pub struct Problem {
    grid: Grid,
    model: InvariantMeasure<'static>,
    rho: Vec<f64>,
    columns: usize,
    seed: u64,
}

/// Row of the table.
pub struct Row {
    pub columns: usize,
    /// Seconds of the first call, which includes the preparation, and of the second.
    pub seconds: [f64; 2],
    /// Methods of the second call.
    pub solved: Vec<Solved>,
    /// Solution, to compare between backends.
    pub answer: Mat<f64>,
}

/// Tasks in the order of the table.
pub const TASKS: [&str; 2] = ["adjoints", "W₂ sketch"];
/// Steps of the progress bar per backend.
pub const STEPS: usize = 2 * TASKS.len();

impl Problem {
    pub fn new(options: &Options, backend: &dyn Backend) -> Result<Self> {
        let axes = Lorenz::BOX.map(|(lower, upper)| (lower, upper, options.cells));
        let grid = Grid::new(&axes)?;
        let model = InvariantMeasure::new(&grid, Lorenz)?;
        Ok(Self {
            rho: model.density(&Lorenz::CLASSIC, backend)?,
            grid,
            model,
            columns: options.columns,
            seed: options.seed,
        })
    }

    /// Measures all tasks on a backend.
    pub fn rows(&self, backend: &dyn Backend, bar: &ProgressBar) -> Result<[Row; 2]> {
        Ok([self.adjoints(backend, bar)?, self.sketch(backend, bar)?])
    }

    /// Measures the solution of λ = A⁻ᵀw for random w, A = ∂g/∂ρ.
    fn adjoints(&self, backend: &dyn Backend, bar: &ProgressBar) -> Result<Row> {
        let recorder = Recorder::new(backend);
        let w = random::normal_matrix(self.rho.len(), self.columns, self.seed);
        let started = Instant::now();
        let factor = recorder.factor(self.model.state_jacobian(&self.rho, &Lorenz::CLASSIC))?;
        factor.announce(2 * self.columns);
        let solve = || -> Result<Mat<f64>> {
            let mut lambda = w.clone();
            factor.solve(Side::Transpose, None, lambda.as_mut())?;
            bar.inc(1);
            Ok(lambda)
        };
        drop(solve()?);
        self.finish(&recorder, started, solve)
    }

    /// Measures the sketch S = (LᵀW)ᵀZ for random signs W: a solve with the weighted Laplacian of W₂, an adjoint solve
    /// and the product with ∂g/∂θ. Only the result, three numbers per column, is copied from a GPU to the host.
    fn sketch(&self, backend: &dyn Backend, bar: &ProgressBar) -> Result<Row> {
        let recorder = Recorder::new(backend);
        let metric = Wasserstein2::new(&self.grid);
        let started = Instant::now();
        let z = Linearisation::new(&self.model, &self.rho, &Lorenz::CLASSIC, &recorder)?;
        let root = metric.at(&self.rho, &recorder)?;
        let dim = root.lifted_dim();
        let probes = Probes::new(ProbeKind::Signs, dim, self.columns, self.seed)?;
        let solve = || -> Result<Mat<f64>> {
            let sketch = Sketch::new(&z, root.as_ref(), &probes)?;
            bar.inc(1);
            Ok(sketch.rows().transpose().to_owned())
        };
        drop(solve()?);
        self.finish(&recorder, started, solve)
    }

    /// Measures a second call, after a first one that began at `started`.
    fn finish(
        &self,
        recorder: &Recorder<'_>,
        started: Instant,
        solve: impl Fn() -> Result<Mat<f64>>,
    ) -> Result<Row> {
        let first = started.elapsed().as_secs_f64();
        recorder.take();
        let again = Instant::now();
        let answer = solve()?;
        Ok(Row {
            columns: self.columns,
            seconds: [first, again.elapsed().as_secs_f64()],
            solved: recorder.take(),
            answer,
        })
    }
}

/// Largest difference of two solutions, each column relative to its largest entry.
pub fn gap(a: &Mat<f64>, b: &Mat<f64>) -> f64 {
    let column = |j: usize| {
        let (a, b) = (a.col(j), b.col(j));
        (a - b).norm_max() / b.norm_max()
    };
    (0..a.ncols()).map(column).fold(0.0, f64::max)
}
