//! Evolutions that fail say when, where and why.

use pullback::automatic::Scalar;
use pullback::evolution::{Covectors, Dynamics, Error, Evolution, Experiment, Method};
use pullback::loss::L2Misfit;
use pullback::{Cpu, Descent, Linearisation, Model};

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

/// Returns the error of an evolution in a result.
pub(crate) fn failure<T>(found: pullback::Result<T>) -> Error {
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
            matches!(found, Error::NotFinite { t, component: 1, rate, .. } if (t - 1.0).abs() < 1e-3 && !rate.is_finite()),
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
    let theta = |theta| sound().method(Method::Theta(theta));
    let times = |times: &[f64]| failure(Evolution::new(Stiff, times.to_vec()));
    assert!(matches!(times(&[1.0, 0.5]), Error::Times { index: 1, .. }));
    assert!(matches!(times(&[-1.0]), Error::Times { index: 0, .. }));
    assert!(matches!(times(&[1.0, 1.0]), Error::Times { index: 1, .. }));
    let inf = f64::INFINITY;
    for bad in [
        &[f64::NAN][..],
        &[inf, 3.0],
        &[1.0, -inf],
        &[inf, inf],
        &[1.0, f64::NAN, inf],
    ] {
        let found = times(bad);
        let first = usize::from(bad[0] == 1.0);
        assert!(
            matches!(found, Error::Time { index, .. } if index == first),
            "{found}"
        );
        let text = found.to_string();
        assert!(text.contains("only the last may be `inf`"), "{text}");
    }
    for found in [
        Evolution::new(Stiff, vec![]).map(drop),
        Evolution::new(Stiff, vec![f64::NAN]).map(drop),
        Evolution::over(Stiff, vec![Experiment::new(vec![1.0]).start(2.0)]).map(drop),
        sound().accuracy(-1.0, &[1.0]).map(drop),
        sound().accuracy(1e-6, &[1.0, 1.0]).map(drop),
        sound().accuracy(0.0, &[0.0]).map(drop),
        sound().every(0.0).map(drop),
        theta(0.4).predict(&[1.0]).map(drop),
        theta(1.1).predict(&[1.0]).map(drop),
        theta(f64::NAN).every(0.1).map(drop),
        sound().predict(&[1.0, 1.0]).map(drop),
        sound().predict(&[f64::NAN]).map(drop),
    ] {
        assert!(found.is_err());
    }
    let message = theta(0.4).predict(&[1.0]).unwrap_err().to_string();
    assert!(
        message.contains("0.4") && message.contains("implicit Euler"),
        "{message}"
    );
    assert!(theta(0.5).predict(&[1.0]).is_ok());
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

/// Dynamics whose rate is wrong in one of several ways, and their observable in another.
struct Wrong(&'static str);

impl Dynamics for Wrong {
    fn dims(&self) -> (usize, usize) {
        (2, 1)
    }

    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out[0] = -theta[0] * x[0];
        out[1] = match self.0 {
            // Behind a branch that the first point does not take.
            "late" if x[0] < 0.5 => S::from(x[1].value()),
            _ => -x[1],
        };
        if self.0 == "singular" {
            out[1] = x[0] - 1.0;
        }
    }

    fn initial<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out[0] = S::from(1.0);
        if self.0 != "unwritten" {
            out[1] = theta[0];
        }
    }

    fn observe<S: Scalar>(&self, _: f64, x: &[S], _: &[S], out: &mut [S]) {
        out[0] = x[0];
        out[1] = if self.0 == "observable" {
            S::from(x[1].value())
        } else {
            x[1]
        };
    }

    fn is_algebraic(&self, i: usize) -> bool {
        self.0 == "singular" && i == 1
    }
}

#[test]
fn derivatives_that_are_lost_are_found_wherever_the_state_goes() {
    let linearise = |what| {
        let model = Evolution::new(Wrong(what), vec![2.0]).unwrap();
        let rho = [0.1, 0.1];
        Linearisation::new(&model, &rho, &[1.0], Cpu::shared()).map(drop)
    };
    assert!(linearise("nothing").is_ok());
    for (what, part, name) in [
        ("late", "the rate", "x[1]"),
        ("observable", "an observable", "x[1]"),
    ] {
        let Err(found) = linearise(what) else {
            panic!("{what}")
        };
        let text = found.to_string();
        assert!(
            text.contains(part) && text.contains("entry 1") && text.contains(name),
            "{text}"
        );
    }
    let model = Evolution::new(Wrong("unwritten"), vec![2.0]).unwrap();
    let found = failure(model.predict(&[1.0]));
    assert!(
        matches!(found, Error::Initial { component: 1, .. }),
        "{found}"
    );
}

