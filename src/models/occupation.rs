//! Histograms of trajectories as a simulator, for corrections of an invariant measure.

use super::flow::Flow;
use super::trajectory::{Sampling, perplexity};
use crate::check;
use crate::correction::Simulator;
use crate::error::Result;
use crate::grid::Grid;
use crate::metric::FisherRao;

/// θ ↦ the histogram of a trajectory, sampled, observed and symmetrised as the data were.
///
/// Together with the [`InvariantMeasure`](super::InvariantMeasure) of the same flow and grid it makes a
/// [`Corrected`](crate::correction::Corrected) fit that is free of the bias of first-order fluxes.
///
/// ```no_run
/// use pullback::Grid;
/// use pullback::correction::{Corrected, Simulator};
/// use pullback::models::{InvariantMeasure, Occupations};
/// use pullback::models::flow::Lorenz;
/// use pullback::models::trajectory::Sampling;
/// let grid = Grid::new(&[(-25.0, 25.0, 24), (-35.0, 35.0, 24), (0.0, 60.0, 24)])?;
/// let (model, simulator) = (InvariantMeasure::new(&grid, Lorenz)?, Occupations::new(&grid, &Lorenz, Sampling::default()));
/// let data = simulator.simulate(&Lorenz::CLASSIC, 7)?; // or a histogram of your own
/// let metric = simulator.metric();
/// let estimate = Corrected::new(&model, &simulator, &data, &metric).run(&[&[9.0, 25.0, 2.2]], |step| println!("{step}"))?;
/// println!("{estimate}: {:?} ± {:?}", estimate.theta, estimate.standard_errors);
/// # Ok::<(), pullback::Error>(())
/// ```
pub struct Occupations<'a> {
    /// The cells of the histogram.
    pub grid: &'a Grid,
    /// What moves.
    pub flow: &'a dyn Flow,
    /// How trajectories are sampled; the seed is replaced.
    pub sampling: Sampling,
    /// The number of cells that a trajectory fills evenly (its perplexity), relative to that of the data, below
    /// which it has settled on a fixed point or a cycle and says nothing.
    pub least_perplexity: f64,
}

impl<'a> Occupations<'a> {
    /// Histograms on this grid of trajectories sampled in this way.
    pub fn new(grid: &'a Grid, flow: &'a dyn Flow, sampling: Sampling) -> Self {
        Self {
            grid,
            flow,
            sampling,
            least_perplexity: 0.65,
        }
    }
}

impl Occupations<'_> {
    /// Fisher-Rao with densities raised to 10⁻¹¹ of the largest: the metric for corrections of histograms. Samples in
    /// cells that the model all but never visits would otherwise count for more than all others together.
    pub fn metric(&self) -> FisherRao {
        FisherRao {
            floor: 1e-11,
            ..FisherRao::new(self.grid)
        }
    }
}

impl Simulator for Occupations<'_> {
    fn check(&self, data: &[f64]) -> Result<()> {
        check::length("the histogram", data.len(), self.grid.cells())?;
        check::density("the histogram", data)
    }

    fn simulate(&self, theta: &[f64], seed: u64) -> Result<Vec<f64>> {
        let sampling = Sampling {
            seed,
            ..self.sampling
        };
        let occupation = sampling.occupation(self.flow, theta, self.grid, |_| ())?;
        Ok(occupation.density)
    }

    fn objection(&self, simulated: &[f64], data: &[f64]) -> Option<String> {
        let volume = self.grid.volume();
        let (own, theirs) = (perplexity(simulated, volume), perplexity(data, volume));
        (own < self.least_perplexity * theirs).then(|| {
            format!(
                "a trajectory fills {own:.0} cells and the data {theirs:.0}, so that it is not chaotic as the data are"
            )
        })
    }
}
