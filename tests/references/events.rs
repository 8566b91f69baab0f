//! Events against closed forms, with their derivatives.

use pullback::automatic::Scalar;
use pullback::evolution::{Dynamics, Evolution, Experiment, Method};
use pullback::faer::Mat;
use pullback::{Cpu, Linearisation, Model, random, verify};

const METHODS: [Method; 4] = [
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

    fn jump<S: Scalar>(&self, _: usize, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out[0] = x[0];
        out[1] = -theta[2] * x[1];
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
fn differences<const P: usize>(
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

fn matrix<D: Dynamics>(model: &Evolution<D>, theta: &[f64]) -> Mat<f64> {
    let rho = model.predict(theta).unwrap();
    let z = Linearisation::new(model, &rho, theta, Cpu::shared()).unwrap();
    z.matrix().unwrap().clone()
}

/// Asserts that tangents and adjoints of random columns are transposes to rounding.
fn assert_transposes<D: Dynamics>(model: &Evolution<D>, theta: &[f64], what: &str) {
    let rho = model.predict(theta).unwrap();
    let z = Linearisation::new(model, &rho, theta, Cpu::shared()).unwrap();
    for columns in [1, 3, 8] {
        let v = random::normal_matrix(theta.len(), columns, 3);
        let w = random::normal_matrix(rho.len(), columns, 4);
        let (zv, zw) = (z.tangent(v.as_ref()).unwrap(), z.adjoint(w.as_ref()).unwrap());
        let (a, b) = (w.transpose() * &zv, zw.transpose() * &v);
        let size = w.norm_l2() * zv.norm_l2();
        assert!((&a - &b).norm_max() <= 1e-13 * size, "{what}: {a:?} {b:?}");
    }
}

#[test]
fn a_ball_bounces_as_its_closed_form() {
    let theta = [2.0, 4.0, 0.8];
    let times = vec![0.5, 1.3, 2.0, 3.1, 4.9, 6.0];
    let exact = |theta| times.iter().flat_map(|t| flight(*t, theta)).collect::<Vec<_>>();
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
