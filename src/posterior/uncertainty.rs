//! Dense covariance of few parameters.

use std::fmt;

use faer::{Mat, MatRef};

use super::resolved::{ROUNDING, Resolved, Scores};
use super::variance::{Residual, Variance};
use crate::check;
use crate::coordinates::Chart;
use crate::error::Result;
use crate::linalg::Cpu;
use crate::model::adjoint::Linearisation;
use crate::model::{Model, solve_from};
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
    origin: Origin,
}

/// Fit that an uncertainty belongs to.
#[derive(Clone, Debug)]
struct Origin {
    /// Residual of the fit, if the loss is quadratic.
    residual: Option<Residual>,
    /// Variance of the noise in units of the loss, with the degrees of freedom of its estimate.
    variance: (f64, Option<f64>),
    /// State of the fit.
    rho: Vec<f64>,
    /// Remarks for the reader of the table.
    remarks: Vec<String>,
}

impl Origin {
    /// Returns the origin of a fit with known noise.
    fn new(residual: Option<Residual>) -> Self {
        Self {
            residual,
            variance: (1.0, None),
            rho: Vec::new(),
            remarks: Vec::new(),
        }
    }
}

/// Size of an entry of a null vector, in scaled coordinates, above which its parameter is undetermined.
const NULL_SHARE: f64 = 1e-6;

impl Uncertainty {
    /// Computes the covariance from rows H with HᵀH = G + C for the free parameters, where dθ = scale dξ.
    pub(crate) fn new(rows: MatRef<'_, f64>, free: &[usize], scale: &[f64]) -> Self {
        let resolved = Resolved::new(rows);
        Self::from_root(resolved.root.as_ref(), &resolved, free, scale)
    }

    /// Computes the covariance H⁻¹BH⁻¹ from these scores, within the combinations of parameters that the rows of the metric
    /// determine.
    pub(crate) fn sandwich(
        rows: MatRef<'_, f64>,
        scores: &Scores,
        free: &[usize],
        scale: &[f64],
    ) -> Result<Self> {
        let resolved = Resolved::new(rows);
        let root = resolved.sandwich(scores)?;
        Ok(Self::from_root(root.as_ref(), &resolved, free, scale))
    }

    fn from_root(
        root: MatRef<'_, f64>,
        resolved: &Resolved,
        free: &[usize],
        scale: &[f64],
    ) -> Self {
        let total = scale.len();
        let covariance = Resolved::covariance(root, free, scale);
        let mut standard_errors: Vec<f64> = (0..total).map(|i| covariance[(i, i)].sqrt()).collect();
        let null = &resolved.null;
        let mut null_space = Mat::zeros(total, null.ncols());
        for k in 0..null.ncols() {
            let column = null_space.col_as_slice_mut(k);
            for (j, &i) in free.iter().enumerate() {
                column[i] = null[(j, k)] * resolved.unit[j] * scale[i];
            }
            let length = norm(column);
            if length > 0.0 {
                column.iter_mut().for_each(|x| *x /= length);
            }
            // Shares are judged in scaled coordinates: those in θ depend on the units of the parameters.
            for (j, &i) in free.iter().enumerate() {
                // Rounding rotates a null vector towards the kept vectors by about ε σ₁/σᵣ. Shares of this
                // origin stay below the threshold unless the smallest kept σᵣ is itself close to its limit.
                let share = null[(j, k)].abs();
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
            origin: Origin::new(None),
        }
    }

    /// Computes the covariance (G/s² + C)⁻¹ from the rows L Z and P of data and priors, with the noise of a fit with this misfit
    /// to this number of data.
    ///
    /// # Errors
    /// Fails if the variance is invalid, or if the residual does not tell it.
    pub(crate) fn of_fit(
        (data, prior): (MatRef<'_, f64>, MatRef<'_, f64>),
        chart: &Chart,
        variance: Variance,
        fit: Option<(f64, usize)>,
    ) -> Result<Self> {
        let residual = fit.map(|(misfit, count)| Residual {
            misfit,
            data: count,
            parameters: Resolved::new(data).root.nrows(),
        });
        let variance = variance.resolve(residual.as_ref())?;
        let deviation = variance.0.sqrt();
        let (above, columns) = (data.nrows(), data.ncols());
        let rows = Mat::from_fn(above + prior.nrows(), columns, |i, j| match i < above {
            true => data[(i, j)] / deviation,
            false => prior[(i - above, j)],
        });
        let mut found = Self::new(rows.as_ref(), &chart.free, &chart.scale);
        (found.origin.residual, found.origin.variance) = (residual, variance);
        Ok(found)
    }

    /// Sets the state of the fit.
    pub(crate) fn at(mut self, rho: &[f64]) -> Self {
        self.origin.rho = rho.to_vec();
        self
    }

    /// Adds a remark.
    pub(crate) fn remarked(mut self, remark: Option<String>) -> Self {
        self.origin.remarks.extend(remark);
        self
    }

    /// Returns what the reader of the errors has to know, such as that the run did not converge.
    pub fn remarks(&self) -> &[String] {
        &self.origin.remarks
    }

    /// Returns the residual of the fit, if the loss is quadratic.
    pub fn residual(&self) -> Option<&Residual> {
        self.origin.residual.as_ref()
    }

    /// Returns the variance of the noise, in units of the loss.
    pub fn variance(&self) -> f64 {
        self.origin.variance.0
    }

    /// Returns the degrees of freedom of the variance, or None if it is known.
    pub fn freedom(&self) -> Option<f64> {
        self.origin.variance.1
    }

    /// Multiplies the covariance by a number, the part of priors included. [`Variance`] scales the noise of the data only.
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
            .filter(|s| s.is_finite())
            .for_each(|s| *s *= variance.sqrt());
        self.origin.variance.0 *= variance;
        self
    }

