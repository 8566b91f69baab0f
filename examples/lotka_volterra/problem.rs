//! The data, and the model of their logarithms.

use pullback::automatic::Scalar;
use pullback::evolution::{Dynamics, Evolution};
use pullback::models::dynamics::LotkaVolterra;
use pullback::{Result, Transform};

/// Pelts of snowshoe hares and of Canadian lynx that the Hudson's Bay Company bought, in thousands, from 1900 on (Hewitt 1921).
#[rustfmt::skip]
pub const PELTS: [[f64; 2]; YEARS] = [
    [30.0, 4.0], [47.2, 6.1], [70.2, 9.8], [77.4, 35.2], [36.3, 59.4], [20.6, 41.7], [18.1, 19.0], [21.4, 13.0], [22.0, 8.3],
    [25.4, 9.1], [27.1, 7.4], [40.3, 8.0], [57.0, 12.3], [76.6, 19.5], [52.3, 45.7], [19.5, 51.1], [11.2, 29.7], [7.6, 15.8],
    [14.6, 9.7], [16.2, 10.1], [24.7, 8.6],
];

/// Number of years.
pub const YEARS: usize = 21;

/// The first year.
pub const FIRST: f64 = 1900.0;

/// Names of the parameters.
pub const NAMES: [&str; 6] = ["α", "β", "γ", "δ", "x(1900)", "y(1900)"];

/// A guess that knows nothing but the first pelts.
pub const START: [f64; 6] = [0.5, 0.5, 0.5, 0.5, 30.0, 4.0];

/// Numbers of prey and predators, observed by their logarithms.
pub struct Logarithms(LotkaVolterra);

impl Dynamics for Logarithms {
    fn dims(&self) -> (usize, usize) {
        self.0.dims()
    }

    fn rate<S: Scalar>(&self, t: f64, x: &[S], theta: &[S], out: &mut [S]) {
        self.0.rate(t, x, theta, out);
    }

    fn initial<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        self.0.initial(theta, out);
    }

    fn observe<S: Scalar>(&self, _: f64, x: &[S], _: &[S], out: &mut [S]) {
        for (out, x) in out.iter_mut().zip(x) {
            *out = x.ln();
        }
    }
}

/// Creates the model at these times, in years since 1900.
pub fn model(times: Vec<f64>) -> Result<Evolution<Logarithms>> {
    let dynamics = Logarithms(LotkaVolterra::unknown_start());
    // Numbers may become very small, but not negative: their errors are bounded relative to them alone.
    Evolution::new(dynamics, times)?.accuracy(1e-8, &[0.0])
}

/// Creates the model of all years.
pub fn years() -> Result<Evolution<Logarithms>> {
    model((0..YEARS).map(|year| year as f64).collect())
}

/// Returns the logarithms of all counts.
pub fn data() -> Vec<f64> {
    PELTS.iter().flatten().map(|x| x.ln()).collect()
}

/// All parameters are positive.
pub const TRANSFORMS: [Transform; 6] = [Transform::Log; 6];
