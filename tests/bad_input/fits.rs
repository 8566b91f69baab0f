//! Input that makes no sense is an error that names the argument and the remedy: many small fits.

use crate::support::bad::{check, row};
use pullback::automatic::{Formula, Scalar};
use pullback::descent::Tolerances;
use pullback::faer::{Mat, mat};
use pullback::fits::FitMany;
use pullback::loss::Penalty;
use pullback::{Bounds, Error, Noise, Transform};

const NAN: f64 = f64::NAN;

/// y = √a + b t.
struct Root;

impl Formula for Root {
    fn dims(&self) -> (usize, usize) {
        (4, 2)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        for (t, y) in out.iter_mut().enumerate() {
            *y = theta[0].sqrt() + theta[1] * t as f64;
        }
    }
}

/// Leaves the last value out.
struct Short;

impl Formula for Short {
    fn dims(&self) -> (usize, usize) {
        (3, 1)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out[..2].fill(theta[0]);
    }
}

/// Reads its parameter by value.
struct Table;

impl Formula for Table {
    fn dims(&self) -> (usize, usize) {
        (3, 1)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out.fill(S::from(theta[0].value().sin()));
    }
}

/// No values.
struct Nothing;

impl Formula for Nothing {
    fn dims(&self) -> (usize, usize) {
        (0, 1)
    }

    fn values<S: Scalar>(&self, _: &[S], _: &mut [S]) {}
}

#[test]
fn options() {
    let (data, three) = (mat![[1.0], [2.0], [3.0], [4.0]], mat![[1.0], [2.0], [3.0]]);
    let start = [1.0, 1.0];
    let fit = || FitMany::new(&Root);
    let bounds = Bounds::new(vec![0.0, 0.0], vec![9.0, 9.0]).unwrap();
    let narrow = Bounds::new(vec![0.0], vec![9.0]).unwrap();
    let (few, full) = (
        Noise::uniform(3, 1.0).unwrap(),
        Noise::full(Mat::identity(4, 4)).unwrap(),
    );
    let wrong = Tolerances {
        step: -1.0,
        ..Tolerances::default()
    };
    let (logs, log) = ([Transform::Log; 2], [Transform::Log]);
    check(vec![
        row("short data", "Dimension", "the rows of the data", || {
            fit().run(three.as_ref(), &start)
        }),
        row("short start", "Dimension", "the start θ", || {
            fit().run(data.as_ref(), &[1.0])
        }),
        row("NaN start", "NotFinite", "the start θ", || {
            fit().run(data.as_ref(), &[1.0, NAN])
        }),
        row("start outside", "OutOfRange", "the start is -1", || {
            fit().bounds(&bounds).run(data.as_ref(), &[-1.0, 1.0])
        }),
        row(
            "start of a logarithm",
            "NoLogarithm",
            "must be above 0",
            || fit().transforms(&logs).run(data.as_ref(), &[0.0, 1.0]),
        ),
        row("short bounds", "Dimension", "the bounds", || {
            fit().bounds(&narrow).run(data.as_ref(), &start)
        }),
        row("one transform", "Dimension", "the transforms", || {
            fit().transforms(&log).run(data.as_ref(), &start)
        }),
        row("short noise", "Dimension", "the noise covariance", || {
            fit().noise(&few).run(data.as_ref(), &start)
        }),
        row(
            "correlated noise",
            "Option",
            "give independent noise",
            || fit().noise(&full).run(data.as_ref(), &start),
        ),
        row(
            "penalty alone",
            "Option",
            "give the noise of the data",
            || fit().penalty(Penalty::Huber).run(data.as_ref(), &start),
        ),
        row("tolerance", "Option", "the step tolerance", || {
            fit().tolerances(wrong).run(data.as_ref(), &start)
        }),
    ]);
}

#[test]
fn formulas() {
    let three = mat![[1.0], [2.0], [3.0]];
    let three = three.as_ref();
    check(vec![
        row(
            "unwritten",
            "Unwritten",
            "entry 2 of the output is not written",
            || FitMany::new(&Short).run(three, &[1.0]),
        ),
        row("value()", "Lost", "lookup", || {
            FitMany::new(&Table).run(three, &[1.0])
        }),
        row("no values", "Option", "the number of values", || {
            FitMany::new(&Nothing).run(Mat::zeros(0, 1).as_ref(), &[1.0])
        }),
    ]);
}

#[test]
fn one_fit_fails_alone() {
    let mut data = Mat::from_fn(4, 5, |t, i| 1.0 + (t * i) as f64);
    (0..4).for_each(|t| data[(t, 1)] = NAN);
    data[(2, 2)] = f64::INFINITY;
    let fits = FitMany::new(&Root)
        .run_from(data.as_ref(), |i, _, start| {
            start.copy_from_slice(&[[1.0, 1.0], [-1.0, 1.0]][usize::from(i == 3)]);
        })
        .unwrap();
    let kinds: Vec<bool> = (0..5).map(|i| fits.converged(i)).collect();
    assert_eq!(kinds, [true, false, false, false, true], "{fits}");
    assert!(matches!(fits.outcomes[1], Err(Error::Option { .. })));
    assert!(matches!(
        fits.outcomes[2],
        Err(Error::NotFinite {
            what: "the data",
            index: 2,
            ..
        })
    ));
    assert!(matches!(
        fits.outcomes[3],
        Err(Error::NotFinite {
            what: "a value of the formula",
            ..
        })
    ));
    assert!(fits.theta[(0, 3)].is_nan() && fits.losses[3].is_nan());
    let text = fits.to_string();
    assert!(
        text.contains("2 of 5 fits converged")
            && text.contains("first fit 3: a value of the formula"),
        "{text}"
    );
}

#[test]
fn no_data_no_fits() {
    let fits = FitMany::new(&Root)
        .run(Mat::zeros(4, 0).as_ref(), &[1.0, 1.0])
        .unwrap();
    assert!(fits.outcomes.is_empty() && fits.all_converged());
}
