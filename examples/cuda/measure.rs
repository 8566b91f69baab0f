//! The two things that are solved, on any backend, with times.

use std::time::Instant;

use indicatif::ProgressBar;
use pullback::faer::Mat;
use pullback::linalg::Solved;
use pullback::metric::Wasserstein2;
use pullback::models::InvariantMeasure;
use pullback::models::flow::Lorenz;
use pullback::sketch::{ProbeKind, Probes, Sketch};
use pullback::{Backend, Grid, Linearisation, Metric, Model, Result, Side, random};

use crate::listen::Listening;
use crate::options::Options;

/// The invariant measure of the Lorenz system at its classical parameters.
pub struct Problem {
    grid: Grid,
    model: InvariantMeasure<'static>,
    rho: Vec<f64>,
    columns: usize,
    seed: u64,
}

/// One row of the table.
pub struct Row {
    pub columns: usize,
    /// Seconds with everything made ready that is made once, and seconds once more.
    pub seconds: [f64; 2],
    /// Of the second call.
    pub solved: Vec<Solved>,
    /// To compare.
    pub answer: Mat<f64>,
}

/// What is solved, in the order of the table.
pub const TASKS: [&str; 2] = ["adjoints", "W₂ sketch"];
/// Steps of a bar for one backend.
pub const STEPS: u64 = 2 * TASKS.len() as u64;

impl Problem {
    pub fn new(options: &Options, backend: &dyn Backend) -> Result<Self> {
        let axes = Lorenz::BOX.map(|(lower, upper)| (lower, upper, options.cells()));
        let grid = Grid::new(&axes)?;
        let model = InvariantMeasure::new(&grid, Lorenz)?;
        Ok(Self {
            rho: model.density(&Lorenz::CLASSIC, backend)?,
            grid,
            model,
            columns: options.columns(),
            seed: options.seed,
        })
    }

    /// All rows of a backend.
    pub fn rows(&self, backend: &dyn Backend, bar: &ProgressBar) -> Result<[Row; 2]> {
        Ok([self.adjoints(backend, bar)?, self.sketch(backend, bar)?])
    }

    /// λ = A⁻ᵀw for random w, A = ∂g/∂ρ.
    fn adjoints(&self, backend: &dyn Backend, bar: &ProgressBar) -> Result<Row> {
        let ear = Listening::new(backend);
        let w = random::normal_matrix(self.rho.len(), self.columns, self.seed);
        let started = Instant::now();
        let factor = ear.factor(self.model.state_jacobian(&self.rho, &Lorenz::CLASSIC))?;
        factor.announce(2 * self.columns);
        let solve = || -> Result<Mat<f64>> {
            let mut lambda = w.clone();
            factor.solve(Side::Transpose, None, lambda.as_mut())?;
            bar.inc(1);
            Ok(lambda)
        };
        drop(solve()?);
        self.finish(&ear, started, solve)
    }

    /// S = (LᵀW)ᵀZ for random signs W: a solve with the weighted Laplacian of W₂, an adjoint solve, and the product with
    /// ∂g/∂θ, of which three numbers a column are left. A device keeps everything before those.
    fn sketch(&self, backend: &dyn Backend, bar: &ProgressBar) -> Result<Row> {
        let ear = Listening::new(backend);
        let metric = Wasserstein2::new(&self.grid);
        let started = Instant::now();
        let z = Linearisation::new(&self.model, &self.rho, &Lorenz::CLASSIC, &ear)?;
        let root = metric.at(&self.rho, &ear)?;
        let dim = root.lifted_dim();
        let probes = Probes::new(ProbeKind::Signs, dim, self.columns, self.seed)?;
        let solve = || -> Result<Mat<f64>> {
            let sketch = Sketch::new(&z, root.as_ref(), &probes)?;
            bar.inc(1);
            Ok(sketch.rows().transpose().to_owned())
        };
        drop(solve()?);
        self.finish(&ear, started, solve)
    }

    /// The second call, after a first that began when it `started`.
    fn finish(
        &self,
        ear: &Listening<'_>,
        started: Instant,
        solve: impl Fn() -> Result<Mat<f64>>,
    ) -> Result<Row> {
        let first = started.elapsed().as_secs_f64();
        ear.take();
        let again = Instant::now();
        let answer = solve()?;
        Ok(Row {
            columns: self.columns,
            seconds: [first, again.elapsed().as_secs_f64()],
            solved: ear.take(),
            answer,
        })
    }
}

/// The largest difference of two answers, each column relative to its largest number.
pub fn gap(a: &Mat<f64>, b: &Mat<f64>) -> f64 {
    let column = |j: usize| {
        let (a, b) = (a.col(j), b.col(j));
        (a - b).norm_max() / b.norm_max()
    };
    (0..a.ncols()).map(column).fold(0.0, f64::max)
}
