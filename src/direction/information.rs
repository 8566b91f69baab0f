//! The natural direction by the information matrix G = ZᵀMZ.

use faer::Mat;

use super::{Damping, Direction, Local, Path, Proposal, dot, unit_scale};
use crate::backend::{gram, symmetric_solve};
use crate::error::Result;

/// η = −(G + PᵀP + λD)⁻¹ ∇f by Cholesky; cheap for few parameters, and squares the condition number.
///
/// Without damping G must be positive definite; [`LeastSquares`](super::LeastSquares) truncates instead.
#[derive(Clone, Copy, Debug, Default)]
pub struct Information {
    /// What damping adds to.
    pub damping: Damping,
}

impl Direction for Information {
    fn prepare<'a>(&'a self, at: &Local<'a>) -> Result<Box<dyn Path + 'a>> {
        let y = at.metric()?.lift(at.z.matrix()?.as_ref())?;
        let mut g = gram(y.as_ref());
        if let Some(prior) = at.prior {
            g += gram(prior.matrix()?.as_ref());
        }
        let norms: Vec<f64> = (0..g.ncols()).map(|i| g[(i, i)].sqrt()).collect();
        let scale = unit_scale(&norms);
        let scaled = Mat::from_fn(g.nrows(), g.ncols(), |i, j| scale[i] * g[(i, j)] * scale[j]);
        Ok(Box::new(InformationPath {
            damping: self.damping,
            matrix: scaled,
            grad: at.grad.iter().zip(&scale).map(|(g, s)| g * s).collect(),
            scale,
        }))
    }

    fn name(&self) -> &'static str {
        "information matrix"
    }
}

/// The system in coordinates where diag G = 1.
struct InformationPath {
    damping: Damping,
    matrix: Mat<f64>,
    grad: Vec<f64>,
    scale: Vec<f64>,
}

impl Path for InformationPath {
    fn at(&mut self, damping: f64) -> Result<Proposal> {
        let mut damped = self.matrix.clone();
        let weights = self.damping.weights(damping, &self.scale);
        for (i, w) in weights.iter().enumerate() {
            damped[(i, i)] += w;
        }
        let x = symmetric_solve(damped.as_ref(), &self.grad, "the information matrix")?;
        let x: Vec<f64> = x.iter().map(|x| -x).collect();
        let column = faer::MatRef::from_column_major_slice(&x, x.len(), 1);
        let curvature = dot((&self.matrix * column).col_as_slice(0), &x);
        Ok(Proposal {
            predicted: -dot(&self.grad, &x) - 0.5 * curvature,
            eta: x.iter().zip(&self.scale).map(|(x, s)| x * s).collect(),
            rank: x.len(),
        })
    }
}
