//! Truncated steps, steps damped by a prior that is no part of the objective, and grids of scales, beside dense matrices.

use nalgebra::DMatrix;
use pullback::direction::{
    ConjugateGradient, Damping, Forcing, Information, LeastSquares, Local, Momentum, Preconditioner,
};
use pullback::faer::{Mat, Scale};
use pullback::loss::{L2Misfit, Observations};
use pullback::prior::{Smoothness, Tikhonov};
use pullback::step::Grid;
use pullback::{Bounds, Descent, Direction, Noise, Operator, Prior, StepRule, random};

use crate::support::problems::{Start, metrics, problems, proposal};
use crate::support::runs::{line, only};
use crate::support::{
    Explicit, Reaction, column, definite, density, dot, gap, identity, reference_solve,
    reference_vector,
};

/// L Z, and dual(u), which least squares minimise ‖L Z η + dual(u)‖ with.
fn system(at: &Local<'_>) -> (DMatrix<f64>, Vec<f64>) {
    let root = at.root.unwrap();
    let lifted = root.lift(at.z.matrix().unwrap().as_ref()).unwrap();
    let matrix = DMatrix::from_fn(lifted.nrows(), lifted.ncols(), |i, j| lifted[(i, j)]);
    (matrix, root.dual(at.covector).unwrap())
}

/// −K⁻¹ (L Z K⁻¹)⁺ dual(u) with the singular values above a fraction of the largest one, and their number.
fn truncated(at: &Local<'_>, k: &DMatrix<f64>, cutoff: f64) -> (Vec<f64>, usize) {
    let (matrix, dual) = system(at);
    let inverse = k.clone().try_inverse().unwrap();
    let svd = (matrix * &inverse).svd(true, true);
    let (left, right) = (svd.u.unwrap(), svd.v_t.unwrap());
    let largest = svd.singular_values.max();
    let mut y = vec![0.0; right.ncols()];
    let mut rank = 0;
    for (i, value) in svd.singular_values.iter().enumerate() {
        if *value > cutoff * largest {
            rank += 1;
            let c = dot(left.column(i).as_slice(), &dual);
            (0..y.len()).for_each(|j| y[j] -= c / value * right[(i, j)]);
        }
    }
    let eta = inverse * nalgebra::DVector::from_vec(y);
    (eta.as_slice().to_vec(), rank)
}

#[test]
fn truncated_steps_are_those_of_a_dense_decomposition() {
    let mut ranks = Vec::new();
    for problem in problems() {
        let p = problem.theta.len();
        let covariance = definite(p, 5);
        let prior = Tikhonov::new(vec![0.0; p], Noise::full(covariance.clone()).unwrap()).unwrap();
        let precision = reference_solve(covariance.as_ref(), identity(p).as_ref());
        let precision = DMatrix::from_fn(p, p, |i, j| precision[(i, j)]);
        let root = precision.cholesky().unwrap().l().transpose();
        for metric in metrics(&problem.grid) {
            let found = problem.start(&*metric).look(|at| {
                let mut ranks = Vec::new();
                let (matrix, _) = system(at);
                let norms = (0..p).map(|j| matrix.column(j).norm());
                let norms = DMatrix::from_diagonal(&nalgebra::DVector::from_iterator(p, norms));
                let rows = [
                    (Damping::Diagonal, norms),
                    (Damping::Identity, DMatrix::identity(p, p)),
                    (Damping::Prior(&prior), root.clone()),
                ];
                for (damping, k) in rows {
                    for cutoff in [1e-9, 0.05, 0.4, 0.8] {
                        let direction = LeastSquares {
                            cutoff,
                            damping,
                            ..LeastSquares::default()
                        };
                        let found = proposal(&direction, at, 0.0).unwrap();
                        let (eta, rank) = truncated(at, &k, cutoff);
                        let off = gap(&found.eta, &eta);
                        let place = format!("{}, {damping:?}, {cutoff}", metric.name());
                        assert!(off < 1e-9 && found.rank == rank, "{place}: {off:e}");
                        // A truncated step is a minimum on its subspace, where the model falls by −½∇f·η.
                        let promise = -0.5 * dot(at.grad, &eta);
                        assert!(gap(&[found.predicted], &[promise]) < 1e-8, "{place}");
                        ranks.push(rank);
                    }
                }
                ranks
            });
            ranks.extend(found);
        }
    }
    assert!(
        [1, 2, 3, 4].iter().all(|rank| ranks.contains(rank)),
        "{ranks:?}"
    );
}

