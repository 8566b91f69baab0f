//! Steps whose decrease is hidden by the rounding of the objective.

use crate::nist_sets::Set;
use pullback::automatic::{Curve, Formula, Scalar};
use pullback::direction::{ConjugateGradient, LeastSquares};
use pullback::loss::L2Misfit;
use pullback::multistart::MultiStart;
use pullback::{Bounds, Descent, Direction, Transform};

/// Points on a parabola with the vertex at θ = 1.
struct Parabola;

impl Formula for Parabola {
    fn dims(&self) -> (usize, usize) {
        (2, 1)
    }

    fn values<S: Scalar>(&self, t: &[S], out: &mut [S]) {
        let off = t[0] - 1.0;
        out[0] = off;
        out[1] = off * off;
    }
}

/// With data at a depth d below the vertex, H = 1 + 2d where the Gauss-Newton Hessian is 1. A full step leads to −2d times the
/// error, which grows for d > ½. The objective is ½d² plus ½H times the square of the error, and shows no error below
/// d 10⁻⁸.
#[test]
fn steps_that_overshoot_within_rounding_are_shortened() {
    let curve = Curve::new(Parabola);
    let (least_squares, krylov) = (LeastSquares::default(), ConjugateGradient::default());
    for depth in [0.45, 0.5, 0.55, 0.7, 1.0, 3.0, 10.0, 100.0] {
        let loss = L2Misfit::euclidean(vec![0.0, -depth]).unwrap();
        for direction in [&least_squares as &dyn Direction, &krylov] {
            for start in [0.3, 0.9, 1.1, 1.3] {
                let descent = Descent::new(&curve, &loss).direction(direction);
                let report = descent.run(&[start], |_| ()).unwrap();
                assert!(report.converged(), "{depth} {start}: {report}");
                // The tests of decrease and loss leave at most ½ error² = 1e-14 f.
                let error = (report.theta[0] - 1.0).abs();
                assert!(error <= 1e-7 * depth, "{depth} {start}: {error:e} {report}");
                assert!(report.iterations() <= 100, "{depth} {start}: {report}");
            }
        }
    }
}

/// Two unknown periods, of which most starts find poor optima.
#[test]
fn fits_with_large_residuals_converge_with_default_tolerances() {
    let set = Set::named("ENSO");
    let (curve, loss) = (set.curve(), L2Misfit::euclidean(set.y.clone()).unwrap());
    let mut transforms = vec![Transform::Identity; 9];
    (transforms[3], transforms[6]) = (Transform::Log, Transform::Log);
    let boxed = |rest: [f64; 2]| {
        let side = |end: usize| -> Vec<f64> {
            let entry = |i: usize| [rest, [15.0, 168.0]][usize::from([3, 6].contains(&i))][end];
            (0..9).map(entry).collect()
        };
        Bounds::new(side(0), side(1)).unwrap()
    };
    let bounds = boxed([f64::NEG_INFINITY, f64::INFINITY]);
    let descent = Descent::new(&curve, &loss)
        .transforms(&transforms)
        .bounds(&bounds);
    let summary = MultiStart::new(&descent)
        .within(&boxed([-2.0, 2.0]), 60)
        .run(|_| ())
        .unwrap();
    assert_eq!((summary.fits().len(), summary.failures().len()), (60, 0));
    for fit in summary.fits() {
        // Two periods may tend to each other, and the amplitudes of their waves to infinity.
        let report = &fit.report;
        let diverges = report.theta[4].abs() > 50.0;
        assert!(report.converged() || diverges, "{:?}: {report}", fit.from);
    }
    assert!(summary.converged() >= 58, "{summary}");
}
