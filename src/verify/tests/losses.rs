//! Losses: those of the library, and wrong ones.

use faer::{Mat, MatRef};

use super::{assert_fails_only, assert_passes, bumps, every_seventh, line, plane};
use crate::error::Result;
use crate::grid::Grid;
use crate::linalg::{Backend, Operator};
use crate::loss::{
    Divergence, L2Misfit, Loss, Misfit, Observations, Penalty, Robust, Sinkhorn, SobolevMisfit,
    Sum, Transport, UnbalancedTransport,
};
use crate::metric::{L2, Metric};
use crate::model::Equations;
use crate::models::{GaussianMixture, Parameter};
use crate::noise::Noise;
use crate::verify;

#[test]
fn all_losses_pass_and_name_their_hessian() {
    for grid in [line(), plane()] {
        let (target, rho) = (bumps(&grid, -1.0), bumps(&grid, 0.3));
        for (name, loss) in losses(&grid, &target) {
            for seed in 0..3 {
                assert_passes(name, &verify::loss(loss.as_ref(), &rho, seed).unwrap());
                // At the match the gradient is zero, so that differences show only rounding.
                assert_passes(name, &verify::loss(loss.as_ref(), &target, seed).unwrap());
                let report = verify::matching(loss.as_ref(), &target, seed).unwrap();
                assert_passes(name, &report);
                let metric = loss.metric().unwrap();
                let report = verify::metric(metric.as_ref(), &target, seed).unwrap();
                assert_passes(name, &report);
            }
        }
    }
}

#[test]
fn cells_below_the_floor_of_a_metric_do_not_count_at_the_match() {
    let grid = Grid::new(&[(-8.0, 8.0, 60)]).unwrap();
    let target = grid.sample(|x| (-2.0 * x[0] * x[0]).exp());
    assert!(target[0] < 1e-50);
    let loss = Divergence::kullback_leibler(&grid, target.clone()).unwrap();
    assert_passes("KL", &verify::matching(&loss, &target, 1).unwrap());
}

fn robust(observed: Observations, penalty: Penalty) -> Box<dyn Loss> {
    Box::new(Robust::new(observed, penalty).unwrap())
}