/// (η, predicted decrease) of (G + C₀ + λC) η = −∇f, with C₀ of the objective and C of the damping.
fn reference(at: &Local<'_>, c: &Mat<f64>, lambda: f64) -> (Vec<f64>, f64) {
    let z = at.z.matrix().unwrap();
    let mut g = z.transpose() * at.root.unwrap().apply(z.as_ref()).unwrap();
    if let Some(prior) = at.prior {
        g += prior.curvature(identity(g.nrows()).as_ref()).unwrap();
    }
    let damped = &g + Scale(lambda) * c;
    let eta: Vec<f64> = reference_vector(damped.as_ref(), at.grad)
        .iter()
        .map(|x| -x)
        .collect();
    let curved = &g * column(&eta);
    let predicted = -dot(at.grad, &eta) - 0.5 * dot(curved.col_as_slice(0), &eta);
    (eta, predicted)
}

#[test]
fn damping_by_a_prior_is_the_dense_formula() {
    for problem in problems() {
        let p = problem.theta.len();
        let covariance = definite(p, 6);
        let damper = Tikhonov::new(vec![9.0; p], Noise::full(covariance.clone()).unwrap()).unwrap();
        let c = reference_solve(covariance.as_ref(), identity(p).as_ref());
        let own = Noise::full(definite(p, 7)).unwrap();
        let own = Tikhonov::new(vec![0.2; p], own).unwrap();
        let krylov = ConjugateGradient {
            forcing: Forcing::Fixed(1e-13),
            preconditioner: Preconditioner::By(&damper),
            ..ConjugateGradient::default()
        };
        let squares = LeastSquares {
            damping: Damping::Prior(&damper),
            ..LeastSquares::default()
        };
        let information = Information {
            damping: Damping::Prior(&damper),
        };
        let directions: [&dyn Direction; 3] = [&squares, &information, &krylov];
        for metric in metrics(&problem.grid) {
            let bare = || problem.start(&*metric);
            let informed = Start {
                prior: Some(&own),
                ..bare()
            };
            for start in [bare(), informed] {
                start.look(|at| {
                    for direction in directions {
                        for lambda in [0.0, 1e-3, 2.0] {
                            let found = proposal(direction, at, lambda).unwrap();
                            let (eta, predicted) = reference(at, &c, lambda);
                            let off = gap(&found.eta, &eta);
                            let off = off.max(gap(&[found.predicted], &[predicted]));
                            let name = (direction.name(), metric.name());
                            assert!(off < 1e-8, "{name:?}, λ {lambda}: {off:e}");
                        }
                    }
                });
            }
        }
    }
}

/// Without momentum yet, Nesterov's step is 1 + β times the inner one.
#[test]
fn momentum_predicts_by_the_model_of_its_step() {
    let squares = LeastSquares::default();
    let momentum = Momentum {
        beta: 0.7,
        nesterov: true,
        inner: &squares,
    };
    for problem in problems() {
        for metric in metrics(&problem.grid) {
            problem.start(&*metric).look(|at| {
                let z = at.z.matrix().unwrap();
                let g = z.transpose() * at.root.unwrap().apply(z.as_ref()).unwrap();
                for lambda in [0.0, 0.3] {
                    let found = proposal(&momentum, at, lambda).unwrap();
                    let inner = proposal(&squares, at, lambda).unwrap();
                    let eta: Vec<f64> = inner.eta.iter().map(|p| 1.7 * p).collect();
                    let curved = &g * column(&eta);
                    let curved = dot(curved.col_as_slice(0), &eta);
                    let predicted = -dot(at.grad, &eta) - 0.5 * curved;
                    let off = gap(&found.eta, &eta).max(gap(&[found.predicted], &[predicted]));
                    assert!(off < 1e-8, "{}, λ {lambda}: {off:e}", metric.name());
                }
            });
        }
    }
}

