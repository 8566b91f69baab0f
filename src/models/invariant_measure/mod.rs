//! Invariant measures of flows: stationary densities of finite-volume transport on a box.

mod classes;
mod flux;
mod rates;
mod second_order;

pub use self::flux::Flux;

use std::fmt::Write as _;

use faer::Mat;

use self::classes::closed_classes;
use super::flow::Flow;
use crate::automatic::Expansion;
use crate::check;
use crate::error::{Error, Result};
use crate::grid::Grid;
use crate::linalg::{Backend, Operator, Side, Stencil, improve, smooth};
use crate::model::{Model, Variation};
use crate::models;

/// Invariant measure of a flow x′ = v(x; θ) on a grid, as a density ρ with ∫ρ = 1.
///
/// Mass crosses a face from its lower to its upper cell at the rate ⟨max(v, 0)⟩/h + D/h², and in the opposite direction
/// at ⟨max(−v, 0)⟩/h + D/h². Mass never leaves the box. Let K be the generator of these rates. Teleportation at the
/// rate α (0 by default) removes mass at the rate α and re-inserts it uniformly. The equations are
///
/// ```text
/// g(ρ, θ) = (αI − K + γ u1ᵀ)ρ − (γ + α) u/vol,   u = 1/N
/// ```
///
/// The gauge γ > 0 fixes the mass without changing ρ, so that α may be zero. By default γ is a thousandth of the mean
/// rate at which mass leaves a cell, and thus independent of the unit of time. A residual r of the solver changes the
/// mass by r/γ.
///
/// ```
/// use pullback::{models::InvariantMeasure, models::flow::Lorenz, Cpu, Grid};
/// let grid = Grid::new(&[(-25.0, 25.0, 16), (-35.0, 35.0, 16), (0.0, 60.0, 16)])?;
/// let lorenz = InvariantMeasure::new(&grid, Lorenz)?;
/// let rho = lorenz.density(&Lorenz::CLASSIC, &Cpu::default())?;
/// let mean = |f: fn(&[f64]) -> f64| {
///     let values = grid.sample(f);
///     grid.volume() * rho.iter().zip(values).map(|(r, f)| r * f).sum::<f64>()
/// };
/// assert!((mean(|_| 1.0) - 1.0).abs() < 1e-12);
/// assert!((mean(|x| x[2]) - 25.23).abs() < 0.01); // upwind diffusion; the flow itself has 23.55
/// # Ok::<(), pullback::Error>(())
/// ```
pub struct InvariantMeasure<'f> {
    flow: Box<dyn Flow + 'f>,
    grid: Grid,
    flux: Flux,
    diffusion: f64,
    teleportation: f64,
    /// Gauge γ as a fraction of the mean rate at which mass leaves a cell.
    gauge: f64,
}

/// Smallest number of cells along an axis. With fewer cells, an attractor cannot be distinguished from the box.
const FEWEST_CELLS: usize = 4;

/// Largest number of closed classes that an error message lists.
const NAMED: usize = 4;

impl<'f> InvariantMeasure<'f> {
    /// Creates the model for an owned or borrowed flow, with face-averaged fluxes, no diffusion and no teleportation.
    ///
    /// # Errors
    /// Fails if the grid has another dimension than the flow, or fewer than four cells along an axis.
    pub fn new(grid: &Grid, flow: impl Flow + 'f) -> Result<Self> {
        check::length("the axes of the grid of a flow", grid.dim(), flow.dim())?;
        for (axis, a) in grid.axes().iter().enumerate() {
            if a.cells < FEWEST_CELLS {
                return Err(Error::GridTooCoarse {
                    what: "an invariant measure",
                    axis,
                    cells: a.cells,
                    needed: FEWEST_CELLS,
                });
            }
        }
        Ok(Self {
            flow: Box::new(flow),
            grid: grid.clone(),
            flux: Flux::default(),
            diffusion: 0.0,
            teleportation: 0.0,
            gauge: 1e-3,
        })
    }

    /// Sets the flux through the faces.
    ///
    /// # Errors
    /// Fails if the width of a smooth flux is not positive.
    pub fn flux(mut self, flux: Flux) -> Result<Self> {
        flux.check()?;
        self.flux = flux;
        Ok(self)
    }

    /// Sets the diffusion D ≥ 0, in units of length² per time.
    ///
    /// # Errors
    /// Fails if D is negative or not finite.
    pub fn diffusion(mut self, d: f64) -> Result<Self> {
        let sound = d >= 0.0 && d.is_finite();
        check::option("the diffusion", d, sound, "give a non-negative number")?;
        self.diffusion = d;
        Ok(self)
    }

    /// Sets the teleportation rate α ≥ 0, at which mass is removed and re-inserted uniformly.
    ///
    /// Published computations that mix the transfer operator with a fraction ε of teleportation every Δt correspond to
    /// α = ε/((1 − ε)Δt).
    ///
    /// # Errors
    /// Fails if α is negative or not finite.
    pub fn teleportation(mut self, alpha: f64) -> Result<Self> {
        let sound = alpha >= 0.0 && alpha.is_finite();
        let remedy = "give a non-negative rate; 0 is allowed";
        check::option("the teleportation rate α", alpha, sound, remedy)?;
        self.teleportation = alpha;
        Ok(self)
    }

