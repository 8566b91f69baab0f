//! The exact Hessian of an objective, with priors, transforms and bounds, against differences of its gradient.

use crate::second_order_models::{Mixed, Zoo};
use crate::support::{Reaction, dot, gap, matrix_gap};
use pullback::automatic::{Automatic, Curve};
use pullback::direction::{Finder, Local, Path, Proposal};
use pullback::faer::{Mat, MatRef};
use pullback::loss::{L2Misfit, Observations};
use pullback::models::{Darcy, End};
use pullback::prior::{Matern, Quadratic, Tikhonov};
use pullback::{
    Bounds, Descent, Direction, Grid, Loss, Model, Noise, Operator, Prior, Result, Transform,
    random,
};
use std::sync::Mutex;

/// Gradient and products with the Hessian at a point, in the coordinates of the free parameters.
struct Seen {
    gradient: Vec<f64>,
    hessian: Mat<f64>,
    free: Vec<usize>,
}

/// Looks at the objective, and moves nowhere.
#[derive(Default)]
struct Watch {
    seen: Mutex<Option<Seen>>,
    /// Columns that the Hessian is multiplied by, in place of the identity.
    columns: Option<Mat<f64>>,
}

impl Direction for Watch {
    fn begin(&self) -> Box<dyn Finder + '_> {
        Box::new(self)
    }

    fn needs_metric(&self) -> bool {
        false
    }

    fn name(&self) -> &'static str {
        "watch"
    }
}

impl Finder for &Watch {
    fn prepare<'a>(&'a mut self, at: &Local<'a>) -> Result<Box<dyn Path + 'a>> {
        let hessian = at.hessian()?;
        let n = hessian.dim();
        let columns = self.columns.clone();
        let columns = columns.unwrap_or_else(|| Mat::identity(n, n));
        let seen = Seen {
            gradient: at.grad.to_vec(),
            hessian: hessian.product(columns.as_ref())?,
            free: at.free().to_vec(),
        };
        *self.seen.lock().unwrap() = Some(seen);
        Ok(Box::new(Nowhere(n)))
    }
}

struct Nowhere(usize);

impl Path for Nowhere {
    fn at(&mut self, _: f64) -> Result<Proposal> {
        Ok(Proposal {
            eta: vec![0.0; self.0],
            predicted: 0.0,
            rank: 0,
        })
    }
}

/// ½ Σ (θᵢ² − 1)², a prior whose precision is its exact second derivative.
struct Wells;

impl Prior for Wells {
    fn at(&self, theta: &[f64]) -> Result<Quadratic<'_>> {
        let value = 0.5 * theta.iter().map(|t| (t * t - 1.0).powi(2)).sum::<f64>();
        let gradient = theta.iter().map(|t| 2.0 * t * (t * t - 1.0)).collect();
        let second: Vec<f64> = theta.iter().map(|t| 6.0 * t * t - 2.0).collect();
        Quadratic::new(value, gradient, Operator::diagonal(second))
    }
}

struct Case {
    name: &'static str,
    model: Box<dyn Model>,
    loss: Box<dyn Loss>,
    theta: Vec<f64>,
    transforms: Option<Vec<Transform>>,
    bounds: Option<Bounds>,
    priors: Vec<Box<dyn Prior>>,
}

impl Case {
    fn new(name: &'static str, model: impl Model + 'static, theta: &[f64]) -> Self {
        let k = model.state_dim();
        // Data far from every state, so that the curvature of the model counts.
        let target = random::normal(k, 11, 0).iter().map(|x| 2.0 + x).collect();
        Self {
            name,
            model: Box::new(model),
            loss: Box::new(L2Misfit::euclidean(target).unwrap()),
            theta: theta.to_vec(),
            transforms: None,
            bounds: None,
            priors: Vec::new(),
        }
    }

    fn see(&self, theta: &[f64]) -> Seen {
        self.see_along(theta, None)
    }

