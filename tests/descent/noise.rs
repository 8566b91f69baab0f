//! Noise that is known, given, or estimated from the residual.

use crate::support;
use crate::support::{Explicit, gap, identity, matrix_gap, reference_solve};
use pullback::automatic::{Curve, Formula, Scalar};
use pullback::faer::{Mat, Scale};
use pullback::fits::FitMany;
use pullback::loss::{L2Misfit, Observations, Penalty, Robust, SobolevMisfit, Sum};
use pullback::multistart::MultiStart;
use pullback::posterior::{CovarianceError, Variance};
use pullback::prior::Tikhonov;
use pullback::profile::ProfileLikelihood;
use pullback::{Bounds, Descent, Error, Grid, Loss, Noise, Operator, Result, random};

/// Six data at the times 0 to 5.
const DATA: [f64; 6] = [1.1, 2.9, 5.2, 6.8, 9.3, 10.7];

/// y = a + b t.
struct Line;

impl Formula for Line {
    fn dims(&self) -> (usize, usize) {
        (6, 2)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        for (t, y) in out.iter_mut().enumerate() {
            *y = theta[0] + theta[1] * t as f64;
        }
    }
}

fn failure<T>(result: Result<T>) -> CovarianceError {
    let error = result.err().expect("must fail");
    let Error::Module(_) = error else {
        panic!("{error}");
    };
    *error.of().expect("an error of the covariance")
}

/// Ten data with two missing, four parameters of which one is held at its bound and one is fixed, and a prior.
#[test]
fn an_estimated_noise_counts_what_was_fitted_and_scales_the_data_only() {
    let f = random::normal_matrix(10, 4, 1);
    let mut data = (&f * support::column(&[0.5, 1.5, 2.0, 0.7]))
        .col_as_slice(0)
        .to_vec();
    data.iter_mut()
        .zip(random::normal(10, 2, 0))
        .for_each(|(d, e)| *d += 0.3 * e);
    (data[3], data[7]) = (f64::NAN, f64::NAN);
    let model = Explicit(f.clone());
    // The claimed deviation is ten times too small.
    let loss = Observations::present(&data, &Noise::uniform(10, 0.03).unwrap()).unwrap();
    let bounds = Bounds::new(vec![-9.0, -9.0, 2.0, -9.0], vec![9.0, 1.0, 2.0, 9.0]).unwrap();
    let prior = Tikhonov::new(vec![0.4; 4], Noise::uniform(4, 0.2).unwrap()).unwrap();
    let descent = Descent::new(&model, &loss).bounds(&bounds).prior(&prior);
    let report = descent.run(&[0.5, 0.9, 2.0, 0.5], |_| ()).unwrap();
    assert!(report.converged() && report.theta[1] == 1.0, "{report}");
    let estimates = report.estimates(&descent, Variance::Estimated).unwrap();

    let rows = [0, 1, 2, 4, 5, 6, 8, 9];
    let white = |i: usize| (report.rho[rows[i]] - data[rows[i]]) / 0.03;
    let freedom = 8.0 - 2.0;
    let variance = (0..8).map(|i| white(i).powi(2)).sum::<f64>() / freedom;
    let free = Mat::from_fn(8, 2, |i, j| f[(rows[i], [0, 3][j])] / 0.03);
    let precision =
        (free.transpose() * &free) * Scale(variance.recip()) + identity(2) * Scale(25.0);
    let dense = reference_solve(precision.as_ref(), identity(2).as_ref());
    let found = estimates.uncertainty();
    let part = Mat::from_fn(2, 2, |i, j| found.covariance[([0, 3][i], [0, 3][j])]);
    let off = matrix_gap(part.as_ref(), dense.as_ref());
    assert!(off < 1e-10, "{off:e}");
    assert!((found.variance() / variance - 1.0).abs() < 1e-12);
    assert_eq!(
        (found.freedom(), found.held.as_slice()),
        (Some(6.0), &[1, 2][..])
    );
    // Student's quantile for 6 degrees of freedom.
    assert!((estimates.quantile() - 2.446_911_851).abs() < 1e-8);
    let text = estimates.to_string();
    let line = "on 6 degrees of freedom (8 data, 2 fitted parameters)";
    assert!(
        text.contains("residual standard deviation") && text.contains(line),
        "{text}"
    );
}

