//! Input that makes no sense is an error that names the argument and the remedy: searches from many starts, continuation, profiles.

use crate::support::Explicit;
use crate::support::bad::{check, row};
use pullback::continuation::Continuation;
use pullback::descent::Tolerances;
use pullback::faer::Mat;
use pullback::loss::L2Misfit;
use pullback::multistart::Merging;
use pullback::multistart::MultiStart;
use pullback::profile::ProfileLikelihood;
use pullback::{Bounds, Descent, Error, Grid, Report, Result, Transform};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

fn sound() -> (Explicit, L2Misfit) {
    let grid = Grid::new(&[(0.0, 1.0, 4)]).unwrap();
    let model = Explicit(Mat::from_fn(4, 2, |i, j| 1.0 + (i * j) as f64));
    (model, L2Misfit::new(&grid, vec![1.0; 4]).unwrap())
}

fn region(lower: &[f64], upper: &[f64]) -> Bounds {
    Bounds::new(lower.to_vec(), upper.to_vec()).unwrap()
}

#[test]
fn starting_points() {
    let (model, loss) = sound();
    let bounds = region(&[-1.0, 0.0], &[1.0, 2.0]);
    let descent = Descent::new(&model, &loss).bounds(&bounds);
    let search = || MultiStart::new(&descent);
    let none: [[f64; 2]; 0] = [];
    let within = |lower: &[f64], upper: &[f64]| search().within(&region(lower, upper), 3).starts();
    let spread = |spread: &[f64]| search().around(&[0.0, 1.0], spread, 3).starts();
    check(vec![
        row("no group", "Option", "add some with `at`", || {
            search().run(|_| ())
        }),
        row("no point", "Option", "at least one", || {
            search().at(&none).run(|_| ())
        }),
        row("long", "Dimension", "the start θ", || {
            search().at(&[[0.0; 3]]).run(|_| ())
        }),
        row("NaN", "NotFinite", "the start θ", || {
            search().at(&[[0.0, NAN]]).starts()
        }),
        row("outside", "OutOfRange", "the start is 3", || {
            search().at(&[[0.0, 3.0]]).run(|_| ())
        }),
        row("count", "Option", "number of starting points", || {
            search().within(&bounds, 0).run(|_| ())
        }),
        row("no scatter", "Option", "number of starting points", || {
            search().around(&[0.0, 1.0], &[1.0, 1.0], 0).starts()
        }),
        row("box", "Dimension", "the box of starting points", || {
            within(&[0.0], &[1.0])
        }),
        row("endless", "Bounds", "the box of starting points", || {
            within(&[0.0, 0.0], &[1.0, INF])
        }),
        row(
            "wide",
            "OutOfRange",
            "the lower corner of the box of starting points is -2",
            || within(&[-2.0, 0.0], &[1.0, 1.0]),
        ),
        row(
            "centre",
            "OutOfRange",
            "the centre of the starting points is 5",
            || search().around(&[5.0, 0.0], &[1.0, 1.0], 2).starts(),
        ),
        row("spread", "Dimension", "the spread", || spread(&[1.0])),
        row("NaN spread", "NotFinite", "the spread", || {
            spread(&[1.0, NAN])
        }),
        row("below 0", "Option", "not negative", || spread(&[1.0, -1.0])),
    ]);
}

#[test]
fn transforms_tolerances_and_representatives() {
    let (model, loss) = sound();
    let transforms = [Transform::Log, Transform::Identity];
    let descent = Descent::new(&model, &loss).transforms(&transforms);
    let unit = region(&[0.0; 2], &[1.0; 2]);
    let with = |merging| {
        let search = MultiStart::new(&descent).at(&[[1.0, 1.0]]);
        search.merging(merging).run(|_| ())
    };
    let usual = Merging::default();
    let short = |_: &[f64]| vec![0.0];
    let limits = Tolerances {
        step: NAN,
        ..Tolerances::default()
    };
    check(vec![
        row(
            "log 0",
            "NoLogarithm",
            "θ0 of the lower corner of the box of starting points is 0, but must be above 0",
            || MultiStart::new(&descent).within(&unit, 4).starts(),
        ),
        row("loss", "Option", "merged objectives", || {
            with(Merging {
                loss: -1.0,
                ..usual
            })
        }),
        row("parameters", "Option", "merged parameters", || {
            with(Merging {
                parameters: NAN,
                ..usual
            })
        }),
        row("errors", "Option", "in standard errors", || {
            with(Merging {
                errors: INF,
                ..usual
            })
        }),
        row("short", "Dimension", "the representative", || {
            let search = MultiStart::new(&descent).at(&[[1.0, 1.0]]);
            search.representative(&short).run(|_| ())
        }),
        row("descent", "Option", "turn the test off", || {
            let descent = Descent::new(&model, &loss).tolerances(limits);
            MultiStart::new(&descent).at(&[[1.0, 1.0]]).run(|_| ())
        }),
    ]);
}

