//! Sensitivity of an implicitly defined state, by solves with ∂g/∂ρ and its transpose.

use std::sync::atomic::{AtomicBool, Ordering};

use faer::{Mat, MatMut, MatRef};

use super::second_order::{Bent, SecondDerivative, StateCurvature};
use super::sensitivity::{Sensitivity, WIDTH};
use crate::check;
use crate::error::{Error, Result};
use crate::linalg::{Backend, Batch, Factor, Operator, SINGULAR, Side, SolveStats, check_shape};
use crate::model::Variation;
use crate::random;

/// Sensitivity Z = −A⁻¹C with A = ∂g/∂ρ and C = ∂g/∂θ.
///
/// Differentiating g(ρ(θ), θ) = 0 gives A Z + C = 0. A tangent Z v = −A⁻¹(C v) takes one solve, and an adjoint
/// Zᵀw = −Cᵀ(A⁻ᵀw) takes one solve with the transpose. All products share one factorisation. If A is the identity, nothing is
/// solved.
///
/// An extra random column in the first batch detects a singular A. Without it, right-hand sides C v in the range of a singular
/// A would go unnoticed, and Z would be one of many solutions.
pub struct Implicit<'a> {
    state_jacobian: Operator<'a>,
    param_jacobian: Operator<'a>,
    /// Factor of A, or None if A is the identity.
    factor: Option<Box<dyn Factor + 'a>>,
    /// Whether the random column of the first batch has been solved for.
    probed: AtomicBool,
    /// Second derivatives of the equations, if known.
    second: Option<SecondDerivative<'a>>,
}

/// Largest number of adjoint solves for a gradient: one with ∂f/∂ρ, and one with its projection by the
/// metric.
const FEW: usize = 2;

impl<'a> Implicit<'a> {
    /// Factorises A = ∂g/∂ρ and stores C = ∂g/∂θ.
    ///
    /// # Errors
    /// Fails if the shapes of the Jacobians do not match, if an entry is not finite, or if the factorisation fails.
    pub fn new(
        state_jacobian: Operator<'a>,
        param_jacobian: Operator<'a>,
        backend: &'a dyn Backend,
    ) -> Result<Self> {
        let (a, c) = (state_jacobian, param_jacobian);
        check::length("the columns of ∂g/∂ρ", a.ncols(), a.nrows())?;
        check::length("the rows of ∂g/∂θ", c.nrows(), a.nrows())?;
        a.check_finite("∂g/∂ρ")?;
        c.check_finite("∂g/∂θ")?;
        let factor = match a.is_identity() {
            true => None,
            false => Some(backend.factor(a.clone())?),
        };
        Ok(Self {
            state_jacobian: a,
            param_jacobian: c,
            probed: AtomicBool::new(factor.is_none()),
            factor,
            second: None,
        })
    }

    /// Adds the second derivatives of the equations at the point of the Jacobians (see
    /// [`Model::second_derivative`](crate::Model::second_derivative)).
    #[must_use]
    pub fn with_second_derivative(
        mut self,
        second: impl Fn(&Variation<'_>) -> Option<[Mat<f64>; 2]> + Send + Sync + 'a,
    ) -> Self {
        self.second = Some(Box::new(second));
        self
    }

    /// Returns A⁻ᵀw.
    fn multipliers(&self, w: &[f64]) -> Result<Vec<f64>> {
        let Some(factor) = &self.factor else {
            return Ok(w.to_vec());
        };
        let batch = Batch::Host(Mat::from_fn(w.len(), 1, |i, _| w[i]));
        let lambda = self.solve(factor.as_ref(), Side::Transpose, batch)?;
        Ok(lambda.fetch()?.col_as_slice(0).to_vec())
    }

    /// Solves with A or Aᵀ, and adds the random column to the first batch.
    fn solve(&self, factor: &dyn Factor, side: Side, batch: Batch) -> Result<Batch> {
        let mut b = match batch {
            Batch::Host(b) => b,
            remote => return self.solve_remote(factor, side, remote),
        };
        let ((rows, columns), first) = (b.shape(), !self.probed.load(Ordering::Relaxed));
        // Aᵀ is singular exactly if A is, so that the first batch on either side tests both. Two threads may
        // both solve for the random column, which is harmless.
        if first {
            let probe = self.probe(side);
            b.resize_with(rows, columns + 1, |i, _| probe[i]);
        }
        // Large batches of adjoints may stay on a device, where they are multiplied by Cᵀ. Tangents, and the
        // few adjoints of a gradient, are copied to the host, where they warm-start the solves at the next
        // point.
        let (x, stats) = if side == Side::Transpose && columns > FEW {
            factor.solve_batch(side, None, Batch::Host(b))?
        } else {
            let stats = factor.solve(side, None, b.as_mut())?;
            (Batch::Host(b), stats)
        };
        check_shape(x.shape(), (rows, columns + usize::from(first)))?;
        if first {
            self.judge_probe(stats)?;
        }
        Ok(x)
    }

    /// Solves for a batch that is kept on a device. The random column gets a solve of its own, because
    /// fetching the batch to append the column would cost more.
    fn solve_remote(&self, factor: &dyn Factor, side: Side, batch: Batch) -> Result<Batch> {
        if !self.probed.load(Ordering::Relaxed) {
            let probe = self.probe(side);
            let probe = Mat::from_fn(probe.len(), 1, |i, _| probe[i]);
            let (_, stats) = factor.solve_batch(side, None, Batch::Host(probe))?;
            self.judge_probe(stats)?;
        }
        let shape = batch.shape();
        let (x, _) = factor.solve_batch(side, None, batch)?;
        check_shape(x.shape(), shape)?;
        Ok(x)
    }

    /// Draws a Gaussian right-hand side, scaled like the rows of A (or of Aᵀ).
    fn probe(&self, side: Side) -> Vec<f64> {
        // The range of a singular matrix has measure zero, so that a random vector lies outside it with probability one.
        let units = self.state_jacobian.row_sizes(side);
        let numbers = random::normal(units.len(), 0x5EED, 0);
        numbers.iter().zip(&units).map(|(x, u)| x * u).collect()
    }

    /// Checks the amplification ‖|A||x|‖/‖b‖ of the solve that included the random column.
    fn judge_probe(&self, stats: SolveStats) -> Result<()> {
        // Rounding of its entries alone makes A uncertain by ε|A|, which changes A x by up to ε|A||x|. Beyond
        // the limit of 10¹⁴ this change exceeds 2 % of b, so that x is no longer determined by b.
        if stats.amplification > SINGULAR {
            return Err(Error::Singular {
                residual: stats.residual,
                amplification: stats.amplification,
            });
        }
        self.probed.store(true, Ordering::Relaxed);
        Ok(())
    }
}

impl Sensitivity for Implicit<'_> {
    fn state_dim(&self) -> usize {
        self.param_jacobian.nrows()
    }