#[test]
fn known_noise_is_judged_by_its_reduced_chi_squared() {
    let (curve, noise) = (Curve::new(Line), Noise::uniform(6, 0.25).unwrap());
    let loss = Observations::present(&DATA, &noise).unwrap();
    let descent = Descent::new(&curve, &loss);
    let report = descent.run(&[0.0, 0.0], |_| ()).unwrap();
    let known = report.estimates(&descent, Variance::Known).unwrap();
    let residual = known.uncertainty().residual().unwrap();
    let reduced = residual.reduced().unwrap();
    assert!((reduced - 2.0 * report.loss / 4.0).abs() < 1e-12);
    let text = known.to_string();
    assert!(
        text.contains("on 4 degrees of freedom") && text.contains("reduced χ²"),
        "{text}"
    );
    assert!((known.quantile() - 1.959_963_985).abs() < 1e-8);
    // The same numbers, given from elsewhere.
    let given = |freedom| {
        report.estimates(
            &descent,
            Variance::Given {
                variance: reduced,
                freedom,
            },
        )
    };
    let (exact, student) = (given(None).unwrap(), given(Some(4.0)).unwrap());
    let estimated = report.estimates(&descent, Variance::Estimated).unwrap();
    assert_eq!(student.intervals(), estimated.intervals());
    assert!(exact.quantile() < student.quantile());
    for (variance, freedom) in [(0.0, None), (f64::NAN, None), (1.0, Some(0.0))] {
        assert!(
            report
                .estimates(&descent, Variance::Given { variance, freedom })
                .is_err()
        );
    }
}

#[test]
fn losses_that_do_not_tell_the_noise_are_refused() {
    let (curve, noise) = (Curve::new(Line), || Noise::uniform(6, 0.25).unwrap());
    let estimate = |loss: &dyn Loss, variance: Variance| {
        let descent = Descent::new(&curve, loss);
        let report = descent.run(&[1.0, 2.0], |_| ()).unwrap();
        report.estimates(&descent, variance)
    };
    let all = || Observations::new(Operator::identity(6), DATA.to_vec(), noise()).unwrap();
    let robust = Robust::new(all(), Penalty::Huber).unwrap();
    let given = Variance::Given {
        variance: 2.0,
        freedom: None,
    };
    assert_eq!(
        failure(estimate(&robust, Variance::Estimated)),
        CovarianceError::NotQuadratic
    );
    assert_eq!(failure(estimate(&robust, given)), CovarianceError::Weighted);
    let grid = Grid::new(&[(0.0, 6.0, 6)]).unwrap();
    let smooth = SobolevMisfit::new(&grid, -1.0, DATA.to_vec()).unwrap();
    assert_eq!(
        failure(estimate(&smooth, Variance::Estimated)),
        CovarianceError::NotQuadratic
    );
    let line = Curve::new(Line).predict(&[1.0, 2.0]).unwrap();
    let exact = L2Misfit::euclidean(line).unwrap();
    assert_eq!(
        failure(estimate(&exact, Variance::Estimated)),
        CovarianceError::NoResidual
    );
    let mut two = [f64::NAN; 6];
    two[..2].copy_from_slice(&DATA[..2]);
    let two = Observations::present(&two, &noise()).unwrap();
    let few = CovarianceError::TooFew {
        data: 2,
        parameters: 2,
    };
    assert_eq!(failure(estimate(&two, Variance::Estimated)), few);
    // A sum of two least-squares misfits has the data of both.
    let sum = Sum::default()
        .add(1.0, all())
        .unwrap()
        .add(0.5, all())
        .unwrap();
    let found = estimate(&sum, Variance::Estimated).unwrap();
    assert_eq!(found.uncertainty().freedom(), Some(10.0));
}

