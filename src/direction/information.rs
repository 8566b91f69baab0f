//! Natural direction from the information matrix G = ZᵀMZ.

use faer::{Mat, MatRef, Scale};

use super::damping::Weights;
use super::{Damping, Direction, Finder, Local, Path, Proposal, unit_scale};
use crate::error::Result;
use crate::linalg::{gram, symmetric_product_by, symmetric_solve};
use crate::metric::Root;
use crate::model::adjoint::blocks;
use crate::vector::dot;

/// Computes the information matrix G = Zᵀ(MZ) = (LZ)ᵀ(LZ), the metric pulled back to parameters.
///
/// ```
/// use pullback::{Cpu, Grid, Metric, direction::information_matrix, faer::mat, metric::L2};
/// let metric = L2::new(&Grid::new(&[(0.0, 1.0, 2)])?);
/// let (rho, cpu) = ([1.0, 1.0], Cpu::default());
/// let g = information_matrix(metric.at(&rho, &cpu)?.as_ref(), mat![[2.0], [4.0]].as_ref())?;
/// assert!((g[(0, 0)] - 10.0).abs() < 1e-14);
/// # Ok::<(), pullback::Error>(())
/// ```
///
/// # Errors
/// Fails if the product L Z or LᵀL Z fails.
pub fn information_matrix(root: &dyn Root, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
    // Both products give G. Lifted vectors may be longer than states (faces outnumber cells); M Z is then cheaper.
    if root.lifted_dim() > root.dim() {
        symmetric_product_by(z, blocks(z.ncols()), |columns| root.apply(columns))
    } else {
        Ok(gram(root.lift(z)?.as_ref()))
    }
}

/// Direction η = −(G + C + λD)⁻¹ ∇f by Cholesky, with the precision C of the priors.
///
/// The method is cheap for few parameters, but squares the condition number. Without damping, G + C must be
/// positive definite; [`LeastSquares`](super::LeastSquares) truncates small singular values instead.
#[derive(Clone, Copy, Debug, Default)]
pub struct Information<'a> {
    /// Matrix D that damping is proportional to.
    pub damping: Damping<'a>,
}

impl Direction for Information<'_> {
    fn begin(&self) -> Box<dyn Finder + '_> {
        Box::new(self)
    }

    fn name(&self) -> &'static str {
        "information matrix"
    }
}

impl Finder for &Information<'_> {
    fn prepare<'a>(&'a mut self, at: &Local<'a>) -> Result<Box<dyn Path + 'a>> {
        let mut g = information_matrix(at.metric()?, at.z.matrix()?.as_ref())?;
        if let Some(prior) = at.prior {
            g += prior.dense()?;
        }
        let norms: Vec<f64> = (0..g.ncols()).map(|i| g[(i, i)].sqrt()).collect();
        // With S = diag(G)^{-1/2}, the scaled matrix SGS has a unit diagonal. This nearly minimises its condition
        // number over all diagonal scalings (van der Sluis 1969).
        let scale = unit_scale(&norms);
        let scaled = Mat::from_fn(g.nrows(), g.ncols(), |i, j| scale[i] * g[(i, j)] * scale[j]);
        Ok(Box::new(InformationPath {
            weights: self.damping.weights(at, &norms)?,
            norms,
            matrix: scaled,
            grad: at.grad.iter().zip(&scale).map(|(g, s)| g * s).collect(),
            scale,
        }))
    }
}

/// System for all dampings, in coordinates where its undamped matrix has unit diagonal.
struct InformationPath {
    /// Matrix D in these coordinates.
    weights: Weights,
    norms: Vec<f64>,
    matrix: Mat<f64>,
    grad: Vec<f64>,
    scale: Vec<f64>,
}

impl Path for InformationPath {
    fn at(&mut self, damping: f64) -> Result<Proposal> {
        let mut damped = self.matrix.clone();
        match &self.weights {
            Weights::Diagonal(weights) => {
                let entries = weights.iter().enumerate();
                entries.for_each(|(i, w)| damped[(i, i)] += damping * w);
            }
            Weights::Full(weights) => damped += Scale(damping) * weights,
        }
        // x = S⁻¹η solves (SGS + λ SDS) x = −S∇f.
        let x = symmetric_solve(damped.as_ref(), &self.grad, "the information matrix")?;
        // The prediction is that of the undamped model, ∇f·η + ½ ηᵀGη: damping shortens the step and does not
        // change the objective.
        let x: Vec<f64> = x.iter().map(|x| -x).collect();
        let column = MatRef::from_column_major_slice(&x, x.len(), 1);
        let curvature = dot((&self.matrix * column).col_as_slice(0), &x);
        Ok(Proposal {
            predicted: -dot(&self.grad, &x) - 0.5 * curvature,
            eta: x.iter().zip(&self.scale).map(|(x, s)| x * s).collect(),
            rank: x.len(),
        })
    }

    fn undamped(&mut self) -> Option<Proposal> {
        self.at(0.0).ok()
    }

    fn norms(&self) -> &[f64] {
        &self.norms
    }
}
