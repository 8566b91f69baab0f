//! States and slopes of an integration.

/// Steps that were taken, with the states between them and the slopes of their stages.
pub(super) struct Trajectory {
    n: usize,
    stages: usize,
    /// Time before every step, and its length.
    pub(super) steps: Vec<[f64; 2]>,
    states: Vec<f64>,
    slopes: Vec<f64>,
    /// Number of steps before every observation.
    pub(super) seen: Vec<usize>,
}

impl Trajectory {
    pub(super) fn new(n: usize, stages: usize, initial: &[f64]) -> Self {
        Self {
            n,
            stages,
            steps: Vec::new(),
            states: initial.to_vec(),
            slopes: Vec::new(),
            seen: Vec::new(),
        }
    }

    /// Appends a step from time t of length h, with the slopes of all stages and the state that it leads to.
    pub(super) fn push(&mut self, step: [f64; 2], slopes: &[f64], state: &[f64]) {
        self.steps.push(step);
        self.slopes.extend_from_slice(slopes);
        self.states.extend_from_slice(state);
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

    /// Writes the states at the observations to `out`, one after the other.
    pub(super) fn observe(&self, out: &mut [f64]) {
        for (out, &steps) in out.chunks_exact_mut(self.n).zip(&self.seen) {
            out.copy_from_slice(self.state(steps));
        }
    }
}
