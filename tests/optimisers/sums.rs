//! Sums of squares of Moré, Garbow and Hillstrom (1981), with the work of SciPy.

use pullback::Descent;
use pullback::automatic::{Curve, Formula, Scalar};
use pullback::loss::L2Misfit;
use serde_json::Value;

use crate::support::numbers;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Sum {
    /// Rosenbrock's valley in pairs of parameters.
    Valleys(usize),
    Beale,
    Powell,
    Wood,
    BrownDennis,
    Gaussian,
}

const GAUSSIAN: [f64; 8] = [
    0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521, 0.3989,
];

impl Formula for Sum {
    fn dims(&self) -> (usize, usize) {
        match self {
            Self::Valleys(pairs) => (2 * pairs, 2 * pairs),
            Self::Beale => (3, 2),
            Self::Powell => (4, 4),
            Self::Wood => (6, 4),
            Self::BrownDennis => (20, 4),
            Self::Gaussian => (15, 3),
        }
    }

    fn values<S: Scalar>(&self, x: &[S], out: &mut [S]) {
        let root = |x: f64| x.sqrt();
        match self {
            Self::Valleys(pairs) => (0..*pairs).for_each(|i| {
                out[2 * i] = (x[2 * i + 1] - x[2 * i] * x[2 * i]) * 10.0;
                out[2 * i + 1] = -x[2 * i] + 1.0;
            }),
            Self::Beale => {
                let mut power = x[1];
                for (out, y) in out.iter_mut().zip([1.5, 2.25, 2.625]) {
                    *out = x[0] * (power - 1.0) + y;
                    power *= x[1];
                }
            }
            Self::Powell => {
                let (a, b) = (x[1] - x[2] * 2.0, x[0] - x[3]);
                out[0] = x[0] + x[1] * 10.0;
                out[1] = (x[2] - x[3]) * root(5.0);
                (out[2], out[3]) = (a * a, b * b * root(10.0));
            }
            Self::Wood => {
                out[0] = (x[1] - x[0] * x[0]) * 10.0;
                out[1] = -x[0] + 1.0;
                out[2] = (x[3] - x[2] * x[2]) * root(90.0);
                out[3] = -x[2] + 1.0;
                out[4] = (x[1] + x[3] - 2.0) * root(10.0);
                out[5] = (x[1] - x[3]) * root(0.1);
            }
            Self::BrownDennis => out.iter_mut().enumerate().for_each(|(i, out)| {
                let t = (i + 1) as f64 / 5.0;
                let a = x[0] + x[1] * t - t.exp();
                let b = x[2] + x[3] * t.sin() - t.cos();
                *out = a * a + b * b;
            }),
            Self::Gaussian => out.iter_mut().enumerate().for_each(|(i, out)| {
                let t = x[2] - (7.0 - i as f64) / 2.0;
                *out = x[0] * (x[1] * t * t * -0.5).exp() - GAUSSIAN[i.min(14 - i)];
            }),
        }
    }
}

/// A problem with the work of SciPy's two methods: evaluations and the value at the end.
pub(crate) struct Row {
    pub(crate) curve: Curve<Sum>,
    pub(crate) loss: L2Misfit,
    pub(crate) name: String,
    pub(crate) start: Vec<f64>,
    scipy: Value,
}

impl Row {
    pub(crate) fn descent(&self) -> Descent<'_> {
        Descent::new(&self.curve, &self.loss)
    }

    /// Evaluations of a method of SciPy, and the value that it found.
    pub(crate) fn scipy(&self, method: &str) -> (usize, f64) {
        let found = &self.scipy[method];
        let evaluations = found["evaluations"].as_u64().unwrap() as usize;
        (evaluations, found["value"].as_f64().unwrap())
    }
}

pub(crate) fn rows() -> Vec<Row> {
    let all: Value = serde_json::from_str(include_str!("../reference/optimisers.json")).unwrap();
    let row = |scipy: &Value| {
        let name = scipy["problem"].as_str().unwrap().to_string();
        let start = numbers(&scipy["start"]);
        let sum = match name.as_str() {
            "rosenbrock" | "extended" => Sum::Valleys(start.len() / 2),
            "beale" => Sum::Beale,
            "powell" => Sum::Powell,
            "wood" => Sum::Wood,
            "brown_dennis" => Sum::BrownDennis,
            _ => Sum::Gaussian,
        };
        Row {
            curve: Curve::new(sum),
            loss: L2Misfit::euclidean(vec![0.0; sum.dims().0]).unwrap(),
            name,
            start,
            scipy: scipy.clone(),
        }
    };
    all.as_array().unwrap().iter().map(row).collect()
}
