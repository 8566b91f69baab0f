//! The laws of directions that form no information matrix: each against the dense formula, for every metric and model.

use crate::support;
use crate::support::problems::{Start, metrics, problems, proposal};
use crate::support::{column, definite, dot, gap, reference_vector};
use pullback::direction::{
    ConjugateGradient, DataSpace, Dual, Estimator, Forcing, Local, Nystrom, Preconditioner,
    Sketched,
};
use pullback::faer::Mat;
use pullback::loss::Observations;
use pullback::prior::{Smoothness, Tikhonov};
use pullback::sketch::{Length, ProbeKind};
use pullback::{Direction, Error, Grid, Noise, Operator, Prior, random};

fn exact_iterations(preconditioner: Preconditioner) -> ConjugateGradient {
    ConjugateGradient {
        forcing: Forcing::Fixed(1e-13),
        preconditioner,
        ..ConjugateGradient::default()
    }
}

/// C = PᵀP, or what a direction measures damping by where there is no prior.
enum Reference {
    Identity,
    DiagonalOfG,
}

struct Row {
    direction: Box<dyn Direction>,
    reference: Reference,
}

fn rows() -> Vec<Row> {
    let row = |direction: Box<dyn Direction>, reference| Row {
        direction,
        reference,
    };
    vec![
        row(
            Box::new(exact_iterations(Preconditioner::Prior)),
            Reference::Identity,
        ),
        row(Box::new(DataSpace), Reference::DiagonalOfG),
        row(Box::new(Dual), Reference::Identity),
    ]
}

struct Dense {
    g: Mat<f64>,
    c: Option<Mat<f64>>,
}

impl Dense {
    fn of(at: &Local<'_>) -> Self {
        let z = at.z.matrix().unwrap();
        let prior = at.prior.map(|prior| prior.matrix().unwrap());
        Self {
            g: z.transpose() * at.root.unwrap().apply(z.as_ref()).unwrap(),
            c: prior.map(|p| p.transpose() * &p),
        }
    }

    /// η and the predicted decrease.
    fn solution(&self, at: &Local<'_>, lambda: f64, reference: &Reference) -> (Vec<f64>, f64) {
        let n = self.g.nrows();
        let d = self.c.clone().unwrap_or_else(|| match reference {
            Reference::Identity => support::identity(n),
            Reference::DiagonalOfG => {
                Mat::from_fn(n, n, |i, j| if i == j { self.g[(i, i)] } else { 0.0 })
            }
        });
        let whole = match &self.c {
            None => self.g.clone(),
            Some(c) => &self.g + c,
        };
        let damped = &whole + lambda * d;
        let eta = reference_vector(damped.as_ref(), at.grad);
        let eta: Vec<f64> = eta.iter().map(|x| -x).collect();
        let curved = &whole * column(&eta);
        let predicted = -dot(at.grad, &eta) - 0.5 * dot(curved.col_as_slice(0), &eta);
        (eta, predicted)
    }
}

/// What is wrong with a direction at a point; how many of its proposals were looked at.
fn judge(at: &Local<'_>, row: &Row) -> (usize, Vec<String>) {
    let (dense, mut looked, mut broken) = (Dense::of(at), 0, Vec::new());
    for lambda in [0.0, 1e-3, 1.0, 100.0] {
        let name = row.direction.name();
        if name == "dual" && at.prior.is_none() && lambda == 0.0 {
            continue;
        }
        let found = match proposal(row.direction.as_ref(), at, lambda) {
            // A metric that is not local either way, and one that keeps a mass which the model changes.
            Err(Error::NotSparse { .. } | Error::Option { .. }) if name == "dual" => continue,
            found => found.unwrap(),
        };
        let (eta, predicted) = dense.solution(at, lambda, &row.reference);
        let off = gap(&found.eta, &eta).max(gap(&[found.predicted], &[predicted]));
        let slope = dot(at.grad, &found.eta);
        looked += 1;
        // Saddle-point systems hold large and small blocks side by side.
        if off > 3e-9 || slope >= 0.0 {
            broken.push(format!("{name}, λ = {lambda}: {off:e}, {slope:e}"));
        }
    }
    (looked, broken)
}

