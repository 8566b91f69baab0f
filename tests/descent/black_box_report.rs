//! What the report of a correction without a model says of its fit.

use crate::black_box::{EUCLIDEAN, linear, world};
use crate::black_box_weak::{TRUTH, decay};
use pullback::correction::{Corrected, Options, Report, Stop};
use pullback::faer::Mat;
use pullback::metric::Observed;

use pullback::{Bounds, Noise, Operator, random};

fn fit(simulate: impl Fn(&[f64], u64) -> Vec<f64> + Sync, data: &[f64], start: &[f64]) -> Report {
    let simulator = world(simulate);
    let report = Corrected::without_model(&simulator, data, &EUCLIDEAN).run(&[start], |_| ());
    let report = report.unwrap();
    println!(
        "{:?} ± {:?}, {report}",
        report.theta, report.standard_errors
    );
    report
}

fn with_noise(h: Vec<f64>, seed: u64, noise: f64) -> Vec<f64> {
    let errors = random::normal(h.len(), seed, 9);
    h.into_iter()
        .zip(errors)
        .map(|(h, e)| h + noise * e)
        .collect()
}

#[test]
fn a_simulator_that_sees_no_parameter_does_not_converge() {
    let report = fit(|_, _| vec![1.0, 2.0], &[0.0, 0.0], &[0.5, 0.7]);
    assert!(!report.converged() && report.theta == [0.5, 0.7]);
    assert_eq!(report.undetermined, [[1.0, 0.0], [0.0, 1.0]]);
}

#[test]
fn a_parameter_that_is_not_seen_stays_and_is_named() {
    let of = |t: &[f64]| decay(&[t[0], t[2], 0.3]);
    let (data, start) = (of(&[2.0, 0.0, 0.7]), [1.5, 0.4, 1.0]);
    for (noise, accuracy) in [(0.0, 1e-6), (0.01, 0.05)] {
        let data = with_noise(data.clone(), 77, noise);
        let report = fit(|t, _| of(t), &data, &start);
        assert!(report.converged() && report.theta[1] == 0.4);
        assert!((report.theta[2] - 0.7).abs() < accuracy);
        assert_eq!(report.undetermined, [[0.0, 1.0, 0.0]]);
        assert!(
            report.remarks()[0].contains("not determined by the data: the combination +1.000 θ1")
        );
    }
    let data = with_noise(data, 77, 0.01);
    let report = fit(|t, seed| with_noise(of(t), seed, 0.01), &data, &start);
    assert!((report.theta[2] - 0.7).abs() < 0.05, "{:?}", report.theta);
    let combination = &report.undetermined[0];
    assert!(
        report.undetermined.len() == 1 && combination[1].abs() > 0.9,
        "{combination:?}"
    );
    // The combination has a little of the other parameters, by chance.
    assert!((report.theta[1] - 0.4).abs() < 0.02, "{:?}", report.theta);
    // Whether sixty steps suffice to find that out and to average, is a matter of chance.
    let errors = report.standard_errors.as_deref();
    assert!(errors.is_none_or(|errors| errors[1].is_infinite()));
}

#[test]
fn a_sum_of_parameters_is_named() {
    let of = |t: &[f64]| decay(&[t[0] + t[1], t[2], 0.3]);
    let data = of(&[1.2, 0.8, 0.7]);
    let report = fit(|t, _| of(t), &data, &[1.0, 0.5, 1.0]);
    assert!(report.converged());
    assert!((report.theta[0] + report.theta[1] - 2.0).abs() < 1e-5);
    let combination = &report.undetermined[0];
    assert!((combination[0] + combination[1]).abs() < 1e-3 && combination[2].abs() < 1e-3);
    assert!(
        (combination[0].abs() - 0.5_f64.sqrt()).abs() < 1e-3,
        "{combination:?}"
    );
}

#[test]
fn data_that_are_not_met_are_reported() {
    let simulate = |t: &[f64], seed| with_noise(decay(t), seed, 0.01);
    let good = fit(simulate, &simulate(&TRUTH, 4), &[3.0, 0.4, 0.6]);
    let noise = good.noise.unwrap();
    // Twenty data of deviation 0.01 from the mean of a dozen simulations of the same.
    assert!(
        (noise / (0.01 * (20.0 * 13.0 / 12.0_f64).sqrt()) - 1.0).abs() < 0.2,
        "{noise}"
    );
    assert!(good.distance < 1.4 * noise && good.remarks().is_empty());
    let mut far = simulate(&TRUTH, 4);
    far.iter_mut().step_by(2).for_each(|q| *q += 0.1);
    let bad = fit(simulate, &far, &[3.0, 0.4, 0.6]);
    assert!(
        bad.distance > 4.0 * noise && bad.remarks()[0].contains("as far away as noise explains")
    );
}

