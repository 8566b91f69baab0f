//! Milliseconds for evolutions in time: forward, with all tangents, and with an adjoint.
//!
//! `cargo bench --bench evolution`. `benches/peers/evolution.py` solves the same problems with SciPy, `evolution_compiled.py` with
//! SUNDIALS, diffrax and diffsol's Python package, and `benches/peers/diffsol` with diffsol itself.

use std::hint::black_box;
use std::time::Instant;

use pullback::automatic::Scalar;
use pullback::evolution::{Dynamics, Evolution, Method};
use pullback::faer::Mat;
use pullback::{Cpu, Linearisation, Model, Result};

/// Prey and predators (Lotka and Volterra).
struct LotkaVolterra;

impl Dynamics for LotkaVolterra {
    fn dims(&self) -> (usize, usize) {
        (2, 4)
    }

    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        let meetings = x[0] * x[1];
        out[0] = theta[0] * x[0] - theta[1] * meetings;
        out[1] = theta[2] * meetings - theta[3] * x[1];
    }

    fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
        out.fill(S::from(1.0));
    }
}

/// Three reactions with rates of very different sizes (Robertson 1966).
struct Robertson;

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
        out.fill(S::from(0.0));
        out[0] = S::from(1.0);
    }
}

/// Returns the shortest of many runs in milliseconds.
fn shortest<T>(mut work: impl FnMut() -> Result<T>) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..200 {
        let clock = Instant::now();
        black_box(work()?);
        best = best.min(1e3 * clock.elapsed().as_secs_f64());
    }
    Ok(best)
}

/// Returns the largest error relative to the size of every entry.
fn error(found: impl Iterator<Item = f64>, exact: &[f64]) -> f64 {
    let errors = found.zip(exact).map(|(f, e)| (f / e - 1.0).abs());
    errors.fold(0.0, f64::max)
}

/// Problem with x at the last time, and the gradient of the sum over times of x₀ + 2x₁ + …, both by SciPy at tight tolerances.
struct Problem<'a> {
    theta: &'a [f64],
    last: &'a [f64],
    gradient: &'a [f64],
}

fn row<D: Dynamics>(name: &str, model: &Evolution<D>, problem: &Problem<'_>) -> Result<()> {
    let (k, p, n) = (model.state_dim(), model.param_dim(), problem.last.len());
    let theta = problem.theta;
    let rho = model.predict(theta)?;
    let all = Mat::<f64>::identity(p, p);
    let weights = Mat::from_fn(k, 1, |i, _| (i % n + 1) as f64);
    let linearised = || Linearisation::new(model, &rho, theta, Cpu::shared());
    let forward = shortest(|| model.predict(theta))?;
    let tangents = shortest(|| linearised()?.tangent(all.as_ref()))?;
    let adjoint = shortest(|| linearised()?.adjoint(weights.as_ref()))?;
    let last = error(rho[k - n..].iter().copied(), problem.last);
    let gradient = linearised()?.adjoint(weights.as_ref())?;
    let gradient = error((0..p).map(|j| gradient[(j, 0)]), problem.gradient);
    println!(
        "{name:<36} {forward:>8.3} {tangents:>9.3} {adjoint:>8.3}   {last:>8.1e} {gradient:>8.1e}"
    );
    Ok(())
}

fn main() -> Result<()> {
    println!(
        "{:<36} {:>8} {:>9} {:>8}   {:>8} {:>8}",
        "milliseconds, and errors", "forward", "tangents", "adjoint", "states", "gradient"
    );
    let times: Vec<f64> = (1..=100).map(|i| 0.1 * f64::from(i)).collect();
    let problem = Problem {
        theta: &[1.5, 1.0, 1.0, 3.0],
        last: &[1.026_344_767_575_093, 0.909_691_078_136_039],
        gradient: &[
            84.245_214_003_02,
            -311.397_623_665_25,
            -349.670_721_925_34,
            68.894_846_317_87,
        ],
    };
    for accuracy in [1e-8, 1e-9] {
        let model = Evolution::new(LotkaVolterra, times.clone())?;
        let model = model.accuracy(accuracy, &[accuracy])?;
        row(
            &format!("Lotka-Volterra, 100 times, {accuracy:e}"),
            &model,
            &problem,
        )?;
    }
    let times: Vec<f64> = (0..=8).map(|i| 0.4 * 10.0_f64.powi(i)).collect();
    let problem = Problem {
        theta: &[0.04, 1e4, 3e7],
        last: &[
            5.203_071_844_12e-5,
            2.081_335_731_89e-10,
            0.999_947_969_073_42,
        ],
        gradient: &[38.054_605_692, -1.313_593_815_7e-4, 2.189_355_519_5e-8],
    };
    for (method, order) in [(Method::Implicit, 4), (Method::ImplicitFifth, 5)] {
        for accuracy in [1e-6, 1e-7, 1e-8] {
            let model = Evolution::new(Robertson, times.clone())?.method(method);
            let absolute = [1e-2, 1e-6, 1e-2].map(|a| a * accuracy);
            let model = model.accuracy(accuracy, &absolute)?;
            row(
                &format!("Robertson, order {order}, 9 times, {accuracy:e}"),
                &model,
                &problem,
            )?;
        }
    }
    Ok(())
}
