//! Milliseconds for evolutions in time: forward, with all tangents, and with an adjoint.
//!
//! `cargo bench --bench evolution`. `benches/peers/evolution.py` solves the same problems with SciPy.

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

fn row<D: Dynamics>(name: &str, model: &Evolution<D>, theta: &[f64]) -> Result<()> {
    let (k, p) = (model.state_dim(), model.param_dim());
    let rho = model.predict(theta)?;
    let (all, ones) = (Mat::<f64>::identity(p, p), Mat::from_fn(k, 1, |_, _| 1.0));
    let linearised = || Linearisation::new(model, &rho, theta, Cpu::shared());
    let forward = shortest(|| model.predict(theta))?;
    let tangents = shortest(|| linearised()?.tangent(all.as_ref()))?;
    let adjoint = shortest(|| linearised()?.adjoint(ones.as_ref()))?;
    println!("{name:<42} {forward:>8.3} {tangents:>24.3} {adjoint:>23.3}");
    Ok(())
}

fn main() -> Result<()> {
    println!(
        "{:<42} {:>8} {:>24} {:>23}",
        "milliseconds", "forward", "forward and all tangents", "forward and an adjoint"
    );
    let times = (1..=100).map(|i| 0.1 * f64::from(i)).collect();
    let lotka = Evolution::new(LotkaVolterra, times)?.accuracy(1e-8, &[1e-8])?;
    row(
        "Lotka-Volterra, 100 times, 1e-8",
        &lotka,
        &[1.5, 1.0, 1.0, 3.0],
    )?;
    let times = (0..=8).map(|i| 0.4 * 10.0_f64.powi(i)).collect();
    let robertson = Evolution::new(Robertson, times)?.method(Method::Implicit);
    let robertson = robertson.accuracy(1e-6, &[1e-8, 1e-12, 1e-8])?;
    row(
        "Robertson to 4e7, 9 times, 1e-6",
        &robertson,
        &[0.04, 1e4, 3e7],
    )
}
