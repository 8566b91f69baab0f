//! Derivatives of all particles by the parameters.

use faer::{Mat, MatRef};

use super::cloud::{Cloud, Map};
use crate::automatic::{Slopes, second_derivative};
use crate::check;
use crate::error::Result;
use crate::linalg::{Batch, product};
use crate::model::adjoint::{Sensitivity, StateCurvature};

/// Directions of one evaluation with dual numbers.
const LANES: usize = 8;

/// Entries of Z = ∂ρ/∂θ up to which it is stored, 256 MiB.
const STORED: usize = 1 << 25;

/// Branches that are checked at a point, of those not seen before. A map with a branch for every particle is checked at some.
const CHECKED: usize = 8;

/// Derivatives Z of the particles of a push-forward at θ.
pub(super) struct Derivatives<'a, M> {
    cloud: &'a Cloud<M>,
    theta: &'a [f64],
    /// Z, unless it would not fit. Products then differentiate all particles again.
    stored: Option<Mat<f64>>,
}

impl<'a, M: Map> Derivatives<'a, M> {
    /// Differentiates all particles.
    ///
    /// # Errors
    /// Fails if the map loses a derivative, or if a derivative is not finite.
    pub(super) fn new(cloud: &'a Cloud<M>, theta: &'a [f64]) -> Result<Self> {
        Self::within(cloud, theta, STORED)
    }

    /// Differentiates all particles, and stores Z if it has at most `most` entries.
    pub(super) fn within(cloud: &'a Cloud<M>, theta: &'a [f64], most: usize) -> Result<Self> {
        check::length("θ", theta.len(), cloud.map.dims().2)?;
        let layout = cloud.layout();
        let mut z = Self {
            cloud,
            theta,
            stored: None,
        };
        if layout.state().saturating_mul(theta.len()) <= most {
            let (mut whole, p) = (vec![0.0; layout.state() * theta.len()], theta.len());
            let workspace = || Slopes::<LANES>::new(p);
            let work = |slopes: &mut Slopes<LANES>, n: usize, out: &mut [f64]| {
                slopes.at(&cloud.particle(n), theta, out)
            };
            z.watch(&layout.columns(&mut whole, workspace, work))?;
            check::finite("the derivative of a particle", &whole)?;
            let whole = MatRef::from_column_major_slice(&whole, layout.state(), p);
            z.stored = Some(whole.to_owned());
        } else {
            // The products differentiate all particles, and check none: a few show the branches that are frequent.
            let mut local = vec![0.0; layout.entries() * theta.len()];
            let mut slopes = Slopes::<LANES>::new(theta.len());
            let first = 0..layout.particles.min(CHECKED);
            let branches: Vec<u64> = first
                .map(|n| slopes.at(&cloud.particle(n), theta, &mut local))
                .collect();
            z.watch(&branches)?;
        }
        Ok(z)
    }

    /// Checks the particles that took branches not seen before.
    fn watch(&self, branches: &[u64]) -> Result<()> {
        let mut known: Vec<u64> = Vec::new();
        for (n, branch) in branches.iter().enumerate() {
            if known.len() == CHECKED {
                break;
            }
            if !known.contains(branch) {
                known.push(*branch);
                self.cloud.check(n, self.theta, *branch)?;
            }
        }
        Ok(())
    }

    /// Returns buffers for the derivatives of one particle.
    fn workspace(&self) -> (Slopes<LANES>, Vec<f64>, Vec<f64>) {
        let (entries, p) = (self.cloud.layout().entries(), self.theta.len());
        (Slopes::new(p), vec![0.0; entries * p], vec![0.0; entries])
    }
}

impl<M: Map> Sensitivity for Derivatives<'_, M> {
    fn state_dim(&self) -> usize {
        self.cloud.layout().state()
    }

    fn param_dim(&self) -> usize {
        self.theta.len()
    }

    fn tangent(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check::length(
            "the rows of a batch of tangents",
            v.nrows(),
            self.param_dim(),
        )?;
        if let Some(z) = &self.stored {
            return Ok(product(z.as_ref(), v));
        }
        let layout = self.cloud.layout();
        let mut out = vec![0.0; layout.state() * v.ncols()];
        layout.columns(
            &mut out,
            || self.workspace(),
            |(slopes, local, _), n, out| {
                slopes.at(&self.cloud.particle(n), self.theta, local);
                out.fill(0.0);
                for (j, out) in out.chunks_exact_mut(layout.entries()).enumerate() {
                    let columns = local.chunks_exact(layout.entries());
                    for (column, v) in columns.zip(v.col(j).iter()) {
                        out.iter_mut().zip(column).for_each(|(o, c)| *o += c * v);
                    }
                }
            },
        );
        check::finite("the derivative of a particle", &out)?;
        Ok(MatRef::from_column_major_slice(&out, layout.state(), v.ncols()).to_owned())
    }

    fn adjoint(&self, w: Batch) -> Result<Mat<f64>> {
        let w = w.fetch()?;
        check::length(
            "the rows of a batch of covectors",
            w.nrows(),
            self.state_dim(),
        )?;
        if let Some(z) = &self.stored {
            return Ok(product(z.transpose(), w.as_ref()));
        }
        let (layout, p) = (self.cloud.layout(), self.param_dim());
        let sums = layout.sum(
            p * w.ncols(),
            || self.workspace(),
            |(slopes, local, weights), n, sum| {
                slopes.at(&self.cloud.particle(n), self.theta, local);
                for (j, sum) in sum.chunks_exact_mut(p).enumerate() {
                    layout.gather(n, w.col_as_slice(j), weights);
                    let columns = local.chunks_exact(layout.entries());
                    for (sum, column) in sum.iter_mut().zip(columns) {
                        *sum += column
                            .iter()
                            .zip(&*weights)
                            .map(|(c, w)| c * w)
                            .sum::<f64>();
                    }
                }
            },
        );
        check::finite("the gradient of particles", &sums)?;
        Ok(MatRef::from_column_major_slice(&sums, p, w.ncols()).to_owned())
    }

    fn curvature(&self, w: &[f64]) -> Result<Option<Box<dyn StateCurvature + '_>>> {
        Ok(Some(Box::new(Bent {
            z: self,
            weights: w.to_vec(),
        })))
    }
}

