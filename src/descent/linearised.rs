//! Linearised problem at a point.

use super::point::Point;
use crate::coordinates::Chart;
use crate::direction::{Local, SecondOrder};
use crate::error::{Error, Result};
use crate::linalg::Backend;
use crate::loss;
use crate::metric::Root;
use crate::model::adjoint::{Linearisation, check_adjoint};
use crate::prior::PriorTerms;
use crate::vector::{dot, largest, norm};

/// Linearised problem at a point, with everything that directions need.
pub(super) struct Linearised<'p> {
    pub(super) point: &'p Point,
    pub(super) z: Linearisation<'p>,
    pub(super) root: Option<Box<dyn Root + 'p>>,
    /// Name of the metric at the point.
    pub(super) metric: &'static str,
    /// Covector ∂f/∂ρ, projected by the metric.
    pub(super) covector: Vec<f64>,
    /// Rounding error of the objective.
    pub(super) rounding: f64,
    pub(super) prior: Option<PriorTerms<'p>>,
    /// Gradient with the projected covector, in the coordinates of the free parameters.
    pub(super) grad: Vec<f64>,
    /// Gradient as `grad`, with an entry for every parameter.
    pub(super) full_gradient: Vec<f64>,
    /// Gradient of the objective, by which steps are judged.
    ///
    /// `exact` and `grad` differ if the metric conserves mass but the model does not. A run judged by `grad`
    /// would then stop where the objective still decreases.
    pub(super) exact: Vec<f64>,
    pub(super) chart: Chart,
    /// Parameters θ in the coordinates of the descent.
    pub(super) coordinates: Vec<f64>,
    /// Number of steps of the run before this point.
    pub(super) iteration: usize,
    /// Scale of the step that led to this point.
    pub(super) last_scale: Option<f64>,
    /// Norm ‖∇‖ of the gradient, relative to its norm at the start of the run.
    pub(super) progress: f64,
    pub(super) systems: &'p dyn Backend,
    pub(super) second_order: SecondOrder<'p>,
}

/// Free parameters, with their entries of both gradients.
pub(super) struct Free {
    chart: Chart,
    grad: Vec<f64>,
    exact: Vec<f64>,
}

/// Number of rounding errors of the objective below which a slope says nothing.
const ROUNDINGS: f64 = 100.0;

/// Relative error that an iterative solve may leave in Zη and in Zᵀu: ten times the default of
/// [`Cpu::krylov_tolerance`](crate::Cpu::krylov_tolerance).
const SOLVED: f64 = 1e-10;

/// Largest part of the objective that errors of solves can explain.
const SMALL_PART: f64 = 0.1;

