//! Covariances of few parameters against dense inverses, and what the data leave undetermined.

use crate::support;
use crate::support::{Explicit, definite, gap, identity, matrix_gap, reference_solve};
use pullback::direction::Gradient;
use pullback::faer::{Mat, Scale};
use pullback::loss::Observations;
use pullback::metric::L2;
use pullback::posterior::Rank;
use pullback::prior::Tikhonov;
use pullback::{Bounds, Descent, Grid, Noise, Operator, Prior, Transform, random};

const NOISE: f64 = 0.3;

struct Problem {
    model: Explicit,
    loss: Observations,
}

impl Problem {
    /// Data that θ explains.
    fn new(f: Mat<f64>, theta: &[f64]) -> Self {
        let data = (&f * support::column(theta)).col_as_slice(0).to_vec();
        let noise = Noise::uniform(data.len(), NOISE).unwrap();
        Self {
            loss: Observations::new(Operator::identity(data.len()), data, noise).unwrap(),
            model: Explicit(f),
        }
    }

    fn descent(&self) -> Descent<'_> {
        Descent::new(&self.model, &self.loss)
    }

    fn information(&self) -> Mat<f64> {
        (self.model.0.transpose() * &self.model.0) * Scale(NOISE.powi(-2))
    }
}

fn inverse(a: &Mat<f64>) -> Mat<f64> {
    reference_solve(a.as_ref(), identity(a.nrows()).as_ref())
}

/// Positive, so that logarithms are coordinates.
const TRUTH: [f64; 4] = [0.5, 1.5, 2.0, 0.7];

fn regular() -> Problem {
    Problem::new(random::normal_matrix(8, 4, 1), &TRUTH)
}

#[test]
fn it_is_the_dense_inverse_with_and_without_a_prior() {
    let problem = regular();
    let prior = Noise::full(definite(4, 3)).unwrap();
    let prior = Tikhonov::new(vec![1.0; 4], prior).unwrap();
    let report = problem.descent().run(&[1.0; 4], |_| ()).unwrap();
    let found = report.covariance(&problem.descent()).unwrap();
    let dense = inverse(&problem.information());
    let off = matrix_gap(found.covariance.as_ref(), dense.as_ref());
    assert!(off < 1e-10, "{off:e}");
    let errors: Vec<f64> = (0..4).map(|i| dense[(i, i)].sqrt()).collect();
    assert!(gap(&found.standard_errors, &errors) < 1e-10);
    assert_eq!((found.null_space.ncols(), found.held.len()), (0, 0));
    let correlation = dense[(0, 2)] / (errors[0] * errors[2]);
    assert!((found.correlation(0, 2) - correlation).abs() < 1e-10);

    let descent = || problem.descent().prior(&prior as &dyn Prior);
    let report = descent().run(&[1.0; 4], |_| ()).unwrap();
    let found = report.covariance(&descent()).unwrap();
    let dense = inverse(&(problem.information() + inverse(&definite(4, 3))));
    let off = matrix_gap(found.covariance.as_ref(), dense.as_ref());
    assert!(off < 1e-10, "with a prior: {off:e}");
}

#[test]
fn a_scale_multiplies_variances() {
    let problem = regular();
    let report = problem.descent().run(&[1.0; 4], |_| ()).unwrap();
    let found = report.covariance(&problem.descent()).unwrap();
    let scaled = found.clone().scaled(4.0);
    let dense = inverse(&problem.information()) * Scale(4.0);
    assert!(matrix_gap(scaled.covariance.as_ref(), dense.as_ref()) < 1e-10);
    let twice: Vec<f64> = found.standard_errors.iter().map(|s| 2.0 * s).collect();
    assert!(gap(&scaled.standard_errors, &twice) < 1e-14);
}

#[test]
fn transforms_change_nothing() {
    let problem = regular();
    let interval = Transform::Logit {
        lower: 0.0,
        upper: 5.0,
    };
    let transforms = [
        Transform::Log,
        Transform::Identity,
        interval,
        Transform::Log,
    ];
    let descent = || problem.descent().transforms(&transforms);
    let report = descent().run(&[1.0; 4], |_| ()).unwrap();
    assert!(gap(&report.theta, &TRUTH) < 1e-5, "{report}");
    let found = report.covariance(&descent()).unwrap();
    let dense = inverse(&problem.information());
    let off = matrix_gap(found.covariance.as_ref(), dense.as_ref());
    assert!(off < 1e-10, "{off:e}");
}

