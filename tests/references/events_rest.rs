//! Events on the way to steady states, against closed forms.

use crate::events::{assert_transposes, differences, matrix};
use pullback::automatic::Scalar;
use pullback::evolution::{Dynamics, Error, Evolution, Experiment, Method};
use pullback::verify;

const IMPLICIT: [Method; 3] = [Method::Implicit, Method::ImplicitFifth, Method::Theta(1.0)];

/// When the supply x₁ of a reservoir becomes θ₁.
enum Switch {
    /// At the level ½.
    Level,
    /// At this time, in units of θ₀.
    Time(f64),
}

/// A reservoir ẋ₀ = θ₀ − x₀ + x₁ with a supply x₁ that becomes θ₁ at a switch τ. Then x₂ begins to add e^{−t} x₁, up to θ₁ e^{−τ}
/// in the end, unless time stands still.
struct Reservoir(Switch);

impl Dynamics for Reservoir {
    fn dims(&self) -> (usize, usize) {
        (3, 2)
    }

    fn rate<S: Scalar>(&self, t: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out[0] = theta[0] - x[0] + x[1];
        out[1] = S::from(0.0);
        out[2] = if t > 0.0 {
            x[1] * (-t).exp()
        } else {
            S::from(0.0)
        };
    }

    fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
        out.fill(S::from(0.0));
    }

    fn events(&self) -> usize {
        1
    }

    fn event<S: Scalar>(&self, _: usize, t: f64, x: &[S], theta: &[S]) -> S {
        match self.0 {
            Switch::Level => x[0] - 0.5,
            Switch::Time(time) => theta[0] * -time + t,
        }
    }

    fn jump<S: Scalar>(&self, _: usize, _: f64, x: &mut [S], theta: &[S]) {
        x[1] = theta[1];
    }
}

/// Time of the switch.
fn switch(switch: &Switch, theta: [f64; 2]) -> f64 {
    match switch {
        // θ₀ (1 − e^{−τ}) = ½.
        Switch::Level => -(1.0 - 0.5 / theta[0]).ln(),
        Switch::Time(time) => time * theta[0],
    }
}

#[test]
fn a_state_settles_after_an_event_to_its_own_rest() {
    let theta = [1.0, 2.0];
    for way in [Switch::Level, Switch::Time(0.5), Switch::Time(3.0)] {
        let exact = |theta: [f64; 2]| {
            let trace = theta[1] * (-switch(&way, theta)).exp();
            vec![theta[0] + theta[1], theta[1], trace]
        };
        let slopes = differences(exact, theta, 1e-4);
        for (method, accuracy, close) in [
            (Method::Implicit, 1e-9, 1e-7),
            (Method::ImplicitFifth, 1e-9, 1e-7),
            (Method::Theta(1.0), 1e-5, 1e-2),
        ] {
            let of = || {
                let dynamics = Reservoir(match way {
                    Switch::Level => Switch::Level,
                    Switch::Time(time) => Switch::Time(time),
                });
                let model = Evolution::new(dynamics, vec![f64::INFINITY]).unwrap();
                model
                    .method(method)
                    .accuracy(accuracy, &[accuracy])
                    .unwrap()
            };
            let model = of();
            let found = model.predict(&theta).unwrap();
            for (a, b) in found.iter().zip(&exact(theta)) {
                assert!((a - b).abs() < close, "{method:?}: {found:?}");
            }
            let z = matrix(&model, &theta);
            for (j, column) in slopes.iter().enumerate() {
                for (i, exact) in column.iter().enumerate() {
                    let gap = (z[(i, j)] - exact).abs();
                    assert!(gap < close, "{method:?} ∂{i}/∂θ{j}: {} {exact}", z[(i, j)]);
                }
            }
            assert_transposes(&model, &theta, "rest");
            // Steps that are taken again, and steps that are kept.
            assert_eq!(matrix(&of().memory(1), &theta), z, "{method:?}");
            let kept = model.keep_steps(&theta).unwrap();
            let checks = verify::model(&kept, &theta, 1).unwrap();
            assert_eq!(checks.failures().count(), 0, "{method:?}: {checks}");
        }
    }
}

#[test]
fn an_experiment_starts_from_the_rest_after_an_event() {
    // Before the start, the reservoir settles to θ₀ + θ₁ with θ₀ = 2. Then it goes on to 1 + θ₁ with rate 1.
    for method in IMPLICIT {
        let experiment = Experiment::new(vec![1.0]).rested(&[(0, 2.0)]);
        let model = Evolution::over(Reservoir(Switch::Level), vec![experiment]).unwrap();
        let model = model.method(method).accuracy(1e-6, &[1e-7]).unwrap();
        let found = model.predict(&[1.0, 3.0]).unwrap();
        let exact = 4.0 + (-1f64).exp();
        assert!((found[0] - exact).abs() < 1e-2, "{method:?}: {found:?}");
        let z = matrix(&model, &[1.0, 3.0]);
        let slopes = [1.0 - (-1f64).exp(), 1.0];
        for (j, slope) in slopes.into_iter().enumerate() {
            assert!((z[(0, j)] - slope).abs() < 1e-2, "{method:?}: {z:?}");
        }
        assert_transposes(&model, &[1.0, 3.0], "rested");
    }
}

#[test]
fn a_state_at_rest_waits_for_a_late_dose() {
    for method in IMPLICIT {
        let model = Evolution::new(Reservoir(Switch::Time(500.0)), vec![f64::INFINITY]).unwrap();
        let model = model.method(method).accuracy(1e-6, &[1e-7]).unwrap();
        let found = model.predict(&[1.0, 2.0]).unwrap();
        assert!((found[0] - 3.0).abs() < 1e-6, "{method:?}: {found:?}");
        let z = matrix(&model, &[1.0, 2.0]);
        assert!((z[(0, 0)] - 1.0).abs() < 1e-5 && (z[(0, 1)] - 1.0).abs() < 1e-5);
    }
}

#[test]
fn a_level_that_is_refilled_for_ever_does_not_rest() {
    struct Refilled;
    impl Dynamics for Refilled {
        fn dims(&self) -> (usize, usize) {
            (1, 1)
        }
        fn rate<S: Scalar>(&self, _: f64, x: &[S], _: &[S], out: &mut [S]) {
            out[0] = -x[0];
        }
        fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
            out[0] = S::from(1.0);
        }
        fn events(&self) -> usize {
            1
        }
        fn event<S: Scalar>(&self, _: usize, _: f64, x: &[S], _: &[S]) -> S {
            -x[0] + 0.5
        }
        fn jump<S: Scalar>(&self, _: usize, _: f64, x: &mut [S], theta: &[S]) {
            x[0] += theta[0];
        }
    }
    for method in IMPLICIT {
        let model = Evolution::new(Refilled, vec![f64::INFINITY]).unwrap();
        let model = model.method(method).accuracy(1e-3, &[1e-4]).unwrap();
        let failure = model.predict(&[1.0]).unwrap_err();
        let found = failure.of::<Error>();
        assert!(matches!(found, Some(Error::Unsteady { .. })), "{failure}");
        assert!(failure.to_string().contains("events"), "{failure}");
    }
}
