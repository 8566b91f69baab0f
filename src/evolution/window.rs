//! Shorter experiments: the part of a model that is observed up to a time.

use std::sync::Arc;

use super::Evolution;
use super::course::Course;
use super::dynamics::Dynamics;
use super::plan::Lengths;
use super::structures::Known;
use super::watch::Watch;
use crate::check;
use crate::error::Result;

/// The observations of an [`Evolution`] up to a time, as a model with the same parameters, and their entries in ρ.
///
/// Over a short time all solutions look alike, and a fit has few optima.
/// [`GrowingWindow`](crate::continuation::GrowingWindow) fits window after window.
///
/// ```
/// use pullback::Model;
/// use pullback::evolution::Evolution;
/// use pullback::models::dynamics::LotkaVolterra;
///
/// let model = Evolution::new(LotkaVolterra::new([1.0, 1.0])?, vec![1.0, 2.0, 3.0])?;
/// let rho = model.predict(&[1.5, 1.0, 1.0, 3.0])?;
/// let window = model.until(2.5)?;
/// assert_eq!((window.model().state_dim(), window.model().param_dim()), (4, 4));
/// assert_eq!(window.part(&rho)?, rho[..4]);
/// # Ok::<(), pullback::Error>(())
/// ```
pub struct Window<D> {
    model: Evolution<D>,
    end: f64,
    entries: Vec<usize>,
    /// Length of the state of the whole model.
    whole: usize,
}

impl<D: Dynamics> Evolution<D> {
    /// Returns the observations up to a time as a model with the same dynamics, parameters, method and steps.
    ///
    /// Experiments that are not observed by then are left out. A parameter that occurs in no other experiment has no influence.
    ///
    /// # Errors
    /// Fails if there are no observations up to this time.
    pub fn until(&self, t: f64) -> Result<Window<D>> {
        let (p, outputs) = (self.dynamics.dims().1, self.dynamics.outputs());
        let (mut experiments, mut courses) = (Vec::new(), Vec::new());
        let (mut entries, mut whole) = (Vec::new(), 0);
        let (mut plan, mut kept) = (self.plan.clone(), Vec::new());
        for (index, experiment) in self.experiments.iter().enumerate() {
            let times = experiment.times();
            let count = times.iter().filter(|time| **time <= t).count();
            entries.extend(whole..whole + outputs * count);
            whole += outputs * times.len();
            if count == 0 {
                continue;
            }
            let experiment = experiment.first(count);
            let course = experiment.course(p)?;
            if let Some(steps) = &self.plan.kept {
                kept.push(first_steps(&course, &steps[index]));
            }
            experiments.push(experiment);
            courses.push(course);
        }
        let what = "the end of a window";
        let remedy = "let it include at least one time of observation";
        check::option(what, t, !entries.is_empty(), remedy)?;
        plan.kept = plan.kept.is_some().then_some(kept);
        let model = Self {
            dynamics: Arc::clone(&self.dynamics),
            experiments,
            courses,
            plan,
            parameters: self.parameters,
            watch: Watch::new(self.dynamics.events()),
            known: Known::default(),
        };
        Ok(Window {
            model,
            end: t,
            entries,
            whole,
        })
    }
}

/// Returns those of the steps of an experiment that lead to the observations of its shorter course.
fn first_steps(course: &Course, steps: &[Lengths]) -> Vec<Lengths> {
    let last = course.phases.len() - 1;
    let mut left = course.phases[last].times.len();
    let mut first = Vec::new();
    for steps in steps.iter().take_while(|steps| steps.phase <= last) {
        let mut steps = steps.clone();
        if steps.phase < last {
            first.push(steps);
            continue;
        }
        let end = left.checked_sub(1).and_then(|i| steps.seen.get(i).copied());
        if let Some(end) = end {
            // The last phase ends at its last observation.
            steps.seen.truncate(left);
            steps.lengths.truncate(end);
            steps.event = None;
        }
        left = left.saturating_sub(steps.seen.len());
        first.push(steps);
        if end.is_some() {
            break;
        }
    }
    first
}

impl<D> Window<D> {
    /// Returns the model of the observations in the window.
    pub fn model(&self) -> &Evolution<D> {
        &self.model
    }

    /// Returns the end of the window.
    pub fn end(&self) -> f64 {
        self.end
    }

    /// Returns the entries of the state of the whole model that the window holds, in increasing order.
    pub fn entries(&self) -> &[usize] {
        &self.entries
    }

    /// Returns the part of numbers, such as data, that are given for every entry of the state of the whole model.
    ///
    /// # Errors
    /// Fails if there is not one number per entry.
    pub fn part(&self, whole: &[f64]) -> Result<Vec<f64>> {
        let what = "the numbers of which a window is taken, one for each entry of the whole state";
        check::length(what, whole.len(), self.whole)?;
        Ok(self.entries.iter().map(|&entry| whole[entry]).collect())
    }
}