#[test]
fn both_kinds_of_errors_are_those_of_least_squares() {
    let a = random::normal_matrix(40, 2, 1);
    let truth = [0.8, -0.5];
    let noise = Noise::uniform(40, 0.1).unwrap();
    let identity = Operator::identity(40);
    let metric = Observed::new(&identity, &noise).unwrap();
    let gram = a.transpose() * &a;
    let determinant = gram[(0, 0)] * gram[(1, 1)] - gram[(0, 1)].powi(2);
    let exact = [gram[(1, 1)], gram[(0, 0)]].map(|g| 0.1 * (g / determinant).sqrt());
    let data = with_noise(linear(&a, &truth), 5, 0.1);
    let mut squares = [0.0; 2];
    for (noise, runs) in [(0.0, 1), (0.02, 40)] {
        for seed in 0..runs {
            let simulator = world(|t: &[f64], seed| with_noise(linear(&a, t), seed, noise));
            let options = Options {
                seed: 100 * seed,
                scale: vec![1.0; 2],
                ..Options::default()
            };
            let report = Corrected::without_model(&simulator, &data, &metric)
                .options(options)
                .run(&[&[0.3, 0.0]], |_| ())
                .unwrap();
            let errors = report.data_errors.unwrap();
            assert!(
                report.distance < 8.0 && report.distance > 4.0,
                "{}",
                report.distance
            );
            assert!(
                (0..2).all(|j| (errors[j] / exact[j] - 1.0).abs() < 0.2),
                "{errors:?}"
            );
            let Some(averaging) = report.averaging_errors else {
                assert!(noise == 0.0);
                continue;
            };
            // The fit to the same data by the exact map.
            let side = Mat::from_fn(2, 1, |j, _| {
                (0..40).map(|i| a[(i, j)] * data[i]).sum::<f64>()
            });
            let fitted = [
                (gram[(1, 1)] * side[(0, 0)] - gram[(0, 1)] * side[(1, 0)]) / determinant,
                (gram[(0, 0)] * side[(1, 0)] - gram[(0, 1)] * side[(0, 0)]) / determinant,
            ];
            for j in 0..2 {
                squares[j] += ((report.theta[j] - fitted[j]) / averaging[j]).powi(2) / runs as f64;
            }
        }
    }
    println!("{squares:?}");
    assert!(
        squares.iter().all(|s| (0.5..2.2).contains(s)),
        "{squares:?}"
    );
}

/// A line whose slope is bounded by its true value.
#[test]
fn iterates_that_rest_on_a_bound_are_averaged() {
    let line =
        |t: &[f64]| -> Vec<f64> { (0..20).map(|k| t[0] + 0.1 * f64::from(k) * t[1]).collect() };
    let simulate = |t: &[f64], seed| with_noise(line(t), seed, 0.1);
    let bounds = Bounds::new(vec![-5.0, 0.0], vec![5.0, 5.0]).unwrap();
    let (mut averaged, mut held, mut beyond) = (0, 0, 0);
    for seed in 0..24 {
        let simulator = world(simulate);
        let data = simulate(&[1.0, 0.0], 9000 + seed);
        let report = Corrected::without_model(&simulator, &data, &EUCLIDEAN)
            .options(Options {
                seed: 100 * seed,
                scale: vec![1.0; 2],
                ..Options::default()
            })
            .bounds(&bounds)
            .run(&[&[0.5, 0.5]], |_| ())
            .unwrap();
        println!(
            "{seed}: {:?} ± {:?}, {report}",
            report.theta, report.standard_errors
        );
        averaged += u32::from(report.stop == Stop::Averaged);
        let Some(errors) = report.standard_errors else {
            continue;
        };
        let at_bound = report.theta[1] == 0.0;
        held += u32::from(at_bound);
        assert_eq!(report.held.contains(&1), at_bound);
        assert!(if at_bound {
            errors[1] == 0.0
        } else {
            errors[1] > 1e-3
        });
        beyond += u32::from((report.theta[0] - 1.0).abs() > 4.0 * errors[0]);
    }
    println!("{averaged} averaged, {held} held");
    assert!(
        averaged >= 22 && (5..=19).contains(&held) && beyond <= 1,
        "{averaged} {held} {beyond}"
    );
}
