//! Repeated simulations, and the covariance of their noise.

use faer::Mat;
use rayon::prelude::*;

use super::{Simulator, seed_of};
use crate::check;
use crate::error::Result;
use crate::linalg::symmetric_product;
use crate::noise::Noise;

/// Independent simulations with the same parameters, and the covariance of their noise.
///
/// The best metric of a correction is the inverse Γ⁻¹ of the covariance of the noise. Some combinations of the data may vary far
/// less than the entries do, and then decide: the shares of time that a chaotic trajectory spends in cells are coupled by the
/// equations of motion, and Γ⁻¹ determines its parameters many times as accurately as a diagonal metric does. The covariance at
/// a first estimate is good enough, since a metric affects only the accuracy of a fixed point and not its position (Hansen 1982,
/// McFadden 1989: two-step estimates).
///
/// ```
/// use pullback::{Operator, Result, metric::Observed, random};
/// use pullback::correction::{Corrected, Ensemble, Simulated, Simulator};
/// /// Two readings with a common error, of which their difference is free.
/// struct Readings;
/// impl Simulator for Readings {
///     fn simulate(&self, theta: &[f64], seed: u64) -> Result<Simulated> {
///         let noise = random::normal(3, seed, 0);
///         let common = 0.1 * noise[0];
///         Ok(vec![theta[0] + common + 0.001 * noise[1], 2.0 * theta[0] + common + 0.001 * noise[2]].into())
///     }
/// }
/// let data = Readings.simulate(&[1.0], 1)?.data()?;
/// let ensemble = Ensemble::simulate(&Readings, &[1.2], (400, 7), |_| ())?;
/// let noise = ensemble.noise(1e-4)?;
/// let identity = Operator::identity(2);
/// let metric = Observed::new(&identity, &noise)?;
/// let report = Corrected::without_model(&Readings, &data, &metric).run(&[&[1.2]], |_| ())?;
/// // With independent errors of 0.1 the error would be about 0.05.
/// assert!((report.theta[0] - 1.0).abs() < 0.01);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ensemble {
    /// Mean of the simulations.
    pub mean: Vec<f64>,
    /// Sample covariance of the simulations.
    pub covariance: Mat<f64>,
}

impl Ensemble {
    /// Simulates `runs` times at θ, on all threads, with seeds derived from `seed`. Calls `progress` after every simulation, with
    /// the data of which nothing is kept but the covariance.
    ///
    /// # Errors
    /// Fails if there are fewer than two runs, if a simulation fails or is rejected, or if simulations differ in length or are
    /// not finite.
    pub fn simulate(
        simulator: &dyn Simulator,
        theta: &[f64],
        (runs, seed): (usize, u64),
        progress: impl Fn(&[f64]) + Sync,
    ) -> Result<Self> {
        check::finite("θ", theta)?;
        check::option(
            "the number of simulations of an ensemble",
            runs as f64,
            runs > 1,
            "simulate at least twice, and better several times per observation",
        )?;
        let run = |k: usize| {
            let data = simulator.simulate(theta, seed_of(seed, k + 1))?.data()?;
            check::finite("a simulation", &data)?;
            progress(&data);
            Ok(data)
        };
        let data: Vec<Vec<f64>> = (0..runs).into_par_iter().map(run).collect::<Result<_>>()?;
        let k = data[0].len();
        for other in &data {
            check::length("a simulation", other.len(), k)?;
        }
        // Differences from the first simulation: without noise they are 0 and not rounding, which would pass for noise.
        let excess = |i: usize| data.iter().map(|h| h[i] - data[0][i]).sum::<f64>();
        let mean = |i: usize| data[0][i] + excess(i) / runs as f64;
        let mean: Vec<f64> = (0..k).map(mean).collect();
        let scale = ((runs - 1) as f64).sqrt().recip();
        let deviations = Mat::from_fn(runs, k, |r, i| scale * (data[r][i] - mean[i]));
        Ok(Self {
            covariance: symmetric_product(deviations.as_ref(), deviations.as_ref()),
            mean,
        })
    }

    /// Returns the noise with the [shrunk](Self::shrunk) covariance.
    ///
    /// # Errors
    /// Fails as `shrunk` does, and if the covariance is not positive definite.
    pub fn noise(&self, shrinkage: f64) -> Result<Noise> {
        Noise::full(self.shrunk(shrinkage)?)
    }

    /// Returns the covariance (1 − s)C + s diag C of the noise, with the shrinkage s in (0, 1].
    ///
    /// The shrinkage makes the covariance regular, and damps errors of C from a finite number of simulations. 0.01 is a good
    /// choice with several simulations per observation, and 1 leaves the variances alone. Observations that never varied get the
    /// smallest variance of the others.
    ///
    /// # Errors
    /// Fails if the shrinkage is out of range, or if no observation varied.
    pub fn shrunk(&self, shrinkage: f64) -> Result<Mat<f64>> {
        let sound = shrinkage > 0.0 && shrinkage <= 1.0;
        let remedy = "give a fraction above 0, such as 0.01";
        check::option("the shrinkage of a covariance", shrinkage, sound, remedy)?;
        let c = &self.covariance;
        let variances = (0..c.nrows()).map(|i| c[(i, i)]).filter(|v| *v > 0.0);
        let least = variances.fold(f64::INFINITY, f64::min);
        check::option(
            "the spread of the simulations",
            0.0,
            least.is_finite(),
            "simulate with noise: without, the accuracy of the data decides about the metric",
        )?;
        Ok(Mat::from_fn(c.nrows(), c.ncols(), |i, j| {
            if i == j {
                c[(i, i)].max(least)
            } else {
                (1.0 - shrinkage) * c[(i, j)]
            }
        }))
    }
}
