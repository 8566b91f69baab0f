//! Repeated simulations, and the covariance of their noise.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use faer::Mat;
use rayon::prelude::*;

use super::{Corrected, Simulated, Simulator, seed_of};
use crate::check;
use crate::error::Result;
use crate::linalg::symmetric_product;
use crate::noise::Noise;

/// Number of simulations that are in memory at a time.
const BLOCK: usize = 256;

/// Largest number of observations, whose covariance takes 2 GiB.
const MOST: usize = 1 << 14;

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
/// use pullback::correction::{Corrected, Replicates, Simulated, Simulator};
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
/// let replicates = Replicates::simulate(&Readings, &[1.2], (400, 7), |_| ())?;
/// let noise = replicates.noise(1e-4)?;
/// let identity = Operator::identity(2);
/// let metric = Observed::new(&identity, &noise)?;
/// let report = Corrected::without_model(&Readings, &data, &metric).run(&[&[1.2]], |_| ())?;
/// // With independent errors of 0.1 the error would be about 0.05.
/// assert!((report.theta[0] - 1.0).abs() < 0.01);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Replicates {
    /// Mean of the simulations.
    pub mean: Vec<f64>,
    /// Sample covariance of the simulations.
    pub covariance: Mat<f64>,
}

impl Replicates {
    /// Simulates `runs` times at θ, on all threads, with seeds derived from `seed`. Calls `progress` after every simulation, with
    /// the data of which nothing is kept but the mean and the covariance.
    ///
    /// There are no data here to which the simulator could object: [`Corrected::replicates`] compares every simulation with
    /// those of a fit.
    ///
    /// # Errors
    /// Fails if there are fewer than two runs or more than 16384 observations, if a simulation fails or is rejected, or if simulations
    /// differ in length or are not finite.
    pub fn simulate(
        simulator: &dyn Simulator,
        theta: &[f64],
        (runs, seed): (usize, u64),
        progress: impl Fn(&[f64]) + Sync,
    ) -> Result<Self> {
        check::finite("θ", theta)?;
        check::option(
            "the number of simulations of replicates",
            runs as f64,
            runs > 1,
            "simulate at least twice, and better several times per observation",
        )?;
        let run = |k: usize| -> Result<Vec<f64>> {
            let data = simulator.simulate(theta, seed_of(seed, k + 1))?.data()?;
            check::finite("a simulation", &data)?;
            progress(&data);
            Ok(data)
        };
        let first = run(0)?;
        let observations = first.len();
        check::option(
            "the number of observations of replicates",
            observations as f64,
            (1..=MOST).contains(&observations),
            "simulate some, but no more than the covariance has room for: on a coarser grid, or at fewer times",
        )?;
        let mut sums = Sums::around(first);
        for start in (1..runs).step_by(BLOCK) {
            sums.add(&in_order(start..runs.min(start + BLOCK), &run)?)?;
        }
        Ok(sums.finish())
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

impl Corrected<'_> {
    /// Simulates `runs` times at θ as [`Replicates::simulate`] does, for the metric of a second fit to the data of this one.
    ///
    /// ```
    /// # use pullback::{Result, metric::L2, random};
    /// # use pullback::correction::{Corrected, Simulated, Simulator};
    /// /// A noisy reading that is stuck at zero below 1.
    /// struct Gauge;
    /// impl Simulator for Gauge {
    ///     fn simulate(&self, theta: &[f64], seed: u64) -> Result<Simulated> {
    ///         let reading = theta[0] + 0.1 * random::normal(1, seed, 0)[0];
    ///         Ok(vec![if reading < 1.0 { 0.0 } else { reading }].into())
    ///     }
    ///     fn objection(&self, simulated: &[f64], data: &[f64]) -> Option<String> {
    ///         (simulated[0] == 0.0 && data[0] > 0.0).then(|| "the gauge is stuck".into())
    ///     }
    /// }
    /// let (data, metric) = ([2.0], L2 { volume: 1.0 });
    /// let fit = Corrected::without_model(&Gauge, &data, &metric);
    /// assert!((fit.replicates(&[2.0], (400, 1), |_| ())?.mean[0] - 2.0).abs() < 0.02);
    /// // Here some readings would be zero, and their variance would not be that of the data.
    /// let error = fit.replicates(&[1.1], (400, 1), |_| ()).unwrap_err();
    /// assert!(error.to_string().contains("the gauge is stuck"));
    /// # Ok::<(), pullback::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails as [`Replicates::simulate`] does, if a simulation has another length than the data, or if the simulator
    /// [objects](Simulator::objection) to one. Simulate at other parameters then: a simulation left out would make the others seem less
    /// random than they are.
    pub fn replicates(
        &self,
        theta: &[f64],
        (runs, seed): (usize, u64),
        progress: impl Fn(&[f64]) + Sync,
    ) -> Result<Replicates> {
        self.simulator.check(self.data)?;
        let judged = Judged(self);
        Replicates::simulate(&judged, theta, (runs, seed), progress)
    }
}

/// Simulator whose objections are rejections.
struct Judged<'a>(&'a Corrected<'a>);

impl Simulator for Judged<'_> {
    fn simulate(&self, theta: &[f64], seed: u64) -> Result<Simulated> {
        let Corrected {
            simulator, data, ..
        } = self.0;
        let simulated = simulator.simulate(theta, seed)?.data()?;
        check::length("a simulation", simulated.len(), data.len())?;
        check::finite("a simulation", &simulated)?;
        Ok(match simulator.objection(&simulated, data) {
            Some(reason) => Simulated::Rejected(reason),
            None => simulated.into(),
        })
    }
}

