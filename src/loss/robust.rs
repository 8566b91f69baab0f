//! Misfits of observations with outliers.

use faer::{Mat, MatRef};

use super::{Loss, Observations};
use crate::check;
use crate::error::Result;
use crate::linalg::Backend;
use crate::metric::{Metric, Root, weighted_root};

/// Penalty φ(z) of a squared residual z, in units of the squared scale. Small residuals count as in least squares,
/// φ(z) ≈ z, and large ones less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Penalty {
    /// φ = 2(√(1 + z) − 1), smooth and nearly |r| for large residuals r.
    SoftL1,
    /// φ = z for z ≤ 1, and 2√z − 1 beyond, which is |r| up to constants.
    Huber,
    /// φ = ln(1 + z), the negative log-likelihood of Cauchy's distribution. Several minima are possible.
    Cauchy,
    /// φ = (1 − (1 − z)³)/3 for z ≤ 1, and ⅓ beyond. Residuals beyond the scale have no influence, and several minima
    /// are possible.
    Tukey,
}

impl Penalty {
    /// Returns the scale, in standard deviations, with which estimates from Gaussian noise without outliers have 95 % of the
    /// efficiency of least squares.
    pub fn standard_scale(self) -> f64 {
        // For the influence ψ(r) = φ′((r/s)²) r and r ~ N(0, 1) the efficiency is E[ψ′]²/E[ψ²] (Huber 1964).
        match self {
            Self::SoftL1 => 1.287,
            Self::Huber => 1.345,
            Self::Cauchy => 2.385,
            Self::Tukey => 4.685,
        }
    }

    /// Returns φ(z).
    pub(crate) fn value(self, z: f64) -> f64 {
        match self {
            // 2(√(1 + z) − 1) without cancellation for small z.
            Self::SoftL1 => 2.0 * z / ((1.0 + z).sqrt() + 1.0),
            Self::Huber if z <= 1.0 => z,
            Self::Huber => 2.0 * z.sqrt() - 1.0,
            Self::Cauchy => z.ln_1p(),
            // (1 − (1 − z)³)/3 = z − z² + z³/3.
            Self::Tukey if z <= 1.0 => z * (1.0 - z * (1.0 - z / 3.0)),
            Self::Tukey => 1.0 / 3.0,
        }
    }

    /// Returns φ′(z), the weight of a residual relative to least squares.
    fn weight(self, z: f64) -> f64 {
        match self {
            Self::SoftL1 => (1.0 + z).sqrt().recip(),
            Self::Huber if z <= 1.0 => 1.0,
            Self::Huber => z.sqrt().recip(),
            Self::Cauchy => (1.0 + z).recip(),
            Self::Tukey if z <= 1.0 => (1.0 - z) * (1.0 - z),
            Self::Tukey => 0.0,
        }
    }

    /// Returns the root √w of the weight of a datum in the metric, and its dual φ′r/√w, for the residual r with this z.
    pub(crate) fn row(self, r: f64, z: f64) -> (f64, f64) {
        // The covector is Lᵀy with y = φ′r/√w (Triggs, McLauchlan, Hartley and Fitzgibbon 2000, section 4.3).
        let weight = self.weight(z);
        let root = self.curvature(z).max(LEAST_CURVATURE * weight).sqrt();
        (root, if root > 0.0 { weight * r / root } else { 0.0 })
    }

    /// Returns the curvature of a datum with this z, relative to its weight in the metric.
    pub(crate) fn bend(self, z: f64) -> f64 {
        let curvature = self.curvature(z);
        let bounded = curvature.max(LEAST_CURVATURE * self.weight(z));
        if bounded > 0.0 {
            curvature / bounded
        } else {
            0.0
        }
    }

