//! What a correction without a model does: its geometry comes from the simulations themselves.

use std::sync::Mutex;

use crate::support::{column, dot, gap};
use pullback::correction::{Corrected, Options, Regression, Simulated, Simulator, Stop};
use pullback::faer::Mat;
use pullback::loss::L2Misfit;
use pullback::metric::L2;
use pullback::model::Equations;
use pullback::{Bounds, Descent, Error, Operator, Result, random};

/// A simulator that is a function of θ and the seed, and notes where it was called.
pub(crate) struct World<F> {
    function: F,
    /// Rejects θ₀ beyond this.
    limit: f64,
    calls: Mutex<Vec<Vec<f64>>>,
}

pub(crate) fn world<F: Fn(&[f64], u64) -> Vec<f64> + Sync>(function: F) -> World<F> {
    World {
        function,
        limit: f64::INFINITY,
        calls: Mutex::new(Vec::new()),
    }
}

impl<F: Fn(&[f64], u64) -> Vec<f64> + Sync> Simulator for World<F> {
    fn simulate(&self, theta: &[f64], seed: u64) -> Result<Simulated> {
        self.calls.lock().unwrap().push(theta.to_vec());
        if theta[0] > self.limit {
            return Ok(Simulated::Rejected(format!("{} is too much", theta[0])));
        }
        Ok((self.function)(theta, seed).into())
    }
}

pub(crate) const EUCLIDEAN: L2 = L2 { volume: 1.0 };

/// Parameters of order one, and steps of any length.
pub(crate) fn unit(p: usize) -> Options {
    Options {
        scale: vec![1.0; p],
        cap: 5.0,
        ..Options::default()
    }
}

pub(crate) fn linear(a: &Mat<f64>, theta: &[f64]) -> Vec<f64> {
    (a * column(theta)).col_as_slice(0).to_vec()
}

/// A linear map with a bend of this size.
pub(crate) fn bent(a: &Mat<f64>, bend: f64, theta: &[f64]) -> Vec<f64> {
    let bends = |(i, x): (usize, f64)| {
        let j = i % theta.len();
        x + bend * (0.5 * x.sin() + 0.2 * theta[j] * theta[j])
    };
    linear(a, theta)
        .into_iter()
        .enumerate()
        .map(bends)
        .collect()
}

#[test]
fn a_linear_simulator_is_solved_by_two_simulations_more_than_parameters() {
    for (k, p) in [(1, 1), (3, 3), (40, 5), (200, 12)] {
        let a = random::normal_matrix(k, p, 1);
        let truth = random::normal(p, 2, 0);
        let (simulator, data) = (world(|t, _| linear(&a, t)), linear(&a, &truth));
        let report = Corrected::without_model(&simulator, &data, &EUCLIDEAN)
            .options(unit(p))
            .run(&[&vec![0.0; p]], |_| ())
            .unwrap();
        let calls = simulator.calls.lock().unwrap();
        // The start, p displacements, the answer, and its confirmation.
        assert_eq!(
            (report.stop, report.simulations, calls.len()),
            (Stop::Converged, p + 3, p + 3)
        );
        assert!(
            gap(&calls[p + 1], &truth) < 1e-10,
            "{k} data of {p}: {:?}",
            calls[p + 1]
        );
    }
}

/// SciPy 1.17 from the same start: `root` needs 14 simulations by "hybr", which counts 3 for its Jacobian, 36 by "broyden1" and
/// 26 by "anderson"; `least_squares` needs 20 by "lm". Tolerances 10⁻¹⁰.
#[test]
fn a_smooth_simulator_is_solved_superlinearly() {
    let rows = [[2.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 2.0]];
    let a = Mat::from_fn(3, 3, |i, j| rows[i][j]);
    let truth = [0.8, -0.5, 0.3];
    let (simulator, data) = (world(|t, _| bent(&a, 1.0, t)), bent(&a, 1.0, &truth));
    let report = Corrected::without_model(&simulator, &data, &EUCLIDEAN)
        .options(unit(3))
        .run(&[&[0.2, 0.1, 0.1]], |_| ())
        .unwrap();
    println!("{report}");
    assert_eq!(report.stop, Stop::Converged);
    assert!(gap(&report.theta, &truth) < 1e-9, "{:?}", report.theta);
    assert!(report.simulations <= 16, "{report}");
    // A linear rate would make the last ratios of the steps as large as the first.
    let steps: Vec<f64> = report.history.iter().map(|i| i.relative_step).collect();
    let ratios: Vec<f64> = steps.windows(2).map(|w| w[1] / w[0]).collect();
    assert!(ratios[ratios.len() - 1] < 0.05, "{steps:?}");
}

