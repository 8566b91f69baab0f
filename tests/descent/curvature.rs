//! Curvatures of problems with transforms and bounds.

use crate::support::{identity, matrix_gap};
use pullback::automatic::{Curve, Formula, Scalar};
use pullback::curvature::{Curvature, Kind};
use pullback::faer::{Mat, MatRef};
use pullback::loss::Observations;
use pullback::prior::Tikhonov;
use pullback::{Bounds, Cpu, Descent, Error, Linearisation, Loss, Model, Noise, Prior, Transform};

/// y = a exp(−b t) + c at six times.
struct Decay;

impl Formula for Decay {
    fn dims(&self) -> (usize, usize) {
        (6, 3)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        for (i, y) in out.iter_mut().enumerate() {
            *y = theta[0] * (theta[1] * (-0.4 * i as f64)).exp() + theta[2];
        }
    }
}

const THETA: [f64; 3] = [2.0, 0.7, 0.4];

fn loss() -> Observations {
    let data = [2.6, 1.8, 1.5, 1.4, 0.9, 0.8];
    Observations::present(&data, &Noise::uniform(6, 0.2).unwrap()).unwrap()
}

fn matrix(descent: &Descent<'_>, kind: Kind) -> Mat<f64> {
    let whole = |h: &dyn Curvature| h.product(identity(3).as_ref());
    descent.curvature(&THETA, kind, whole).unwrap()
}

/// D A D.
fn scaled(a: MatRef<'_, f64>, d: [f64; 3]) -> Mat<f64> {
    Mat::from_fn(3, 3, |i, j| d[i] * a[(i, j)] * d[j])
}

#[test]
fn with_transforms_it_is_that_of_the_transformed_parameters() {
    let (model, loss) = (Curve::new(Decay), loss());
    let prior = Tikhonov::new(
        vec![1.0; 3],
        Noise::deviations(vec![0.5, 1.0, 2.0]).unwrap(),
    );
    let prior = prior.unwrap();
    let plain = Descent::new(&model, &loss).prior(&prior as &dyn Prior);
    let logit = Transform::Logit {
        lower: 0.0,
        upper: 1.0,
    };
    let transforms = [Transform::Log, logit, Transform::Identity];
    let moved = Descent::new(&model, &loss)
        .prior(&prior as &dyn Prior)
        .transforms(&transforms);
    // ∂θ/∂τ is θ for θ = e^τ and θ(1 − θ) for θ = 1/(1 + e^−τ), and the second derivatives are θ and θ(1 − θ)(1 − 2θ).
    let [a, b, _] = THETA;
    let first = [a, b * (1.0 - b), 1.0];
    let second = [a, b * (1.0 - b) * (1.0 - 2.0 * b), 0.0];
    for kind in [Kind::Information, Kind::GaussNewton] {
        let expected = scaled(matrix(&plain, kind).as_ref(), first);
        let off = matrix_gap(matrix(&moved, kind).as_ref(), expected.as_ref());
        assert!(off < 1e-13, "{kind:?}: {off:e}");
    }
    // The exact second derivative has the gradient besides: D H D + diag(θ″ ∘ ∇).
    let cpu = Cpu::default();
    let mut rho = vec![0.0; 6];
    model.solve(&THETA, &mut rho, &cpu).unwrap();
    let mut covector = vec![0.0; 6];
    loss.gradient(&rho, &mut covector);
    let z = Linearisation::new(&model, &rho, &THETA, &cpu).unwrap();
    let mut gradient = z.pull_back(&covector).unwrap();
    for (g, p) in gradient
        .iter_mut()
        .zip(prior.at(&THETA).unwrap().gradient())
    {
        *g += p;
    }
    let mut expected = scaled(matrix(&plain, Kind::Exact).as_ref(), first);
    (0..3).for_each(|i| expected[(i, i)] += second[i] * gradient[i]);
    let off = matrix_gap(matrix(&moved, Kind::Exact).as_ref(), expected.as_ref());
    assert!(off < 1e-12, "{off:e}");
}

#[test]
fn bounds_leave_it_as_it_is_also_where_they_hold_a_parameter() {
    let (model, loss) = (Curve::new(Decay), loss());
    let plain = Descent::new(&model, &loss);
    // The first parameter is at its bound, and the second is fixed by equal ones.
    let bounds = Bounds::new(vec![2.0, 0.7, -1.0], vec![5.0, 0.7, 1.0]).unwrap();
    let bounded = Descent::new(&model, &loss).bounds(&bounds);
    for kind in [Kind::Information, Kind::GaussNewton, Kind::Exact] {
        assert_eq!(matrix(&bounded, kind), matrix(&plain, kind), "{kind:?}");
    }
    let outside = Bounds::new(vec![3.0, 0.0, 0.0], vec![5.0, 1.0, 1.0]).unwrap();
    let refused = Descent::new(&model, &loss).bounds(&outside);
    let dim = |h: &dyn Curvature| Ok(h.dim());
    let error = refused
        .curvature(&THETA, Kind::Information, dim)
        .unwrap_err();
    assert!(
        matches!(error, Error::OutOfRange { index: 0, .. }),
        "{error}"
    );
}