type Losses = Vec<(&'static str, Box<dyn Loss>)>;

fn losses(grid: &Grid, target: &[f64]) -> Losses {
    let q = || target.to_vec();
    let sobolev = |order| Box::new(SobolevMisfit::new(grid, order, q()).unwrap());
    let observed = || {
        let o = every_seventh(grid.cells());
        let d = &o * MatRef::from_column_major_slice(target, target.len(), 1);
        let noise = Noise::deviations((0..o.nrows()).map(|i| 0.1 + 0.01 * i as f64).collect());
        Observations::new(o, d.col_as_slice(0).to_vec(), noise.unwrap()).unwrap()
    };
    let sum = Sum::default()
        .add(0.7, L2Misfit::new(grid, q()).unwrap())
        .unwrap()
        .add(1.3, Divergence::kullback_leibler(grid, q()).unwrap())
        .unwrap()
        .add(0.2, observed())
        .unwrap();
    vec![
        ("L2", Box::new(L2Misfit::new(grid, q()).unwrap())),
        ("H-1", sobolev(-1.0)),
        ("H1", sobolev(1.0)),
        ("H-2", sobolev(-2.0)),
        (
            "KL",
            Box::new(Divergence::kullback_leibler(grid, q()).unwrap()),
        ),
        (
            "reverse KL",
            Box::new(Divergence::reverse_kullback_leibler(grid, q()).unwrap()),
        ),
        (
            "Hellinger",
            Box::new(Divergence::hellinger(grid, q()).unwrap()),
        ),
        (
            "chi squared",
            Box::new(Divergence::chi_squared(grid, q()).unwrap()),
        ),
        ("observations", Box::new(observed())),
        ("soft L1", robust(observed(), Penalty::SoftL1)),
        ("Huber", robust(observed(), Penalty::Huber)),
        ("Cauchy", robust(observed(), Penalty::Cauchy)),
        ("Tukey", robust(observed(), Penalty::Tukey)),
        ("sum", Box::new(sum)),
    ]
}

/// The metric of the entropic cost is another discretisation of its Hessian, and that of marginals is the Hessian at a kink of
/// the second derivative: differences at the match approach both to fewer digits than `matching` asks for.
#[test]
fn transport_losses_pass() {
    for grid in [line(), plane()] {
        let (target, rho) = (bumps(&grid, -1.0), bumps(&grid, 0.3));
        for (name, loss) in transport_losses(&grid, &target) {
            for seed in 0..3 {
                assert_passes(name, &verify::loss(loss.as_ref(), &rho, seed).unwrap());
                assert_passes(name, &verify::loss(loss.as_ref(), &target, seed).unwrap());
                let metric = loss.metric().unwrap();
                let report = verify::metric(metric.as_ref(), &target, seed).unwrap();
                assert_passes(name, &report);
            }
        }
    }
}

fn transport_losses(grid: &Grid, target: &[f64]) -> Losses {
    let q = || target.to_vec();
    let entropic = |extrapolate| Sinkhorn {
        extrapolate,
        ..Sinkhorn::default()
    };
    let sinkhorn = |options| Box::new(Transport::sinkhorn(grid, q(), &options).unwrap());
    let unbalanced = UnbalancedTransport::new(grid, q(), 2.0, &entropic(false));
    vec![
        (
            "marginals",
            Box::new(Transport::marginals(grid, q()).unwrap()),
        ),
        ("entropic", sinkhorn(entropic(false))),
        ("extrapolated", sinkhorn(entropic(true))),
        ("unbalanced", Box::new(unbalanced.unwrap())),
    ]
}

#[test]
fn losses_with_empty_cells_pass() {
    let grid = line();
    let mut target = bumps(&grid, 0.0);
    target[..4].fill(0.0);
    let mut rho = bumps(&grid, 1.0);
    rho[..2].fill(0.0);
    for (name, loss) in [
        ("KL", Divergence::kullback_leibler(&grid, target.clone())),
        ("Hellinger", Divergence::hellinger(&grid, target.clone())),
    ] {
        let report = verify::loss(&loss.unwrap(), &rho, 1).unwrap();
        assert_passes(name, &report);
    }
}

/// Loss ½ vol Σ(ρ − 1)² plus an offset, with an adjustable gradient and metric; vol is 0.1.
struct Quadratic {
    gradient: f64,
    metric: f64,
    offset: f64,
}

impl Loss for Quadratic {
    fn value(&self, rho: &[f64]) -> f64 {
        self.offset + 0.05 * rho.iter().map(|r| (r - 1.0) * (r - 1.0)).sum::<f64>()
    }

    fn gradient(&self, rho: &[f64], out: &mut [f64]) {
        out.iter_mut()
            .zip(rho)
            .for_each(|(o, r)| *o = self.gradient * (r - 1.0));
    }

    fn metric(&self) -> Option<Box<dyn Metric + '_>> {
        Some(Box::new(L2 {
            volume: self.metric,
        }))
    }
}

#[test]
fn wrong_losses_fail() {
    let rho = [2.0, 3.0, 0.5];
    let quadratic = |gradient, metric, offset| Quadratic {
        gradient,
        metric,
        offset,
    };
    assert_passes(
        "right",
        &verify::loss(&quadratic(0.1, 0.1, 0.0), &rho, 1).unwrap(),
    );
    let report = verify::loss(&quadratic(1.0, 0.1, 0.0), &rho, 1).unwrap();
    assert_fails_only(&report, "⟨∂f/∂ρ, v⟩ = (f(ρ+hv) − f(ρ−hv))/2h");
    assert!(
        report
            .to_string()
            .contains("claimed is 10.0000 times the difference")
    );
    // A large constant hides small differences in rounding. A gradient of zero must fail nevertheless.
    assert_passes(
        "offset",
        &verify::loss(&quadratic(0.1, 0.1, 1e4), &rho, 1).unwrap(),
    );
    assert!(
        !verify::loss(&quadratic(0.0, 0.1, 1e4), &rho, 1)
            .unwrap()
            .passed()
    );

    let ones = [1.0; 3];
    assert_passes(
        "match",
        &verify::matching(&quadratic(0.1, 0.1, 0.0), &ones, 1).unwrap(),
    );
    let report = verify::matching(&quadratic(0.1, 0.2, 0.0), &ones, 1).unwrap();
    assert_fails_only(&report, "M v = Πᵀ(∂f(ρ+hv) − ∂f(ρ−hv))/2h");
    assert!(
        report
            .to_string()
            .contains("claimed is 2.0000 times the difference")
    );
    let report = verify::matching(&quadratic(0.1, 0.1, 0.0), &rho, 1).unwrap();
    assert_fails_only(&report, "Πᵀ ∂f/∂ρ = 0 at the match");
}

/// Loss ½(ρ − 1)² by `value` and `gradient`, whose preparation multiplies both by these factors.
struct Prepared {
    value: f64,
    covector: f64,
}

