//! Input that makes no sense is an error that names the argument and the remedy: metrics.

use crate::support::bad::{check, row};
use crate::support::identity;
use pullback::faer::Mat;
use pullback::metric::{
    FisherRao, HellingerKantorovich, L2, Observed, Root, Scaled, Sobolev, Stacked, Wasserstein2,
};
use pullback::{Cpu, Grid, Metric, Noise, Operator, Result};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

fn line() -> Grid {
    Grid::new(&[(0.0, 1.0, 4)]).unwrap()
}

/// The metric at ρ, looked at by `then`.
fn at<T>(metric: &dyn Metric, rho: &[f64], then: impl Fn(&dyn Root) -> Result<T>) -> Result<T> {
    let cpu = Cpu::default();
    let root = metric.at(rho, &cpu)?;
    then(root.as_ref())
}

fn nothing(_: &dyn Root) -> Result<()> {
    Ok(())
}

#[test]
fn densities_given_to_metrics() {
    let densities: [Box<dyn Metric>; 3] = [
        Box::new(FisherRao::new(&line())),
        Box::new(Wasserstein2::new(&line())),
        Box::new(HellingerKantorovich::new(&line())),
    ];
    for metric in &densities {
        let metric = metric.as_ref();
        check(vec![
            row("NaN", "NotFinite", "density", || {
                at(metric, &[1.0, NAN, 1.0, 1.0], nothing)
            }),
            row("∞", "NotFinite", "density", || {
                at(metric, &[1.0, INF, 1.0, 1.0], nothing)
            }),
            row("negative", "Negative", "clip", || {
                at(metric, &[1.0, 1.0, -1.0, 1.0], nothing)
            }),
            row("empty", "NoMass", "positive mass", || {
                at(metric, &[0.0; 4], nothing)
            }),
        ]);
    }
    for metric in &densities[1..] {
        let long = || at(metric.as_ref(), &[1.0; 5], nothing);
        check(vec![row("five cells", "Dimension", "transport", long)]);
    }
    let sobolev = Sobolev::new(&line(), 1.0).unwrap();
    check(vec![row("five cells", "Dimension", "Sobolev", || {
        at(&sobolev, &[1.0; 5], nothing)
    })]);
}

#[test]
fn options_of_metrics() {
    let (g, rho) = (line(), [1.0; 4]);
    let flat = Grid::new(&[(0.0, 1.0, 4), (0.0, 1.0, 1)]).unwrap();
    let rao = |floor| FisherRao {
        floor,
        ..FisherRao::new(&line())
    };
    let hk = |alpha, beta| HellingerKantorovich {
        alpha,
        beta,
        ..HellingerKantorovich::new(&line())
    };
    let scaled = |factor| Scaled {
        metric: L2::default(),
        factor,
    };
    let (noise, operator) = (Noise::uniform(2, 1.0).unwrap(), Operator::identity(4));
    check(vec![
        row("floor 1", "Option", "1e-15", || {
            at(&rao(1.0), &rho, nothing)
        }),
        row("floor −1", "Option", "floor", || {
            at(&rao(-1.0), &rho, nothing)
        }),
        row("floor NaN", "Option", "floor", || {
            at(&rao(NAN), &rho, nothing)
        }),
        row("α", "NotPositive", "α", || {
            at(&hk(0.0, 1.0), &rho, nothing)
        }),
        row("β", "NotFinite", "β", || at(&hk(1.0, NAN), &rho, nothing)),
        row("factor", "NotPositive", "factor", || {
            at(&scaled(-1.0), &rho, nothing)
        }),
        row("volume", "NotPositive", "volume", || {
            at(&L2 { volume: 0.0 }, &rho, nothing)
        }),
        row("weight", "NotPositive", "weight of a metric", || {
            at(&Stacked::default().add(0.0, L2::default()), &rho, nothing)
        }),
        row("order", "NotFinite", "order", || Sobolev::new(&g, INF)),
        row("W2 flat", "GridTooCoarse", "refine the axis", || {
            at(&Wasserstein2::new(&flat), &rho, nothing)
        }),
        row("HK flat", "GridTooCoarse", "remove it", || {
            at(&HellingerKantorovich::new(&flat), &rho, nothing)
        }),
        row("homogeneous", "GridTooCoarse", "remove it", || {
            Sobolev::homogeneous(&flat, 1.0)
        }),
        row("noise", "Dimension", "noise", || {
            Observed::new(&operator, &noise)
        }),
    ]);
}

