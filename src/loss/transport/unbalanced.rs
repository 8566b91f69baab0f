//! Debiased entropic transport between densities whose masses may differ.

use super::entropic::{default_epsilon, stopped, stopped_alone, widest_cell};
use super::kernel::{Kernel, LogSums};
use super::measure::{Measure, shares};
use super::mixing::{Limits, Stopped, fixed_point};
use super::potentials::{SELF_TOLERANCE, deviation, weigh};
use super::{DERIVATIVE, Sinkhorn, checked_mass, iterate};
use crate::check;
use crate::error::Result;
use crate::grid::Grid;
use crate::linalg::Backend;
use crate::loss::{Loss, Misfit, PAIRED, gradient_of, value_of};
use crate::metric::{HellingerKantorovich, Metric};

/// Half the squared cost ½ min ∫|x − y|² dπ + λ KL(π1, ρ) + λ KL(πᵀ1, q) of moving and changing mass, over all plans π.
///
/// Mass moves over distances up to about √λ. Beyond them it is cheaper to remove it and to make it elsewhere, at a cost of at
/// most λ a unit. For λ → ∞ the loss tends to [`Transport`](super::Transport) between densities of equal mass. It is computed as the
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
    parameters: Parameters,
    limits: Limits,
    /// Kernel of the grid with itself.
    kernel: Kernel,
    /// ½ OT(q, q)/ε.
    half_cost: f64,
}

/// One of the two measures, with masses relative to the mass of the target.
struct Side {
    masses: Vec<f64>,
    logs: Vec<f64>,
    mass: f64,
}

impl Side {
    fn new(density: &[f64], total: f64) -> Self {
        // Cells are empty by their share of this measure, which may be far lighter than the target.
        let own: f64 = density.iter().sum();
        let masses: Vec<f64> = shares(density, own)
            .iter()
            .map(|share| share * (own / total))
            .collect();
        Self {
            logs: masses.iter().map(|m| m.ln()).collect(),
            mass: masses.iter().sum(),
            masses,
        }
    }

    /// Returns λ/ε Σ a (1 − e^{−φε/λ}).
    fn penalty(&self, parameters: Parameters, phi: impl Fn(usize) -> f64) -> f64 {
        let ratio = parameters.epsilon / parameters.lambda;
        let cells = self.masses.iter().enumerate().filter(|(_, m)| **m > 0.0);
        let terms = cells.map(|(i, m)| -m * (-ratio * phi(i)).exp_m1());
        terms.sum::<f64>() / ratio
    }
}

/// Weights ε of the entropy and λ of the marginals.
#[derive(Clone, Copy)]
struct Parameters {
    epsilon: f64,
    lambda: f64,
}

impl Parameters {
    /// Returns λ/(λ + ε), by which penalties of the marginals shorten the potentials.
    fn damping(self) -> f64 {
        self.lambda / (self.lambda + self.epsilon)
    }
}

impl UnbalancedTransport {
    /// Returns the loss to a target, where λ is a squared length.
    ///
    /// # Errors
    /// Fails if the target has the wrong length, a negative entry or no mass, if an axis has one cell, if λ or ε is not positive,
    /// if ε exceeds λ or is below the square of the width of a cell, or if the iteration does not converge for the target with itself. Fails
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
        let centred = Measure::new(grid, &target);
        let epsilon = options.epsilon;
        let epsilon = epsilon.unwrap_or_else(|| {
            // The blur has to be small beside the distance √λ over which mass is carried rather than made.
            let widest = widest_cell(grid);
            default_epsilon(grid, &centred).min((lambda / 16.0).max(2.0 * widest * widest))
        });
        check::option(
            "ε of an unbalanced transport loss",
            epsilon,
            epsilon <= lambda,
            "take ε at most λ, and better λ/16, which needs cells that are small beside √λ: the blur hides the cost of mass",
        )?;
        let parameters = Parameters { epsilon, lambda };
        let kernel = Kernel::new(&centred.axes, &centred.axes, epsilon);
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
        let both = self.potential(&state, own.clone());
        let (psi, cost, size) = both.map_err(|s| stopped(s, epsilon))?;
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