    /// Sets the gauge γ as a fraction of the mean rate at which mass leaves a cell. The default is 0.001.
    ///
    /// The density ρ does not depend on γ.
    ///
    /// # Errors
    /// Fails if the fraction is not positive.
    pub fn gauge(mut self, fraction: f64) -> Result<Self> {
        check::positive("the gauge's fraction of the mean rate", &[fraction])?;
        self.gauge = fraction;
        Ok(self)
    }

    /// Returns the grid of the density.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Returns the teleportation rate α.
    pub(in crate::models) fn teleports(&self) -> f64 {
        self.teleportation
    }

    /// Returns the flow whose invariant measure is computed.
    pub fn flow(&self) -> &dyn Flow {
        self.flow.as_ref()
    }

    /// Returns the negative generator −K(θ), whose columns sum to zero.
    pub fn generator(&self, theta: &[f64]) -> Stencil {
        // The flux is J = up ρ_lower − down ρ_upper.
        let theta = Expansion::new(theta);
        self.grid.flux_divergence(|face| {
            let [up, down] = self.rates(face, &theta, &mut Vec::new());
            [up, -down]
        })
    }

    /// Returns the density ρ(θ).
    ///
    /// # Errors
    /// Fails as [`solve`](Model::solve) does.
    pub fn density(&self, theta: &[f64], backend: &dyn Backend) -> Result<Vec<f64>> {
        let mut rho = vec![0.0; self.grid.cells()];
        self.solve(theta, &mut rho, backend)?;
        Ok(rho)
    }

    /// Returns the matrix αI − K + γ u1ᵀ of the equations, and γ.
    fn equations(&self, theta: &[f64]) -> (Stencil, f64) {
        // Since 1ᵀK = 0 and 1ᵀu = 1, 1ᵀg = (α + γ)(1ᵀρ − 1/vol): a solution has mass 1 for any γ > 0. The
        // gauge term is then γ u/vol and cancels with the source, so that ρ does not depend on γ. At a
        // solution 1ᵀ∂g/∂θ = 0, and the same sum gives tangents of mass zero. The eigenvalue of the mass is
        // α + γ instead of α: iterations do not slow down as α → 0.
        let mut stencil = self.generator(theta);
        let n = self.grid.cells() as f64;
        let mean = stencil.diagonal().iter().sum::<f64>() / n;
        // The diagonal of −K holds the rates at which mass leaves the cells. If nothing moves, any γ > 0 is valid.
        let gamma = self.gauge * if mean == 0.0 { 1.0 } else { mean };
        stencil.add_diagonal(&vec![self.teleportation; self.grid.cells()]);
        (stencil.with_gauge(gamma / n), gamma)
    }

    /// Returns an entry of u/vol: the uniform density of mass 1.
    pub(in crate::models) fn uniform(&self) -> f64 {
        (self.grid.cells() as f64 * self.grid.volume()).recip()
    }

    /// Checks that the velocity is finite at all sample points. The error names the first point
    /// where the velocity is not finite.
    fn check_velocity(&self, theta: &[f64]) -> Result<()> {
        let mut found = None;
        self.grid.visit_faces(|axis, lower, upper| {
            let face = self.grid.face(axis, lower, upper);
            self.sample(&face, |_, x| {
                let v = self.flow.velocity(x, theta)[axis];
                if !v.is_finite() && found.is_none() {
                    found = Some(models::Error::Velocity { point: *x }.into());
                }
            });
        });
        found.map_or(Ok(()), Err)
    }

    /// Checks that the chain has a single closed class, so that the stationary density is unique. The error names the
    /// smallest classes.
    ///
    /// With several classes the equations are singular but consistent, and a solver may return any of their solutions.
    /// The check is cheap compared with a solve. Teleportation connects all cells. Diffusion and smooth fluxes do so only
    /// with rates that are not lost to rounding.
    fn check_classes(&self, stencil: &Stencil) -> Result<()> {
        if self.teleportation > 0.0 {
            return Ok(());
        }
        let classes = closed_classes(stencil);
        if classes.len() < 2 {
            return Ok(());
        }
        let mut smallest: Vec<&Vec<usize>> = classes.iter().collect();
        smallest.sort_by_key(|class| class.len());
        let mut places = String::new();
        for class in smallest.iter().take(NAMED) {
            let x = &self.grid.centre(class[0])[..self.grid.dim()];
            let separator = if places.is_empty() { "" } else { ", " };
            let _ = write!(
                places,
                "{separator}{} cell(s) at {x:.2?} (number {})",
                class.len(),
                class[0]
            );
        }
        Err(models::Error::Trapped {
            classes: classes.len(),
            places,
            remedy: if self.diffusion > 0.0 || matches!(self.flux, Flux::Smooth { .. }) {
                "diffusion and smoothing between the sets are lost to rounding: raise them, or add"
            } else if self.flux.averages() {
                "if the flow has several attractors in the box, choose a box around one; else add"
            } else {
                "use `Flux::FaceAveraged`, which lets no cell absorb mass around a fixed point, or add"
            },
        }
        .into())
    }
}