impl Linearised<'_> {
    /// Returns the input of a direction. `widest` holds the largest recent column norms.
    pub(super) fn local<'l>(&'l self, widest: &'l [f64]) -> Local<'l> {
        Local {
            z: &self.z,
            root: self.root.as_deref(),
            covector: &self.covector,
            grad: &self.grad,
            full_gradient: &self.full_gradient,
            prior: self.prior.as_ref(),
            theta: &self.point.theta,
            coordinates: &self.coordinates,
            widest,
            iteration: self.iteration,
            last_scale: self.last_scale,
            progress: self.progress,
            backend: self.systems,
            second_order: Some(&self.second_order),
        }
    }

    /// Checks that the change of the loss along η is the same by Z, if it has been formed, as by the gradient.
    ///
    /// A direction that works with Z would otherwise not notice a wrong adjoint, by which bounds are activated and runs
    /// stop.
    pub(super) fn check_adjoint(&self, eta: &[f64]) -> Result<()> {
        let Some(z) = self.z.formed() else {
            return Ok(());
        };
        let mut change = vec![0.0; z.nrows()];
        for (j, eta) in eta.iter().enumerate() {
            let pairs = change.iter_mut().zip(z.col_as_slice(j));
            pairs.for_each(|(change, z)| *change += eta * z);
        }
        let penalty = self.prior.as_ref().map_or(0.0, |p| dot(&p.gradient(), eta));
        let forward = dot(&change, &self.covector);
        let backward = dot(&self.grad, eta);
        // Differences that the objective hides in its rounding may be anything. A column that is all rounding makes a step of
        // many times the size of its parameter, and a product of rounding with this step.
        let sizes = self
            .chart
            .free
            .iter()
            .map(|&i| self.coordinates[i].abs().max(1.0));
        let longest = eta.iter().zip(sizes).map(|(eta, size)| eta.abs() / size);
        let longest = longest.fold(1.0, f64::max);
        let rounding = longest * self.rounding + f64::EPSILON * penalty.abs();
        // Near a perfect fit u is what solves leave as errors of ρ, nearly orthogonal to all tangents. The product ⟨Zη, u⟩ is
        // then smaller than the errors of Zη and of Zᵀu, which are relative to their norms, and a small part of the objective.
        let solved = SOLVED * norm(&change) * norm(&self.covector);
        let slack = ROUNDINGS * rounding + solved.min(SMALL_PART * self.point.loss.abs());
        // Products below the smallest normal number have lost their digits.
        let slack = slack.max(f64::MIN_POSITIVE);
        let agreed = check_adjoint(forward, backward - penalty, slack);
        let longest = eta.iter().fold(1.0, |longest: f64, x| longest.max(x.abs()));
        let gap = (forward - (backward - penalty)).abs() / longest;
        agreed.map_err(|error| self.magnified(&change, gap).unwrap_or(error))
    }

    /// Returns an error that names the entry of the state which decides ⟨Zη, u⟩, if the entry is rounding relative to others, and
    /// if rounding explains a difference of this size.
    fn magnified(&self, change: &[f64], gap: f64) -> Option<Error> {
        // The logarithm of a substance that has decayed to 10⁻²⁰ multiplies its changes by 10²⁰, and with them errors that are
        // small relative to all other substances. A wrong model is not to blame.
        let share = |&i: &usize| (change[i] * self.covector[i]).abs();
        let entry = (0..change.len()).max_by(|i, j| share(i).total_cmp(&share(j)))?;
        let (value, weight) = (self.point.rho[entry], self.covector[entry]);
        let rounding = f64::EPSILON * largest(&self.point.rho);
        let is_rounding = value != 0.0 && value.abs() <= rounding;
        (is_rounding && ROUNDINGS * rounding * weight.abs() >= gap).then(|| {
            let error = loss::Error::Magnified {
                entry,
                value,
                weight,
            };
            error.into()
        })
    }

    /// Returns what [`keep`](Self::keep) restricts.
    pub(super) fn free(&self) -> Free {
        Free {
            chart: self.chart.clone(),
            grad: self.grad.clone(),
            exact: self.exact.clone(),
        }
    }

    /// Makes the parameters free again that were free before.
    pub(super) fn restore(&mut self, free: Free) {
        self.z.set_chart(free.chart.clone());
        if let Some(prior) = &mut self.prior {
            prior.set_chart(free.chart.clone());
        }
        (self.chart, self.grad, self.exact) = (free.chart, free.grad, free.exact);
    }

    /// Restricts the free parameters to those at the positions `keep`.
    pub(super) fn keep(&mut self, keep: &[usize]) {
        self.chart.free = keep.iter().map(|&j| self.chart.free[j]).collect();
        self.grad = keep.iter().map(|&j| self.grad[j]).collect();
        self.exact = keep.iter().map(|&j| self.exact[j]).collect();
        self.z.keep(keep);
        if let Some(prior) = &mut self.prior {
            prior.set_chart(self.chart.clone());
        }
    }
}

/// Estimates the rounding error of the objective, the change of f if every ρᵢ is rounded once.
///
/// `second_order` is the loss's own estimate, which includes terms of higher order.
pub(super) fn rounding(point: &Point, covector: &[f64], second_order: f64) -> f64 {
    // A relative rounding ε of every ρᵢ changes f by at most ε Σ |∂f/∂ρᵢ||ρᵢ| to first order. Where the
    // residual is a small difference of large numbers, this far exceeds ε|f|.
    let terms = covector.iter().zip(&point.rho).map(|(u, r)| (u * r).abs());
    let first = f64::EPSILON * (point.loss.abs() + terms.sum::<f64>());
    // At a perfect fit ∂f/∂ρ and f vanish, and so does the first-order estimate. The estimate of the loss is
    // then the larger one.
    if second_order.is_finite() {
        first.max(second_order)
    } else {
        first
    }
}
