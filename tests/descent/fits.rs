//! Many small fits, against the certified answers of NIST and against one descent after another.

use crate::nist_sets::{digits, sets};
use pullback::automatic::{Curve, Formula, Scalar};
use pullback::descent::Stop;
use pullback::faer::{Mat, MatRef};
use pullback::fits::{FitMany, Fits};
use pullback::loss::{L2Misfit, Observations, Penalty, Robust};
use pullback::{Bounds, Descent, Loss, Noise, Transform, random};

const TIMES: [f64; 10] = [0.0, 0.3, 0.6, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0];

/// y = a exp(−b t) + c.
struct Decay;

impl Formula for Decay {
    fn dims(&self) -> (usize, usize) {
        (TIMES.len(), 3)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        for (y, t) in out.iter_mut().zip(TIMES) {
            *y = theta[0] * (theta[1] * -t).exp() + theta[2];
        }
    }
}

const COUNT: usize = 200;

/// Decays of different heights and rates with noise of deviation 0.05.
fn decays() -> Mat<f64> {
    let noise = random::normal_matrix(TIMES.len(), COUNT, 3);
    let parameters = random::normal_matrix(3, COUNT, 4);
    Mat::from_fn(TIMES.len(), COUNT, |k, i| {
        let height = 2.0 + 0.5 * parameters[(0, i)];
        let rate = (0.4 * parameters[(1, i)]).exp();
        let floor = 0.5 + 0.3 * parameters[(2, i)];
        height * (-rate * TIMES[k]).exp() + floor + 0.05 * noise[(k, i)]
    })
}

/// From here no fit tends to the straight line of b → 0 and a → ∞.
const START: [f64; 3] = [2.0, 1.0, 0.5];

/// Largest relative difference of two vectors, entry by entry. Equal infinities agree.
fn difference(a: &[f64], b: &[f64]) -> f64 {
    let pairs = a.iter().zip(b);
    pairs.fold(0.0, |worst, (a, b)| {
        let relative = (a - b).abs() / a.abs().max(b.abs()).max(1e-3);
        if a == b {
            worst
        } else {
            f64::max(worst, relative)
        }
    })
}

/// Compares every fit with a descent.
fn agree<'d>(fits: &Fits, mut descent: impl FnMut(usize) -> (Descent<'d>, f64)) {
    let mut both = 0;
    for i in 0..fits.outcomes.len() {
        let (descent, freedom) = descent(i);
        let report = descent.run(&START, |_| ()).unwrap();
        assert_eq!(fits.converged(i), report.converged(), "fit {i}: {report}");
        if !report.converged() {
            continue;
        }
        both += 1;
        let found = report.covariance(&descent).unwrap();
        let errors = match freedom > 0.0 {
            true => found.scaled(2.0 * report.loss / freedom).standard_errors,
            false => found.standard_errors,
        };
        // Both runs stop within 1e-8 standard errors of the minimum; errors change with θ.
        let theta = difference(fits.theta.col_as_slice(i), &report.theta);
        assert!(theta < 1e-6, "fit {i}: {theta:.1e}, {report}");
        let errors = difference(fits.standard_errors.col_as_slice(i), &errors);
        assert!(errors < 1e-5, "fit {i}: {errors:.1e}, {report}");
        let loss = (fits.losses[i] - report.loss).abs() / report.loss;
        assert!(loss < 1e-10, "fit {i}: {loss:.1e}");
    }
    assert!(20 * both >= 19 * fits.outcomes.len(), "{fits}");
}

fn losses(data: MatRef<'_, f64>, loss: impl Fn(&[f64]) -> Box<dyn Loss>) -> Vec<Box<dyn Loss>> {
    let columns = (0..data.ncols()).map(|i| data.col(i).iter().copied().collect::<Vec<f64>>());
    columns.map(|column| loss(&column)).collect()
}

#[test]
fn the_certified_answers_are_reached_as_by_descents() {
    let (mut fits, mut errors) = (0, 0);
    for set in sets() {
        let data = MatRef::from_column_major_slice(&set.y, set.y.len(), 1);
        for (which, start) in set.starts.iter().enumerate() {
            let found = FitMany::new(&set).run(data, start).unwrap();
            let right = digits(found.theta.col_as_slice(0), &set.certified);
            let what = format!("{} from start {}: {right:.1}, {found}", set.name, which + 1);
            assert_eq!(found.all_converged(), right >= 6.0, "{what}");
            fits += usize::from(right >= 6.0);
            let right = digits(found.standard_errors.col_as_slice(0), &set.errors);
            errors += usize::from(found.all_converged() && right >= 4.0);
        }
    }
    // MGH10 from its far start ends where the model does not depend on the data, and says so. Lanczos1 has a residual of
    // rounding size, which gives no standard errors.
    assert_eq!((fits, errors), (53, 51));
}

#[test]
fn fits_agree_with_descents() {
    let (data, curve) = (decays(), Curve::new(Decay));
    let fits = FitMany::new(&Decay).run(data.as_ref(), &START).unwrap();
    let losses = losses(data.as_ref(), |d| {
        Box::new(L2Misfit::euclidean(d.to_vec()).unwrap())
    });
    agree(&fits, |i| (Descent::new(&curve, &*losses[i]), 7.0));
}

