//! Weighted sums of metrics: M = Σ wᵢ Mᵢ, with the stacked root L of the blocks √wᵢ Lᵢ.

use faer::sparse::SparseColMat;
use faer::{Mat, MatRef};

use super::{LocalForm, Metric, Root, check_covector, check_lifted};
use crate::check;
use crate::error::{Error, Result};
use crate::linalg::{Backend, Batch};
use crate::model::Clouds;
use crate::random;
use crate::vector::{dot, largest};

/// Sum Σ wᵢ Mᵢ of metrics with positive weights.
#[derive(Default)]
pub struct Stacked<'a> {
    parts: Vec<(f64, Box<dyn Metric + 'a>)>,
}

impl<'a> Stacked<'a> {
    /// Adds `weight` times a metric.
    #[must_use]
    pub fn add(mut self, weight: f64, metric: impl Metric + 'a) -> Self {
        self.parts.push((weight, Box::new(metric)));
        self
    }
}

impl Metric for Stacked<'_> {
    fn at<'a>(&'a self, rho: &'a [f64], backend: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        let count = self.parts.len();
        check::option(
            "the number of metrics in a sum",
            count as f64,
            count > 0,
            "add one",
        )?;
        let mut root = StackedRoot::new(rho.len());
        for (weight, metric) in &self.parts {
            check::positive("the weight of a metric in a sum", &[*weight])?;
            Clouds::check(self.clouds(), metric.clouds())?;
            root.push(*weight, metric.at(rho, backend)?, None);
        }
        Ok(Box::new(root))
    }

    fn name(&self) -> &'static str {
        "sum"
    }

    fn clouds(&self) -> Option<Clouds> {
        self.parts.iter().find_map(|(_, metric)| metric.clouds())
    }
}

/// Summand wᵢMᵢ: the weight √wᵢ, the root Lᵢ and, if known, the part uᵢ of the covector.
struct Part<'a> {
    weight: f64,
    root: Box<dyn Root + 'a>,
    covector: Option<Vec<f64>>,
    /// Image of the probe under the projection of the summand. Different projections give different images.
    projected: Vec<f64>,
}

/// Stacked root L = [√wᵢ Lᵢ].
pub(crate) struct StackedRoot<'a> {
    probe: Vec<f64>,
    parts: Vec<Part<'a>>,
}

impl<'a> StackedRoot<'a> {
    pub(crate) fn new(dim: usize) -> Self {
        Self {
            probe: random::normal(dim, 0x57AC, 0),
            parts: Vec::new(),
        }
    }

    /// Adds a summand. `covector` is the gradient uᵢ of the loss of the summand. The total covector is Σ wᵢ uᵢ.
    pub(crate) fn push(
        &mut self,
        weight: f64,
        root: Box<dyn Root + 'a>,
        covector: Option<Vec<f64>>,
    ) {
        let mut projected = self.probe.clone();
        root.project(&mut projected);
        self.parts.push(Part {
            weight: weight.sqrt(),
            root,
            covector,
            projected,
        });
    }

