//! Derivatives of models of other programs.

use std::sync::OnceLock;

use pullback::Result;
use pullback::faer::{Mat, MatRef};
use pullback::linalg::Batch;
use pullback::model::adjoint::{Sensitivity, StateCurvature};
use rayon::prelude::*;

use crate::error::Error;
use crate::remote::Remote;
use crate::wire::Request;

type Wired<T> = std::result::Result<T, Error>;

/// How products with the Jacobian are computed.
#[derive(Clone, Copy)]
pub(crate) enum Derivative {
    /// By products of the server, from both sides.
    Products,
    /// By products J v; Jᵀw from the whole J.
    Tangents,
    /// By products Jᵀw; J v from the whole J.
    Gradients,
    /// From a J of central differences with this relative step.
    Differences(f64),
}

/// Derivative of a model of another program at θ.
pub(crate) struct Remotely<'a> {
    remote: &'a Remote,
    theta: &'a [f64],
    /// Whole Jacobian, where products of one side come from it.
    jacobian: OnceLock<Mat<f64>>,
}

impl<'a> Remotely<'a> {
    pub(crate) fn new(remote: &'a Remote, theta: &'a [f64]) -> Self {
        Self {
            remote,
            theta,
            jacobian: OnceLock::new(),
        }
    }

    /// Returns J v, from a request for every block of outputs and of inputs.
    fn push(&self, v: &[f64]) -> Wired<Vec<f64>> {
        let (inputs, outputs) = self.remote.blocks();
        let mut product = vec![0.0; outputs.len()];
        for (output, rows) in outputs.ranges() {
            for (input, columns) in inputs.ranges() {
                let request = Request {
                    out_wrt: Some(output),
                    in_wrt: Some(input),
                    vec: Some(v[columns].to_vec()),
                    ..self.remote.request(self.theta)
                };
                let part =
                    self.remote
                        .connection()
                        .product("ApplyJacobian", request, rows.len())?;
                add(&mut product[rows.clone()], &part);
            }
        }
        Ok(product)
    }

    /// Returns Jᵀw, from a request for every block of outputs and of inputs.
    fn pull(&self, w: &[f64]) -> Wired<Vec<f64>> {
        let (inputs, outputs) = self.remote.blocks();
        let mut product = vec![0.0; inputs.len()];
        for (output, rows) in outputs.ranges() {
            for (input, columns) in inputs.ranges() {
                let request = Request {
                    out_wrt: Some(output),
                    in_wrt: Some(input),
                    sens: Some(w[rows.clone()].to_vec()),
                    ..self.remote.request(self.theta)
                };
                let part = self
                    .remote
                    .connection()
                    .product("Gradient", request, columns.len())?;
                add(&mut product[columns.clone()], &part);
            }
        }
        Ok(product)
    }

    /// Returns the central difference by parameter `j`.
    fn difference(&self, j: usize, step: f64) -> Wired<Vec<f64>> {
        let size = if self.theta[j] == 0.0 {
            1.0
        } else {
            self.theta[j].abs()
        };
        let value = |sign: f64| {
            let mut moved = self.theta.to_vec();
            moved[j] += sign * step * size;
            Ok((moved[j], self.remote.evaluated(&moved)?))
        };
        let ((high, above), (low, below)) = (value(1.0)?, value(-1.0)?);
        let slope = |(a, b): (&f64, &f64)| (a - b) / (high - low);
        Ok(above.iter().zip(&below).map(slope).collect())
    }

    /// Returns the whole Jacobian J.
    fn matrix(&self, derivative: Derivative) -> Result<&Mat<f64>> {
        if let Some(known) = self.jacobian.get() {
            return Ok(known);
        }
        let (k, p) = (self.state_dim(), self.param_dim());
        let unit = |n: usize, i: usize| (0..n).map(|l| f64::from(l == i)).collect::<Vec<_>>();
        let found = match derivative {
            Derivative::Gradients => {
                let rows = self.columns((p, k), |i| self.pull(&unit(k, i)))?;
                rows.transpose().to_owned()
            }
            Derivative::Differences(step) => self.columns((k, p), |j| self.difference(j, step))?,
            _ => self.columns((k, p), |j| self.push(&unit(p, j)))?,
        };
        Ok(self.jacobian.get_or_init(|| found))
    }

