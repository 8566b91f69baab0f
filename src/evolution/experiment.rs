//! Experiments: when a system is observed, and under which inputs.

use std::collections::BTreeSet;

use super::course::{Course, Phase, Source};
use super::error::Error;
use crate::check;
use crate::error::Result;

/// Experiment on [`Dynamics`](super::Dynamics): times of observation, inputs, and what is known of the parameters.
///
/// The parameters of the dynamics are those of the model, entry by entry, unless the experiment says otherwise. An entry that the
/// experimenter sets, such as a dose, is [`given`](Self::given). An entry that differs between experiments but is unknown is the
/// experiment's [`own`](Self::own).
///
/// ```
/// use pullback::automatic::Scalar;
/// use pullback::evolution::{Dynamics, Evolution, Experiment};
/// use pullback::Model;
///
/// /// A drug x that is infused and cleared. θ holds the clearance, the volume, and the rate of infusion.
/// struct Infusion;
///
/// impl Dynamics for Infusion {
///     fn dims(&self) -> (usize, usize) {
///         (1, 3)
///     }
///
///     fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
///         out[0] = (theta[2] - theta[0] * x[0]) / theta[1];
///     }
///
///     fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
///         out[0] = S::from(0.0);
///     }
/// }
///
/// let times = || vec![1.0, 2.0, 4.0, 8.0];
/// let weak = Experiment::new(times()).given(2, 1.0).from(3.0, &[(2, 0.0)]);
/// let strong = Experiment::new(times()).given(2, 5.0).from(3.0, &[(2, 0.0)]);
/// let model = Evolution::over(Infusion, vec![weak, strong])?;
/// assert_eq!((model.param_dim(), model.state_dim()), (2, 8));
/// let rho = model.predict(&[0.5, 2.0])?;
/// assert!((rho[5] / rho[1] - 5.0).abs() < 1e-6);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Experiment {
    name: String,
    start: f64,
    times: Vec<f64>,
    sources: Vec<(usize, Source)>,
    changes: Vec<(f64, Vec<(usize, f64)>)>,
    rested: Option<Vec<(usize, f64)>>,
}

impl Experiment {
    /// Creates an experiment that starts at t = 0 and is observed at these times.
    ///
    /// A last time of `f64::INFINITY` stands for the steady state.
    pub fn new(times: Vec<f64>) -> Self {
        Self {
            name: String::new(),
            start: 0.0,
            times,
            sources: Vec::new(),
            changes: Vec::new(),
            rested: None,
        }
    }

