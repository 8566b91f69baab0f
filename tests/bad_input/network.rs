//! Networks, softmax losses, K-FAC and stochastic descents with input that makes no sense.

use crate::support::Reaction;
use crate::support::bad::{check, row};
use pullback::automatic::{Formula, Scalar};
use pullback::direction::{Gradient, Kfac};
use pullback::faer::Mat;
use pullback::loss::{Fisher, L2Misfit, Predictive, Scores, Softmax};
use pullback::models::{Activation, Labelled, Network};
use pullback::step::Fixed;
use pullback::stochastic::{Experiments, Items, Measured, MiniBatch, Stochastic};
use pullback::{Bounds, Descent, Direction, Loss, Noise, Result, Transform, random};

const NAN: f64 = f64::NAN;

fn network() -> Network {
    let inputs = random::normal_matrix(2, 6, 1);
    Network::new(&inputs, &[3, 2], Activation::Tanh).unwrap()
}

#[test]
fn networks() {
    let inputs = random::normal_matrix(2, 6, 1);
    let make = |inputs: &Mat<f64>, widths: &[usize]| Network::new(inputs, widths, Activation::Relu);
    let mut spoiled = inputs.clone();
    spoiled[(1, 2)] = NAN;
    check(vec![
        row("no layers", "Option", "outputs last", || make(&inputs, &[])),
        row("a layer without units", "Option", "at least one", || {
            make(&inputs, &[3, 0, 2])
        }),
        row("no samples", "Option", "number of samples", || {
            make(&Mat::zeros(2, 0), &[2])
        }),
        row("no inputs", "Option", "number of inputs", || {
            make(&Mat::zeros(0, 3), &[2])
        }),
        row("NaN among the inputs", "NotFinite", "index 5", || {
            make(&spoiled, &[2])
        }),
        row("other inputs", "Dimension", "inputs of a network", || {
            network().with_inputs(&random::normal_matrix(3, 6, 1))
        }),
        row("NaN among other inputs", "NotFinite", "index 5", || {
            network().with_inputs(&spoiled)
        }),
        row(
            "a sample that is not there",
            "Option",
            "chosen sample is 6",
            || network().of(&[0, 6]),
        ),
        row("no samples chosen", "Option", "at least one", || {
            network().of(&[])
        }),
        row(
            "too few factors",
            "Dimension",
            "factors of the outputs",
            || network().output_scales(&[1.0]),
        ),
        row("a factor of zero", "NotPositive", "index 1", || {
            network().output_scales(&[1.0, 0.0])
        }),
        row("a factor NaN", "NotFinite", "factor", || {
            network().output_scales(&[NAN, 1.0])
        }),
    ]);
}

#[test]
fn weights_of_networks() {
    let theta = network().initial(1);
    let predict = |theta: &[f64]| network().predict(theta);
    let mut bad = theta.clone();
    bad[4] = f64::INFINITY;
    let huge = vec![1e308; theta.len()];
    let loss = Softmax::new(2, vec![0; 6]).unwrap();
    let run = |theta: &[f64]| Descent::new(&network(), &loss).run(theta, |_| ()).map(drop);
    check(vec![
        row("too few weights", "Dimension", "θ of the network", || {
            predict(&theta[1..])
        }),
        row("an infinite weight", "NotFinite", "index 4", || {
            predict(&bad)
        }),
        row("weights that overflow", "NotFinite", "the state", || {
            run(&huge)
        }),
        row(
            "a start with too few weights",
            "Dimension",
            "the start θ",
            || run(&theta[1..]),
        ),
    ]);
}

