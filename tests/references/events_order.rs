//! Events at fixed times, at the same time as others, and before changes of inputs.

use crate::events::{METHODS, assert_transposes, differences, matrix};
use pullback::automatic::Scalar;
use pullback::evolution::{Dynamics, Evolution, Experiment, Method};
use pullback::verify;

/// Decay at rate θ₀ with doses: of size θ₁ at time θ₂, and of size θ₃ whenever the level falls to ½.
struct Doses;

impl Dynamics for Doses {
    fn dims(&self) -> (usize, usize) {
        (1, 4)
    }

    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out[0] = -theta[0] * x[0];
    }

    fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
        out[0] = S::from(1.0);
    }

    fn events(&self) -> usize {
        2
    }

    fn event<S: Scalar>(&self, index: usize, t: f64, x: &[S], theta: &[S]) -> S {
        match index {
            0 => -theta[2] + t,
            _ => -x[0] + 0.5,
        }
    }

    fn jump<S: Scalar>(&self, index: usize, _: f64, x: &mut [S], theta: &[S]) {
        x[0] += if index == 0 { theta[1] } else { theta[3] };
    }
}

#[test]
fn a_dose_at_an_unknown_time_is_exact_even_where_it_is_observed() {
    // Observed at the very time of the dose: the state after it.
    let theta = [0.2, 1.0, 1.0, 1.0];
    for method in METHODS {
        let model = Evolution::new(Doses, vec![1.0, 2.0]).unwrap();
        let model = model.method(method).accuracy(1e-10, &[1e-10]).unwrap();
        let rho = model.predict(&theta).unwrap();
        let exact = |t: f64| [(-0.2 * t).exp() + (-0.2 * (t - 1.0)).exp()];
        for (t, x) in [1.0, 2.0].iter().zip(&rho) {
            assert!((x - exact(*t)[0]).abs() < 1e-7, "{method:?}: {x}");
        }
        // ∂x/∂θ₂ = θ₀θ₁ e^{−θ₀(t − θ₂)}, at the time itself from the right.
        let z = matrix(&model, &theta);
        for (i, t) in [1.0, 2.0].into_iter().enumerate() {
            let exact = 0.2 * (-0.2 * (t - 1.0f64)).exp();
            assert!(
                (z[(i, 2)] - exact).abs() < 1e-7,
                "{method:?}: {}",
                z[(i, 2)]
            );
        }
        assert_transposes(&model, &theta, "dose");
    }
}

/// A level that falls to θ₂ at rate θ₀, where θ₁ is added, with inflow θ₃.
struct Tank;
impl Dynamics for Tank {
    fn dims(&self) -> (usize, usize) {
        (1, 4)
    }
    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out[0] = theta[3] - theta[0] * x[0];
    }
    fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
        out[0] = S::from(1.0);
    }
    fn events(&self) -> usize {
        1
    }
    fn event<S: Scalar>(&self, _: usize, _: f64, x: &[S], theta: &[S]) -> S {
        theta[2] - x[0]
    }
    fn jump<S: Scalar>(&self, _: usize, _: f64, x: &mut [S], theta: &[S]) {
        x[0] += theta[1];
    }
}

#[test]
fn inputs_and_steady_states_go_on_after_events() {
    // The inflow changes at t = 1.5, and the level falls to ½ before and after.
    // x falls from 1 as e^{−θ₀t} to θ₂, then from θ₁ + θ₂, and from t = 1.5 on settles to 0.6/θ₀.
    let theta = [1.0, 0.7, 0.4];
    let exact = |[rate, dose, low]: [f64; 3]| {
        let event = -low.ln() / rate;
        let after = |t: f64| (dose + low) * (-rate * (t - event)).exp();
        let rest = 0.6 / rate;
        let late = rest + (after(1.5) - rest) * (-rate * 0.5f64).exp();
        vec![(-rate * 0.5f64).exp(), after(1.2), after(1.5), late, rest]
    };
    let slopes = differences(exact, theta, 1e-4);
    for method in [Method::Implicit, Method::ImplicitFifth] {
        let times = vec![0.5, 1.2, 1.5, 2.0, f64::INFINITY];
        let experiment = Experiment::new(times).given(3, 0.0).from(1.5, &[(3, 0.6)]);
        let model = Evolution::over(Tank, vec![experiment])
            .unwrap()
            .method(method);
        let found = model.predict(&theta).unwrap();
        for (a, b) in found.iter().zip(&exact(theta)) {
            assert!((a - b).abs() < 1e-6, "{method:?}: {a} {b}");
        }
        let z = matrix(&model, &theta);
        for (j, column) in slopes.iter().enumerate() {
            for (i, exact) in column.iter().enumerate() {
                let gap = (z[(i, j)] - exact).abs();
                assert!(gap < 1e-5, "{method:?} ∂{i}/∂θ{j}: {} {exact}", z[(i, j)]);
            }
        }
        assert_transposes(&model, &theta, "tank");
        let kept = model.keep_steps(&theta).unwrap();
        let checks = verify::model(&kept, &theta, 1).unwrap();
        assert_eq!(checks.failures().count(), 0, "{method:?}: {checks}");
    }
}

