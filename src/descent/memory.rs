//! What a run remembers from point to point, besides its history.

use super::counts::Counts;
use super::linearised::Linearised;
use super::report::Remark;

/// The memory of a run.
pub(super) struct Memory {
    /// Models solved, tangents and adjoints; other counts are in the ledger.
    pub(super) counts: Counts,
    /// Whether the first metric is in use.
    pub(super) in_first_phase: bool,
    /// Whether a step had about the right length.
    pub(super) sized: bool,
    /// The largest norm that the column of every parameter has had.
    widest: Vec<f64>,
    /// The largest |θᵢ| so far.
    sizes: Vec<f64>,
    /// Steps taken.
    pub(super) steps: usize,
    /// ‖∇‖ at the start.
    first_gradient: Option<f64>,
    /// Remarks of the directions, once each.
    pub(super) remarks: Vec<Remark>,
    /// The reason why the last failing trial failed.
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
            failure: None,
        }
    }

    /// Ends the phase of the first metric, if it lasts still, and forgets the norms that were measured with it.
    pub(super) fn end_first_phase(&mut self) -> bool {
        self.widest.fill(0.0);
        std::mem::take(&mut self.in_first_phase)
    }

    /// The widest columns of the free parameters so far.
    pub(super) fn widest(&self, here: &Linearised<'_>) -> Vec<f64> {
        here.chart.free.iter().map(|&i| self.widest[i]).collect()
    }

    /// Remembers the norms of the columns of the free parameters.
    pub(super) fn widen(&mut self, here: &Linearised<'_>, norms: &[f64]) {
        for (&i, norm) in here.chart.free.iter().zip(norms) {
            self.widest[i] = self.widest[i].max(*norm);
        }
    }

    /// The largest |θᵢ| so far.
    pub(super) fn size(&self, i: usize) -> f64 {
        self.sizes[i]
    }

    pub(super) fn measure(&mut self, theta: &[f64]) {
        let pairs = self.sizes.iter_mut().zip(theta);
        pairs.for_each(|(size, t)| *size = size.max(t.abs()));
    }

    /// ‖∇‖ relative to the start.
    pub(super) fn relative_gradient(&mut self, gradient: f64) -> f64 {
        let first = *self.first_gradient.get_or_insert(gradient);
        if first > 0.0 { gradient / first } else { 0.0 }
    }

    /// Notes a remark, unless it was noted before.
    pub(super) fn note(&mut self, remark: Option<String>) {
        let iteration = self.steps;
        if let Some(text) = remark.filter(|text| self.remarks.iter().all(|r| r.text != *text)) {
            self.remarks.push(Remark { iteration, text });
        }
    }

    /// Adds the solves of a linearisation that is no longer used.
    pub(super) fn book(&mut self, here: &Linearised<'_>) {
        let (tangents, adjoints) = here.z.solves();
        self.counts.tangent_solves += tangents;
        self.counts.adjoint_solves += adjoints;
    }
}