    /// Returns a part if all parts have the same projection. Parts with different projections together act on all
    /// tangents, so that the sum has no projection.
    fn common(&self) -> Option<&Part<'a>> {
        // Projections are available only as products. Two different projections agree only on a proper
        // subspace, which a Gaussian random vector avoids with probability one. One random probe therefore
        // decides whether they are equal.
        let first = self.parts.first()?;
        let same = |part: &Part<'_>| close(&part.projected, &first.projected);
        self.parts.iter().all(same).then_some(first)
    }

    /// Returns whether a part has the projection of the sum, and thus may represent a covector alone.
    fn projects_as_sum(&self, part: &Part<'_>) -> bool {
        // Since both are semidefinite, M₁ + M₂ vanishes only where both do. A tangent that one projection
        // removes is measured by the part that keeps it: the sum has the projection I, and the image of the
        // probe is the probe itself.
        let expected = self.common().map_or(&self.probe, |first| &first.projected);
        close(&part.projected, expected)
    }

    fn lifted_dims(&self) -> Vec<usize> {
        self.parts.iter().map(|p| p.root.lifted_dim()).collect()
    }

    /// Returns y = [√wᵢ dualᵢ(uᵢ)] for the covectors uᵢ of the parts, or None if one is unknown or Lᵀy ≠ c.
    fn dual_by_parts(&self, c: &[f64]) -> Option<Vec<f64>> {
        // Lᵀy = Σ √wᵢ Lᵢᵀ √wᵢ dualᵢ(uᵢ) = Σ wᵢ Πᵢᵀuᵢ.
        let mut sum = vec![0.0; c.len()];
        let mut y = Vec::new();
        for part in &self.parts {
            let mut u = part.covector.clone()?;
            y.extend(part.root.dual(&u).ok()?.iter().map(|y| part.weight * y));
            part.root.project(&mut u);
            let square = part.weight * part.weight;
            sum.iter_mut().zip(u).for_each(|(s, u)| *s += square * u);
        }
        close(&sum, c).then_some(y)
    }

    /// Returns y = [0, …, dualᵢ(c)/√wᵢ, …, 0] for the first part whose range contains c.
    fn dual_by_one(&self, c: &[f64]) -> Option<Vec<f64>> {
        let lifted_dims = self.lifted_dims();
        for (i, part) in self.parts.iter().enumerate() {
            if !self.projects_as_sum(part) {
                continue;
            }
            if let Ok(dual) = part.root.dual(c) {
                let before: usize = lifted_dims[..i].iter().sum();
                let mut y = vec![0.0; lifted_dims.iter().sum()];
                for (y, d) in y[before..].iter_mut().zip(dual) {
                    *y = d / part.weight;
                }
                return Some(y);
            }
        }
        None
    }

    /// Returns y = L x, where M x = c is solved by conjugate gradients, for a covector c that no single part
    /// represents.
    fn dual_by_all(&self, c: &[f64]) -> Result<Vec<f64>> {
        let n = c.len();
        let column = |v: &[f64]| Mat::from_fn(n, 1, |i, _| v[i]);
        // Lᵀ(L x) = M x = c, so y = L x is a dual. Conjugate gradients (Hestenes and Stiefel 1952) stay in
        // the range of M, where M is positive definite, and end after at most n steps in exact arithmetic; 2n
        // allows for rounding. M is matrix-free, and each product may cost one solve per part. The method is
        // therefore the last resort.
        let (mut x, mut r) = (vec![0.0; n], c.to_vec());
        let mut p = r.clone();
        let (size, mut square) = (dot(c, c), dot(c, c));
        for _ in 0..=2 * n {
            if square <= IN_RANGE * IN_RANGE * size {
                let y = self.lift(column(&x).as_ref())?;
                return Ok(y.col_as_slice(0).to_vec());
            }
            let mp = self.apply(column(&p).as_ref())?;
            let curvature = dot(&p, mp.col_as_slice(0));
            // A curvature that is zero or NaN ends the iteration: M is singular along p.
            if curvature.is_nan() || curvature <= 0.0 {
                break;
            }
            let alpha = square / curvature;
            x.iter_mut().zip(&p).for_each(|(x, p)| *x += alpha * p);
            let updates = r.iter_mut().zip(mp.col_as_slice(0));
            updates.for_each(|(r, m)| *r -= alpha * m);
            let previous = std::mem::replace(&mut square, dot(&r, &r));
            p.iter_mut()
                .zip(&r)
                .for_each(|(p, r)| *p = r + square / previous * *p);
        }
        Err(Error::NotRepresented {
            residual: (square / size).sqrt(),
        })
    }
}

/// Relative residual below which a covector counts as represented.
// The solves within L and M are themselves accurate to 10⁻¹¹ by default (`Cpu::krylov_tolerance`): a smaller
// residual could not be trusted.
const IN_RANGE: f64 = 1e-11;

/// Returns whether a and b are equal up to rounding.
fn close(a: &[f64], b: &[f64]) -> bool {
    let size = largest(b);
    a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-8 * size)
}

