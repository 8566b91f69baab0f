//! Weighted sums of metrics: M = Σ wᵢ Mᵢ, L = the √wᵢ Lᵢ on top of each other.

use faer::sparse::SparseColMat;
use faer::{Mat, MatRef};

use super::{LocalForm, Metric, Root, check_covector, check_lifted};
use crate::error::{Error, Result};
use crate::linalg::{Backend, Batch};
use crate::vector::{dot, largest};
use crate::{check, random};

/// The sum Σ wᵢ Mᵢ of metrics with positive weights.
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
            root.push(*weight, metric.at(rho, backend)?, None);
        }
        Ok(Box::new(root))
    }

    fn name(&self) -> &'static str {
        "sum"
    }
}

/// One summand: √w, its root and, if known, its share of the covector.
struct Part<'a> {
    weight: f64,
    root: Box<dyn Root + 'a>,
    covector: Option<Vec<f64>>,
    /// What its projection makes of the probe, by which projections are told apart.
    projected: Vec<f64>,
}

/// L = [√wᵢ Lᵢ].
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

    /// Adds a summand; `covector` is the gradient uᵢ of the loss it belongs to, of total Σ wᵢ uᵢ.
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

    /// The part whose projection all others share; parts with different ones together see all tangents.
    fn common(&self) -> Option<&Part<'a>> {
        let first = self.parts.first()?;
        let same = |part: &Part<'_>| close(&part.projected, &first.projected);
        self.parts.iter().all(same).then_some(first)
    }

    /// Whether a part alone may represent a covector: it projects as the whole does.
    fn may_stand_alone(&self, part: &Part<'_>) -> bool {
        let whole = self.common().map_or(&self.probe, |first| &first.projected);
        close(&part.projected, whole)
    }

    fn sizes(&self) -> Vec<usize> {
        self.parts.iter().map(|p| p.root.lifted_dim()).collect()
    }

    /// y = [√wᵢ dualᵢ(uᵢ)], if the parts know their covectors and these add up to c.
    fn dual_by_parts(&self, c: &[f64]) -> Option<Vec<f64>> {
        if !self.parts.iter().all(|part| self.may_stand_alone(part)) {
            return None;
        }
        let mut sum = vec![0.0; c.len()];
        let mut y = Vec::new();
        for part in &self.parts {
            let u = part.covector.as_ref()?;
            y.extend(part.root.dual(u).ok()?.iter().map(|y| part.weight * y));
            let square = part.weight * part.weight;
            sum.iter_mut().zip(u).for_each(|(s, u)| *s += square * u);
        }
        self.project(&mut sum);
        close(&sum, c).then_some(y)
    }

    /// y = [0, …, dualᵢ(c)/√wᵢ, …, 0] for the first part that sees all of c.
    fn dual_by_one(&self, c: &[f64]) -> Option<Vec<f64>> {
        let sizes = self.sizes();
        for (i, part) in self.parts.iter().enumerate() {
            if !self.may_stand_alone(part) {
                continue;
            }
            if let Ok(dual) = part.root.dual(c) {
                let before: usize = sizes[..i].iter().sum();
                let mut y = vec![0.0; sizes.iter().sum()];
                for (y, d) in y[before..].iter_mut().zip(dual) {
                    *y = d / part.weight;
                }
                return Some(y);
            }
        }
        None
    }

    /// y = L x with M x = c by conjugate gradients, when only all parts together see c.
    fn dual_by_all(&self, c: &[f64]) -> Result<Vec<f64>> {
        let n = c.len();
        let column = |v: &[f64]| Mat::from_fn(n, 1, |i, _| v[i]);
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
            // Also NaN ends it: nothing more can be learned along p.
            if curvature.is_nan() || curvature <= 0.0 {
                break;
            }
            let alpha = square / curvature;
            x.iter_mut().zip(&p).for_each(|(x, p)| *x += alpha * p);
            let moved = r.iter_mut().zip(mp.col_as_slice(0));
            moved.for_each(|(r, m)| *r -= alpha * m);
            let last = std::mem::replace(&mut square, dot(&r, &r));
            p.iter_mut()
                .zip(&r)
                .for_each(|(p, r)| *p = r + square / last * *p);
        }
        Err(Error::NotRepresented {
            residual: (square / size).sqrt(),
        })
    }
}

/// A covector counts as represented when this fraction of it or less is missed.
const IN_RANGE: f64 = 1e-11;

/// Equal to rounding.
fn close(a: &[f64], b: &[f64]) -> bool {
    let size = largest(b);
    a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-8 * size)
}

impl Root for StackedRoot<'_> {
    fn dim(&self) -> usize {
        self.probe.len()
    }

    fn lifted_dim(&self) -> usize {
        self.sizes().iter().sum()
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
        let mut out = Mat::zeros(self.dim(), y.ncols());
        let sizes = self.sizes();
        check_lifted(y, sizes.iter().sum())?;
        let mut row = 0;
        for (part, rows) in self.parts.iter().zip(sizes) {
            out += part.weight * part.root.lower(y.subrows(row, rows))?;
            row += rows;
        }
        Ok(out)
    }

    /// A sum is made on the processor; one part alone may stay where it is.
    fn lower_batch(&self, y: Mat<f64>) -> Result<Batch> {
        let [part] = self.parts.as_slice() else {
            return self.lower(y.as_ref()).map(Batch::Here);
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

    /// The sum, where every part is written out itself and not by its inverse.
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
