//! Input that makes no sense is an error that names the argument and the remedy: descents.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::support::Explicit;
use crate::support::bad::{check, row};
use pullback::descent::Tolerances;
use pullback::faer::Mat;
use pullback::loss::{Divergence, L2Misfit};
use pullback::metric::{L2, Wasserstein2};
use pullback::prior::Tikhonov;
use pullback::step::{Armijo, Fixed};
use pullback::{Bounds, Descent, Grid, Loss, Noise, Report, Result, Transform};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

fn line() -> Grid {
    Grid::new(&[(0.0, 1.0, 4)]).unwrap()
}

fn misfit() -> L2Misfit {
    L2Misfit::new(&line(), vec![1.0; 4]).unwrap()
}

/// A loss of one number, without a metric.
struct Constant(f64, f64);

impl Loss for Constant {
    fn value(&self, _: &[f64]) -> f64 {
        self.0
    }
    fn gradient(&self, _: &[f64], out: &mut [f64]) {
        out.fill(self.1);
    }
}

fn sound() -> Explicit {
    Explicit(Mat::from_fn(4, 2, |i, j| 1.0 + (i * j) as f64))
}

fn run(model: &Explicit, loss: &L2Misfit, start: &[f64]) -> Result<Report> {
    Descent::new(model, loss).run(start, |_| ())
}

#[test]
fn starts_and_tolerances() {
    let (model, loss) = (sound(), misfit());
    let from = |start: &[f64]| run(&model, &loss, start);
    let with = |tolerances| {
        let descent = Descent::new(&model, &loss).tolerances(tolerances);
        descent.run(&[1.0, 1.0], |_| ())
    };
    let usual = Tolerances::default();
    check(vec![
        row("long", "Dimension", "the start θ", || from(&[1.0; 3])),
        row("NaN", "NotFinite", "the start θ", || from(&[1.0, NAN])),
        row("∞", "NotFinite", "the start θ", || from(&[INF, 1.0])),
        row("gradient", "Option", "the gradient tolerance", || {
            with(Tolerances {
                gradient: -1.0,
                ..usual
            })
        }),
        row("step", "Option", "0 to turn the test off", || {
            with(Tolerances { step: NAN, ..usual })
        }),
        row("loss", "Option", "the loss tolerance", || {
            with(Tolerances { loss: INF, ..usual })
        }),
        row("target", "Option", "None", || {
            with(Tolerances {
                target: Some(NAN),
                ..usual
            })
        }),
    ]);
}

#[test]
fn losses_and_metrics_that_do_not_fit_the_model() {
    let model = sound();
    let (fine, w2) = (
        Grid::new(&[(0.0, 1.0, 5)]).unwrap(),
        Wasserstein2::new(&line()),
    );
    let elsewhere = L2Misfit::new(&fine, vec![1.0; 5]).unwrap();
    let w2_elsewhere = Wasserstein2::new(&fine);
    let kl = Divergence::kullback_leibler(&line(), vec![1.0; 4]).unwrap();
    let metric = L2::default();
    let lost = |value, slope| {
        let loss = Constant(value, slope);
        Descent::new(&model, &loss)
            .metric(&metric)
            .run(&[1.0, 1.0], |_| ())
    };
    check(vec![
        row("grid of the loss", "Dimension", "state", || {
            run(&model, &elsewhere, &[1.0; 2])
        }),
        row("grid of the metric", "Dimension", "transport", || {
            Descent::new(&model, &misfit())
                .metric(&w2_elsewhere)
                .run(&[1.0; 2], |_| ())
        }),
        row("negative state", "Negative", "clip", || {
            Descent::new(&model, &kl).run(&[-1.0, 0.0], |_| ())
        }),
        row("W2 of a negative state", "Negative", "clip", || {
            Descent::new(&model, &misfit())
                .metric(&w2)
                .run(&[-1.0, 0.0], |_| ())
        }),
        row("no metric", "NoMetric", "Descent::metric", || {
            Descent::new(&model, &Constant(1.0, 1.0)).run(&[1.0, 1.0], |_| ())
        }),
        row("infinite loss", "InfiniteStart", "finite", || {
            lost(INF, 1.0)
        }),
        row("NaN loss", "InfiniteStart", "NaN", || lost(NAN, 1.0)),
        row(
            "NaN gradient",
            "NotFinite",
            "the gradient of the loss",
            || lost(1.0, NAN),
        ),
    ]);
}