/// A field of 40 parameters from 6 observations: H¹ damping and the search for its strength find a fit. Bounds change
/// the parameters that are damped.
#[test]
fn fields_are_damped_by_their_smoothness() {
    let (p, rows) = (40, 6);
    let field = line(p);
    let smooth = Smoothness::new(&field, 1.0)
        .unwrap()
        .with_range(0.2)
        .unwrap();
    let model = Explicit(random::normal_matrix(rows, p, 8));
    let noise = Noise::uniform(rows, 0.1).unwrap();
    let data = random::normal(rows, 9, 0);
    let loss = Observations::new(Operator::identity(rows), data, noise).unwrap();
    let squares = LeastSquares {
        damping: Damping::Prior(&smooth),
        ..LeastSquares::default()
    };
    let krylov = ConjugateGradient {
        preconditioner: Preconditioner::By(&smooth),
        ..ConjugateGradient::default()
    };
    let bounds = Bounds::new(vec![0.2; p], vec![1.3; p]).unwrap();
    for direction in [&squares as &dyn Direction, &krylov] {
        let descent = || Descent::new(&model, &loss).direction(direction);
        let plain = descent().run(&vec![1.0; p], |_| ()).unwrap();
        let held = descent()
            .bounds(&bounds)
            .run(&vec![1.0; p], |_| ())
            .unwrap();
        assert!(plain.converged() && plain.loss < 1e-12, "{plain}");
        assert!(held.converged(), "{held}");
        assert!(held.theta.iter().all(|t| (0.2..=1.3).contains(t)), "{held}");
        // The step from a constant field is the smallest in the norm of the damping: rougher fits have a larger norm.
        let change = |theta: &[f64]| -> f64 {
            let step: Vec<f64> = theta.iter().map(|t| t - 1.0).collect();
            smooth.value(&step).unwrap()
        };
        let identity = LeastSquares {
            damping: Damping::Identity,
            ..LeastSquares::default()
        };
        let rough = Descent::new(&model, &loss).direction(&identity);
        let rough = rough.run(&vec![1.0; p], |_| ()).unwrap();
        assert!(
            change(&plain.theta) < change(&rough.theta),
            "{}",
            direction.name()
        );
    }
}

#[test]
fn a_grid_takes_the_best_scale_and_evaluates_it_once() {
    let grid = line(15);
    let (model, start) = (Reaction::new(15, 3, 1), [0.5, -0.5, 0.5]);
    let loss = L2Misfit::new(&grid, density(&grid, 2)).unwrap();
    let mut scales = Vec::new();
    for stretch in [0.1, 3.0, 40.0, 4000.0] {
        // Directions of any length have their best scale at another place of the grid.
        let rule = Grid {
            first: stretch,
            ratio: 0.5,
            count: 24,
        };
        let descent = Descent::new(&model, &loss).step(&rule);
        let descent = descent.tolerances(only(2));
        let report = descent.run(&start, |_| ()).unwrap();
        let eta = descent.propose(&start, 0.0).unwrap().eta;
        let values: Vec<(f64, f64)> = (0..24)
            .map(|i| {
                let scale = stretch * 0.5_f64.powi(i);
                let theta: Vec<f64> = start.iter().zip(&eta).map(|(t, e)| t + scale * e).collect();
                let value = descent.objective(&theta).unwrap_or(f64::INFINITY);
                (if value.is_nan() { f64::INFINITY } else { value }, scale)
            })
            .collect();
        let best = values
            .iter()
            .copied()
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .unwrap();
        let step = report.history[1].step.unwrap();
        assert_eq!(step.scale, best.1, "{values:?}\n{report}");
        assert!(gap(&[report.history[1].loss], &[best.0]) < 1e-9, "{report}");
        assert_eq!(
            (step.trials, report.counts.model_solves),
            (24, 49),
            "{report}"
        );
        scales.push((best.1 / stretch).log2().round() as i32);
    }
    scales.dedup();
    assert!(scales.len() > 1, "{scales:?}");
    assert_eq!((&Grid::default() as &dyn StepRule).name(), "grid");
}

/// Where no scale of the grid reduces the objective, the run stalls and says so. Truncation and grid converge together.
#[test]
fn ends_of_grids() {
    let grid = line(15);
    let (model, start) = (Reaction::new(15, 3, 1), [0.5, -0.5, 0.5]);
    let loss = L2Misfit::new(&grid, density(&grid, 2)).unwrap();
    let far = Grid {
        first: 1e6,
        ratio: 0.9,
        count: 3,
    };
    let report = Descent::new(&model, &loss)
        .step(&far)
        .run(&start, |_| ())
        .unwrap();
    assert!(!report.converged() && report.iterations() == 0, "{report}");
    let truncated = LeastSquares {
        cutoff: 1e-8,
        ..LeastSquares::default()
    };
    let rule = Grid::default();
    let descent = Descent::new(&model, &loss)
        .direction(&truncated)
        .step(&rule);
    let report = descent.run(&start, |_| ()).unwrap();
    let exact = Descent::new(&model, &loss).run(&start, |_| ()).unwrap();
    assert!(
        report.converged() && gap(&report.theta, &exact.theta) < 1e-6,
        "{report}"
    );
}
