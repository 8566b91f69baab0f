//! Milliseconds for the problems of benches/evolution.rs with diffsol: forward, with all tangents, and with an adjoint, beside
//! the errors of the states at the last time, of the tangents and of the adjoint.
//!
//! `cargo run --release --manifest-path benches/peers/diffsol/Cargo.toml --target-dir target/peers`

use std::hint::black_box;
use std::time::Instant;

use diffsol::{
    DenseMatrix, DiffsolError, FaerContext, FaerLU, FaerMat, FaerVec, OdeBuilder, OdeEquations,
    OdeSolverMethod, OdeSolverState, OdeSolverStopReason, SensitivitiesOdeSolverMethod, StepVjp,
    Vector,
};

type V = FaerVec<f64>;
type M = FaerMat<f64>;
type Lu = FaerLU<f64>;

/// Rates with their products, all of which diffsol takes as closures. Adjoint products are negative by its convention.
mod lotka_volterra {
    pub fn rate(x: &[f64], q: &[f64], _: f64, y: &mut [f64]) {
        y[0] = q[0] * x[0] - q[1] * x[0] * x[1];
        y[1] = q[2] * x[0] * x[1] - q[3] * x[1];
    }

    pub fn state(x: &[f64], q: &[f64], _: f64, v: &[f64], y: &mut [f64]) {
        let meetings = v[0] * x[1] + x[0] * v[1];
        y[0] = q[0] * v[0] - q[1] * meetings;
        y[1] = q[2] * meetings - q[3] * v[1];
    }

    pub fn parameters(x: &[f64], _: &[f64], _: f64, v: &[f64], y: &mut [f64]) {
        y[0] = v[0] * x[0] - v[1] * x[0] * x[1];
        y[1] = v[2] * x[0] * x[1] - v[3] * x[1];
    }

    pub fn state_adjoint(x: &[f64], q: &[f64], _: f64, v: &[f64], y: &mut [f64]) {
        y[0] = -((q[0] - q[1] * x[1]) * v[0] + q[2] * x[1] * v[1]);
        y[1] = -(-q[1] * x[0] * v[0] + (q[2] * x[0] - q[3]) * v[1]);
    }

    pub fn parameters_adjoint(x: &[f64], _: &[f64], _: f64, v: &[f64], y: &mut [f64]) {
        y[0] = -x[0] * v[0];
        y[1] = x[0] * x[1] * v[0];
        y[2] = -x[0] * x[1] * v[1];
        y[3] = x[1] * v[1];
    }

    pub fn initial(_: &[f64], _: f64, y: &mut [f64]) {
        y.fill(1.0);
    }
}

mod robertson {
    pub fn rate(x: &[f64], q: &[f64], _: f64, y: &mut [f64]) {
        y[0] = q[1] * x[1] * x[2] - q[0] * x[0];
        y[2] = q[2] * x[1] * x[1];
        y[1] = -y[0] - y[2];
    }

    pub fn state(x: &[f64], q: &[f64], _: f64, v: &[f64], y: &mut [f64]) {
        y[0] = q[1] * (v[1] * x[2] + x[1] * v[2]) - q[0] * v[0];
        y[2] = 2.0 * q[2] * x[1] * v[1];
        y[1] = -y[0] - y[2];
    }

    pub fn parameters(x: &[f64], _: &[f64], _: f64, v: &[f64], y: &mut [f64]) {
        y[0] = v[1] * x[1] * x[2] - v[0] * x[0];
        y[2] = v[2] * x[1] * x[1];
        y[1] = -y[0] - y[2];
    }

    pub fn state_adjoint(x: &[f64], q: &[f64], _: f64, v: &[f64], y: &mut [f64]) {
        let (a, b) = (v[0] - v[1], v[2] - v[1]);
        y[0] = q[0] * a;
        y[1] = -(q[1] * x[2] * a + 2.0 * q[2] * x[1] * b);
        y[2] = -q[1] * x[1] * a;
    }