struct AtState {
    value: f64,
    covector: Vec<f64>,
}

impl Misfit for AtState {
    fn value(&self) -> f64 {
        self.value
    }

    fn covector(&self, _: &dyn Backend) -> Result<Vec<f64>> {
        Ok(self.covector.clone())
    }
}

impl Loss for Prepared {
    fn value(&self, rho: &[f64]) -> f64 {
        0.5 * rho.iter().map(|r| (r - 1.0).powi(2)).sum::<f64>()
    }

    fn gradient(&self, rho: &[f64], out: &mut [f64]) {
        out.iter_mut().zip(rho).for_each(|(o, r)| *o = r - 1.0);
    }

    fn metric(&self) -> Option<Box<dyn Metric + '_>> {
        Some(Box::new(L2 { volume: 1.0 }))
    }

    fn at<'a>(&'a self, rho: &[f64], _: &dyn Backend) -> Result<Box<dyn Misfit + 'a>> {
        Ok(Box::new(AtState {
            value: self.value * Loss::value(self, rho),
            covector: rho.iter().map(|r| self.covector * (r - 1.0)).collect(),
        }))
    }
}

/// Descents use the prepared loss, and so do all checks.
#[test]
fn a_preparation_that_disagrees_with_the_loss_fails() {
    const AGREEMENT: &str = "at(ρ) agrees with value and gradient";
    const GRADIENT: &str = "⟨∂f/∂ρ, v⟩ = (f(ρ+hv) − f(ρ−hv))/2h";
    let (rho, ones) = ([2.0, 3.0, 0.5], [1.0; 3]);
    let loss = |value, covector| Prepared { value, covector };
    let checked = |value, covector| verify::loss(&loss(value, covector), &rho, 1).unwrap();
    assert_passes("right", &checked(1.0, 1.0));
    assert_fails_only(&checked(2.0, 2.0), AGREEMENT);
    let report = checked(1.0, 2.0);
    let failed: Vec<_> = report.failures().map(|c| c.name).collect();
    assert_eq!(failed, [GRADIENT, AGREEMENT], "{report}");
    assert!(
        !verify::matching(&loss(1.0, 2.0), &ones, 1)
            .unwrap()
            .passed()
    );
    let model = Equations::new(
        (3, 1),
        |rho, theta, g| (0..3).for_each(|i| g[i] = rho[i] - theta[0] * (i as f64 - 0.5)),
        |_, _| Operator::identity(3),
        |_, _| Operator::dense(Mat::from_fn(3, 1, |i, _| 0.5 - i as f64)),
    );
    assert!(
        !verify::gradient(&model, &loss(1.0, 2.0), &[0.7], 1)
            .unwrap()
            .passed()
    );
    assert_passes(
        "gradient",
        &verify::gradient(&model, &loss(1.0, 1.0), &[0.7], 1).unwrap(),
    );
}

#[test]
fn a_loss_that_is_nan_never_passes() {
    struct Nan;
    impl Loss for Nan {
        fn value(&self, rho: &[f64]) -> f64 {
            if rho[0] == 1.0 { 0.0 } else { f64::NAN }
        }
        fn gradient(&self, _: &[f64], out: &mut [f64]) {
            out[0] = 0.0;
        }
    }
    let report = verify::loss(&Nan, &[1.0], 1).unwrap();
    assert_eq!(report.failures().count(), 1, "{report}");
    // The gradient does not write its second entry.
    assert!(verify::loss(&Nan, &[1.0, 2.0], 1).is_err());
}

#[test]
fn a_wrong_gradient_fails_the_taylor_test() {
    let model = GaussianMixture::new(&line())
        .component(1.0, &[0.4], 0.7)
        .free(&[Parameter::Mean(0, 0), Parameter::Variance(0)])
        .unwrap();
    let good = Quadratic {
        gradient: 0.1,
        metric: 0.1,
        offset: 0.0,
    };
    assert_passes(
        "right",
        &verify::gradient(&model, &good, &[0.4, 0.7], 1).unwrap(),
    );
    for gradient in [0.1001, 0.2, -0.1] {
        let wrong = Quadratic { gradient, ..good };
        let report = verify::gradient(&model, &wrong, &[0.4, 0.7], 1).unwrap();
        let failed: Vec<_> = report.failures().collect();
        assert_eq!(failed.len(), 2, "{report}");
        assert!((failed[0].order.unwrap() - 1.0).abs() < 0.1, "{report}");
        assert!(report.to_string().contains("times the difference"));
    }
}
