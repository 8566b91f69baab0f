//! State that a run carries from point to point, besides its history.

use super::counts::Counts;
use super::linearised::Linearised;
use super::remark::Remark;
use crate::step::Trial;

/// Accepted trial, with the coordinates from which it led to the next point.
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
pub(super) struct Memory {
    /// Counts of model, tangent and adjoint solves. The ledger has all other counts.
    pub(super) counts: Counts,
    /// Whether the first metric is in use.
    pub(super) in_first_phase: bool,
    /// Whether some step of the run has had about the right length.
    pub(super) sized: bool,
    /// Largest norm so far of each parameter's column of L Z, where L is the root of the metric.
    widest: Vec<f64>,
    /// Largest |θᵢ| so far of every parameter.
    sizes: Vec<f64>,
    /// Number of steps of the run so far.
    pub(super) steps: usize,
    /// Norm ‖∇‖ of the gradient at the start.
    first_gradient: Option<f64>,
    /// Remarks of the directions, without repetitions.
    pub(super) remarks: Vec<Remark>,
    /// Last accepted trial, until its end is linearised.
    pub(super) departure: Option<Departure>,
    /// Reason for the last failure at a trial point.
    pub(super) failure: Option<String>,
}

impl Memory {
    pub(super) fn new(parameters: usize, in_first_phase: bool) -> Self {
        Self {
            counts: Counts::default(),
            in_first_phase,
            sized: false,
            widest: vec![0.0; parameters],
            sizes: vec![0.0; parameters],
            steps: 0,
            first_gradient: None,
            remarks: Vec::new(),
            departure: None,
            failure: None,
        }
    }

    /// Ends the phase of the first metric and discards the column norms in that metric. Returns whether the phase was active.
    pub(super) fn end_first_phase(&mut self) -> bool {
        // Column norms in the first metric have other units. If they were kept as the largest so far, they
        // could damp every later step.
        self.widest.fill(0.0);
        std::mem::take(&mut self.in_first_phase)
    }

    /// Returns the largest column norms so far of the free parameters.
    pub(super) fn widest(&self, at: &Linearised<'_>) -> Vec<f64> {
        at.chart.free.iter().map(|&i| self.widest[i]).collect()
    }

    /// Updates the largest column norms of the free parameters.
    pub(super) fn update_widest(&mut self, at: &Linearised<'_>, norms: &[f64]) {
        for (&i, norm) in at.chart.free.iter().zip(norms) {
            self.widest[i] = self.widest[i].max(*norm);
        }
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
        if first > 0.0 { gradient / first } else { 0.0 }
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
