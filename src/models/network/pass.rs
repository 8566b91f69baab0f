//! Passes through a network with some of its samples: values forwards, tangents forwards, covectors backwards.

use std::ops::Range;

use faer::{Mat, MatRef};

use super::Network;
use crate::linalg::{add_product, product};

/// Values of all layers at some samples, kept for derivatives.
pub(super) struct Pass<'a> {
    pub(super) network: &'a Network,
    pub(super) theta: &'a [f64],
    /// Samples of the pass.
    pub(super) samples: Range<usize>,
    /// Inputs [a; 1] of all layers but the first, one column per sample.
    inputs: Vec<Mat<f64>>,
    /// Arguments z of the activations of all hidden layers.
    pub(super) arguments: Vec<Mat<f64>>,
    /// Slopes s′(z) of the activations of all hidden layers.
    pub(super) slopes: Vec<Mat<f64>>,
    /// Values of the last layer.
    pub(super) outputs: Mat<f64>,
}

impl<'a> Pass<'a> {
    /// Computes all values at these samples.
    pub(super) fn new(network: &'a Network, theta: &'a [f64], samples: Range<usize>) -> Self {
        let mut pass = Self {
            network,
            theta,
            samples,
            inputs: Vec::new(),
            arguments: Vec::new(),
            slopes: Vec::new(),
            outputs: Mat::new(),
        };
        let s = network.activation;
        let last = network.layers.len() - 1;
        for (l, layer) in network.layers.iter().enumerate() {
            let mut z = product(layer.whole(theta), pass.input(l));
            if l == last {
                pass.scale(&mut z);
                pass.outputs = z;
                break;
            }
            pass.slopes.push(mapped(&z, |z| s.slope(z)));
            let mut next = Mat::from_fn(z.nrows() + 1, z.ncols(), |_, _| 1.0);
            let values = mapped(&z, |z| s.value(z));
            next.as_mut().subrows_mut(0, z.nrows()).copy_from(values);
            pass.inputs.push(next);
            pass.arguments.push(z);
        }
        pass
    }

    /// Returns the inputs [a; 1] of a layer.
    pub(super) fn input(&self, l: usize) -> MatRef<'_, f64> {
        match l {
            0 => {
                let all = self.network.inputs.as_ref();
                all.subcols(self.samples.start, self.samples.len())
            }
            l => self.inputs[l - 1].as_ref(),
        }
    }

    /// Returns the entries of the state that belong to the samples.
    pub(super) fn entries(&self) -> Range<usize> {
        let classes = self.network.outputs();
        classes * self.samples.start..classes * self.samples.end
    }

    /// Multiplies every output by its scale. The map is diagonal and thus its own transpose.
    fn scale(&self, z: &mut Mat<f64>) {
        if let Some(scales) = &self.network.scales {
            for j in 0..z.ncols() {
                let pairs = z.col_as_slice_mut(j).iter_mut().zip(scales);
                pairs.for_each(|(z, scale)| *z *= scale);
            }
        }
    }

    /// Returns the derivatives dz of all layers along `v`. Those of the last layer are the tangents of the outputs.
    pub(super) fn tangents(&self, v: &[f64]) -> Vec<Mat<f64>> {
        // z_l = [W b] [a; 1] and a = s(z_{l−1}) give dz_l = [dW db] [a; 1] + W (s′ ∘ dz_{l−1}).
        let mut tangents: Vec<Mat<f64>> = Vec::with_capacity(self.network.layers.len());
        for (l, layer) in self.network.layers.iter().enumerate() {
            let mut dz = product(layer.whole(v), self.input(l));
            if let Some(before) = tangents.last() {
                let da = hadamard(before, &self.slopes[l - 1]);
                add_product(dz.as_mut(), layer.weights(self.theta), da.as_ref());
            }
            tangents.push(dz);
        }
        if let Some(last) = tangents.last_mut() {
            self.scale(last);
        }
        tangents
    }

    /// Returns the covectors δ = ∂⟨w, ρ⟩/∂z of all layers, given the entries of w that belong to the samples.
    pub(super) fn covectors(&self, w: &[f64]) -> Vec<Mat<f64>> {
        // δ_{l−1} = s′ ∘ Wᵀδ_l.
        let classes = self.network.outputs();
        let mut delta = MatRef::from_column_major_slice(w, classes, self.samples.len()).to_owned();
        self.scale(&mut delta);
        let mut covectors = vec![delta];
        for (l, layer) in self.network.layers.iter().enumerate().skip(1).rev() {
            let above = &covectors[covectors.len() - 1];
            let back = product(layer.weights(self.theta).transpose(), above.as_ref());
            covectors.push(hadamard(&back, &self.slopes[l - 1]));
        }
        covectors.reverse();
        covectors
    }

    /// Adds ∂⟨w, ρ⟩/∂θ to `sum`, given the entries of w that belong to the samples.
    pub(super) fn add_adjoint(&self, w: &[f64], sum: &mut [f64]) {
        let covectors = self.covectors(w);
        for (l, layer) in self.network.layers.iter().enumerate() {
            let term = product(covectors[l].as_ref(), self.input(l).transpose());
            layer.add_to(sum, &term);
        }
    }
}

/// Returns the matrix of the values of a function.
pub(super) fn mapped(x: &Mat<f64>, f: impl Fn(f64) -> f64) -> Mat<f64> {
    Mat::from_fn(x.nrows(), x.ncols(), |i, j| f(x[(i, j)]))
}

/// Returns the product entry by entry.
pub(super) fn hadamard(a: &Mat<f64>, b: &Mat<f64>) -> Mat<f64> {
    Mat::from_fn(a.nrows(), a.ncols(), |i, j| a[(i, j)] * b[(i, j)])
}
