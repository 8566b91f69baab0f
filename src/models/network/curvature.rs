//! Curvature of the outputs of a network: derivatives of a backward pass along a tangent.

use faer::{Mat, MatRef};

use super::Network;
use super::blocks::sum_over;
use super::pass::{Pass, hadamard, mapped};
use crate::error::Result;
use crate::linalg::{add_product, product};
use crate::model::adjoint::StateCurvature;

/// Backward pass with some samples, kept for its derivatives.
struct Backward<'p, 'a> {
    pass: &'p Pass<'a>,
    /// Covectors δ = ∂⟨w, ρ⟩/∂z of all layers.
    covectors: Vec<Mat<f64>>,
    /// Products s″(z) ∘ Wᵀδ of all hidden layers.
    bends: Vec<Mat<f64>>,
}

impl<'p, 'a> Backward<'p, 'a> {
    fn new(pass: &'p Pass<'a>, w: &[f64]) -> Self {
        let (network, covectors) = (pass.network, pass.covectors(w));
        let hidden = network.layers.iter().enumerate().skip(1);
        let bends = hidden.map(|(l, layer)| {
            let weights = layer.weights(pass.theta).transpose();
            let back = product(weights, covectors[l].as_ref());
            let bends = mapped(&pass.arguments[l - 1], |z| network.activation.bend(z));
            hadamard(&back, &bends)
        });
        Self {
            bends: bends.collect(),
            pass,
            covectors,
        }
    }

    /// Adds ∂²⟨w, ρ⟩/∂θ² v to `sum`.
    //
    // Pearlmutter (1994): with R = d/dt along θ + t v, the passes δ_{l−1} = s′ ∘ Wᵀδ_l and ∂/∂[W b] = δ [a; 1]ᵀ give
    //
    //     Rδ_{l−1} = s′ ∘ (Wᵀ Rδ_l + RWᵀ δ_l) + s″ ∘ Rz_{l−1} ∘ Wᵀδ_l   and   R(∂/∂[W b]) = Rδ [a; 1]ᵀ + δ [Ra; 0]ᵀ,
    //
    // where Rδ = 0 for the last layer, which is linear in z, and RW and Rz are the tangents along v.
    fn add_product(&self, v: &[f64], sum: &mut [f64]) {
        let pass = self.pass;
        let tangents = pass.tangents(v);
        let last = &self.covectors[self.covectors.len() - 1];
        let mut change = Mat::zeros(last.nrows(), last.ncols());
        for (l, layer) in pass.network.layers.iter().enumerate().rev() {
            let mut term = product(change.as_ref(), pass.input(l).transpose());
            let delta = self.covectors[l].as_ref();
            if l > 0 {
                let da = hadamard(&tangents[l - 1], &pass.slopes[l - 1]);
                let weights = term.as_mut().subcols_mut(0, layer.inputs);
                add_product(weights, delta, da.transpose());
            }
            layer.add_to(sum, &term);
            if l > 0 {
                let mut back = product(layer.weights(v).transpose(), delta);
                let own = layer.weights(pass.theta).transpose();
                add_product(back.as_mut(), own, change.as_ref());
                change = hadamard(&back, &pass.slopes[l - 1])
                    + hadamard(&self.bends[l - 1], &tangents[l - 1]);
            }
        }
    }
}

/// Curvature Σⱼ wⱼ ∂²ρⱼ/∂θ² of the outputs ρ.
pub(super) struct Curved<'p, 'a> {
    network: &'a Network,
    backward: Vec<Backward<'p, 'a>>,
}

impl<'p, 'a> Curved<'p, 'a> {
    /// Prepares products by one backward pass with all samples.
    pub(super) fn new(network: &'a Network, passes: &'p [Pass<'a>], w: &[f64]) -> Self {
        let backward = passes
            .iter()
            .map(|pass| Backward::new(pass, &w[pass.entries()]));
        Self {
            network,
            backward: backward.collect(),
        }
    }

    /// Returns the product with every column of V.
    pub(super) fn product(&self, v: MatRef<'_, f64>) -> Mat<f64> {
        sum_over(
            &self.backward,
            (self.network.parameters(), v),
            |backward, v, sum| {
                backward.add_product(v, sum);
            },
        )
    }
}

impl StateCurvature for Curved<'_, '_> {
    fn terms(&self, v: MatRef<'_, f64>, tangents: MatRef<'_, f64>) -> Result<[Mat<f64>; 2]> {
        let none = Mat::zeros(tangents.nrows(), tangents.ncols());
        Ok([none, self.product(v)])
    }
}