impl Model for InvariantMeasure<'_> {
    fn state_dim(&self) -> usize {
        self.grid.cells()
    }

    fn param_dim(&self) -> usize {
        self.flow.param_dim()
    }

    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        let (stencil, gamma) = self.equations(theta);
        Operator::stencil(stencil).multiply(Side::Plain, rho, out);
        let source = (gamma + self.teleportation) * self.uniform();
        out.iter_mut().for_each(|g| *g -= source);
    }

    fn state_jacobian<'a>(&'a self, _: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        Operator::stencil(self.equations(theta).0)
    }

    /// Returns −(∂K/∂θ)ρ + (∂γ/∂θ)(u1ᵀρ − u/vol), with slope 0 where a velocity vanishes.
    ///
    /// The second term is zero at the solution.
    fn param_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        // With J = v⁺ρ_lower − v⁻ρ_upper, ∂J/∂θ = (dv⁺/dv ρ_lower − dv⁻/dv ρ_upper) ∂v/∂θ. The mean rate of γ is the
        // sum of (v⁺ + v⁻)/h over the faces, divided by N.
        let p = self.param_dim();
        let (mut columns, rate_slopes) = self.grid.divergences_and_sums(
            [p, p],
            || vec![[0.0; 3]; p],
            |slopes, face, out| {
                out.fill(0.0);
                let (fluxes, rates) = out.split_at_mut(p);
                self.sample(face, |weight, x| {
                    let v = self.flow.velocity(x, theta)[face.axis];
                    let parts = self.flux.parts(v);
                    let carried =
                        parts.up_slope * rho[face.lower] + parts.down_slope * rho[face.upper];
                    let leaving = (parts.up_slope - parts.down_slope) / face.spacing;
                    self.flow.param_derivative(x, theta, slopes);
                    let outputs = fluxes.iter_mut().zip(&mut *rates);
                    for ((flux, rate), slope) in outputs.zip(&*slopes) {
                        *flux += weight * carried * slope[face.axis];
                        *rate += weight * leaving * slope[face.axis];
                    }
                });
            },
        );
        let n = rho.len() as f64;
        // ∂γ/∂θ times (1ᵀρ − 1/vol)/N. The term vanishes at a solution, but the Jacobian has to be right at
        // every ρ.
        let excess = rho.iter().sum::<f64>() / n - self.uniform();
        for (j, slope) in rate_slopes.iter().enumerate() {
            let shift = self.gauge * slope / n * excess;
            columns
                .col_as_slice_mut(j)
                .iter_mut()
                .for_each(|c| *c += shift);
        }
        Operator::dense(columns)
    }

    /// Returns the second derivatives between kinks of the rates, if the flow has second derivatives.
    ///
    /// Only the rates of [`Flux::Smooth`] are twice differentiable. Those of other fluxes are linear in the velocity up to the
    /// kink where it vanishes. A change of θ that reverses velocities on many faces curves the objective by their kinks, which
    /// no second derivative shows.
    fn second_derivative(
        &self,
        rho: &[f64],
        theta: &[f64],
        along: &Variation<'_>,
    ) -> Option<[Mat<f64>; 2]> {
        self.bend(rho, theta, along)
    }

    /// Solves the linear equations and makes the density positive.
    ///
    /// Negative entries are errors of the iteration and set to zero. Gauss-Seidel sweeps then recompute the
    /// entries. Since all couplings are non-negative, the sweeps keep the density non-negative and compute
    /// even small entries with a small relative error.
    fn solve(&self, theta: &[f64], rho: &mut [f64], backend: &dyn Backend) -> Result<()> {
        check::length("θ", theta.len(), self.param_dim())?;
        check::length(
            "the state of an invariant measure",
            rho.len(),
            self.grid.cells(),
        )?;
        check::finite("θ", theta)?;
        let (stencil, gamma) = self.equations(theta);
        if stencil.broken_entry().is_some() {
            self.check_velocity(theta)?;
        }
        self.check_classes(&stencil)?;
        let source = self.teleportation * self.uniform();
        let b = vec![source + gamma * self.uniform(); rho.len()];
        // The sweeps below solve (αI − K)ρ = α u/vol without the gauge. This equation holds for mass 1, to which ρ is
        // scaled last.
        let factor = backend.factor(Operator::stencil(stencil.clone()))?;
        improve(factor.as_ref(), 1, b, rho)?;
        // The iteration controls ‖b − Aρ‖, which says nothing about cells whose density is far below the
        // tolerance. Losses with 1/ρ or ln ρ are sensitive to those cells. A sweep
        // ρᵢ ← (source + Σⱼ Kᵢⱼρⱼ)/(α − Kᵢᵢ) adds terms of one sign only.
        rho.iter_mut().for_each(|r| *r = r.max(0.0));
        smooth(&stencil, &vec![source; rho.len()], rho);
        check::density("the density of an invariant measure", rho)?;
        let mass = self.grid.integrate(rho)?;
        rho.iter_mut().for_each(|r| *r /= mass);
        Ok(())
    }
}
