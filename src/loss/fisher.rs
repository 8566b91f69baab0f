//! Fisher's information of a likelihood in three ways: expected, sampled, and from the residuals.

use super::Loss;
use crate::check;
use crate::error::Result;
use crate::linalg::Backend;
use crate::metric::{Metric, Root};

/// Scores whose squares make an information M = Σ E[s sᵀ], where s = ∂(−ln p(y; ρ))/∂ρ is the score of a datum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scores {
    /// Expectation over the distribution of the model.
    Expected,
    /// Mean over data drawn from the distribution of the model.
    Sampled {
        /// Number of draws of every datum.
        draws: usize,
        /// Seed of the draws.
        seed: u64,
    },
    /// Scores of the measured data, which are their residuals.
    Measured,
}

/// Loss that is the negative logarithm of the probability of independent data, which can be drawn from the model.
///
/// ```
/// use pullback::faer::mat;
/// use pullback::loss::{Datum, Family, Likelihood, NoiseLevel, Predictive, Scores};
/// let datum = |value| Datum { mean: 0, noise: NoiseLevel::Given(0.5), value, family: Family::Gaussian };
/// let loss = Likelihood::new(1, [3.0, 1.0].map(datum))?;
/// let information = |scores| -> pullback::Result<f64> {
///     let root = loss.information(&[1.0], scores)?;
///     Ok(root.apply(mat![[1.0]].as_ref())?[(0, 0)])
/// };
/// assert!((information(Scores::Expected)? - 8.0).abs() < 1e-13); // 2/σ²
/// assert!((information(Scores::Measured)? - 64.0).abs() < 1e-12); // (2/σ²)² + 0
/// let sampled = information(Scores::Sampled { draws: 1000, seed: 1 })?;
/// assert!((sampled - 8.0).abs() < 1.0);
/// # Ok::<(), pullback::Error>(())
/// ```
pub trait Predictive: Loss {
    /// Prepares the root of the information of the state at ρ. [`Rows`](crate::metric::Rows) makes one of scores.
    ///
    /// # Errors
    /// Fails if the likelihood is not defined at ρ.
    fn information<'a>(&'a self, rho: &'a [f64], scores: Scores) -> Result<Box<dyn Root + 'a>>;
}

/// Metric of a likelihood: its Fisher information, or what stands for it.
///
/// | | M | at a fit |
/// |---|---|---|
/// | [`exact`](Self::exact) | E[s sᵀ], in closed form | the curvature of the loss on average; for exponential families in their natural parameters always |
/// | [`sampled`](Self::sampled) | mean of s sᵀ over drawn data | the same, with a relative error of about √(p/(n draws)) |
/// | [`empirical`](Self::empirical) | Σ s sᵀ of the measured data | the same only if the noise is as large as the model says |
///
/// The empirical one is no substitute: it needs no draws, but far from a fit it grows with the square of the residuals, and
/// where the noise is smaller than the model says it vanishes. For a line with noise 0.1, fitted with the noise level 1, the
/// exact metric takes one step, and the empirical one is still on its way after 200:
///
/// ```
/// use pullback::automatic::{Curve, Formula, Scalar};
/// use pullback::descent::Tolerances;
/// use pullback::loss::{Fisher, Observations};
/// use pullback::step::Fixed;
/// use pullback::{Descent, Metric, Noise, random};
///
/// /// y = a + b t at 50 times.
/// struct Line;
///
/// impl Formula for Line {
///     fn dims(&self) -> (usize, usize) {
///         (50, 2)
///     }
///
///     fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
///         for (i, y) in out.iter_mut().enumerate() {
///             *y = theta[0] + theta[1] * (i as f64 / 25.0 - 0.98);
///         }
///     }
/// }
///
/// let noise = random::normal(50, 1, 0);
/// let data: Vec<f64> = (0..50).map(|i| 23.0 + 0.1 * noise[i]).collect();
/// let loss = Observations::present(&data, &Noise::uniform(50, 1.0)?)?;
/// let (model, step) = (Curve::new(Line), Fixed::default());
/// let distance = |metric: &dyn Metric, iterations| -> pullback::Result<f64> {
///     let tolerances = Tolerances { iterations, ..Tolerances::default() };
///     let descent = Descent::new(&model, &loss).metric(metric).step(&step).tolerances(tolerances);
///     Ok((descent.run(&[0.0, 0.0], |_| ())?.theta[0] - 23.0).abs())
/// };
/// assert!(distance(&Fisher::exact(&loss), 1)? < 0.1);
/// assert!(distance(&Fisher::empirical(&loss), 200)? > 11.0);
/// # Ok::<(), pullback::Error>(())
/// ```
///
/// [`Descent::curvature`](crate::Descent::curvature) lends the information matrix of the parameters, ZᵀMZ.
#[derive(Clone, Copy)]
pub struct Fisher<'a> {
    likelihood: &'a dyn Predictive,
    scores: Scores,
}

impl<'a> Fisher<'a> {
    /// Returns the Fisher information.
    pub fn exact(likelihood: &'a dyn Predictive) -> Self {
        let scores = Scores::Expected;
        Self { likelihood, scores }
    }

    /// Returns the mean over this number of draws of every datum from the distribution of the model at the state. Equal seeds
    /// give equal draws at every state.
    ///
    /// # Errors
    /// Fails if there are no draws.
    pub fn sampled(likelihood: &'a dyn Predictive, draws: usize, seed: u64) -> Result<Self> {
        check_draws(draws)?;
        let scores = Scores::Sampled { draws, seed };
        Ok(Self { likelihood, scores })
    }

    /// Returns the squares of the scores of the measured data.
    ///
    /// Of correlated data, such as [`Observations`](super::Observations) with a whole covariance Γ, the data are those that
    /// [`Noise::whiten`](crate::Noise::whiten) makes independent: r = Γ^{-1/2}(Oρ − d), and M = Σᵢ rᵢ² lᵢ lᵢᵀ with the rows lᵢ of
    /// Γ^{-1/2}O. Γ^{-1/2} is the inverse of the lower Cholesky factor of Γ. Another root, such as the symmetric one, mixes the data
    /// otherwise and makes another M, and so does another order of the data. Expected and sampled information on average do not depend
    /// on the root.
    pub fn empirical(likelihood: &'a dyn Predictive) -> Self {
        let scores = Scores::Measured;
        Self { likelihood, scores }
    }
}

/// Checks that there are draws.
pub(super) fn check_draws(draws: usize) -> Result<()> {
    let remedy = "take at least one";
    check::option(
        "the number of draws of every datum",
        draws as f64,
        draws > 0,
        remedy,
    )
}

impl Metric for Fisher<'_> {
    fn at<'a>(&'a self, rho: &'a [f64], _: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        self.likelihood.information(rho, self.scores)
    }

    fn name(&self) -> &'static str {
        match self.scores {
            Scores::Expected => "Fisher information",
            Scores::Sampled { .. } => "sampled Fisher information",
            Scores::Measured => "empirical Fisher information",
        }
    }
}
