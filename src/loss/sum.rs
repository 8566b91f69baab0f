//! Weighted sums of losses, with the weighted sum of their metrics.

use std::cell::OnceCell;

use faer::{Mat, MatRef};

use super::{Loss, Misfit};
use crate::check;
use crate::error::Result;
use crate::linalg::{Backend, Cpu};
use crate::metric::{Metric, Root, StackedRoot};
use crate::model::Clouds;

/// Sum Σ wᵢ fᵢ of losses with positive weights. The metric of the sum is Σ wᵢ Mᵢ if every loss has a metric Mᵢ.
///
/// ```
/// use pullback::{Grid, Loss, loss::{L2Misfit, SobolevMisfit, Sum}};
/// let grid = Grid::new(&[(0.0, 1.0, 8)])?;
/// let q = vec![1.0; 8];
/// let loss = Sum::default()
///     .add(1.0, L2Misfit::new(&grid, q.clone())?)?
///     .add(0.5, SobolevMisfit::new(&grid, -1.0, q)?)?;
/// assert_eq!(loss.value(&[1.0; 8]), 0.0);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Default)]
pub struct Sum<'a> {
    parts: Vec<(f64, Box<dyn Loss + 'a>)>,
}

impl<'a> Sum<'a> {
    /// Adds `weight` times a loss.
    ///
    /// # Errors
    /// Fails if a weight is not positive and finite.
    pub fn add(mut self, weight: f64, loss: impl Loss + 'a) -> Result<Self> {
        check::positive("the weight of a loss in a sum", &[weight])?;
        self.parts.push((weight, Box::new(loss)));
        Ok(self)
    }
}

impl Loss for Sum<'_> {
    fn value(&self, rho: &[f64]) -> f64 {
        self.parts.iter().map(|(w, f)| w * f.value(rho)).sum()
    }

    fn gradient(&self, rho: &[f64], out: &mut [f64]) {
        out.fill(0.0);
        let mut part = vec![0.0; rho.len()];
        for (weight, loss) in &self.parts {
            loss.gradient(rho, &mut part);
            out.iter_mut()
                .zip(&part)
                .for_each(|(o, p)| *o += weight * p);
        }
    }

    fn metric(&self) -> Option<Box<dyn Metric + '_>> {
        let parts = self.parts.iter();
        let parts: Vec<_> = parts
            .map(|(weight, loss)| Some((*weight, loss.as_ref(), loss.metric()?)))
            .collect::<Option<_>>()?;
        if parts.is_empty() {
            return None;
        }
        Some(Box::new(SumMetric { parts }))
    }

    fn hessian(&self, rho: &[f64], v: MatRef<'_, f64>) -> Result<Option<Mat<f64>>> {
        let parts = self.parts.iter();
        let products = parts.map(|(weight, loss)| Ok((*weight, loss.hessian(rho, v)?)));
        weighted_sum(products, v)
    }

    /// Returns the sum of the numbers of data of the parts. Their weights are those of the residuals.
    fn data(&self) -> Option<usize> {
        self.parts.iter().map(|(_, loss)| loss.data()).sum()
    }

    fn scores(&self, rho: &[f64], v: MatRef<'_, f64>) -> Result<Option<Mat<f64>>> {
        let cpu = Cpu::shared();
        self.at(rho, cpu)?.scores(v, cpu)
    }

    fn clouds(&self) -> Option<Clouds> {
        self.parts.iter().find_map(|(_, loss)| loss.clouds())
    }

    fn check(&self, rho: &[f64]) -> Result<()> {
        let count = self.parts.len();
        check::option(
            "the number of losses in a sum",
            count as f64,
            count > 0,
            "add one",
        )?;
        // All parts see the same state.
        let clouds = self.clouds();
        self.parts.iter().try_for_each(|(_, loss)| {
            Clouds::check(clouds, loss.clouds())?;
            loss.check(rho)
        })
    }

    fn at<'a>(&'a self, rho: &[f64], backend: &dyn Backend) -> Result<Box<dyn Misfit + 'a>> {
        let prepare = |(weight, loss): &'a (f64, Box<dyn Loss + '_>)| {
            Ok(Part {
                weight: *weight,
                loss: loss.as_ref(),
                misfit: loss.at(rho, backend)?,
                metric: OnceCell::new(),
                covector: OnceCell::new(),
            })
        };
        Ok(Box::new(Parts {
            parts: self.parts.iter().map(prepare).collect::<Result<_>>()?,
            rho: rho.to_vec(),
        }))
    }
}