    pub fn parameters_adjoint(x: &[f64], _: &[f64], _: f64, v: &[f64], y: &mut [f64]) {
        let (a, b) = (v[0] - v[1], v[2] - v[1]);
        y[0] = x[0] * a;
        y[1] = -x[1] * x[2] * a;
        y[2] = -x[1] * x[1] * b;
    }

    pub fn initial(_: &[f64], _: f64, y: &mut [f64]) {
        y.fill(0.0);
        y[0] = 1.0;
    }
}

/// Returns the shortest of many runs in milliseconds.
fn shortest<T>(mut work: impl FnMut() -> T) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..200 {
        let clock = Instant::now();
        black_box(work());
        best = best.min(1e3 * clock.elapsed().as_secs_f64());
    }
    best
}

/// Takes steps that stop at every time. Returns the states after all steps, and whether they are at a time.
fn steps<'a, E, S>(solver: &mut S, times: &[f64]) -> Result<Vec<(S::State, bool)>, DiffsolError>
where
    E: OdeEquations<M = M, V = V, T = f64, C = FaerContext> + 'a,
    S: OdeSolverMethod<'a, E>,
{
    let mut states = vec![(solver.state_clone(), false)];
    for &time in times {
        solver.set_stop_time(time)?;
        loop {
            let stop = solver.step()?;
            let there = matches!(stop, OdeSolverStopReason::TstopReached);
            states.push((solver.state_clone(), there));
            if there {
                break;
            }
        }
    }
    Ok(states)
}

/// Largest error relative to the size of every entry.
fn error(found: &[f64], exact: &[f64]) -> f64 {
    let errors = found.iter().zip(exact).map(|(f, e)| (f / e - 1.0).abs());
    errors.fold(0.0, f64::max)
}

/// Prints a row, or why there is none. diffsol solves for the derivatives of implicit stages by iteration, to `$solved`.
macro_rules! study {
    ($name:literal, $module:ident, $times:expr, $theta:expr, $tolerances:expr, $exact:expr, $solved:expr,
     $solver:ident, $with_tangents:ident $(, $lu:ty)?) => {{
        let (times, theta, (relative, absolute)) = (&$times[..], $theta, $tolerances);
        let ([state, gradient], n, p) = ($exact, $exact[0].len(), theta.len());
        let given = || {
            let given = OdeBuilder::<M>::new().p(theta).rtol(relative).atol(absolute);
            given.turn_off_sensitivities_error_control()
        };
        let free = |_: &[f64], _: f64, _: &[f64], y: &mut [f64]| y.fill(0.0);
        let mut tangents = given()
            .rhs_sens_implicit($module::rate, $module::state, $module::parameters)
            .init_sens($module::initial, free, n)
            .build()
            .unwrap();
        let mut adjoint = given()
            .rhs_adjoint_implicit(
                $module::rate,
                $module::state,
                $module::state_adjoint,
                $module::parameters_adjoint,
            )
            .init_adjoint($module::initial, free, n)
            .build()
            .unwrap();
        for options in [&mut tangents.ode_options, &mut adjoint.ode_options] {
            options.derivative_solve_tolerance = $solved;
            options.derivative_solve_max_iter = 50;
        }
        let forward = || -> Result<_, DiffsolError> {
            Ok(adjoint.$solver$(::<$lu>)?()?.solve_dense(times)?.0)
        };
        let all = || -> Result<_, DiffsolError> {
            let mut solver = tangents.$with_tangents$(::<$lu>)?()?;
            Ok(solver.solve_dense_sensitivities(times)?.1)
        };
        // The covector is 1, 2, … for the components at every time.
        let back = || -> Result<Vec<f64>, DiffsolError> {
            let mut solver = adjoint.$solver$(::<$lu>)?()?;
            let states = steps(&mut solver, times)?;
            let mut covector = states[1].0.zeros_like();
            let mut out = V::zeros(p, FaerContext::default());
            for (state, there) in states[1..].iter().rev() {
                if *there {
                    let y = covector.as_mut().y;
                    (0..n).for_each(|i| y.set_index(i, y.get_index(i) + (i + 1) as f64));
                }
                solver.step_vjp(state, &mut covector, &mut out)?;
            }
            // The first slope depends on the parameters, too.
            let (mut at_start, mut rest) = (vec![0.0; n], vec![0.0; p]);
            $module::initial(&theta, 0.0, &mut at_start);
            let slope = covector.as_ref().dy.clone_as_vec();
            $module::parameters_adjoint(&at_start, &theta, 0.0, &slope, &mut rest);
            (0..p).for_each(|j| rest[j] = out.get_index(j) - rest[j]);
            Ok(rest)
        };
        let row = || -> Result<String, DiffsolError> {
            let last = forward()?;
            let last: Vec<f64> = (0..n).map(|i| last.get_index(i, times.len() - 1)).collect();
            let slopes = all()?.into_iter().map(|slopes| {
                let entries = (0..times.len()).flat_map(|k| (0..n).map(move |i| (i, k)));
                entries.map(|(i, k)| (i + 1) as f64 * slopes.get_index(i, k)).sum()
            });
            let slopes: Vec<f64> = slopes.collect();
            let errors = [error(&last, &state), error(&slopes, &gradient), error(&back()?, &gradient)];
            let [a, b, c] = [shortest(forward), shortest(all), shortest(back)];
            let [x, y, z] = errors;
            Ok(format!("{a:>8.3} {b:>8.3} {c:>8.3}   {x:>8.1e} {y:>8.1e} {z:>8.1e}"))
        };
        let name = format!("{} {relative:.0e}, {:.0e}", $name, $solved);
        println!("{name:<36} {}", row().unwrap_or_else(|failure| format!("{failure}")));
    }};
}

