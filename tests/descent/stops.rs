//! Ends of runs that are no convergence, each from a run that once claimed to have converged.

use pullback::descent::Stop;
use pullback::direction::Gradient;
use pullback::faer::Mat;
use pullback::loss::L2Misfit;
use pullback::step::{Armijo, Fixed, TrustRatio};
use pullback::{Descent, Model, Operator, StepRule};

/// ρ = F(θ) for one number.
struct Curve {
    value: fn(f64) -> f64,
    slope: fn(f64) -> f64,
}

impl Model for Curve {
    fn state_dim(&self) -> usize {
        1
    }
    fn param_dim(&self) -> usize {
        1
    }
    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        out[0] = rho[0] - (self.value)(theta[0]);
    }
    fn state_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::identity(1)
    }
    fn param_jacobian<'a>(&'a self, _: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        let slope = (self.slope)(theta[0]);
        Operator::dense(Mat::from_fn(1, 1, |_, _| -slope))
    }
}

/// A step that is taken whatever it brings overshoots to where the model is flat, above the start. The point that is handed
/// back is the start, and nothing was said of that.
#[test]
fn a_run_that_rests_above_a_point_it_passed_has_not_converged() {
    let bump = Curve {
        value: |t| 1.0 - (-t * t).exp(),
        slope: |t| 2.0 * t * (-t * t).exp(),
    };
    let loss = L2Misfit::euclidean(vec![0.0]).unwrap();
    let leap = Fixed { scale: 1e9 };
    let descent = Descent::new(&bump, &loss).direction(&Gradient).step(&leap);
    let report = descent.run(&[0.5], |_| ()).unwrap();
    assert!(matches!(report.stop, Stop::Above { .. }), "{report}");
    assert!(!report.converged() && report.theta == [0.5], "{report}");
    assert!(report.to_string().contains("above"), "{report}");
}

/// In units in which θ is of order 10⁸ the gradient is 10⁻⁸ and a step along it changes nothing: that says something of
/// its length, and nothing of the point.
#[test]
fn a_step_too_short_to_be_seen_is_no_convergence() {
    let line = Curve {
        value: |t| t / 1e8,
        slope: |_| 1e-8,
    };
    let loss = L2Misfit::euclidean(vec![2.0_f64.sqrt()]).unwrap();
    let rules: [Box<dyn StepRule>; 3] = [
        Box::new(Armijo::growing(1.0, 2.0)),
        Box::new(Fixed { scale: 1e-14 }),
        Box::new(TrustRatio::default()),
    ];
    for mut rule in rules {
        let descent = Descent::new(&line, &loss)
            .direction(&Gradient)
            .step(rule.as_mut());
        let report = descent.run(&[0.0], |_| ()).unwrap();
        let there = (report.theta[0] / 1e8 - 2.0_f64.sqrt()).abs() < 1e-6;
        assert!(!report.converged() || there, "{report}");
    }
}