    /// Returns the potential ψ of the target, OT(a, b)/ε, and the sum of the sizes of its terms, from a start for φ.
    fn potential(
        &self,
        a: &Side,
        mut phi: Vec<f64>,
    ) -> std::result::Result<(Vec<f64>, f64, f64), Stopped> {
        let (b, damping) = (&self.data, self.parameters.damping());
        let (mut there, mut back) = (LogSums::new(phi.len()), LogSums::new(phi.len()));
        let (mut psi, mut l) = (vec![0.0; phi.len()], vec![0.0; phi.len()]);
        fixed_point(&a.masses, &mut phi, self.limits, |phi, r| {
            weigh(&mut psi, &a.logs, phi);
            there.apply(&self.kernel, &mut psi, Some(&b.logs));
            psi.iter_mut().for_each(|s| *s *= -damping);
            weigh(&mut l, &b.logs, &psi);
            back.apply(&self.kernel, &mut l, Some(&a.logs));
            deviation(&a.masses, phi, (&l, damping), r) / a.mass
        })?;
        let terms = dual(a, b, self.parameters, [&|i| phi[i], &|i| psi[i]]);
        let size = terms.iter().map(|t| t.abs()).sum();
        Ok((psi, terms.iter().sum(), size))
    }
}

/// Returns the potential φ of a measure with itself, and half of its cost, ½ OT(a, a)/ε.
fn own_potential(
    kernel: &Kernel,
    a: &Side,
    parameters: Parameters,
    iterations: usize,
) -> std::result::Result<(Vec<f64>, f64), Stopped> {
    // As for equal masses, with the eigenvalues −τP of the derivative, τ < 1.
    const STEP: f64 = 2.0 / 3.0;
    let limits = Limits {
        tolerance: SELF_TOLERANCE,
        iterations,
    };
    let mut sums = LogSums::new(a.masses.len());
    let (mut phi, mut l) = (vec![0.0; a.masses.len()], vec![0.0; a.masses.len()]);
    let mut cost = 0.0;
    fixed_point(&a.masses, &mut phi, limits, |phi, r| {
        weigh(&mut l, &a.logs, phi);
        sums.apply(kernel, &mut l, Some(&a.logs));
        let error = deviation(&a.masses, phi, (&l, parameters.damping()), r) / a.mass;
        let pair: [&dyn Fn(usize) -> f64; 2] = [&|i| phi[i], &|i| phi[i] + r[i]];
        cost = 0.5 * dual(a, a, parameters, pair).iter().sum::<f64>();
        r.iter_mut().for_each(|r| *r *= STEP);
        error
    })?;
    Ok((phi, cost))
}

/// Returns the terms of the dual of OT(a, b)/ε, given φ and the best ψ for it.
fn dual(
    a: &Side,
    b: &Side,
    parameters: Parameters,
    potentials: [&dyn Fn(usize) -> f64; 2],
) -> [f64; 3] {
    // With f = εφ and g = εψ the dual is
    //
    //     λ Σ a (1 − e^{−f/λ}) + λ Σ b (1 − e^{−g/λ}) − ε (Σ plan − m_a m_b).
    //
    // For the best ψ = −τ ln Σ_x a e^{φ − c/ε} the plan has the marginal b e^{ψ − ψ/τ} = b e^{−g/λ}, whose mass is
    // m_b − (ε/λ) (λ/ε) Σ b (1 − e^{−g/λ}).
    let [phi, psi] = potentials;
    let (first, second) = (a.penalty(parameters, phi), b.penalty(parameters, psi));
    let ratio = parameters.epsilon / parameters.lambda;
    [first, second, ratio * second - b.mass + a.mass * b.mass]
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
        check::length(PAIRED, self.grid.cells(), rho.len())?;
        check::density("the state given to a transport loss", rho)
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
        let Parameters { epsilon, lambda } = self.loss.parameters;
        let both = self.marginal(&self.loss.data, &self.psi);
        let own = self.marginal(&self.state, &self.own);
        let scale = 0.5 * self.loss.grid.volume() * (lambda + epsilon);
        let pairs = own.iter().zip(&both);
        let covector: Vec<f64> = pairs.map(|(p, f)| scale * (p - f)).collect();
        check::finite(DERIVATIVE, &covector)?;
        Ok(covector)
    }

    fn rounding(&self) -> f64 {
        0.5 * self.loss.mass * self.loss.parameters.epsilon * f64::EPSILON * self.size
    }
}