/// Summand of a sum of losses, prepared at ρ.
struct Part<'a> {
    weight: f64,
    loss: &'a dyn Loss,
    misfit: Box<dyn Misfit + 'a>,
    /// Metric of the loss, created when the root of the sum first needs it.
    metric: OnceCell<Option<Box<dyn Metric + 'a>>>,
    covector: OnceCell<Vec<f64>>,
}

impl<'a> Part<'a> {
    fn metric(&self) -> Option<&(dyn Metric + 'a)> {
        let named = self.metric.get_or_init(|| self.loss.metric());
        named.as_deref()
    }

    /// Returns the root of the metric of the loss at ρ, if it has a metric.
    fn root<'m>(
        &'m self,
        rho: &'m [f64],
        backend: &'m dyn Backend,
    ) -> Result<Option<Box<dyn Root + 'm>>> {
        match (self.misfit.root(backend)?, self.metric()) {
            (Some(own), _) => Ok(Some(own)),
            (None, Some(metric)) => metric.at(rho, backend).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Returns ∂f/∂ρ, computed once for the gradient and the metric of the sum.
    fn covector(&self, dim: usize, backend: &dyn Backend) -> Result<&[f64]> {
        if let Some(known) = self.covector.get() {
            return Ok(known);
        }
        let covector = self.misfit.covector(backend)?;
        check::length("the covector of a loss", covector.len(), dim)?;
        Ok(self.covector.get_or_init(|| covector))
    }
}

/// Sum of losses, prepared at ρ.
struct Parts<'a> {
    parts: Vec<Part<'a>>,
    rho: Vec<f64>,
}

impl Misfit for Parts<'_> {
    fn value(&self) -> f64 {
        let values = self.parts.iter().map(|p| p.weight * p.misfit.value());
        values.sum()
    }

    fn covector(&self, backend: &dyn Backend) -> Result<Vec<f64>> {
        let mut sum = vec![0.0; self.rho.len()];
        for part in &self.parts {
            let covector = part.covector(self.rho.len(), backend)?;
            let pairs = sum.iter_mut().zip(covector);
            pairs.for_each(|(s, c)| *s += part.weight * c);
        }
        Ok(sum)
    }

    /// Stacks the roots of the parts, each with the covector of its own loss.
    fn root<'m>(&'m self, backend: &'m dyn Backend) -> Result<Option<Box<dyn Root + 'm>>> {
        // The blocks √wᵢ Lᵢ with the duals √wᵢ yᵢ of the covectors uᵢ represent Σ wᵢuᵢ. Least squares depend
        // on the rows only through Σ wᵢLᵢᵀLᵢ = Σ wᵢMᵢ and Σ √wᵢLᵢᵀ√wᵢyᵢ = Σ wᵢuᵢ, so that any such split
        // gives the same step. This split needs only the dual of every part, and no solve with the sum of the
        // metrics.
        let mut root = StackedRoot::new(self.rho.len());
        for part in &self.parts {
            let Some(root_of_part) = part.root(&self.rho, backend)? else {
                return Ok(None);
            };
            let covector = part.covector(self.rho.len(), backend)?.to_vec();
            root.push(part.weight, root_of_part, Some(covector));
        }
        Ok(Some(Box::new(root)))
    }

    fn hessian(&self, v: MatRef<'_, f64>, backend: &dyn Backend) -> Result<Option<Mat<f64>>> {
        let parts = self.parts.iter();
        let products = parts.map(|p| Ok((p.weight, p.misfit.hessian(v, backend)?)));
        weighted_sum(products, v)
    }

    fn scores(&self, v: MatRef<'_, f64>, backend: &dyn Backend) -> Result<Option<Mat<f64>>> {
        let mut scores = StackedScores::default();
        for part in &self.parts {
            let root = || part.root(&self.rho, backend);
            if !scores.push(part.weight, part.misfit.scores(v, backend)?, root, v)? {
                return Ok(None);
            }
        }
        Ok(scores.finish(v.ncols()))
    }

    fn rounding(&self) -> f64 {
        let changes = self.parts.iter().map(|p| p.weight * p.misfit.rounding());
        changes.sum()
    }
}

