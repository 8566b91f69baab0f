//! Events that make no sense are errors with their time and index.

use super::evolution::failure;
use pullback::automatic::Scalar;
use pullback::evolution::{Dynamics, Error, Evolution, Method};
use pullback::{Cpu, Linearisation};

/// ẋ = (x₁, −θ) with an event that goes wrong in one of several ways.
struct Strange(&'static str);

impl Dynamics for Strange {
    fn dims(&self) -> (usize, usize) {
        (2, 1)
    }

    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out[0] = x[1];
        out[1] = -theta[0];
    }

    fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
        out[0] = S::from(1.0);
        out[1] = S::from(0.0);
    }

    fn events(&self) -> usize {
        2
    }

    fn event<S: Scalar>(&self, index: usize, _: f64, x: &[S], _: &[S]) -> S {
        match (self.0, index) {
            ("NaN", 1) => (x[0] - 0.5).ln(),
            // Both are positive after the jump of the other.
            ("to and fro", 0) => -x[0],
            ("to and fro", _) => x[0] - 2.0,
            ("flat", 0) => S::from(if x[0] > 0.5 { -1.0 } else { 1.0 }),
            (_, 0) => -x[0],
            _ => S::from(-1.0),
        }
    }

    fn jump<S: Scalar>(&self, index: usize, _: f64, x: &mut [S], _: &[S]) {
        match (self.0, index) {
            ("Zeno", _) => x[1] = -x[1] * 0.5,
            ("to and fro", 0) => x[0] = S::from(3.0),
            ("to and fro", _) => x[0] = S::from(-1.0),
            ("many", _) => x[0] = S::from(1e-9),
            ("lost", _) => x[1] = S::from(x[1].value()),
            ("NaN after", _) => x[1] = (-x[0] - 1.0).sqrt(),
            _ => {}
        }
    }
}

#[test]
fn events_without_end_say_when_and_how_many() {
    // The ball reaches the floor at t = √2 with speed √2, and its bounces end at t = 3√2.
    let end = 3.0 * 2f64.sqrt();
    for method in [Method::Explicit, Method::Implicit, Method::Theta(0.5)] {
        let of = |what| {
            Evolution::new(Strange(what), vec![5.0])
                .unwrap()
                .method(method)
        };
        let found = failure(of("Zeno").predict(&[1.0]));
        assert!(
            matches!(found, Error::Endless { t, index: 0, count } if (t - end).abs() < 1e-9 && count > 30),
            "{found}"
        );
        let text = found.to_string();
        assert!(
            text.contains("4.24") && text.contains("accumulate"),
            "{text}"
        );
        let found = failure(of("to and fro").predict(&[1.0]));
        assert!(
            matches!(found, Error::Endless { t, count, .. } if (t - 2f64.sqrt()).abs() < 1e-9 && count > 10),
            "{found}"
        );
        let found = failure(of("many").predict(&[1.0]));
        assert!(
            matches!(
                found,
                Error::Endless { index: 0, .. } | Error::TooMany { .. }
            ),
            "{found}"
        );
    }
}

#[test]
fn events_that_are_no_functions_are_found() {
    let of = |what| Evolution::new(Strange(what), vec![2.0]).unwrap();
    let found = failure(of("NaN").predict(&[1.0]));
    assert!(
        matches!(found, Error::UndefinedEvent { t, index: 1 } if t > 0.9),
        "{found}"
    );
    let found = failure(of("NaN after").predict(&[1.0]));
    assert!(
        matches!(found, Error::NotFinite { component: 1, .. }),
        "{found}"
    );
    let linearise = |what| {
        let model = of(what);
        let rho = model.predict(&[1.0])?;
        Linearisation::new(&model, &rho, &[1.0], Cpu::shared()).map(drop)
    };
    assert!(linearise("").is_ok());
    let found = failure(linearise("flat"));
    assert!(
        matches!(found, Error::GrazedEvent { t, index: 0 } if (t - 1.0).abs() < 1e-9),
        "{found}"
    );
    let text = linearise("lost").unwrap_err().to_string();
    assert!(text.contains("event") && text.contains("x[1]"), "{text}");
}

#[test]
fn kept_events_that_move_too_far_are_lost() {
    let model = Evolution::new(Strange(""), vec![2.0]).unwrap();
    let kept = model.keep_steps(&[1.0]).unwrap();
    assert!(kept.predict(&[1.001]).is_ok());
    let found = failure(kept.predict(&[-5.0]));
    assert!(
        matches!(found, Error::LostEvent { index: 0, .. }),
        "{found}"
    );
    assert!(found.to_string().contains("choose them anew"), "{found}");
}

#[test]
fn events_that_are_new_to_kept_steps_are_errors() {
    // Up to t = 2, the floor is reached for θ > ½ only.
    for method in [Method::Explicit, Method::Implicit, Method::Theta(0.5)] {
        let model = Evolution::new(Strange(""), vec![1.0, 2.0]).unwrap();
        let kept = model.method(method).keep_steps(&[0.3]).unwrap();
        assert!(kept.predict(&[0.49]).is_ok());
        let found = failure(kept.predict(&[0.7]));
        assert!(
            matches!(found, Error::NewEvent { t, index: 0 } if t > 1.69),
            "{found}"
        );
        assert!(found.to_string().contains("choose the steps anew"));
        // A jump that fires a second event at once.
        let pushed = |theta: f64| {
            let model = Evolution::new(Pushed, vec![0.8]).unwrap();
            model.method(method).keep_steps(&[theta]).unwrap()
        };
        let found = failure(pushed(0.5).predict(&[3.0]));
        assert!(matches!(found, Error::NewEvent { index: 1, .. }), "{found}");
        assert!(pushed(3.0).predict(&[3.1]).is_ok());
        let found = failure(pushed(3.0).predict(&[0.5]));
        assert!(
            matches!(found, Error::LostEvent { index: 1, .. }),
            "{found}"
        );
    }
}

/// ẋ = 1 from 0, with a jump by θ at x = ½ that fires a second event if it leads beyond x = 2.
struct Pushed;

impl Dynamics for Pushed {
    fn dims(&self) -> (usize, usize) {
        (1, 1)
    }

    fn rate<S: Scalar>(&self, _: f64, _: &[S], _: &[S], out: &mut [S]) {
        out[0] = S::from(1.0);
    }

    fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
        out[0] = S::from(0.0);
    }

    fn events(&self) -> usize {
        2
    }

    fn event<S: Scalar>(&self, index: usize, _: f64, x: &[S], _: &[S]) -> S {
        x[0] - if index == 0 { 0.5 } else { 2.0 }
    }

    fn jump<S: Scalar>(&self, index: usize, _: f64, x: &mut [S], theta: &[S]) {
        x[0] = if index == 0 {
            x[0] + theta[0]
        } else {
            S::from(0.0)
        };
    }
}