#[test]
fn weights_missing_data_bounds_and_transforms_agree_with_descents() {
    let (mut data, curve) = (decays(), Curve::new(Decay));
    for i in 0..COUNT {
        data[(i % TIMES.len(), i)] = f64::NAN;
    }
    let noise = Noise::deviations(TIMES.map(|t| 0.05 + 0.01 * t).to_vec()).unwrap();
    let bounds = Bounds::new(vec![0.0, 0.3, 0.0], vec![2.0, 9.0, f64::INFINITY]).unwrap();
    let transforms = [Transform::Identity, Transform::Log, Transform::Identity];
    let fits = FitMany::new(&Decay)
        .noise(&noise)
        .bounds(&bounds)
        .transforms(&transforms)
        .run(data.as_ref(), &START)
        .unwrap();
    let losses = losses(data.as_ref(), |d| {
        Box::new(Observations::present(d, &noise).unwrap())
    });
    agree(&fits, |i| {
        let descent = Descent::new(&curve, &*losses[i]);
        (descent.bounds(&bounds).transforms(&transforms), 0.0)
    });
    let held = (0..COUNT).filter(|i| fits.standard_errors[(0, *i)] == 0.0);
    let held: Vec<usize> = held.collect();
    assert!(held.len() > COUNT / 4, "{} fits at the bound", held.len());
    assert!(held.iter().all(|i| fits.theta[(0, *i)] == 2.0));
}

#[test]
fn outliers_are_penalised_as_by_descents() {
    let (mut data, curve) = (decays(), Curve::new(Decay));
    for i in 0..COUNT {
        // An outlier at an end has an optimum of its own, a spike or a level.
        data[(3 + i % 4, i)] += 1.0;
    }
    let noise = Noise::uniform(TIMES.len(), 0.05).unwrap();
    // Without bounds, some of these data are fitted as well by the straight line of b → 0.
    let bounds = Bounds::new(vec![0.0, 0.2, -1.0], vec![9.0; 3]).unwrap();
    for penalty in [Penalty::SoftL1, Penalty::Huber] {
        let fits = FitMany::new(&Decay)
            .noise(&noise)
            .penalty(penalty)
            .bounds(&bounds)
            .run(data.as_ref(), &START)
            .unwrap();
        let losses = losses(data.as_ref(), |d| {
            let all = Observations::present(d, &noise).unwrap();
            Box::new(Robust::new(all, penalty).unwrap())
        });
        agree(&fits, |i| {
            (Descent::new(&curve, &*losses[i]).bounds(&bounds), 0.0)
        });
    }
}

/// y = a b exp(−t), which determines only the product.
struct Product;

impl Formula for Product {
    fn dims(&self) -> (usize, usize) {
        (4, 3)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        for (t, y) in out.iter_mut().enumerate() {
            *y = theta[0] * theta[1] * (-(t as f64)).exp() + theta[2];
        }
    }
}

#[test]
fn undetermined_parameters_have_infinite_errors() {
    let data = Mat::from_fn(4, 3, |t, i| {
        (2.0 + i as f64) * (-(t as f64)).exp() + 0.1 * (3 * t % 4) as f64
    });
    let fits = FitMany::new(&Product)
        .run(data.as_ref(), &[1.0, 1.5, 0.0])
        .unwrap();
    assert!(fits.all_converged(), "{fits}");
    for i in 0..3 {
        let errors = fits.standard_errors.col_as_slice(i);
        assert!(errors[0].is_infinite() && errors[1].is_infinite() && errors[2].is_finite());
    }
    // As many data as combinations of parameters that they determine leave nothing to estimate the noise from.
    let mut few = data;
    (few[(0, 0)], few[(1, 0)], few[(0, 1)]) = (f64::NAN, f64::NAN, f64::NAN);
    let fits = FitMany::new(&Product)
        .run(few.as_ref(), &[1.0, 1.5, 0.0])
        .unwrap();
    assert!(fits.standard_errors[(2, 0)].is_infinite() && fits.standard_errors[(2, 1)].is_finite());
}

#[test]
fn a_parameter_without_effect_is_no_convergence() {
    // From b = 400 all of e^(−bt) but t = 0 has died out.
    let data = decays();
    let fits = FitMany::new(&Decay)
        .run(data.as_ref(), &[1.0, 4000.0, 0.0])
        .unwrap();
    let lost =
        |outcome: &pullback::Result<Stop>| matches!(outcome, Ok(Stop::Lost { parameter: 1 }));
    assert!(fits.outcomes.iter().all(lost), "{fits}");
    assert!(
        fits.to_string()
            .contains("200 did not, first fit 0: lost parameter"),
        "{fits}"
    );
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let data = decays();
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| FitMany::new(&Decay).run(data.as_ref(), &START).unwrap())
    };
    let (one, three) = (run(1), run(3));
    assert_eq!(one.theta, three.theta);
    assert_eq!(one.standard_errors, three.standard_errors);
    assert_eq!((one.losses, one.steps), (three.losses, three.steps));
}

#[test]
fn starts_may_depend_on_the_data() {
    let data = decays();
    let fits = FitMany::new(&Decay);
    let from = fits
        .run_from(data.as_ref(), |i, data, start| {
            assert_eq!(data[2], decays()[(2, i)]);
            start.copy_from_slice(&[data[0] - data[9], 1.0, data[9]]);
        })
        .unwrap();
    let common = fits.run(data.as_ref(), &START).unwrap();
    for i in 0..COUNT {
        let theta = difference(from.theta.col_as_slice(i), common.theta.col_as_slice(i));
        assert!(theta < 1e-6, "{theta:.1e}");
    }
}
