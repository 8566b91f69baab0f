//! Metric of observed data, M = OᵀΓ⁻¹O: the geometry of a linear measurement with Gaussian noise.

use faer::{Mat, MatMut, MatRef};

use super::{LocalForm, Metric, Root, check_batch, check_covector, inverse_diagonal};
use crate::check;
use crate::error::{Error, Result};
use crate::linalg::{Backend, Operator, Side, minimum_norm};
use crate::noise::Noise;
use crate::vector::norm;

/// Metric OᵀΓ⁻¹O of observations O ρ with noise covariance Γ. Unobserved components have length zero.
pub struct Observed<'a> {
    operator: &'a Operator<'a>,
    noise: &'a Noise,
    data: Option<&'a [f64]>,
}

impl<'a> Observed<'a> {
    /// Returns the metric of the observations `operator` ρ with this noise.
    ///
    /// # Errors
    /// Fails with [`Error::Dimension`] if the noise does not have one entry per row of the operator.
    pub fn new(operator: &'a Operator<'a>, noise: &'a Noise) -> Result<Self> {
        check::length("the noise covariance", noise.dim(), operator.nrows())?;
        Ok(Self {
            operator,
            noise,
            data: None,
        })
    }

    /// Adds the data of a least-squares loss, so that `dual` of the gradient of this loss needs no solve.
    pub(crate) fn with_data(mut self, data: &'a [f64]) -> Self {
        self.data = Some(data);
        self
    }
}

impl Metric for Observed<'_> {
    fn at<'a>(&'a self, rho: &'a [f64], _: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        let residual = match self.data {
            None => None,
            Some(data) => Some(whitened_residual(self.operator, self.noise, data, rho)?),
        };
        Ok(Box::new(ObservedRoot {
            operator: self.operator,
            noise: self.noise,
            weights: None,
            residual,
        }))
    }

    fn name(&self) -> &'static str {
        "observed"
    }
}

/// Returns the whitened residual Γ^{-1/2}(O ρ − d).
pub(crate) fn whitened_residual(
    operator: &Operator<'_>,
    noise: &Noise,
    data: &[f64],
    rho: &[f64],
) -> Result<Vec<f64>> {
    let mut r = operator.apply_to(Side::Plain, rho)?;
    r.iter_mut().zip(data).for_each(|(r, d)| *r -= d);
    noise.whitened(&r)
}

/// Returns the root L = diag(w) Γ^{-1/2} O of weighted observations. `dual` is the vector y of the covector Lᵀy of their loss.
pub(crate) fn weighted_root<'a>(
    (operator, noise): (&'a Operator<'a>, &'a Noise),
    weights: Vec<f64>,
    dual: Vec<f64>,
) -> Box<dyn Root + 'a> {
    Box::new(ObservedRoot {
        operator,
        noise,
        weights: Some(weights),
        residual: Some(dual),
    })
}

struct ObservedRoot<'a> {
    operator: &'a Operator<'a>,
    noise: &'a Noise,
    /// Weights w of the whitened data, or None if they are 1.
    weights: Option<Vec<f64>>,
    /// Vector y of the covector Lᵀy of the loss, which is the whitened residual without weights.
    residual: Option<Vec<f64>>,
}

/// Relative error of LᵀY ≈ c below which a covector c counts as in the range of Lᵀ.
// A relative error of 10⁻⁸ in Lᵀy is one of 10⁻⁸ in the gradient that the direction follows. Rounding leaves
// about κε for a whitening of condition κ, which passes up to κ ≈ 5·10⁷.
const IN_RANGE: f64 = 1e-8;

impl ObservedRoot<'_> {
    /// Multiplies every column by the weights.
    fn weigh(&self, y: MatMut<'_, f64>) {
        if let Some(weights) = &self.weights {
            for column in y.col_iter_mut() {
                column.iter_mut().zip(weights).for_each(|(y, w)| *y *= w);
            }
        }
    }
}