    fn param_dim(&self) -> usize {
        self.param_jacobian.ncols()
    }

    fn tangent(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let mut b = self.param_jacobian.apply(Side::Plain, v)?;
        if let Some(factor) = &self.factor {
            b = self
                .solve(factor.as_ref(), Side::Plain, Batch::Host(b))?
                .fetch()?;
            // The random column, if there was one, is the last.
            b.truncate(self.state_dim(), v.ncols());
        }
        negate(b.as_mut());
        Ok(b)
    }

    /// Computes −Cᵀ(A⁻ᵀW). Solutions on a device stay there, and only the p × m product with Cᵀ is fetched.
    fn adjoint(&self, w: Batch) -> Result<Mat<f64>> {
        let columns = w.ncols();
        let lambda = match &self.factor {
            Some(factor) => self.solve(factor.as_ref(), Side::Transpose, w)?,
            None => w,
        };
        let c = &self.param_jacobian;
        let mut out = match &lambda {
            Batch::Host(lambda) => c.apply(Side::Transpose, lambda.subcols(0, columns))?,
            Batch::Device(_) => lambda.apply(c, Side::Transpose)?.fetch()?,
        };
        out.truncate(self.param_dim(), columns);
        negate(out.as_mut());
        Ok(out)
    }

    fn takes_solves(&self) -> bool {
        self.factor.is_some()
    }

    fn announce(&self, covectors: usize) {
        if let Some(factor) = &self.factor {
            factor.announce(covectors);
        }
    }

    /// Returns the largest number of covectors in one batch. If A consists of identical diagonal blocks, the
    /// solver sees every column once per block, and batches are narrower accordingly. Without solves, a
    /// single product takes all columns.
    fn width(&self) -> usize {
        match self.factor {
            Some(_) => WIDTH.div_ceil(self.state_jacobian.copies().max(1)),
            None => usize::MAX,
        }
    }

    fn jacobians(&self) -> Option<[Operator<'_>; 2]> {
        Some([self.state_jacobian.lend(), self.param_jacobian.lend()])
    }

    /// Solves for λ = A⁻ᵀw, if the equations have second derivatives.
    fn curvature(&self, w: &[f64]) -> Result<Option<Box<dyn StateCurvature + '_>>> {
        check::length("the length of a covector", w.len(), self.state_dim())?;
        let Some(second) = &self.second else {
            return Ok(None);
        };
        // Without columns the answer tells, before any solve, whether there are second derivatives.
        let along = Variation {
            lambda: w,
            rho: MatRef::from_column_major_slice(&[], self.state_dim(), 0),
            theta: MatRef::from_column_major_slice(&[], self.param_dim(), 0),
        };
        if second(&along).is_none() {
            return Ok(None);
        }
        let lambda = self.multipliers(w)?;
        Ok(Some(Box::new(Bent { lambda, second })))
    }
}

fn negate(a: MatMut<'_, f64>) {
    for column in a.col_iter_mut() {
        column.iter_mut().for_each(|a| *a = -*a);
    }
}
