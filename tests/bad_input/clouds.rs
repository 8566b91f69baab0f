//! Input that makes no sense is an error that names the argument and the remedy: losses and metrics of other clouds than the model's.

use std::sync::Arc;

use crate::support::bad::{check, row};
use pullback::automatic::Scalar;
use pullback::loss::{SlicedTransport, Snapshots};
use pullback::metric::{Blocks, Particles, SampledWasserstein};
use pullback::models::{Draws, Map, PushForward};
use pullback::stochastic::{Experiments, Items};
use pullback::{Descent, Loss, Metric};

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

/// Lengths fit in all cases.
#[test]
fn losses_and_metrics_of_other_clouds() {
    let model = moving();
    let sliced = |space: usize| SlicedTransport::new(space, vec![0.0; 12]).unwrap();
    let both = || Snapshots::new(vec![sliced(2), sliced(2)]);
    let start = |loss: &dyn Loss, metric: Option<&dyn Metric>| {
        let descent = Descent::new(&model, loss);
        let descent = match metric {
            Some(metric) => descent.metric(metric),
            None => descent,
        };
        descent.begin(&[0.1]).map(drop)
    };
    let blocks = |space, count| Blocks::new(SampledWasserstein::new(space), count);
    assert!(start(&both(), None).is_ok() && start(&both(), Some(&blocks(2, 2))).is_ok());
    let (number, dimension) = ("the number of clouds", "the dimension of the points");
    check(vec![
        row("one loss for two times", "Option", number, || {
            start(&sliced(2), None)
        }),
        row("a shared one", "Option", number, || {
            start(&Arc::new(sliced(2)), None)
        }),
        row("four snapshots", "Option", number, || {
            start(&Snapshots::new((0..4).map(|_| sliced(2)).collect()), None)
        }),
        row("points of three numbers", "Option", dimension, || {
            start(&Snapshots::new(vec![sliced(3), sliced(3)]), None)
        }),
        row("a metric for one time", "Option", number, || {
            start(&both(), Some(&SampledWasserstein::new(2)))
        }),
        row("particles on a line", "Option", dimension, || {
            start(&both(), Some(&Blocks::new(Particles::new(1), 2)))
        }),
        row("a metric in space", "Option", dimension, || {
            start(&both(), Some(&blocks(3, 2)))
        }),
        row("an experiment", "Option", number, || {
            let experiments = Experiments::new().add(moving(), sliced(2));
            experiments.batch(&[0]).map(drop)
        }),
    ]);
}
