//! The four problems.

use pullback::evolution::Evolution;
use pullback::linalg::Backend;
use pullback::loss::{Divergence, L2Misfit, Observations, Sinkhorn, SobolevMisfit, Transport};
use pullback::metric::{Each, FisherRao, L2, Root, Scaled, Sobolev, Wasserstein2};
use pullback::models::dynamics::LotkaVolterra;
use pullback::models::flow::Lorenz;
use pullback::models::{Darcy, End, GaussianMixture, InvariantMeasure, Parameter};
use pullback::prior::Matern;
use pullback::{
    Bounds, Cpu, Grid, Loss, Metric, Model, Noise, Prior, Result, Side, Transform, random,
};

/// Name of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    Mixture,
    Lorenz,
    Darcy,
    LotkaVolterra,
}

impl Which {
    pub const ALL: [Self; 4] = [
        Self::Mixture,
        Self::Lorenz,
        Self::Darcy,
        Self::LotkaVolterra,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Mixture => "mixture",
            Self::Lorenz => "lorenz",
            Self::Darcy => "darcy",
            Self::LotkaVolterra => "lotka-volterra",
        }
    }

    pub fn build(self, quick: bool) -> Result<Problem> {
        match self {
            Self::Mixture => mixture(if quick { 24 } else { 56 }),
            Self::Lorenz => lorenz(if quick { 8 } else { 16 }),
            Self::Darcy => darcy(if quick { 12 } else { 32 }),
            Self::LotkaVolterra => lotka_volterra(),
        }
    }
}

/// Loss or metric with its name.
pub type Named<T> = (&'static str, T);

/// Problem with every loss and metric that suits it.
pub struct Problem {
    pub name: &'static str,
    /// Description for people.
    pub title: String,
    pub model: Box<dyn Model>,
    pub losses: Vec<Named<Box<dyn Loss>>>,
    pub metrics: Vec<Named<Box<dyn Metric>>>,
    pub prior: Option<Box<dyn Prior>>,
    pub bounds: Option<Bounds>,
    pub transforms: Option<Vec<Transform>>,
    pub start: Vec<f64>,
    /// Parameters close to the optimum, from which a fit finds it.
    pub near: Vec<f64>,
    /// Whether the parameters are the values of one field, which are compared in one norm.
    pub field: bool,
}

impl Problem {
    /// Returns the distance of θ from the optimum, relative to its size: of the field, or of each parameter by itself.
    pub fn error(&self, theta: &[f64], optimum: &[f64]) -> f64 {
        let pairs = || theta.iter().zip(optimum);
        if self.field {
            let off: f64 = pairs().map(|(a, b)| (a - b).powi(2)).sum();
            return (off / optimum.iter().map(|b| b * b).sum::<f64>()).sqrt();
        }
        let squares = pairs().map(|(a, b)| ((a - b) / b).powi(2));
        (squares.sum::<f64>() / theta.len() as f64).sqrt()
    }
}

/// Losses between densities of the same mass.
fn density_losses(grid: &Grid, data: &[f64]) -> Result<Vec<Named<Box<dyn Loss>>>> {
    let data = || data.to_vec();
    // The marginals of the plan are as exact as the other losses where 1e-6 counts.
    let options = Sinkhorn {
        tolerance: 1e-9,
        ..Sinkhorn::default()
    };
    Ok(vec![
        ("L²", Box::new(L2Misfit::new(grid, data())?)),
        ("KL", Box::new(Divergence::kullback_leibler(grid, data())?)),
        ("H⁻¹", Box::new(SobolevMisfit::new(grid, -1.0, data())?)),
        (
            "½W₂²",
            Box::new(Transport::sinkhorn(grid, data(), &options)?),
        ),
    ])
}

/// Metrics on densities.
fn density_metrics(grid: &Grid) -> Result<Vec<Named<Box<dyn Metric>>>> {
    Ok(vec![
        ("L²", Box::new(L2::new(grid))),
        ("Fisher-Rao", Box::new(FisherRao::new(grid))),
        ("H⁻¹", Box::new(Sobolev::new(grid, -1.0)?)),
        ("W₂", Box::new(Wasserstein2::new(grid))),
    ])
}

/// Two Gaussians in the plane: weight and means from the whole density.
fn mixture(cells: usize) -> Result<Problem> {
    let side = (-4.0, 10.0, cells);
    let grid = Grid::new(&[side, side])?;
    let mean = Parameter::Mean;
    let model = GaussianMixture::new(&grid)
        .component(0.3, &[1.0, 3.0], 1.0)
        .component(0.7, &[3.0, 2.0], 1.0)
        .free(&[
            Parameter::Weight(0),
            mean(0, 0),
            mean(0, 1),
            mean(1, 0),
            mean(1, 1),
        ])?;
    let near = vec![0.3, 1.0, 3.0, 3.0, 2.0];
    let data = model.density(&near)?;
    let mut upper = vec![10.0; 5];
    upper[0] = 1.0;
    let mut lower = vec![-4.0; 5];
    lower[0] = 0.0;
    Ok(Problem {
        name: "mixture",
        title: format!("Mixture of two Gaussians on {cells}² cells, 5 parameters, exact density"),
        model: Box::new(model),
        losses: density_losses(&grid, &data)?,
        metrics: density_metrics(&grid)?,
        prior: None,
        bounds: Some(Bounds::new(lower, upper)?),
        transforms: None,
        start: vec![0.5, 0.0, 4.5, 4.5, 0.5],
        near,
        field: false,
    })
}

/// Twin of the Lorenz attractor: the density of the model at the classical parameters.
fn lorenz(cells: usize) -> Result<Problem> {
    let grid = Grid::new(&[
        (-25.0, 25.0, cells),
        (-35.0, 35.0, cells),
        (0.0, 60.0, cells),
    ])?;
    let model = InvariantMeasure::new(&grid, Lorenz)?;
    let near = Lorenz::CLASSIC.to_vec();
    let data = model.density(&near, Cpu::shared())?;
    Ok(Problem {
        name: "lorenz",
        title: format!("Lorenz twin on {cells}³ cells, 3 parameters"),
        model: Box::new(model),
        losses: density_losses(&grid, &data)?,
        metrics: density_metrics(&grid)?,
        prior: None,
        bounds: Some(Bounds::new(vec![1.0, 5.0, 0.2], vec![30.0, 60.0, 10.0])?),
        transforms: None,
        start: vec![7.0, 22.0, 2.0],
        near,
        field: false,
    })
}

/// Log-permeability of a square of soil from noisy pressures in wells, with a prior on the field.
fn darcy(cells: usize) -> Result<Problem> {
    let grid = Grid::new(&[(0.0, 1.0, cells), (0.0, 1.0, cells)])?;
    let model = Darcy::new(&grid)?
        .pressure(0, End::Lower, 1.0)?
        .pressure(0, End::Upper, 0.0)?;
    let truth = grid.sample(|x| (5.0 * x[0]).sin() * (4.0 * x[1] + 1.0).cos() - 0.5 * x[0]);
    let places = random::uniform(2 * 60, (0.03, 0.97), 1);
    let wells: Vec<[f64; 2]> = places.chunks(2).map(|p| [p[0], p[1]]).collect();
    let measured = model.observe(&wells)?;
    let mut data = measured.apply_to(Side::Plain, &model.pressures(&truth)?)?;
    let errors = random::normal(data.len(), 1, 2);
    data.iter_mut()
        .zip(errors)
        .for_each(|(d, e)| *d += 0.01 * e);
    let noise = Noise::uniform(data.len(), 0.01)?;
    Ok(Problem {
        name: "darcy",
        title: format!(
            "Darcy flow, {} unknowns of a field, 60 noisy pressures, Matérn prior",
            cells * cells
        ),
        losses: vec![("data", Box::new(Observations::new(measured, data, noise)?))],
        metrics: field_metrics(&grid, 60.0 / 0.01_f64.powi(2))?,
        prior: Some(Box::new(Matern::new(&grid, 1.0, 0.3)?)),
        bounds: None,
        transforms: None,
        start: vec![0.0; cells * cells],
        near: truth,
        field: true,
        model: Box::new(model),
    })
}

/// Metrics of a whole field, as if it were measured everywhere with this precision in all.
fn field_metrics(grid: &Grid, precision: f64) -> Result<Vec<Named<Box<dyn Metric>>>> {
    let scaled = |metric: Box<dyn Metric>| -> Box<dyn Metric> {
        Box::new(Scaled {
            metric,
            factor: precision,
        })
    };
    Ok(vec![
        ("L² of pressures", scaled(Box::new(L2::new(grid)))),
        (
            "H¹ of pressures",
            scaled(Box::new(Sobolev::new(grid, 1.0)?)),
        ),
    ])
}

/// Metric of readings with errors in proportion to their size.
struct Relative(Each<L2>);

impl Metric for Relative {
    fn at<'a>(&'a self, rho: &'a [f64], backend: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        self.0.at(rho, backend)
    }

    fn name(&self) -> &'static str {
        "observed"
    }
}