#[test]
fn softmax_losses() {
    let loss = Softmax::new(2, vec![0, 1]).unwrap();
    let information = |rho: &[f64], scores| loss.information(rho, scores).map(drop);
    let root = loss.information(&[0.0; 4], Scores::Expected).unwrap();
    check(vec![
        row("no labels", "Option", "at least one", || {
            Softmax::new(2, vec![])
        }),
        row("one class", "Option", "at least two", || {
            Softmax::new(1, vec![0])
        }),
        row(
            "a label that is no class",
            "Label",
            "count from 0 to 2",
            || Softmax::new(3, vec![0, 3]),
        ),
        row("a weight of zero", "NotPositive", "weight", || {
            loss.clone().weighted(0.0)
        }),
        row("a weight NaN", "NotFinite", "weight", || {
            loss.clone().weighted(NAN)
        }),
        row("too few logits", "Dimension", "logits", || {
            loss.check(&[0.0; 3])
        }),
        row("a logit NaN", "NotFinite", "logits", || {
            loss.check(&[0.0, NAN, 0.0, 0.0])
        }),
        row("accuracy of too few logits", "Dimension", "logits", || {
            loss.accuracy(&[0.0])
        }),
        row("no draws", "Option", "at least one", || {
            Fisher::sampled(&loss, 0, 1).map(drop)
        }),
        row("information at NaN", "NotFinite", "logits", || {
            information(&[NAN; 4], Scores::Expected)
        }),
        row("scores at NaN", "NotFinite", "logits", || {
            information(&[NAN; 4], Scores::Measured)
        }),
        row("a covector with a sum", "NotInRange", "Fisher", || {
            root.dual(&[1.0, 0.0, 0.0, 0.0])
        }),
        row("a short covector", "Dimension", "covector", || {
            root.dual(&[0.0])
        }),
        row("a short batch", "Dimension", "tangent", || {
            root.lift(Mat::zeros(3, 1).as_ref())
        }),
    ]);
    assert!(loss.value(&[0.0; 3]).is_nan());
    let mut slope = [0.0; 3];
    loss.gradient(&[0.0; 3], &mut slope);
    assert!(slope.iter().all(|s| s.is_nan()));
}

#[test]
fn kronecker_factors() {
    let (network, loss) = (network(), Softmax::new(2, vec![0, 1, 0, 1, 0, 1]).unwrap());
    let theta = network.initial(1);
    let reaction = Reaction::new(4, 2, 1);
    let data = L2Misfit::euclidean(vec![0.0; 4]).unwrap();
    let logit = Transform::Logit {
        lower: -10.0,
        upper: 10.0,
    };
    let transforms = vec![logit; theta.len()];
    let with = |kfac: Kfac| {
        let descent = Descent::new(&network, &loss).direction(&kfac);
        descent.run(&theta, |_| ()).map(drop)
    };
    let plain = Kfac::default();
    check(vec![
        row("a negative damping", "Option", "damping of K-FAC", || {
            with(Kfac {
                damping: -1.0,
                ..plain
            })
        }),
        row("a damping NaN", "Option", "damping of K-FAC", || {
            with(Kfac {
                damping: NAN,
                ..plain
            })
        }),
        row("a memory of one", "Option", "below 1", || {
            with(Kfac {
                memory: 1.0,
                ..plain
            })
        }),
        row("no draws", "Option", "at least one", || {
            with(Kfac { draws: 0, ..plain })
        }),
        row(
            "a model without layers",
            "NotLayered",
            "models::Network",
            || {
                Descent::new(&reaction, &data)
                    .direction(&plain)
                    .run(&[0.1, 0.1], |_| ())
            },
        ),
        row("transforms", "NotLayered", "transforms", || {
            let descent = Descent::new(&network, &loss).direction(&plain);
            descent.transforms(&transforms).run(&theta, |_| ())
        }),
        row("no metric", "NoMetric", "Descent::metric", || {
            let descent = Descent::new(&reaction, &Bare).direction(&plain);
            descent.run(&[0.1, 0.1], |_| ())
        }),
    ]);
}

#[test]
fn bounds_that_hold_nothing_do_not_hinder_kronecker_factors() {
    let (network, loss) = (network(), Softmax::new(2, vec![0, 1, 0, 1, 0, 1]).unwrap());
    let theta = network.initial(1);
    let bounds = Bounds::new(vec![-10.0; theta.len()], vec![10.0; theta.len()]).unwrap();
    let plain = Kfac::default();
    let descent = Descent::new(&network, &loss)
        .direction(&plain)
        .bounds(&bounds);
    assert!(descent.propose(&theta, 0.0).is_ok());
}

/// A loss without a metric.
struct Bare;

impl Loss for Bare {
    fn value(&self, rho: &[f64]) -> f64 {
        rho.iter().sum()
    }
    fn gradient(&self, _: &[f64], out: &mut [f64]) {
        out.fill(1.0);
    }
}

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
        row("too few labels", "Dimension", "labels", || {
            Labelled::new(&network, vec![0])
        }),
        row("a label that is no output", "Label", "sample 5", || {
            Labelled::new(&network, vec![0, 1, 0, 1, 0, 2])
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
