//! Evolutions in time against closed forms and against SciPy, with their sensitivities.

use crate::support::{column, dot, numbers};
use pullback::automatic::Scalar;
use pullback::evolution::{Dynamics, Evolution, Method};
use pullback::faer::Mat;
use pullback::loss::L2Misfit;
use pullback::{Cpu, Descent, Linearisation, random, verify};
use serde_json::Value;

fn norm(x: &[f64]) -> f64 {
    dot(x, x).sqrt()
}

/// Prey and predators (Lotka and Volterra), from θ-dependent numbers if `free`.
pub(crate) struct LotkaVolterra {
    pub(crate) free: bool,
}

impl Dynamics for LotkaVolterra {
    fn dims(&self) -> (usize, usize) {
        (2, 4)
    }

    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        let meetings = x[0] * x[1];
        out[0] = theta[0] * x[0] - theta[1] * meetings;
        out[1] = theta[2] * meetings - theta[3] * x[1];
    }

    fn initial<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out[0] = S::from(1.0);
        out[1] = if self.free {
            theta[3] / 3.0
        } else {
            S::from(1.0)
        };
    }
}

/// Three reactions with rates of very different sizes (Robertson 1966).
pub(crate) struct Robertson;

impl Dynamics for Robertson {
    fn dims(&self) -> (usize, usize) {
        (3, 3)
    }

    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        let (a, b, c) = (
            theta[0] * x[0],
            theta[1] * x[1] * x[2],
            theta[2] * x[1] * x[1],
        );
        out[0] = b - a;
        out[1] = a - b - c;
        out[2] = c;
    }

    fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
        out[0] = S::from(1.0);
        out[1] = S::from(0.0);
        out[2] = S::from(0.0);
    }
}

const METHODS: [Method; 3] = [Method::Explicit, Method::Implicit, Method::ImplicitFifth];

pub(crate) fn reference(name: &str) -> (Vec<f64>, Vec<f64>, Vec<f64>, Vec<Vec<f64>>) {
    let all: Value = serde_json::from_str(include_str!("../reference/evolution.json")).unwrap();
    let entry = &all[name];
    let slopes = entry["slopes"].as_array().unwrap().iter().map(numbers);
    (
        numbers(&entry["theta"]),
        numbers(&entry["times"]),
        numbers(&entry["states"]),
        slopes.collect(),
    )
}

fn matrix<D: Dynamics>(model: &Evolution<D>, theta: &[f64]) -> Mat<f64> {
    let rho = model.predict(theta).unwrap();
    let z = Linearisation::new(model, &rho, theta, Cpu::shared()).unwrap();
    z.matrix().unwrap().clone()
}

#[test]
fn chosen_steps_keep_their_accuracy() {
    let (theta, times, states, slopes) = reference("lotka_volterra");
    for method in [Method::Explicit, Method::Implicit] {
        for accuracy in [1e-5, 1e-7, 1e-9] {
            let model = Evolution::new(LotkaVolterra { free: false }, times.clone()).unwrap();
            let model = model
                .method(method)
                .accuracy(accuracy, &[accuracy])
                .unwrap();
            let found = model.predict(&theta).unwrap();
            let gap = found
                .iter()
                .zip(&states)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f64::max);
            assert!(gap < 30.0 * accuracy, "{method:?} at {accuracy}: {gap:.1e}");
            let z = matrix(&model, &theta);
            let gap = (0..z.nrows()).flat_map(|i| (0..4).map(move |j| (i, j)));
            let gap = gap
                .map(|(i, j)| (z[(i, j)] - slopes[i][j]).abs())
                .fold(0.0, f64::max);
            assert!(
                gap < 1000.0 * accuracy,
                "{method:?} at {accuracy}: slopes {gap:.1e}"
            );
        }
    }
}

#[test]
fn stiff_reactions_agree_with_scipy() {
    let (theta, times, states, slopes) = reference("robertson");
    let model = Evolution::new(Robertson, times)
        .unwrap()
        .method(Method::Implicit);
    let model = model.accuracy(1e-8, &[1e-10, 1e-14, 1e-10]).unwrap();
    let found = model.predict(&theta).unwrap();
    for (a, b) in found.iter().zip(&states) {
        assert!((a - b).abs() < 1e-7 * b.abs(), "{a} {b}");
    }
    // Every entry of ∂x/∂θ is compared relative to the size of its column for this component.
    let z = matrix(&model, &theta);
    for (i, row) in slopes.iter().enumerate() {
        for (j, exact) in row.iter().enumerate() {
            let gap = (z[(i, j)] - exact).abs() / exact.abs();
            assert!(gap < 1e-5, "∂x{i}/∂θ{j}: {} {exact}", z[(i, j)]);
        }
    }
}

/// G = ∫ x₂ dt of Robertson's reactions to t = 4·10⁷, whose derivatives SUNDIALS publishes to its tolerance.
struct Total;

impl Dynamics for Total {
    fn dims(&self) -> (usize, usize) {
        (4, 3)
    }

    fn rate<S: Scalar>(&self, t: f64, x: &[S], theta: &[S], out: &mut [S]) {
        Robertson.rate(t, &x[..3], theta, &mut out[..3]);
        out[3] = x[2];
    }

    fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
        out.fill(S::from(0.0));
        out[0] = S::from(1.0);
    }
}

