//! State that a run carries from point to point, besides its history.

use serde::{Deserialize, Serialize};

use super::counts::Counts;
use super::linearised::Linearised;
use super::remark::Remark;
use super::step_norm::ColumnNorms;
use crate::step::Trial;

/// Accepted trial, with the coordinates from which it led to the next point.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Departure {
    pub(super) trial: Trial,
    pub(super) coordinates: Vec<f64>,
}

impl Departure {
    /// Returns the slope along the direction of the trial at the point to which it led.
    pub(super) fn slope(&self, at: &Linearised<'_>) -> f64 {
        let terms = at.chart.free.iter().zip(&at.exact);
        let change = |i: usize| at.coordinates[i] - self.coordinates[i];
        terms.map(|(&i, g)| g * change(i)).sum::<f64>() / self.trial.scale
    }
}

/// State that a run carries from point to point.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Memory {
    /// Counts of model, tangent and adjoint solves. The ledger has all other counts.
    pub(super) counts: Counts,
    /// Whether the first metric is in use.
    pub(super) in_first_phase: bool,
    /// Whether some step of the run has had about the right length.
    pub(super) sized: bool,
    /// Norms of the columns of L Z, where L is the root of the metric.
    norms: ColumnNorms,
    /// Size of L at the last point, where it is known.
    metric_size: Option<f64>,
    /// Largest |θᵢ| so far of every parameter.
    sizes: Vec<f64>,
    /// Number of steps of the run so far.
    pub(super) steps: usize,
    /// Scale of the last step.
    pub(super) last_scale: Option<f64>,
    /// Norm ‖∇‖ of the gradient at the start.
    first_gradient: Option<f64>,
    /// Whether objectives change from step to step, so that their gradients tell nothing of the progress.
    pub(super) sampled: bool,
    /// Remarks of the directions, without repetitions.
    pub(super) remarks: Vec<Remark>,
    /// Last accepted trial, until its end is linearised.
    pub(super) departure: Option<Departure>,
    /// Reason for the last failure at a trial point.
    pub(super) failure: Option<String>,
}

/// Largest relative gradient that counts where objectives change from step to step.
const SAMPLED: f64 = 1e-2;

impl Memory {
    pub(super) fn new(parameters: usize, in_first_phase: bool) -> Self {
        Self {
            counts: Counts::default(),
            in_first_phase,
            sized: false,
            norms: ColumnNorms::new(parameters),
            metric_size: None,
            sizes: vec![0.0; parameters],
            steps: 0,
            last_scale: None,
            first_gradient: None,
            sampled: false,
            remarks: Vec::new(),
            departure: None,
            failure: None,
        }
    }

    /// Ends the phase of the first metric and discards the column norms in that metric.
    pub(super) fn end_first_phase(&mut self) {
        // Column norms in the first metric have other units. If they were kept as the largest so far, they
        // could damp every later step.
        self.norms.clear();
        self.metric_size = None;
        self.in_first_phase = false;
    }

    /// Returns the largest recent column norms of the free parameters.
    pub(super) fn widest(&self, at: &Linearised<'_>) -> Vec<f64> {
        let free = at.chart.free.iter();
        free.map(|&i| self.norms.recent(i)).collect()
    }

    /// Returns the largest column norms so far of the free parameters.
    pub(super) fn largest(&self, at: &Linearised<'_>) -> Vec<f64> {
        let free = at.chart.free.iter();
        free.map(|&i| self.norms.largest(i)).collect()
    }

    /// Adds the column norms of the free parameters at a point.
    pub(super) fn add_norms(&mut self, at: &Linearised<'_>, norms: &[f64]) {
        let both = at.chart.free.iter().zip(norms);
        both.for_each(|(&i, norm)| self.norms.add(i, *norm));
    }

    /// Adapts the column norms of earlier points to a metric whose root L has now this size.
    pub(super) fn follow_metric(&mut self, size: Option<f64>) {
        // The columns of L Z are all divided by σ in a likelihood with a noise level σ. A run that starts at a small σ would
        // otherwise damp every later step by the large norms of its start.
        if let (Some(before), Some(now)) = (self.metric_size, size) {
            let factor = now / before;
            if factor.is_normal() && factor != 1.0 {
                // Not all columns grow with L, and those that do have their new norms.
                self.norms.fade(factor.min(1.0));
            }
        }
        self.metric_size = size;
    }

    /// Returns the largest |θᵢ| so far of parameter `i`.
    pub(super) fn size(&self, i: usize) -> f64 {
        self.sizes[i]
    }

    /// Updates the largest |θᵢ| of every parameter.
    pub(super) fn update_sizes(&mut self, theta: &[f64]) {
        let both = self.sizes.iter_mut().zip(theta);
        both.for_each(|(size, t)| *size = size.max(t.abs()));
    }

    /// Returns the gradient norm `gradient` relative to its value at the start of the run.
    pub(super) fn relative_gradient(&mut self, gradient: f64) -> f64 {
        let first = *self.first_gradient.get_or_insert(gradient);
        let relative = if first > 0.0 { gradient / first } else { 0.0 };
        // Iterations that count on progress would remain as rough as in a first step.
        if self.sampled {
            relative.min(SAMPLED)
        } else {
            relative
        }
    }

    /// Records a remark unless it is a repetition.
    pub(super) fn add_remark(&mut self, remark: Option<String>) {
        let iteration = self.steps;
        if let Some(text) = remark.filter(|text| self.remarks.iter().all(|r| r.text != *text)) {
            self.remarks.push(Remark { iteration, text });
        }
    }

    /// Adds the tangent and adjoint solves of a discarded linearisation to the counts.
    pub(super) fn add_solves(&mut self, at: &Linearised<'_>) {
        let (tangents, adjoints) = at.z.solves();
        self.counts.tangent_solves += tangents;
        self.counts.adjoint_solves += adjoints;
    }
}
