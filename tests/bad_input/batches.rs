//! Stochastic descents and their items with input that makes no sense.

use crate::network::network;
use crate::support::Reaction;
use crate::support::bad::{check, row};
use pullback::automatic::{Formula, Scalar};
use pullback::direction::{Gradient, Kfac, Lbfgs, Momentum, NonlinearCg};
use pullback::loss::L2Misfit;
use pullback::models::Labelled;
use pullback::step::Fixed;
use pullback::stochastic::{Experiments, Items, Measured, MiniBatch, Stochastic};
use pullback::{Direction, Noise, Result};

const NAN: f64 = f64::NAN;

/// y = θ at three times.
struct Constant;

impl Formula for Constant {
    fn dims(&self) -> (usize, usize) {
        (3, 1)
    }
    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out.iter_mut().for_each(|y| *y = theta[0]);
    }
}

/// A reaction whose batches speak of states of these lengths.
struct Lengths(Vec<usize>);

impl Items for Lengths {
    fn count(&self) -> usize {
        1
    }
    fn param_dim(&self) -> usize {
        2
    }
    fn batch<'a>(&'a self, _: &[usize]) -> Result<MiniBatch<'a>> {
        let loss = L2Misfit::euclidean(vec![0.0; 4])?;
        Ok(MiniBatch::new(Reaction::new(4, 2, 1), loss).warm_starts(self.0.clone()))
    }
}

/// Items without any.
struct Nothing;

impl Items for Nothing {
    fn count(&self) -> usize {
        0
    }
    fn param_dim(&self) -> usize {
        1
    }
    fn batch<'a>(&'a self, _: &[usize]) -> Result<MiniBatch<'a>> {
        Err(pullback::Error::NoMetric)
    }
}

#[test]
fn stochastic_descents() {
    let items = measured(&[1.0, 2.0, 3.0], &Noise::uniform(3, 1.0).unwrap()).unwrap();
    let run = |items: &dyn Items, size, theta: &[f64]| {
        Stochastic::new(items, size).run(theta, |_| ()).map(drop)
    };
    check(vec![
        row("no items", "Option", "number of items", || {
            run(&Nothing, 1, &[0.0])
        }),
        row("no experiments", "Option", "number of items", || {
            run(&Experiments::new(), 1, &[])
        }),
        row(
            "an empty batch",
            "Option",
            "at most the number of items",
            || run(&items, 0, &[0.0]),
        ),
        row(
            "a batch larger than the data",
            "Option",
            "size of a batch is 4",
            || run(&items, 4, &[0.0]),
        ),
        row("no epochs", "Option", "number of epochs", || {
            Stochastic::new(&items, 1).epochs(0).run(&[0.0], |_| ())
        }),
        row(
            "more epochs averaged than there are",
            "Option",
            "averaged epochs",
            || {
                Stochastic::new(&items, 1)
                    .epochs(2)
                    .average(3)
                    .run(&[0.0], |_| ())
            },
        ),
        row(
            "a start of another length",
            "Dimension",
            "the start θ",
            || run(&items, 1, &[0.0; 2]),
        ),
        row("a start NaN", "NotFinite", "the start θ", || {
            run(&items, 1, &[NAN])
        }),
        row("a step of no length", "Option", "fixed step", || {
            let none = Fixed { scale: 0.0 };
            Stochastic::new(&items, 1).step(&none).run(&[0.0], |_| ())
        }),
    ]);
}

#[test]
fn directions_that_need_all_data_or_layers() {
    let items = measured(&[1.0, 2.0, 3.0], &Noise::uniform(3, 1.0).unwrap()).unwrap();
    check(vec![
        row("L-BFGS on batches", "Option", "`Adam`", || {
            Stochastic::new(&items, 1)
                .direction(&Lbfgs::default())
                .run(&[0.0], |_| ())
        }),
        row("conjugate steps on batches", "Option", "`Kfac`", || {
            let conjugate = NonlinearCg::new(&Gradient);
            let momentum = Momentum::new(&conjugate);
            Stochastic::new(&items, 2)
                .direction(&momentum)
                .run(&[0.0], |_| ())
        }),
        row("K-FAC for a curve", "NotLayered", "models::Network", || {
            Stochastic::new(&items, 1)
                .direction(&Kfac::default())
                .run(&[0.0], |_| ())
        }),
    ]);
}

/// Observations of a constant with this noise.
fn measured(data: &[f64], noise: &Noise) -> Result<Measured<'static, Constant>> {
    Measured::new(&Constant, data.to_vec(), noise)
}

#[test]
fn items_of_stochastic_descents() {
    let unit = Noise::uniform(3, 1.0).unwrap();
    let correlated = Noise::full(crate::support::definite(3, 1)).unwrap();
    let network = network();
    let apart = Experiments::new()
        .add(
            Reaction::new(4, 2, 1),
            L2Misfit::euclidean(vec![0.0; 4]).unwrap(),
        )
        .add(
            Reaction::new(4, 3, 1),
            L2Misfit::euclidean(vec![0.0; 4]).unwrap(),
        );
    let run = |items: &dyn Items, size, theta: &[f64]| {
        Stochastic::new(items, size).run(theta, |_| ()).map(drop)
    };
    check(vec![
        row("too few data", "Dimension", "the data", || {
            measured(&[1.0], &unit)
        }),
        row("a datum NaN", "NotFinite", "the data", || {
            measured(&[1.0, NAN, 2.0], &unit)
        }),
        row("noise of another size", "Dimension", "noise", || {
            measured(&[1.0; 3], &Noise::uniform(2, 1.0)?)
        }),
        row("correlated noise", "Option", "no batches", || {
            measured(&[1.0; 3], &correlated)
        }),
        row(
            "experiments with other parameters",
            "Dimension",
            "parameters of an experiment",
            || run(&apart, 2, &[0.1, 0.1]),
        ),
        row("an empty choice", "Option", "choose at least one", || {
            measured(&[1.0; 3], &unit)?.batch(&[]).map(drop)
        }),
        row("a datum that does not exist", "Option", "item is 3", || {
            measured(&[1.0; 3], &unit)?.batch(&[0, 3]).map(drop)
        }),
        row("no experiment", "Option", "choose at least one", || {
            apart.batch(&[]).map(drop)
        }),
        row(
            "an experiment that does not exist",
            "Option",
            "item is 2",
            || apart.batch(&[2]).map(drop),
        ),
        row("too few labels", "Dimension", "labels", || {
            Labelled::new(&network, vec![0])
        }),
        row("a label that is no output", "Label", "sample 5", || {
            Labelled::new(&network, vec![0, 1, 0, 1, 0, 2])
        }),
    ]);
}

#[test]
fn warm_starts_of_other_states() {
    let run = |lengths| {
        let items = Lengths(lengths);
        Stochastic::new(&items, 1).run(&[0.1; 2], |_| ())
    };
    check(vec![
        row("two states of one item", "Dimension", "of items", || {
            run(vec![2, 2])
        }),
        row("a state that is too short", "Dimension", "states", || {
            run(vec![3])
        }),
    ]);
}

#[test]
fn steps_that_overflow_are_rejected() {
    let items = measured(&[1.0, 2.0, 3.0], &Noise::uniform(3, 1.0).unwrap()).unwrap();
    let steep = Fixed { scale: 1e200 };
    let descent = Stochastic::new(&items, 1).direction(&Gradient as &dyn Direction);
    let report = descent.step(&steep).epochs(2).run(&[0.0], |_| ()).unwrap();
    assert_eq!((report.theta, report.history[0].steps), (vec![0.0], 0));
    assert!(report.last_failure.is_some());
}
