//! Debiased entropic transport, S_ε(a, b) = OT_ε(a, b) − ½ OT_ε(a, a) − ½ OT_ε(b, b).

use super::measure::{Measure, sum_of_axes};
use super::mixing::{Limits, Stopped};
use super::potentials::{Potentials, SelfPotential};
use super::{Error, Sinkhorn};
use crate::check;
use crate::error::Result;
use crate::grid::Grid;

/// Data of an entropic transport, prepared once.
pub(super) struct Entropic {
    grid: Grid,
    data: Measure,
    limits: Limits,
    /// Blurs whose costs are added.
    blurs: Vec<Blur>,
}

/// One summand of the cost: a multiple of S_ε.
struct Blur {
    weight: f64,
    epsilon: f64,
    /// ½ OT_ε(b, b)/ε of the data.
    half_cost: f64,
}

impl Entropic {
    /// Prepares the data.
    pub(super) fn new(grid: &Grid, target: &[f64], sinkhorn: &Sinkhorn) -> Result<Self> {
        sinkhorn.check(grid)?;
        let data = Measure::new(grid, target);
        let epsilon = sinkhorn
            .epsilon
            .unwrap_or_else(|| default_epsilon(grid, &data));
        let limits = Limits {
            tolerance: sinkhorn.tolerance,
            iterations: sinkhorn.iterations,
        };
        let weights: &[_] = match sinkhorn.extrapolate {
            // S_ε = W₂² + c ε² + O(ε⁴) for smooth measures, and (4 S_ε − S_2ε)/3 has no term in ε².
            true => &[(4.0 / 3.0, epsilon), (-1.0 / 3.0, 2.0 * epsilon)],
            false => &[(1.0, epsilon)],
        };
        let blur = |&(weight, epsilon): &(f64, f64)| {
            let own = SelfPotential::new(&data, epsilon, limits.iterations);
            Ok(Blur {
                weight,
                epsilon,
                half_cost: own.map_err(|s| stopped_alone(s, epsilon))?.half_cost,
            })
        };
        let blurs = weights.iter().map(blur).collect::<Result<_>>()?;
        Ok(Self {
            grid: grid.clone(),
            data,
            limits,
            blurs,
        })
    }

    /// Solves for the potentials between a density and the data.
    pub(super) fn at(&self, rho: &[f64]) -> Result<AtDensity<'_>> {
        let state = Measure::new(&self.grid, rho);
        let parts = self.blurs.iter().map(|blur| self.part(blur, &state));
        let parts = parts.collect::<Result<Vec<_>>>()?;
        // Both measures are centred. With x = x' + m_a, y = y' + m_b and Δ = m_a − m_b,
        //
        //     |x − y|² = |x' − y'|² + 2⟨x' − y', Δ⟩ + |Δ|²,
        //
        // and the middle term has the mean zero under any plan: S_ε(a, b) = S_ε(a', b') + |Δ|².
        let shift: Vec<f64> = (state.mean.iter().zip(&self.data.mean))
            .map(|(a, b)| a - b)
            .collect();
        let squared = shift.iter().map(|d| d * d).sum::<f64>();
        let costs = parts
            .iter()
            .map(|p| p.blur.weight * p.blur.epsilon * p.cost());
        let sizes = parts
            .iter()
            .map(|p| p.blur.weight.abs() * p.blur.epsilon * p.size());
        Ok(AtDensity {
            cost: squared + costs.sum::<f64>(),
            size: squared + sizes.sum::<f64>(),
            data: &self.data,
            state,
            parts,
            shift,
        })
    }

    fn part<'a>(&'a self, blur: &'a Blur, a: &Measure) -> Result<Part<'a>> {
        let (b, epsilon) = (&self.data, blur.epsilon);
        let own = SelfPotential::new(a, epsilon, self.limits.iterations);
        let own = own.map_err(|s| stopped_alone(s, epsilon))?;
        let start = start(a, b, &own.potential, epsilon);
        let both = Potentials::new([a, b], start, epsilon, self.limits);
        Ok(Part {
            blur,
            own,
            both: both.map_err(|s| stopped(s, epsilon))?,
        })
    }
}

/// Returns the start φ = φ_a + Σ_d (1 − s_b/s_a) x_d²/ε with the deviations s of both measures.
pub(super) fn start(a: &Measure, b: &Measure, own: &[f64], epsilon: f64) -> Vec<f64> {
    // f − f_a approximates the potential of unregularised transport. Between measures that differ by a translation and a
    // stretching of the axes, the map is x ↦ (s_b/s_a) x, and the potential ∫2(x − T(x)) dx is the quadratic one. At the match
    // the start is the solution.
    let quadratic = |d: usize| {
        let (s, t) = (a.deviations[d], b.deviations[d]);
        let factor = if s > 0.0 {
            (1.0 - t / s) / epsilon
        } else {
            0.0
        };
        a.axes[d].iter().map(|x| factor * x * x).collect()
    };
    let axes: Vec<Vec<f64>> = (0..a.axes.len()).map(quadratic).collect();
    let sums = sum_of_axes(&axes);
    own.iter().zip(&sums).map(|(p, q)| p + q).collect()
}

/// Summand of the cost between a density and the data.
struct Part<'a> {
    blur: &'a Blur,
    own: SelfPotential,
    both: Potentials,
}

impl Part<'_> {
    /// Returns S_ε/ε.
    fn cost(&self) -> f64 {
        self.both.cost - self.own.half_cost - self.blur.half_cost
    }

    /// Returns the sum of the sizes of the terms of the cost.
    fn size(&self) -> f64 {
        self.both.size + self.own.half_cost.abs() + self.blur.half_cost.abs()
    }
}