fn lotka_volterra_rows() {
    let times: Vec<f64> = (1..=100).map(|i| 0.1 * f64::from(i)).collect();
    let theta = [1.5, 1.0, 1.0, 3.0];
    // By SciPy (DOP853, and Radau below) at tight tolerances.
    let exact = [
        &[1.0263447675750927, 0.9096910781360394][..],
        &[
            84.24521400302343,
            -311.39762366525065,
            -349.67072192533567,
            68.89484631787133,
        ],
    ];
    for accuracy in [1e-8, 1e-9] {
        let given = (accuracy, [accuracy; 2]);
        study!(
            "Lotka-Volterra, tsit45",
            lotka_volterra,
            times,
            theta,
            given,
            exact,
            0.2,
            tsit45,
            tsit45_sens
        );
    }
}

fn robertson_rows() {
    let times: Vec<f64> = (0..=8).map(|i| 0.4 * 10.0_f64.powi(i)).collect();
    let theta = [0.04, 1e4, 3e7];
    let exact = [
        &[5.203071844117e-5, 2.081335731891e-10, 0.99994796907342][..],
        &[38.0546056924, -1.31359381569e-4, 2.1893555195e-8],
    ];
    for accuracy in [1e-6, 1e-7] {
        let given = (accuracy, [1e-2, 1e-6, 1e-2].map(|a| a * accuracy));
        for solved in [0.2, 1e-8] {
            study!(
                "Robertson, BDF",
                robertson,
                times,
                theta,
                given,
                exact,
                solved,
                bdf,
                bdf_sens,
                Lu
            );
            study!(
                "Robertson, TR-BDF2",
                robertson,
                times,
                theta,
                given,
                exact,
                solved,
                tr_bdf2,
                tr_bdf2_sens,
                Lu
            );
            study!(
                "Robertson, ESDIRK34",
                robertson,
                times,
                theta,
                given,
                exact,
                solved,
                esdirk34,
                esdirk34_sens,
                Lu
            );
        }
    }
}

fn main() {
    println!(
        "{:<36} {:>8} {:>8} {:>8}   {:>8} {:>8} {:>8}",
        "milliseconds, and errors",
        "forward",
        "tangents",
        "adjoint",
        "states",
        "tangents",
        "adjoint"
    );
    lotka_volterra_rows();
    robertson_rows();
}
