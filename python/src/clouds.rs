//! Losses between clouds of points, and metrics of clouds, by name.

use std::sync::Arc;

use pullback::Metric;
use pullback::loss::{Kernel, KernelDiscrepancy, Matched, SlicedTransport, Snapshots};
use pullback::metric::{Each, Kernels, Particles, SampledWasserstein};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::convert::vector;
use crate::error::raise;
use crate::objective::{Loss, unknown};
use crate::word::Word;

/// Loss on a cloud.
type Shared = Arc<dyn pullback::Loss + Send + Sync>;

/// Clouds of points that those of a state are compared with, one for every snapshot.
#[derive(Clone)]
pub(crate) struct Clouds {
    /// Dimension of the space.
    space: usize,
    snapshots: Vec<Snapshot>,
}

/// Loss on the cloud of a snapshot.
#[derive(Clone)]
struct Snapshot {
    loss: Shared,
    /// The same loss, if metrics have to be multiplied by its stiffness.
    discrepancy: Option<Arc<KernelDiscrepancy>>,
}

impl Snapshot {
    /// Returns a metric of the size of the loss.
    fn matched(&self, metric: impl Metric + Send + 'static) -> Box<dyn Metric + Send> {
        match &self.discrepancy {
            Some(discrepancy) => Box::new(Matched::new(Arc::clone(discrepancy), metric)),
            None => Box::new(metric),
        }
    }
}

impl Clouds {
    /// Returns a metric of clouds by its name, or None if there is none.
    pub(crate) fn metric(&self, word: &Word) -> PyResult<Option<Box<dyn Metric + Send>>> {
        let space = self.space;
        let each = |metric: &dyn Fn(&Snapshot) -> Box<dyn Metric + Send>| {
            Box::new(Each::new(self.snapshots.iter().map(metric).collect()))
        };
        Ok(Some(match word.name() {
            "sampled_wasserstein" => {
                let kernels = kernels(word)?;
                each(&|at| at.matched(sampled(space, kernels, &at.loss)))
            }
            "kwng" => {
                let kernels = kernels(word)?.unwrap_or_default();
                each(&|at| at.matched(SampledWasserstein::kwng(space, kernels)))
            }
            "particles" => {
                let [] = word.options("metric", [])?;
                each(&|at| at.matched(Particles::new(space)))
            }
            _ => return Ok(None),
        }))
    }
}

/// Returns the sampled Wasserstein metric with the gradient of a loss among its fields, and with kernels if there are some.
fn sampled(space: usize, kernels: Option<Kernels>, loss: &Shared) -> SampledWasserstein<'static> {
    let loss = Arc::clone(loss);
    let metric = SampledWasserstein::new(space);
    let metric = metric.field(move |cloud, out| loss.gradient(cloud, out));
    match kernels {
        Some(kernels) => metric.kernels(kernels),
        None => metric,
    }
}

/// Returns the kernels that a word gives, if it gives some.
fn kernels(word: &Word) -> PyResult<Option<Kernels>> {
    let options = word.options("metric", ["kernels", "width", "seed"])?;
    if options.iter().all(Option::is_none) {
        return Ok(None);
    }
    let [count, width, seed] = options;
    let plain = Kernels::default();
    let count = count.map(|count| word.whole("kernels", count));
    Ok(Some(Kernels {
        count: count.transpose()?,
        width: width.unwrap_or(plain.width),
        seed: word.whole_or("seed", seed, plain.seed as usize)? as u64,
    }))
}

/// Number of lines if it is not given.
const LINES: usize = 64;

/// Seed of the lines if it is not given.
const SEED: usize = 1;

/// Names of the losses between clouds.
const LOSSES: &str =
    "sliced_transport, energy_distance, gaussian_discrepancy or multiquadric_discrepancy";

/// Returns the loss of a cloud by its name.
fn between(word: &Word, space: usize, points: Vec<f64>) -> PyResult<Snapshot> {
    let width = || -> PyResult<f64> {
        let [width] = word.options("loss", ["width"])?;
        let name = word.name();
        let missing = format!(
            "loss='{name}' needs the width of its kernel, the size of the details that it compares: give ('{name}', width)"
        );
        width.ok_or_else(|| PyValueError::new_err(missing))
    };
    let kernel = match word.name() {
        "sliced_transport" => {
            let [lines, seed] = word.options("loss", ["lines", "seed"])?;
            let lines = word.whole_or("lines", lines, LINES)?;
            let seed = word.whole_or("seed", seed, SEED)? as u64;
            let loss = SlicedTransport::on_lines(space, points, lines, seed);
            return Ok(Snapshot {
                loss: Arc::new(loss.map_err(raise)?),
                discrepancy: None,
            });
        }
        "energy_distance" => {
            let [] = word.options("loss", [])?;
            Kernel::Energy
        }
        "gaussian_discrepancy" => Kernel::Gaussian(width()?),
        "multiquadric_discrepancy" => Kernel::InverseMultiquadric(width()?),
        other => return Err(unknown("loss", other, LOSSES)),
    };
    let loss = KernelDiscrepancy::new(space, points, kernel);
    let loss = Arc::new(loss.map_err(raise)?);
    Ok(Snapshot {
        discrepancy: Some(Arc::clone(&loss)),
        loss,
    })
}

/// Creates the loss between the clouds of a state and clouds of points in a space of this dimension, one for every snapshot.
#[pyfunction]
pub(crate) fn cloud_loss(
    word: Word,
    space: usize,
    clouds: Vec<Bound<'_, PyAny>>,
) -> PyResult<Loss> {
    let snapshots = clouds.iter().map(|points| {
        let points = vector("data", points)?;
        between(&word, space, points)
    });
    let snapshots: Vec<Snapshot> = snapshots.collect::<PyResult<_>>()?;
    let losses = snapshots.iter().map(|at| Arc::clone(&at.loss)).collect();
    let loss = Loss::distance(word.name(), Snapshots::<Shared>::new(losses));
    Ok(Loss {
        clouds: Some(Clouds { space, snapshots }),
        ..loss
    })
}
