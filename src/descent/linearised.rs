//! Everything that directions need at a point.

use super::point::Point;
use crate::coordinates::Chart;
use crate::direction::Local;
use crate::linalg::Backend;
use crate::metric::Root;
use crate::model::adjoint::Linearisation;
use crate::prior::PriorTerms;

/// Everything that directions need at one point.
pub(super) struct Linearised<'p> {
    pub(super) point: &'p Point,
    pub(super) z: Linearisation<'p>,
    pub(super) root: Option<Box<dyn Root + 'p>>,
    /// The name of the metric.
    pub(super) metric: &'static str,
    pub(super) covector: Vec<f64>,
    /// The rounding error of the objective.
    pub(super) rounding: f64,
    pub(super) prior: Option<PriorTerms<'p>>,
    /// The gradient of the projected covector, in the coordinates of the free parameters.
    pub(super) grad: Vec<f64>,
    /// The gradient of the objective, by which steps are judged. With a model that changes a mass which the metric keeps, a
    /// run judged by `grad` would come to rest where its objective does not.
    pub(super) exact: Vec<f64>,
    pub(super) chart: Chart,
    /// Steps taken before.
    pub(super) iteration: usize,
    /// ‖∇‖ relative to the start.
    pub(super) progress: f64,
    pub(super) systems: &'p dyn Backend,
}

impl Linearised<'_> {
    pub(super) fn local<'l>(&'l self, widest: &'l [f64]) -> Local<'l> {
        Local {
            z: &self.z,
            root: self.root.as_deref(),
            covector: &self.covector,
            grad: &self.grad,
            prior: self.prior.as_ref(),
            theta: &self.point.theta,
            widest,
            iteration: self.iteration,
            progress: self.progress,
            backend: self.systems,
        }
    }

    /// Keeps only these of the free parameters.
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

/// Returns the rounding error of the objective: the change of f when every ρᵢ is rounded once.
///
/// To first order it is ε Σ |∂f/∂ρᵢ||ρᵢ|, which outweighs ε |f| where a residual is small. `second_order` is the loss's own
/// estimate of the rest.
pub(super) fn rounding(point: &Point, covector: &[f64], second_order: f64) -> f64 {
    let terms = covector.iter().zip(&point.rho).map(|(u, r)| (u * r).abs());
    let first = f64::EPSILON * (point.loss.abs() + terms.sum::<f64>());
    if second_order.is_finite() {
        first.max(second_order)
    } else {
        first
    }
}