/// Entropic transport between one density and the data.
pub(super) struct AtDensity<'a> {
    /// Debiased cost, an approximation of W₂².
    pub(super) cost: f64,
    /// Sum of the sizes of its terms.
    pub(super) size: f64,
    data: &'a Measure,
    state: Measure,
    parts: Vec<Part<'a>>,
    /// Difference Δ of the means.
    shift: Vec<f64>,
}

impl AtDensity<'_> {
    /// Returns the derivatives of the cost by the masses of the cells, up to a constant.
    pub(super) fn potential(&self) -> Vec<f64> {
        // The derivative of OT_ε(a, b) is f, that of ½ OT_ε(a, a) is the potential f_a of a with itself (Feydy et al. 2019).
        // The terms that depend on a through its centring are those of the linear term 2⟨x', Δ⟩ of the cost.
        let linear = |d: usize| {
            let factor = 2.0 * self.shift[d];
            self.state.axes[d].iter().map(|x| factor * x).collect()
        };
        let axes: Vec<Vec<f64>> = (0..self.shift.len()).map(linear).collect();
        let mut sum = sum_of_axes(&axes);
        for part in &self.parts {
            let factor = part.blur.weight * part.blur.epsilon;
            let both = part.both.everywhere(self.data);
            let own = part.own.everywhere(&self.state);
            let pairs = both.iter().zip(&own);
            let entries = sum.iter_mut().zip(pairs);
            entries.for_each(|(sum, (f, p))| *sum += factor * (f - p));
        }
        sum
    }
}

/// Returns the default ε: s²/8 for the width s of the parts of the data, but at least 2h² for the widest cells.
pub(super) fn default_epsilon(grid: &Grid, data: &Measure) -> f64 {
    // Sums over cells see the grid by a fraction 2 e^{−π²ε/h²}, or 5·10⁻⁹ at 2h², unless the map contracts. The bias of S_ε is
    // about .01 ε²/s² for Gaussians of the deviation s, so that an eighth of s² leaves 2·10⁻⁴ s². A smaller ε takes more
    // iterations.
    let widest = widest_cell(grid);
    let narrowest = data.deviations.iter().copied();
    let s = narrowest.fold(local_width(grid, data), f64::min);
    (2.0 * widest * widest).max(s * s / 8.0)
}

/// Returns the deviation of the Gaussian with the peak of a measure.
///
/// Data of k equal bumps of the deviation s in d dimensions have k^{1/d} s, however far apart the bumps are.
fn local_width(grid: &Grid, data: &Measure) -> f64 {
    let peak = data.masses.iter().fold(0.0_f64, |m, a| m.max(*a)) / grid.volume();
    let dim = grid.dim() as f64;
    peak.powf(-1.0 / dim) / std::f64::consts::TAU.sqrt()
}

/// Returns the width of the cells along the axis where they are widest.
pub(super) fn widest_cell(grid: &Grid) -> f64 {
    let widths = grid.axes().iter().map(|a| a.spacing());
    widths.fold(0.0, f64::max)
}

/// Largest ε, in squares of the diagonal D of a grid.
//
// Potentials φ = f/ε are logarithms of sums near 1, whose rounding of 10⁻¹⁶ is one of 10⁻¹⁶ε in the cost: 10⁻¹⁰D² at 10⁶D².
const MOST_BLUR: f64 = 1e6;

impl Sinkhorn {
    /// Checks the options for a grid.
    pub(super) fn check(&self, grid: &Grid) -> Result<()> {
        check::option(
            "the tolerance of Sinkhorn's iteration",
            self.tolerance,
            (1e-12..1.0).contains(&self.tolerance),
            "give the error in the marginals of the plan at which to stop, such as 1e-10, and 1e-12 at least",
        )?;
        check::option(
            "the number of Sinkhorn's iterations",
            self.iterations as f64,
            self.iterations > 0,
            "allow some, such as 2000",
        )?;
        let Some(epsilon) = self.epsilon else {
            return Ok(());
        };
        check::positive("ε of Sinkhorn's iteration", &[epsilon])?;
        let widest = widest_cell(grid);
        if epsilon < widest * widest {
            return Err(Error::Blur { epsilon, widest }.into());
        }
        let lengths = grid.axes().iter().map(|a| a.upper - a.lower);
        let square = lengths.map(|length| length * length).sum::<f64>();
        match epsilon <= MOST_BLUR * square {
            true => Ok(()),
            false => Err(Error::Blurred { epsilon, square }.into()),
        }
    }
}

/// Returns the error of an iteration between two densities at ε that did not converge.
pub(super) fn stopped(stopped: Stopped, epsilon: f64) -> crate::error::Error {
    let Stopped { iterations, error } = stopped;
    Error::Unconverged {
        between: "between two densities",
        epsilon,
        iterations,
        error,
        remedy: "raise ε, allow more iterations, or accept a larger tolerance",
    }
    .into()
}

/// Returns the error of the iteration of a density with itself, whose tolerance is not that of the options.
pub(super) fn stopped_alone(stopped: Stopped, epsilon: f64) -> crate::error::Error {
    let Stopped { iterations, error } = stopped;
    Error::Unconverged {
        between: "of a density with itself",
        epsilon,
        iterations,
        error,
        remedy: "allow more iterations, of which some 20 are enough as a rule, or raise ε",
    }
    .into()
}
