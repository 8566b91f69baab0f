//! Saved runs that are none, or those of another problem.

use std::fs;
use std::path::Path;

use pullback::descent::Saved;
use pullback::direction::Gradient;
use pullback::loss::L2Misfit;
use pullback::metric::L2;
use pullback::models::{GaussianMixture, Parameter};
use pullback::prior::Tikhonov;
use pullback::step::{Fixed, Remembered};
use pullback::{Bounds, Descent, Grid, Noise, Result, Transform};

use crate::support::bad::{check, row};

fn mixture(cells: usize, free: &[Parameter], variance: f64) -> GaussianMixture {
    let grid = Grid::new(&[(-6.0, 6.0, cells)]).unwrap();
    let mixture = GaussianMixture::new(&grid).component(1.0, &[0.0], variance);
    mixture.free(free).unwrap()
}

fn loss(model: &GaussianMixture, scale: f64) -> L2Misfit {
    let middle = |x: &[f64]| scale * (-0.5 * (x[0] - 1.0).powi(2)).exp();
    L2Misfit::new(model.grid(), model.grid().sample(middle)).unwrap()
}

/// A run of the mean, after two steps.
fn saved() -> Saved {
    let model = mixture(50, &[Parameter::Mean(0, 0)], 1.0);
    let loss = loss(&model, 0.4);
    let mut run = Descent::new(&model, &loss).begin(&[0.2]).unwrap();
    run.step().and_then(|_| run.step()).unwrap();
    run.saved().unwrap()
}

/// Resumes that run with another model, other data, or other options.
fn resume(
    model: &GaussianMixture,
    scale: f64,
    adapt: impl for<'a> Fn(Descent<'a>) -> Descent<'a>,
) -> Result<()> {
    let loss = loss(model, scale);
    let descent = adapt(Descent::new(model, &loss));
    descent.resume(&saved()).map(drop)
}

#[test]
fn runs_of_other_problems() {
    let mean = [Parameter::Mean(0, 0)];
    let same = || mixture(50, &mean, 1.0);
    assert!(resume(&same(), 0.4, |d| d).is_ok());
    let both = [Parameter::Mean(0, 0), Parameter::Variance(0)];
    let adapted = |adapt: &dyn for<'a> Fn(Descent<'a>) -> Descent<'a>| resume(&same(), 0.4, adapt);
    let bounds: &'static Bounds = Box::leak(Box::new(Bounds::new(vec![-1.0], vec![3.0]).unwrap()));
    let metric: &'static L2 = Box::leak(Box::new(L2::new(same().grid())));
    let noise = Noise::uniform(1, 1.0).unwrap();
    let prior: &'static Tikhonov = Box::leak(Box::new(Tikhonov::new(vec![0.0], noise).unwrap()));
    check(vec![
        row(
            "parameters",
            "Different",
            "another number of parameters",
            || resume(&mixture(50, &both, 1.0), 0.4, |d| d),
        ),
        row("cells", "Different", "another length of the state", || {
            resume(&mixture(60, &mean, 1.0), 0.4, |d| d)
        }),
        row("model", "State", "the model has changed", || {
            resume(&mixture(50, &mean, 1.1), 0.4, |d| d)
        }),
        row("data", "Objective", "data, loss or priors", || {
            resume(&same(), 0.41, |d| d)
        }),
        row(
            "rule",
            "Different",
            "step rule: it was saved with trust ratio",
            || adapted(&|d| d.step(&Fixed { scale: 1.0 })),
        ),
        row("direction", "Different", "the descent has gradient", || {
            adapted(&|d| d.direction(&Gradient))
        }),
        row("metric", "Different", "metric of the first steps", || {
            adapted(&|d| d.first_metric(metric, 0.1))
        }),
        row("bounds", "Different", "set of bounds", || {
            adapted(&|d| d.bounds(bounds))
        }),
        row("transforms", "Different", "set of transforms", || {
            adapted(&|d| d.transforms(&[Transform::Log]))
        }),
        row("priors", "Different", "number of priors", || {
            adapted(&|d| d.prior(prior))
        }),
        row("memory", "Memory", "values of the same type", || {
            Remembered::new(&1.5)?.get::<Vec<f64>>()
        }),
    ]);
}

#[test]
fn files_that_are_no_saved_runs() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bad_saves");
    fs::create_dir_all(&folder).unwrap();
    let bytes = saved().to_bytes().unwrap();
    let file = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        let path = folder.join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let foreign = file("foreign", &|b| *b = b"{\"theta\": [1.0]}".to_vec());
    let half = file("half", &|b| b.truncate(b.len() / 2));
    let empty = file("empty", &|b| b.clear());
    let flipped = file("flipped", &|b| *b.last_mut().unwrap() ^= 1);
    let longer = file("longer", &|b| b.push(0));
    let newer = file("newer", &|b| b[16] = 3);
    let text = file("text", &|b| {
        b.splice(12..14, *b"\n");
    });
    check(vec![
        row("missing", "File", "check the path", || {
            Saved::read(folder.join("none"))
        }),
        row("folder", "File", "give the path of a file", || {
            Saved::read(&folder)
        }),
        row("foreign", "Foreign", "no saved run", || {
            Saved::read(&foreign)
        }),
        row("half", "Truncated", "resume from an earlier file", || {
            Saved::read(&half)
        }),
        row("empty", "Truncated", "0 bytes", || Saved::read(&empty)),
        row("flipped", "Corrupted", "checksum", || Saved::read(&flipped)),
        row("longer", "Corrupted", "bytes, not", || Saved::read(&longer)),
        row("newer", "Version", "version 3", || Saved::read(&newer)),
        row("as a text", "Foreign", "no saved run", || {
            Saved::read(&text)
        }),
        row("no folder", "File", "create the folder first", || {
            saved().write(folder.join("none").join("run"))
        }),
    ]);
}
