//! Events against closed forms, with their derivatives.

use pullback::automatic::Scalar;
use pullback::evolution::{Dynamics, Evolution, Method};
use pullback::faer::Mat;
use pullback::{Cpu, Linearisation, random, verify};

pub(crate) const METHODS: [Method; 4] = [
    Method::Explicit,
    Method::Implicit,
    Method::ImplicitFifth,
    Method::Theta(0.5),
];

/// A ball that falls from height θ₀ with acceleration θ₁, and keeps the share θ₂ of its speed at the floor.
struct Ball;

impl Dynamics for Ball {
    fn dims(&self) -> (usize, usize) {
        (2, 3)
    }

    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out[0] = x[1];
        out[1] = -theta[1];
    }

    fn initial<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out[0] = theta[0];
        out[1] = S::from(0.0);
    }

    fn events(&self) -> usize {
        1
    }

    fn event<S: Scalar>(&self, _: usize, _: f64, x: &[S], _: &[S]) -> S {
        -x[0]
    }

    fn jump<S: Scalar>(&self, _: usize, _: f64, x: &mut [S], theta: &[S]) {
        x[1] = -theta[2] * x[1];
    }
}

/// Height and speed of the ball.
fn flight(t: f64, [height, g, share]: [f64; 3]) -> [f64; 2] {
    let mut start = (2.0 * height / g).sqrt();
    let mut speed = g * start;
    if t < start {
        return [height - 0.5 * g * t * t, -g * t];
    }
    loop {
        speed *= share;
        let length = 2.0 * speed / g;
        if t < start + length {
            let s = t - start;
            return [speed * s - 0.5 * g * s * s, speed - g * s];
        }
        start += length;
    }
}

/// Derivatives of a function of the parameters by differences of order 4.
pub(crate) fn differences<const P: usize>(
    f: impl Fn([f64; P]) -> Vec<f64>,
    theta: [f64; P],
    h: f64,
) -> Vec<Vec<f64>> {
    let column = |j: usize| {
        let at = |steps: f64| {
            let mut theta = theta;
            theta[j] += steps * h;
            f(theta)
        };
        let [a, b, c, d] = [-2.0, -1.0, 1.0, 2.0].map(at);
        let entry = |i: usize| (8.0 * (c[i] - b[i]) - (d[i] - a[i])) / (12.0 * h);
        (0..a.len()).map(entry).collect()
    };
    (0..P).map(column).collect()
}

pub(crate) fn matrix<D: Dynamics>(model: &Evolution<D>, theta: &[f64]) -> Mat<f64> {
    let rho = model.predict(theta).unwrap();
    let z = Linearisation::new(model, &rho, theta, Cpu::shared()).unwrap();
    z.matrix().unwrap().clone()
}

/// Asserts that tangents and adjoints of random columns are transposes to rounding.
pub(crate) fn assert_transposes<D: Dynamics>(model: &Evolution<D>, theta: &[f64], what: &str) {
    let rho = model.predict(theta).unwrap();
    let z = Linearisation::new(model, &rho, theta, Cpu::shared()).unwrap();
    for columns in [1, 3, 8] {
        let v = random::normal_matrix(theta.len(), columns, 3);
        let w = random::normal_matrix(rho.len(), columns, 4);
        let (zv, zw) = (
            z.tangent(v.as_ref()).unwrap(),
            z.adjoint(w.as_ref()).unwrap(),
        );
        let (a, b) = (w.transpose() * &zv, zw.transpose() * &v);
        let size = w.norm_l2() * zv.norm_l2();
        assert!((&a - &b).norm_max() <= 1e-13 * size, "{what}: {a:?} {b:?}");
    }
}

