//! Trajectory histograms as a simulator, for the correction of an invariant measure.

use super::flow::Flow;
use super::trajectory::{Delay, Sampling, perplexity};
use crate::check;
use crate::correction::{Simulated, Simulator};
use crate::error::{Error, Result};
use crate::grid::Grid;
use crate::metric::FisherRao;

/// Simulator that maps θ to the histogram of a trajectory, sampled and symmetrised like the data.
///
/// With the [`InvariantMeasure`](super::InvariantMeasure) of the same flow and grid, the simulator gives a
/// [`Corrected`](crate::correction::Corrected) fit that is free of the bias of first-order fluxes.
///
/// ```no_run
/// use pullback::Grid;
/// use pullback::correction::{Corrected, Simulator};
/// use pullback::models::{InvariantMeasure, Occupations};
/// use pullback::models::flow::Lorenz;
/// use pullback::models::trajectory::Sampling;
/// let grid = Grid::new(&[(-25.0, 25.0, 24), (-35.0, 35.0, 24), (0.0, 60.0, 24)])?;
/// let model = InvariantMeasure::new(&grid, Lorenz)?;
/// let simulator = Occupations::new(&grid, &Lorenz, Sampling::default());
/// let data = simulator.simulate(&Lorenz::CLASSIC, 7)?.data()?; // or a measured histogram
/// let metric = simulator.metric();
/// let fit = Corrected::new(&model, &simulator, &data, &metric);
/// let report = fit.run(&[&[9.0, 25.0, 2.2]], |iterate| println!("{iterate}"))?;
/// println!("{report}: {:?} ± {:?}", report.theta, report.standard_errors);
/// # Ok::<(), pullback::Error>(())
/// ```
pub struct Occupations<'a> {
    /// Grid of the histogram.
    pub grid: &'a Grid,
    /// Flow that is simulated.
    pub flow: &'a dyn Flow,
    /// Sampling of the trajectories. Every simulation replaces the seed.
    pub sampling: Sampling,
    /// Smallest accepted perplexity of a simulated histogram, relative to that of the data: 0.65 by default.
    ///
    /// The perplexity is the effective number of visited cells. A trajectory below this limit has settled on a fixed
    /// point or a limit cycle and carries no information about θ.
    pub least_perplexity: f64,
    /// Delay coordinates of the histogram, or None for a histogram of the points themselves.
    pub delay: Option<Delay>,
}

impl<'a> Occupations<'a> {
    /// Creates a simulator with these settings and a least perplexity of 0.65.
    pub fn new(grid: &'a Grid, flow: &'a dyn Flow, sampling: Sampling) -> Self {
        Self {
            grid,
            flow,
            sampling,
            least_perplexity: 0.65,
            delay: None,
        }
    }

    /// Sets delay coordinates, for data that are the series of one coordinate. The grid is one in these coordinates.
    ///
    /// There is no ready model of such a measure: use [`Corrected::without_model`](crate::correction::Corrected::without_model).
    ///
    /// ```
    /// use pullback::Grid;
    /// use pullback::correction::Simulator;
    /// use pullback::models::{Occupations, flow::Lorenz};
    /// use pullback::models::trajectory::{Delay, Sampling};
    /// let grid = Grid::new(&[(-25.0, 25.0, 8); 3])?;
    /// let sampling = Sampling { duration: 100.0, interval: 0.02, ..Sampling::default() };
    /// // x(t), x(t − 0.16), x(t − 0.32)
    /// let delay = Delay { coordinate: 0, lag: 8, copies: 3 };
    /// let simulator = Occupations::new(&grid, &Lorenz, sampling).delayed(delay);
    /// let density = simulator.simulate(&Lorenz::CLASSIC, 1)?.data()?;
    /// assert!((grid.integrate(&density)? - 1.0).abs() < 1e-12);
    /// # Ok::<(), pullback::Error>(())
    /// ```
    #[must_use]
    pub fn delayed(mut self, delay: Delay) -> Self {
        self.delay = Some(delay);
        self
    }

    /// Returns the metric for corrections of histograms: Fisher-Rao with densities raised to 10⁻¹¹ of the largest, or to 10⁻³
    /// in delay coordinates.
    ///
    /// Without this floor, samples in cells that the model hardly ever visits would outweigh all other samples
    /// together. In delay coordinates there is no model, and the metric is prepared at the data, which are zero in all cells without a
    /// sample.
    pub fn metric(&self) -> FisherRao {
        // A sample in a cell of model mass m adds about 1/(n²m) to the squared length of a residual, with n
        // samples. The noise of independent samples adds about N/n for N cells. A single sample thus
        // outweighs all others where m < 1/(nN).
        // A histogram is zero in cells of any mass below about 1/n, and the largest masses are a few per cent. A floor far below
        // would weight single samples in such cells like thousands of others.
        FisherRao {
            floor: if self.delay.is_some() { 1e-3 } else { 1e-11 },
            ..FisherRao::new(self.grid)
        }
    }
}

impl Simulator for Occupations<'_> {
    fn check(&self, data: &[f64]) -> Result<()> {
        check::length("the histogram", data.len(), self.grid.cells())?;
        check::density("the histogram", data)
    }

    fn simulate(&self, theta: &[f64], seed: u64) -> Result<Simulated> {
        let sampling = Sampling {
            seed,
            ..self.sampling
        };
        let occupation = match &self.delay {
            None => sampling.occupation(self.flow, theta, self.grid, |_| ()),
            Some(delay) => sampling.delay_occupation(self.flow, theta, self.grid, delay),
        };
        match occupation {
            Ok(occupation) => Ok(occupation.density.into()),
            Err(error) if is_of_parameters(&error) => Ok(Simulated::Rejected(error.to_string())),
            Err(error) => Err(error),
        }
    }

    fn objection(&self, simulated: &[f64], data: &[f64]) -> Option<String> {
        let volume = self.grid.volume();
        // With n cells per axis, a fixed point fills one cell, a limit cycle O(n) cells, and an attractor of
        // dimension two O(n²). These counts differ so much that the limit need not be sharp.
        let (filled, reference) = (perplexity(simulated, volume), perplexity(data, volume));
        (filled < self.least_perplexity * reference).then(|| {
            format!(
                "a trajectory fills {filled:.0} cells and the data {reference:.0}, so that it is less chaotic than the \
                 data"
            )
        })
    }
}

/// Returns whether a simulation might succeed with other parameters.
fn is_of_parameters(error: &Error) -> bool {
    let own = error.of::<super::Error>();
    own.is_some_and(super::Error::is_of_parameters) || matches!(error, Error::Model(_))
}
