//! Saved stochastic runs of other items, other methods, or another kind.

use pullback::automatic::{Curve, Formula, Scalar};
use pullback::descent;
use pullback::direction::{Adam, Gradient};
use pullback::loss::L2Misfit;
use pullback::prior::Tikhonov;
use pullback::step::{Annealed, Decaying, Fixed};
use pullback::stochastic::{Measured, Saved, Stochastic};
use pullback::{Bounds, Descent, Noise, Result};

use crate::support::bad::{check, row};

/// y = a + b t at some times.
struct Line(usize);

impl Formula for Line {
    fn dims(&self) -> (usize, usize) {
        (self.0, 2)
    }
    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        for (i, y) in out.iter_mut().enumerate() {
            *y = theta[0] + theta[1] * i as f64;
        }
    }
}

/// Hands the descent on a line through so many data, on batches of this size, to a function.
fn with<T>((count, size): (usize, usize), slope: f64, act: impl FnOnce(Stochastic<'_>) -> T) -> T {
    let line = Line(count);
    let data = (0..count).map(|i| 1.0 + slope * i as f64).collect();
    let items = Measured::new(&line, data, &Noise::uniform(count, 1.0).unwrap()).unwrap();
    act(Stochastic::new(&items, size).seed(1).epochs(3))
}

fn saved() -> Saved {
    with((12, 4), 0.5, |descent| {
        let mut run = descent.begin(&[0.1, 0.2]).unwrap();
        run.epoch().and_then(|_| run.epoch()).unwrap();
        run.saved().unwrap()
    })
}

/// Resumes that run with other options.
fn resume(adapt: impl FnOnce(Stochastic<'_>) -> Stochastic<'_>) -> Result<()> {
    with((12, 4), 0.5, |descent| {
        adapt(descent).resume(&saved()).map(drop)
    })
}

#[test]
fn stochastic_runs_of_other_problems() {
    assert!(resume(|d| d).is_ok());
    let adam: &'static Adam = Box::leak(Box::new(Adam::default()));
    let fixed: &'static Fixed = Box::leak(Box::new(Fixed { scale: 0.1 }));
    let decay = Decaying {
        scale: 1e-3,
        steps: 1.0,
        power: 1.0,
    };
    let slow: &'static Annealed = Box::leak(Box::new(Annealed {
        decay,
        ..Annealed::default()
    }));
    let bounds = Bounds::new(vec![-9.0; 2], vec![9.0; 2]).unwrap();
    let bounds: &'static Bounds = Box::leak(Box::new(bounds));
    let prior = Tikhonov::new(vec![0.0; 2], Noise::uniform(2, 1.0).unwrap()).unwrap();
    let prior: &'static Tikhonov = Box::leak(Box::new(prior));
    check(vec![
        row("items", "Different", "number of items", || {
            with((13, 4), 0.5, |descent| descent.resume(&saved()).map(drop))
        }),
        row("size", "Different", "size of a batch", || {
            with((12, 6), 0.5, |descent| descent.resume(&saved()).map(drop))
        }),
        row("seed", "Different", "another seed", || {
            resume(|d| d.seed(2))
        }),
        row("average", "Different", "averaged epochs", || {
            resume(|d| d.average(1))
        }),
        row("direction", "Different", "another direction", || {
            resume(|d| d.direction(adam))
        }),
        row("rule", "Different", "another step rule", || {
            resume(|d| d.step(fixed))
        }),
        row("options of a rule", "Forgotten", "annealed", || {
            resume(|d| d.step(slow))
        }),
        row("bounds", "Different", "set of bounds", || {
            resume(|d| d.bounds(bounds))
        }),
        row("priors", "Different", "number of priors", || {
            resume(|d| d.prior(prior))
        }),
        row("data", "Objective", "data, loss or priors", || {
            with((12, 4), 0.6, |descent| descent.resume(&saved()).map(drop))
        }),
    ]);
}

#[test]
fn runs_of_another_kind() {
    let curve = Curve::new(Line(12));
    let loss = L2Misfit::euclidean(vec![1.0; 12]).unwrap();
    let descent = Descent::new(&curve, &loss).direction(&Gradient);
    let run = descent.begin(&[0.1, 0.2]).unwrap();
    let single = run.saved().unwrap().to_bytes().unwrap();
    let stochastic = saved().to_bytes().unwrap();
    let mut newer = stochastic.clone();
    newer[16] = 9;
    check(vec![
        row(
            "a descent",
            "Kind",
            "of a descent, not of a stochastic",
            || Saved::from_bytes(&single),
        ),
        row("batches", "Kind", "of a stochastic descent, not", || {
            descent::Saved::from_bytes(&stochastic)
        }),
        row("half", "Truncated", "resume from an earlier file", || {
            Saved::from_bytes(&stochastic[..100])
        }),
        row("newer", "Version", "version 9", || {
            Saved::from_bytes(&newer)
        }),
        row("no file", "File", "check the path", || {
            Saved::read("no such file")
        }),
    ]);
}
