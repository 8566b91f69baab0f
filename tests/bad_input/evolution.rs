//! Evolutions that fail say when, where and why.

use pullback::automatic::Scalar;
use pullback::evolution::{Dynamics, Error, Evolution, Experiment, Method};
use pullback::loss::L2Misfit;
use pullback::{Descent, Model};

const METHODS: [Method; 2] = [Method::Explicit, Method::Implicit];

/// ẋ = −θ(x − cos t) for a large rate θ.
struct Stiff;

impl Dynamics for Stiff {
    fn dims(&self) -> (usize, usize) {
        (1, 1)
    }

    fn rate<S: Scalar>(&self, t: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out[0] = theta[0] * (-x[0] + t.cos());
    }

    fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
        out[0] = S::from(0.0);
    }
}

/// ẋ = θx², which grows without bound at t = 1/θ.
struct Explosion;

impl Dynamics for Explosion {
    fn dims(&self) -> (usize, usize) {
        (1, 1)
    }

    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out[0] = theta[0] * x[0] * x[0];
    }

    fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
        out[0] = S::from(1.0);
    }
}

/// ẋ = ln(θ − x).
struct Edge;

impl Dynamics for Edge {
    fn dims(&self) -> (usize, usize) {
        (2, 1)
    }

    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out[0] = S::from(1.0);
        out[1] = (theta[0] - x[0]).ln();
    }

    fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
        out.fill(S::from(0.0));
    }
}

fn failure<T>(found: pullback::Result<T>) -> Error {
    let Err(failure) = found else {
        panic!("no error")
    };
    failure
        .of::<Error>()
        .unwrap_or_else(|| panic!("{failure}"))
        .clone()
}

#[test]
fn integrations_that_fail_say_where_and_why() {
    for method in METHODS {
        let model = Evolution::new(Explosion, vec![3.0]).unwrap().method(method);
        let found = failure(model.predict(&[0.5]));
        assert!(
            matches!(found, Error::Vanished { t, component: 0, x } if (t - 2.0).abs() < 1e-3 && x > 1e3),
            "{found}"
        );
        let model = Evolution::new(Edge, vec![3.0]).unwrap().method(method);
        let found = failure(model.predict(&[1.0]));
        assert!(
            matches!(found, Error::Vanished { t, component: 1, .. } if (t - 1.0).abs() < 1e-3),
            "{found}"
        );
        let found = failure(model.predict(&[-1.0]));
        assert!(
            matches!(found, Error::NotFinite { component: 1, rate, .. } if rate.is_nan()),
            "{found}"
        );
    }
    let model = Evolution::new(Stiff, vec![4e3]).unwrap().most_steps(1000);
    let found = failure(model.predict(&[1e6]));
    assert!(
        matches!(found, Error::TooMany { limit: 1000, .. })
            && found.to_string().contains("Implicit"),
        "{found}"
    );
}

#[test]
fn settings_that_make_no_sense_are_errors() {
    let sound = || Evolution::new(Stiff, vec![1.0]).unwrap();
    let times = |times: &[f64]| failure(Evolution::new(Stiff, times.to_vec()));
    assert!(matches!(times(&[1.0, 0.5]), Error::Times { index: 1, .. }));
    assert!(matches!(times(&[-1.0]), Error::Times { index: 0, .. }));
    assert!(matches!(times(&[1.0, 1.0]), Error::Times { index: 1, .. }));
    for found in [
        Evolution::new(Stiff, vec![]).map(drop),
        Evolution::new(Stiff, vec![f64::NAN]).map(drop),
        Evolution::over(Stiff, vec![Experiment::new(vec![1.0]).start(2.0)]).map(drop),
        sound().accuracy(-1.0, &[1.0]).map(drop),
        sound().accuracy(1e-6, &[1.0, 1.0]).map(drop),
        sound().accuracy(0.0, &[0.0]).map(drop),
        sound().every(0.0).map(drop),
        sound().predict(&[1.0, 1.0]).map(drop),
        sound().predict(&[f64::NAN]).map(drop),
    ] {
        assert!(found.is_err());
    }
}

#[test]
fn a_descent_survives_trials_that_explode() {
    let model = Evolution::new(Explosion, vec![0.5, 1.0]).unwrap();
    let loss = L2Misfit::euclidean(vec![1.0 / 0.6, 1.0 / 0.2]).unwrap();
    let report = Descent::new(&model, &loss).run(&[0.05], |_| ()).unwrap();
    assert!(
        report.converged() && (report.theta[0] - 0.8).abs() < 1e-6,
        "{report}"
    );
    assert_eq!(model.state_dim(), 2);
}
