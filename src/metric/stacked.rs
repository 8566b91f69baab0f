//! Weighted sums of metrics: M = Σ wᵢ Mᵢ, L = the √wᵢ Lᵢ on top of each other.

use faer::{Mat, MatRef};

use super::{Metric, Root};
use crate::backend::Backend;
use crate::check;
use crate::error::{Error, Result};

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
}

/// L = [√wᵢ Lᵢ].
pub(crate) struct StackedRoot<'a> {
    dim: usize,
    parts: Vec<Part<'a>>,
}

impl<'a> StackedRoot<'a> {
    pub(crate) fn new(dim: usize) -> Self {
        Self {
            dim,
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
        self.parts.push(Part {
            weight: weight.sqrt(),
            root,
            covector,
        });
    }

    fn sizes(&self) -> Result<Vec<usize>> {
        let one = Mat::zeros(self.dim, 1);
        let rows = |p: &Part<'_>| Ok(p.root.lift(one.as_ref())?.nrows());
        self.parts.iter().map(rows).collect()
    }

    /// y = [√wᵢ dualᵢ(uᵢ)], if the parts know their covectors and what they see of them adds up to c.
    fn dual_by_parts(&self, c: &[f64]) -> Option<Vec<f64>> {
        let mut sum = vec![0.0; c.len()];
        let mut y = Vec::new();
        for part in &self.parts {
            let mut u = part.covector.clone()?;
            y.extend(part.root.dual(&u).ok()?.iter().map(|y| part.weight * y));
            part.root.project(&mut u);
            let square = part.weight * part.weight;
            sum.iter_mut().zip(&u).for_each(|(s, u)| *s += square * u);
        }
        close(&sum, c).then_some(y)
    }

    /// y = [0, …, dualᵢ(c)/√wᵢ, …, 0] for the first part that sees all of c.
    fn dual_by_one(&self, c: &[f64]) -> Result<Vec<f64>> {
        let sizes = self.sizes()?;
        for (i, part) in self.parts.iter().enumerate() {
            let mut seen = c.to_vec();
            part.root.project(&mut seen);
            let Some(dual) = part.root.dual(c).ok().filter(|_| close(&seen, c)) else {
                continue;
            };
            let before: usize = sizes[..i].iter().sum();
            let mut y = vec![0.0; sizes.iter().sum()];
            for (y, d) in y[before..].iter_mut().zip(dual) {
                *y = d / part.weight;
            }
            return Ok(y);
        }
        Err(Error::NotInRange {
            metric: "sum",
            distance: 1.0,
        })
    }
}

/// Equal to rounding.
fn close(a: &[f64], b: &[f64]) -> bool {
    let size = b.iter().fold(0.0_f64, |m, b| m.max(b.abs()));
    a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-8 * size)
}

impl Root for StackedRoot<'_> {
    fn dim(&self) -> usize {
        self.dim
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
        let mut out = Mat::zeros(self.dim, y.ncols());
        let mut row = 0;
        for (part, rows) in self.parts.iter().zip(self.sizes()?) {
            out += part.weight * part.root.lower(y.subrows(row, rows))?;
            row += rows;
        }
        Ok(out)
    }

    fn apply(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let mut out = Mat::zeros(self.dim, z.ncols());
        for part in &self.parts {
            out += part.weight * part.weight * part.root.apply(z)?;
        }
        Ok(out)
    }

    fn dual(&self, c: &[f64]) -> Result<Vec<f64>> {
        let mut c = c.to_vec();
        self.project(&mut c);
        match self.dual_by_parts(&c) {
            Some(y) => Ok(y),
            None => self.dual_by_one(&c),
        }
    }

    /// The projection that all parts have in common; parts with different ones together see all tangents.
    fn project(&self, c: &mut [f64]) {
        let projected = |part: &Part<'_>| {
            let mut own = c.to_vec();
            part.root.project(&mut own);
            own
        };
        let all: Vec<Vec<f64>> = self.parts.iter().map(projected).collect();
        if let [first, others @ ..] = &all[..]
            && others.iter().all(|other| close(other, first))
        {
            c.copy_from_slice(first);
        }
    }
}