/// The fixed point Zᵀ(h − q) = 0 with more data than parameters, which no θ meets, beside the minimiser by exact derivatives.
#[test]
fn unmet_data_are_fitted_by_least_squares() {
    let (a, truth) = (random::normal_matrix(12, 2, 3), [0.4, -0.3]);
    for (bend, noise, accuracy) in [
        (0.0, 0.3, 1e-8),
        (0.5, 0.3, 1e-6),
        (2.0, 0.3, 1e-6),
        (2.0, 1.0, 1e-6),
    ] {
        let simulator = world(|t, _| bent(&a, bend, t));
        let errors = random::normal(12, 5, 0);
        let data: Vec<f64> = bent(&a, bend, &truth)
            .iter()
            .zip(errors)
            .map(|(h, e)| h + noise * e)
            .collect();
        let report = Corrected::without_model(&simulator, &data, &EUCLIDEAN)
            .options(Options {
                iterations: 200,
                ..unit(2)
            })
            .run(&[&[0.0, 0.0]], |_| ())
            .unwrap();
        let exact = minimiser(&a, bend, &data);
        let off = gap(&report.theta, &exact);
        println!("bend {bend}, noise {noise}: {off:.2e} from the minimiser, {report}");
        assert!(
            report.converged() && off < accuracy,
            "bend {bend}: {off:.2e}"
        );
        assert!(gap(&exact, &truth) > 0.03, "the data are off");
    }
}

/// The least-squares fit of the bent map by its exact Jacobian.
fn minimiser(a: &Mat<f64>, bend: f64, data: &[f64]) -> Vec<f64> {
    let (k, p) = a.shape();
    let jacobian = |theta: &[f64]| {
        let x = linear(a, theta);
        Mat::from_fn(k, p, |i, j| {
            let own = if i % p == j { 0.4 * theta[j] } else { 0.0 };
            a[(i, j)] * (1.0 + 0.5 * bend * x[i].cos()) + bend * own
        })
    };
    let model = Equations::new(
        (k, p),
        |rho, theta, g| {
            let h = bent(a, bend, theta);
            (0..k).for_each(|i| g[i] = rho[i] - h[i]);
        },
        |_, _| Operator::identity(k),
        |_, theta| Operator::dense(-jacobian(theta)),
    );
    let loss = L2Misfit::euclidean(data.to_vec()).unwrap();
    Descent::new(&model, &loss)
        .run(&[0.1, 0.1], |_| ())
        .unwrap()
        .theta
}

#[test]
fn displacements_stay_within_the_bounds() {
    let a = random::normal_matrix(9, 3, 1);
    let (simulator, truth) = (world(|t: &[f64], _| linear(&a, t)), [1.0, 0.2, 5.0]);
    let data = linear(&a, &truth);
    // At the upper bound, between two close bounds, and fixed.
    let bounds = Bounds::new(vec![0.0, 0.0, 5.0], vec![1.0, 0.25, 5.0]).unwrap();
    let report = Corrected::without_model(&simulator, &data, &EUCLIDEAN)
        .options(unit(3))
        .bounds(&bounds)
        .regression(Regression {
            displacement: 0.5,
            ..Regression::default()
        })
        .run(&[&[1.0, 0.24, 5.0]], |_| ())
        .unwrap();
    for theta in simulator.calls.lock().unwrap().iter() {
        let inside = (0..3).all(|j| (bounds.lower()[j]..=bounds.upper()[j]).contains(&theta[j]));
        assert!(inside, "{theta:?}");
    }
    assert!(
        report.converged() && gap(&report.theta, &truth) < 1e-8,
        "{:?}",
        report.theta
    );
    // A parameter that cannot move is not displaced.
    assert_eq!(
        simulator.calls.lock().unwrap()[1..3],
        [vec![0.5, 0.24, 5.0], vec![1.0, 0.0, 5.0]]
    );
}

