//! Steps that cannot go on name the component and its size.

use super::evolution::failure;
use pullback::automatic::Scalar;
use pullback::evolution::{Dynamics, Error, Evolution, Method};

/// ẋ = f(x) from x₀(θ), of which some have no solution for ever.
struct Ends(&'static str);

impl Dynamics for Ends {
    fn dims(&self) -> (usize, usize) {
        (1, 1)
    }

    fn rate<S: Scalar>(&self, _: f64, x: &[S], _: &[S], out: &mut [S]) {
        out[0] = match self.0 {
            "root" => -x[0].sqrt(),
            _ => x[0] * x[0] + 1.0,
        };
    }

    fn initial<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out[0] = theta[0].sqrt();
    }
}

#[test]
fn a_rate_that_is_not_finite_is_named_where_steps_shrink() {
    // √x falls linearly from 1, and is 0 at t = 2. The equations of implicit steps have a solution near 0 for ever.
    let model = Evolution::new(Ends("root"), vec![5.0]).unwrap();
    let found = failure(model.predict(&[1.0]));
    assert!(
        matches!(found, Error::NotFinite { t, component: 0, rate, .. } if (t - 2.0).abs() < 1e-2 && rate.is_nan()),
        "{found}"
    );
    assert!(
        found.to_string().contains("the rate of x[0] is NaN"),
        "{found}"
    );
    for method in [Method::Explicit, Method::Implicit] {
        let model = Evolution::new(Ends("root"), vec![5.0]).unwrap();
        let found = failure(model.method(method).predict(&[-1.0]));
        assert!(
            matches!(found, Error::Initial { component: 0, x } if x.is_nan()),
            "{found}"
        );
        let text = found.to_string();
        assert!(text.contains("the initial value of x[0] is NaN"), "{text}");
    }
}

#[test]
fn too_many_steps_name_the_largest_component() {
    // x = tan t grows without bound at t = π/2. Steps of order 1 become too many before they shrink to nothing.
    let model = Evolution::new(Ends("tangent"), vec![2.0]).unwrap();
    let model = model.method(Method::Theta(1.0)).most_steps(20_000);
    let found = failure(model.predict(&[0.0]));
    assert!(
        matches!(found, Error::TooMany { t, component: 0, x, .. } if t < 1.571 && (x / t.tan() - 1.0).abs() < 0.1),
        "{found}"
    );
    let text = found.to_string();
    assert!(
        text.contains("x[0] = ") && text.contains("grows without bound"),
        "{text}"
    );
}

#[test]
fn steps_of_given_length_without_solution_say_what_helps() {
    // Y = x + h (1 + Y²) has no solution for h > ½.
    let model = Evolution::new(Ends("tangent"), vec![1.2]).unwrap();
    let model = model.method(Method::Theta(1.0)).every(0.6).unwrap();
    let found = failure(model.predict(&[0.0]));
    assert!(matches!(found, Error::Unsolved { .. }), "{found}");
    let text = found.to_string();
    assert!(
        text.contains("choose them anew") && text.contains("`every`"),
        "{text}"
    );
    // An explicit step beyond the root of the rate.
    let model = Evolution::new(Ends("root"), vec![4.0]).unwrap();
    let found = failure(model.every(1.0).unwrap().predict(&[1.0]));
    assert!(
        matches!(found, Error::NotFinite { rate, .. } if rate.is_nan()),
        "{found}"
    );
}
