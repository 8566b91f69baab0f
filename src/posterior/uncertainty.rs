//! Dense covariance of few parameters.

use std::fmt;

use faer::{Mat, MatRef};

use crate::check;
use crate::error::Result;
use crate::linalg::{Cpu, gram, right_singular};
use crate::model::adjoint::Linearisation;
use crate::model::{Model, solve_checked};
use crate::vector::norm;

/// Covariance (G + C)⁻¹ of the parameters, with the precision C of the priors, and the undetermined directions.
///
/// Singular values of the scaled rows below `1e-10` of the largest count as zero, and their singular vectors
/// span the null space. The covariance is the pseudo-inverse in scaled coordinates. The standard error of a
/// parameter is infinite if the parameter has a component in the null space. See
/// [`Report::covariance`](crate::Report::covariance).
#[derive(Clone, Debug)]
pub struct Uncertainty {
    /// Covariance matrix of the parameters. Rows and columns of parameters held by bounds are zero.
    pub covariance: Mat<f64>,
    /// Standard errors, the square roots of the diagonal of the covariance. The standard errors are infinite for
    /// undetermined parameters.
    pub standard_errors: Vec<f64>,
    /// Directions in θ of unit length, as columns, that change neither data nor priors.
    pub null_space: Mat<f64>,
    /// Indices of the parameters held by a bound, whose standard error is given as 0.
    pub held: Vec<usize>,
}

/// Relative singular value below which a direction is undetermined.
const ROUNDING: f64 = 1e-10;

/// Size of an entry of a null vector, in scaled coordinates, above which its parameter is undetermined.
const NULL_SHARE: f64 = 1e-6;

impl Uncertainty {
    /// Computes the covariance from rows H with HᵀH = G + C for the free parameters, where dθ = scale dξ.
    pub(crate) fn new(rows: MatRef<'_, f64>, free: &[usize], scale: &[f64]) -> Self {
        let total = scale.len();
        let lengths: Vec<f64> = (0..free.len()).map(|j| rows.col(j).norm_l2()).collect();
        let unit = |j: usize| match lengths[j] > 0.0 {
            true => lengths[j].recip(),
            false => 1.0,
        };
        // With D = diag(unit) and H D = UΣVᵀ, (HᵀH)⁻¹ = D V Σ⁻² VᵀD. HᵀH, which squares the condition number,
        // is never formed. A wide H is padded with rows of zeros, because its decomposition would otherwise
        // lack vectors of the null space.
        let padded = rows.nrows().max(free.len());
        let scaled = Mat::from_fn(padded, free.len(), |i, j| match i < rows.nrows() {
            true => rows[(i, j)] * unit(j),
            false => 0.0,
        });
        let (values, vectors) = right_singular(scaled.as_ref());
        let largest = values.first().copied().unwrap_or(0.0);
        let rank = values
            .iter()
            .take_while(|v| **v > ROUNDING * largest)
            .count();
        // Entries of DV, in coordinates of θ.
        let in_theta = |j: usize, k: usize| vectors[(j, k)] * unit(j) * scale[free[j]];
        let mut inverse_root = Mat::zeros(rank, total);
        let mut null_space = Mat::zeros(total, values.len() - rank);
        for (j, &i) in free.iter().enumerate() {
            (0..rank).for_each(|k| inverse_root[(k, i)] = in_theta(j, k) / values[k]);
            (rank..values.len()).for_each(|k| null_space[(i, k - rank)] = in_theta(j, k));
        }
        let covariance = gram(inverse_root.as_ref());
        let mut standard_errors: Vec<f64> = (0..total).map(|i| covariance[(i, i)].sqrt()).collect();
        for k in 0..null_space.ncols() {
            let column = null_space.col_as_slice_mut(k);
            let length = norm(column);
            if length > 0.0 {
                column.iter_mut().for_each(|x| *x /= length);
            }
            // Shares are judged in scaled coordinates: those in θ depend on the units of the parameters.
            for (j, &i) in free.iter().enumerate() {
                // Rounding rotates a null vector towards the kept vectors by about ε σ₁/σᵣ. Shares of this
                // origin stay below the threshold unless the smallest kept σᵣ is itself close to its limit.
                let share = vectors[(j, rank + k)].abs();
                if share > NULL_SHARE {
                    standard_errors[i] = f64::INFINITY;
                }
                if share <= ROUNDING {
                    column[i] = 0.0;
                }
            }
        }
        Self {
            covariance,
            standard_errors,
            null_space,
            held: (0..total).filter(|i| !free.contains(i)).collect(),
        }
    }

    /// Multiplies the covariance by a variance.
    ///
    /// If the loss is ½‖ρ − q‖² with errors of unknown variance s², pass the estimate s² = 2 f/(n − p) from n data
    /// and p parameters.
    #[must_use]
    pub fn scaled(mut self, variance: f64) -> Self {
        for j in 0..self.covariance.ncols() {
            self.covariance
                .col_as_slice_mut(j)
                .iter_mut()
                .for_each(|c| *c *= variance);
        }
        self.standard_errors
            .iter_mut()
            .for_each(|s| *s *= variance.sqrt());
        self
    }

    /// Computes the standard error of every entry of the state of `model` at θ, to first order in the parameters.
    ///
    /// The band ρ ± t σ shows where the state lies, without the noise of single data. The model may be another one with
    /// the same parameters, such as the same formula at other points. The computation takes one tangent solve per
    /// parameter. Undetermined parameters are left out.
    ///
    /// # Errors
    /// Fails if the model cannot be solved at θ, or has another number of parameters than the covariance.
    pub fn band(&self, model: &dyn Model, theta: &[f64]) -> Result<Vec<f64>> {
        let (p, backend) = (self.covariance.nrows(), Cpu::shared());
        check::length("the parameters of a band", model.param_dim(), p)?;
        let rho = solve_checked(model, theta, backend)?;
        let z = Linearisation::new(model, &rho, theta, backend)?;
        // To first order δρ = Z δθ, with the covariance ZΣZᵀ: σᵢ² = zᵢΣzᵢᵀ for row zᵢ of Z.
        let z = z.matrix()?;
        let product = z * &self.covariance;
        let variance = |i: usize| (0..p).map(|j| product[(i, j)] * z[(i, j)]).sum::<f64>();
        Ok((0..z.nrows())
            .map(|i| variance(i).max(0.0).sqrt())
            .collect())
    }

    /// Iterates over the undetermined combinations, each as the undetermined parameters with their shares.
    pub(super) fn undetermined(&self) -> impl Iterator<Item = impl Iterator<Item = (usize, f64)>> {
        let columns = (0..self.null_space.ncols()).map(|k| self.null_space.col_as_slice(k));
        columns.map(|column| {
            let shares = column.iter().copied().enumerate();
            shares.filter(|(i, x)| self.standard_errors[*i].is_infinite() && *x != 0.0)
        })
    }

    /// Returns the correlation of two parameters.
    pub fn correlation(&self, i: usize, j: usize) -> f64 {
        let c = &self.covariance;
        c[(i, j)] / (c[(i, i)] * c[(j, j)]).sqrt()
    }
}

impl fmt::Display for Uncertainty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.standard_errors.iter().enumerate() {
            let held = if self.held.contains(&i) {
                " (held by its bound)"
            } else {
                ""
            };
            writeln!(f, "  θ{i}: standard error {error:.3e}{held}")?;
        }
        for combination in self.undetermined() {
            let terms: Vec<String> = combination.map(|(i, x)| format!("{x:+.3e} θ{i}")).collect();
            writeln!(f, "  not determined: {}", terms.join(" "))?;
        }
        Ok(())
    }
}