    /// Returns φ′(z) + 2zφ″(z), the curvature in the residual relative to least squares.
    fn curvature(self, z: f64) -> f64 {
        // d²/dr² of ½s²φ((r/s)²) is φ′ + 2zφ″.
        match self {
            Self::SoftL1 => (1.0 + z).powf(-1.5),
            Self::Huber if z <= 1.0 => 1.0,
            Self::Huber => 0.0,
            Self::Cauchy => (1.0 - z) / ((1.0 + z) * (1.0 + z)),
            Self::Tukey if z <= 1.0 => (1.0 - z) * (1.0 - 5.0 * z),
            Self::Tukey => 0.0,
        }
    }
}

/// Misfit ½ s² Σ φ((rᵢ/s)²) of the whitened residuals r = Γ^{-1/2}(O ρ − d), with a [`Penalty`] φ and a scale s in
/// standard deviations.
///
/// Outliers have less weight than in [`Observations`], to which the misfit tends for s → ∞. The residuals must be those of
/// single data: use it with independent noise. The metric is OᵀΓ^{-T/2} W Γ^{-1/2}O, with the curvatures of φ, bounded below,
/// as weights W.
///
/// Standard errors are those of an estimator with a given scale (Huber 1981, section 7.6), H⁻¹BH⁻¹ with the curvature H =
/// Jᵀdiag(φ′ + 2zφ″)J + C of the objective, which is not bounded below, and the variance B = Jᵀdiag(φ′r)²J + C of its gradient.
/// The mean of a prior with precision C counts as a datum with this precision.
///
/// ```
/// use pullback::automatic::{Curve, Formula, Scalar};
/// use pullback::loss::{Observations, Penalty, Robust};
/// use pullback::{Descent, Noise, Operator};
/// /// y = a + b t.
/// struct Line;
/// impl Formula for Line {
///     fn dims(&self) -> (usize, usize) { (20, 2) }
///     fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
///         for (t, y) in out.iter_mut().enumerate() { *y = theta[0] + theta[1] * t as f64; }
///     }
/// }
/// let mut data: Vec<f64> = (0..20).map(|t| 1.0 + 0.5 * t as f64).collect();
/// data[7] = 40.0; // an outlier
/// let all = Observations::new(Operator::identity(20), data, Noise::uniform(20, 0.1)?)?;
/// let loss = Robust::new(all, Penalty::Tukey)?;
/// let report = Descent::new(&Curve::new(Line), &loss).run(&[0.8, 0.52], |_| ())?;
/// assert!((report.theta[1] - 0.5).abs() < 1e-6);
/// # Ok::<(), pullback::Error>(())
/// ```
pub struct Robust {
    observations: Observations,
    penalty: Penalty,
    scale: f64,
}

/// Least curvature of a datum in the metric, relative to its weight φ′.
//
// The curvature of an outlier is zero or negative. With φ′ itself (iteratively reweighted least squares) every step decreases
// the objective, but convergence is slow: the metric overestimates the curvature. With 0, as in SciPy, data beyond the scale
// of Huber's penalty vanish from the metric, which may become singular.
const LEAST_CURVATURE: f64 = 0.1;

impl Robust {
    /// Returns the misfit of these observations with the [standard scale](Penalty::standard_scale) of the penalty.
    ///
    /// # Errors
    /// Fails if the noise of the observations is correlated, so that a residual does not belong to a single datum.
    pub fn new(observations: Observations, penalty: Penalty) -> Result<Self> {
        let independent = observations.noise().independent().is_some();
        check::option(
            "the number of correlated data of a robust misfit",
            if independent {
                0.0
            } else {
                observations.noise().dim() as f64
            },
            independent,
            "give independent noise by `Noise::uniform` or `Noise::deviations`",
        )?;
        Ok(Self {
            scale: penalty.standard_scale(),
            observations,
            penalty,
        })
    }

    /// Sets the scale s, in standard deviations of the data.
    ///
    /// # Errors
    /// Fails if the scale is not positive and finite.
    pub fn scale(mut self, scale: f64) -> Result<Self> {
        check::positive("the scale of a robust misfit", &[scale])?;
        self.scale = scale;
        Ok(self)
    }

