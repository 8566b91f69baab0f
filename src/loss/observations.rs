//! Least-squares misfit of noisy linear observations.

use faer::{Mat, MatRef};

use super::Loss;
use super::fisher::{Predictive, Scores, check_draws};
use crate::check;
use crate::error::Result;
use crate::linalg::{Operator, Side};
use crate::metric::{Metric, Observed, Root, weighted_root, whitened_residual};
use crate::noise::Noise;
use crate::random;

/// Misfit ½‖Γ^{-1/2}(O ρ − d)‖², the negative log-likelihood of data d = O ρ + noise. The metric of the
/// misfit is [`Observed`].
///
/// ```
/// use pullback::{loss::Observations, Noise, Operator, Side};
/// let sensors = Operator::triplets(2, 5, [(0, 1, 1.0), (1, 4, 1.0)]);
/// let loss = Observations::new(&sensors, vec![0.5, 2.0], Noise::uniform(2, 0.1)?)?;
/// // The operator is shared, not copied, and remains usable.
/// assert_eq!(sensors.apply_to(Side::Plain, &[0.0, 1.0, 2.0, 3.0, 4.0])?, [1.0, 4.0]);
/// # Ok::<(), pullback::Error>(())
/// ```
pub struct Observations {
    operator: Operator<'static>,
    data: Vec<f64>,
    noise: Noise,
}

impl Observations {
    /// Returns the misfit between O ρ and `data`, where O is `operator`. A reference to an [`Operator`] shares its
    /// storage.
    ///
    /// # Errors
    /// Fails if the size of the data or of the noise differs from the number of rows of the operator, or if an entry is
    /// not finite.
    pub fn new(
        operator: impl Into<Operator<'static>>,
        data: Vec<f64>,
        noise: Noise,
    ) -> Result<Self> {
        let operator = operator.into();
        check::length("the data", data.len(), operator.nrows())?;
        check::length("the noise covariance", noise.dim(), operator.nrows())?;
        check::finite("the data", &data)?;
        operator.check_finite("the observation operator")?;
        Ok(Self {
            operator,
            data,
            noise,
        })
    }

    /// Returns the observation operator O.
    pub fn operator(&self) -> &Operator<'static> {
        &self.operator
    }

    /// Returns the misfit of a state that is observed entry by entry. Entries that are NaN are missing data.
    ///
    /// ```
    /// use pullback::{Loss, Noise, loss::Observations};
    /// let loss = Observations::present(&[1.0, f64::NAN, 3.0], &Noise::uniform(3, 0.5)?)?;
    /// assert_eq!(loss.value(&[1.0, 7.0, 2.0]), 2.0);
    /// # Ok::<(), pullback::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails if the noise has another size than the data, if a datum is infinite, or if all data are missing.
    pub fn present(data: &[f64], noise: &Noise) -> Result<Self> {
        check::length("the noise covariance", noise.dim(), data.len())?;
        let rows: Vec<usize> = (0..data.len()).filter(|i| !data[*i].is_nan()).collect();
        check::option(
            "the number of data",
            rows.len() as f64,
            !rows.is_empty(),
            "give at least one that is not NaN",
        )?;
        let operator = match rows.len() == data.len() {
            true => Operator::identity(data.len()),
            false => {
                let entries = rows.iter().enumerate().map(|(row, &i)| (row, i, 1.0));
                Operator::triplets(rows.len(), data.len(), entries)
            }
        };
        let kept = rows.iter().map(|&i| data[i]).collect();
        Self::new(operator, kept, noise.of(&rows)?)
    }

    /// Returns the noise of the data.
    pub(super) fn noise(&self) -> &Noise {
        &self.noise
    }

    /// Returns the whitened residual Γ^{-1/2}(O ρ − d).
    ///
    /// # Errors
    /// Fails if the length of the state differs from the number of columns of the operator.
    pub fn whitened_residual(&self, rho: &[f64]) -> Result<Vec<f64>> {
        whitened_residual(&self.operator, &self.noise, &self.data, rho)
    }

    /// Returns Γ^{-1/2}O V.
    pub(super) fn lift(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let observed = self.operator.apply(Side::Plain, v)?;
        self.noise.whiten(Side::Plain, observed.as_ref())
    }

    /// Returns OᵀΓ^{-T/2}Y.
    pub(super) fn lower(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>> {
        let weighted = self.noise.whiten(Side::Transpose, y)?;
        self.operator.apply(Side::Transpose, weighted.as_ref())
    }

    /// Returns OᵀΓ^{-T/2}y for one vector.
    pub(super) fn lowered(&self, y: &[f64]) -> Result<Vec<f64>> {
        let y = MatRef::from_column_major_slice(y, y.len(), 1);
        Ok(self.lower(y)?.col_as_slice(0).to_vec())
    }

    fn covector(&self, rho: &[f64]) -> Result<Vec<f64>> {
        // ∂f/∂ρ = OᵀΓ^{-T/2}r with the whitened residual r = Γ^{-1/2}(O ρ − d).
        self.lowered(&self.whitened_residual(rho)?)
    }
}