#[test]
fn the_published_gradient_of_robertson_is_found() {
    let model = Evolution::new(Total, vec![4e7])
        .unwrap()
        .method(Method::Implicit);
    let model = model.accuracy(1e-7, &[1e-9, 1e-13, 1e-9, 1e-3]).unwrap();
    let theta = [0.04, 1e4, 3e7];
    let rho = model.predict(&theta).unwrap();
    let z = Linearisation::new(&model, &rho, &theta, Cpu::shared()).unwrap();
    let gradient = z.adjoint(column(&[0.0, 0.0, 0.0, 1.0])).unwrap();
    // Converged, and as printed by SUNDIALS with its own tolerance.
    for (j, exact) in [7.68378e5, -3.06892, 5.11489e-4].into_iter().enumerate() {
        assert!(
            (gradient[(j, 0)] / exact - 1.0).abs() < 2e-5,
            "{gradient:?}"
        );
    }
    for (j, printed) in [7.6842e5, -3.0691, 5.1144e-4].into_iter().enumerate() {
        assert!(
            (gradient[(j, 0)] / printed - 1.0).abs() < 1.5e-4,
            "{gradient:?}"
        );
    }
}

#[test]
fn tangents_and_adjoints_are_transposes_to_rounding() {
    let times: Vec<f64> = (0..30).map(|i| 0.3 * f64::from(i)).collect();
    for method in METHODS {
        let lotka = Evolution::new(LotkaVolterra { free: true }, times.clone()).unwrap();
        check_transposes(&lotka.method(method), &[1.5, 1.0, 1.0, 3.0], 1e-13);
    }
    let stiff = Evolution::new(Robertson, vec![0.4, 40.0, 4e5]).unwrap();
    let stiff = stiff
        .method(Method::Implicit)
        .accuracy(1e-6, &[1e-8, 1e-12, 1e-8])
        .unwrap();
    check_transposes(&stiff, &[0.04, 1e4, 3e7], 1e-10);
}

fn check_transposes<D: Dynamics>(model: &Evolution<D>, theta: &[f64], tolerance: f64) {
    let rho = model.predict(theta).unwrap();
    let z = Linearisation::new(model, &rho, theta, Cpu::shared()).unwrap();
    for seed in 0..4 {
        let v: Vec<f64> = random::normal(theta.len(), seed, 1)
            .iter()
            .zip(theta)
            .map(|(x, t)| x * t)
            .collect();
        let w = random::normal(rho.len(), seed, 2);
        let (zv, zw) = (
            z.tangent(column(&v)).unwrap(),
            z.adjoint(column(&w)).unwrap(),
        );
        let (zv, zw) = (zv.col_as_slice(0), zw.col_as_slice(0));
        let gap = (dot(zv, &w) - dot(&v, zw)).abs() / (norm(zv) * norm(&w));
        assert!(gap < tolerance, "{gap:.1e}");
    }
}

/// With kept steps the states are a smooth function of θ, whose differences confirm the derivative down to rounding.
#[test]
fn kept_steps_pass_verification() {
    let times: Vec<f64> = (1..=12).map(|i| 0.5 * f64::from(i)).collect();
    for method in METHODS {
        let theta = [1.5, 1.0, 1.0, 3.0];
        let model = Evolution::new(LotkaVolterra { free: true }, times.clone()).unwrap();
        let model = model.method(method).keep_steps(&theta).unwrap();
        let checks = verify::model(&model, &theta, 1).unwrap();
        assert!(checks.passed(), "{method:?}: {checks}");
    }
}

#[test]
fn kept_steps_give_the_states_of_the_chosen_ones() {
    let times = vec![0.0, 1.0, 2.0, 7.0];
    let theta = [1.5, 1.0, 1.0, 3.0];
    let model = |method| {
        Evolution::new(LotkaVolterra { free: false }, times.clone())
            .unwrap()
            .method(method)
    };
    let chosen = model(Method::Explicit).predict(&theta).unwrap();
    assert_eq!(chosen[..2], [1.0, 1.0]);
    let kept = model(Method::Explicit).keep_steps(&theta).unwrap();
    assert_eq!(kept.predict(&theta).unwrap(), chosen);
    // Implicit stages of kept steps are solved to rounding, others to a thousandth of the accuracy.
    let (chosen, kept) = (
        model(Method::Implicit),
        model(Method::Implicit).keep_steps(&theta).unwrap(),
    );
    let pairs = kept
        .predict(&theta)
        .unwrap()
        .into_iter()
        .zip(chosen.predict(&theta).unwrap());
    assert!(pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) < 1e-9);
}

#[test]
fn a_noisy_record_is_fitted() {
    let times: Vec<f64> = (1..=25).map(|i| 0.4 * f64::from(i)).collect();
    let exact = [1.5, 1.0, 1.0, 3.0];
    let model = Evolution::new(LotkaVolterra { free: false }, times).unwrap();
    let noise = random::normal(50, 7, 0);
    let data = model.predict(&exact).unwrap();
    let data = data.iter().zip(noise).map(|(x, e)| x + 0.01 * e).collect();
    let loss = L2Misfit::euclidean(data).unwrap();
    let descent = Descent::new(&model, &loss);
    let report = descent.run(&[1.45, 1.05, 0.97, 2.9], |_| ()).unwrap();
    assert!(report.converged(), "{report}");
    let errors = report
        .covariance(&descent)
        .unwrap()
        .scaled(1e-4)
        .standard_errors;
    for ((found, exact), error) in report.theta.iter().zip(exact).zip(errors) {
        assert!(
            (found - exact).abs() < 4.0 * error && error < 0.02,
            "{found} ± {error}"
        );
    }
}
