//! What a correction does: it finds the simulator's truth with a wrong model's derivative, and says how it went.

use crate::support;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{column, gap};
use pullback::correction::{Corrected, Options, Simulated, Simulator, Stop};
use pullback::faer::Mat;
use pullback::metric::L2;
use pullback::{Bounds, Error, Model, Operator, Result, random};

/// An explicit linear model ρ = Fθ.
struct Linear(Mat<f64>);

impl Model for Linear {
    fn state_dim(&self) -> usize {
        self.0.nrows()
    }
    fn param_dim(&self) -> usize {
        self.0.ncols()
    }
    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        let image = &self.0 * column(theta);
        (0..out.len()).for_each(|i| out[i] = rho[i] - image[(i, 0)]);
    }
    fn state_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::identity(self.0.nrows())
    }
    fn param_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::dense(-&self.0)
    }
}

/// The truth: another matrix, a bend, and noise.
struct World {
    matrix: Mat<f64>,
    bend: f64,
    noise: f64,
    /// Beyond this θ₀ it objects.
    limit: f64,
    calls: AtomicUsize,
}

impl World {
    fn new(matrix: Mat<f64>) -> Self {
        Self {
            matrix,
            bend: 0.0,
            noise: 0.0,
            limit: f64::INFINITY,
            calls: AtomicUsize::new(0),
        }
    }
}

impl Simulator for World {
    fn simulate(&self, theta: &[f64], seed: u64) -> Result<Simulated> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let clean = &self.matrix * column(theta);
        let noise = random::normal(clean.nrows(), seed, 9);
        let value = |i: usize| {
            let x = clean[(i, 0)];
            x + self.bend * (x.sin() - x) + self.noise * noise[i]
        };
        Ok(Simulated::Data((0..clean.nrows()).map(value).collect()))
    }

    fn objection(&self, simulated: &[f64], _: &[f64]) -> Option<String> {
        (simulated[0].abs() > self.limit).then(|| format!("{:.1} is too much", simulated[0]))
    }
}

const ROWS: usize = 40;
const TRUTH: [f64; 2] = [0.8, -0.5];

/// A world, and a model of it that is wrong by `off` of itself.
fn pair(off: f64) -> (World, Linear) {
    let world = random::normal_matrix(ROWS, 2, 1);
    let wrong = random::normal_matrix(ROWS, 2, 2);
    let model = Mat::from_fn(ROWS, 2, |i, j| world[(i, j)] + off * wrong[(i, j)]);
    (World::new(world), Linear(model))
}

/// Parameters of order one.
fn unit() -> Options {
    Options {
        scale: vec![1.0, 1.0],
        ..Options::default()
    }
}

fn euclidean() -> L2 {
    L2 { volume: 1.0 }
}

#[test]
fn the_fixed_point_is_the_truth_however_wrong_the_model() {
    for off in [0.0, 0.2, 0.5] {
        for bend in [0.0, 0.2] {
            let (mut world, model) = pair(off);
            world.bend = bend;
            let data = world.simulate(&TRUTH, 0).unwrap().data().unwrap();
            let metric = euclidean();
            let report = Corrected::new(&model, &world, &data, &metric)
                .options(unit())
                .run(&[&[0.1, 0.1]], |_| ())
                .unwrap();
            assert_eq!(
                report.stop,
                Stop::Converged,
                "off {off}, bend {bend}: {report}"
            );
            assert!(gap(&report.theta, &TRUTH) < 1e-7, "off {off}, bend {bend}");
            assert_eq!(report.simulations, world.calls.load(Ordering::Relaxed) - 1);
            assert!(report.standard_errors.is_none());
            if off == 0.0 && bend == 0.0 {
                // The right derivative of a linear world needs one step, but for the cap, and one to see it.
                let free = |c: &&pullback::correction::Iterate| c.relative_step < 0.3;
                assert!(report.history.iter().filter(free).count() <= 2);
            }
        }
    }
}

/// A plain fit of the wrong model ends elsewhere; this is what the correction is for.
#[test]
fn the_model_alone_is_biased() {
    let (world, model) = pair(0.5);
    let data = world.simulate(&TRUTH, 0).unwrap().data().unwrap();
    let loss = pullback::loss::L2Misfit::euclidean(data).unwrap();
    let report = pullback::Descent::new(&model, &loss)
        .run(&[0.1, 0.1], |_| ())
        .unwrap();
    assert!(gap(&report.theta, &TRUTH) > 0.02, "{:?}", report.theta);
}

/// A world, and a model that responds `response` times as much.
fn responding(response: f64) -> (World, Linear) {
    let world = random::normal_matrix(ROWS, 2, 1);
    let model = Mat::from_fn(ROWS, 2, |i, j| response * world[(i, j)]);
    (World::new(world), Linear(model))
}

