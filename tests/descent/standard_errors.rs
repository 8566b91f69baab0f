//! Standard errors against the spread of estimates in simulated data.

use pullback::automatic::{Curve, Formula, Scalar};
use pullback::faer::Mat;
use pullback::fits::FitMany;
use pullback::loss::{Observations, Penalty, Robust, Sum};
use pullback::metric::L2;
use pullback::posterior::{CovarianceError, Rank};
use pullback::prior::Tikhonov;
use pullback::{Descent, Error, Noise, Operator, random};

const DATA: usize = 100;

/// y = a + b t for t from −1 to 1.
struct Line;

impl Formula for Line {
    fn dims(&self) -> (usize, usize) {
        (DATA, 2)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        for (k, y) in out.iter_mut().enumerate() {
            *y = theta[0] + theta[1] * (2.0 * k as f64 / (DATA - 1) as f64 - 1.0);
        }
    }
}

const TRUTH: [f64; 2] = [1.0, -2.0];
const DEVIATION: f64 = 0.3;
const PENALTIES: [Penalty; 4] = [
    Penalty::SoftL1,
    Penalty::Huber,
    Penalty::Cauchy,
    Penalty::Tukey,
];

/// Lines with normal noise, of which a fraction has eight times the deviation.
fn lines(count: usize, outliers: f64) -> Mat<f64> {
    let line = Curve::new(Line).predict(&TRUTH).unwrap();
    let noise = random::normal_matrix(DATA, count, 7);
    let chance = random::uniform(DATA * count, (0.0, 1.0), 8);
    Mat::from_fn(DATA, count, |k, i| {
        let large = chance[k + DATA * i] < outliers;
        line[k] + DEVIATION * noise[(k, i)] * if large { 8.0 } else { 1.0 }
    })
}

fn noise() -> Noise {
    Noise::uniform(DATA, DEVIATION).unwrap()
}

fn robust(data: &[f64], penalty: Penalty) -> Robust {
    let all = Observations::new(Operator::identity(DATA), data.to_vec(), noise()).unwrap();
    Robust::new(all, penalty).unwrap()
}

/// The spread of 4000 estimates is known to 1.1 %. Fitted residuals are smaller than the noise, by 1 % with 100 data and 2
/// parameters.
#[test]
fn those_of_robust_fits_are_the_spread_of_the_estimates() {
    const COUNT: usize = 4000;
    for outliers in [0.0, 0.15] {
        let (data, noise) = (lines(COUNT, outliers), noise());
        for penalty in PENALTIES {
            let fits = FitMany::new(&Line).noise(&noise).penalty(penalty);
            let fits = fits.run(data.as_ref(), &TRUTH).unwrap();
            assert!(fits.all_converged(), "{fits}");
            for (j, truth) in TRUTH.iter().enumerate() {
                let mean =
                    |of: &dyn Fn(usize) -> f64| (0..COUNT).map(of).sum::<f64>() / COUNT as f64;
                let spread = mean(&|i| (fits.theta[(j, i)] - truth).powi(2)).sqrt();
                let claimed = mean(&|i| fits.standard_errors[(j, i)].powi(2)).sqrt();
                let ratio = claimed / spread;
                println!("{penalty:?}, {outliers}: θ{j} {ratio:.3}");
                assert!(
                    (ratio - 1.0).abs() < 0.05,
                    "{penalty:?}, {outliers}: {ratio}"
                );
            }
        }
    }
}

/// Both derive them from the same formula, by different code.
#[test]
fn those_of_many_robust_fits_are_those_of_descents() {
    let (data, noise, curve) = (lines(5, 0.15), noise(), Curve::new(Line));
    for penalty in PENALTIES {
        let fits = FitMany::new(&Line).noise(&noise).penalty(penalty);
        let fits = fits.run(data.as_ref(), &TRUTH).unwrap();
        for i in 0..data.ncols() {
            let loss = robust(data.col_as_slice(i), penalty);
            let descent = Descent::new(&curve, &loss);
            let report = descent.run(&TRUTH, |_| ()).unwrap();
            let found = report.covariance(&descent).unwrap().standard_errors;
            for (j, error) in found.iter().enumerate() {
                let ratio = error / fits.standard_errors[(j, i)];
                assert!((ratio - 1.0).abs() < 1e-6, "{penalty:?}, fit {i}: {ratio}");
            }
        }
    }
}

/// A prior far tighter than the data leaves its own deviations, and one far wider changes nothing.
#[test]
fn the_mean_of_a_prior_counts_as_a_datum() {
    let (data, curve) = (lines(1, 0.15), Curve::new(Line));
    let loss = robust(data.col_as_slice(0), Penalty::Cauchy);
    let errors = |deviation: f64| {
        let prior = Noise::uniform(2, deviation).unwrap();
        let prior = Tikhonov::new(TRUTH.to_vec(), prior).unwrap();
        let descent = Descent::new(&curve, &loss).prior(&prior);
        let report = descent.run(&TRUTH, |_| ()).unwrap();
        report.covariance(&descent).unwrap().standard_errors
    };
    let tight = errors(1e-5);
    assert!(
        tight.iter().all(|e| (e / 1e-5 - 1.0).abs() < 1e-5),
        "{tight:?}"
    );
    let descent = Descent::new(&curve, &loss);
    let report = descent.run(&TRUTH, |_| ()).unwrap();
    let alone = report.covariance(&descent).unwrap().standard_errors;
    let wide = errors(1e4);
    assert!(
        (0..2).all(|j| (wide[j] / alone[j] - 1.0).abs() < 1e-6),
        "{wide:?}"
    );
}

