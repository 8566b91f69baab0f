//! A run that was saved and resumed is the run that was never interrupted, bit for bit.

use std::collections::HashMap;
use std::sync::Mutex;

use pullback::direction::{
    Adam, Auto, ConjugateGradient, DataSpace, Gradient, Information, Lbfgs, LeastSquares, Momentum,
    Newton, NonlinearCg, Nystrom, Preconditioner, Sketched,
};
use pullback::faer::Mat;
use pullback::loss::{L2Misfit, Misfit, Observations, gradient_of, value_of};
use pullback::metric::{FisherRao, L2, Sobolev, Wasserstein2};
use pullback::models::dynamics::LotkaVolterra;
use pullback::models::flow::Lorenz;
use pullback::models::{GaussianMixture, InvariantMeasure, Parameter};
use pullback::prior::Tikhonov;
use pullback::step::{
    Annealed, Armijo, Decaying, Fixed, Grid as ScaleGrid, StrongWolfe, TrustRatio,
};
use pullback::{
    Backend, Bounds, Cpu, Descent, Direction, Grid, Loss, Metric, Model, Noise, Operator, Result,
    Side, StepRule, Transform, evolution::Evolution, linalg::Stencil, random,
};

use crate::support::runs::misfit;
use crate::support::saves::{check, leak, limit};
use crate::support::{Explicit, Reaction, column};

fn directions() -> Vec<&'static dyn Direction> {
    let nystrom = ConjugateGradient {
        preconditioner: Preconditioner::Nystrom(Nystrom {
            rank: 2,
            oversampling: 1,
            seed: 1,
        }),
        ..ConjugateGradient::default()
    };
    let iterative = Auto {
        budget: 1,
        dual: 0,
        iterative: nystrom,
    };
    vec![
        leak(LeastSquares::default()),
        leak(DataSpace),
        leak(Gradient),
        leak(Information::default()),
        leak(Newton::default()),
        leak(Sketched::default()),
        leak(ConjugateGradient::default()),
        leak(nystrom),
        leak(iterative),
        leak(Lbfgs::default()),
        leak(NonlinearCg::default()),
        leak(NonlinearCg::new(leak(Lbfgs::default()))),
        leak(Momentum::default()),
        leak(Momentum {
            nesterov: true,
            ..Momentum::new(leak(nystrom))
        }),
        leak(Adam::default()),
    ]
}

fn rules() -> Vec<&'static dyn StepRule> {
    vec![
        leak(TrustRatio::default()),
        leak(Armijo::default()),
        leak(Armijo::growing(0.1, 3.0)),
        leak(Fixed { scale: 0.3 }),
        leak(StrongWolfe::default()),
        leak(ScaleGrid {
            count: 6,
            ..ScaleGrid::default()
        }),
        leak(Decaying {
            scale: 0.3,
            steps: 2.0,
            power: 1.0,
        }),
        leak(Annealed::default()),
    ]
}

#[test]
fn every_direction_with_every_rule() {
    let (model, loss, start) = misfit();
    let (model, loss) = (leak(model), leak(loss));
    let prior = Tikhonov::new(vec![0.1; 3], Noise::uniform(3, 2.0).unwrap()).unwrap();
    let prior = leak(prior);
    for direction in directions() {
        let needed = direction.needs_schedule();
        let fits = |rule: &&dyn StepRule| !needed || rule.begin().is_scheduled();
        for rule in rules().into_iter().filter(fits) {
            let name = format!("{} with {}", direction.name(), rule.name());
            let descent = || {
                let descent = Descent::new(model, loss).prior(prior).direction(direction);
                descent.step(rule).tolerances(limit())
            };
            check(&name, descent, &start);
        }
    }
}

fn mixture() -> (&'static GaussianMixture, &'static L2Misfit) {
    let grid = Grid::new(&[(-6.0, 8.0, 60)]).unwrap();
    let mixture = GaussianMixture::new(&grid)
        .component(0.5, &[-1.0], 1.0)
        .component(0.5, &[3.0], 1.0)
        .free(&[
            Parameter::Weight(0),
            Parameter::Mean(1, 0),
            Parameter::Variance(0),
        ])
        .unwrap();
    let data = mixture.density(&[0.3, 3.4, 1.6]).unwrap();
    let loss = L2Misfit::new(&grid, data).unwrap();
    (leak(mixture), leak(loss))
}

#[test]
fn every_metric_and_a_first_phase() {
    let (model, loss) = mixture();
    let grid = model.grid();
    let metrics: [&'static dyn Metric; 4] = [
        leak(L2::new(grid)),
        leak(FisherRao::new(grid)),
        leak(Sobolev::new(grid, -1.0).unwrap()),
        leak(Wasserstein2::new(grid)),
    ];
    for metric in metrics {
        let start = [0.7, 2.0, 0.6];
        let descent = || Descent::new(model, loss).tolerances(limit());
        check(metric.name(), || descent().metric(metric), &start);
        check(
            &format!("{} first", metric.name()),
            || descent().first_metric(metric, 0.5),
            &start,
        );
    }
}

