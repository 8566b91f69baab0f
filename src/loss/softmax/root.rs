//! Root of the Fisher information of logits.

use faer::{Mat, MatRef};

use crate::check;
use crate::error::{Error, Result};
use crate::linalg::share_columns;
use crate::loss;
use crate::metric::{Root, check_covector};
use crate::vector::{dot, norm};

/// Square root L of the metric w (diag p − p pᵀ) of every sample.
//
// With r = √p entry by entry, L = √w diag(r)(I − 1pᵀ) = √w (I − r rᵀ) diag(r): r has unit length, so that I − r rᵀ is an
// orthogonal projection, and LᵀL = w diag(r)(I − r rᵀ)diag(r) = w (diag p − p pᵀ).
pub(super) struct SoftmaxRoot {
    classes: usize,
    /// √w.
    weight: f64,
    /// r = √p for all samples.
    roots: Vec<f64>,
    /// Names of the samples for messages, if they are not their places.
    numbers: Vec<usize>,
}

/// Norm of the part of a covector outside the range of Lᵀ, relative to the covector, that counts as rounding.
const IN_RANGE: f64 = 1e-12;

impl SoftmaxRoot {
    /// Creates the root for this number of classes, the weight w, and the square roots of the probabilities.
    pub(super) fn new(classes: usize, weight: f64, roots: Vec<f64>) -> Self {
        Self {
            classes,
            weight: weight.sqrt(),
            roots,
            numbers: Vec::new(),
        }
    }

    /// Sets the names of the samples for messages.
    pub(super) fn numbered(mut self, numbers: &[usize]) -> Self {
        self.numbers = numbers.to_vec();
        self
    }

    /// Returns the batch with the columns f(column), where f maps the entries of a sample, given its r, in place.
    fn map(
        &self,
        what: &'static str,
        x: MatRef<'_, f64>,
        f: impl Fn(&[f64], &mut [f64]) + Sync,
    ) -> Result<Mat<f64>> {
        check::length(what, x.nrows(), self.dim())?;
        let mut out = x.to_owned();
        share_columns(out.as_mut(), |_, column| {
            // The columns of an owned matrix are contiguous.
            if let Some(column) = column.try_as_col_major_mut() {
                let samples = column.as_slice_mut().chunks_exact_mut(self.classes);
                let pairs = self.roots.chunks_exact(self.classes).zip(samples);
                pairs.for_each(|(r, x)| f(r, x));
            }
        });
        Ok(out)
    }
}

impl Root for SoftmaxRoot {
    fn dim(&self) -> usize {
        self.roots.len()
    }

    fn lift(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let what = "the rows of a tangent batch given to a metric";
        self.map(what, z, |r, z| {
            // √w (I − r rᵀ) diag(r) z = √w diag(r)(z − 1pᵀz). Changes relative to that of the likeliest class cancel exactly where
            // all are equal, and keep their digits where the sample is almost certain.
            let base = z[likeliest(r)];
            z.iter_mut().for_each(|z| *z -= base);
            let mean = r.iter().zip(&*z).map(|(r, z)| r * r * z).sum::<f64>();
            let pairs = z.iter_mut().zip(r);
            pairs.for_each(|(z, r)| *z = self.weight * r * (*z - mean));
        })
    }

    fn lower(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let what = "the rows of a lifted batch given to a metric";
        self.map(what, y, |r, y| {
            let (along, last) = (dot(r, y), likeliest(r));
            let pairs = y.iter_mut().zip(r);
            pairs.for_each(|(y, r)| *y = self.weight * r * (*y - along * r));
            // The entries sum to zero, in which that of the likeliest class may be a small difference of large numbers.
            y[last] = 0.0;
            y[last] = -y.iter().sum::<f64>();
        })
    }

    fn dual(&self, c: &[f64]) -> Result<Vec<f64>> {
        check_covector(c, self.dim())?;
        // The range of Lᵀ holds the covectors whose entries sum to zero in every sample, as those of the loss do. For them
        // y = c/(√w r) is orthogonal to r, rᵀy = Σ c/√w = 0, so that Lᵀy = √w diag(r) y = c.
        let sums: Vec<f64> = c
            .chunks_exact(self.classes)
            .map(|c| c.iter().sum())
            .collect();
        let distance = norm(&sums) / norm(c).max(f64::MIN_POSITIVE);
        let y: Vec<f64> = c
            .iter()
            .zip(&self.roots)
            .map(|(c, r)| quotient(*c, self.weight * r))
            .collect();
        if distance > IN_RANGE || !distance.is_finite() {
            return Err(Error::NotInRange {
                metric: "Fisher information",
                distance,
            });
        }
        if let Some(entry) = y.iter().position(|y| !y.is_finite()) {
            let (place, label) = (entry / self.classes, entry % self.classes);
            let sample = self.numbers.get(place).copied().unwrap_or(place);
            return Err(loss::Error::Impossible { sample, label }.into());
        }
        Ok(y)
    }
}

/// Returns the class with the largest probability.
fn likeliest(roots: &[f64]) -> usize {
    let larger = |best: usize, class: usize| {
        if roots[class] > roots[best] {
            class
        } else {
            best
        }
    };
    (1..roots.len()).fold(0, larger)
}

/// Returns c/r, with 0/0 = 0.
fn quotient(c: f64, r: f64) -> f64 {
    if c == 0.0 { 0.0 } else { c / r }
}
