//! Transport losses prepared at one state.

use std::cell::OnceCell;

use faer::{Mat, MatRef};

use super::DERIVATIVE;
use super::edges::EdgeForm;
use super::entropic::AtDensity;
use super::line::{Line, levels};
use super::slices::Slices;
use crate::check;
use crate::error::Result;
use crate::linalg::Backend;
use crate::loss::Misfit;
use crate::vector::dot;

/// Transport between a state and the target.
pub(super) enum AtState<'a> {
    /// Transport on lines.
    Lines(&'a Slices, Vec<Line>),
    Entropic(AtDensity<'a>),
}

/// Returns the levels of the marginals of a density along all lines.
pub(super) fn levels_of(slices: &Slices, density: &[f64]) -> Vec<Vec<f64>> {
    let marginals = slices.project(density);
    marginals.iter().map(|marginal| levels(marginal)).collect()
}

/// Prepares the optimal maps between the marginals of a density and those of the target, given their levels.
pub(super) fn lines(slices: &Slices, target: &[Vec<f64>], rho: &[f64]) -> Vec<Line> {
    let own = levels_of(slices, rho);
    let pairs = slices.edges().into_iter().zip(own.iter().zip(target));
    pairs
        .map(|(edges, (a, b))| Line::new(edges, a, b))
        .collect()
}

/// Loss f = m F(a) prepared at ρ, with the mass m of the target and the shares a = ρ/Σρ of the cells.
pub(super) struct Prepared<'a> {
    mass: f64,
    /// Sum Σρ.
    total: f64,
    shares: Vec<f64>,
    state: AtState<'a>,
    /// Derivative of F by the shares, centred by ⟨φ, a⟩ = 0.
    potential: OnceCell<Vec<f64>>,
}

impl<'a> Prepared<'a> {
    pub(super) fn new(mass: f64, rho: &[f64], state: AtState<'a>) -> Self {
        let total: f64 = rho.iter().sum();
        Self {
            mass,
            total,
            shares: rho.iter().map(|r| r / total).collect(),
            state,
            potential: OnceCell::new(),
        }
    }

    fn potential(&self) -> &[f64] {
        self.potential.get_or_init(|| {
            let mut potential: Vec<f64> = match &self.state {
                AtState::Lines(slices, lines) => {
                    let axes: Vec<_> = lines.iter().map(Line::potential).collect();
                    let sum = slices.spread(&axes);
                    sum.iter().map(|p| slices.weight() * p).collect()
                }
                AtState::Entropic(at) => at.potential().iter().map(|p| 0.5 * p).collect(),
            };
            let mean = dot(&potential, &self.shares);
            potential.iter_mut().for_each(|p| *p -= mean);
            potential
        })
    }

    /// Returns f″(ρ) V for quantiles.
    ///
    /// # Errors
    /// Fails where mass would fall into a gap of the target, at which f has a kink.
    pub(super) fn hessian(&self, v: MatRef<'_, f64>) -> Result<Option<Mat<f64>>> {
        let AtState::Lines(slices, lines) = &self.state else {
            return Ok(None);
        };
        check::length("the rows of a batch", v.nrows(), self.shares.len())?;
        let forms: Vec<EdgeForm> = lines.iter().map(Line::second_variation).collect();
        for form in &forms {
            check::finite("the second derivative of a transport loss", form.entries())?;
        }
        let (phi, scale) = (self.potential(), self.mass / (self.total * self.total));
        let mut product = Mat::zeros(v.nrows(), v.ncols());
        for j in 0..v.ncols() {
            let column: Vec<f64> = v.col(j).iter().copied().collect();
            // With s = Σρ the derivative of a = ρ/s is P = (I − a1ᵀ)/s, and its second derivative along v and w is
            // −(v Σw + w Σv)/s² + 2 a Σv Σw/s². Since ⟨φ, a⟩ = 0,
            //
            //     f″v = m (PᵀF″P v − (φ Σv + ⟨φ, v⟩ 1)/s²).
            let sum: f64 = column.iter().sum();
            let pairs = column.iter().zip(&self.shares);
            let tangent: Vec<f64> = pairs.map(|(v, a)| v - a * sum).collect();
            let curved = second_variation(slices, &forms, &tangent);
            let centre = dot(&curved, &self.shares) + dot(phi, &column);
            let entries = product.col_as_slice_mut(j).iter_mut();
            for (out, (c, phi)) in entries.zip(curved.iter().zip(phi)) {
                *out = scale * (c - centre - phi * sum);
            }
        }
        Ok(Some(product))
    }
}

/// Returns F″ζ, given the forms of all lines.
fn second_variation(slices: &Slices, forms: &[EdgeForm], zeta: &[f64]) -> Vec<f64> {
    let lines = slices.project(zeta);
    let products = lines.iter().zip(forms).map(|(along, form)| {
        let mut product = vec![0.0; along.len()];
        form.apply(along, &mut product);
        product
    });
    let sum = slices.spread(&products.collect::<Vec<_>>());
    sum.iter().map(|c| slices.weight() * c).collect()
}

impl Misfit for Prepared<'_> {
    fn value(&self) -> f64 {
        self.mass
            * match &self.state {
                AtState::Lines(slices, lines) => {
                    slices.weight() * lines.iter().map(Line::value).sum::<f64>()
                }
                AtState::Entropic(at) => 0.5 * at.cost,
            }
    }

    fn covector(&self, _: &dyn Backend) -> Result<Vec<f64>> {
        // ∂f/∂ρ = m Pᵀφ with P = (I − a1ᵀ)/Σρ and ⟨φ, a⟩ = 0.
        let scale = self.mass / self.total;
        let covector: Vec<f64> = self.potential().iter().map(|p| scale * p).collect();
        check::finite(DERIVATIVE, &covector)?;
        Ok(covector)
    }

    fn hessian(&self, v: MatRef<'_, f64>, _: &dyn Backend) -> Result<Option<Mat<f64>>> {
        Prepared::hessian(self, v)
    }

    fn rounding(&self) -> f64 {
        match &self.state {
            AtState::Lines(..) => 0.0,
            // The cost is a small difference of its terms.
            AtState::Entropic(at) => 0.5 * self.mass * f64::EPSILON * at.size,
        }
    }
}
