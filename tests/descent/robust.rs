//! Fits of data with outliers, against SciPy's robust least squares.

use crate::support::numbers;
use pullback::automatic::{Curve, Formula, Scalar};
use pullback::loss::{Observations, Penalty, Robust};
use pullback::{Descent, Loss, Noise, Operator, Report};
use serde_json::Value;

/// b₀ e^(−b₁t) + b₂.
struct Decay(Vec<f64>);

impl Formula for Decay {
    fn dims(&self) -> (usize, usize) {
        (self.0.len(), 3)
    }

    fn values<S: Scalar>(&self, b: &[S], out: &mut [S]) {
        for (y, &t) in out.iter_mut().zip(&self.0) {
            *y = b[0] * (b[1] * -t).exp() + b[2];
        }
    }
}

struct Case {
    curve: Curve<Decay>,
    data: Vec<f64>,
    deviation: f64,
    fits: Vec<Value>,
}

fn case() -> Case {
    let all: Value = serde_json::from_str(include_str!("../reference/robust.json")).unwrap();
    Case {
        curve: Curve::new(Decay(numbers(&all["t"]))),
        data: numbers(&all["y"]),
        deviation: all["deviation"].as_f64().unwrap(),
        fits: all["fits"].as_array().unwrap().clone(),
    }
}

impl Case {
    fn observations(&self) -> Observations {
        let k = self.data.len();
        let noise = Noise::uniform(k, self.deviation).unwrap();
        Observations::new(Operator::identity(k), self.data.clone(), noise).unwrap()
    }

    fn fit(&self, loss: &dyn Loss) -> Report {
        Descent::new(&self.curve, loss)
            .run(&[2.4, 0.8, 0.25], |_| ())
            .unwrap()
    }
}

#[test]
fn minima_are_those_of_scipy() {
    let case = case();
    for fit in &case.fits {
        let name = fit["loss"].as_str().unwrap();
        let penalty = match name {
            "soft_l1" => Some(Penalty::SoftL1),
            "huber" => Some(Penalty::Huber),
            "cauchy" => Some(Penalty::Cauchy),
            _ => None,
        };
        let report = match penalty {
            None => case.fit(&case.observations()),
            Some(penalty) => {
                let scale = fit["scale"].as_f64().unwrap();
                let loss = Robust::new(case.observations(), penalty).unwrap();
                case.fit(&loss.scale(scale).unwrap())
            }
        };
        let evaluations = fit["evaluations"].as_f64().unwrap();
        println!(
            "{name}: {} model solves, SciPy {evaluations}\n{report}",
            report.counts.model_solves
        );
        assert!(report.converged(), "{name}: {report}");
        let value = fit["value"].as_f64().unwrap();
        assert!(
            (report.loss - value).abs() < 1e-9 * value,
            "{name}: {} {value}",
            report.loss
        );
        for (found, expected) in report.theta.iter().zip(numbers(&fit["theta"])) {
            assert!(
                (found - expected).abs() < 1e-5 * expected.abs(),
                "{name}: {report}"
            );
        }
        assert!(report.counts.model_solves <= 60, "{name}: {report}");
    }
}

/// The redescending penalty removes outliers entirely: the fit is that without them.
#[test]
fn tukey_fits_as_if_outliers_were_missing() {
    let case = case();
    let loss = Robust::new(case.observations(), Penalty::Tukey).unwrap();
    let report = case.fit(&loss);
    assert!(report.converged(), "{report}");
    let weights = loss.weights(&report.rho).unwrap();
    let outliers: Vec<usize> = (0..weights.len()).filter(|i| weights[*i] < 0.01).collect();
    assert_eq!(outliers, [4, 11, 17, 29, 33]);
    // The fit without these data lies within a standard error.
    let mut data = case.data.clone();
    outliers.iter().for_each(|&i| data[i] = f64::NAN);
    let noise = Noise::uniform(data.len(), case.deviation).unwrap();
    let present = Observations::present(&data, &noise).unwrap();
    let missing = case.fit(&present);
    let errors = missing
        .covariance(&Descent::new(&case.curve, &present))
        .unwrap();
    for (j, error) in errors.standard_errors.iter().enumerate() {
        let (a, b) = (report.theta[j], missing.theta[j]);
        assert!((a - b).abs() < *error, "{a} {b} ± {error}");
    }
}

/// For a large scale every penalty is least squares.
#[test]
fn large_scales_are_least_squares() {
    let case = case();
    let plain = case.observations();
    let rho = vec![0.4; case.data.len()];
    for penalty in [
        Penalty::SoftL1,
        Penalty::Huber,
        Penalty::Cauchy,
        Penalty::Tukey,
    ] {
        let loss = Robust::new(case.observations(), penalty)
            .unwrap()
            .scale(1e7)
            .unwrap();
        let (a, b) = (loss.value(&rho), plain.value(&rho));
        assert!((a - b).abs() < 1e-9 * b, "{penalty:?}: {a} {b}");
    }
}