impl Loss for Observations {
    fn value(&self, rho: &[f64]) -> f64 {
        self.whitened_residual(rho)
            .map_or(f64::NAN, |r| 0.5 * r.iter().map(|r| r * r).sum::<f64>())
    }

    fn gradient(&self, rho: &[f64], out: &mut [f64]) {
        match self.covector(rho) {
            Ok(u) => out.copy_from_slice(&u),
            Err(_) => out.fill(f64::NAN),
        }
    }

    fn metric(&self) -> Option<Box<dyn Metric + '_>> {
        // f is quadratic, with ∇²f = OᵀΓ⁻¹O at every ρ. Given the data, `Observed` returns the dual of ∂f/∂ρ
        // without a solve: it is Γ^{-1/2}(O ρ − d), because Lᵀ maps the whitened residual to ∂f/∂ρ.
        let metric = Observed::new(&self.operator, &self.noise).ok()?;
        Some(Box::new(metric.with_data(&self.data)))
    }

    fn hessian(&self, _: &[f64], v: MatRef<'_, f64>) -> Result<Option<Mat<f64>>> {
        // f″ = OᵀΓ^{-T/2}Γ^{-1/2}O at every ρ.
        self.lower(self.lift(v)?.as_ref()).map(Some)
    }

    fn data(&self) -> Option<usize> {
        Some(self.data.len())
    }

    fn residuals(&self, rho: &[f64]) -> Result<Option<Vec<f64>>> {
        self.whitened_residual(rho).map(Some)
    }

    fn check(&self, rho: &[f64]) -> Result<()> {
        check::length(
            "the columns of the observation operator, one for each entry of the state",
            self.operator.ncols(),
            rho.len(),
        )?;
        check::finite("the state given to a loss", rho)
    }
}

/// Whitened data are independent, with the scores −zᵢ lᵢ for the rows lᵢ of L = Γ^{-1/2}O and standard normal z, which are the
/// residuals rᵢ of the measured data up to their sign.
impl Predictive for Observations {
    fn information<'a>(&'a self, rho: &'a [f64], scores: Scores) -> Result<Box<dyn Root + 'a>> {
        self.check(rho)?;
        let residual = self.whitened_residual(rho)?;
        let weights: Vec<f64> = match scores {
            Scores::Expected => vec![1.0; residual.len()],
            Scores::Measured => residual.iter().map(|r| r.abs()).collect(),
            Scores::Sampled { draws, seed } => {
                check_draws(draws)?;
                // Every datum has a random stream, which more draws continue.
                let weight = |i: usize| {
                    let mut normal = random::normal_stream(seed, i as u64 + 1);
                    let squares = (0..draws).map(|_| normal().powi(2)).sum::<f64>();
                    (squares / draws as f64).sqrt()
                };
                (0..residual.len()).map(weight).collect()
            }
        };
        // Lᵀdiag(w)y is the gradient Lᵀr for y = r/w.
        let dual = residual.iter().zip(&weights);
        let dual = dual.map(|(r, w)| if *w > 0.0 { r / w } else { 0.0 });
        let dual = dual.collect();
        Ok(weighted_root((&self.operator, &self.noise), weights, dual))
    }
}
