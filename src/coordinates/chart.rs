//! Reduced coordinates ξ of the free parameters.

use faer::prelude::Reborrow;
use faer::{Mat, MatMut, MatRef};
use serde::{Deserialize, Serialize};

/// Linearised map from the reduced variables ξ to θ: dθᵢ = scaleᵢ dξ_j for the j-th free parameter i = free_j.
///
/// The parameters that are not free are fixed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Chart {
    /// Indices of the free parameters, in increasing order.
    pub(crate) free: Vec<usize>,
    /// Slope dθᵢ/dξ of every parameter, free or not.
    pub(crate) scale: Vec<f64>,
}

impl Chart {
    /// Returns the chart with ξ = θ: all parameters are free and unscaled.
    pub(crate) fn identity(p: usize) -> Self {
        Self {
            free: (0..p).collect(),
            scale: vec![1.0; p],
        }
    }

    /// Returns whether all parameters are free and unscaled, so that ξ = θ.
    pub(crate) fn is_identity(&self) -> bool {
        self.free.len() == self.scale.len() && self.is_unscaled()
    }

    /// Returns whether the free parameters are unscaled.
    pub(crate) fn is_unscaled(&self) -> bool {
        self.scale.iter().all(|&s| s == 1.0)
    }

    /// Maps tangent vectors, the columns of `v`, from the reduced variables ξ to θ.
    pub(crate) fn embed(&self, v: MatRef<'_, f64>) -> Mat<f64> {
        // Let D = diag(scale). A matrix G in θ becomes D G D in ξ, and a gradient ∇f becomes D∇f. The
        // undamped step −D·(DGD)⁻¹D∇f = −G⁻¹∇f does not depend on the scale, but a step damped by a multiple
        // of I does.
        let mut out = Mat::zeros(self.scale.len(), v.ncols());
        for (row, &i) in self.free.iter().enumerate() {
            for j in 0..v.ncols() {
                out[(i, j)] = self.scale[i] * v[(row, j)];
            }
        }
        out
    }

    /// Maps covectors, the columns of `w`, from θ to ξ by the transpose of [`embed`](Chart::embed).
    pub(crate) fn restrict(&self, w: MatRef<'_, f64>) -> Mat<f64> {
        // ⟨w, dθ⟩ = Σ_j w_{free_j} scale_{free_j} dξ_j.
        let mut out = Mat::zeros(self.free.len(), w.ncols());
        self.restrict_into(w, out.as_mut());
        out
    }

    /// Writes the result of [`restrict`](Chart::restrict) into `out`.
    pub(crate) fn restrict_into(&self, w: MatRef<'_, f64>, out: MatMut<'_, f64>) {
        for (out, w) in out.col_iter_mut().zip(w.rb().col_iter()) {
            for (out, &i) in out.iter_mut().zip(&self.free) {
                *out = self.scale[i] * w[i];
            }
        }
    }
}