/// Runs simulations on all threads. Of several failures, that of the first simulation is returned, and no later ones are begun.
fn in_order(
    range: Range<usize>,
    run: &(impl Fn(usize) -> Result<Vec<f64>> + Sync),
) -> Result<Vec<Vec<f64>>> {
    let failed = AtomicUsize::new(usize::MAX);
    let attempt = |k: usize| {
        // A simulation is left out only behind a failure, so that the first failure always comes to be known.
        let outcome = (k < failed.load(Ordering::Relaxed)).then(|| run(k));
        if let Some(Err(_)) = outcome {
            failed.fetch_min(k, Ordering::Relaxed);
        }
        outcome
    };
    let outcomes: Vec<Option<Result<Vec<f64>>>> = range.into_par_iter().map(attempt).collect();
    outcomes.into_iter().flatten().collect()
}

/// Sums of the differences to the first simulation, and of their products.
//
// The differences of an observation that never varies are exactly zero. Those to a mean would be rounding errors, which a metric
// of inverse variances would weight by 10³⁰.
struct Sums {
    first: Vec<f64>,
    runs: usize,
    sum: Vec<f64>,
    products: Mat<f64>,
}

impl Sums {
    fn around(first: Vec<f64>) -> Self {
        let k = first.len();
        Self {
            first,
            runs: 1,
            sum: vec![0.0; k],
            products: Mat::zeros(k, k),
        }
    }

    /// Adds simulations.
    fn add(&mut self, data: &[Vec<f64>]) -> Result<()> {
        let k = self.first.len();
        for h in data {
            check::length("a simulation", h.len(), k)?;
        }
        let differences = Mat::from_fn(data.len(), k, |r, i| data[r][i] - self.first[i]);
        for (i, sum) in self.sum.iter_mut().enumerate() {
            *sum += differences.col_as_slice(i).iter().sum::<f64>();
        }
        self.products += symmetric_product(differences.as_ref(), differences.as_ref());
        self.runs += data.len();
        Ok(())
    }

    /// Returns the mean h₀ + d̄ and the covariance (Σ d dᵀ − n d̄ d̄ᵀ)/(n − 1) for the differences d to the first simulation h₀.
    fn finish(self) -> Replicates {
        let n = self.runs as f64;
        let shift: Vec<f64> = self.sum.iter().map(|s| s / n).collect();
        let mut covariance = self.products;
        for j in 0..shift.len() {
            for i in 0..shift.len() {
                let entry = covariance[(i, j)] - n * shift[i] * shift[j];
                covariance[(i, j)] = entry / (n - 1.0);
            }
        }
        Replicates {
            mean: self.first.iter().zip(&shift).map(|(h, d)| h + d).collect(),
            covariance,
        }
    }
}