    /// Returns the weights φ′ of the data at ρ: 1 for residuals well below the scale, and small for outliers.
    ///
    /// # Errors
    /// Fails if the state has the wrong length.
    pub fn weights(&self, rho: &[f64]) -> Result<Vec<f64>> {
        let r = self.observations.whitened_residual(rho)?;
        Ok(r.iter()
            .map(|r| self.penalty.weight(self.squared(*r)))
            .collect())
    }

    fn squared(&self, r: f64) -> f64 {
        (r / self.scale).powi(2)
    }

    /// Returns diag(w) Γ^{-1/2}O V.
    fn weighted(&self, v: MatRef<'_, f64>, weights: &[f64]) -> Result<Mat<f64>> {
        let mut white = self.observations.lift(v)?;
        for column in white.col_iter_mut() {
            column.iter_mut().zip(weights).for_each(|(x, w)| *x *= w);
        }
        Ok(white)
    }

    fn covector(&self, rho: &[f64]) -> Result<Vec<f64>> {
        let mut r = self.observations.whitened_residual(rho)?;
        r.iter_mut()
            .for_each(|r| *r *= self.penalty.weight(self.squared(*r)));
        // ∂f/∂ρ = OᵀΓ^{-T/2}(φ′r).
        self.observations.lowered(&r)
    }
}

impl Loss for Robust {
    fn value(&self, rho: &[f64]) -> f64 {
        let Ok(r) = self.observations.whitened_residual(rho) else {
            return f64::NAN;
        };
        let penalties = r.iter().map(|r| self.penalty.value(self.squared(*r)));
        0.5 * self.scale * self.scale * penalties.sum::<f64>()
    }

    fn gradient(&self, rho: &[f64], out: &mut [f64]) {
        match self.covector(rho) {
            Ok(u) => out.copy_from_slice(&u),
            Err(_) => out.fill(f64::NAN),
        }
    }

    fn metric(&self) -> Option<Box<dyn Metric + '_>> {
        Some(Box::new(Reweighted(self)))
    }

    fn hessian(&self, rho: &[f64], v: MatRef<'_, f64>) -> Result<Option<Mat<f64>>> {
        // f″ = OᵀΓ^{-T/2} diag(φ′ + 2zφ″) Γ^{-1/2}O, which may be indefinite.
        let r = self.observations.whitened_residual(rho)?;
        let curvatures: Vec<f64> = r
            .iter()
            .map(|r| self.penalty.curvature(self.squared(*r)))
            .collect();
        let white = self.weighted(v, &curvatures)?;
        self.observations.lower(white.as_ref()).map(Some)
    }

    fn residuals(&self, rho: &[f64]) -> Result<Option<Vec<f64>>> {
        self.observations.residuals(rho)
    }

    fn scores(&self, rho: &[f64], v: MatRef<'_, f64>) -> Result<Option<Mat<f64>>> {
        // The misfit of datum i has the derivative ψᵢ aᵢ with ψ = φ′r and the row aᵢ of Γ^{-1/2}O.
        let mut psi = self.observations.whitened_residual(rho)?;
        psi.iter_mut()
            .for_each(|r| *r *= self.penalty.weight(self.squared(*r)));
        self.weighted(v, &psi).map(Some)
    }

    fn check(&self, rho: &[f64]) -> Result<()> {
        self.observations.check(rho)
    }
}

/// Metric of a robust misfit, LᵀL with L = √W Γ^{-1/2}O.
struct Reweighted<'a>(&'a Robust);

impl Metric for Reweighted<'_> {
    fn at<'a>(&'a self, rho: &'a [f64], _: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        let Robust {
            observations,
            penalty,
            ..
        } = self.0;
        let r = observations.whitened_residual(rho)?;
        let rows = r.into_iter().map(|r| penalty.row(r, self.0.squared(r)));
        let (roots, dual) = rows.unzip();
        let known = (observations.operator(), observations.noise());
        Ok(weighted_root(known, roots, dual))
    }

    fn name(&self) -> &'static str {
        "reweighted"
    }
}