#[test]
fn bounds_transforms_and_priors() {
    let (model, loss) = mixture();
    let bounds = leak(Bounds::new(vec![0.0, 3.2, 0.1], vec![0.4, 3.3, 9.0]).unwrap());
    let transforms: &'static [Transform] = leak([
        Transform::Logit {
            lower: 0.0,
            upper: 1.0,
        },
        Transform::Identity,
        Transform::Log,
    ]);
    let prior = Tikhonov::new(vec![0.3, 3.0, 1.0], Noise::uniform(3, 5.0).unwrap()).unwrap();
    let prior = leak(prior);
    let cg = leak(ConjugateGradient::default());
    let descent = || {
        let descent = Descent::new(model, loss).bounds(bounds).prior(prior);
        descent.transforms(transforms).tolerances(limit())
    };
    check("least squares", descent, &[0.35, 3.25, 1.0]);
    check(
        "conjugate gradients",
        || descent().direction(cg),
        &[0.35, 3.25, 1.0],
    );
}

#[test]
fn models_in_time_and_a_model_that_caches() {
    let times: Vec<f64> = (1..8).map(f64::from).collect();
    let model = Evolution::new(LotkaVolterra::new([30.0, 4.0]).unwrap(), times).unwrap();
    let truth = [0.55, 0.028, 0.024, 0.8];
    let mut seen = vec![0.0; model.state_dim()];
    model.solve(&truth, &mut seen, Cpu::shared()).unwrap();
    seen.iter_mut()
        .enumerate()
        .for_each(|(i, y)| *y += (i as f64).sin());
    let loss = leak(L2Misfit::euclidean(seen).unwrap());
    let (model, transforms) = (leak(model), leak([Transform::Log; 4]));
    let start = [0.5, 0.03, 0.025, 0.75];
    let descent = || {
        let descent = Descent::new(model, loss).transforms(transforms);
        descent.tolerances(limit())
    };
    check("Lotka-Volterra", descent, &start);

    let (_, loss, start) = misfit();
    let loss = leak(loss);
    // As in a new process, the resumed run finds an empty cache.
    let descent = || {
        let (inner, ..) = misfit();
        let known = Mutex::default();
        let model = leak(Caching { inner, known });
        Descent::new(model, loss).tolerances(limit())
    };
    check("a model that caches", descent, &start);
}

/// Keeps every state that it has computed.
struct Caching {
    inner: Reaction,
    known: Mutex<HashMap<Vec<u64>, Vec<f64>>>,
}

impl Model for Caching {
    fn state_dim(&self) -> usize {
        self.inner.state_dim()
    }
    fn param_dim(&self) -> usize {
        self.inner.param_dim()
    }
    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        self.inner.residual(rho, theta, out);
    }
    fn state_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        self.inner.state_jacobian(rho, theta)
    }
    fn param_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        self.inner.param_jacobian(rho, theta)
    }
    fn solve(&self, theta: &[f64], rho: &mut [f64], backend: &dyn Backend) -> Result<()> {
        let key: Vec<u64> = theta.iter().map(|t| t.to_bits()).collect();
        if let Some(known) = self.known.lock().unwrap().get(&key) {
            rho.copy_from_slice(known);
            return Ok(());
        }
        self.inner.solve(theta, rho, backend)?;
        self.known.lock().unwrap().insert(key, rho.to_vec());
        Ok(())
    }
}

/// Factors that the run had are not counted again: with a constant ∂g/∂ρ and a constant precision there is one of each.
#[test]
fn factors_are_counted_once() {
    let model = leak(Constant {
        matrix: crate::support::definite(6, 3),
        forcing: random::normal_matrix(6, 2, 4),
    });
    let noise = Noise::uniform(6, 1.0).unwrap();
    let data = random::normal(6, 8, 0);
    let loss = leak(Observations::new(Operator::identity(6), data, noise).unwrap());
    let prior = Tikhonov::new(vec![0.0; 2], Noise::uniform(2, 3.0).unwrap()).unwrap();
    let prior = leak(prior);
    let direction = leak(DataSpace);
    let descent = || {
        let descent = Descent::new(model, loss).direction(direction).prior(prior);
        descent.tolerances(limit())
    };
    let report = descent().run(&[3.0, -2.0], |_| ()).unwrap();
    assert_eq!(report.counts.factorisations, 1, "{report}");
    check("a constant matrix", descent, &[3.0, -2.0]);
}

/// A ρ = B (θ + 0.1 θ³).
struct Constant {
    matrix: Mat<f64>,
    forcing: Mat<f64>,
}