/// Scores of a weighted sum: those of its summands, below one another.
#[derive(Default)]
pub(crate) struct StackedScores {
    blocks: Vec<Mat<f64>>,
    /// Whether a summand has scores.
    some: bool,
}

impl StackedScores {
    /// Adds a summand wf along the columns of `v`, with its scores or the root of its metric. Returns whether it has one of them.
    pub(crate) fn push<'m>(
        &mut self,
        weight: f64,
        scores: Option<Mat<f64>>,
        root: impl FnOnce() -> Result<Option<Box<dyn Root + 'm>>>,
        v: MatRef<'_, f64>,
    ) -> Result<bool> {
        // The gradient of wf has scores w ψ. That of a negative log-likelihood wf has the variance wM = (√w L)ᵀ√w L.
        self.some |= scores.is_some();
        let block = match scores {
            Some(scores) => weight * scores,
            None => match root()? {
                Some(root) => weight.sqrt() * root.lift(v)?,
                None => return Ok(false),
            },
        };
        self.blocks.push(block);
        Ok(true)
    }

    /// Returns the rows of all summands with this number of columns, if one of them has scores.
    pub(crate) fn finish(self, columns: usize) -> Option<Mat<f64>> {
        if !self.some {
            return None;
        }
        let mut all = Mat::zeros(self.blocks.iter().map(Mat::nrows).sum(), columns);
        let mut first = 0;
        for block in &self.blocks {
            all.subrows_mut(first, block.nrows()).copy_from(block);
            first += block.nrows();
        }
        Some(all)
    }
}

/// Returns Σ wᵢ Bᵢ for batches of the shape of `v`, or None if one of them is unknown.
fn weighted_sum(
    products: impl Iterator<Item = Result<(f64, Option<Mat<f64>>)>>,
    v: MatRef<'_, f64>,
) -> Result<Option<Mat<f64>>> {
    let mut sum = Mat::zeros(v.nrows(), v.ncols());
    for product in products {
        let (weight, Some(product)) = product? else {
            return Ok(None);
        };
        check::length("the rows of a Hessian product", product.nrows(), v.nrows())?;
        check::length(
            "the columns of a Hessian product",
            product.ncols(),
            v.ncols(),
        )?;
        sum += weight * product;
    }
    Ok(Some(sum))
}

/// Metric Σ wᵢ Mᵢ with the gradients of the losses, so that each metric computes the dual of the gradient of
/// its own loss.
struct SumMetric<'a> {
    parts: Vec<(f64, &'a dyn Loss, Box<dyn Metric + 'a>)>,
}

impl Metric for SumMetric<'_> {
    fn at<'a>(&'a self, rho: &'a [f64], backend: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        let mut root = StackedRoot::new(rho.len());
        for (weight, loss, metric) in &self.parts {
            let mut u = vec![0.0; rho.len()];
            loss.gradient(rho, &mut u);
            root.push(*weight, metric.at(rho, backend)?, Some(u));
        }
        Ok(Box::new(root))
    }

    fn name(&self) -> &'static str {
        "sum"
    }
}
