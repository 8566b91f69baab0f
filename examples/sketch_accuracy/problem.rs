//! Lorenz measure at one step of a descent, with the exact quantities that estimators are compared with.

use pullback::faer::linalg::solvers::SolveLstsq;
use pullback::faer::{Mat, MatRef};
use pullback::metric::Root;
use pullback::models::InvariantMeasure;
use pullback::models::flow::Lorenz;
use pullback::sketch::{ProbeKind, Probes, Sketch};
use pullback::{Cpu, Grid, Linearisation, Metric, Model, Operator};

use crate::measure::Result;
use crate::support::geometry::Geometry;

/// Parameters of the current and of the previous step, which differ by a few percent.
pub const THETA: [f64; 3] = [8.0, 22.0, 1.5];
pub const PREVIOUS: [f64; 3] = [8.24, 21.34, 1.545];

/// Densities at the current and the previous step, and the distance from the data.
pub struct Problem {
    pub grid: Grid,
    model: InvariantMeasure<'static>,
    rho: Vec<f64>,
    previous: Vec<f64>,
    /// ρ(θ) − ρ(θ*); the data are the density of the model at the true parameters θ*.
    misfit: Vec<f64>,
    cpu: Cpu,
}

impl Problem {
    pub fn new(cells: usize) -> Result<Self> {
        let axes = Lorenz::BOX.map(|(lower, upper)| (lower, upper, cells));
        let grid = Grid::new(&axes)?;
        let model = InvariantMeasure::new(&grid, Lorenz)?;
        let cpu = Cpu::default();
        let rho = model.density(&THETA, &cpu)?;
        let data = model.density(&Lorenz::CLASSIC, &cpu)?;
        Ok(Self {
            previous: model.density(&PREVIOUS, &cpu)?,
            misfit: rho.iter().zip(&data).map(|(r, q)| r - q).collect(),
            rho,
            grid,
            model,
            cpu,
        })
    }
}

/// Exact quantities in one metric, derived from Y = LZ.
///
/// In practice a sketch S = (LᵀW)ᵀZ costs one adjoint solve per probe. Here three tangent solves give Z, and then
/// S = Wᵀ(LZ) is a matrix product, which makes thousands of repetitions cheap. For this, Y becomes the Jacobian of a
/// model with A = I ([`Jacobian`]); `adjoint_gap` is the difference between both computations.
pub struct View {
    pub metric: Geometry,
    pub jacobian: Jacobian,
    /// LZ at the previous step.
    pub previous: Mat<f64>,
    /// y = L(ρ − ρ*).
    pub data: Vec<f64>,
    /// Part of y in the range of Y, which the model can explain.
    pub explained: Vec<f64>,
    /// Relative size of the rest of y.
    pub unexplained: f64,
    /// G = YᵀY.
    pub information: Mat<f64>,
    /// ∇f = Yᵀy.
    pub gradient: Vec<f64>,
    /// η* = −Y⁺y.
    pub exact: Vec<f64>,
    /// Largest relative difference between S by adjoint solves and by a product.
    pub adjoint_gap: f64,
}

impl View {
    pub fn new(problem: &Problem, kind: Geometry, metric: &dyn Metric) -> Result<Self> {
        let cpu = &problem.cpu;
        let lifted = |rho, theta| -> Result<Mat<f64>> {
            let z = Linearisation::new(&problem.model, rho, theta, cpu)?;
            metric.at(rho, cpu)?.lift(z.matrix()?.as_ref())
        };
        let previous = lifted(&problem.previous, &PREVIOUS)?;
        let z = Linearisation::new(&problem.model, &problem.rho, &THETA, cpu)?;
        let root = metric.at(&problem.rho, cpu)?;
        let y = root.lift(z.matrix()?.as_ref())?;
        let data = root.lift(column(&problem.misfit))?;
        let step = y.qr().solve_lstsq(&data);
        let explained = &y * &step;
        Ok(Self {
            metric: kind,
            adjoint_gap: adjoint_gap(&z, root.as_ref(), &y)?,
            previous,
            unexplained: (&data - &explained).norm_l2() / data.norm_l2(),
            explained: explained.col_as_slice(0).to_vec(),
            information: y.transpose() * &y,
            gradient: (y.transpose() * &data).col_as_slice(0).to_vec(),
            exact: step.col_as_slice(0).iter().map(|x| -x).collect(),
            data: data.col_as_slice(0).to_vec(),
            jacobian: Jacobian(y),
        })
    }

    /// Length k of a lifted vector.
    pub fn dim(&self) -> usize {
        self.data.len()
    }

    /// Number p of parameters.
    pub fn params(&self) -> usize {
        self.exact.len()
    }
}

fn adjoint_gap(z: &Linearisation<'_>, root: &dyn Root, y: &Mat<f64>) -> Result<f64> {
    let probes = Probes::new(ProbeKind::Signs, root.lifted_dim(), 4, 1)?;
    let sketch = Sketch::new(z, root, &probes)?;
    let product = probes.vectors().transpose() * y;
    Ok((sketch.rows() - &product).norm_max() / product.norm_max())
}

pub fn column(x: &[f64]) -> MatRef<'_, f64> {
    MatRef::from_column_major_slice(x, x.len(), 1)
}

/// Explicit model ρ = Yθ, whose Jacobian Z is Y.
pub struct Jacobian(pub Mat<f64>);

impl Model for Jacobian {
    fn state_dim(&self) -> usize {
        self.0.nrows()
    }

    fn param_dim(&self) -> usize {
        self.0.ncols()
    }

    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        let image = &self.0 * column(theta);
        let sides = rho.iter().zip(image.col_as_slice(0));
        out.iter_mut().zip(sides).for_each(|(g, (r, y))| *g = r - y);
    }

    fn state_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::identity(self.0.nrows())
    }

    fn param_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::dense(-&self.0)
    }
}