    fn see_along(&self, theta: &[f64], columns: Option<Mat<f64>>) -> Seen {
        let watch = Watch {
            columns,
            ..Watch::default()
        };
        let mut descent = Descent::new(self.model.as_ref(), self.loss.as_ref()).direction(&watch);
        if let Some(transforms) = &self.transforms {
            descent = descent.transforms(transforms);
        }
        if let Some(bounds) = &self.bounds {
            descent = descent.bounds(bounds);
        }
        for prior in &self.priors {
            descent = descent.prior(prior.as_ref());
        }
        descent.propose(theta, 0.0).unwrap();
        watch.seen.into_inner().unwrap().unwrap()
    }

    /// θ after a step along ξᵢ.
    fn moved(&self, i: usize, h: f64) -> Vec<f64> {
        let mut theta = self.theta.clone();
        theta[i] = match &self.transforms {
            None => theta[i] + h,
            Some(t) => t[i].forward(t[i].inverse(theta[i]) + h),
        };
        theta
    }
}

fn cases() -> Vec<Case> {
    let reaction = || Reaction::new(12, 4, 3);
    let theta = [0.4, 0.7, 1.1, 0.2];
    let plain = Case::new("plain", reaction(), &theta);
    let mut transformed = Case::new("transforms", reaction(), &theta);
    let logit = Transform::Logit {
        lower: -1.0,
        upper: 2.0,
    };
    transformed.transforms = Some(vec![
        Transform::Log,
        logit,
        Transform::Identity,
        Transform::Log,
    ]);
    transformed.priors = vec![Box::new(
        Tikhonov::new(vec![0.5; 4], Noise::uniform(4, 0.3).unwrap()).unwrap(),
    )];
    let mut prior = Case::new("priors", Automatic::new(Mixed(40)), &[0.5, 0.7, 0.4]);
    prior.priors = vec![
        Box::new(Tikhonov::new(vec![0.1; 3], Noise::uniform(3, 0.5).unwrap()).unwrap()),
        Box::new(Wells),
    ];
    let mut bounded = Case::new("bounds", reaction(), &theta);
    let gradient = bounded.see(&theta).gradient;
    // The second parameter lies at the bound that −∇ points through.
    let (mut lower, mut upper) = (vec![-5.0; 4], vec![5.0; 4]);
    match gradient[1] < 0.0 {
        true => upper[1] = theta[1],
        false => lower[1] = theta[1],
    }
    bounded.bounds = Some(Bounds::new(lower, upper).unwrap());
    let mut curve = Case::new("curve", Curve::new(Zoo), &[0.3, -0.7, 0.9, -0.4]);
    let sensors = Operator::dense(random::normal_matrix(6, 9, 8));
    let noise = Noise::uniform(6, 0.2).unwrap();
    curve.loss = Box::new(Observations::new(sensors, vec![1.5; 6], noise).unwrap());
    vec![plain, transformed, prior, bounded, curve]
}

#[test]
fn products_with_the_hessian_equal_differences_of_gradients() {
    for case in cases() {
        let seen = case.see(&case.theta);
        let h = 1e-5;
        for (column, &i) in seen.free.iter().enumerate() {
            let [plus, minus] = [h, -h].map(|h| case.see(&case.moved(i, h)));
            assert_eq!(
                (&plus.free, &minus.free),
                (&seen.free, &seen.free),
                "{}",
                case.name
            );
            let pairs = plus.gradient.iter().zip(&minus.gradient);
            let expected: Vec<f64> = pairs.map(|(a, b)| (a - b) / (2.0 * h)).collect();
            let error = gap(seen.hessian.col_as_slice(column), &expected);
            assert!(error < 1e-6, "{}: {error:.1e}", case.name);
        }
    }
}

#[test]
fn the_hessian_is_symmetric() {
    for case in cases() {
        let h = case.see(&case.theta).hessian;
        let error = matrix_gap(h.as_ref(), h.transpose());
        assert!(error < 1e-12, "{}: {error:.1e}", case.name);
    }
}