#[test]
fn values_that_are_not_finite_are_named_with_entry_and_experiment() {
    let one = || Experiment::new(vec![1.0]);
    let undefined = [
        one().given(0, f64::NAN),
        one().from(0.5, &[(0, f64::INFINITY)]),
    ];
    for experiment in undefined {
        let several = vec![one(), one(), experiment];
        let found = failure(Evolution::over(Stiff, several));
        let message = found.to_string();
        assert!(
            message.starts_with("experiment 2: entry 0 of the parameters"),
            "{message}"
        );
    }
}

#[test]
fn experiments_that_make_no_sense_are_errors() {
    let of = |experiment: Experiment| {
        failure(Evolution::over(Stiff, vec![experiment]).and_then(|model| model.predict(&[1.0])))
    };
    let one = || Experiment::new(vec![1.0]);
    assert!(matches!(
        of(one().given(1, 1.0)),
        Error::Entry { entry: 1, count: 1 }
    ));
    assert!(matches!(
        of(one().from(0.5, &[(3, 1.0)])),
        Error::Entry { entry: 3, .. }
    ));
    assert!(matches!(of(one().from(-0.5, &[])), Error::Times { .. }));
    assert!(matches!(
        of(one().from(0.5, &[]).from(0.5, &[])),
        Error::Times { index: 1, .. }
    ));
    assert!(matches!(
        of(one().own(0, 1)),
        Error::Unused {
            parameter: 0,
            count: 2
        }
    ));
    assert!(matches!(of(one().rested(&[])), Error::Implicit { .. }));
    assert!(matches!(
        of(Experiment::new(vec![f64::INFINITY])),
        Error::Implicit { .. }
    ));
    assert!(Evolution::over(Stiff, vec![]).is_err());
    assert!(Evolution::over(Stiff, vec![Experiment::new(vec![f64::INFINITY, 1.0])]).is_err());
    // Without end, an explosion does not settle.
    let model = Evolution::new(Explosion, vec![f64::INFINITY])
        .unwrap()
        .method(Method::Implicit);
    assert!(matches!(
        failure(model.predict(&[0.5])),
        Error::Vanished { .. }
    ));
    let model = Evolution::new(Wrong("singular"), vec![2.0])
        .unwrap()
        .method(Method::Implicit);
    let found = failure(model.predict(&[1.0]));
    assert!(
        matches!(found, Error::Inconsistent { component: 1, .. }),
        "{found}"
    );
}

#[test]
fn failures_of_one_experiment_among_several_say_which() {
    let one = || Experiment::new(vec![1.0]);
    let experiments = vec![one(), Experiment::new(vec![3.0])];
    let found = failure(
        Evolution::over(Explosion, experiments)
            .unwrap()
            .predict(&[0.5]),
    );
    assert!(
        matches!(&found, Error::Experiment { index: 1, error } if matches!(**error, Error::Vanished { .. })),
        "{found}"
    );
}

/// ẋ = −θx with products that are those of another rate.
struct Backward;

impl Dynamics for Backward {
    fn dims(&self) -> (usize, usize) {
        (1, 1)
    }

    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out[0] = -theta[0] * x[0];
    }

    fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
        out[0] = S::from(1.0);
    }

    fn pull_back(&self, from: Covectors<'_>, x: &mut [f64], theta: &mut [f64]) -> bool {
        x[0] -= from.theta[0] * from.w[0];
        theta[0] += from.x[0] * from.w[0];
        true
    }
}

#[test]
fn products_in_closed_form_are_compared_with_the_rate() {
    let model = Evolution::new(Backward, vec![1.0]).unwrap();
    let found = failure(Linearisation::new(&model, &[0.1], &[2.0], Cpu::shared()).map(drop));
    assert!(matches!(found, Error::PulledBack { .. }), "{found}");
    // Implicit methods need the derivatives themselves.
    let model = model.method(Method::Implicit);
    assert!(Linearisation::new(&model, &[0.1], &[2.0], Cpu::shared()).is_ok());
}

#[test]
fn a_state_that_goes_round_and_round_is_not_steady() {
    let model = Evolution::new(Circle, vec![f64::INFINITY])
        .unwrap()
        .method(Method::Implicit);
    let found = failure(model.most_steps(2000).predict(&[1.0]));
    assert!(
        matches!(found, Error::Unsteady { limit: 2000, .. }),
        "{found}"
    );
}

/// Oscillation that neither grows nor decays.
struct Circle;

impl Dynamics for Circle {
    fn dims(&self) -> (usize, usize) {
        (2, 1)
    }

    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        // A limit cycle of radius 1 (Poincaré).
        let grow = S::from(1.0) - x[0] * x[0] - x[1] * x[1];
        out[0] = grow * x[0] - theta[0] * x[1];
        out[1] = grow * x[1] + theta[0] * x[0];
    }

    fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
        out[0] = S::from(1.0);
        out[1] = S::from(0.0);
    }
}
