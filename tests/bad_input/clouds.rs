//! Input that makes no sense is an error that names the argument and the remedy: losses and metrics of other clouds than the model's.

use std::sync::Arc;

use crate::support::bad::{check, row};
use pullback::automatic::Scalar;
use pullback::loss::{SlicedTransport, Snapshots, Sum};
use pullback::metric::{Blocks, Particles, SampledWasserstein};
use pullback::models::{Draws, Map, PushForward};
use pullback::stochastic::{Experiments, Items};
use pullback::{Descent, Loss, Metric, Result};

/// Two clouds in the plane, of which the second has moved twice as far.
struct Moving;

impl Map for Moving {
    fn dims(&self) -> (usize, usize, usize) {
        (2, 2, 1)
    }

    fn snapshots(&self) -> usize {
        2
    }

    fn map<S: Scalar>(&self, z: &[f64], theta: &[S], x: &mut [S]) {
        for (i, x) in x.iter_mut().enumerate() {
            *x = theta[0] * (1 + i / 2) as f64 + z[i % 2];
        }
    }
}

fn moving() -> PushForward<Moving> {
    PushForward::new(Moving, Draws::normal(60, 2, 1).unwrap()).unwrap()
}

fn sliced(space: usize) -> SlicedTransport {
    SlicedTransport::new(space, vec![0.0; 12]).unwrap()
}

fn both() -> Snapshots<SlicedTransport> {
    Snapshots::new(vec![sliced(2), sliced(2)])
}

fn start(loss: &dyn Loss, metric: Option<&dyn Metric>) -> Result<()> {
    let model = moving();
    let descent = Descent::new(&model, loss);
    let descent = match metric {
        Some(metric) => descent.metric(metric),
        None => descent,
    };
    descent.begin(&[0.1]).map(drop)
}

fn blocks(space: usize, count: usize) -> Blocks<SampledWasserstein<'static>> {
    Blocks::new(SampledWasserstein::new(space), count)
}

const NUMBER: &str = "the number of clouds";
const DIMENSION: &str = "the dimension of the points";

#[test]
fn those_of_the_model_are_accepted() {
    let wasserstein = blocks(2, 2);
    let labelled = Particles::new(2);
    for metric in [None, Some(&wasserstein as &dyn Metric), Some(&labelled)] {
        assert!(start(&both(), metric).is_ok());
    }
    let sum = Sum::default().add(2.0, both()).unwrap();
    assert!(start(&sum.add(1.0, both()).unwrap(), None).is_ok());
}

/// Lengths fit in all cases.
#[test]
fn losses_of_other_clouds() {
    check(vec![
        row("one loss for two times", "Option", NUMBER, || {
            start(&sliced(2), None)
        }),
        row("a shared one", "Option", NUMBER, || {
            start(&Arc::new(sliced(2)), None)
        }),
        row("a sum", "Option", NUMBER, || {
            start(&Sum::default().add(2.0, sliced(2))?, None)
        }),
        row("a sum of different ones", "Option", NUMBER, || {
            start(&Sum::default().add(2.0, both())?.add(1.0, sliced(2))?, None)
        }),
        row("four snapshots", "Option", NUMBER, || {
            start(&Snapshots::new((0..4).map(|_| sliced(2)).collect()), None)
        }),
        row("points of three numbers", "Option", DIMENSION, || {
            start(&Snapshots::new(vec![sliced(3), sliced(3)]), None)
        }),
        row("an experiment", "Option", NUMBER, || {
            let experiments = Experiments::new().add(moving(), sliced(2));
            experiments.batch(&[0]).map(drop)
        }),
    ]);
}

/// Lengths fit in all cases.
#[test]
fn metrics_of_other_clouds() {
    check(vec![
        row("a metric for one time", "Option", NUMBER, || {
            start(&both(), Some(&SampledWasserstein::new(2)))
        }),
        row("a metric in space", "Option", DIMENSION, || {
            start(&both(), Some(&blocks(3, 2)))
        }),
        row("a metric for the first steps", "Option", NUMBER, || {
            let (model, loss, metric) = (moving(), both(), SampledWasserstein::new(2));
            let descent = Descent::new(&model, &loss).first_metric(&metric, 0.1);
            descent.begin(&[0.1]).map(drop)
        }),
    ]);
}