fn in_box(lower: [f64; 2], upper: [f64; 2], start: &[f64]) -> Result<Report> {
    let bounds = Bounds::new(lower.to_vec(), upper.to_vec())?;
    Descent::new(&sound(), &misfit())
        .bounds(&bounds)
        .run(start, |_| ())
}

fn transformed(transforms: &[Transform], start: &[f64]) -> Result<Report> {
    Descent::new(&sound(), &misfit())
        .transforms(transforms)
        .run(start, |_| ())
}

#[test]
fn bounds_and_priors() {
    let three = Bounds::new(vec![0.0; 3], vec![1.0; 3]).unwrap();
    let prior = Tikhonov::new(vec![0.0; 3], Noise::uniform(3, 1.0).unwrap()).unwrap();
    let (model, loss) = (sound(), misfit());
    check(vec![
        row("below", "OutOfRange", "move it inside", || {
            in_box([0.0; 2], [1.0; 2], &[0.5, -0.1])
        }),
        row("above", "OutOfRange", "the start is 2", || {
            in_box([0.0; 2], [1.0; 2], &[2.0, 0.1])
        }),
        row("at infinity", "OutOfRange", "widen", || {
            in_box([INF; 2], [INF; 2], &[2.0, 0.1])
        }),
        row("three bounds", "Dimension", "bounds", || {
            Descent::new(&model, &loss)
                .bounds(&three)
                .run(&[0.5; 2], |_| ())
        }),
        row("prior of three", "Dimension", "prior", || {
            Descent::new(&model, &loss)
                .prior(&prior)
                .run(&[0.5; 2], |_| ())
        }),
    ]);
}

#[test]
fn transforms() {
    use Transform::{Identity, Log, Logit};
    let unit = Logit {
        lower: 0.0,
        upper: 1.0,
    };
    check(vec![
        row("one transform", "Dimension", "transforms", || {
            transformed(&[Log], &[1.0, 1.0])
        }),
        row(
            "log of 0",
            "NoLogarithm",
            "θ1 of the start is 0, but must be above 0",
            || transformed(&[Log, Log], &[1.0, 0.0]),
        ),
        row(
            "log of −1",
            "NoLogarithm",
            "θ0 of the start is -1",
            || transformed(&[Log, Log], &[-1.0, 1.0]),
        ),
        row("logit at 1", "NotBetween", "move it inside", || {
            transformed(&[unit, Log], &[1.0; 2])
        }),
        row("logit at 0", "NotBetween", "above 0 and below 1", || {
            transformed(&[Log, unit], &[1.0, 0.0])
        }),
        row("empty logit", "Bounds", "lower end first", || {
            transformed(
                &[
                    Identity,
                    Logit {
                        lower: 1.0,
                        upper: 1.0,
                    },
                ],
                &[1.0; 2],
            )
        }),
        row("NaN logit", "Bounds", "not a number", || {
            transformed(
                &[
                    Identity,
                    Logit {
                        lower: NAN,
                        upper: 1.0,
                    },
                ],
                &[1.0; 2],
            )
        }),
    ]);
}

#[test]
fn a_logit_with_an_infinite_end() {
    let half = Transform::Logit {
        lower: f64::NEG_INFINITY,
        upper: 2.0,
    };
    check(vec![row("−∞", "Bounds", "", || {
        transformed(&[half, half], &[1.0; 2])
    })]);
}

/// Rules cannot report, so a step that is not a number must at least not be taken.
#[test]
fn steps_that_are_not_numbers_lead_nowhere() {
    for scale in [NAN, INF] {
        let rule = Fixed { scale };
        let (model, loss) = (sound(), misfit());
        let report = Descent::new(&model, &loss)
            .step(&rule)
            .run(&[3.0, 1.0], |_| ());
        if let Ok(report) = report {
            assert!(
                !report.converged() && report.theta == [3.0, 1.0],
                "{report}"
            );
        }
    }
}

#[test]
fn options_of_steps_do_not_panic() {
    let (model, loss) = (sound(), misfit());
    let armijo = |first, growth| {
        let rule = Armijo::growing(first, growth);
        let descent = Descent::new(&model, &loss).step(&rule);
        catch_unwind(AssertUnwindSafe(|| {
            descent.run(&[3.0, 1.0], |_| ()).map(drop)
        }))
        .is_err()
    };
    let cases = [
        (-1.0, 2.0),
        (1.0, -1.0),
        (1.0, 0.0),
        (1.0, NAN),
        (0.0, 2.0),
        (NAN, 2.0),
    ];
    let panics: Vec<_> = cases.iter().filter(|(f, g)| armijo(*f, *g)).collect();
    assert!(panics.is_empty(), "{panics:?}");
}