/// Fits, profiles and searches estimate the same noise.
#[test]
fn all_estimate_the_same_noise() {
    let (curve, loss) = (
        Curve::new(Line),
        L2Misfit::euclidean(DATA.to_vec()).unwrap(),
    );
    let descent = Descent::new(&curve, &loss);
    let report = descent.run(&[0.0, 0.0], |_| ()).unwrap();
    let estimates = report.estimates(&descent, Variance::Estimated).unwrap();
    let errors = &estimates.uncertainty().standard_errors;

    let search = MultiStart::new(&descent).at(&[[0.0, 0.0]]);
    let summary = search
        .standard_errors(Variance::Estimated)
        .run(|_| ())
        .unwrap();
    let found = summary.optima()[0].standard_errors.as_ref().unwrap();
    assert!(gap(found, errors) < 1e-7);
    let column = Mat::from_fn(6, 1, |i, _| DATA[i]);
    let fits = FitMany::new(&Line)
        .run(column.as_ref(), &[0.0, 0.0])
        .unwrap();
    assert!(gap(fits.standard_errors.col_as_slice(0), errors) < 1e-7);

    let profiles = ProfileLikelihood::new(&descent).variance(Variance::Estimated);
    let profiles = profiles.run(&report.theta, |_| ()).unwrap();
    let by_hand = ProfileLikelihood::new(&descent).freedom(4.0);
    let by_hand = by_hand.run(&report.theta, |_| ()).unwrap();
    assert!((profiles.threshold / by_hand.threshold - 1.0).abs() < 1e-12);
    for (profile, interval) in profiles.profiles.iter().zip(estimates.intervals()) {
        assert!(
            (profile.interval.0 - interval.0).abs() < 1e-5,
            "{profiles}\n{estimates}"
        );
        assert!(
            (profile.interval.1 - interval.1).abs() < 1e-5,
            "{profiles}\n{estimates}"
        );
    }
}

#[test]
fn profiles_with_priors_need_known_noise() {
    let (curve, loss) = (
        Curve::new(Line),
        L2Misfit::euclidean(DATA.to_vec()).unwrap(),
    );
    let prior = Tikhonov::new(vec![1.0; 2], Noise::uniform(2, 1.0).unwrap()).unwrap();
    let descent = Descent::new(&curve, &loss).prior(&prior);
    let report = descent.run(&[0.0, 0.0], |_| ()).unwrap();
    for likelihood in [
        ProfileLikelihood::new(&descent).variance(Variance::Estimated),
        ProfileLikelihood::new(&descent).freedom(4.0),
    ] {
        let result = likelihood.run(&report.theta, |_| ());
        assert_eq!(failure(result), CovarianceError::Priors);
    }
}

/// A parameter at its bound costs no degree of freedom.
#[test]
fn many_fits_do_not_count_parameters_that_are_held() {
    let bounds = Bounds::new(vec![2.0, -9.0], vec![9.0, 9.0]).unwrap();
    let (curve, loss) = (
        Curve::new(Line),
        L2Misfit::euclidean(DATA.to_vec()).unwrap(),
    );
    let descent = Descent::new(&curve, &loss).bounds(&bounds);
    let report = descent.run(&[3.0, 0.0], |_| ()).unwrap();
    assert_eq!(report.theta[0], 2.0, "{report}");
    let estimates = report.estimates(&descent, Variance::Estimated).unwrap();
    assert_eq!(estimates.uncertainty().freedom(), Some(5.0));
    let column = Mat::from_fn(6, 1, |i, _| DATA[i]);
    let fits = FitMany::new(&Line)
        .bounds(&bounds)
        .run(column.as_ref(), &[3.0, 0.0])
        .unwrap();
    assert!(
        gap(
            fits.standard_errors.col_as_slice(0),
            &estimates.uncertainty().standard_errors
        ) < 1e-7
    );
}