/// Relative errors of noisy numbers.
const ERRORS: f64 = 0.1;

/// Rates of prey and predators from exact and from noisy numbers, in logarithms of the rates.
fn lotka_volterra() -> Result<Problem> {
    let times: Vec<f64> = (1..=20).map(|k| 0.5 * f64::from(k)).collect();
    let model = Evolution::new(LotkaVolterra::new([1.0, 1.0])?, times)?.accuracy(1e-9, &[0.0])?;
    let near = vec![1.5, 1.0, 1.0, 3.0];
    let mut exact = vec![0.0; model.state_dim()];
    model.solve(&near, &mut exact, Cpu::shared())?;
    let errors = random::normal(exact.len(), 1, 0);
    let pairs = || exact.iter().zip(&errors);
    let noisy = pairs().map(|(x, e)| x + 0.3 * e).collect();
    let relative: Vec<f64> = pairs().map(|(x, e)| x * (1.0 + ERRORS * e)).collect();
    let deviations: Vec<f64> = exact.iter().map(|x| ERRORS * x).collect();
    let weights = deviations.iter().map(|deviation| L2 {
        volume: deviation.powi(-2),
    });
    let weighted = Relative(Each::new(weights.collect()));
    let noise = Noise::deviations(deviations)?;
    Ok(Problem {
        name: "lotka-volterra",
        title: "Lotka-Volterra, 4 rates from 40 numbers".into(),
        model: Box::new(model),
        losses: vec![
            ("exact", Box::new(L2Misfit::euclidean(exact)?)),
            ("noisy", Box::new(L2Misfit::euclidean(noisy)?)),
            (
                "noisy by size",
                Box::new(Observations::present(&relative, &noise)?),
            ),
        ],
        metrics: vec![
            ("L²", Box::new(L2 { volume: 1.0 })),
            ("by size", Box::new(weighted)),
        ],
        prior: None,
        bounds: None,
        transforms: Some(vec![Transform::Log; 4]),
        start: vec![1.2, 0.8, 1.2, 2.4],
        near,
        field: false,
    })
}
