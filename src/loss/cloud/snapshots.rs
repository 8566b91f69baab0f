//! Sum of losses of several states, one after the other.

use faer::{Mat, MatRef};

use crate::check;
use crate::error::Result;
use crate::linalg::{Backend, Cpu};
use crate::loss::{Loss, Misfit, gradient_of, value_of};
use crate::metric::{Each, Metric};
use crate::model::Clouds;

/// Sum of losses on states of equal length that stand one after the other in ρ, such as clouds at several times.
///
/// The metric is the sum of the metrics of the losses, if all have one. [`metric::Blocks`](crate::metric::Blocks) makes another
/// metric one of several states.
///
/// ```
/// use pullback::{Loss, loss::{SlicedTransport, Snapshots}};
/// let times = [vec![0.0, 1.0], vec![2.0, 4.0, 6.0]];
/// let losses = times.map(|points| SlicedTransport::new(1, points));
/// let loss = Snapshots::new(losses.into_iter().collect::<Result<_, _>>()?);
/// // Two particles at each of two times. The second cloud is moved by 1.
/// assert_eq!(loss.value(&[0.0, 1.0, 3.0, 5.0]), loss.value(&[1.0, 0.0, 5.0, 3.0]));
/// # Ok::<(), pullback::Error>(())
/// ```
pub struct Snapshots<L> {
    losses: Vec<L>,
}

impl<L: Loss> Snapshots<L> {
    /// Creates the sum of losses, one for each state.
    pub fn new(losses: Vec<L>) -> Self {
        Self { losses }
    }

    /// Returns the losses, each with its state.
    fn parts<'r>(&self, rho: &'r [f64]) -> impl Iterator<Item = (&L, &'r [f64])> {
        let size = rho.len() / self.losses.len().max(1);
        self.losses.iter().zip(rho.chunks_exact(size.max(1)))
    }
}

impl<L: Loss> Loss for Snapshots<L> {
    fn value(&self, rho: &[f64]) -> f64 {
        value_of(self, rho)
    }

    fn gradient(&self, rho: &[f64], out: &mut [f64]) {
        gradient_of(self, rho, out);
    }

    fn metric(&self) -> Option<Box<dyn Metric + '_>> {
        let metrics = self.losses.iter().map(|loss| loss.metric());
        Some(Box::new(Each::new(metrics.collect::<Option<_>>()?)))
    }

    fn hessian(&self, rho: &[f64], v: MatRef<'_, f64>) -> Result<Option<Mat<f64>>> {
        let cpu = Cpu::shared();
        self.at(rho, cpu)?.hessian(v, cpu)
    }

    fn clouds(&self) -> Option<Clouds> {
        Clouds::joined(self.losses.iter().map(Loss::clouds))
    }

    fn check(&self, rho: &[f64]) -> Result<()> {
        let count = self.losses.len();
        let given = "the number of losses of snapshots";
        check::option(given, count as f64, count > 0, "give one for each state")?;
        let size = (rho.len() / count).max(1);
        let what = "the states of all snapshots, of equal length";
        check::length(what, rho.len(), size * count)?;
        self.parts(rho).try_for_each(|(loss, rho)| loss.check(rho))
    }

    fn at<'a>(&'a self, rho: &[f64], backend: &dyn Backend) -> Result<Box<dyn Misfit + 'a>> {
        self.check(rho)?;
        let parts = self.parts(rho).map(|(loss, rho)| loss.at(rho, backend));
        Ok(Box::new(Parts {
            size: rho.len() / self.losses.len(),
            parts: parts.collect::<Result<_>>()?,
        }))
    }
}

/// All losses at their states.
struct Parts<'a> {
    size: usize,
    parts: Vec<Box<dyn Misfit + 'a>>,
}

impl Misfit for Parts<'_> {
    fn value(&self) -> f64 {
        self.parts.iter().map(|part| part.value()).sum()
    }

    fn covector(&self, backend: &dyn Backend) -> Result<Vec<f64>> {
        let parts = self.parts.iter().map(|part| part.covector(backend));
        Ok(parts.collect::<Result<Vec<_>>>()?.concat())
    }

    fn hessian(&self, v: MatRef<'_, f64>, backend: &dyn Backend) -> Result<Option<Mat<f64>>> {
        let mut out = Mat::zeros(v.nrows(), v.ncols());
        for (index, part) in self.parts.iter().enumerate() {
            let rows = v.subrows(index * self.size, self.size);
            let Some(product) = part.hessian(rows, backend)? else {
                return Ok(None);
            };
            let mut target = out.as_mut().subrows_mut(index * self.size, self.size);
            target.copy_from(&product);
        }
        Ok(Some(out))
    }

    fn rounding(&self) -> f64 {
        self.parts.iter().map(|part| part.rounding()).sum()
    }
}
