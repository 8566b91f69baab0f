//! The laws of exact directions: least squares and the information matrix against dense formulas.

use crate::support;
use crate::support::problems::{Start, exact_directions, metrics, problems, proposal};
use crate::support::{Explicit, column, definite, dot, gap, reference_vector};
use pullback::descent::Tolerances;
use pullback::direction::{Damping, Local};
use pullback::faer::Mat;
use pullback::loss::Observations;
use pullback::metric::Observed;
use pullback::prior::Tikhonov;
use pullback::step::Fixed;
use pullback::{Descent, Metric, Noise, Operator, random};

/// G = ZᵀMZ + PᵀP, from M itself.
fn dense_geometry(at: &Local<'_>) -> Mat<f64> {
    let z = at.z.matrix().unwrap();
    let g = z.transpose() * at.root.unwrap().apply(z.as_ref()).unwrap();
    match at.prior {
        None => g,
        Some(prior) => {
            let p = prior.matrix().unwrap();
            g + p.transpose() * &p
        }
    }
}

/// (η, predicted decrease) of (G + λD) η = −∇f.
fn dense_reference(at: &Local<'_>, lambda: f64, damping: Damping<'_>) -> (Vec<f64>, f64) {
    let g = dense_geometry(at);
    let mut damped = g.clone();
    for i in 0..g.nrows() {
        damped[(i, i)] += lambda
            * if damping == Damping::Diagonal {
                g[(i, i)]
            } else {
                1.0
            };
    }
    let eta: Vec<f64> = reference_vector(damped.as_ref(), at.grad)
        .iter()
        .map(|x| -x)
        .collect();
    let curved = &g * column(&eta);
    let predicted = -dot(at.grad, &eta) - 0.5 * dot(curved.col_as_slice(0), &eta);
    (eta, predicted)
}

/// Everything that a proposal at this point must satisfy.
fn judge(at: &Local<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    for damping in [Damping::Diagonal, Damping::Identity] {
        for lambda in [0.0, 1e-3, 1.0] {
            let (eta, predicted) = dense_reference(at, lambda, damping);
            for direction in exact_directions(damping) {
                let found = proposal(direction.as_ref(), at, lambda).unwrap();
                // The references square the condition number, at most 10⁵ here.
                let off = gap(&found.eta, &eta).max(gap(&[found.predicted], &[predicted]));
                let slope = dot(at.grad, &found.eta);
                if off > 1e-10 || slope >= 0.0 || found.rank != eta.len() {
                    let name = direction.name();
                    broken.push(format!("{name}, {damping:?} {lambda}: {off:e}, {slope:e}"));
                }
            }
        }
    }
    broken
}

#[test]
fn least_squares_is_the_information_matrix_is_the_dense_formula() {
    for problem in problems() {
        let noise = Noise::full(definite(problem.theta.len(), 7)).unwrap();
        let prior = Tikhonov::new(vec![0.2; problem.theta.len()], noise).unwrap();
        for metric in metrics(&problem.grid) {
            let bare = || problem.start(&*metric);
            let informed = Start {
                prior: Some(&prior),
                ..bare()
            };
            for (with, start) in [("no prior", bare()), ("a prior", informed)] {
                let broken = start.look(judge);
                let place = format!("{}, {}, {with}", problem.name, metric.name());
                assert!(broken.is_empty(), "{place}: {broken:#?}");
            }
        }
    }
}

#[test]
fn observations_make_the_same_directions_as_the_dense_formula() {
    let problem = &problems()[0];
    let operator = || Operator::dense(random::normal_matrix(6, 20, 31));
    let noise = || Noise::full(definite(6, 32)).unwrap();
    let data = random::normal(6, 33, 0);
    let loss = Observations::new(operator(), data, noise()).unwrap();
    // The metric of the loss knows the data; the same without them must find the dual of the gradient itself.
    let (operator, noise) = (operator(), noise());
    let ignorant = Observed::new(&operator, &noise).unwrap();
    for metric in [None, Some(&ignorant as &dyn Metric)] {
        let start = Start {
            model: problem.model.as_ref(),
            loss: &loss,
            metric,
            prior: None,
            theta: &problem.theta,
        };
        let broken = start.look(judge);
        assert!(broken.is_empty(), "{broken:#?}");
    }
}

/// (FᵀOᵀΓ⁻¹OF + Σ⁻¹)⁻¹ (FᵀOᵀΓ⁻¹d + Σ⁻¹m), the mean of the Gaussian posterior, is one step away from anywhere.
#[test]
fn one_step_finds_the_gaussian_posterior() {
    let (k, p, r) = (9, 4, 6);
    let (f, o) = (
        random::normal_matrix(k, p, 51),
        random::normal_matrix(r, k, 52),
    );
    let (gamma, sigma) = (definite(r, 53), definite(p, 54));
    let (data, mean) = (random::normal(r, 55, 0), random::normal(p, 55, 1));
    let forward = &o * &f;
    let precision = |m: &Mat<f64>, b: &Mat<f64>| support::reference_solve(m.as_ref(), b.as_ref());
    let weighted = precision(&gamma, &forward);
    let inverse = precision(&sigma, &support::identity(p));
    let matrix = forward.transpose() * &weighted + &inverse;
    let right = weighted.transpose() * column(&data) + &inverse * column(&mean);
    let posterior = reference_vector(matrix.as_ref(), right.col_as_slice(0));

    let model = Explicit(f);
    let noise = Noise::full(gamma).unwrap();
    let loss = Observations::new(Operator::dense(o), data, noise).unwrap();
    let prior = Tikhonov::new(mean, Noise::full(sigma).unwrap()).unwrap();
    let once = Tolerances {
        iterations: 1,
        ..Tolerances::default()
    };
    for direction in exact_directions(Damping::Diagonal) {
        for start in [vec![0.0; p], vec![100.0, -50.0, 3.0, 1e3]] {
            let full = Fixed::default();
            let descent = Descent::new(&model, &loss)
                .prior(&prior)
                .direction(direction.as_ref());
            let report = descent
                .step(&full)
                .tolerances(once)
                .run(&start, |_| ())
                .unwrap();
            let off = gap(&report.history[1].theta, &posterior);
            assert!(
                off < 1e-10,
                "{} from {start:?}: off by {off:e}",
                direction.name()
            );
        }
    }
}
