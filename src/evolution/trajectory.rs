//! States of an integration.

use super::plan::Lengths;

/// Steps of an experiment, phase by phase.
pub(super) struct Trajectory {
    pub(super) legs: Vec<Leg>,
}

/// Steps of a phase, with the states of their stages.
pub(super) struct Leg {
    n: usize,
    /// Number of stages of a step, without its first.
    stages: usize,
    /// Whether stages are recorded.
    complete: bool,
    /// Time before every step, and its length.
    pub(super) steps: Vec<[f64; 2]>,
    /// State at the start.
    pub(super) first: Vec<f64>,
    states: Vec<f64>,
    /// Number of steps before every observation.
    pub(super) seen: Vec<usize>,
    /// States at the observations, one after the other.
    pub(super) observed: Vec<f64>,
}

impl Leg {
    /// Creates an empty record for a method with this number of stages.
    pub(super) fn new(n: usize, stages: usize, complete: bool) -> Self {
        Self {
            n,
            stages: stages - 1,
            complete,
            steps: Vec::new(),
            first: Vec::new(),
            states: Vec::new(),
            seen: Vec::new(),
            observed: Vec::new(),
        }
    }

    /// Appends a step from time t of length h, with the states of its stages, unless all states would take more than so many
    /// bytes.
    pub(super) fn push(&mut self, step: [f64; 2], stages: &[f64], memory: usize) {
        self.steps.push(step);
        if self.complete && 8 * (self.states.len() + stages.len()) > memory {
            (self.complete, self.states) = (false, Vec::new());
        }
        if self.complete {
            self.states.extend_from_slice(stages);
        }
    }

    /// Returns whether the states of all stages are recorded.
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Records the observed state after the steps so far.
    pub(super) fn observe(&mut self, state: &[f64]) {
        self.seen.push(self.steps.len());
        self.observed.extend_from_slice(state);
    }

    /// Returns the states of all stages of a step but the first, one after the other.
    pub(super) fn states(&self, step: usize) -> &[f64] {
        let length = self.stages * self.n;
        &self.states[step * length..(step + 1) * length]
    }

    /// Returns the states of all stages of a step but the first.
    pub(super) fn stages(&self, step: usize) -> impl Iterator<Item = &[f64]> {
        self.states(step).chunks_exact(self.n)
    }

    /// Returns the state of a stage of a step, of which the first is not recorded.
    pub(super) fn stage(&self, step: usize, stage: usize) -> &[f64] {
        let start = (step * self.stages + stage - 1) * self.n;
        &self.states[start..start + self.n]
    }

    /// Returns the state at an observation.
    pub(super) fn seen_state(&self, index: usize) -> &[f64] {
        &self.observed[index * self.n..(index + 1) * self.n]
    }

    /// Returns the lengths of the steps.
    pub(super) fn lengths(&self) -> Lengths {
        Lengths {
            lengths: self.steps.iter().map(|[_, h]| *h).collect(),
            seen: self.seen.clone(),
        }
    }
}
