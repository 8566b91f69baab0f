//! What conjugate gradients keep from step to step fits the step it is used in.

use crate::support::{Explicit, column};
use pullback::descent::Tolerances;
use pullback::direction::{ConjugateGradient, LeastSquares, Nystrom, Preconditioner};
use pullback::loss::Observations;
use pullback::prior::{Quadratic, Tikhonov};
use pullback::{Descent, Direction, Noise, Operator, Prior, Report, Result, Transform, random};

const P: usize = 12;
const ROWS: usize = 8;

/// Data of a θ between a half and two.
fn problem() -> (Explicit, Observations) {
    let f = random::normal_matrix(ROWS, P, 5);
    let truth: Vec<f64> = (0..P).map(|i| 0.5 + 1.5 * i as f64 / P as f64).collect();
    let data = (&f * column(&truth)).col_as_slice(0).to_vec();
    let noise = Noise::uniform(ROWS, 0.1).unwrap();
    let loss = Observations::new(Operator::identity(ROWS), data, noise).unwrap();
    (Explicit(f), loss)
}

fn nystrom() -> ConjugateGradient<'static> {
    ConjugateGradient {
        preconditioner: Preconditioner::Nystrom(Nystrom {
            rank: 5,
            oversampling: 3,
            seed: 1,
        }),
        ..ConjugateGradient::default()
    }
}

fn run(direction: &dyn Direction, prior: &dyn Prior, transforms: &[Transform]) -> Report {
    let (model, loss) = problem();
    let descent = Descent::new(&model, &loss).prior(prior);
    let tolerances = Tolerances {
        iterations: 300,
        ..Tolerances::default()
    };
    let descent = descent.direction(direction).transforms(transforms);
    descent
        .tolerances(tolerances)
        .run(&[1.0; P], |_| ())
        .unwrap()
}

fn same_minimum(prior: &dyn Prior, transforms: &[Transform]) {
    let exact = run(&LeastSquares::default(), prior, transforms);
    let found = run(&nystrom(), prior, transforms);
    assert!(exact.converged() && found.converged(), "{exact}\n{found}");
    let off = (found.loss - exact.loss) / exact.loss;
    assert!(off.abs() < 1e-6, "{exact}\n{found}");
}

#[test]
fn pairs_follow_the_coordinates() {
    let prior = Noise::uniform(P, 3.0).unwrap();
    let prior = Tikhonov::new(vec![1.0; P], prior).unwrap();
    same_minimum(&prior, &[Transform::Log; P]);
    same_minimum(&prior, &[Transform::Identity; P]);
}

/// s(θ) = 2 θ + θ³/3, much stiffer where θ is large.
struct Stiffening;

impl Prior for Stiffening {
    fn at(&self, theta: &[f64]) -> Result<Quadratic<'_>> {
        let slopes: Vec<f64> = theta.iter().map(|t| 2.0 + t * t).collect();
        let residual = theta.iter().map(|t| 2.0 * t + t.powi(3) / 3.0).collect();
        Quadratic::squares(Operator::diagonal(slopes), residual)
    }
}

#[test]
fn pairs_are_found_anew_where_the_precision_changes() {
    same_minimum(&Stiffening, &[Transform::Identity; P]);
}

/// ½ ‖(θ − 1)/3‖², known by its root alone.
struct AboutOne;

impl Prior for AboutOne {
    fn at(&self, theta: &[f64]) -> Result<Quadratic<'_>> {
        let residual = theta.iter().map(|t| (t - 1.0) / 3.0).collect();
        Quadratic::squares(Operator::diagonal(vec![1.0 / 3.0; P]), residual)
    }

    fn is_affine(&self) -> bool {
        true
    }
}

/// C⁻¹ = S⁻¹ (PᵀP)⁻¹ S⁻¹ for slopes S of transforms. A prior that knows C⁻¹ factorises nothing.
#[test]
fn a_precision_is_factorised_once_whatever_the_transforms() {
    let known = Tikhonov::new(vec![1.0; P], Noise::uniform(P, 3.0).unwrap()).unwrap();
    let priors: [(&dyn Prior, usize); 2] = [(&AboutOne, 1), (&known, 0)];
    for (prior, factorisations) in priors {
        let report = run(&nystrom(), prior, &[Transform::Log; P]);
        assert!(report.iterations() > 1, "{report}");
        assert_eq!(report.counts.system_factorisations, factorisations);
    }
}
