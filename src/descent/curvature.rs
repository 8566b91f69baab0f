//! Curvature of the objective at a point.

use faer::{Mat, MatRef};

use super::problem::{Problem, Setting};
use super::{Descent, Report};
use crate::check;
use crate::curvature::{Combinations, Comparison, Curvature, GaussNewton, Hessian, Kind, Unit};
use crate::direction::LeastSquares;
use crate::error::{Error, Result};
use crate::linalg::Backend;
use crate::posterior::{CovarianceError, Uncertainty, Variance};
use crate::prior::PriorTerms;

impl Descent<'_> {
    /// Lends the curvature of the problem at `theta` to `look`, such as [`Spectrum::of`](crate::curvature::Spectrum::of).
    ///
    /// It refers to all parameters, in the coordinates τ of the transforms θ(τ): with D = diag θ′, an information matrix or a
    /// Gauss-Newton Hessian A is D A D, and an exact Hessian H is D H D + diag(θ″ ∂f/∂θ). Bounds only refuse a `theta` outside of
    /// them. Parameters that they hold, or fix by equal bounds, have rows and columns as all others.
    ///
    /// ```
    /// use pullback::curvature::{Diagonal, Kind};
    /// use pullback::{Descent, Grid, loss::L2Misfit, models::{GaussianMixture, Parameter}};
    /// let mixture = GaussianMixture::new(&Grid::new(&[(-8.0, 8.0, 200)])?)
    ///     .component(1.0, &[0.0], 1.0)
    ///     .free(&[Parameter::Mean(0, 0)])?;
    /// let loss = L2Misfit::new(mixture.grid(), mixture.density(&[0.0])?)?;
    /// let descent = Descent::new(&mixture, &loss);
    /// let far = |kind| descent.curvature(&[3.0], kind, |h| Diagonal::exact(h)).map(|diagonal| diagonal.values[0]);
    /// // Far from the data the objective is concave, which the Gauss-Newton Hessian cannot be.
    /// assert!(far(Kind::GaussNewton)? > 0.0 && far(Kind::Exact)? < 0.0);
    /// # Ok::<(), pullback::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails as [`run`](Descent::run) does, and as `look` does. [`Kind::Exact`] fails with a
    /// [`HessianError`](crate::direction::HessianError) if the model or the loss has no second derivatives, the other kinds
    /// without a metric.
    pub fn curvature<T>(
        &self,
        theta: &[f64],
        kind: Kind,
        look: impl FnOnce(&dyn Curvature) -> Result<T>,
    ) -> Result<T> {
        self.check(theta)?;
        let problem = self.setting.for_curvature(self.backend, kind);
        let mut memory = problem.memory();
        let state = problem.start(theta, None, &mut memory)?;
        let at = problem.linearise(&state, &mut memory)?;
        let root = || at.root.as_deref().ok_or(Error::NoMetric);
        let prior = at.prior.as_ref();
        match kind {
            Kind::Information => look(&GaussNewton::new(&at.z, root()?, None)),
            Kind::GaussNewton => look(&GaussNewton::new(&at.z, root()?, prior)),
            Kind::Exact => look(&Hessian::new(&at.z, &at.second_order, prior)?),
        }
    }

    /// Finds the combinations of the parameters that the data determine at `theta`, and those that they do not see, by one
    /// tangent solve per parameter. Bounds and transforms are ignored: parameters that equal bounds fix count as unknown.
    ///
    /// The information is that of the metric of the loss, in units of the noise, of which `variance` tells. For a
    /// [`Likelihood`](crate::loss::Likelihood) that estimates its noise it is Fisher's at a fit, and larger far from one. Losses
    /// without noise, such as [`Transport`](crate::loss::Transport), count as observations with unit noise in their metric, which
    /// compares combinations with each other and gives no errors. `unit` says what a large change of a parameter is.
    ///
    /// # Errors
    /// Fails as [`run`](Descent::run) does, without a metric, if a unit is not positive, such as the size of a parameter that
    /// is 0, and for [`Unit::Prior`] if there is no prior or if it leaves a combination free.
    pub fn combinations(
        &self,
        theta: &[f64],
        variance: Variance,
        unit: Unit<'_>,
    ) -> Result<Combinations> {
        self.check(theta)?;
        let problem = self.setting.for_combinations(self.backend);
        problem.combinations(theta, None, variance, unit)
    }
}

