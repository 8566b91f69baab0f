//! Networks, softmax losses and K-FAC with input that makes no sense.

use crate::support::Reaction;
use crate::support::bad::{check, row};
use pullback::direction::Kfac;
use pullback::faer::Mat;
use pullback::loss::{Fisher, L2Misfit, Predictive, Scores, Softmax};
use pullback::models::{Activation, Network};
use pullback::{Bounds, Descent, Loss, Transform, random};

const NAN: f64 = f64::NAN;

pub(crate) fn network() -> Network {
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
            "chosen item is 6",
            || network().subset(&[0, 6]),
        ),
        row("no samples chosen", "Option", "at least one", || {
            network().subset(&[])
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
    ]);
    assert!(loss.value(&[0.0; 3]).is_nan());
    let mut slope = [0.0; 3];
    loss.gradient(&[0.0; 3], &mut slope);
    assert!(slope.iter().all(|s| s.is_nan()));
}

#[test]
fn information_of_labels() {
    let loss = Softmax::new(2, vec![0, 1]).unwrap();
    let information = |rho: &[f64], scores| loss.information(rho, scores).map(drop);
    let root = loss.information(&[0.0; 4], Scores::Expected).unwrap();
    let lost = [0.0, 0.0, 2000.0, 0.0];
    check(vec![
        row("information at NaN", "NotFinite", "logits", || {
            information(&[NAN; 4], Scores::Expected)
        }),
        row("scores at NaN", "NotFinite", "logits", || {
            information(&[NAN; 4], Scores::Measured)
        }),
        row("a covector with a sum", "NotInRange", "Fisher", || {
            root.dual(&[1.0, 0.0, 0.0, 0.0])
        }),
        row(
            "a label without probability",
            "Impossible",
            "label 1 of sample 1",
            || {
                let mut slope = [0.0; 4];
                loss.gradient(&lost, &mut slope);
                loss.information(&lost, Scores::Expected)?.dual(&slope)
            },
        ),
        row("a short covector", "Dimension", "covector", || {
            root.dual(&[0.0])
        }),
        row("a short batch", "Dimension", "tangent", || {
            root.lift(Mat::zeros(3, 1).as_ref())
        }),
    ]);
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