impl Root for StackedRoot<'_> {
    fn dim(&self) -> usize {
        self.probe.len()
    }

    fn lifted_dim(&self) -> usize {
        self.lifted_dims().iter().sum()
    }

    fn size(&self) -> Option<f64> {
        let size = |p: &Part<'_>| p.root.size().map(|size| (p.weight * size).powi(2));
        let squares: Option<Vec<f64>> = self.parts.iter().map(size).collect();
        squares.map(|squares| squares.iter().sum::<f64>().sqrt())
    }

    fn lengths(&self, z: MatRef<'_, f64>) -> Result<Option<Vec<f64>>> {
        let lengths = self.parts.iter().map(|p| p.root.lengths(z));
        let lengths: Vec<_> = lengths.collect::<Result<_>>()?;
        if lengths.iter().all(Option::is_none) {
            return Ok(None);
        }
        let mut squares = vec![0.0; z.ncols()];
        for (part, lengths) in self.parts.iter().zip(lengths) {
            let lengths = match lengths {
                Some(lengths) => lengths,
                None => (part.root.lift(z)?.col_iter())
                    .map(|y| y.norm_l2())
                    .collect(),
            };
            let sums = squares.iter_mut().zip(lengths);
            sums.for_each(|(sum, length)| *sum += (part.weight * length).powi(2));
        }
        Ok(Some(squares.iter().map(|s: &f64| s.sqrt()).collect()))
    }

    fn lift(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let lift = |p: &Part<'_>| Ok(p.weight * p.root.lift(z)?);
        let lifted = self.parts.iter().map(lift).collect::<Result<Vec<_>>>()?;
        let mut out = Mat::zeros(lifted.iter().map(|y| y.nrows()).sum(), z.ncols());
        let mut row = 0;
        for y in &lifted {
            out.as_mut().subrows_mut(row, y.nrows()).copy_from(y);
            row += y.nrows();
        }
        Ok(out)
    }

    fn lower(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>> {
        // Lᵀy = Σ √wᵢ Lᵢᵀyᵢ for the blocks yᵢ of y.
        let mut out = Mat::zeros(self.dim(), y.ncols());
        let lifted_dims = self.lifted_dims();
        check_lifted(y, lifted_dims.iter().sum())?;
        let mut row = 0;
        for (part, rows) in self.parts.iter().zip(lifted_dims) {
            out += part.weight * part.root.lower(y.subrows(row, rows))?;
            row += rows;
        }
        Ok(out)
    }

    /// Returns Lᵀ Y. Several parts are added on the CPU, whereas the product of a single part may remain on
    /// its device.
    fn lower_batch(&self, y: Mat<f64>) -> Result<Batch> {
        let [part] = self.parts.as_slice() else {
            return self.lower(y.as_ref()).map(Batch::Host);
        };
        let mut lowered = part.root.lower_batch(y)?;
        lowered.scale(part.weight)?;
        Ok(lowered)
    }

    fn apply(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let mut out = Mat::zeros(self.dim(), z.ncols());
        for part in &self.parts {
            out += part.weight * part.weight * part.root.apply(z)?;
        }
        Ok(out)
    }

    fn dual(&self, c: &[f64]) -> Result<Vec<f64>> {
        check_covector(c, self.dim())?;
        let mut c = c.to_vec();
        self.project(&mut c);
        if let Some(y) = self.dual_by_parts(&c) {
            return Ok(y);
        }
        match self.dual_by_one(&c) {
            Some(y) => Ok(y),
            None => self.dual_by_all(&c),
        }
    }

    /// Returns the sum of the matrices wᵢMᵢ, or None unless every part has a sparse Mᵢ (not only a sparse
    /// inverse).
    fn local_form(&self) -> Option<LocalForm> {
        let mut sum: Option<SparseColMat<usize, f64>> = None;
        for part in &self.parts {
            let form = part.root.local_form()?.scaled(part.weight * part.weight);
            let LocalForm::Metric(m) = form else {
                return None;
            };
            sum = Some(match sum {
                None => m,
                Some(sum) => sum + m,
            });
        }
        sum.map(LocalForm::Metric)
    }

    fn project(&self, c: &mut [f64]) {
        if let Some(part) = self.common() {
            part.root.project(c);
        }
    }
}