#[test]
fn every_direction_is_the_dense_formula_for_every_metric_and_model() {
    let mut looked = [0; 3];
    for problem in problems() {
        let p = problem.theta.len();
        let line = Grid::new(&[(0.0, 1.0, p)]).unwrap();
        let full = Tikhonov::new(vec![0.2; p], Noise::full(definite(p, 7)).unwrap()).unwrap();
        let simple = Tikhonov::new(vec![0.2; p], Noise::uniform(p, 0.7).unwrap()).unwrap();
        let smooth = Smoothness::new(&line, 2.0).unwrap().with_range(0.5);
        let smooth = smooth.unwrap().towards(vec![0.1; p]).unwrap();
        let priors: [(&str, Option<&dyn Prior>); 4] = [
            ("no prior", None),
            ("a full prior", Some(&full)),
            ("a diagonal prior", Some(&simple)),
            ("a smooth prior", Some(&smooth)),
        ];
        for metric in metrics(&problem.grid) {
            for (with, prior) in priors {
                for (i, row) in rows().iter().enumerate() {
                    let start = Start {
                        prior,
                        ..problem.start(&*metric)
                    };
                    let (seen, broken) = start.look(|at| judge(at, row));
                    looked[i] += seen;
                    let place = format!("{}, {}, {with}", problem.name, metric.name());
                    assert!(broken.is_empty(), "{place}: {broken:#?}");
                }
            }
        }
    }
    let all = 2 * 6 * 4 * 4;
    assert_eq!(looked[..2], [all, all]);
    assert!(
        looked[2] >= 70,
        "the dual direction was seen only {} times",
        looked[2]
    );
}

#[test]
fn preconditioners_change_the_work_and_not_the_undamped_step() {
    let sketch = Nystrom {
        rank: 3,
        oversampling: 1,
        seed: 5,
    };
    for problem in problems() {
        let p = problem.theta.len();
        let prior = Noise::full(definite(p, 7)).unwrap();
        let prior = Tikhonov::new(vec![0.2; p], prior).unwrap();
        for metric in metrics(&problem.grid) {
            for prior in [None, Some(&prior as &dyn Prior)] {
                for preconditioner in [Preconditioner::Identity, Preconditioner::Nystrom(sketch)] {
                    let start = Start {
                        prior,
                        ..problem.start(&*metric)
                    };
                    let off = start.look(|at| {
                        let direction = exact_iterations(preconditioner);
                        let found = proposal(&direction, at, 0.0).unwrap();
                        let (eta, _) = Dense::of(at).solution(at, 0.0, &Reference::Identity);
                        gap(&found.eta, &eta)
                    });
                    let name = metric.name();
                    assert!(
                        off < 1e-9,
                        "{}, {name}, {preconditioner:?}: {off:e}",
                        problem.name
                    );
                }
            }
        }
    }
}

#[test]
fn observations_fit_every_direction_too() {
    let problem = &problems()[0];
    let p = problem.theta.len();
    let few = Operator::dense(random::normal_matrix(6, 20, 31));
    let noise = Noise::uniform(6, 0.3).unwrap();
    let loss = Observations::new(few, random::normal(6, 33, 0), noise).unwrap();
    let prior = Tikhonov::new(vec![0.2; p], Noise::full(definite(p, 7)).unwrap()).unwrap();
    for row in rows() {
        let start = Start {
            model: problem.model.as_ref(),
            loss: &loss,
            metric: None,
            prior: Some(&prior),
            theta: &problem.theta,
        };
        let (looked, broken) = start.look(|at| judge(at, &row));
        assert_eq!(looked, 4, "{}", row.direction.name());
        assert!(broken.is_empty(), "{broken:#?}");
    }
}

/// As many orthonormal probes as a lifted tangent is long leave nothing to chance.
#[test]
fn sketches_with_all_probes_are_the_dense_formula() {
    for problem in problems() {
        let p = problem.theta.len();
        let prior = Noise::full(definite(p, 7)).unwrap();
        let prior = Tikhonov::new(vec![0.2; p], prior).unwrap();
        for metric in metrics(&problem.grid) {
            for prior in [None, Some(&prior as &dyn Prior)] {
                let start = Start {
                    prior,
                    ..problem.start(&*metric)
                };
                let broken = start.look(|at| {
                    let row = |estimator| Row {
                        direction: Box::new(Sketched {
                            estimator,
                            kind: ProbeKind::Orthonormal,
                            probes: at.root.unwrap().lifted_dim(),
                            seed: 3,
                        }),
                        reference: Reference::DiagonalOfG,
                    };
                    let published = Estimator::Published(Length::Corrected);
                    let estimators = [Estimator::Geometry, Estimator::Solve, published];
                    let looks = estimators.map(|estimator| judge(at, &row(estimator)).1);
                    looks.concat()
                });
                let place = format!("{}, {}", problem.name, metric.name());
                assert!(broken.is_empty(), "{place}: {broken:#?}");
            }
        }
    }
}
