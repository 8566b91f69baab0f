//! Kronecker factors of the curvature of layered models.

use std::ops::Range;

use faer::{Mat, MatRef};

use super::Linearisation;
use crate::check;
use crate::error::Result;

/// Kronecker factors A and B of a block of ZᵀMZ for the parameters of one layer z = V a: the block is about A ⊗ B.
///
/// The parameters of the layer are the columns of V, one after the other. With the derivative δ = ∂ρ/∂z pulled back from a
/// sample, the gradient of V is δ aᵀ, and the block is the sum over samples of E[a aᵀ ⊗ δ δᵀ]. Martens and Grosse (2015,
/// section 3) take the mean of a aᵀ and the sum of δ δᵀ apart, as if both were independent.
#[derive(Clone, Debug, PartialEq)]
pub struct Kronecker {
    /// Indices of the parameters of the layer.
    pub range: Range<usize>,
    /// Mean A of a aᵀ over the samples.
    pub right: Mat<f64>,
    /// Sum B of δ δᵀ over the samples, averaged over the covectors.
    pub left: Mat<f64>,
}

impl Linearisation<'_> {
    /// Returns the Kronecker factors of all layers for covectors W of the state (see
    /// [`Sensitivity::kronecker`](super::Sensitivity::kronecker)), by one adjoint solve per column. Returns None if the model has no layers, or
    /// if not all of its parameters are free and without transforms.
    ///
    /// # Errors
    /// Fails as [`adjoint`](Self::adjoint) does.
    pub fn kronecker(&self, w: MatRef<'_, f64>) -> Result<Option<Vec<Kronecker>>> {
        check::length("the rows of an adjoint batch", w.nrows(), self.state_dim())?;
        if !self.chart().is_identity() {
            return Ok(None);
        }
        let factors = self.sensitivity.kronecker(w)?;
        if factors.is_some() && self.takes_solves() {
            self.count_adjoints(w.ncols());
        }
        Ok(factors)
    }
}