#[test]
fn fluctuations_are_averaged_and_their_spread_is_the_standard_error() {
    for response in [0.75, 1.0, 1.5, 2.0] {
        errors_are_as_claimed(response);
    }
}

fn errors_are_as_claimed(response: f64) {
    let (mut world, model) = responding(response);
    world.noise = 0.05;
    let metric = euclidean();
    let (mut off, mut claimed) = ([0.0; 2], [0.0; 2]);
    let runs = 100;
    for seed in 0..runs {
        let data = world
            .simulate(&TRUTH, 10_000 + seed)
            .unwrap()
            .data()
            .unwrap();
        let options = Options {
            seed: 100 * seed,
            iterations: 100,
            ..Options::default()
        };
        let report = Corrected::new(&model, &world, &data, &metric)
            .options(options)
            .run(&[&[0.1, 0.1]], |_| ())
            .unwrap();
        assert_eq!(report.stop, Stop::Averaged);
        let errors = report.standard_errors.unwrap();
        for j in 0..2 {
            off[j] += (report.theta[j] - TRUTH[j]).powi(2) / runs as f64;
            claimed[j] += errors[j].powi(2) / runs as f64;
        }
    }
    for j in 0..2 {
        // Roots of mean squares over 100 runs are good to 7 %; c from a dozen iterates is biased by more.
        let ratio = (claimed[j] / off[j]).sqrt();
        assert!(
            (0.7..1.4).contains(&ratio),
            "response {response}, parameter {j}: claimed/true = {ratio}"
        );
    }
}

#[test]
fn steps_are_capped_and_kept_in_bounds() {
    let (world, model) = pair(0.0);
    let data = world.simulate(&[50.0, -40.0], 0).unwrap().data().unwrap();
    let (metric, bounds) = (
        euclidean(),
        Bounds::new(vec![0.0, -3.0], vec![9.0, 3.0]).unwrap(),
    );
    let mut last: Option<Vec<f64>> = None;
    let report = Corrected::new(&model, &world, &data, &metric)
        .bounds(&bounds)
        .run(&[&[1.0, 1.0]], |c| {
            if let Some(last) = &last {
                for (j, (a, b)) in last.iter().zip(&c.theta).enumerate() {
                    assert!(
                        (a - b).abs() <= 0.3 * a.abs().max(1.0) + 1e-12,
                        "parameter {j}"
                    );
                }
            }
            last = Some(c.theta.clone());
        })
        .unwrap();
    assert_eq!(report.theta, [9.0, -3.0]);
}

#[test]
fn a_starting_point_that_the_simulator_objects_to_is_rejected() {
    let (mut world, model) = pair(0.1);
    world.limit = 3.0;
    let data = world.simulate(&TRUTH, 0).unwrap().data().unwrap();
    let metric = euclidean();
    let correct = |starts: &[&[f64]], restarts: usize| {
        let options = Options { restarts, ..unit() };
        Corrected::new(&model, &world, &data, &metric)
            .options(options)
            .run(starts, |_| ())
    };
    let far: &[f64] = &[60.0, 60.0];
    let report = correct(&[far, &[0.5, 0.5]], 0).unwrap();
    assert_eq!(
        (report.rejected_starts.len(), &report.start[..]),
        (1, &[0.5, 0.5][..])
    );
    assert!(report.rejected_starts[0].contains("too much") && gap(&report.theta, &TRUTH) < 1e-7);
    let error = correct(&[far], 4).err().unwrap();
    assert!(matches!(error, Error::NoStart { .. }), "{error}");
    assert!(error.to_string().contains("and 2 more"), "{error}");
}

#[test]
fn slow_contraction_is_not_taken_for_fluctuation() {
    // A model with twice the world's response halves the defect, step by step, without noise.
    let matrix = random::normal_matrix(ROWS, 2, 1);
    let double = Mat::from_fn(ROWS, 2, |i, j| 2.5 * matrix[(i, j)]);
    let (world, model, metric) = (World::new(matrix), Linear(double), euclidean());
    let data = world.simulate(&TRUTH, 0).unwrap().data().unwrap();
    let options = Options {
        iterations: 60,
        ..unit()
    };
    let run = |options: Options| {
        Corrected::new(&model, &world, &data, &metric)
            .options(options)
            .run(&[&[0.1, 0.1]], |_| ())
            .unwrap()
    };
    let report = run(options);
    assert_eq!(report.stop, Stop::Converged);
    assert!(gap(&report.theta, &TRUTH) < 1e-6);
    let cut = run(Options {
        iterations: 5,
        ..unit()
    });
    assert_eq!(cut.stop, Stop::Iterations);
    assert!(!cut.converged());
}