    /// Sets the name, which is empty by default. [`Measurements::likelihood`](crate::loss::Measurements::likelihood) finds an
    /// experiment by the name of its condition.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.to_string();
        self
    }

    /// Sets the time of the initial value.
    #[must_use]
    pub fn start(mut self, t: f64) -> Self {
        self.start = t;
        self
    }

    /// Gives an entry of the parameters of the dynamics a value. The last word on an entry counts, also that of [`own`](Self::own).
    #[must_use]
    pub fn given(mut self, entry: usize, value: f64) -> Self {
        self.sources.push((entry, Source::Value(value)));
        self
    }

    /// Takes an entry of the parameters of the dynamics from another parameter of the model.
    ///
    /// Entries are numbered as in the dynamics, parameters as in the model. Entry j is parameter j of the model where no experiment
    /// says otherwise. The number of an entry that is given in all experiments is therefore free, and own parameters begin
    /// with the lowest free number:
    ///
    /// ```
    /// use pullback::Model;
    /// use pullback::automatic::Scalar;
    /// use pullback::evolution::{Dynamics, Evolution, Experiment};
    ///
    /// /// A drug is cleared at the rate θ₀ from a baseline θ₁ and a dose θ₂.
    /// struct Cleared;
    ///
    /// impl Dynamics for Cleared {
    ///     fn dims(&self) -> (usize, usize) {
    ///         (1, 3)
    ///     }
    ///
    ///     fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
    ///         out[0] = -theta[0] * x[0];
    ///     }
    ///
    ///     fn initial<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
    ///         out[0] = theta[1] + theta[2];
    ///     }
    /// }
    ///
    /// // Entry 2, the dose, is given in both, so that number 2 is free: it is the baseline, entry 1, of the second patient.
    /// let first = Experiment::new(vec![0.0, 1.0]).given(2, 10.0);
    /// let second = Experiment::new(vec![0.0, 1.0]).given(2, 20.0).own(1, 2);
    /// let model = Evolution::over(Cleared, vec![first, second])?;
    /// assert_eq!(model.param_dim(), 3); // clearance, baseline of the first, baseline of the second
    /// let rho = model.predict(&[0.5, 1.0, 3.0])?;
    /// assert_eq!((rho[0], rho[2]), (11.0, 23.0));
    /// # Ok::<(), pullback::Error>(())
    /// ```
    #[must_use]
    pub fn own(mut self, entry: usize, parameter: usize) -> Self {
        self.sources.push((entry, Source::Parameter(parameter)));
        self
    }

    /// Changes entries of the parameters of the dynamics from a time on. Without entries, the time is a place where the rate may
    /// jump.
    ///
    /// A step ends at this time. What is observed at this time is the state before the change. A change after the last time of
    /// observation has no effect on what is observed, so that experiments of different lengths may share their changes.
    #[must_use]
    pub fn from(mut self, t: f64, inputs: &[(usize, f64)]) -> Self {
        self.changes.push((t, inputs.to_vec()));
        self
    }

    /// Starts from the state to which the initial value settles under these inputs, which the initial value sees as well. Time
    /// stands still before the start.
    #[must_use]
    pub fn rested(mut self, inputs: &[(usize, f64)]) -> Self {
        self.rested = Some(inputs.to_vec());
        self
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the times of observation.
    pub fn times(&self) -> &[f64] {
        &self.times
    }

    /// Returns the experiment with its first times alone.
    pub(super) fn first(&self, count: usize) -> Self {
        let times = self.times[..count].to_vec();
        Self {
            times,
            ..self.clone()
        }
    }

    /// Returns the course of the experiment for dynamics with p parameters.
    ///
    /// # Errors
    /// Fails if times do not increase or are not finite, and if an entry does not exist.
    pub(super) fn course(&self, p: usize) -> Result<Course> {
        self.check_times()?;
        let mut sources: Vec<Source> = (0..p).map(Source::Parameter).collect();
        for &(entry, source) in &self.sources {
            if let Source::Value(value) = source {
                check_value(entry, value)?;
            }
            *entry_of(&mut sources, entry)? = source;
        }
        let mut phases = Vec::new();
        if let Some(inputs) = &self.rested {
            let mut sources = sources.clone();
            set(&mut sources, inputs)?;
            phases.push(Phase::rest(self.start, sources));
        }
        phases.push(Phase::new(self.start, sources.clone()));
        for (t, inputs) in &self.changes {
            set(&mut sources, inputs)?;
            phases.push(Phase::new(*t, sources.clone()));
        }
        Ok(Course::new(phases, &self.times))
    }

    fn check_times(&self) -> Result<()> {
        check::finite("the start of an evolution", &[self.start])?;
        let some = !self.times.is_empty();
        check::option("the number of times", 0.0, some, "give at least one")?;
        let last = self.times.len() - 1;
        let is_sound =
            |(index, t): (usize, &f64)| t.is_finite() || (index == last && *t == f64::INFINITY);
        if let Some(index) = self
            .times
            .iter()
            .enumerate()
            .position(|pair| !is_sound(pair))
        {
            let time = self.times[index];
            return Err(Error::Time { index, time }.into());
        }
        increasing(self.start, &self.times, false)?;
        let changes: Vec<f64> = self.changes.iter().map(|(t, _)| *t).collect();
        check::finite("the times at which inputs change", &changes)?;
        increasing(self.start, &changes, true)
    }

    /// Adds the parameters of the model that the experiment uses.
    pub(super) fn parameters(course: &Course, used: &mut BTreeSet<usize>) {
        for source in course.phases.iter().flat_map(|phase| &phase.sources) {
            if let Source::Parameter(index) = source {
                used.insert(*index);
            }
        }
    }
}

/// Checks that times increase from a start, which the first may equal unless it must be `later`.
fn increasing(start: f64, times: &[f64], later: bool) -> Result<()> {
    let mut before = start;
    for (index, &time) in times.iter().enumerate() {
        if time < before || ((later || index > 0) && time == before) {
            return Err(Error::Times {
                index,
                time,
                before,
            }
            .into());
        }
        before = time;
    }
    Ok(())
}

fn entry_of(sources: &mut [Source], entry: usize) -> Result<&mut Source> {
    let count = sources.len();
    let found = sources.get_mut(entry);
    found.ok_or_else(|| Error::Entry { entry, count }.into())
}

fn check_value(entry: usize, value: f64) -> Result<()> {
    match value.is_finite() {
        true => Ok(()),
        false => Err(Error::Value { entry, value }.into()),
    }
}

fn set(sources: &mut [Source], inputs: &[(usize, f64)]) -> Result<()> {
    for &(entry, value) in inputs {
        check_value(entry, value)?;
        *entry_of(sources, entry)? = Source::Value(value);
    }
    Ok(())
}
