//! Several losses as one: a weighted sum over parts of the state.

use std::ops::Range;

use faer::{Mat, MatRef};

use crate::check;
use crate::error::Result;
use crate::linalg::{Backend, Cpu};
use crate::loss::{Loss, Misfit, StackedScores, gradient_of, value_of};
use crate::metric::{BlocksRoot, Metric, Root, scaled_root};

/// Loss of one experiment, and its entries of the common state.
pub(super) struct LossPart<'a> {
    pub(super) loss: &'a dyn Loss,
    pub(super) range: Range<usize>,
}

/// Weighted sum w Σ fᵢ(ρᵢ) over parts ρᵢ of the state.
pub(super) struct SumLoss<'a> {
    pub(super) parts: Vec<LossPart<'a>>,
    pub(super) weight: f64,
}

impl Loss for SumLoss<'_> {
    fn value(&self, rho: &[f64]) -> f64 {
        value_of(self, rho)
    }

    fn gradient(&self, rho: &[f64], out: &mut [f64]) {
        gradient_of(self, rho, out);
    }

    fn metric(&self) -> Option<Box<dyn Metric + '_>> {
        let mut parts = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            parts.push((part.range.clone(), part.loss.metric()?));
        }
        let weight = self.weight;
        Some(Box::new(SumMetric { parts, weight }))
    }

    fn data(&self) -> Option<usize> {
        self.parts.iter().map(|part| part.loss.data()).sum()
    }

    fn scores(&self, rho: &[f64], v: MatRef<'_, f64>) -> Result<Option<Mat<f64>>> {
        let cpu = Cpu::shared();
        self.at(rho, cpu)?.scores(v, cpu)
    }

    fn check(&self, rho: &[f64]) -> Result<()> {
        let states = self.parts.last().map_or(0, |part| part.range.end);
        check::length("the state of a batch", rho.len(), states)?;
        let mut parts = self.parts.iter();
        parts.try_for_each(|part| part.loss.check(&rho[part.range.clone()]))
    }

    fn at<'a>(&'a self, rho: &[f64], backend: &dyn Backend) -> Result<Box<dyn Misfit + 'a>> {
        self.check(rho)?;
        let part = |part: &'a LossPart<'_>| {
            let rho = rho[part.range.clone()].to_vec();
            Ok(MisfitPart {
                misfit: part.loss.at(&rho, backend)?,
                metric: part.loss.metric(),
                range: part.range.clone(),
                rho,
            })
        };
        Ok(Box::new(SumMisfit {
            parts: self.parts.iter().map(part).collect::<Result<_>>()?,
            weight: self.weight,
        }))
    }
}

/// Prepared loss of one experiment.
struct MisfitPart<'a> {
    misfit: Box<dyn Misfit + 'a>,
    metric: Option<Box<dyn Metric + 'a>>,
    rho: Vec<f64>,
    range: Range<usize>,
}

impl MisfitPart<'_> {
    /// Returns the root of the metric of the loss, if it has one.
    fn root<'m>(&'m self, backend: &'m dyn Backend) -> Result<Option<Box<dyn Root + 'm>>> {
        match (self.misfit.root(backend)?, &self.metric) {
            (Some(own), _) => Ok(Some(own)),
            (None, Some(metric)) => metric.at(&self.rho, backend).map(Some),
            (None, None) => Ok(None),
        }
    }
}

/// Prepared sum of losses.
struct SumMisfit<'a> {
    parts: Vec<MisfitPart<'a>>,
    weight: f64,
}

impl Misfit for SumMisfit<'_> {
    fn value(&self) -> f64 {
        let values = self.parts.iter().map(|part| part.misfit.value());
        self.weight * values.sum::<f64>()
    }

    fn covector(&self, backend: &dyn Backend) -> Result<Vec<f64>> {
        let mut covector = Vec::new();
        for part in &self.parts {
            let own = part.misfit.covector(backend)?;
            check::length("the covector of a loss", own.len(), part.range.len())?;
            covector.extend(own.iter().map(|u| self.weight * u));
        }
        Ok(covector)
    }

    fn root<'m>(&'m self, backend: &'m dyn Backend) -> Result<Option<Box<dyn Root + 'm>>> {
        let mut roots = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let Some(root) = part.root(backend)? else {
                return Ok(None);
            };
            roots.push(scaled_root(self.weight, root));
        }
        Ok(Some(Box::new(BlocksRoot::new(roots))))
    }

    fn hessian(&self, v: MatRef<'_, f64>, backend: &dyn Backend) -> Result<Option<Mat<f64>>> {
        let mut out = Mat::zeros(v.nrows(), v.ncols());
        for part in &self.parts {
            let own = v.subrows(part.range.start, part.range.len());
            let Some(product) = part.misfit.hessian(own, backend)? else {
                return Ok(None);
            };
            let mut target = out.as_mut().subrows_mut(part.range.start, part.range.len());
            target.copy_from(self.weight * product);
        }
        Ok(Some(out))
    }

    fn scores(&self, v: MatRef<'_, f64>, backend: &dyn Backend) -> Result<Option<Mat<f64>>> {
        let mut scores = StackedScores::default();
        for part in &self.parts {
            let own = v.subrows(part.range.start, part.range.len());
            let root = || part.root(backend);
            if !scores.push(self.weight, part.misfit.scores(own, backend)?, root, own)? {
                return Ok(None);
            }
        }
        Ok(scores.finish(v.ncols()))
    }

    fn rounding(&self) -> f64 {
        let changes = self.parts.iter().map(|part| part.misfit.rounding());
        self.weight * changes.sum::<f64>()
    }
}

/// Metric of the sum: block diagonal, with the blocks w Mᵢ.
pub(super) struct SumMetric<'a> {
    pub(super) parts: Vec<(Range<usize>, Box<dyn Metric + 'a>)>,
    pub(super) weight: f64,
}

impl Metric for SumMetric<'_> {
    fn at<'a>(&'a self, rho: &'a [f64], backend: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        let root = |(range, metric): &'a (Range<usize>, Box<dyn Metric + '_>)| {
            let root = metric.at(&rho[range.clone()], backend)?;
            Ok(scaled_root(self.weight, root))
        };
        let roots = self.parts.iter().map(root).collect::<Result<_>>()?;
        Ok(Box::new(BlocksRoot::new(roots)))
    }

    fn name(&self) -> &'static str {
        self.parts
            .first()
            .map_or("sum", |(_, metric)| metric.name())
    }
}
