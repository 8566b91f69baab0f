//! Descents in a box end where the conditions of a minimum in the box hold, and never leave it.

use crate::support::{Explicit, column, gap};
use pullback::descent::Stop;
use pullback::faer::{Mat, mat};
use pullback::loss::Observations;
use pullback::step::{Armijo, Fixed, TrustRatio};
use pullback::{
    Bounds, Descent, Direction, Error, Noise, Operator, Report, StepRule, direction, random,
};

const FREE: f64 = f64::INFINITY;

/// ½‖Fθ − d‖², which has G = FᵀF and the gradient Fᵀ(Fθ − d).
struct Quadratic {
    model: Explicit,
    loss: Observations,
    data: Vec<f64>,
}

impl Quadratic {
    fn new(f: Mat<f64>, data: Vec<f64>) -> Self {
        let (operator, noise) = (
            Operator::identity(data.len()),
            Noise::uniform(data.len(), 1.0),
        );
        let loss = Observations::new(operator, data.clone(), noise.unwrap()).unwrap();
        Self {
            model: Explicit(f),
            loss,
            data,
        }
    }

    fn gradient(&self, theta: &[f64]) -> Vec<f64> {
        let r = &self.model.0 * column(theta) - column(&self.data);
        (self.model.0.transpose() * r).col_as_slice(0).to_vec()
    }

    fn run(
        &self,
        bounds: &Bounds,
        rule: &mut dyn StepRule,
        start: &[f64],
    ) -> pullback::Result<Report> {
        let descent = Descent::new(&self.model, &self.loss)
            .bounds(bounds)
            .step(rule);
        descent.run(start, |_| ())
    }
}

/// How far (θ, ∇) is from the conditions of a minimum in the box, relative to the gradient without it.
fn kkt(theta: &[f64], gradient: &[f64], (lower, upper): (&[f64], &[f64])) -> f64 {
    let off = (0..theta.len()).map(|i| match gradient[i] {
        _ if lower[i] == upper[i] => 0.0,
        g if theta[i] == lower[i] => (-g).max(0.0),
        g if theta[i] == upper[i] => g.max(0.0),
        g => g.abs(),
    });
    off.fold(0.0, f64::max)
        / gradient
            .iter()
            .fold(0.0, |m: f64, g| m.max(g.abs()))
            .max(1.0)
}

fn rules() -> [(&'static str, Box<dyn StepRule>); 2] {
    [
        ("trust ratio", Box::new(TrustRatio::default())),
        ("Armijo", Box::new(Armijo::default())),
    ]
}

/// Random least squares in random boxes, some sides open, one parameter held, the start in a corner.
#[test]
fn minima_at_bounds_satisfy_their_conditions() {
    let mut broken = Vec::new();
    for seed in 0..40 {
        let (p, f) = (5, random::normal_matrix(7, 5, seed));
        let problem = Quadratic::new(
            f,
            random::normal(7, seed, 9).iter().map(|d| 3.0 * d).collect(),
        );
        let centre = random::normal(p, seed, 10);
        let mut lower: Vec<f64> = centre.iter().map(|c| c - 0.4).collect();
        let mut upper: Vec<f64> = centre.iter().map(|c| c + 0.3).collect();
        (lower[1], upper[2]) = (-FREE, FREE);
        upper[3] = lower[3];
        let bounds = Bounds::new(lower.clone(), upper.clone()).unwrap();
        let mut start = upper.clone();
        start[2] = lower[2];
        for (name, mut rule) in rules() {
            let report = problem.run(&bounds, rule.as_mut(), &start).unwrap();
            let inside =
                |theta: &[f64]| (0..p).all(|i| lower[i] <= theta[i] && theta[i] <= upper[i]);
            assert!(
                report.history.iter().all(|it| inside(&it.theta)),
                "{name} {seed} left the box"
            );
            let off = kkt(
                &report.theta,
                &problem.gradient(&report.theta),
                (&lower, &upper),
            );
            if off > 1e-6 || !report.converged() || report.theta[3] != lower[3] {
                broken.push(format!(
                    "{name} {seed}: off by {off:e} after {} steps",
                    report.iterations()
                ));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// G = [1 .9; .9 1] and ∇ = (−½, −1) at 0: the gradient alone would raise θ₀, the natural direction lowers it
/// below its bound. With θ₀ held the minimum is (0, 1), one step away.
#[test]
fn a_natural_direction_may_leave_the_box_where_the_gradient_points_inward() {
    let root = 0.19_f64.sqrt();
    let f = mat![[1.0, 0.9], [0.0, root]];
    let problem = Quadratic::new(f, vec![0.5, 0.55 / root]);
    assert!(gap(&problem.gradient(&[0.0, 0.0]), &[-0.5, -1.0]) < 1e-14);
    let bounds = Bounds::new(vec![0.0, -FREE], vec![FREE, FREE]).unwrap();
    let report = problem
        .run(&bounds, &mut Fixed::default(), &[0.0, 0.0])
        .unwrap();
    assert_eq!(report.history[1].theta[0], 0.0);
    assert!((report.history[1].theta[1] - 1.0).abs() < 1e-14, "{report}");
    assert!(report.converged() && report.iterations() == 1, "{report}");
}

#[test]
fn a_start_on_a_bound_may_leave_it_and_a_corner_may_be_the_answer() {
    let problem = Quadratic::new(Mat::identity(2, 2), vec![1.0, -1.0]);
    let bounds = Bounds::new(vec![0.0, 0.0], vec![5.0, 5.0]).unwrap();
    for start in [[0.0, 0.0], [5.0, 5.0], [2.0, 0.0]] {
        let report = problem
            .run(&bounds, &mut Armijo::default(), &start)
            .unwrap();
        assert!(
            report.converged() && gap(&report.theta, &[1.0, 0.0]) < 1e-12,
            "{start:?}: {report}"
        );
    }
    let corner = Bounds::new(vec![2.0, 0.0], vec![3.0, 1.0]).unwrap();
    let report = problem
        .run(&corner, &mut Armijo::default(), &[2.0, 0.0])
        .unwrap();
    assert_eq!(
        (report.stop, report.iterations()),
        (Stop::Gradient { ratio: 0.0 }, 0)
    );
}

#[test]
fn all_directions_respect_the_box() {
    let problem = Quadratic::new(random::normal_matrix(6, 3, 5), vec![4.0; 6]);
    let bounds = Bounds::new(vec![-0.1; 3], vec![0.1; 3]).unwrap();
    let directions: [&dyn Direction; 3] = [
        &direction::Gradient,
        &direction::Information::default(),
        &direction::LeastSquares::default(),
    ];
    for way in directions {
        let rule = Armijo::default();
        let descent = Descent::new(&problem.model, &problem.loss)
            .bounds(&bounds)
            .direction(way);
        let report = descent.step(&rule).run(&[0.0; 3], |_| ()).unwrap();
        let off = kkt(
            &report.theta,
            &problem.gradient(&report.theta),
            (&[-0.1; 3], &[0.1; 3]),
        );
        assert!(off < 1e-6, "{}: off by {off:e}, {report}", way.name());
    }
}

#[test]
fn a_start_outside_is_an_error() {
    let problem = Quadratic::new(Mat::identity(2, 2), vec![1.0, -1.0]);
    let bounds = Bounds::new(vec![0.0, 0.0], vec![5.0, 5.0]).unwrap();
    let error = problem
        .run(&bounds, &mut Armijo::default(), &[1.0, -0.1])
        .unwrap_err();
    assert!(
        matches!(error, Error::OutOfRange { index: 1, .. }),
        "{error}"
    );
}
