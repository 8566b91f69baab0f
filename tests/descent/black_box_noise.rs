//! Corrections of random simulators without a model: what noise does to their geometry and to their standard errors.

use crate::black_box::{EUCLIDEAN, bent, linear, unit, world};
use crate::support::gap;
use pullback::correction::{Corrected, Options, Replicates, Report, Stop};
use pullback::faer::Mat;
use pullback::metric::Observed;
use pullback::{Operator, random};

/// Runs a noisy linear world of 40 data from a start 0.7 away.
fn noisy(seed: u64, noise: f64) -> (Report, Vec<f64>) {
    let a = random::normal_matrix(40, 2, 1);
    let truth = [0.8, -0.5];
    let simulate = |t: &[f64], seed: u64| -> Vec<f64> {
        let errors = random::normal(40, seed, 9);
        linear(&a, t)
            .iter()
            .zip(errors)
            .map(|(h, e)| h + noise * e)
            .collect()
    };
    let data = simulate(&truth, 10_000 + seed);
    let options = Options {
        seed: 100 * seed,
        iterations: 100,
        ..unit(2)
    };
    let report = Corrected::without_model(&world(simulate), &data, &EUCLIDEAN)
        .options(options)
        .run(&[&[0.3, 0.0]], |_| ())
        .unwrap();
    let off = report.theta.iter().zip(truth).map(|(t, s)| t - s).collect();
    (report, off)
}

#[test]
fn fluctuating_iterates_do_not_destroy_the_geometry() {
    // The noise of a displacement of 0.1 is half of, or twice, its effect on every datum.
    let mut covered = 0;
    for noise in [0.05, 0.2] {
        let (mut off, mut claimed) = ([0.0; 2], [0.0; 2]);
        let runs = 100;
        for seed in 0..runs {
            let (report, deviation) = noisy(seed, noise);
            assert_eq!(
                report.stop,
                Stop::Averaged,
                "noise {noise}, seed {seed}: {report}"
            );
            let errors = report.standard_errors.unwrap();
            for j in 0..2 {
                off[j] += deviation[j].powi(2) / runs as f64;
                claimed[j] += errors[j].powi(2) / runs as f64;
                covered += usize::from(deviation[j].abs() < 2.0 * errors[j]);
            }
        }
        // Linear regression with the exact Z has the error noise/√40, times √(1 + 1/12) for the simulator's own.
        let ideal = noise / 40.0_f64.sqrt();
        for j in 0..2 {
            let ratio = (claimed[j] / off[j]).sqrt();
            let error = off[j].sqrt() / ideal;
            println!(
                "noise {noise}: claimed/true {ratio:.2}, error/ideal {error:.2}, covered {covered} of 200"
            );
            assert!(
                (0.7..1.4).contains(&ratio),
                "noise {noise}, parameter {j}: {ratio}"
            );
            assert!(error < 2.0, "noise {noise}, parameter {j}: {error}");
        }
    }
    // A standard error that a dozen correlated values and their correlation give has about five degrees of freedom: a t variable is
    // then within 2 with the probability .898, and within .954 at best. Three binomial standard deviations beyond these, of 400.
    assert!((341..=394).contains(&covered), "{covered} of 400");
}

/// Noise that moves the iterates by more than the displacements: three data of three parameters, one combination of which has little effect.
#[test]
fn iterates_that_fluctuate_more_than_the_survey_are_averaged() {
    let a = Mat::from_fn(3, 3, |i, j| {
        [[1.0, 0.2, 0.1], [0.2, 1.0, 0.75], [0.1, 0.75, 1.0]][i][j]
    });
    let simulate = |t: &[f64], seed: u64| -> Vec<f64> {
        let errors = random::normal(3, seed, 9);
        let h = linear(&a, t).into_iter().zip(errors);
        h.map(|(h, e)| h + 0.03 * e).collect()
    };
    let (truth, runs) = ([0.8, -0.5, 0.3], 100);
    let (mut averaged, mut spread, mut simulations) = (0, 0.0, 0);
    for seed in 0..runs {
        let data = simulate(&truth, 10_000 + seed);
        let report = Corrected::without_model(&world(simulate), &data, &EUCLIDEAN)
            .options(Options {
                seed: 100 * seed,
                ..unit(3)
            })
            .run(&[&[0.7, -0.4, 0.2]], |_| ())
            .unwrap();
        averaged += u32::from(report.stop == Stop::Averaged);
        spread += report.history.last().unwrap().relative_step / runs as f64;
        simulations += report.simulations;
    }
    println!("{averaged} of {runs} averaged, last step {spread:.3}, {simulations} simulations");
    assert!(averaged >= 90, "{averaged} of {runs}");
    // Surveys are bounded: three of wider displacements, and four elsewhere.
    assert!(simulations <= runs as usize * (1 + 3 * 8 + 60));
}

