//! Derivative of the outputs of a network, by passes with blocks of samples.

use faer::{Mat, MatRef};

use super::Network;
use super::blocks::{passes, sum_over};
use super::curvature::Curved;
use super::pass::Pass;
use crate::error::Result;
use crate::linalg::{Batch, product, share_columns};
use crate::model::adjoint::{Kronecker, Sensitivity, StateCurvature};

/// Derivative ∂ρ/∂θ of the outputs of a network.
pub(super) struct Derivative<'a> {
    network: &'a Network,
    passes: Vec<Pass<'a>>,
}

impl<'a> Derivative<'a> {
    /// Computes all values of the network.
    pub(super) fn new(network: &'a Network, theta: &'a [f64]) -> Result<Self> {
        Ok(Self {
            passes: passes(network, theta)?,
            network,
        })
    }

    /// Returns Σⱼ λⱼ ∂²ρⱼ/∂θ² V.
    pub(super) fn curved(&self, lambda: &[f64], v: MatRef<'_, f64>) -> Mat<f64> {
        Curved::new(self.network, &self.passes, lambda).product(v)
    }
}

impl Sensitivity for Derivative<'_> {
    fn state_dim(&self) -> usize {
        self.network.states()
    }

    fn param_dim(&self) -> usize {
        self.network.parameters()
    }

    fn tangent(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let v = v.to_owned();
        let mut out = Mat::zeros(self.state_dim(), v.ncols());
        let tangents = |j: usize, column: &mut [f64]| {
            for pass in &self.passes {
                let all = pass.tangents(v.col_as_slice(j));
                let entries = column[pass.entries()].chunks_exact_mut(self.network.outputs());
                let last = &all[all.len() - 1];
                let pairs = entries.enumerate();
                pairs.for_each(|(n, out)| out.copy_from_slice(last.col_as_slice(n)));
            }
        };
        share_columns(out.as_mut(), |j, column| {
            if let Some(column) = column.try_as_col_major_mut() {
                tangents(j, column.as_slice_mut());
            }
        });
        Ok(out)
    }

    fn adjoint(&self, w: Batch) -> Result<Mat<f64>> {
        let w = w.fetch()?;
        Ok(sum_over(
            &self.passes,
            (self.param_dim(), w.as_ref()),
            |pass, w, sum| {
                pass.add_adjoint(&w[pass.entries()], sum);
            },
        ))
    }

    fn curvature(&self, w: &[f64]) -> Result<Option<Box<dyn StateCurvature + '_>>> {
        let curved = Curved::new(self.network, &self.passes, w);
        Ok(Some(Box::new(curved)))
    }

    fn kronecker(&self, w: MatRef<'_, f64>) -> Result<Option<Vec<Kronecker>>> {
        let layers = self.network.layers.iter();
        let mut factors: Vec<Kronecker> = layers
            .map(|layer| Kronecker {
                range: layer.range(),
                right: Mat::zeros(layer.inputs + 1, layer.inputs + 1),
                left: Mat::zeros(layer.outputs, layer.outputs),
            })
            .collect();
        let (samples, draws) = (self.network.samples() as f64, w.ncols() as f64);
        for pass in &self.passes {
            for (l, factor) in factors.iter_mut().enumerate() {
                let a = pass.input(l);
                factor.right += (1.0 / samples) * product(a, a.transpose());
            }
            for j in 0..w.ncols() {
                let own: Vec<f64> = w.col(j).iter().copied().collect();
                let covectors = pass.covectors(&own[pass.entries()]);
                for (factor, delta) in factors.iter_mut().zip(&covectors) {
                    factor.left += (1.0 / draws) * product(delta.as_ref(), delta.transpose());
                }
            }
        }
        Ok(Some(factors))
    }
}
