//! Debiased entropic transport between densities whose masses may differ.

use super::entropic::{default_epsilon, stopped, stopped_alone, widest_cell};
use super::gaussian::{self, Weighed};
use super::kernel::{Kernel, LogSums};
use super::masses::{Between, Parameters, Side, between, own_potential};
use super::measure::{LEAST, Measure};
use super::mixing::Limits;
use super::potentials::weigh;
use super::{DERIVATIVE, Error, STATE, Sinkhorn, checked_mass, iterate};
use crate::check;
use crate::error::Result;
use crate::grid::Grid;
use crate::linalg::Backend;
use crate::loss::{Loss, Misfit, gradient_of, value_of};
use crate::metric::{HellingerKantorovich, Metric};

/// Half the squared cost ½ min ∫|x − y|² dπ + λ KL(π1, ρ) + λ KL(πᵀ1, q) of moving and changing mass, over all plans π.
///
/// Mass moves over distances up to about √λ. Beyond them it is cheaper to remove it and to make it elsewhere, at a cost of at
/// most λ a unit: the loss has a plateau where state and target are several √λ apart. For λ → ∞ the loss tends to [`Transport`](super::Transport) between densities of equal mass. It is computed as the
/// debiased entropic cost of [`Sinkhorn`] and multiplied by the mass of the target. Its metric is
/// [`HellingerKantorovich`] with α = 1 and β = 4/λ, up to a fraction of the order of ε/λ: choose ε well below λ.
/// By default it is λ/16 at most, unless cells are too wide for that.
///
/// ```
/// use pullback::loss::{Sinkhorn, UnbalancedTransport};
/// use pullback::{Grid, Loss};
/// let grid = Grid::new(&[(-6.0, 8.0, 70)])?;
/// let bump = |m: f64| grid.sample(|x| (-0.5 * (x[0] - m).powi(2)).exp());
/// let loss = UnbalancedTransport::new(&grid, bump(0.0), 10.0, &Sinkhorn::default())?;
/// assert!(loss.value(&bump(0.0)).abs() < 1e-12);
/// let louder: Vec<f64> = bump(0.5).iter().map(|r| 1.5 * r).collect();
/// assert!(loss.value(&louder) > loss.value(&bump(0.5)));
/// # Ok::<(), pullback::Error>(())
/// ```
pub struct UnbalancedTransport {
    grid: Grid,
    mass: f64,
    data: Side,
    /// Target divided by its mass.
    moments: Measure,
    parameters: Parameters,
    limits: Limits,
    /// Kernel of the grid with itself.
    kernel: Kernel,
    /// ½ OT(q, q)/ε.
    half_cost: f64,
}

impl UnbalancedTransport {
    /// Returns the loss to a target, where λ is a squared length.
    ///
    /// # Errors
    /// Fails if the target has the wrong length, a negative entry or no mass, if an axis has one cell, if λ or ε is not positive,
    /// if ε exceeds λ, is below the square of the width of a cell or far above that of the grid, or if the iteration does not converge for the target with itself. Fails
    /// if the options ask for an extrapolation, which is known for equal masses alone.
    pub fn new(grid: &Grid, target: Vec<f64>, lambda: f64, options: &Sinkhorn) -> Result<Self> {
        let mass = checked_mass(grid, &target)?;
        check::positive("λ of an unbalanced transport loss", &[lambda])?;
        options.check(grid)?;
        check::option(
            "the extrapolation of an unbalanced transport loss",
            1.0,
            !options.extrapolate,
            "leave `extrapolate` false, and take a smaller ε for more accuracy",
        )?;
        let moments = Measure::new(grid, &target);
        let epsilon = options.epsilon;
        let epsilon = epsilon.unwrap_or_else(|| {
            // The blur has to be small beside the distance √λ over which mass is carried rather than made.
            let widest = widest_cell(grid);
            default_epsilon(grid, &moments).min((lambda / 16.0).max(2.0 * widest * widest))
        });
        if epsilon > lambda {
            return Err(match options.epsilon {
                Some(_) => Error::BlurOfMass { epsilon, lambda },
                None => Error::CellsOfMass {
                    lambda,
                    widest: widest_cell(grid),
                },
            }
            .into());
        }
        let parameters = Parameters { epsilon, lambda };
        let kernel = Kernel::new(&moments.axes, &moments.axes, epsilon);
        let data = Side::new(&target, target.iter().sum());
        let own = own_potential(&kernel, &data, parameters, options.iterations);
        Ok(Self {
            grid: grid.clone(),
            mass,
            parameters,
            limits: Limits {
                tolerance: options.tolerance,
                iterations: options.iterations,
            },
            half_cost: own.map_err(|s| stopped_alone(s, epsilon))?.1,
            kernel,
            data,
            moments,
        })
    }