#[test]
fn an_active_bound_is_no_obstacle() {
    let (a, truth) = (random::normal_matrix(40, 2, 1), [0.8, -0.5]);
    let data = linear(&a, &truth);
    let bounds = Bounds::new(vec![-2.0, -0.3], vec![2.0, 2.0]).unwrap();
    let report = Corrected::without_model(&world(|t, _| linear(&a, t)), &data, &EUCLIDEAN)
        .options(unit(2))
        .bounds(&bounds)
        .run(&[&[0.1, 0.1]], |_| ())
        .unwrap();
    assert_eq!(
        (report.stop, report.theta[1]),
        (Stop::Converged, -0.3),
        "{report}"
    );
    let h = linear(&a, &report.theta);
    let defect: Vec<f64> = h.iter().zip(&data).map(|(h, q)| h - q).collect();
    let slope = dot(a.col_as_slice(0), &defect);
    assert!(slope.abs() < 1e-6, "{slope}");
}

#[test]
fn displacements_that_the_simulator_rejects_are_turned_round() {
    let a = random::normal_matrix(9, 2, 1);
    let data = linear(&a, &[0.8, -0.5]);
    let mut simulator = world(|t: &[f64], _| linear(&a, t));
    simulator.limit = 0.85;
    let run = |start: &[f64], restarts: usize| {
        Corrected::without_model(&simulator, &data, &EUCLIDEAN)
            .options(Options {
                restarts,
                ..unit(2)
            })
            .run(&[start], |_| ())
    };
    let report = run(&[0.84, 0.0], 0).unwrap();
    assert!(report.converged() && gap(&report.theta, &[0.8, -0.5]) < 1e-8);
    assert_eq!(
        simulator.calls.lock().unwrap()[1..3],
        [vec![0.94, 0.0], vec![0.74, 0.0]]
    );
    // The start, both displacements and the one rejected, the answer, and its confirmation.
    assert_eq!(report.simulations, 6);
    let error = run(&[3.0, 0.0], 2).unwrap_err();
    assert!(matches!(error, Error::NoStart { .. }), "{error}");
}

#[test]
fn no_displacement_is_tried_twice() {
    let a = random::normal_matrix(9, 1, 1);
    let mut simulator = world(|t: &[f64], _| linear(&a, t));
    simulator.limit = 0.05;
    // Close to the lower bound, both sides of it lead to the side with more room, which the simulator rejects.
    let bounds = Bounds::new(vec![0.0], vec![1.0]).unwrap();
    let data = linear(&a, &[0.5]);
    let error = Corrected::without_model(&simulator, &data, &EUCLIDEAN)
        .options(Options {
            restarts: 0,
            ..unit(1)
        })
        .bounds(&bounds)
        .run(&[&[0.02]], |_| ())
        .unwrap_err();
    assert!(matches!(error, Error::NoStart { .. }), "{error}");
    assert_eq!(simulator.calls.lock().unwrap().len(), 3);
}

#[test]
fn old_simulations_are_forgotten_and_the_answer_is_found() {
    let a = random::normal_matrix(5, 3, 8);
    let truth = [0.5, -0.4, 0.9];
    let (simulator, data) = (
        world(|t: &[f64], _| bent(&a, 1.0, t)),
        bent(&a, 1.0, &truth),
    );
    for memory in [8, 9, 100] {
        let report = Corrected::without_model(&simulator, &data, &EUCLIDEAN)
            .options(unit(3))
            .regression(Regression {
                memory,
                ..Regression::default()
            })
            .run(&[&[0.0, 0.0, 0.0]], |_| ())
            .unwrap();
        println!("memory {memory}: {report}");
        assert!(
            report.converged() && gap(&report.theta, &truth) < 1e-7,
            "memory {memory}: {report}"
        );
    }
}
