//! Natural directions do not depend on how parameters are written, nor on parameters that do nothing new.

use crate::support::problems::{Problem, Start, exact_directions, metrics, problems, proposal};
use crate::support::{column, definite, gap, identity, reference_vector};
use pullback::direction::{Damping, Information, LeastSquares};
use pullback::faer::Mat;
use pullback::{Backend, Error, Metric, Model, Operator, Result};

/// Parameters θ = T φ of another model.
struct Mapped<'m>(&'m dyn Model, Mat<f64>);

impl Mapped<'_> {
    fn theta(&self, phi: &[f64]) -> Vec<f64> {
        (&self.1 * column(phi)).col_as_slice(0).to_vec()
    }
}

impl Model for Mapped<'_> {
    fn state_dim(&self) -> usize {
        self.0.state_dim()
    }
    fn param_dim(&self) -> usize {
        self.1.ncols()
    }
    fn residual(&self, rho: &[f64], phi: &[f64], out: &mut [f64]) {
        self.0.residual(rho, &self.theta(phi), out);
    }
    fn state_jacobian<'a>(&'a self, rho: &'a [f64], phi: &'a [f64]) -> Operator<'a> {
        Operator::dense(self.0.state_jacobian(rho, &self.theta(phi)).to_dense())
    }
    fn param_jacobian<'a>(&'a self, rho: &'a [f64], phi: &'a [f64]) -> Operator<'a> {
        let c = self.0.param_jacobian(rho, &self.theta(phi)).to_dense();
        Operator::dense(c * &self.1)
    }
    fn solve(&self, phi: &[f64], rho: &mut [f64], backend: &dyn Backend) -> Result<()> {
        self.0.solve(&self.theta(phi), rho, backend)
    }
}

/// Steps by both exact directions in the coordinates φ, translated back: T η_φ.
fn steps_in(problem: &Problem, metric: &dyn Metric, map: &Mat<f64>, lambda: f64) -> [Vec<f64>; 2] {
    let phi = reference_vector(map.as_ref(), &problem.theta);
    let mapped = Mapped(problem.model.as_ref(), map.clone());
    let start = Start {
        model: &mapped,
        theta: &phi,
        ..problem.start(metric)
    };
    start.look(|at| {
        exact_directions(Damping::Diagonal).map(|direction| {
            let eta = proposal(direction.as_ref(), at, lambda).unwrap().eta;
            mapped.theta(&eta)
        })
    })
}

/// η_θ = T η_φ: for every T without damping, and for diagonal T with damping in proportion to diag G.
#[test]
fn natural_directions_do_not_depend_on_the_parameters() {
    let units = [1e-3, 20.0, 1.0, 4e2];
    let diagonal = Mat::from_fn(4, 4, |i, j| if i == j { units[i] } else { 0.0 });
    let maps = [
        (definite(4, 41), 0.0),
        (diagonal.clone(), 0.0),
        (diagonal, 0.3),
    ];
    for problem in problems() {
        for metric in metrics(&problem.grid) {
            for (map, lambda) in &maps {
                let plain = steps_in(&problem, &*metric, &identity(4), *lambda);
                let mapped = steps_in(&problem, &*metric, map, *lambda);
                for (eta, other) in plain.iter().zip(&mapped) {
                    let off = gap(other, eta);
                    let place = format!("{}, {}, λ = {lambda}", problem.name, metric.name());
                    assert!(off < 1e-10, "{place}: off by {off:e}");
                }
            }
        }
    }
}

/// Parameters 0 and 4 do the same, and parameter 5 does nothing.
fn redundant() -> Mat<f64> {
    Mat::from_fn(4, 6, |i, j| {
        f64::from(u8::from(i == j || (i == 0 && j == 4)))
    })
}

#[test]
fn parameters_that_cannot_be_told_apart_share_the_step() {
    for problem in problems() {
        let mapped = Mapped(problem.model.as_ref(), redundant());
        let mut phi = problem.theta.clone();
        phi.extend([0.0, 0.7]);
        for metric in metrics(&problem.grid) {
            let place = format!("{}, {}", problem.name, metric.name());
            let [eta, _] = steps_in(&problem, &*metric, &identity(4), 0.0);
            let start = Start {
                model: &mapped,
                theta: &phi,
                ..problem.start(&*metric)
            };
            let (squares, damped, information) = start.look(|at| {
                let squares = LeastSquares::default();
                (
                    proposal(&squares, at, 0.0).unwrap(),
                    proposal(&squares, at, 1e-2).unwrap(),
                    proposal(&Information::default(), at, 1e-2).unwrap(),
                )
            });
            let half = 0.5 * eta[0];
            let shared = [half, eta[1], eta[2], eta[3], half, 0.0];
            let off = gap(&squares.eta, &shared);
            assert!(off < 1e-10, "{place}: {off:e}");
            assert_eq!(squares.rank, 4, "{place}");
            assert!(gap(&information.eta, &damped.eta) < 1e-10, "{place}");
            for proposal in [squares, damped, information] {
                assert!(
                    gap(&proposal.eta[..1], &proposal.eta[4..5]) < 1e-10,
                    "{place}"
                );
                assert_eq!(proposal.eta[5], 0.0, "{place}");
            }
        }
    }
}

/// Cholesky of a singular matrix may meet a last pivot of 10⁻¹⁶ instead of 0, which must not pass.
#[test]
fn the_undamped_information_matrix_refuses_what_cannot_be_told_apart() {
    let column = |last: [f64; 4]| {
        Mat::from_fn(4, 5, |i, j| match j {
            4 => last[i],
            _ => f64::from(u8::from(i == j)),
        })
    };
    let mut accepted = Vec::new();
    for (which, last) in [
        ("mixed", [0.3, 0.6, 0.9, 1.2]),
        ("copied", [1.0, 0.0, 0.0, 0.0]),
        ("idle", [0.0; 4]),
    ] {
        let map = column(last);
        for problem in problems() {
            let mapped = Mapped(problem.model.as_ref(), map.clone());
            let mut phi = problem.theta.clone();
            phi.push(0.0);
            for metric in metrics(&problem.grid) {
                let start = Start {
                    model: &mapped,
                    theta: &phi,
                    ..problem.start(&*metric)
                };
                let (found, squares) = start.look(|at| {
                    let squares = LeastSquares::default();
                    (
                        proposal(&Information::default(), at, 0.0),
                        proposal(&squares, at, 0.0).unwrap(),
                    )
                });
                assert_eq!(
                    squares.rank,
                    4,
                    "{which} {} {}",
                    problem.name,
                    metric.name()
                );
                if !matches!(found, Err(Error::NotPositiveDefinite { .. })) {
                    accepted.push((which, problem.name, metric.name(), found));
                }
            }
        }
    }
    assert!(accepted.is_empty(), "{accepted:#?}");
}