    fn prepare(&self, rho: &[f64]) -> Result<AtState<'_>> {
        let epsilon = self.parameters.epsilon;
        let total = self.mass / self.grid.volume();
        let state = Side::new(rho, total);
        let own = own_potential(
            &self.kernel,
            &state,
            self.parameters,
            self.limits.iterations,
        );
        let (own, half_cost) = own.map_err(|s| stopped_alone(s, epsilon))?;
        let starts = [self.start(rho, &state, &own), own.clone()];
        let measures = [&state, &self.data];
        let both = between(&self.kernel, measures, self.parameters, self.limits, starts);
        let Between { psi, cost, size } = both.map_err(|s| stopped(s, epsilon))?;
        // The entropy is relative to the product of measures of the masses m_a and m_b: OT(a, b) contains ε m_a m_b, and the
        // debiased cost the rest of ε (m_a − m_b)²/2 (Séjourné et al. 2019).
        let difference = state.mass - self.data.mass;
        let cost = cost - half_cost - self.half_cost + 0.5 * difference * difference;
        Ok(AtState {
            loss: self,
            cost,
            size: size + half_cost.abs() + self.half_cost.abs(),
            state,
            own,
            psi,
        })
    }

    /// Returns the start φ = φ_a + (φ_ab − φ_aa), with the potentials between Gaussians of the moments of state and target.
    fn start(&self, rho: &[f64], a: &Side, own: &[f64]) -> Vec<f64> {
        // At the match this is the solution, and between Gaussians that differ in place, width and mass it is close to it.
        // Penalties of the marginals alone would take the iteration λ/ε steps to find a common constant of the potentials.
        let moments = Measure::new(&self.grid, rho);
        let state = Weighed {
            measure: &moments,
            mass: a.mass,
        };
        let target = Weighed {
            measure: &self.moments,
            mass: self.data.mass,
        };
        let both = gaussian::potential([state, target], self.parameters);
        let alone = gaussian::potential([state, state], self.parameters);
        let pairs = own.iter().zip(both.iter().zip(&alone));
        pairs
            .map(|(own, (both, alone))| own + (both - alone))
            .collect()
    }
}

impl Loss for UnbalancedTransport {
    fn value(&self, rho: &[f64]) -> f64 {
        value_of(self, rho)
    }

    fn gradient(&self, rho: &[f64], out: &mut [f64]) {
        gradient_of(self, rho, out);
    }

    fn metric(&self) -> Option<Box<dyn Metric + '_>> {
        // For a change sρ of the density the best plan has the masses (1 + s/2)ρ, and costs
        // λ KL(π1, ρ) + λ KL(πᵀ1, q) ≈ λ ρ (s/2)²: half of the cost is ½∫ρ(|v|² + (λ/4) s²).
        Some(Box::new(HellingerKantorovich {
            beta: 4.0 / self.parameters.lambda,
            ..HellingerKantorovich::new(&self.grid)
        }))
    }

    fn check(&self, rho: &[f64]) -> Result<()> {
        check::length(STATE, rho.len(), self.grid.cells())?;
        check::density(STATE, rho)
    }

    fn at<'a>(&'a self, rho: &[f64], _: &dyn Backend) -> Result<Box<dyn Misfit + 'a>> {
        self.check(rho)?;
        Ok(Box::new(iterate(rho.len(), || self.prepare(rho))?))
    }
}

/// Loss prepared at one state.
struct AtState<'a> {
    loss: &'a UnbalancedTransport,
    /// Debiased cost over ε.
    cost: f64,
    /// Sum of the sizes of its terms.
    size: f64,
    state: Side,
    /// Potential of the state with itself.
    own: Vec<f64>,
    psi: Vec<f64>,
}

impl AtState<'_> {
    /// Returns e^{−f/λ} at all cells, for the potential f of the state that belongs to a potential ψ.
    fn marginal(&self, side: &Side, psi: &[f64]) -> Vec<f64> {
        let parameters = self.loss.parameters;
        let mut l = vec![0.0; psi.len()];
        weigh(&mut l, &side.logs, psi);
        LogSums::new(psi.len()).apply(&self.loss.kernel, &mut l, None);
        let factor = parameters.damping() * parameters.epsilon / parameters.lambda;
        l.iter().map(|s| (factor * s).exp()).collect()
    }
}

impl Misfit for AtState<'_> {
    fn value(&self) -> f64 {
        0.5 * self.loss.mass * self.loss.parameters.epsilon * self.cost
    }

    fn covector(&self, _: &dyn Backend) -> Result<Vec<f64>> {
        // ∂OT(a, b)/∂a = λ (1 − e^{−f/λ}) − ε (Σ_y b e^{(f + g − c)/ε} − m_b), whose sum is e^{−f/λ}. The same for the potential p
        // of a with itself, and the derivative ε (m_a − m_b) of the last term, leave (λ + ε)(e^{−p/λ} − e^{−f/λ}).
        //
        // The share a e^{−f/λ} of the mass a of a cell that moves is at most about √(a m_b): the first mass in an empty cell may
        // save any amount. Cells without mass get the derivative at the least mass that counts, at most.
        let Parameters { epsilon, lambda } = self.loss.parameters;
        let both = self.marginal(&self.loss.data, &self.psi);
        let own = self.marginal(&self.state, &self.own);
        let most = (self.loss.data.mass / (LEAST * self.state.mass)).sqrt();
        let bounded = |(f, mass): (&f64, &f64)| if *mass > 0.0 { *f } else { f.min(most) };
        let both = both.iter().zip(&self.state.masses).map(bounded);
        let scale = 0.5 * self.loss.grid.volume() * (lambda + epsilon);
        let pairs = own.iter().zip(both);
        let covector: Vec<f64> = pairs.map(|(p, f)| scale * (p - f)).collect();
        check::finite(DERIVATIVE, &covector)?;
        Ok(covector)
    }

    fn rounding(&self) -> f64 {
        0.5 * self.loss.mass * self.loss.parameters.epsilon * f64::EPSILON * self.size
    }
}
