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
    /// if there are transforms. The factors are those of all parameters, also of those that bounds hold.
    ///
    /// # Errors
    /// Fails as [`adjoint`](Self::adjoint) does, if the layers do not hold every parameter once, in order, or if the factors of a layer
    /// are not square matrices of its size.
    pub fn kronecker(&self, w: MatRef<'_, f64>) -> Result<Option<Vec<Kronecker>>> {
        check::length("the rows of an adjoint batch", w.nrows(), self.state_dim())?;
        if !self.chart().is_unscaled() {
            return Ok(None);
        }
        let factors = self.sensitivity.kronecker(w)?;
        if let Some(factors) = &factors {
            check_layers(factors, self.sensitivity.param_dim())?;
        }
        if factors.is_some() && self.takes_solves() {
            self.count_adjoints(w.ncols());
        }
        Ok(factors)
    }
}

/// Checks that layers hold all of these parameters, one layer after the other, and that their factors fit.
fn check_layers(layers: &[Kronecker], parameters: usize) -> Result<()> {
    let mut end = 0;
    for Kronecker { range, right, left } in layers {
        check::length("the first parameter of a layer", range.start, end)?;
        let (rows, columns) = (left.nrows(), right.nrows());
        check::length(
            "the columns of a factor A of a layer",
            right.ncols(),
            columns,
        )?;
        check::length("the columns of a factor B of a layer", left.ncols(), rows)?;
        let what = "the parameters of a layer, which has the factors A and B,";
        check::length(what, range.len(), rows * columns)?;
        for factor in [right, left] {
            let mut columns = factor.col_iter();
            columns.try_for_each(|column| {
                let entries: Vec<f64> = column.iter().copied().collect();
                check::finite("a factor of a layer", &entries)
            })?;
        }
        end = range.end;
    }
    check::length("the parameters of all layers", end, parameters)
}