impl Model for Constant {
    fn state_dim(&self) -> usize {
        self.matrix.nrows()
    }
    fn param_dim(&self) -> usize {
        self.forcing.ncols()
    }
    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        let moved: Vec<f64> = theta.iter().map(|t| t + 0.1 * t.powi(3)).collect();
        let difference = &self.matrix * column(rho) - &self.forcing * column(&moved);
        out.copy_from_slice(difference.col_as_slice(0));
    }
    fn state_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::dense(self.matrix.clone())
    }
    fn param_jacobian<'a>(&'a self, _: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        let (k, p) = self.forcing.shape();
        let slope = |j: usize| 1.0 + 0.3 * theta[j] * theta[j];
        Operator::dense(Mat::from_fn(k, p, |i, j| -self.forcing[(i, j)] * slope(j)))
    }
}

/// Iterative solvers start from earlier solutions, which a saved run keeps: those of the model, and those of a loss.
#[test]
fn warm_starts_of_iterative_solvers() {
    let cells = 12;
    let grid = Grid::new(&Lorenz::BOX.map(|(a, b)| (a, b, cells))).unwrap();
    let model = leak(InvariantMeasure::new(&grid, Lorenz).unwrap());
    let data = model.density(&Lorenz::CLASSIC, Cpu::shared()).unwrap();
    let start = [8.0, 24.0, 2.0];
    let plain = leak(L2Misfit::new(&grid, data.clone()).unwrap());
    let descent = || Descent::new(model, plain).tolerances(limit());
    let report = descent().run(&start, |_| ()).unwrap();
    assert!(report.counts.solver_iterations > 0, "{report}");
    check("a model with iterative solves", descent, &start);

    let mut stiffness = Stencil::new(&[cells; 3]);
    for axis in 0..3 {
        let stride = cells.pow(2 - axis as u32);
        let below = |i: &usize| i / stride % cells + 1 < cells;
        (0..cells.pow(3))
            .filter(below)
            .for_each(|i| stiffness.couple(axis, i, [[1.0, -1.0], [-1.0, 1.0]]));
    }
    stiffness.add_diagonal(&vec![0.01; cells.pow(3)]);
    let stiffness = Operator::stencil(stiffness).positive_definite();
    let energy = leak(Energy { stiffness, data });
    let metric = leak(L2::new(&grid));
    let descent = || {
        let descent = Descent::new(model, energy).metric(metric);
        descent.tolerances(limit())
    };
    check("a loss with iterative solves", descent, &start);
}

/// ½ dᵀK⁻¹d of the deviation d = ρ − q.
struct Energy {
    stiffness: Operator<'static>,
    data: Vec<f64>,
}

struct Deviation {
    deviation: Vec<f64>,
    potential: Vec<f64>,
}

impl Loss for Energy {
    fn at<'a>(&'a self, rho: &[f64], backend: &dyn Backend) -> Result<Box<dyn Misfit + 'a>> {
        let deviation: Vec<f64> = rho.iter().zip(&self.data).map(|(r, q)| r - q).collect();
        let factor = backend.factor(self.stiffness.lend())?;
        let mut x = column(&deviation).to_owned();
        factor.solve(Side::Plain, None, x.as_mut())?;
        Ok(Box::new(Deviation {
            deviation,
            potential: x.col_as_slice(0).to_vec(),
        }))
    }
    fn value(&self, rho: &[f64]) -> f64 {
        value_of(self, rho)
    }
    fn gradient(&self, rho: &[f64], out: &mut [f64]) {
        gradient_of(self, rho, out);
    }
}

impl Misfit for Deviation {
    fn value(&self) -> f64 {
        let terms = self.deviation.iter().zip(&self.potential);
        0.5 * terms.map(|(d, p)| d * p).sum::<f64>()
    }
    fn covector(&self, _: &dyn Backend) -> Result<Vec<f64>> {
        Ok(self.potential.clone())
    }
}

#[test]
fn many_parameters_with_sparse_systems() {
    let p = 40;
    let model = leak(Explicit(random::normal_matrix(10, p, 5)));
    let noise = Noise::uniform(10, 0.1).unwrap();
    let data = random::normal(10, 2, 0);
    let loss = leak(Observations::new(Operator::identity(10), data, noise).unwrap());
    let prior = Tikhonov::new(vec![1.0; p], Noise::uniform(p, 3.0).unwrap()).unwrap();
    let (prior, transforms) = (leak(prior), leak(vec![Transform::Log; p]));
    let many: [&'static dyn Direction; 2] = [leak(Auto::default()), leak(DataSpace)];
    for direction in many {
        let descent = || {
            let descent = Descent::new(model, loss).direction(direction).prior(prior);
            descent.transforms(transforms).tolerances(limit())
        };
        check(direction.name(), descent, &vec![1.0; p]);
    }
}
