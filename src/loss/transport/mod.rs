//! Half the squared Wasserstein distance ½W₂² between densities on a grid.

mod axis_root;
mod edges;
mod entropic;
mod gaussian;
mod kernel;
mod line;
mod masses;
mod measure;
mod mixing;
mod potentials;
mod prepared;
mod slices;
mod slices_metric;
#[cfg(test)]
mod tests;
mod unbalanced;

use faer::{Mat, MatRef};

use self::entropic::Entropic;
use self::prepared::{AtState, Prepared, levels_of, lines};
use self::slices::Slices;
use self::slices_metric::SlicesMetric;
pub use self::unbalanced::UnbalancedTransport;
use super::{Error, Loss, Misfit, gradient_of, value_of};
use crate::check;
use crate::error::Result;
use crate::grid::Grid;
use crate::linalg::{Backend, SHARED, in_pool};
use crate::metric::{Metric, Wasserstein2};

/// Half the squared Wasserstein distance, ½W₂² = min ½∫|x − T(x)|² ρ dx over the maps T that carry ρ to a target q.
///
/// The loss feels how far mass is from its place, also where densities do not overlap. On a line it is exact for densities
/// that are constant in every cell. In the plane and in space it is the debiased entropic cost of [`Sinkhorn`]. Its metric is
/// Wasserstein-2.
///
/// It suits parameters that move and stretch densities. Weights of parts that lie apart carry mass across a gap: along them the
/// loss has a kink, and its metric is large. Take [`UnbalancedTransport`] for those, with λ near the square of the distance.
///
/// Both densities are divided by their masses, and the loss is multiplied by that of the target. Masses that differ by more
/// than a hundredth are an error; see [`UnbalancedTransport`] for those.
///
/// ```
/// use pullback::loss::Transport;
/// use pullback::models::{GaussianMixture, Parameter};
/// use pullback::{Descent, Grid, Loss};
///
/// let grid = Grid::new(&[(-10.0, 14.0, 240)])?;
/// let bump = GaussianMixture::new(&grid).component(1.0, &[0.0], 1.0).free(&[Parameter::Mean(0, 0)])?;
/// let loss = Transport::new(&grid, bump.density(&[5.0])?)?;
/// let value = loss.value(&bump.density(&[0.0])?);
/// assert!((value - 12.5).abs() < 1e-6); // ½ 5²
/// let report = Descent::new(&bump, &loss).run(&[-2.0], |_| ())?;
/// assert!(report.converged() && (report.theta[0] - 5.0).abs() < 1e-6);
/// # Ok::<(), pullback::Error>(())
/// ```
pub struct Transport {
    grid: Grid,
    /// Mass of the target.
    mass: f64,
    method: Method,
}

enum Method {
    /// Quantiles on lines, given the levels of the target there.
    Quantiles(Slices, Vec<Vec<f64>>),
    Entropic(Box<Entropic>),
}

/// Options of the entropic approximation of W₂².
///
/// The entropic cost OT_ε adds ε times the entropy of the plan, relative to the product of its marginals, to ∫|x − y|² dπ. Its
/// debiased form OT_ε(ρ, q) − ½OT_ε(ρ, ρ) − ½OT_ε(q, q) vanishes only at the match, has the right minimum, and differs from W₂²
/// by O(ε²). The kernel exp(−|x − y|²/ε) is applied axis by axis.
///
/// ```
/// use pullback::loss::{Sinkhorn, Transport};
/// use pullback::{Grid, Loss};
/// let grid = Grid::new(&[(-4.0, 9.0, 64), (-4.0, 9.0, 64)])?;
/// let bump = |m: [f64; 2], s: f64| {
///     let rho = grid.sample(|x| (-((x[0] - m[0]).powi(2) + (x[1] - m[1]).powi(2)) / (2.0 * s * s)).exp());
///     let mass = grid.integrate(&rho).unwrap();
///     rho.iter().map(|r| r / mass).collect::<Vec<_>>()
/// };
/// let options = Sinkhorn { epsilon: Some(0.25), extrapolate: true, ..Sinkhorn::default() };
/// let loss = Transport::sinkhorn(&grid, bump([3.0, 2.0], 1.1), &options)?;
/// let exact = 0.5 * (2.0_f64.powi(2) + 1.0 + 2.0 * 0.4_f64.powi(2));
/// assert!((loss.value(&bump([1.0, 3.0], 0.7)) - exact).abs() < 5e-5);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Sinkhorn {
    /// Weight ε of the entropy, in squared units of length. By default s²/8, but at least 2h² with the widest cells h. Here s is
    /// the least deviation of the target along an axis, or that of the Gaussian with its peak if this is smaller, so that
    /// targets of several bumps have the width of one.
    pub epsilon: Option<f64>,
    /// Whether to extrapolate to ε = 0 by (4S_ε − S_2ε)/3, which takes about twice the time. It is exact to O(ε⁴) for
    /// smooth densities, but not convex.
    pub extrapolate: bool,
    /// Error Σ|π1 − ρ| in the marginals of the plan, of mass 1, at which the iteration ends.
    pub tolerance: f64,
    /// Largest number of iterations.
    pub iterations: usize,
}