#[test]
fn continuations() {
    let (model, loss) = sound();
    let fit = |_: f64, start: &[f64]| Descent::new(&model, &loss).run(start, |_| ());
    let from = |continuation: Continuation, start: &[f64]| continuation.run(start, fit, |_| ());
    let usual = Continuation::new(0.0, 1.0);
    let broken = |_: f64, _: &[f64]| -> Result<Report> { Err(Error::custom("broken")) };
    let none = Tolerances {
        iterations: 1,
        ..Tolerances::default()
    };
    let tired = |_: f64, start: &[f64]| {
        let descent = Descent::new(&model, &loss).tolerances(none);
        descent.run(start, |_| ())
    };
    check(vec![
        row("NaN", "NotFinite", "the start θ", || {
            from(usual, &[NAN, 0.0])
        }),
        row("end", "NotFinite", "an end of the continuation", || {
            from(Continuation::new(0.0, INF), &[0.0, 0.0])
        }),
        row("no step", "Option", "positive", || {
            from(usual.step(0.0), &[0.0, 0.0])
        }),
        row("back", "Option", "the step", || {
            from(usual.step(-1.0), &[0.0, 0.0])
        }),
        row("smallest", "Option", "the smallest step", || {
            from(usual.smallest_step(NAN), &[0.0, 0.0])
        }),
        row("long", "Dimension", "the start θ", || {
            from(usual, &[0.0; 3])
        }),
        row("broken", "Custom", "broken", || {
            usual.run(&[0.0], broken, |_| ())
        }),
        row("tired", "NoStart", "limit of 1 steps", || {
            usual.run(&[40.0, -9.0], tired, |_| ())
        }),
    ]);
}

#[test]
fn profiles() {
    let (model, loss) = sound();
    let bounds = region(&[-1.0, 0.0], &[1.0, 2.0]);
    let descent = Descent::new(&model, &loss).bounds(&bounds);
    let usual = ProfileLikelihood::new(&descent);
    let at = |theta: &[f64]| usual.run(theta, |_| ());
    let with = |likelihood: ProfileLikelihood<'_>| likelihood.run(&[0.1, 0.2], |_| ());
    // The model fits these data exactly.
    let perfect = L2Misfit::euclidean(vec![2.0, 3.0, 4.0, 5.0]).unwrap();
    let exact = Descent::new(&model, &perfect);
    check(vec![
        row(
            "index",
            "OutOfRange",
            "index of a profiled parameter is 2",
            || with(usual.clone().only(&[0, 2])),
        ),
        row("none", "Option", "number of profiled parameters", || {
            with(usual.clone().only(&[]))
        }),
        row("level 1", "Option", "the confidence level", || {
            with(usual.clone().level(1.0))
        }),
        row("level 0", "Option", "the confidence level", || {
            with(usual.clone().level(0.0))
        }),
        row("level NaN", "Option", "the confidence level", || {
            with(usual.clone().level(NAN))
        }),
        row("freedom 0", "NotPositive", "the degrees of freedom", || {
            with(usual.clone().freedom(0.0))
        }),
        row("freedom ∞", "NotFinite", "the degrees of freedom", || {
            with(usual.clone().freedom(INF))
        }),
        row("reach", "Option", "the reach of the profiles", || {
            with(usual.clone().reach(1.0))
        }),
        row("names", "Dimension", "the names of the parameters", || {
            with(usual.clone().named(&["a"]))
        }),
        row("long", "Dimension", "the start θ", || at(&[0.0; 3])),
        row("NaN", "NotFinite", "the start θ", || at(&[NAN, 0.0])),
        row("outside", "OutOfRange", "the start is 3", || {
            at(&[0.0, 3.0])
        }),
        row("perfect", "Option", "put the noise into the loss", || {
            let likelihood = ProfileLikelihood::new(&exact).freedom(2.0);
            likelihood.run(&[1.0, 1.0], |_| ())
        }),
    ]);
}
