//! Metrics: those of the library, and wrong ones.

use faer::{Mat, MatRef};

use super::{assert_fails_only, assert_passes, bumps, every_seventh, line, plane};
use crate::error::Result;
use crate::grid::Grid;
use crate::linalg::{Backend, Operator};
use crate::metric::{
    FaceMean, FisherRao, HellingerKantorovich, L2, Metric, Observed, Root, Scaled, Sobolev,
    Stacked, Wasserstein2,
};
use crate::noise::Noise;
use crate::verify;

#[test]
fn all_metrics_pass() {
    for grid in [line(), plane()] {
        let rho = bumps(&grid, 0.3);
        let mut vacuum = bumps(&grid, 0.3);
        vacuum.iter_mut().for_each(|r| *r = r.powi(12));
        vacuum[0] = 0.0;
        let o = Operator::dense(every_seventh(grid.cells()));
        let noise = Noise::uniform(o.nrows(), 0.3).unwrap();
        for (name, metric) in metrics(&grid, &o, &noise) {
            for seed in 0..3 {
                let report = verify::metric(metric.as_ref(), &rho, seed).unwrap();
                assert_passes(name, &report);
                let report = verify::metric(metric.as_ref(), &vacuum, seed).unwrap();
                assert_passes(name, &report);
            }
        }
    }
}

type Metrics<'a> = Vec<(&'static str, Box<dyn Metric + 'a>)>;

fn metrics<'a>(grid: &Grid, o: &'a Operator<'a>, noise: &'a Noise) -> Metrics<'a> {
    let wasserstein = |face_mean| {
        let mut metric = Wasserstein2::new(grid);
        metric.face_mean = face_mean;
        Box::new(metric)
    };
    let growth = HellingerKantorovich {
        alpha: 2.0,
        beta: 0.3,
        ..HellingerKantorovich::new(grid)
    };
    let scaled = Scaled {
        metric: FisherRao::new(grid),
        factor: 0.25,
    };
    let stacked = Stacked::default()
        .add(0.5, L2::new(grid))
        .add(2.0, Wasserstein2::new(grid));
    vec![
        ("L2", Box::new(L2::new(grid))),
        ("Fisher-Rao", Box::new(FisherRao::new(grid))),
        (
            "free Fisher-Rao",
            Box::new(FisherRao::new(grid).with_free_mass()),
        ),
        ("H1", Box::new(Sobolev::new(grid, 1.0).unwrap())),
        ("H-1", Box::new(Sobolev::new(grid, -1.0).unwrap())),
        ("H0.7", Box::new(Sobolev::new(grid, 0.7).unwrap())),
        ("Ḣ1", Box::new(Sobolev::homogeneous(grid, 1.0).unwrap())),
        ("Ḣ-1", Box::new(Sobolev::homogeneous(grid, -1.0).unwrap())),
        ("W2", wasserstein(FaceMean::Arithmetic)),
        ("W2 logarithmic", wasserstein(FaceMean::Logarithmic)),
        ("W2 geometric", wasserstein(FaceMean::Geometric)),
        ("W2 harmonic", wasserstein(FaceMean::Harmonic)),
        ("HK", Box::new(growth)),
        ("observed", Box::new(Observed::new(o, noise).unwrap())),
        ("scaled", Box::new(scaled)),
        ("stacked", Box::new(stacked)),
    ]
}

/// Metric M = diag(2, 8) with a factor on each part, 1 for a correct part.
struct Weighted {
    lower: f64,
    dual: f64,
    apply: f64,
    project: f64,
}

const RIGHT: Weighted = Weighted {
    lower: 1.0,
    dual: 1.0,
    apply: 1.0,
    project: 1.0,
};

impl Metric for Weighted {
    fn at<'a>(&'a self, _: &'a [f64], _: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        Ok(Box::new(WeightedRoot(self)))
    }

    fn name(&self) -> &'static str {
        "weighted"
    }
}

struct WeightedRoot<'a>(&'a Weighted);

impl WeightedRoot<'_> {
    fn scaled(x: MatRef<'_, f64>, weights: [f64; 2]) -> Mat<f64> {
        Mat::from_fn(2, x.ncols(), |i, j| weights[i] * x[(i, j)])
    }
}

impl Root for WeightedRoot<'_> {
    fn dim(&self) -> usize {
        2
    }

    fn lift(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        Ok(Self::scaled(z, [2f64.sqrt(), 8f64.sqrt()]))
    }

    fn lower(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>> {
        Ok(Self::scaled(y, [2f64.sqrt(), self.0.lower * 8f64.sqrt()]))
    }

    fn apply(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        Ok(Self::scaled(z, [2.0, 8.0 * self.0.apply]))
    }

    fn dual(&self, c: &[f64]) -> Result<Vec<f64>> {
        Ok(vec![c[0] / 2f64.sqrt(), self.0.dual * c[1] / 8f64.sqrt()])
    }

    fn project(&self, c: &mut [f64]) {
        c.iter_mut().for_each(|c| *c *= self.0.project);
    }
}

#[test]
fn wrong_metrics_fail_where_they_are_wrong() {
    let rho = [1.0, 0.5];
    assert_passes("right", &verify::metric(&RIGHT, &rho, 1).unwrap());
    let cases = [
        (
            Weighted {
                lower: 1.01,
                ..RIGHT
            },
            "⟨L z, y⟩ = ⟨z, Lᵀy⟩",
        ),
        (Weighted { dual: 2.0, ..RIGHT }, "Lᵀ dual(c) = Πᵀ c"),
        (
            Weighted {
                dual: f64::NAN,
                ..RIGHT
            },
            "Lᵀ dual(c) = Πᵀ c",
        ),
        (
            Weighted {
                apply: -1.0,
                ..RIGHT
            },
            "M z = Lᵀ(L z)",
        ),
        (
            Weighted {
                project: 0.5,
                ..RIGHT
            },
            "Πᵀ Πᵀ c = Πᵀ c",
        ),
    ];
    for (metric, name) in cases {
        for seed in 0..5 {
            assert_fails_only(&verify::metric(&metric, &rho, seed).unwrap(), name);
        }
    }
}
