//! States of an integration.

use super::plan::Lengths;

/// Steps of an experiment, leg by leg.
pub(super) struct Trajectory {
    pub(super) legs: Vec<Leg>,
}

/// Steps of a phase, or of a part of it that begins or ends with an event, with the states of their stages.
pub(super) struct Leg {
    /// Index of the phase.
    pub(super) phase: usize,
    /// Number of observations in the phase before the leg.
    pub(super) before: usize,
    /// Time at which it begins.
    pub(super) from: f64,
    /// Fixed time that is next, if the leg begins with an event. Steps up to it are fractions of the distance. Those to a steady
    /// state, where it is infinite, move along with the event.
    pub(super) horizon: Option<f64>,
    /// End of the leg by an event, unless it ends with the phase.
    pub(super) ending: Option<Ending>,
    n: usize,
    /// Number of stages of a step, without its first.
    stages: usize,
    /// Whether stages are to be recorded, and whether they are.
    recorded: bool,
    complete: bool,
    /// Length of the longest step.
    pub(super) longest: f64,
    /// Time before every step, and its length.
    pub(super) steps: Vec<[f64; 2]>,
    /// State at the start.
    pub(super) first: Vec<f64>,
    states: Vec<f64>,
    /// Slopes of all stages of the steps up to the fixed time that is next.
    slopes: Vec<f64>,
    /// Number of steps before every observation.
    pub(super) seen: Vec<usize>,
    /// States at the observations, one after the other.
    pub(super) observed: Vec<f64>,
}

/// Event at the end of a leg.
pub(super) struct Ending {
    pub(super) event: usize,
    /// State before the jump.
    pub(super) state: Vec<f64>,
    /// Slopes of all stages of the last step, one after the other. Empty if the event fires where the leg begins.
    pub(super) slopes: Vec<f64>,
    /// States of all stages of the last step but the first.
    pub(super) stages: Vec<f64>,
}

/// How the stages of a step move with a time: by σᵢ = `start` + cᵢ `along`, and the length of the step by h times `stretch`.
pub(super) struct Motion<'a> {
    pub(super) start: f64,
    pub(super) along: f64,
    pub(super) stretch: f64,
    /// Slopes of all stages.
    pub(super) slopes: &'a [f64],
    /// Length over which the rate changes little with time.
    pub(super) longest: f64,
}

impl Leg {
    /// Creates an empty record of a phase that begins at a time, for a method with this number of stages.
    pub(super) fn new(
        (phase, from): (usize, f64),
        n: usize,
        stages: usize,
        complete: bool,
    ) -> Self {
        Self {
            phase,
            before: 0,
            from,
            horizon: None,
            ending: None,
            slopes: Vec::new(),
            longest: 0.0,
            n,
            stages: stages - 1,
            recorded: complete,
            complete,
            steps: Vec::new(),
            first: Vec::new(),
            states: Vec::new(),
            seen: Vec::new(),
            observed: Vec::new(),
        }
    }

    /// Creates an empty record of the leg that follows in the same phase after an event at a time, before this fixed time.
    pub(super) fn next(&self, from: f64, horizon: f64) -> Self {
        Self {
            before: self.before + self.seen.len(),
            horizon: Some(horizon),
            ..Self::new((self.phase, from), self.n, self.stages + 1, self.recorded)
        }
    }

    /// Appends a step from time t of length h, with the states and the slopes of its stages, unless all states would take more
    /// than so many bytes.
    pub(super) fn push(
        &mut self,
        step: [f64; 2],
        (stages, slopes): (&[f64], &[f64]),
        memory: usize,
    ) {
        let moves = self.horizon.is_some() && self.seen.is_empty();
        let slopes = if moves { slopes } else { &[] };
        self.steps.push(step);
        self.longest = self.longest.max(step[1].abs());
        let held = self.states.len() + self.slopes.len();
        if self.complete && 8 * (held + stages.len() + slopes.len()) > memory {
            (self.complete, self.states, self.slopes) = (false, Vec::new(), Vec::new());
        }
        if self.complete {
            self.states.extend_from_slice(stages);
            self.slopes.extend_from_slice(slopes);
        }
    }

    /// Returns the number of first steps whose lengths are fractions of the distance to the fixed time that is next.
    pub(super) fn fractions(&self) -> usize {
        let until_seen = || self.seen.first().copied().unwrap_or(self.steps.len());
        self.horizon.map_or(0, |_| until_seen())
    }

    /// Returns the slopes of all stages of a step whose length is a fraction.
    pub(super) fn slopes(&self, step: usize) -> &[f64] {
        let length = (self.stages + 1) * self.n;
        &self.slopes[step * length..(step + 1) * length]
    }

    /// Returns the time at which the leg ends.
    pub(super) fn until(&self) -> f64 {
        self.steps.last().map_or(self.from, |[t, h]| t + h)
    }

    /// Returns how far a time before the next fixed time moves with the time at which the leg begins.
    pub(super) fn share(&self, t: f64) -> f64 {
        match (self.horizon, self.distance()) {
            (Some(time), Some(distance)) if distance != 0.0 => (time - t) / distance,
            _ => 1.0,
        }
    }

    /// Returns how the lengths of steps that are fractions change with the time at which the leg begins, relative to them.
    pub(super) fn stretch(&self) -> f64 {
        self.distance().map_or(0.0, |distance| -1.0 / distance)
    }

    /// Returns whether so many steps end the fractions at a fixed time that is not the end of the leg.
    pub(super) fn is_fixed(&self, steps: usize) -> bool {
        steps == self.fractions() && self.seen.first() == Some(&steps)
    }

    /// Returns whether the leg begins with an event at the fixed time that is next.
    pub(super) fn slides(&self) -> bool {
        let ends_at_once = self.steps.is_empty() && self.ending.is_some();
        self.horizon.is_some() && self.fractions() == 0 && !ends_at_once
    }

    /// Returns how a step with these slopes, whose length is a fraction, moves with the time at which the leg begins.
    pub(super) fn motion<'s>(&self, step: usize, slopes: &'s [f64]) -> Motion<'s> {
        let [t, h] = self.steps[step];
        let stretch = self.stretch();
        Motion {
            start: self.share(t),
            along: h * stretch,
            stretch,
            slopes,
            longest: self.scale(step),
        }
    }

    /// Returns a length near a step over which the rate changes little with time. On the way to a steady state steps grow without
    /// bound, and the longest says nothing about the others.
    pub(super) fn scale(&self, step: usize) -> f64 {
        let settles = self.horizon == Some(f64::INFINITY);
        let own = self.steps.get(step).filter(|_| settles);
        own.map_or(self.longest, |[_, h]| h.abs())
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

    /// Returns the lengths of the steps, some of which may be fractions.
    pub(super) fn lengths(&self) -> Lengths {
        let mut lengths: Vec<f64> = self.steps.iter().map(|[_, h]| *h).collect();
        if let Some(distance) = self.distance() {
            let fractions = &mut lengths[..self.fractions()];
            fractions.iter_mut().for_each(|h| *h /= distance);
        }
        Lengths {
            phase: self.phase,
            lengths,
            seen: self.seen.clone(),
            event: self.ending.as_ref().map(|ending| ending.event),
        }
    }

    /// Returns the distance from an event to the fixed time that is next, if the leg begins with an event and there is such a
    /// time.
    pub(super) fn distance(&self) -> Option<f64> {
        let distance = self.horizon? - self.from;
        distance.is_finite().then_some(distance)
    }
}
