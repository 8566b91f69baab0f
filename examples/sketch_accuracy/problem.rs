//! The Lorenz measure at one point of a descent, seen through a metric, with all that is exact about it.

use pullback::faer::linalg::solvers::SolveLstsq;
use pullback::faer::{Mat, MatRef};
use pullback::metric::{L2, Root, Wasserstein2};
use pullback::models::InvariantMeasure;
use pullback::models::flow::Lorenz;
use pullback::sketch::{ProbeKind, Probes, Sketch};
use pullback::{Cpu, Grid, Linearisation, Metric, Model, Operator};

use crate::measure::Result;

/// Where the descent is, and where it was a step before: a few percent away.
pub const THETA: [f64; 3] = [8.0, 22.0, 1.5];
pub const PREVIOUS: [f64; 3] = [8.24, 21.34, 1.545];

/// The geometry of a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    L2,
    W2,
}

impl MetricKind {
    pub const ALL: [Self; 2] = [Self::L2, Self::W2];

    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        let found = Self::ALL.into_iter().find(|m| m.name() == text);
        found.ok_or_else(|| format!("--metric: `{text}` is none of l2, w2"))
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::L2 => "l2",
            Self::W2 => "w2",
        }
    }

    /// For people.
    pub fn label(self) -> &'static str {
        match self {
            Self::L2 => "L²",
            Self::W2 => "W₂",
        }
    }

    fn build(self, grid: &Grid) -> Box<dyn Metric> {
        match self {
            Self::L2 => Box::new(L2::new(grid)),
            Self::W2 => Box::new(Wasserstein2::new(grid)),
        }
    }
}

/// The measure at θ and a step before, and its distance from the data.
pub struct Problem {
    grid: Grid,
    model: InvariantMeasure<'static>,
    rho: Vec<f64>,
    previous: Vec<f64>,
    /// ρ(θ) − ρ(θ*), the data being the model's own at the truth.
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

/// Y = LZ with what follows from it without chance.
///
/// A sketch needs S = (LᵀW)ᵀZ, one adjoint solve a probe. Here p = 3 tangents give all of Z, and then
/// S = Wᵀ(LZ) is the same numbers for a product: thousands of draws at the price of three solves. So Y is put
/// into a model with A = I ([`Jacobian`]), and `adjoint_gap` says how well the two ways agree.
pub struct View {
    pub metric: MetricKind,
    pub jacobian: Jacobian,
    /// LZ a step before.
    pub previous: Mat<f64>,
    /// y = L(ρ − ρ*), of which the model explains only a part.
    pub data: Vec<f64>,
    /// The part of it in the range of Y.
    pub explained: Vec<f64>,
    /// The share of it that is not, ‖y − Pᵧy‖/‖y‖.
    pub unexplained: f64,
    /// G = YᵀY.
    pub information: Mat<f64>,
    /// ∇f = Yᵀy.
    pub gradient: Vec<f64>,
    /// η* = −Y⁺y, for both kinds of data.
    pub exact: Vec<f64>,
    /// The largest relative difference between S by adjoints and by a product.
    pub adjoint_gap: f64,
}

impl View {
    pub fn new(problem: &Problem, kind: MetricKind) -> Result<Self> {
        let (metric, cpu) = (kind.build(&problem.grid), &problem.cpu);
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

    /// k, the length of a lifted vector.
    pub fn dim(&self) -> usize {
        self.data.len()
    }

    /// p.
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

/// An explicit model ρ = Yθ: nothing to solve, and Z is Y.
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
