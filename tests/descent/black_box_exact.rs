//! Corrections without a model of simulators that ignore their seeds.

use crate::black_box::{EUCLIDEAN, world};
use crate::black_box_weak::{TRUTH, decay};
use crate::support::gap;
use pullback::automatic::{Curve, Formula, Scalar};
use pullback::correction::{Corrected, Report, Stop};
use pullback::loss::L2Misfit;
use pullback::{Descent, random};

/// The decay with exact derivatives.
struct Decay;

impl Formula for Decay {
    fn dims(&self) -> (usize, usize) {
        (20, 3)
    }

    fn values<S: Scalar>(&self, t: &[S], out: &mut [S]) {
        for (k, out) in out.iter_mut().enumerate() {
            *out = t[0] * (t[1] * (-3.0 * k as f64 / 19.0)).exp() + t[2];
        }
    }
}

fn measured(seed: u64) -> Vec<f64> {
    let errors = random::normal(20, seed, 9);
    let pairs = decay(&TRUTH).into_iter().zip(errors);
    pairs.map(|(h, e)| h + 0.01 * e).collect()
}

fn least_squares(data: &[f64]) -> Vec<f64> {
    let (curve, loss) = (
        Curve::new(Decay),
        L2Misfit::euclidean(data.to_vec()).unwrap(),
    );
    Descent::new(&curve, &loss)
        .run(&TRUTH, |_| ())
        .unwrap()
        .theta
}

fn fit(simulate: impl Fn(&[f64]) -> Vec<f64> + Sync, data: &[f64], start: &[f64]) -> Report {
    let simulator = world(|t: &[f64], _| simulate(t));
    let report = Corrected::without_model(&simulator, data, &EUCLIDEAN).run(&[start], |_| ());
    let report = report.unwrap();
    assert_ne!(report.stop, Stop::Averaged, "nothing fluctuates");
    assert!(report.standard_errors.is_none());
    report
}

#[test]
fn a_smooth_simulator_finds_the_least_squares_fit_of_noisy_data() {
    for start in [[1.5, 1.0, 0.1], [1.0, 1.0, 0.1], [3.0, 0.4, 0.6]] {
        for seed in 0..12 {
            let data = measured(seed);
            let report = fit(decay, &data, &start);
            let off = gap(&report.theta, &least_squares(&data));
            println!("{start:?}, {seed}: {off:.1e}, {report}");
            assert!(report.converged() && off < 1e-6, "{off:.1e}, {report}");
            assert!(report.simulations <= 90, "{report}");
        }
    }
}

/// Meyer's problem, whose valley is so narrow that the steps stall.
#[test]
fn steps_that_lead_nowhere_are_no_convergence() {
    let data = [
        34780.0, 28610.0, 23650.0, 19630.0, 16370.0, 13720.0, 11540.0, 9744.0, 8261.0, 7030.0,
        6005.0, 5147.0, 4427.0, 3820.0, 3307.0, 2872.0,
    ];
    let meyer = |t: &[f64]| -> Vec<f64> {
        let at = |i: i32| t[0] * (t[1] / (45.0 + 5.0 * f64::from(i) + t[2])).exp();
        (1..=16).map(at).collect()
    };
    let report = fit(meyer, &data, &[0.02, 4000.0, 250.0]);
    let squares: f64 = meyer(&report.theta)
        .iter()
        .zip(data)
        .map(|(h, q)| (h - q).powi(2))
        .sum();
    println!("{squares:.3e}, {report}");
    assert!(
        report.converged() == (squares < 88.0),
        "{squares:.3e}, {report}"
    );
}

#[test]
fn single_precision_costs_no_more_than_its_digits() {
    let single = |t: &[f64]| -> Vec<f64> {
        let t: Vec<f64> = t.iter().map(|t| f64::from(*t as f32)).collect();
        decay(&t).iter().map(|h| f64::from(*h as f32)).collect()
    };
    for start in [[1.0, 1.0, 0.1], [1.5, 1.0, 0.1]] {
        let report = fit(single, &single(&TRUTH), &start);
        println!("{start:?}: {:.1e}, {report}", gap(&report.theta, &TRUTH));
        assert!(gap(&report.theta, &TRUTH) < 1e-6, "{report}");
        let data = measured(3);
        let report = fit(single, &data, &start);
        let off = gap(&report.theta, &least_squares(&data));
        println!("{start:?}: {off:.1e}, {report}");
        assert!(off < 1e-4, "{off:.1e}, {report}");
    }
}

/// Two digits, of data with an error of 0.01: rounding has three tenths of the noise.
#[test]
fn a_rounded_simulator_is_not_said_to_fluctuate() {
    let rounded = |t: &[f64]| -> Vec<f64> {
        decay(t)
            .iter()
            .map(|h| (100.0 * h).round() / 100.0)
            .collect()
    };
    for seed in 0..6 {
        let data = measured(seed);
        let report = fit(rounded, &data, &[1.0, 1.0, 0.1]);
        let off = gap(&report.theta, &least_squares(&data));
        println!("{seed}: {off:.1e}, {report}");
        assert!(!report.converged() || off < 0.02, "{off:.1e}, {report}");
    }
}