impl Report {
    /// Finds the combinations of the parameters that the data determine at the best point, and those that they do not see (see
    /// [`Descent::combinations`]). Pass the `descent` that produced this report.
    ///
    /// # Errors
    /// Fails as [`Descent::combinations`] does.
    pub fn combinations(
        &self,
        descent: &Descent<'_>,
        variance: Variance,
        unit: Unit<'_>,
    ) -> Result<Combinations> {
        descent.check(&self.theta)?;
        let problem = descent.setting.for_combinations(descent.backend);
        problem.combinations(&self.theta, Some(&self.rho), variance, unit)
    }
}

impl<'a> Setting<'a> {
    /// Returns the problem whose linearisation has a curvature.
    fn for_curvature(&self, backend: &'a dyn Backend, kind: Kind) -> Problem<'a> {
        let mut problem = match kind {
            Kind::GaussNewton => self.for_uncertainty(backend, true),
            Kind::Exact => self.for_uncertainty(backend, false),
            Kind::Information => {
                let setting = Setting {
                    direction: LeastSquares::STANDARD,
                    first_metric: None,
                    ..self.clone()
                };
                Problem::new(setting, backend)
            }
        };
        problem.setting.bounds = None;
        problem
    }

    /// Returns the problem whose linearisation has the information of combinations.
    fn for_combinations(&self, backend: &'a dyn Backend) -> Problem<'a> {
        let mut problem = self.for_curvature(backend, Kind::GaussNewton);
        problem.setting.transforms = None;
        problem
    }
}

impl Problem<'_> {
    fn combinations(
        &self,
        theta: &[f64],
        rho: Option<&[f64]>,
        variance: Variance,
        unit: Unit<'_>,
    ) -> Result<Combinations> {
        let mut memory = self.memory();
        let state = self.start(theta, rho, &mut memory)?;
        let at = self.linearise(&state, &mut memory)?;
        let root = at.root.as_deref().ok_or(Error::NoMetric)?;
        if state
            .misfit
            .scores(at.z.matrix()?.as_ref(), self.backend)?
            .is_some()
        {
            return Err(CovarianceError::Robust.into());
        }
        let mut rows = root.lift(at.z.matrix()?.as_ref())?;
        let count = self.setting.loss.data();
        let fit = count.map(|count| (state.misfit.value(), count));
        let none = Mat::zeros(0, rows.ncols());
        let data = (rows.as_ref(), none.as_ref());
        let noise = Uncertainty::of_fit(data, &at.chart, variance, fit)?.variance();
        for j in 0..rows.ncols() {
            let column = rows.col_as_slice_mut(j).iter_mut();
            column.for_each(|x| *x /= noise.sqrt());
        }
        self.in_unit(rows.as_ref(), theta, unit)
    }

    /// Decomposes the rows L Z/s in a unit.
    fn in_unit(
        &self,
        rows: MatRef<'_, f64>,
        theta: &[f64],
        unit: Unit<'_>,
    ) -> Result<Combinations> {
        let priors = &self.setting.priors;
        match unit {
            Unit::Given(units) => Combinations::in_units(rows, units, Comparison::Units),
            Unit::Sizes => {
                let sizes: Vec<f64> = theta.iter().map(|t| t.abs()).collect();
                Combinations::in_units(rows, &sizes, Comparison::Sizes)
            }
            Unit::Prior => {
                check::option(
                    "the number of priors, in whose units combinations are measured,",
                    priors.len() as f64,
                    !priors.is_empty(),
                    "add one with `Descent::prior`, or take `Unit::Sizes` or `Unit::Given`",
                )?;
                let mut prior = PriorTerms::new(priors, theta)?;
                // A singular precision may have a Cholesky factor by rounding, which this check reveals.
                prior.factorise(self.backend)?;
                Combinations::beside_prior(rows, prior.dense()?.as_ref())
            }
        }
    }
}
