//! States and slopes of an integration.

use super::plan::Lengths;

/// Steps of an experiment, phase by phase.
pub(super) struct Trajectory {
    pub(super) legs: Vec<Leg>,
}

/// Steps of a phase, with the states between them and the slopes of their stages.
pub(super) struct Leg {
    n: usize,
    stages: usize,
    /// Whether states and slopes are recorded.
    complete: bool,
    /// Time before every step, and its length.
    pub(super) steps: Vec<[f64; 2]>,
    states: Vec<f64>,
    slopes: Vec<f64>,
    /// Number of steps before every observation.
    pub(super) seen: Vec<usize>,
    /// States at the observations, one after the other.
    pub(super) observed: Vec<f64>,
}

impl Leg {
    pub(super) fn new(n: usize, stages: usize, complete: bool) -> Self {
        Self {
            n,
            stages,
            complete,
            steps: Vec::new(),
            states: Vec::new(),
            slopes: Vec::new(),
            seen: Vec::new(),
            observed: Vec::new(),
        }
    }

    /// Records the first state.
    pub(super) fn begin(&mut self, state: &[f64]) {
        if self.complete {
            self.states.extend_from_slice(state);
        }
    }

    /// Appends a step from time t of length h, with the slopes of all stages and the state that it leads to.
    pub(super) fn push(&mut self, step: [f64; 2], slopes: &[f64], state: &[f64]) {
        self.steps.push(step);
        if self.complete {
            self.slopes.extend_from_slice(slopes);
            self.states.extend_from_slice(state);
        }
    }

    /// Records the observed state after the steps so far.
    pub(super) fn observe(&mut self, state: &[f64]) {
        self.seen.push(self.steps.len());
        self.observed.extend_from_slice(state);
    }

    /// Returns the state after this number of steps.
    pub(super) fn state(&self, steps: usize) -> &[f64] {
        &self.states[steps * self.n..(steps + 1) * self.n]
    }

    /// Returns the slopes of all stages of a step, one after the other.
    pub(super) fn slopes(&self, step: usize) -> &[f64] {
        let length = self.stages * self.n;
        &self.slopes[step * length..(step + 1) * length]
    }

    /// Returns the lengths of the steps.
    pub(super) fn lengths(&self) -> Lengths {
        Lengths {
            lengths: self.steps.iter().map(|[_, h]| *h).collect(),
            seen: self.seen.clone(),
        }
    }
}
