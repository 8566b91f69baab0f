//! Metrics of several states, one after the other.

use faer::{Mat, MatRef};

use super::{Metric, Root, check_lifted};
use crate::check;
use crate::error::{Error, Result};
use crate::linalg::Backend;

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
        block_root(roots.collect::<Result<_>>()?, size)
    }

    fn name(&self) -> &'static str {
        self.metric.name()
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
        block_root(roots.collect::<Result<_>>()?, size)
    }

    fn name(&self) -> &'static str {
        self.0.first().map_or("none", |metric| metric.name())
    }
}

/// Returns the block diagonal root of metrics at several states of this length, one after the other.
///
/// # Errors
/// Fails if a metric is for states of another length.
fn block_root<'a>(roots: Vec<Box<dyn Root + 'a>>, size: usize) -> Result<Box<dyn Root + 'a>> {
    let wrong = roots.iter().find(|root| root.dim() != size);
    match wrong {
        None => Ok(Box::new(BlocksRoot { size, roots })),
        Some(root) => Err(Error::Dimension {
            what: "the states of a metric",
            expected: root.dim() * roots.len(),
            found: size * roots.len(),
        }),
    }
}

/// Metric at several states: L is block diagonal.
struct BlocksRoot<'a> {
    /// Length of a state.
    size: usize,
    roots: Vec<Box<dyn Root + 'a>>,
}

impl BlocksRoot<'_> {
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
        self.size * self.roots.len()
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

    fn dual(&self, c: &[f64]) -> Result<Vec<f64>> {
        let mut out = Vec::with_capacity(self.lifted_dim());
        for (root, c) in self.roots.iter().zip(c.chunks_exact(self.size)) {
            out.extend(root.dual(c)?);
        }
        Ok(out)
    }

    fn project(&self, c: &mut [f64]) {
        let blocks = self.roots.iter().zip(c.chunks_exact_mut(self.size));
        blocks.for_each(|(root, c)| root.project(c));
    }
}