#[test]
fn a_ball_bounces_as_its_closed_form() {
    let theta = [2.0, 4.0, 0.8];
    let times = vec![0.5, 1.3, 2.0, 3.1, 4.9, 6.0];
    let exact = |theta| {
        times
            .iter()
            .flat_map(|t| flight(*t, theta))
            .collect::<Vec<_>>()
    };
    let slopes = differences(exact, theta, 1e-4);
    for method in METHODS {
        let model = Evolution::new(Ball, times.clone()).unwrap().method(method);
        let found = model.predict(&theta).unwrap();
        for (a, b) in found.iter().zip(&exact(theta)) {
            assert!((a - b).abs() < 1e-11, "{method:?}: {a} {b}");
        }
        let z = matrix(&model, &theta);
        for (j, column) in slopes.iter().enumerate() {
            for (i, exact) in column.iter().enumerate() {
                let gap = (z[(i, j)] - exact).abs();
                assert!(gap < 1e-9, "{method:?} ∂{i}/∂θ{j}: {} {exact}", z[(i, j)]);
            }
        }
        assert_transposes(&model, &theta, "ball");
        let kept = model.keep_steps(&theta).unwrap();
        let again = kept.predict(&theta).unwrap();
        for (a, b) in again.iter().zip(&found) {
            assert!((a - b).abs() < 1e-12, "{method:?}: {a} {b}");
        }
        let checks = verify::model(&kept, &theta, 1).unwrap();
        assert_eq!(checks.failures().count(), 0, "{method:?}: {checks}");
    }
}

/// A heater that is on or off (x₁) and drives a temperature x₀ between two levels, in weather that changes with time.
///
/// θ holds the rate of loss, the power, the lower and the upper level, and the amplitude of the weather. With `algebraic`, x₂ is the
/// flow of heat.
struct Thermostat {
    algebraic: bool,
}

impl Thermostat {
    const THETA: [f64; 5] = [0.7, 3.0, 1.0, 2.0, 0.3];
}

impl Dynamics for Thermostat {
    fn dims(&self) -> (usize, usize) {
        (3, 5)
    }

    fn rate<S: Scalar>(&self, t: f64, x: &[S], theta: &[S], out: &mut [S]) {
        let heat = theta[1] * x[1] + theta[4] * (3.0 * t).sin() - theta[0] * x[0];
        out[0] = if self.algebraic { x[2] } else { heat };
        out[1] = S::from(0.0);
        out[2] = if self.algebraic { heat - x[2] } else { x[0] };
    }

    fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
        out[0] = S::from(1.5);
        out[1] = S::from(1.0);
        out[2] = S::from(0.0);
    }

    fn is_algebraic(&self, i: usize) -> bool {
        self.algebraic && i == 2
    }

    fn events(&self) -> usize {
        2
    }

    fn event<S: Scalar>(&self, index: usize, _: f64, x: &[S], theta: &[S]) -> S {
        match index {
            0 => theta[2] - x[0],
            _ => x[0] - theta[3],
        }
    }

    fn jump<S: Scalar>(&self, index: usize, _: f64, x: &mut [S], _: &[S]) {
        x[1] = S::from(if index == 0 { 1.0 } else { 0.0 });
    }
}

/// Temperature of the thermostat, by its closed form between switches and bisection.
fn temperature(times: &[f64], [loss, power, low, high, weather]: [f64; 5]) -> Vec<f64> {
    // ẋ = P − λx + a sin ωt has the solution C e^{−λt} + P/λ + a (λ sin ωt − ω cos ωt)/(λ² + ω²).
    let rest = |t: f64, on: f64| {
        let wave = loss * (3.0 * t).sin() - 3.0 * (3.0 * t).cos();
        power * on / loss + weather * wave / (loss * loss + 9.0)
    };
    let (mut from, mut x, mut on) = (0.0, 1.5, 1.0);
    let mut out = Vec::new();
    for &time in times {
        loop {
            let at = |t: f64| rest(t, on) + (x - rest(from, on)) * (-loss * (t - from)).exp();
            let beyond = |t: f64| {
                if on > 0.0 {
                    at(t) >= high
                } else {
                    at(t) <= low
                }
            };
            // The next crossing, by steps and bisection.
            let steps = (1..).map(|i| from + 1e-3 * f64::from(i));
            let Some(mut b) = steps.take_while(|t| *t < time + 1e-3).find(|t| beyond(*t)) else {
                out.push(at(time));
                break;
            };
            let mut a = b - 1e-3;
            for _ in 0..60 {
                let middle = 0.5 * (a + b);
                (a, b) = if beyond(middle) {
                    (a, middle)
                } else {
                    (middle, b)
                };
            }
            if b >= time {
                out.push(at(time));
                break;
            }
            (x, from, on) = (if on > 0.0 { high } else { low }, b, 1.0 - on);
        }
    }
    out
}

