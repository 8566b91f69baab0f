//! Course of an experiment: phases with constant inputs, one after the other.

/// Where an entry of the parameters of the dynamics comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Source {
    Value(f64),
    /// Index of a parameter of the model.
    Parameter(usize),
}

/// Time with constant inputs.
#[derive(Clone, Debug)]
pub(super) struct Phase {
    pub(super) sources: Vec<Source>,
    /// Time at which it begins, and at which it ends. An infinite end stands for the steady state.
    pub(super) from: f64,
    pub(super) until: f64,
    /// Times of the observations.
    pub(super) times: Vec<f64>,
    /// Whether time stands still.
    rests: bool,
    /// Latest time at which the rate is evaluated: at the end, the rate may be another.
    latest: f64,
}

impl Phase {
    /// Creates a phase that begins at a time, without observations.
    pub(super) fn new(from: f64, sources: Vec<Source>) -> Self {
        Self {
            sources,
            from,
            until: f64::INFINITY,
            times: Vec::new(),
            rests: false,
            latest: f64::INFINITY,
        }
    }

    /// Creates a phase that lasts until the state is steady.
    pub(super) fn rest(from: f64, sources: Vec<Source>) -> Self {
        Self {
            rests: true,
            ..Self::new(from, sources)
        }
    }

    /// Returns the time that the rate sees.
    pub(super) fn clock(&self, t: f64) -> f64 {
        if self.rests {
            self.from
        } else {
            t.min(self.latest)
        }
    }

    /// Returns the time that events see.
    pub(super) fn moment(&self, t: f64) -> f64 {
        if self.rests { self.from } else { t }
    }

    /// Returns the distance from a time within which the rate has no forced jump.
    pub(super) fn margin(&self, t: f64) -> f64 {
        (t - self.from).min(self.latest - t).max(0.0)
    }

    /// Returns the parameters of the dynamics, from those of the model.
    pub(super) fn gather<T: Copy + From<f64>>(&self, theta: &[T]) -> Vec<T> {
        let value = |source: &Source| match *source {
            Source::Value(value) => T::from(value),
            Source::Parameter(index) => theta[index],
        };
        self.sources.iter().map(value).collect()
    }

    /// Returns whether the phase lasts until the state is steady.
    pub(super) fn settles(&self) -> bool {
        self.until == f64::INFINITY
    }
}

/// Phases of an experiment in the order of time.
#[derive(Clone, Debug)]
pub(super) struct Course {
    pub(super) phases: Vec<Phase>,
    /// Number of observations.
    pub(super) observations: usize,
}

impl Course {
    /// Distributes the times of observation over phases, which are cut off at the last.
    pub(super) fn new(mut phases: Vec<Phase>, times: &[f64]) -> Self {
        let last = times.last().copied().unwrap_or(0.0);
        let begin = phases
            .iter()
            .find(|phase| !phase.rests)
            .map_or(0.0, |phase| phase.from);
        // Inputs that change after the last observation, or at that time, are not seen. The rate may still jump there.
        let jumps = phases
            .iter()
            .any(|phase| !phase.rests && phase.from == last);
        phases.retain(|phase| phase.rests || phase.from == begin || phase.from < last);
        let starts: Vec<f64> = phases.iter().map(|phase| phase.from).collect();
        let mut times = times.iter().copied().peekable();
        for (index, phase) in phases.iter_mut().enumerate() {
            if phase.rests {
                continue;
            }
            if let Some(&next) = starts.get(index + 1) {
                (phase.until, phase.latest) = (next, next.next_down());
            } else {
                phase.until = last;
                if jumps && phase.from < last {
                    phase.latest = last.next_down();
                }
            }
            while let Some(time) = times.next_if(|time| *time <= phase.until) {
                phase.times.push(time);
            }
        }
        Self {
            observations: phases.iter().map(|phase| phase.times.len()).sum(),
            phases,
        }
    }
}