/// Without a floor an empty cell is infinitely far away.
#[test]
fn empty_cells_without_a_floor() {
    let metric = FisherRao {
        floor: 0.0,
        ..FisherRao::new(&line())
    };
    let lift = || {
        at(&metric, &[1.0, 0.0, 0.0, 1.0], |root| {
            let y = root.lift(identity(4).as_ref())?;
            assert!(y.is_all_finite());
            Ok(y)
        })
    };
    check(vec![row("empty cell", "NotPositive", "density", lift)]);
}

/// The volume of Fisher-Rao is a public field like that of L².
#[test]
fn the_volume_of_fisher_rao() {
    let rao = |volume| FisherRao {
        volume,
        ..FisherRao::new(&line())
    };
    check(vec![
        row("0", "NotPositive", "volume", || {
            at(&rao(0.0), &[1.0; 4], nothing)
        }),
        row("NaN", "NotFinite", "volume", || {
            at(&rao(NAN), &[1.0; 4], nothing)
        }),
    ]);
}

/// One of each kind, on four cells.
fn all_metrics() -> [Box<dyn Metric>; 8] {
    let operator = Box::leak(Box::new(Operator::identity(4)));
    let noise = Box::leak(Box::new(Noise::uniform(4, 1.0).unwrap()));
    [
        Box::new(L2::new(&line())),
        Box::new(FisherRao::new(&line())),
        Box::new(Wasserstein2::new(&line())),
        Box::new(HellingerKantorovich::new(&line())),
        Box::new(Sobolev::new(&line(), 1.0).unwrap()),
        Box::new(Observed::new(operator, noise).unwrap()),
        Box::new(Scaled {
            metric: L2::default(),
            factor: 2.0,
        }),
        Box::new(
            Stacked::default()
                .add(1.0, L2::new(&line()))
                .add(1.0, FisherRao::new(&line())),
        ),
    ]
}

#[test]
fn batches_given_to_metrics() {
    let metrics = all_metrics();
    let mut rows = Vec::new();
    for metric in &metrics {
        let (name, rho) = (metric.name(), [1.0; 4]);
        let with =
            move |call: fn(&dyn Root) -> Result<Mat<f64>>| move || at(metric.as_ref(), &rho, call);
        rows.extend([
            row(
                name,
                "Dimension",
                "batch",
                with(|root| root.lift(identity(5).as_ref())),
            ),
            row(
                name,
                "Dimension",
                "batch",
                with(|root| root.apply(identity(5).as_ref())),
            ),
        ]);
    }
    check(rows);
}

#[test]
fn lifted_batches_and_covectors_given_to_metrics() {
    let metrics = all_metrics();
    let mut rows = Vec::new();
    for metric in &metrics {
        let (name, rho) = (metric.name(), [1.0; 4]);
        let with =
            move |call: fn(&dyn Root) -> Result<Mat<f64>>| move || at(metric.as_ref(), &rho, call);
        rows.extend([
            row(
                name,
                "Dimension",
                "",
                with(|root| root.lower(identity(2).as_ref())),
            ),
            row(
                name,
                "Dimension",
                "",
                with(|root| root.lower(identity(99).as_ref())),
            ),
            row(
                name,
                "Dimension",
                "",
                with(|root| root.dual(&[1.0; 3]).map(|_| Mat::new())),
            ),
            row(
                name,
                "Dimension",
                "",
                with(|root| root.dual(&[1.0; 5]).map(|_| Mat::new())),
            ),
        ]);
    }
    check(rows);
}