/// Half of the data in a robust and half in a least-squares misfit, for a scale at which both are the same.
#[test]
fn sums_stack_the_scores_of_their_parts() {
    let (data, curve) = (lines(1, 0.0), Curve::new(Line));
    let half = |first: usize| {
        let rows: Vec<usize> = (first..DATA).step_by(2).collect();
        let entries = rows.iter().enumerate().map(|(row, &k)| (row, k, 1.0));
        let operator = Operator::triplets(rows.len(), DATA, entries);
        let values = rows.iter().map(|&k| data[(k, 0)]).collect();
        let noise = Noise::uniform(rows.len(), DEVIATION).unwrap();
        Observations::new(operator, values, noise).unwrap()
    };
    let tame = |loss| {
        Robust::new(loss, Penalty::Huber)
            .unwrap()
            .scale(1e3)
            .unwrap()
    };
    let errors = |loss: Sum<'_>| {
        let descent = Descent::new(&curve, &loss);
        let report = descent.run(&TRUTH, |_| ()).unwrap();
        report.covariance(&descent).unwrap().covariance
    };
    let sum = |a: f64, b: f64| {
        Sum::default()
            .add(a, tame(half(0)))
            .unwrap()
            .add(b, tame(half(1)))
            .unwrap()
    };
    let mixed = errors(
        Sum::default()
            .add(1.0, tame(half(0)))
            .unwrap()
            .add(1.0, half(1))
            .unwrap(),
    );
    let (both, twice) = (errors(sum(1.0, 1.0)), errors(sum(2.0, 2.0)));
    for (i, j) in [(0, 0), (0, 1), (1, 1)] {
        // Weights of M-estimators cancel in H⁻¹BH⁻¹.
        assert!((twice[(i, j)] - both[(i, j)]).abs() < 1e-9 * both[(1, 1)]);
        // The residuals of 50 data estimate their variance to about 20 %.
        assert!((mixed[(i, j)] - both[(i, j)]).abs() < 0.4 * both[(1, 1)]);
    }
}

/// Two clusters of data far apart: their middle is a maximum of Cauchy's misfit.
#[test]
fn an_objective_without_positive_curvature_is_an_error() {
    let data: Vec<f64> = (0..DATA)
        .map(|k| if k % 2 == 0 { 9.0 } else { -9.0 })
        .collect();
    let (curve, loss) = (Curve::new(Line), robust(&data, Penalty::Cauchy));
    let run = Descent::new(&curve, &loss).begin(&[0.0, 0.0]).unwrap();
    let error = run.covariance().unwrap_err();
    let found = error.of::<CovarianceError>();
    assert!(
        matches!(found, Some(CovarianceError::Indefinite { eigenvalue }) if *eigenvalue < 0.0),
        "{error}"
    );
    assert!(matches!(error, Error::Module(_)) && error.to_string().contains("no standard errors"));
}

/// The errors of a line are (ΣxₖxₖᵀΔ⁻²)⁻¹ in closed form, whatever metric led to it.
#[test]
fn the_metric_of_the_steps_does_not_change_the_errors() {
    let data: Vec<f64> = lines(1, 0.0)
        .col_iter()
        .next()
        .unwrap()
        .iter()
        .copied()
        .collect();
    let model = Curve::new(Line);
    let loss = Observations::new(Operator::identity(DATA), data, noise()).unwrap();
    let prior = Tikhonov::new(vec![0.0; 2], Noise::uniform(2, 0.5).unwrap()).unwrap();
    let (mut intercept, mut slope) = (0.25_f64.recip(), 0.25_f64.recip());
    for k in 0..DATA {
        let t = 2.0 * k as f64 / (DATA - 1) as f64 - 1.0;
        intercept += DEVIATION.powi(-2);
        slope += t * t * DEVIATION.powi(-2);
    }
    let expected = [intercept.recip().sqrt(), slope.recip().sqrt()];
    let metric = L2::default();
    let own = Descent::new(&model, &loss).prior(&prior);
    let other = Descent::new(&model, &loss).prior(&prior).metric(&metric);
    for descent in [own, other] {
        let report = descent.run(&[0.5, -1.0], |_| ()).unwrap();
        assert!(report.converged(), "{report}");
        let posterior = descent.posterior(&report.theta, Rank::default()).unwrap();
        let variances = posterior.variances().unwrap();
        let errors = report.covariance(&descent).unwrap().standard_errors;
        for j in 0..2 {
            assert!(
                (errors[j] / expected[j] - 1.0).abs() < 1e-10,
                "{errors:?} {expected:?}"
            );
            assert!(
                (variances[j].sqrt() / expected[j] - 1.0).abs() < 1e-8,
                "{variances:?} {expected:?}"
            );
        }
    }
}