impl Default for Sinkhorn {
    fn default() -> Self {
        Self {
            epsilon: None,
            extrapolate: false,
            tolerance: 1e-10,
            iterations: 2000,
        }
    }
}

/// Relative difference of the masses of state and target that is accepted.
// Densities lose some mass at the edge of a box.
const MASS_TOLERANCE: f64 = 0.01;

/// Largest number of frames of a sliced loss.
const MOST_FRAMES: usize = 1000;

/// Name of the state in messages.
const STATE: &str = "the state given to a transport loss";

/// Name of the derivative of a loss in messages.
const DERIVATIVE: &str = "the derivative of a transport loss by the density";

impl Transport {
    /// Returns the loss with the method of the dimension: quantiles on a line, the default of [`Sinkhorn`] otherwise.
    ///
    /// # Errors
    /// Fails if the target has the wrong length, a negative entry or no mass, if an axis has one cell, or if the iteration
    /// does not converge for the target with itself.
    pub fn new(grid: &Grid, target: Vec<f64>) -> Result<Self> {
        if grid.dim() > 1 {
            return Self::sinkhorn(grid, target, &Sinkhorn::default());
        }
        Self::marginals(grid, target)
    }

    /// Returns the sum of ½W₂² over the marginals along all axes, each exact by quantiles. It vanishes wherever all marginals
    /// match.
    ///
    /// On a line this is ½W₂² itself. In the plane and in space it is at most ½W₂², and costs no more than a few sums over the
    /// cells. It suits parameters that marginals determine, such as means and widths, and says nothing about correlations.
    ///
    /// The second derivative has a kink at the match, where the levels of both densities coincide. Differences of the gradient
    /// approach the metric there to first order only, which [`verify::matching`](crate::verify::matching) reports.
    ///
    /// # Errors
    /// Fails if the target has the wrong length, a negative entry or no mass, or if an axis has one cell.
    pub fn marginals(grid: &Grid, target: Vec<f64>) -> Result<Self> {
        Self::sliced(grid, target, 1)
    }

    /// Returns the mean over rotated frames of the sums of ½W₂² over the marginals along their axes, each exact by quantiles (Rabin et
    /// al. 2011). One frame is that of the grid, as in [`marginals`](Self::marginals).
    ///
    /// The loss of a translation is that of W₂², and otherwise it is less. With some frames it sees correlations and shapes that
    /// `marginals` does not, and it vanishes only at the match as their number grows. In the plane the frames are turned by equal
    /// angles; eight of them, and thus sixteen lines, mostly suffice. In space they are turned at random, always in the same manner.
    ///
    /// A value and its gradient take two sums over the cells a line, whose shares take 28 bytes for every cell and line where cells are
    /// as wide as high. The metric is the second variation at the match. It represents gradients of this loss alone, by one tridiagonal
    /// solve a line.
    ///
    /// ```
    /// use pullback::loss::Transport;
    /// use pullback::{Grid, Loss};
    /// let grid = Grid::new(&[(-4.0, 4.0, 40), (-4.0, 4.0, 40)])?;
    /// // A normal density with the correlation r.
    /// let tilted = |r: f64| {
    ///     let rho = grid.sample(|x| (-0.5 * (x[0] * x[0] - 2.0 * r * x[0] * x[1] + x[1] * x[1]) / (1.0 - r * r)).exp());
    ///     let mass = grid.integrate(&rho).unwrap();
    ///     rho.iter().map(|r| r / mass).collect::<Vec<_>>()
    /// };
    /// let (blind, sliced) = (Transport::marginals(&grid, tilted(0.5))?, Transport::sliced(&grid, tilted(0.5), 8)?);
    /// assert!(blind.value(&tilted(-0.5)) < 1e-5 && sliced.value(&tilted(-0.5)) > 0.05);
    /// # Ok::<(), pullback::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails as `marginals` does, and without a frame.
    pub fn sliced(grid: &Grid, target: Vec<f64>, frames: usize) -> Result<Self> {
        let mass = checked_mass(grid, &target)?;
        check::option(
            "the number of frames of a sliced transport loss",
            frames as f64,
            (1..=MOST_FRAMES).contains(&frames),
            "take at least one, such as 8 in the plane, and not thousands",
        )?;
        let slices = Slices::frames(grid, frames);
        let levels = levels_of(&slices, &target);
        Ok(Self {
            mass,
            method: Method::Quantiles(slices, levels),
            grid: grid.clone(),
        })
    }