#[test]
fn parameters_held_at_bounds_take_no_part() {
    let cases = cases();
    let (plain, bounded) = (&cases[0], &cases[3]);
    let (whole, part) = (plain.see(&plain.theta), bounded.see(&bounded.theta));
    assert_eq!(part.free, [0, 2, 3]);
    let expected = Mat::from_fn(3, 3, |i, j| whole.hessian[(part.free[i], part.free[j])]);
    assert!(matrix_gap(part.hessian.as_ref(), expected.as_ref()) < 1e-13);
}

/// Without a residual, and without curvature of the loss beyond its metric, H is the Gauss-Newton Hessian.
#[test]
fn at_a_perfect_fit_the_hessian_is_that_of_gauss_newton() {
    let model = Reaction::new(12, 4, 3);
    let theta = [0.4, 0.7, 1.1, 0.2];
    let mut rho = vec![0.0; 12];
    model
        .solve(&theta, &mut rho, pullback::Cpu::shared())
        .unwrap();
    let z = pullback::Linearisation::new(&model, &rho, &theta, pullback::Cpu::shared()).unwrap();
    let z: MatRef<'_, f64> = z.matrix().unwrap().as_ref();
    let mut case = Case::new("fit", Reaction::new(12, 4, 3), &theta);
    case.loss = Box::new(L2Misfit::euclidean(rho.clone()).unwrap());
    let seen = case.see(&theta);
    let gauss_newton = z.transpose() * z;
    assert!(matrix_gap(seen.hessian.as_ref(), gauss_newton.as_ref()) < 1e-11);
}

/// A flow on 32² cells with a prior, seen at wells: vᵀHv against differences of ∇f·v, at the best of several steps.
#[test]
fn the_quadratic_form_of_a_darcy_field_equals_differences_of_gradients() {
    let n = 32;
    let grid = Grid::new(&[(0.0, 1.0, n), (0.0, 1.0, n)]).unwrap();
    let darcy = Darcy::new(&grid).unwrap();
    let darcy = darcy.pressure(0, End::Lower, 1.0).unwrap();
    let darcy = darcy.pressure(0, End::Upper, 0.0).unwrap();
    let wells = random::uniform(24, (0.05, 0.95), 3);
    let points: Vec<&[f64]> = wells.chunks(2).collect();
    let sensors = darcy.observe(&points).unwrap();
    let theta: Vec<f64> = grid.sample(|x| (5.0 * x[0]).sin() + x[1]);
    let mut case = Case::new("Darcy", darcy, &theta);
    // Far above the pressures on the sides, so that the curvature of the model counts.
    let noise = Noise::uniform(12, 0.1).unwrap();
    case.loss = Box::new(Observations::new(sensors, vec![2.0; 12], noise).unwrap());
    case.priors = vec![Box::new(Matern::new(&grid, 1.0, 0.3).unwrap())];
    let v = random::normal_matrix(n * n, 3, 4);
    let seen = case.see_along(&theta, Some(v.clone()));
    for j in 0..3 {
        let v = v.col_as_slice(j);
        let slope = |h: f64| {
            let moved: Vec<f64> = theta.iter().zip(v).map(|(t, v)| t + h * v).collect();
            let empty = Mat::zeros(n * n, 0);
            dot(&case.see_along(&moved, Some(empty)).gradient, v)
        };
        let form = dot(v, seen.hessian.col_as_slice(j));
        let errors = [1e-2, 1e-3, 1e-4, 1e-5]
            .map(|h| (((slope(h) - slope(-h)) / (2.0 * h)) / form - 1.0).abs());
        let best = errors.iter().copied().fold(f64::INFINITY, f64::min);
        // Away from rounding, the error falls by h².
        assert!(best < 1e-8 && errors[1] < 0.02 * errors[0], "{errors:?}");
    }
}
