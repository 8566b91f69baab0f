//! Metrics of several states, one after the other.

use std::ops::Range;

use faer::{Mat, MatRef};

use super::{Metric, Root, check_batch, check_covector, check_lifted};
use crate::check;
use crate::error::{Error, Result};
use crate::linalg::Backend;
use crate::model::Clouds;

/// Sum of one metric over states that stand one after the other in ρ, such as densities at several times.
///
/// ```
/// use pullback::metric::{Blocks, Wasserstein2};
/// use pullback::{Cpu, Grid, Metric};
/// let grid = Grid::new(&[(0.0, 1.0, 4)])?;
/// let metric = Blocks::new(Wasserstein2::new(&grid), 3);
/// assert_eq!(metric.at(&[1.0; 12], &Cpu::default())?.dim(), 12);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Blocks<M> {
    metric: M,
    count: usize,
}

impl<M: Metric> Blocks<M> {
    /// Returns the sum of a metric over so many states of equal length.
    pub fn new(metric: M, count: usize) -> Self {
        Self { metric, count }
    }
}

impl<M: Metric> Metric for Blocks<M> {
    fn at<'a>(&'a self, rho: &'a [f64], backend: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        check::option(
            "the number of states of a metric",
            self.count as f64,
            self.count > 0,
            "give at least 1",
        )?;
        let size = rho.len() / self.count;
        check::length(
            "the states of a metric",
            rho.len(),
            size.max(1) * self.count,
        )?;
        let roots = rho.chunks_exact(size);
        let roots = roots.map(|rho| self.metric.at(rho, backend));
        let blocks = BlocksRoot::of_states(roots.collect::<Result<_>>()?, size)?;
        Ok(Box::new(blocks))
    }

    fn name(&self) -> &'static str {
        self.metric.name()
    }

    fn clouds(&self) -> Option<Clouds> {
        Clouds::joined((0..self.count).map(|_| self.metric.clouds()))
    }
}

/// Sum of metrics over states of equal length that stand one after the other in ρ, one for each.
///
/// [`Blocks`] repeats one metric instead.
///
/// ```
/// use pullback::metric::{Each, L2};
/// use pullback::{Cpu, Metric, faer::mat};
/// let metric = Each::new(vec![L2 { volume: 1.0 }, L2 { volume: 4.0 }]);
/// let cpu = Cpu::default();
/// let root = metric.at(&[0.0; 4], &cpu)?;
/// let product = root.apply(mat![[1.0], [1.0], [1.0], [1.0]].as_ref())?;
/// assert!((product[(1, 0)] - 1.0).abs() < 1e-15 && (product[(2, 0)] - 4.0).abs() < 1e-15);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Each<M>(Vec<M>);

impl<M: Metric> Each<M> {
    /// Returns the sum of metrics, one for each state.
    pub fn new(metrics: Vec<M>) -> Self {
        Self(metrics)
    }
}

impl<M: Metric> Metric for Each<M> {
    fn at<'a>(&'a self, rho: &'a [f64], backend: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        check::option(
            "the number of states of a metric",
            self.0.len() as f64,
            !self.0.is_empty(),
            "give at least 1",
        )?;
        let size = (rho.len() / self.0.len()).max(1);
        check::length("the states of a metric", rho.len(), size * self.0.len())?;
        let parts = self.0.iter().zip(rho.chunks_exact(size));
        let roots = parts.map(|(metric, rho)| metric.at(rho, backend));
        let blocks = BlocksRoot::of_states(roots.collect::<Result<_>>()?, size)?;
        Ok(Box::new(blocks))
    }

    fn name(&self) -> &'static str {
        self.0.first().map_or("none", |metric| metric.name())
    }

    fn clouds(&self) -> Option<Clouds> {
        Clouds::joined(self.0.iter().map(Metric::clouds))
    }
}

/// Metric at several states, one after the other: L is block diagonal.
pub(crate) struct BlocksRoot<'a> {
    roots: Vec<Box<dyn Root + 'a>>,
}

impl<'a> BlocksRoot<'a> {
    /// Creates the root with these blocks.
    pub(crate) fn new(roots: Vec<Box<dyn Root + 'a>>) -> Self {
        Self { roots }
    }

    /// Creates the root at states of this length.
    ///
    /// # Errors
    /// Fails if a block is for states of another length.
    pub(crate) fn of_states(roots: Vec<Box<dyn Root + 'a>>, size: usize) -> Result<Self> {
        match roots.iter().find(|root| root.dim() != size) {
            None => Ok(Self { roots }),
            Some(root) => Err(Error::Dimension {
                what: "the states of a metric",
                expected: root.dim() * roots.len(),
                found: size * roots.len(),
            }),
        }
    }

    /// Returns the blocks with the entries of a covector that belong to them.
    fn entries(&self) -> impl Iterator<Item = (&dyn Root, Range<usize>)> {
        let mut start = 0;
        self.roots.iter().map(move |root| {
            let range = start..start + root.dim();
            start = range.end;
            (root.as_ref(), range)
        })
    }

    /// Applies one product per block, given the numbers of rows that each block takes and returns.
    fn each(
        &self,
        z: MatRef<'_, f64>,
        rows: impl Fn(&dyn Root) -> [usize; 2],
        product: impl Fn(&dyn Root, MatRef<'_, f64>) -> Result<Mat<f64>>,
    ) -> Result<Mat<f64>> {
        let total = |side: usize| self.roots.iter().map(|root| rows(&**root)[side]).sum();
        check_lifted(z, total(0))?;
        let mut out = Mat::zeros(total(1), z.ncols());
        let (mut from, mut to) = (0, 0);
        for root in &self.roots {
            let [taken, given] = rows(&**root);
            let block = product(&**root, z.subrows(from, taken))?;
            out.as_mut().subrows_mut(to, given).copy_from(&block);
            (from, to) = (from + taken, to + given);
        }
        Ok(out)
    }
}

impl Root for BlocksRoot<'_> {
    fn dim(&self) -> usize {
        self.roots.iter().map(|root| root.dim()).sum()
    }

    fn lifted_dim(&self) -> usize {
        self.roots.iter().map(|root| root.lifted_dim()).sum()
    }

    fn lift(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.each(
            z,
            |root| [root.dim(), root.lifted_dim()],
            |root, z| root.lift(z),
        )
    }

    fn lower(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.each(
            y,
            |root| [root.lifted_dim(), root.dim()],
            |root, y| root.lower(y),
        )
    }

    fn apply(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.each(z, |root| [root.dim(); 2], |root, z| root.apply(z))
    }

    fn lengths(&self, z: MatRef<'_, f64>) -> Result<Option<Vec<f64>>> {
        check_batch(z, self.dim())?;
        let mut squares = vec![0.0; z.ncols()];
        for (root, range) in self.entries() {
            let block = z.subrows(range.start, range.len());
            let Some(lengths) = root.lengths(block)? else {
                return Ok(None);
            };
            squares
                .iter_mut()
                .zip(lengths)
                .for_each(|(s, l)| *s += l * l);
        }
        Ok(Some(squares.into_iter().map(f64::sqrt).collect()))
    }

    fn dual(&self, c: &[f64]) -> Result<Vec<f64>> {
        check_covector(c, self.dim())?;
        let mut out = Vec::with_capacity(self.lifted_dim());
        for (root, range) in self.entries() {
            out.extend(root.dual(&c[range])?);
        }
        Ok(out)
    }

    fn project(&self, c: &mut [f64]) {
        self.entries()
            .for_each(|(root, range)| root.project(&mut c[range]));
    }
}
