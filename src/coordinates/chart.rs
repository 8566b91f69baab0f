//! Coordinates in which Z is stated.

use faer::prelude::Reborrow;
use faer::{Mat, MatMut, MatRef};

/// Coordinates: θ depends on the reduced variables through dθᵢ = scaleᵢ dξ_j for the i-th free parameter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chart {
    pub(crate) free: Vec<usize>,
    pub(crate) scale: Vec<f64>,
}

impl Chart {
    /// All of θ, as it is.
    pub(crate) fn identity(p: usize) -> Self {
        Self {
            free: (0..p).collect(),
            scale: vec![1.0; p],
        }
    }

    /// Whether the reduced variables are θ itself.
    pub(crate) fn is_identity(&self) -> bool {
        self.free.len() == self.scale.len() && self.scale.iter().all(|&s| s == 1.0)
    }

    /// From reduced variables to θ.
    pub(crate) fn embed(&self, v: MatRef<'_, f64>) -> Mat<f64> {
        let mut out = Mat::zeros(self.scale.len(), v.ncols());
        for (row, &i) in self.free.iter().enumerate() {
            for j in 0..v.ncols() {
                out[(i, j)] = self.scale[i] * v[(row, j)];
            }
        }
        out
    }

    /// Its transpose, for covectors.
    pub(crate) fn restrict(&self, w: MatRef<'_, f64>) -> Mat<f64> {
        let mut out = Mat::zeros(self.free.len(), w.ncols());
        self.restrict_into(w, out.as_mut());
        out
    }

    pub(crate) fn restrict_into(&self, w: MatRef<'_, f64>, out: MatMut<'_, f64>) {
        for (out, w) in out.col_iter_mut().zip(w.rb().col_iter()) {
            for (out, &i) in out.iter_mut().zip(&self.free) {
                *out = self.scale[i] * w[i];
            }
        }
    }
}
