//! Linearisation of a run's objective at a point.

use faer::Mat;

use super::linearised::{Linearised, rounding};
use super::memory::Memory;
use super::point::{Derivative, Evaluated, Point};
use super::problem::Problem;
use crate::check;
use crate::coordinates::Chart;
use crate::direction::SecondOrder;
use crate::error::{Error, Result};
use crate::metric::{Root, prepare, shaped};
use crate::model::adjoint::Linearisation;
use crate::prior::PriorTerms;
use crate::vector::norm;

impl<'a> Problem<'a> {
    /// Linearises the problem at a point.
    ///
    /// The linearisation takes one factorisation and one adjoint solve, or two adjoint solves in one batch if
    /// the metric projects the covector. What a trial has found out is not computed again.
    pub(super) fn linearise<'p>(
        &'p self,
        state: &'p Evaluated<'a>,
        memory: &mut Memory,
    ) -> Result<Linearised<'p>> {
        let point = &state.point;
        let theta = &point.theta;
        memory.update_sizes(theta);
        let (chart, known) = (self.chart(theta), state.derivative.as_ref());
        let mut z = self.linearisation(point, known.is_some())?;
        z.set_chart(chart.clone());
        let root = self.root(state, memory.in_first_phase)?;
        memory.follow_metric(root.as_ref().and_then(|(root, _)| root.size()));
        let whole = match known {
            Some(known) => known.covector.clone(),
            None => self.covector(state)?,
        };
        let mut covector = whole.clone();
        if let Some((root, _)) = &root {
            root.project(&mut covector);
        }
        let [mut grad, mut exact] = gradients(&z, [&covector, &whole], known)?;
        let prior = self.terms(theta, &chart)?;
        if let Some(prior) = &prior {
            let penalty = prior.gradient();
            for gradient in [&mut grad, &mut exact] {
                gradient.iter_mut().zip(&penalty).for_each(|(g, r)| *g += r);
            }
        }
        let rounding = rounding(point, &whole, state.misfit.rounding());
        let metric = root.as_ref().map_or("none", |(_, name)| name);
        let mut linearised = Linearised {
            point,
            z,
            root: root.map(|(root, _)| root),
            metric,
            rounding,
            covector,
            prior,
            full_gradient: grad.clone(),
            grad,
            iteration: memory.steps,
            last_scale: memory.last_scale,
            progress: memory.relative_gradient(norm(&exact)),
            systems: &self.ledger.systems,
            second_order: self.second_order(state, whole, &exact),
            exact,
            chart,
            coordinates: self.coordinates(theta),
        };
        // A parameter at a bound is held if −∇ points out of the box. Clipping a step of the full system
        // instead could give an ascent direction, because G couples the parameters (Bertsekas, SIAM J.
        // Control Optim. 20, 1982).
        if self.setting.bounds.is_some() {
            let downhill: Vec<f64> = linearised.exact.iter().map(|g| -g).collect();
            self.hold_blocked(&mut linearised, &downhill);
        }
        Ok(linearised)
    }

    /// Linearises the model at a point, where `deferred` puts this off until a product is asked for.
    pub(super) fn linearisation<'p>(
        &'p self,
        point: &'p Point,
        deferred: bool,
    ) -> Result<Linearisation<'p>> {
        let (model, backend) = (self.setting.model, &self.ledger.sensitivity);
        match deferred {
            true => Linearisation::deferred(model, &point.rho, &point.theta, backend),
            false => Linearisation::new(model, &point.rho, &point.theta, backend),
        }
    }

    /// Returns the covector ∂f/∂ρ at a point.
    pub(super) fn covector(&self, state: &Evaluated<'a>) -> Result<Vec<f64>> {
        let covector = state.misfit.covector(&self.ledger.loss)?;
        let what = "the gradient of the loss";
        check::length(what, covector.len(), state.point.rho.len())?;
        check::finite(what, &covector)?;
        Ok(covector)
    }

    /// Returns the data for the exact Hessian, given ∂f/∂ρ and the gradient of the objective.
    fn second_order<'p>(
        &'p self,
        state: &'p Evaluated<'a>,
        covector: Vec<f64>,
        gradient: &[f64],
    ) -> SecondOrder<'p> {
        SecondOrder {
            misfit: state.misfit.as_ref(),
            backend: &self.ledger.loss,
            covector,
            bends: self.bends(&state.point.theta, gradient),
        }
    }

    /// Returns the priors at θ, if there are any.
    pub(super) fn terms(&self, theta: &[f64], chart: &Chart) -> Result<Option<PriorTerms<'_>>> {
        match self.setting.priors.as_slice() {
            [] => Ok(None),
            priors => PriorTerms::at(priors, theta, chart.clone()).map(Some),
        }
    }

    /// Returns the root of the metric at a point and the name of the metric, if the direction needs one.
    ///
    /// The first available metric is used: that of the first phase, the user's metric, or the metric of the
    /// loss.
    #[allow(clippy::type_complexity)]
    fn root<'p>(
        &'p self,
        state: &'p Evaluated<'a>,
        in_first_phase: bool,
    ) -> Result<Option<(Box<dyn Root + 'p>, &'static str)>> {
        if !self.setting.direction.needs_metric() {
            return Ok(None);
        }
        let (rho, backend) = (&state.point.rho, &self.ledger.geometry);
        let first = self.setting.first_metric.filter(|_| in_first_phase);
        let set = first.map(|f| f.metric).or(self.setting.metric);
        if set.is_none()
            && let Some(root) = state.misfit.root(&self.ledger.loss)?
        {
            let name = self
                .loss_metric
                .as_ref()
                .map_or("the loss's own", |m| m.name());
            return Ok(Some((shaped(root, name, rho.len())?, name)));
        }
        let metric = set.or(self.loss_metric.as_deref()).ok_or(Error::NoMetric)?;
        Ok(Some((prepare(metric, rho, backend)?, metric.name())))
    }

    /// Returns θ in the coordinates of the descent, with all parameters free.
    fn coordinates(&self, theta: &[f64]) -> Vec<f64> {
        match self.setting.transforms {
            None => theta.to_vec(),
            Some(transforms) => {
                let pairs = transforms.iter().zip(theta);
                pairs.map(|(transform, t)| transform.inverse(*t)).collect()
            }
        }
    }

    /// Returns the coordinates of the descent at θ, with all parameters free.
    pub(super) fn chart(&self, theta: &[f64]) -> Chart {
        // With θᵢ = φᵢ(ξᵢ), dθ = S dξ and S = diag φᵢ′: gradients become S∇, tangents ZS, precisions SCS. The
        // Hessian in ξ has the further term diag(φᵢ″∇ᵢ), which Gauss-Newton directions leave out (`bends` has it). It
        // vanishes where the gradient does, as at a minimum.
        let transforms = self.setting.transforms;
        let slope = |i: usize| transforms.map_or(1.0, |t| t[i].slope(theta[i]));
        Chart {
            free: (0..theta.len()).collect(),
            scale: (0..theta.len()).map(slope).collect(),
        }
    }

    /// Returns T″ᵢ ∂(f + R)/∂θᵢ for every parameter θᵢ = Tᵢ(ξᵢ), given the gradient in ξ. The result is empty without
    /// transforms.
    fn bends(&self, theta: &[f64], gradient: &[f64]) -> Vec<f64> {
        let transforms = self.setting.transforms.unwrap_or(&[]);
        let pairs = transforms.iter().zip(theta).zip(gradient);
        // The gradient in ξ is T′ ∂(f + R)/∂θ.
        pairs.map(|((t, theta), g)| t.bend(*theta) * g).collect()
    }
}

/// Returns the gradients Zᵀu for the projected covector u and for the whole one. That for the whole one may be `known`.
pub(super) fn gradients(
    z: &Linearisation<'_>,
    [covector, whole]: [&Vec<f64>; 2],
    known: Option<&Derivative>,
) -> Result<[Vec<f64>; 2]> {
    // If the metric does not project, it returns the covector bit for bit, so that the comparison can be
    // exact. Both gradients are then equal, and one solve suffices.
    let mut asked = vec![whole];
    if covector != whole {
        asked.insert(0, covector);
    }
    if known.is_some() {
        asked.pop();
    }
    let found = z.adjoint_by_blocks(asked.len(), |block| {
        let entry = |i: usize, j: usize| asked[block.start + j][i];
        Ok(Mat::from_fn(whole.len(), block.len(), entry).into())
    })?;
    let mut gradients: Vec<Vec<f64>> = (0..asked.len())
        .map(|j| found.col_as_slice(j).to_vec())
        .collect();
    gradients.extend(known.map(|known| known.gradient.clone()));
    check::finite("the gradient Zᵀ ∂f/∂ρ", &gradients[0])?;
    let last = gradients.len() - 1;
    Ok([gradients[0].clone(), gradients.swap_remove(last)])
}