    /// Returns the loss by debiased entropic transport, in one to three dimensions.
    ///
    /// # Errors
    /// Fails as [`new`](Transport::new) does, and if ε is not positive, below the square of the width of a cell, or far
    /// above that of the diagonal of the grid.
    pub fn sinkhorn(grid: &Grid, target: Vec<f64>, options: &Sinkhorn) -> Result<Self> {
        let mass = checked_mass(grid, &target)?;
        let entropic = Entropic::new(grid, &target, options)?;
        Ok(Self {
            grid: grid.clone(),
            mass,
            method: Method::Entropic(Box::new(entropic)),
        })
    }
}

/// Returns the mass of a target density.
fn checked_mass(grid: &Grid, target: &[f64]) -> Result<f64> {
    check::length("the target of a transport loss", target.len(), grid.cells())?;
    check::density("the target of a transport loss", target)?;
    grid.check_faces("a transport loss")?;
    let mass = grid.integrate(target)?;
    check::positive("the mass of the target of a transport loss", &[mass])?;
    Ok(mass)
}

/// Calls an iteration over this many cells, on the threads of the pool if they would share its products.
fn iterate<R: Send>(cells: usize, work: impl FnOnce() -> R + Send) -> R {
    in_pool(cells >= SHARED / 32, work)
}

impl Loss for Transport {
    fn value(&self, rho: &[f64]) -> f64 {
        value_of(self, rho)
    }

    fn gradient(&self, rho: &[f64], out: &mut [f64]) {
        gradient_of(self, rho, out);
    }

    fn metric(&self) -> Option<Box<dyn Metric + '_>> {
        // ½W₂² is half the squared geodesic distance of the metric, whose Hessian at the match is the metric itself. Quantiles
        // have its exact discretisation. The entropic cost has another, which differs by O(ε²) for smooth tangents.
        Some(match &self.method {
            Method::Quantiles(slices, target) => Box::new(SlicesMetric {
                grid: &self.grid,
                mass: self.mass,
                slices,
                target,
            }),
            Method::Entropic(_) => Box::new(Wasserstein2::new(&self.grid)),
        })
    }

    fn hessian(&self, rho: &[f64], v: MatRef<'_, f64>) -> Result<Option<Mat<f64>>> {
        let Method::Quantiles(slices, target) = &self.method else {
            return Ok(None);
        };
        self.check(rho)?;
        let state = AtState::Lines(slices, lines(slices, target, rho));
        Prepared::new(self.mass, rho, state).hessian(v)
    }

    fn check(&self, rho: &[f64]) -> Result<()> {
        check::length(STATE, rho.len(), self.grid.cells())?;
        check::density(STATE, rho)?;
        let (state, data) = (self.grid.integrate(rho)?, self.mass);
        match (state - data).abs() <= MASS_TOLERANCE * data {
            true => Ok(()),
            false => Err(Error::Masses { state, data }.into()),
        }
    }

    fn at<'a>(&'a self, rho: &[f64], _: &dyn Backend) -> Result<Box<dyn Misfit + 'a>> {
        self.check(rho)?;
        let state = match &self.method {
            Method::Quantiles(slices, target) => AtState::Lines(slices, lines(slices, target, rho)),
            Method::Entropic(entropic) => {
                AtState::Entropic(iterate(rho.len(), || entropic.at(rho))?)
            }
        };
        Ok(Box::new(Prepared::new(self.mass, rho, state)))
    }
}
