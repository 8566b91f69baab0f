//! Layers of a network: the shapes and places of their weights.

use std::ops::Range;

use faer::{Mat, MatRef};

/// Affine map z = W a + b of one layer. Its parameters are the columns of W and then b, one after the other.
//
// In homogeneous coordinates z = [W b] [a; 1]: one product computes the values, one the derivatives, and the last column of
// the matrix of parameters needs no code of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layer {
    /// Number of outputs.
    pub(super) outputs: usize,
    /// Number of inputs.
    pub(super) inputs: usize,
    /// Index of the first parameter.
    pub(super) start: usize,
}

impl Layer {
    /// Returns the layers of a network with these numbers of inputs and of units of every layer.
    pub(super) fn chain(inputs: usize, widths: &[usize]) -> Vec<Self> {
        let (mut inputs, mut start) = (inputs, 0);
        let mut layers = Vec::with_capacity(widths.len());
        for &outputs in widths {
            let layer = Self {
                outputs,
                inputs,
                start,
            };
            (inputs, start) = (outputs, layer.range().end);
            layers.push(layer);
        }
        layers
    }

    /// Returns the indices of the parameters of the layer.
    pub(super) fn range(&self) -> Range<usize> {
        self.start..self.start + self.outputs * (self.inputs + 1)
    }

    /// Returns [W b] of a vector of all parameters.
    pub(super) fn whole<'t>(&self, theta: &'t [f64]) -> MatRef<'t, f64> {
        let own = &theta[self.range()];
        MatRef::from_column_major_slice(own, self.outputs, self.inputs + 1)
    }

    /// Returns W of a vector of all parameters.
    pub(super) fn weights<'t>(&self, theta: &'t [f64]) -> MatRef<'t, f64> {
        self.whole(theta).subcols(0, self.inputs)
    }

    /// Adds the matrix `term`, of the shape of [W b], to the parameters of the layer in `sum`.
    pub(super) fn add_to(&self, sum: &mut [f64], term: &Mat<f64>) {
        let columns = sum[self.range()].chunks_exact_mut(self.outputs);
        for (j, column) in columns.enumerate() {
            let pairs = column.iter_mut().zip(term.col_as_slice(j));
            pairs.for_each(|(sum, term)| *sum += term);
        }
    }
}