    /// Computes the columns of a matrix of this shape, several at a time.
    fn columns(
        &self,
        (rows, columns): (usize, usize),
        column: impl Fn(usize) -> Wired<Vec<f64>> + Send + Sync,
    ) -> Result<Mat<f64>> {
        let threads = self.remote.threads().min(columns);
        let found: Vec<Vec<f64>> = if threads < 2 {
            (0..columns).map(column).collect::<Wired<_>>()?
        } else {
            // Threads of their own, since they wait for answers and do not compute.
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let pool = pool.map_err(pullback::Error::model)?;
            pool.install(|| {
                (0..columns)
                    .into_par_iter()
                    .map(column)
                    .collect::<Wired<_>>()
            })?
        };
        Ok(Mat::from_fn(rows, columns, |i, j| found[j][i]))
    }
}

fn add(sum: &mut [f64], part: &[f64]) {
    sum.iter_mut().zip(part).for_each(|(s, p)| *s += p);
}

/// Returns the columns of a matrix as vectors.
fn vectors(matrix: MatRef<'_, f64>) -> Vec<Vec<f64>> {
    let column = |j| matrix.col(j).iter().copied().collect();
    (0..matrix.ncols()).map(column).collect()
}

impl Sensitivity for Remotely<'_> {
    fn state_dim(&self) -> usize {
        self.remote.blocks().1.len()
    }

    fn param_dim(&self) -> usize {
        self.remote.blocks().0.len()
    }

    fn tangent(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        match self.remote.derivative()? {
            Derivative::Products | Derivative::Tangents => {
                let given = vectors(v);
                self.columns((self.state_dim(), given.len()), |j| self.push(&given[j]))
            }
            other => Ok(self.matrix(other)? * v),
        }
    }

    fn adjoint(&self, w: Batch) -> Result<Mat<f64>> {
        let w = w.fetch()?;
        match self.remote.derivative()? {
            Derivative::Products | Derivative::Gradients => {
                let given = vectors(w.as_ref());
                self.columns((self.param_dim(), given.len()), |j| self.pull(&given[j]))
            }
            other => Ok(self.matrix(other)?.transpose() * w),
        }
    }

    fn curvature(&self, w: &[f64]) -> Result<Option<Box<dyn StateCurvature + '_>>> {
        let covector = w.to_vec();
        Ok(self
            .remote
            .bends()
            .then(|| Box::new(Bent { at: self, covector }) as _))
    }
}

/// Second derivative of a model of another program, weighted with a covector.
struct Bent<'s, 'a> {
    at: &'s Remotely<'a>,
    covector: Vec<f64>,
}

impl Bent<'_, '_> {
    /// Returns Σⱼ wⱼ ∂²Fⱼ/∂θ² v, from a request for every block of outputs and every pair of blocks of inputs.
    fn push(&self, v: &[f64]) -> Wired<Vec<f64>> {
        let remote = self.at.remote;
        let (inputs, outputs) = remote.blocks();
        let mut product = vec![0.0; inputs.len()];
        for (output, rows) in outputs.ranges() {
            for (first, of_product) in inputs.ranges() {
                for (second, along) in inputs.ranges() {
                    let request = Request {
                        out_wrt: Some(output),
                        in_wrt1: Some(first),
                        in_wrt2: Some(second),
                        sens: Some(self.covector[rows.clone()].to_vec()),
                        vec: Some(v[along].to_vec()),
                        ..remote.request(self.at.theta)
                    };
                    let part =
                        remote
                            .connection()
                            .product("ApplyHessian", request, of_product.len())?;
                    add(&mut product[of_product.clone()], &part);
                }
            }
        }
        Ok(product)
    }
}

impl StateCurvature for Bent<'_, '_> {
    fn terms(&self, v: MatRef<'_, f64>, _: MatRef<'_, f64>) -> Result<[Mat<f64>; 2]> {
        let given = vectors(v);
        let product = self
            .at
            .columns((self.at.param_dim(), given.len()), |j| self.push(&given[j]))?;
        Ok([Mat::zeros(self.at.state_dim(), given.len()), product])
    }
}