    /// Computes the standard error of every entry of the state of `model` at θ, to first order in the parameters.
    ///
    /// The band ρ ± t σ shows where the state lies, without the noise of single data: see
    /// [`Estimates::band`](super::Estimates::band). The model may be another one with the same parameters, such as the same formula
    /// at other points. If its state has the length of that of the fit, it is solved from there, on the same branch of solutions.
    /// The computation takes one tangent solve per parameter. An entry that depends on an undetermined combination of parameters
    /// has an infinite error.
    ///
    /// # Errors
    /// Fails if the model cannot be solved at θ, or has another number of parameters than the covariance.
    pub fn band(&self, model: &dyn Model, theta: &[f64]) -> Result<Vec<f64>> {
        Ok(self.predicted(model, theta)?.1)
    }

    /// Computes the state of `model` at θ, and the standard errors of its entries.
    pub(super) fn predicted(
        &self,
        model: &dyn Model,
        theta: &[f64],
    ) -> Result<(Vec<f64>, Vec<f64>)> {
        let (p, backend) = (self.covariance.nrows(), Cpu::shared());
        check::length("the parameters of a band", model.param_dim(), p)?;
        let guess = match self.origin.rho.len() == model.state_dim() {
            true => self.origin.rho.clone(),
            false => vec![0.0; model.state_dim()],
        };
        let rho = solve_from(model, theta, guess, backend)?;
        let errors = self.errors(&Linearisation::new(model, &rho, theta, backend)?)?;
        Ok((rho, errors))
    }

    /// Returns the standard errors of the entries of a linearised state.
    fn errors(&self, z: &Linearisation<'_>) -> Result<Vec<f64>> {
        let p = self.covariance.nrows();
        // To first order δρ = Z δθ, with the covariance ZΣZᵀ: σᵢ² = zᵢΣzᵢᵀ for row zᵢ of Z.
        let z = z.matrix()?;
        let product = z * &self.covariance;
        let variance = |i: usize| (0..p).map(|j| product[(i, j)] * z[(i, j)]).sum::<f64>();
        // If zᵢ is orthogonal to the null space, zᵢΣzᵢᵀ is the same for every generalised inverse Σ. Otherwise it is infinite.
        let open = |i: usize| {
            (0..self.null_space.ncols()).any(|k| {
                let terms = || (0..p).map(|j| z[(i, j)] * self.null_space[(j, k)]);
                let size = terms().map(f64::abs).sum::<f64>();
                terms().sum::<f64>().abs() > NULL_SHARE * size
            })
        };
        let error = |i: usize| match open(i) {
            true => f64::INFINITY,
            false => variance(i).max(0.0).sqrt(),
        };
        Ok((0..z.nrows()).map(error).collect())
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
        for remark in self.remarks() {
            writeln!(f, "  {remark}")?;
        }
        Ok(())
    }
}