/// Curvature Σ wᵢ ∂²ρᵢ/∂θ² of the particles.
struct Bent<'z, 'a, M> {
    z: &'z Derivatives<'a, M>,
    weights: Vec<f64>,
}

impl<M: Map> StateCurvature for Bent<'_, '_, M> {
    fn terms(&self, v: MatRef<'_, f64>, tangents: MatRef<'_, f64>) -> Result<[Mat<f64>; 2]> {
        let product = bend(self.z.cloud, (self.z.theta, &self.weights), v);
        for j in 0..product.ncols() {
            let column = product.col_as_slice(j);
            check::finite("a second derivative of the particles", column)?;
        }
        Ok([Mat::zeros(tangents.nrows(), tangents.ncols()), product])
    }
}

/// Returns Σ λᵢ ∂²ρᵢ/∂θ² V at θ.
pub(super) fn bend<M: Map>(
    cloud: &Cloud<M>,
    (theta, lambda): (&[f64], &[f64]),
    v: MatRef<'_, f64>,
) -> Mat<f64> {
    let (layout, p) = (cloud.layout(), theta.len());
    if v.ncols() == 0 || p == 0 {
        return Mat::zeros(p, v.ncols());
    }
    let sums = layout.sum(
        p * v.ncols(),
        || vec![0.0; layout.entries()],
        |weights, n, sum| {
            layout.gather(n, lambda, weights);
            let product = second_derivative(&cloud.particle(n), theta, weights, v);
            for (j, sum) in sum.chunks_exact_mut(p).enumerate() {
                let column = product.col_as_slice(j);
                sum.iter_mut().zip(column).for_each(|(s, c)| *s += c);
            }
        },
    );
    MatRef::from_column_major_slice(&sums, p, v.ncols()).to_owned()
}

#[cfg(test)]
mod tests {
    use faer::Mat;

    use super::{Cloud, Derivatives, Map, STORED};
    use crate::automatic::Scalar;
    use crate::error::Result;
    use crate::model::adjoint::Sensitivity;
    use crate::models::Draws;
    use crate::random;

    /// Two snapshots in the plane with nine parameters, more than a pass has lanes.
    struct Wave;

    impl Map for Wave {
        fn dims(&self) -> (usize, usize, usize) {
            (2, 2, 9)
        }

        fn map<S: Scalar>(&self, z: &[f64], theta: &[S], x: &mut [S]) {
            for (i, x) in x.iter_mut().enumerate() {
                let sum: S = theta[i..].iter().map(|t| (*t * z[i % 2]).sin()).sum();
                *x = sum * theta[0] + z[1];
            }
        }

        fn snapshots(&self) -> usize {
            2
        }
    }

    #[test]
    fn products_are_those_of_the_stored_matrix() -> Result<()> {
        // One full block of particles and a part of another.
        let cloud = Cloud::new(Wave, Draws::normal(70, 2, 1)?);
        let theta: Vec<f64> = (0..9).map(|i| 0.3 + 0.1 * f64::from(i)).collect();
        let [stored, streamed] = [STORED, 0].map(|most| Derivatives::within(&cloud, &theta, most));
        let (stored, streamed) = (stored?, streamed?);
        assert!(stored.stored.is_some() && streamed.stored.is_none());
        let v = random::normal_matrix(9, 3, 2);
        let w = random::normal_matrix(280, 3, 3);
        let close = |a: Mat<f64>, b: Mat<f64>| (a - &b).norm_max() < 1e-13 * b.norm_max();
        assert!(close(
            streamed.tangent(v.as_ref())?,
            stored.tangent(v.as_ref())?
        ));
        assert!(close(
            streamed.adjoint(w.clone().into())?,
            stored.adjoint(w.into())?
        ));
        Ok(())
    }
}
