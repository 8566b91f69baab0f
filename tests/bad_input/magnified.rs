//! States of which only rounding errors remain, and losses that magnify them.

use pullback::automatic::Scalar;
use pullback::evolution::{Dynamics, Evolution, Method};
use pullback::loss::{Datum, Error, Family, Likelihood, NoiseLevel};
use pullback::{Descent, Transform};

/// A receptor that has decayed to 10⁻²⁴ while it acts on other substances, and the logarithm of what is left of it.
struct Receptor;

impl Dynamics for Receptor {
    fn dims(&self) -> (usize, usize) {
        (3, 4)
    }

    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out[0] = -theta[0] * x[0];
        out[1] = theta[2] * x[2] - theta[1] * x[0] * x[1];
        out[2] = -out[1];
    }

    fn initial<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out.fill(S::from(0.0));
        out[0] = S::from(1.0);
        out[1] = theta[3];
    }
}

#[test]
fn logarithms_of_rounding_errors_are_named() {
    let model = Evolution::new(Receptor, vec![1.0, 60.0]).unwrap();
    let model = model.method(Method::Implicit);
    let data = [0, 1, 3, 4].map(|mean| Datum {
        mean,
        noise: NoiseLevel::Given(0.1),
        value: 0.5,
        family: Family::LogNormal,
    });
    let loss = Likelihood::new(6, data).unwrap();
    let descent = Descent::new(&model, &loss).transforms(&[Transform::Log; 4]);
    let error = descent.run(&[1.0, 2.0, 0.4, 3.0], |_| ()).unwrap_err();
    let Some(Error::Magnified { entry, .. }) = error.of() else {
        panic!("{error}");
    };
    assert_eq!(*entry, 3, "{error}");
}
