//! Newton's method at saddles and on lines of symmetry, where the gradient has no component along negative curvature.

use pullback::automatic::{Curve, Formula, Scalar};
use pullback::descent::Stop;
use pullback::direction::{LeastSquares, Newton};
use pullback::loss::L2Misfit;
use pullback::prior::Tikhonov;
use pullback::step::{Armijo, TrustRatio};
use pullback::{Bounds, Descent, Noise, StepRule, Transform};

/// ρ = (θ₀² − 1, θ₁ − ½, 0.3 θ₀θ₁) with data 0: minima at θ₀ = ±1, and a saddle at θ₀ = 0.
struct Ridge;

impl Formula for Ridge {
    fn dims(&self) -> (usize, usize) {
        (3, 2)
    }

    fn values<S: Scalar>(&self, t: &[S], out: &mut [S]) {
        out[0] = t[0] * t[0] - 1.0;
        out[1] = t[1] - 0.5;
        out[2] = t[0] * t[1] * 0.3;
    }
}

fn loss() -> L2Misfit {
    L2Misfit::euclidean(vec![0.0; 3]).unwrap()
}

/// Starts with θ₀ = 0 keep it in every step along the gradient. The second start is the saddle.
const STARTS: [[f64; 2]; 3] = [[0.0, -2.0], [0.0, 0.5], [0.0, 0.500_000_1]];

#[test]
fn newton_leaves_saddles_to_which_symmetry_leads() {
    let (curve, loss, newton) = (Curve::new(Ridge), loss(), Newton::default());
    let (trust, search) = (TrustRatio::default(), Armijo::default());
    for rule in [&trust as &dyn StepRule, &search] {
        for start in STARTS {
            let descent = Descent::new(&curve, &loss).direction(&newton).step(rule);
            let report = descent.run(&start, |_| ()).unwrap();
            assert!(report.converged(), "{start:?}: {report}");
            assert!(report.theta[0].abs() > 0.9, "{start:?}: {report}");
            assert!(report.iterations() <= 20, "{start:?}: {report}");
            let text = report.to_string();
            assert!(
                text.contains("saddle") && text.contains("mainly θ0"),
                "{text}"
            );
        }
    }
}

#[test]
fn a_run_without_the_search_ends_at_the_saddle() {
    let (curve, loss) = (Curve::new(Ridge), loss());
    let newton = Newton {
        escape: 0,
        ..Newton::default()
    };
    let report = Descent::new(&curve, &loss)
        .direction(&newton)
        .run(&[0.0, 0.5], |_| ())
        .unwrap();
    assert_eq!(report.stop, Stop::Gradient { ratio: 0.0 }, "{report}");
    assert_eq!(report.theta, [0.0, 0.5]);
}

/// Steps with priors are measured by their precision.
#[test]
fn newton_leaves_saddles_with_priors_and_transforms() {
    let (curve, loss, newton) = (Curve::new(Ridge), loss(), Newton::default());
    let prior = Tikhonov::new(vec![0.0, 0.5], Noise::uniform(2, 3.0).unwrap()).unwrap();
    let descent = || Descent::new(&curve, &loss).direction(&newton);
    let report = descent().prior(&prior).run(&[0.0, 0.5], |_| ()).unwrap();
    assert!(
        report.converged() && report.theta[0].abs() > 0.9,
        "{report}"
    );
    let logit = Transform::Logit {
        lower: -2.0,
        upper: 2.0,
    };
    let transforms = [logit, Transform::Identity];
    let report = descent()
        .transforms(&transforms)
        .run(&[0.0, 0.5], |_| ())
        .unwrap();
    assert!(
        report.converged() && report.theta[0].abs() > 0.9,
        "{report}"
    );
}

/// A bound may cut the way down, on one side or on both.
#[test]
fn newton_leaves_saddles_inside_of_bounds() {
    let (curve, loss, newton) = (Curve::new(Ridge), loss(), Newton::default());
    for (lower, upper) in [(0.0, 2.0), (-2.0, 0.0)] {
        let bounds = Bounds::new(vec![lower, -3.0], vec![upper, 3.0]).unwrap();
        let descent = Descent::new(&curve, &loss)
            .direction(&newton)
            .bounds(&bounds);
        let report = descent.run(&[0.0, 0.5], |_| ()).unwrap();
        assert!(report.converged(), "{report}");
        assert!(report.theta[0].abs() > 0.9, "{report}");
    }
    let bounds = Bounds::new(vec![0.0, -3.0], vec![0.0, 3.0]).unwrap();
    let descent = Descent::new(&curve, &loss)
        .direction(&newton)
        .bounds(&bounds);
    let report = descent.run(&[0.0, -1.0], |_| ()).unwrap();
    assert!(report.converged() && report.theta[0] == 0.0, "{report}");
    assert!(!report.to_string().contains("saddle"), "{report}");
}

/// The search takes a multiplier and a tangent and an adjoint per parameter, and finds nothing at a minimum.
#[test]
fn minima_are_kept() {
    let (curve, loss) = (Curve::new(Ridge), loss());
    let run = |escape: usize| {
        let newton = Newton {
            escape,
            ..Newton::default()
        };
        let descent = Descent::new(&curve, &loss).direction(&newton);
        descent.run(&[0.8, 0.4], |_| ()).unwrap()
    };
    let (with, without) = (run(20), run(0));
    assert!(with.converged() && with.remarks.is_empty(), "{with}");
    assert_eq!((with.theta, with.stop), (without.theta, without.stop));
}

/// A valley: no curvature along θ₀ + θ₁.
struct Valley;

impl Formula for Valley {
    fn dims(&self) -> (usize, usize) {
        (2, 2)
    }

    fn values<S: Scalar>(&self, t: &[S], out: &mut [S]) {
        let across = t[0] - t[1];
        out[0] = across.sin();
        out[1] = across + 1.0;
    }
}

#[test]
fn flat_directions_are_no_saddles() {
    let (curve, newton) = (Curve::new(Valley), Newton::default());
    let loss = L2Misfit::euclidean(vec![0.3, 0.4]).unwrap();
    let descent = Descent::new(&curve, &loss).direction(&newton);
    let report = descent.run(&[0.7, 0.1], |_| ()).unwrap();
    assert!(report.converged(), "{report}");
    assert!(!report.to_string().contains("saddle"), "{report}");
}

#[test]
fn other_directions_end_at_a_saddle_as_before() {
    let (curve, loss) = (Curve::new(Ridge), loss());
    let direction = LeastSquares::default();
    let descent = Descent::new(&curve, &loss).direction(&direction);
    let report = descent.run(&[0.0, 0.5], |_| ()).unwrap();
    assert_eq!(report.stop, Stop::Gradient { ratio: 0.0 }, "{report}");
}
