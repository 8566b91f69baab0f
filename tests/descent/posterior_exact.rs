//! Posteriors by the exact Hessian: against dense references, and their refusal of saddles.

use crate::support::{Reaction, gap, reference_solve};
use pullback::automatic::{Curve, Formula, Scalar};
use pullback::direction::{HessianError, Newton};
use pullback::faer::Mat;
use pullback::loss::L2Misfit;
use pullback::posterior::{Posterior, Rank};
use pullback::prior::Tikhonov;
use pullback::{Cpu, Descent, Linearisation, Model, Noise};

const P: usize = 6;

fn exact(rank: usize) -> Rank {
    Rank {
        rank,
        exact: true,
        ..Rank::default()
    }
}

/// A fit with a large residual, and a prior of deviation 0.7.
fn problem() -> (Reaction, L2Misfit, Tikhonov) {
    let target = (0..12).map(|i| 1.5 * (i as f64).cos()).collect();
    let prior = Tikhonov::new(vec![0.2; P], Noise::uniform(P, 0.7).unwrap()).unwrap();
    let loss = L2Misfit::euclidean(target).unwrap();
    (Reaction::new(12, P, 3), loss, prior)
}

/// ZᵀZ + Σ uⱼ ∂²ρⱼ/∂θ² + C.
fn hessian(model: &Reaction, loss: &L2Misfit, theta: &[f64]) -> Mat<f64> {
    let mut rho = vec![0.0; 12];
    model.solve(theta, &mut rho, Cpu::shared()).unwrap();
    let z = Linearisation::new(model, &rho, theta, Cpu::shared()).unwrap();
    let mut u = vec![0.0; 12];
    pullback::Loss::gradient(loss, &rho, &mut u);
    let identity = Mat::<f64>::identity(P, P);
    let curved = z.curvature(&u).unwrap().unwrap();
    let bent = curved.product(identity.as_ref()).unwrap();
    let z = z.matrix().unwrap();
    z.transpose() * z + bent + pullback::faer::Scale(0.49_f64.recip()) * identity
}

#[test]
fn the_covariance_is_the_inverse_of_the_exact_hessian() {
    let (model, loss, prior) = problem();
    let newton = Newton::default();
    let descent = Descent::new(&model, &loss).prior(&prior).direction(&newton);
    let theta = descent.run(&[0.0; P], |_| ()).unwrap().theta;
    let posterior = descent.posterior(&theta, exact(P)).unwrap();
    let identity = Mat::<f64>::identity(P, P);
    let inverse = reference_solve(hessian(&model, &loss, &theta).as_ref(), identity.as_ref());
    let expected: Vec<f64> = (0..P).map(|i| inverse[(i, i)]).collect();
    let error = gap(&posterior.variances().unwrap(), &expected);
    assert!(error < 1e-10, "{error:.1e}");
    // One adjoint for the multipliers, and one pass of P products.
    assert_eq!(posterior.solves(), 1 + 2 * P);
    assert_eq!(posterior.left_out(), 0.0);
    let plain = descent
        .posterior(
            &theta,
            Rank {
                rank: P,
                ..Rank::default()
            },
        )
        .unwrap();
    let difference = gap(&plain.variances().unwrap(), &expected);
    assert!(
        difference > 1e-3,
        "the curvature of the model counts: {difference:.1e}"
    );
    let samples = posterior.samples(4000, 3).unwrap();
    for i in 0..P {
        let deviations = (0..4000).map(|j| (samples[(i, j)] - theta[i]).powi(2));
        let variance = deviations.sum::<f64>() / 4000.0;
        assert!(
            (variance / expected[i] - 1.0).abs() < 0.15,
            "{i}: {variance} {}",
            expected[i]
        );
    }
}

/// Few columns find the leading pairs, of either sign.
#[test]
fn few_eigenpairs_are_those_of_largest_magnitude() {
    let (model, loss, prior) = problem();
    let theta = [0.3, -0.2, 0.5, 0.1, 0.0, 0.4];
    let descent = Descent::new(&model, &loss).prior(&prior);
    let values = |rank| -> Vec<f64> {
        let rank = Rank {
            oversampling: 2,
            ..exact(rank)
        };
        let posterior: Posterior<'_> = descent.posterior(&theta, rank).unwrap();
        posterior.eigenvalues().to_vec()
    };
    let (all, few) = (values(P), values(2));
    println!("{all:?}");
    assert!(all.windows(2).all(|pair| pair[0].abs() >= pair[1].abs()));
    assert!((few[0] / all[0] - 1.0).abs() < 0.05, "{few:?} {all:?}");
}

/// ρ = θ² − 1, a saddle (in one dimension a maximum) at 0.
struct Wells;

impl Formula for Wells {
    fn dims(&self) -> (usize, usize) {
        (1, 1)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out[0] = theta[0] * theta[0] - 1.0;
    }
}

#[test]
fn an_indefinite_hessian_has_no_posterior() {
    let (curve, loss) = (Curve::new(Wells), L2Misfit::euclidean(vec![0.0]).unwrap());
    let prior = Tikhonov::new(vec![0.0], Noise::uniform(1, 1.0).unwrap()).unwrap();
    let descent = Descent::new(&curve, &loss).prior(&prior);
    // f″ = 6θ² − 2 = −2 at 0, and C = 1.
    let error = descent.posterior(&[0.0], exact(1)).err().unwrap();
    match error.of() {
        Some(HessianError::Indefinite { eigenvalue }) => assert!((eigenvalue + 1.0).abs() < 1e-12),
        _ => panic!("{error}"),
    }
    assert!(error.to_string().contains("at a minimum"), "{error}");
    // Where the data only make the prior flatter, variances grow.
    let posterior = descent.posterior(&[0.5], exact(1)).unwrap();
    assert!((posterior.variances().unwrap()[0] - 2.0).abs() < 1e-12);
    assert!(posterior.eigenvalues()[0] < 0.0);
    assert!(descent.posterior(&[0.0], Rank::default()).is_ok());
}