/// A model that responds twenty times as much as the world leaves .95 of an error after a step, and noise hides it.
#[test]
fn a_drift_below_the_noise_is_no_convergence() {
    for noise in [0.05, 0.2, 1.0] {
        let (mut world, model) = responding(20.0);
        world.noise = noise;
        for seed in 0..30 {
            let data = world
                .simulate(&TRUTH, 10_000 + seed)
                .unwrap()
                .data()
                .unwrap();
            let (metric, seed) = (euclidean(), 100 * seed);
            let options = Options { seed, ..unit() };
            let report = Corrected::new(&model, &world, &data, &metric)
                .options(options)
                .run(&[&[0.1, 0.1]], |_| ())
                .unwrap();
            assert_eq!(report.stop, Stop::Iterations, "noise {noise}");
        }
    }
}

/// A model that responds half as much as the world, or less, doubles the defect with the other sign.
#[test]
fn oscillation_and_growth_are_no_convergence() {
    for response in [0.52, 0.5, 0.45, 0.3] {
        let (world, model) = responding(response);
        let data = world.simulate(&TRUTH, 0).unwrap().data().unwrap();
        let metric = euclidean();
        let report = Corrected::new(&model, &world, &data, &metric)
            .run(&[&[0.7, -0.4]], |_| ())
            .unwrap();
        assert_eq!(report.stop, Stop::Iterations, "response {response}");
        assert!(report.standard_errors.is_none() && !report.converged());
    }
}

/// At a bound the remaining parameters find their own optimum, and the iteration settles there.
#[test]
fn an_active_bound_is_no_obstacle() {
    let (world, model) = pair(0.1);
    let data = world.simulate(&TRUTH, 0).unwrap().data().unwrap();
    let bounds = Bounds::new(vec![-2.0, -0.3], vec![2.0, 2.0]).unwrap();
    let metric = euclidean();
    let report = Corrected::new(&model, &world, &data, &metric)
        .bounds(&bounds)
        .options(unit())
        .run(&[&[0.1, 0.1]], |_| ())
        .unwrap();
    assert_eq!(report.stop, Stop::Converged, "{report}");
    assert_eq!(report.theta[1], -0.3);
    // Zᵀ(h − q) = 0 for the free parameter.
    let h = world.simulate(&report.theta, 0).unwrap().data().unwrap();
    let d: Vec<f64> = h.iter().zip(&data).map(|(h, q)| h - q).collect();
    let slope = support::dot(model.0.col_as_slice(0), &d);
    assert!(
        slope.abs() < 1e-6 * support::dot(&data, &data).sqrt(),
        "{slope}"
    );
}

/// What is wrong with how is simulated is said at once, not taken for a bad start.
#[test]
fn a_simulator_that_cannot_work_ends_the_run() {
    struct Broken;
    impl Simulator for Broken {
        fn simulate(&self, _: &[f64], _: u64) -> Result<Simulated> {
            Err(Error::Option {
                what: "the interval",
                value: 0.0,
                remedy: "give a positive time",
            })
        }
    }
    let (world, model) = pair(0.0);
    let data = world.simulate(&TRUTH, 0).unwrap().data().unwrap();
    let metric = euclidean();
    let run = Corrected::new(&model, &Broken, &data, &metric).run(&[&[0.0, 0.0]], |_| ());
    assert_eq!(run.unwrap_err().kind(), "Option");
}

#[test]
fn nonsense_is_refused() {
    let (world, model) = pair(0.0);
    let data = world.simulate(&TRUTH, 0).unwrap().data().unwrap();
    let metric = euclidean();
    let with = |options: Options, starts: &[&[f64]], data: &[f64]| {
        let correction = Corrected::new(&model, &world, data, &metric).options(options);
        correction.run(starts, |_| ()).err().map(|e| e.kind())
    };
    let good: &[&[f64]] = &[&[0.0, 0.0]];
    let set = |f: fn(&mut Options)| {
        let mut options = Options::default();
        f(&mut options);
        options
    };
    type Row<'a> = (Options, &'a [&'a [f64]], &'a [f64], &'a str);
    let table: &[Row<'_>] = &[
        (set(|o| o.cap = 0.0), good, &data, "Option"),
        (set(|o| o.cap = f64::NAN), good, &data, "Option"),
        (set(|o| o.average = 1), good, &data, "Option"),
        (set(|o| o.scatter = -1.0), good, &data, "Option"),
        (set(|o| o.scale = vec![1.0]), good, &data, "Dimension"),
        (
            set(|o| o.scale = vec![1.0, 0.0]),
            good,
            &data,
            "NotPositive",
        ),
        (Options::default(), &[], &data, "Option"),
        (Options::default(), &[&[0.0]], &data, "Dimension"),
        (Options::default(), &[&[0.0, f64::NAN]], &data, "NotFinite"),
        (Options::default(), good, &data[1..], "Dimension"),
        (Options::default(), good, &[f64::NAN; ROWS], "NotFinite"),
    ];
    for (row, (options, starts, data, kind)) in table.iter().enumerate() {
        assert_eq!(
            with(options.clone(), starts, data),
            Some(*kind),
            "row {row}"
        );
    }
}