impl Root for ObservedRoot<'_> {
    fn dim(&self) -> usize {
        self.operator.ncols()
    }

    fn lifted_dim(&self) -> usize {
        self.operator.nrows()
    }

    /// Returns diag(w) Γ^{-1/2} O Z.
    fn lift(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check_batch(z, self.dim())?;
        let observed = self.operator.apply(Side::Plain, z)?;
        let mut lifted = self.noise.whiten(Side::Plain, observed.as_ref())?;
        self.weigh(lifted.as_mut());
        Ok(lifted)
    }

    fn lower(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let mut weighted = y.to_owned();
        self.weigh(weighted.as_mut());
        let y = self.noise.whiten(Side::Transpose, weighted.as_ref())?;
        self.operator.apply(Side::Transpose, y.as_ref())
    }

    /// Returns M = OᵀΓ⁻¹O, which is sparse if O is sparse and Γ diagonal. Returns M⁻¹ = Γ if the whole state
    /// is observed and Γ is diagonal.
    fn local_form(&self) -> Option<LocalForm> {
        let mut whitening = self.noise.whitening();
        if let Some(weights) = &self.weights {
            let diagonal = whitening.as_diagonal()?.iter().zip(weights);
            whitening = Operator::diagonal(diagonal.map(|(a, w)| a * w).collect::<Vec<_>>());
        }
        // O = I and Γ^{-1/2} = diag w: M⁻¹ = Γ = diag w⁻².
        if self.operator.is_identity()
            && let Some(w) = whitening.as_diagonal()
            && w.iter().all(|w| *w > 0.0)
        {
            return inverse_diagonal(w.iter().map(|w| (w * w).recip()).collect());
        }
        let whitening = whitening.to_sparse()?;
        let root = whitening.as_ref() * self.operator.to_sparse()?.as_ref();
        let transposed = root.transpose().to_col_major().ok()?;
        Some(LocalForm::Metric(transposed.as_ref() * root.as_ref()))
    }

    fn dual(&self, c: &[f64]) -> Result<Vec<f64>> {
        check_covector(c, self.dim())?;
        // The gradient of ½‖Γ^{-1/2}(Oρ − d)‖² is c = Lᵀr with the whitened residual r, so y = r.
        represent((self, "observed"), self.residual.as_deref(), c)
    }
}

/// Returns `own` if Lᵀown = c, as for the gradient c of the loss of a metric. Otherwise returns the least-squares solution
/// (LLᵀ)⁺L c, after checking that it represents c.
pub(super) fn represent(
    (root, metric): (&dyn Root, &'static str),
    own: Option<&[f64]>,
    c: &[f64],
) -> Result<Vec<f64>> {
    if let Some(y) = own
        && distance(root, y, c)? <= IN_RANGE
    {
        return Ok(y.to_vec());
    }
    // This is the rare case of a loss other than that of the metric. Lᵀ is dense with one column
    // per row of L. For r rows and a state of length k it takes kr entries of memory and about
    // 2kr² operations.
    let rows = root.lifted_dim();
    let transposed = root.lower(Mat::<f64>::identity(rows, rows).as_ref())?;
    // Pivots below 10⁻¹³ ≈ 450 ε relative to the largest count as rounding errors, for example those of
    // repeated observations.
    let (y, _) = minimum_norm(transposed.as_ref(), c, 1e-13);
    let y: Vec<f64> = y.iter().map(|y| -y).collect();
    let distance = distance(root, &y, c)?;
    if distance <= IN_RANGE {
        Ok(y)
    } else {
        Err(Error::NotInRange { metric, distance })
    }
}

/// Returns ‖Lᵀy − c‖/‖c‖.
fn distance(root: &dyn Root, y: &[f64], c: &[f64]) -> Result<f64> {
    let lowered = root.lower(MatRef::from_column_major_slice(y, y.len(), 1))?;
    let pairs = lowered.col_as_slice(0).iter().zip(c);
    let error: Vec<f64> = pairs.map(|(l, c)| l - c).collect();
    // `norm` neither overflows nor underflows, and keeps NaN.
    let error = norm(&error);
    Ok(if error == 0.0 { 0.0 } else { error / norm(c) })
}