#[test]
fn of_simultaneous_events_the_lowest_fires_first() {
    // At t = 1 all fire: x ← 2x, x ← x + 1, and nothing, which must not fire again and again.
    struct Three;
    impl Dynamics for Three {
        fn dims(&self) -> (usize, usize) {
            (2, 1)
        }
        fn rate<S: Scalar>(&self, _: f64, _: &[S], theta: &[S], out: &mut [S]) {
            out[0] = S::from(0.0);
            out[1] = theta[0];
        }
        fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
            out[0] = S::from(1.0);
            out[1] = S::from(0.0);
        }
        fn events(&self) -> usize {
            4
        }
        fn event<S: Scalar>(&self, index: usize, _: f64, x: &[S], _: &[S]) -> S {
            match index {
                0 => x[1] - 1.0,
                1 => (x[1] - 1.0) * 3.0,
                2 => x[1].exp() - 1f64.exp(),
                // A jump makes this one positive.
                _ => x[0] - 2.5,
            }
        }
        fn jump<S: Scalar>(&self, index: usize, _: f64, x: &mut [S], _: &[S]) {
            match index {
                0 => x[0] *= 2.0,
                1 => x[0] += 1.0,
                2 => {}
                _ => x[0] *= 10.0,
            }
        }
    }
    for method in METHODS {
        let model = Evolution::new(Three, vec![0.5, 1.0, 2.0])
            .unwrap()
            .method(method);
        for theta in [[1.0], [0.83], [1.37]] {
            let rho = model.predict(&theta).unwrap();
            let before = if theta[0] >= 1.0 { 30.0 } else { 1.0 };
            assert_eq!([rho[0], rho[2], rho[4]], [1.0, before, 30.0], "{method:?}");
            assert_transposes(&model, &theta, "three");
        }
    }
}

/// Counter of an event whose function jumps: once at a time, or at the beginning of every period.
struct Counter {
    at: f64,
    period: Option<f64>,
    levels: [f64; 2],
}

impl Dynamics for Counter {
    fn dims(&self) -> (usize, usize) {
        (1, 1)
    }

    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out[0] = x[0] * theta[0] * 0.0;
    }

    fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
        out[0] = S::from(0.0);
    }

    fn events(&self) -> usize {
        1
    }

    fn event<S: Scalar>(&self, _: usize, t: f64, _: &[S], _: &[S]) -> S {
        let happened = match self.period {
            None => t >= self.at,
            Some(period) => t >= self.at && (t - self.at) % period < 0.5 * period,
        };
        S::from(self.levels[usize::from(happened)])
    }

    fn jump<S: Scalar>(&self, _: usize, _: f64, x: &mut [S], _: &[S]) {
        x[0] += S::from(1.0);
    }
}

#[test]
fn events_whose_function_jumps_fire_once_at_every_jump() {
    for levels in [[-1.0, 1.0], [-0.5, 1.0], [-2.0, 1.0]] {
        for k in 1..60 {
            let at = f64::from(k) / 6.1;
            for (period, times) in [
                (None, vec![at + 0.2, 20.0]),
                (Some(4.0), vec![at + 0.2, 20.0]),
            ] {
                let counter = Counter { at, period, levels };
                let model = Evolution::new(counter, times.clone()).unwrap();
                // Steps are so short that none holds two jumps.
                let model = model.method(METHODS[0]).every(0.3).unwrap();
                let found = model.predict(&[1.0]).unwrap();
                let count = |t: f64| period.map_or(1.0, |p: f64| ((t - at) / p).floor() + 1.0);
                assert_eq!(
                    found,
                    [count(times[0]), count(times[1])],
                    "{levels:?} {at} {period:?}"
                );
            }
        }
    }
}