#[test]
fn a_random_simulator_is_surveyed_anew_far_from_the_start() {
    let a = random::normal_matrix(60, 2, 7);
    let simulate = |t: &[f64], seed: u64| -> Vec<f64> {
        let errors = random::normal(60, seed, 9);
        bent(&a, 1.0, t)
            .iter()
            .zip(errors)
            .map(|(h, e)| h + 0.02 * e)
            .collect()
    };
    let truth = [1.4, -1.1];
    let data = simulate(&truth, 12);
    let simulator = world(simulate);
    let report = Corrected::without_model(&simulator, &data, &EUCLIDEAN)
        .options(unit(2))
        .run(&[&[0.2, 0.1]], |_| ())
        .unwrap();
    // The start, its survey, a repetition, another survey to both sides, and one simulation per step.
    assert_eq!(
        report.simulations,
        1 + 2 + 1 + 4 + report.history.len(),
        "{report}"
    );
    assert_eq!(report.stop, Stop::Averaged, "{report}");
    let errors = report.standard_errors.unwrap();
    for j in 0..2 {
        let deviation = (report.theta[j] - truth[j]).abs();
        assert!(
            deviation < 3.0 * errors[j],
            "{:?} ± {errors:?}",
            report.theta
        );
    }
}

#[test]
fn equal_seeds_give_equal_bits() {
    let run = || noisy(4, 0.1).0.theta;
    let single = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    let bits = |theta: Vec<f64>| theta.iter().map(|t| t.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(run()), bits(single.install(run)));
}

/// Ten data with a common error: only differences are accurate, and only the covariance tells.
#[test]
fn the_covariance_of_replicates_is_the_metric_to_take() {
    let a = random::normal_matrix(10, 2, 6);
    let simulate = |t: &[f64], seed: u64| -> Vec<f64> {
        let e = random::normal(11, seed, 3);
        let h = linear(&a, t);
        (0..10).map(|i| h[i] + 0.1 * e[10] + 0.001 * e[i]).collect()
    };
    let (truth, simulator) = ([0.8, -0.5], world(simulate));
    let replicates = Replicates::simulate(&simulator, &[0.5, 0.0], (1000, 1), |_| ()).unwrap();
    for i in 0..10 {
        for j in 0..10 {
            let exact = 0.01 + if i == j { 1e-6 } else { 0.0 };
            // A relative error of √(2/1000) is 4.5 %.
            assert!((replicates.covariance[(i, j)] / exact - 1.0).abs() < 0.2);
        }
    }
    let (noise, identity) = (replicates.noise(1e-4).unwrap(), Operator::identity(10));
    let metric = Observed::new(&identity, &noise).unwrap();
    let errors = [&metric as &dyn pullback::Metric, &EUCLIDEAN].map(|metric| {
        let off = |seed: u64| {
            let data = simulate(&truth, 500 + seed);
            let report = Corrected::without_model(&simulator, &data, metric)
                .options(Options { seed, ..unit(2) })
                .run(&[&[0.5, 0.0]], |_| ())
                .unwrap();
            gap(&report.theta, &truth)
        };
        (0..10).map(off).sum::<f64>() / 10.0
    });
    println!("errors {errors:?}");
    assert!(
        errors[0] < 0.1 * errors[1] && errors[0] < 5e-3,
        "{errors:?}"
    );
}