#[test]
fn a_parameter_at_its_bound_is_held() {
    let problem = regular();
    let bounds = Bounds::new(vec![-9.0; 4], vec![9.0, 1.0, 9.0, 9.0]).unwrap();
    let descent = || problem.descent().bounds(&bounds);
    let report = descent().run(&[0.9; 4], |_| ()).unwrap();
    assert_eq!(report.theta[1], 1.0, "{report}");
    let found = report.covariance(&descent()).unwrap();
    assert_eq!(found.held, [1]);
    let (free, g) = ([0, 2, 3], problem.information());
    let dense = inverse(&Mat::from_fn(3, 3, |i, j| g[(free[i], free[j])]));
    let part = Mat::from_fn(3, 3, |i, j| found.covariance[(free[i], free[j])]);
    let off = matrix_gap(part.as_ref(), dense.as_ref());
    assert!(off < 1e-10, "{off:e}");
    assert!((0..4).all(|i| found.covariance[(1, i)] == 0.0 && found.covariance[(i, 1)] == 0.0));
    assert_eq!(found.standard_errors[1], 0.0);
    let text = found.to_string();
    let line = text.lines().find(|l| l.contains("held")).unwrap();
    assert!(line.contains("θ1"), "{text}");
}

/// Parameters 1 and 3 enter as their sum.
#[test]
fn parameters_that_enter_as_a_sum_are_named_as_not_determined() {
    let f = random::normal_matrix(8, 3, 1);
    let doubled = Mat::from_fn(8, 4, |i, j| f[(i, if j == 3 { 1 } else { j })]);
    let problem = Problem::new(doubled, &TRUTH);
    let report = problem.descent().run(&[1.0; 4], |_| ()).unwrap();
    let found = report.covariance(&problem.descent()).unwrap();
    assert!(found.standard_errors[1].is_infinite() && found.standard_errors[3].is_infinite());
    let dense = inverse(&((f.transpose() * &f) * Scale(NOISE.powi(-2))));
    let others = [found.standard_errors[0], found.standard_errors[2]];
    let expected = [dense[(0, 0)].sqrt(), dense[(2, 2)].sqrt()];
    assert!(gap(&others, &expected) < 1e-9, "{others:?}, {expected:?}");
    assert_eq!(found.null_space.ncols(), 1);
    let column = found.null_space.col_as_slice(0);
    let sign = column[1].signum();
    let expected = [0.0, 0.5_f64.sqrt(), 0.0, -(0.5_f64.sqrt())].map(|x| sign * x);
    assert!(gap(column, &expected) < 1e-10, "{column:?}");
    let text = found.to_string();
    let line = text.lines().find(|l| l.contains("not determined")).unwrap();
    let named = ["θ0", "θ1", "θ2", "θ3"].map(|name| line.contains(name));
    assert_eq!(named, [false, true, false, true], "{text}");
}

/// The same in units in which one of them is a million million times the other.
#[test]
fn units_do_not_hide_what_is_not_determined() {
    let f = random::normal_matrix(8, 3, 1);
    let small = |i: usize, j: usize| [f[(i, 0)], 1e12 * f[(i, 0)], f[(i, 2)]][j];
    let problem = Problem::new(Mat::from_fn(8, 3, small), &[0.5, 0.5e-12, 2.0]);
    let report = problem.descent().run(&[1.0, 1e-12, 1.0], |_| ()).unwrap();
    let found = report.covariance(&problem.descent()).unwrap();
    let open = [0, 1, 2].map(|i: usize| found.standard_errors[i].is_infinite());
    assert_eq!(open, [true, true, false], "{found}");
    let text = found.to_string();
    let line = text.lines().find(|l| l.contains("not determined")).unwrap();
    assert!(line.contains("θ0") && line.contains("θ1"), "{text}");
}

/// What the data say does not depend on how the minimum was found.
#[test]
fn neither_the_direction_nor_a_first_metric_matters() {
    let problem = regular();
    let grid = Grid::new(&[(0.0, 1.0, 8)]).unwrap();
    let (first, gradient) = (L2::new(&grid), Gradient);
    let prior = Tikhonov::new(vec![1.0; 4], Noise::uniform(4, 2.0).unwrap()).unwrap();
    let report = problem.descent().run(&[1.0; 4], |_| ()).unwrap();
    let dense = inverse(&problem.information());
    let posterior = inverse(&(problem.information() + identity(4) * Scale(0.25)));
    let posterior: Vec<f64> = (0..4).map(|i| posterior[(i, i)]).collect();
    for by_gradient in [true, false] {
        let descent = || match by_gradient {
            true => problem.descent().direction(&gradient),
            false => problem.descent().first_metric(&first, 0.1),
        };
        let found = report.covariance(&descent()).unwrap();
        let off = matrix_gap(found.covariance.as_ref(), dense.as_ref());
        assert!(off < 1e-10, "{off:e}");
        let all = Rank::default();
        let found = descent().prior(&prior).posterior(&report.theta, all);
        let off = gap(&found.unwrap().variances().unwrap(), &posterior);
        assert!(off < 1e-9, "posterior: {off:e}");
    }
}
