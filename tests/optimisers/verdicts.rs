//! Runs that seem to be at a minimum and are not: none of them may say that it has converged.

use pullback::automatic::{Curve, Formula, Scalar};
use pullback::direction::{Lbfgs, LeastSquares, Momentum, NonlinearCg};
use pullback::loss::L2Misfit;
use pullback::step::{Fixed, StrongWolfe};
use pullback::{Bounds, Descent, Direction, Report};

/// Problem of the two roots of Freudenstein and Roth (1963), with a minimum of 48.98 that is no root.
struct TwoRoots;

impl Formula for TwoRoots {
    fn dims(&self) -> (usize, usize) {
        (2, 2)
    }

    fn values<S: Scalar>(&self, x: &[S], out: &mut [S]) {
        out[0] = x[0] - 13.0 + ((x[1] * -1.0 + 5.0) * x[1] - 2.0) * x[1];
        out[1] = x[0] - 29.0 + ((x[1] + 1.0) * x[1] - 14.0) * x[1];
    }
}

/// A decay whose three parameters have units twelve orders of magnitude apart.
struct Units;

impl Formula for Units {
    fn dims(&self) -> (usize, usize) {
        (40, 3)
    }

    fn values<S: Scalar>(&self, p: &[S], out: &mut [S]) {
        for (i, y) in out.iter_mut().enumerate() {
            let t = 3.0 * i as f64 / 39.0;
            *y = p[0] * (p[1] * (-1e6 * t)).exp() + p[2];
        }
    }
}

fn run<F: Formula>(curve: F, start: &[f64], direction: &dyn Direction, data: Vec<f64>) -> Report {
    let (curve, loss) = (Curve::new(curve), L2Misfit::euclidean(data).unwrap());
    let wolfe = StrongWolfe::close();
    let descent = Descent::new(&curve, &loss)
        .direction(direction)
        .step(&wolfe);
    descent.run(start, |_| ()).unwrap()
}

#[test]
fn a_conjugate_direction_counts_what_its_inner_direction_has_left() {
    let inner = LeastSquares::default();
    let direction = NonlinearCg::new(&inner);
    let report = run(TwoRoots, &[0.5, -2.0], &direction, vec![0.0; 2]);
    // Twice the objective is the sum of squares, 48.98 at its local minimum and 0 at the root.
    let squares = 2.0 * report.loss;
    let there = (squares - 48.984).abs() < 1e-3 || squares < 1e-12;
    assert!(there || !report.converged(), "{report}");
}

#[test]
fn directions_that_learn_do_not_end_before_they_have_learnt_of_every_parameter() {
    let truth = [1e6, 1e-6, 2e5];
    let mut data = vec![0.0; 40];
    Units.values(&truth, &mut data);
    let (lbfgs, conjugate) = (Lbfgs::default(), NonlinearCg::default());
    let directions: [&dyn Direction; 2] = [&lbfgs, &conjugate];
    for direction in directions {
        let report = run(Units, &[7e5, 1.5e-6, 1e5], direction, data.clone());
        let mut off = report
            .theta
            .iter()
            .zip(truth)
            .map(|(x, t)| (x / t - 1.0).abs());
        assert!(!report.converged() || off.all(|e| e < 1e-3), "{report}");
    }
}

#[test]
fn momentum_that_swings_through_small_steps_goes_on_to_the_minimum() {
    /// Rosenbrock's valley.
    struct Valley;

    impl Formula for Valley {
        fn dims(&self) -> (usize, usize) {
            (2, 2)
        }

        fn values<S: Scalar>(&self, x: &[S], out: &mut [S]) {
            out[0] = (x[1] - x[0] * x[0]) * 10.0;
            out[1] = -x[0] + 1.0;
        }
    }
    let (curve, loss) = (
        Curve::new(Valley),
        L2Misfit::euclidean(vec![0.0; 2]).unwrap(),
    );
    let inner = LeastSquares::default();
    let (momentum, rate) = (Momentum::new(&inner), Fixed { scale: 0.1 });
    let bounds = Bounds::new(vec![-2.0, -2.0], vec![2.0, 0.2]).unwrap();
    let descent = Descent::new(&curve, &loss).bounds(&bounds);
    let descent = descent.direction(&momentum).step(&rate);
    let report = descent.run(&[-1.2, 0.1], |_| ()).unwrap();
    // SciPy's minimum in this box.
    let off = (report.theta[0] - 0.453_93).abs();
    assert!(report.converged() && off < 1e-4, "{report}");
}

#[test]
fn a_cut_off_that_leaves_something_out_is_named() {
    /// Two parameters with nearly the same effect.
    struct Twins;

    impl Formula for Twins {
        fn dims(&self) -> (usize, usize) {
            (2, 2)
        }

        fn values<S: Scalar>(&self, t: &[S], out: &mut [S]) {
            out[0] = t[0] + t[1];
            out[1] = (t[0] - t[1]) * 1e-3;
        }
    }
    let remarks = |cutoff: f64| {
        let direction = LeastSquares {
            cutoff,
            ..LeastSquares::default()
        };
        let (curve, loss) = (
            Curve::new(Twins),
            L2Misfit::euclidean(vec![3.0, 1e-3]).unwrap(),
        );
        let descent = Descent::new(&curve, &loss).direction(&direction);
        let report = descent.run(&[0.0, 0.0], |_| ()).unwrap();
        report.to_string()
    };
    assert!(remarks(1e-2).contains("not fitted"), "{}", remarks(1e-2));
    assert!(!remarks(1e-6).contains("not fitted"), "{}", remarks(1e-6));
}