#[test]
fn a_thermostat_switches_as_its_closed_form() {
    let theta = Thermostat::THETA;
    let times = vec![0.2, 1.1, 2.9, 4.0, 7.3];
    let exact = |theta| temperature(&times, theta);
    let slopes = differences(exact, theta, 1e-4);
    for algebraic in [false, true] {
        for method in &METHODS[usize::from(algebraic)..3] {
            let model = Evolution::new(Thermostat { algebraic }, times.clone()).unwrap();
            let model = model.method(*method).accuracy(1e-10, &[1e-11]).unwrap();
            let what = format!("{method:?}, {algebraic}");
            let found = model.predict(&theta).unwrap();
            for (a, b) in found.iter().step_by(3).zip(&exact(theta)) {
                assert!((a - b).abs() < 1e-8, "{what}: {a} {b}");
            }
            let z = matrix(&model, &theta);
            for (j, column) in slopes.iter().enumerate() {
                for (i, exact) in column.iter().enumerate() {
                    let gap = (z[(3 * i, j)] - exact).abs();
                    assert!(gap < 1e-7, "{what} ∂{i}/∂θ{j}: {} {exact}", z[(3 * i, j)]);
                }
            }
            assert_transposes(&model, &theta, &what);
            // Steps that are taken again, and steps that are kept.
            let little = Evolution::new(Thermostat { algebraic }, times.clone()).unwrap();
            let little = little.method(*method).accuracy(1e-10, &[1e-11]).unwrap();
            assert_eq!(matrix(&little.memory(1), &theta), z, "{what}");
            let kept = model.keep_steps(&theta).unwrap();
            let checks = verify::model(&kept, &theta, 1).unwrap();
            assert_eq!(checks.failures().count(), 0, "{what}: {checks}");
            let checks = verify::model(&kept.memory(1), &theta, 2).unwrap();
            assert_eq!(checks.failures().count(), 0, "{what}: {checks}");
        }
    }
}

#[test]
fn derivatives_are_those_of_the_steps_to_the_last_digits() {
    // Long steps of low order: the derivatives of the solution are far away.
    let theta = Thermostat::THETA;
    let times = vec![1.1, 2.9, 4.0];
    for (method, algebraic) in [(Method::Explicit, false), (Method::Theta(1.0), true)] {
        let model = Evolution::new(Thermostat { algebraic }, times.clone()).unwrap();
        let model = model
            .method(method)
            .every(0.15)
            .unwrap()
            .keep_steps(&theta)
            .unwrap();
        let f = |theta: [f64; 5]| model.predict(&theta).unwrap();
        let slopes = differences(f, theta, 1e-4);
        let z = matrix(&model, &theta);
        for (j, column) in slopes.iter().enumerate() {
            for (i, difference) in column.iter().enumerate() {
                let gap = (z[(i, j)] - difference).abs();
                assert!(
                    gap < 1e-9,
                    "{method:?} ∂{i}/∂θ{j}: {} {difference}",
                    z[(i, j)]
                );
            }
        }
    }
}

#[test]
fn windows_keep_the_steps_to_their_events() {
    let theta = [2.0, 4.0, 0.8];
    let times = vec![0.5, 1.3, 2.0, 3.1, 4.9, 6.0];
    let model = Evolution::new(Ball, times).unwrap();
    let kept = model.keep_steps(&theta).unwrap();
    let whole = kept.predict(&theta).unwrap();
    for (end, count) in [(0.6, 1), (3.5, 4), (6.0, 6)] {
        let window = kept.until(end).unwrap();
        let part = window.model().predict(&theta).unwrap();
        assert_eq!(part, whole[..2 * count], "{end}");
    }
}
