//! Models of servers that this library did not write.

use pullback::faer::{Mat, MatRef, mat};
use pullback::{Cpu, Descent, Model, direction::Newton, loss::L2Misfit, verify};
use pullback_umbridge::{Error, Remote};

use crate::by_hand::{ByHand, hessian, jacobian, values};

const THETA: [f64; 3] = [1.5, 0.7, -2.0];

fn error_of(found: &Mat<f64>, expected: &Mat<f64>) -> f64 {
    assert_eq!(found.shape(), expected.shape());
    (found - expected).norm_max()
}

/// Compares products with the derivative, written by hand, and returns the number of requests for both.
fn compare(server: ByHand, prepare: impl Fn(Remote) -> Remote, tolerance: f64) -> usize {
    let (_, requests) = server.beside(|url| {
        let model = prepare(Remote::connect(url, "by hand").unwrap());
        assert_eq!((model.state_dim(), model.param_dim()), (3, 3));
        let cpu = Cpu::default();
        let z = model.linearise(&[0.0; 3], &THETA, &cpu).unwrap();
        let whole = jacobian(&THETA);
        let whole = Mat::from_fn(3, 3, |i, j| whole[i][j]);
        let batch = mat![[1.0, -0.3], [0.2, 2.0], [0.4, 0.1]];
        let found = z.tangent(batch.as_ref()).unwrap();
        assert!(error_of(&found, &(&whole * &batch)) < tolerance);
        let found = z.adjoint(batch.clone().into()).unwrap();
        assert!(error_of(&found, &(whole.transpose() * &batch)) < tolerance);
    });
    requests
}

#[test]
fn derivatives_are_those_of_the_formula_whatever_the_server_has() {
    let all = ByHand {
        gradient: true,
        jacobian: true,
        ..ByHand::default()
    };
    // Two columns, and two by two blocks that are not empty, for both products.
    assert_eq!(compare(all, |model| model, 1e-15), 2 * 8);
    assert_eq!(compare(all, |model| model.parallel(3), 1e-15), 2 * 8);
    let tangents = ByHand {
        gradient: false,
        ..all
    };
    assert_eq!(compare(tangents, |model| model, 1e-15), 8 + 12);
    let gradients = ByHand {
        jacobian: false,
        ..all
    };
    assert_eq!(compare(gradients, |model| model, 1e-15), 8 + 12);
    let none = ByHand::default();
    // Central differences have an error of h² f‴/6 + ε/h.
    assert_eq!(compare(none, |model| model.differences(1e-5), 1e-9), 6);
}

#[test]
fn second_derivatives_are_those_of_the_formula() {
    let server = ByHand {
        gradient: true,
        jacobian: true,
        hessian: true,
        ..ByHand::default()
    };
    server.beside(|url| {
        let model = Remote::connect(url, "by hand").unwrap();
        let cpu = Cpu::default();
        let z = model.linearise(&[0.0; 3], &THETA, &cpu).unwrap();
        let w = [0.3, -0.8, 1.7];
        let v = mat![[0.4], [1.1], [-0.6]];
        let curvature = z.curvature(&w).unwrap().unwrap();
        let [s, c] = curvature
            .terms(v.as_ref(), MatRef::from_column_major_slice(&[0.0; 3], 3, 1))
            .unwrap();
        assert_eq!(s, Mat::<f64>::zeros(3, 1));
        for j in 0..3 {
            let terms = (0..3).flat_map(|i| (0..3).map(move |l| (i, l)));
            let expected: f64 = terms
                .map(|(i, l)| w[i] * hessian(&THETA, i)[j][l] * v[(l, 0)])
                .sum();
            assert!((c[(j, 0)] - expected).abs() < 1e-15);
        }
    });
}

#[test]
fn fits_reach_the_truth_with_and_without_second_derivatives() {
    let server = ByHand {
        gradient: true,
        jacobian: true,
        hessian: true,
        ..ByHand::default()
    };
    server.beside(|url| {
        let model = Remote::connect(url, "by hand").unwrap();
        assert!(verify::model(&model, &THETA, 1).unwrap().passed());
        let loss = L2Misfit::euclidean(values(&THETA).to_vec()).unwrap();
        let start = [1.3, 0.8, -1.7];
        let newton = Newton::default();
        for descent in [
            Descent::new(&model, &loss),
            Descent::new(&model, &loss).direction(&newton),
        ] {
            let report = descent.run(&start, |_| ()).unwrap();
            let error = report
                .theta
                .iter()
                .zip(&THETA)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f64::max);
            assert!(report.converged() && error < 1e-8, "{report}");
        }
    });
}

#[test]
fn values_are_asked_for_once() {
    let (_, requests) = ByHand::default().beside(|url| {
        let model = Remote::connect(url, "by hand").unwrap();
        let mut rho = [0.0; 3];
        model.solve(&THETA, &mut rho, &Cpu::default()).unwrap();
        assert_eq!(rho, values(&THETA));
        let mut out = [1.0; 3];
        model.residual(&rho, &THETA, &mut out);
        assert_eq!(out, [0.0; 3]);
    });
    assert_eq!(requests, 1);
}

#[test]
fn failures_of_the_server_are_told() {
    let failure = |server: ByHand, act: &dyn Fn(Remote) -> pullback::Result<()>| {
        let (found, _) = server.beside(|url| act(Remote::connect(url, "by hand").unwrap()));
        found.unwrap_err()
    };
    let cpu = Cpu::default();
    let solve =
        |theta: [f64; 3]| move |model: Remote| model.solve(&theta, &mut [0.0; 3], &Cpu::default());
    let error = failure(ByHand::default(), &solve([101.0, 0.0, 0.0]));
    assert!(
        matches!(error.of::<Error>(), Some(Error::Refused { message, .. }) if message == "a is too large"),
        "{error}"
    );
    let short = ByHand {
        short: true,
        ..ByHand::default()
    };
    let error = failure(short, &solve(THETA));
    assert!(
        matches!(
            error.of::<Error>(),
            Some(Error::Size {
                expected: 3,
                found: 2,
                ..
            })
        ),
        "{error}"
    );
    let error = failure(ByHand::default(), &|model| {
        model.linearise(&[0.0; 3], &THETA, &cpu).map(|_| ())
    });
    assert!(
        matches!(error.of::<Error>(), Some(Error::Unsupported { .. })),
        "{error}"
    );
    // A step that is no step is no way to derivatives.
    for step in [0.0, -1e-5, f64::NAN] {
        let error = failure(ByHand::default(), &|model| {
            model
                .differences(step)
                .linearise(&[0.0; 3], &THETA, &cpu)
                .map(|_| ())
        });
        assert!(
            matches!(error.of::<Error>(), Some(Error::Unsupported { .. })),
            "{error}"
        );
    }
    // Where no error can be returned, the reason is kept.
    let (found, _) = ByHand::default().beside(|url| {
        let model = Remote::connect(url, "by hand").unwrap();
        let mut out = [0.0; 3];
        model.residual(&[0.0; 3], &[101.0, 0.0, 0.0], &mut out);
        assert!(out.iter().all(|g| g.is_nan()));
        (
            model.diagnose(&[], &[]).unwrap_err(),
            model.diagnose(&[], &[]),
        )
    });
    assert!(matches!(found.0.of::<Error>(), Some(Error::Refused { .. })) && found.1.is_ok());
}
