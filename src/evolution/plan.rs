//! What an integration is asked for: method, accuracy and steps.

use super::method::{Method, Tableau};
use crate::check;
use crate::error::Result;

/// Accuracy of the steps: the estimated error of a step stays below `absolute` + `relative`·|x| in the root mean square over
/// the components.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Accuracy {
    /// Error relative to the size of a component.
    pub(super) relative: f64,
    /// Absolute error of every component, or one number for all.
    pub(super) absolute: Vec<f64>,
}

impl Default for Accuracy {
    fn default() -> Self {
        Self {
            relative: 1e-8,
            absolute: vec![1e-10],
        }
    }
}

/// Choice of the steps.
#[derive(Clone, Copy, Debug)]
pub(super) enum Steps {
    /// By the estimated error.
    Chosen,
    /// Of equal length between times, at most as long as this. Steps to a steady state are chosen.
    Every(f64),
}

/// Lengths of the steps of a leg that are kept, with the number of steps before every observation.
#[derive(Clone, Debug)]
pub(super) struct Lengths {
    /// Index of the phase.
    pub(super) phase: usize,
    pub(super) lengths: Vec<f64>,
    pub(super) seen: Vec<usize>,
    /// Event at the end. The length of the last step is then a guess.
    pub(super) event: Option<usize>,
}

/// Method, accuracy and steps of an integration.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) method: Method,
    /// Coefficients of the method.
    pub(super) tableau: Tableau,
    pub(super) accuracy: Accuracy,
    pub(super) steps: Steps,
    pub(super) most_steps: usize,
    /// Bytes that the record of a phase may take.
    pub(super) memory: usize,
    /// Steps of an earlier integration for every experiment and leg, if they are kept.
    pub(super) kept: Option<Vec<Vec<Lengths>>>,
}

impl Plan {
    /// Checks the plan for a state of n components.
    pub(super) fn check(&self, n: usize) -> Result<()> {
        self.method.check()?;
        let Accuracy { relative, absolute } = &self.accuracy;
        let sound = |x: f64| x >= 0.0 && x.is_finite();
        let what = "the relative accuracy";
        let remedy = "give a number such as 1e-8";
        check::option(what, *relative, sound(*relative), remedy)?;
        if absolute.len() != 1 {
            check::length("the absolute accuracies", absolute.len(), n)?;
        }
        let least = absolute.iter().copied().fold(f64::INFINITY, f64::min);
        let positive = absolute.iter().all(|a| sound(*a)) && (least > 0.0 || *relative > 0.0);
        let remedy = "give positive numbers in the units of x";
        check::option("the absolute accuracy", least, positive, remedy)?;
        if let Steps::Every(h) = self.steps {
            let what = "the length of a step";
            check::option(what, h, h > 0.0 && h.is_finite(), "give a positive number")?;
        }
        Ok(())
    }

    /// Returns whether steps are chosen by their errors wherever they lead to.
    pub(super) fn is_free(&self) -> bool {
        self.kept.is_none() && matches!(self.steps, Steps::Chosen)
    }

    /// Returns whether the steps to a time, or to a steady state if it is infinite, are chosen by their errors.
    pub(super) fn chooses(&self, time: f64) -> bool {
        self.is_free() || (self.kept.is_none() && time == f64::INFINITY)
    }

    /// Returns the error that is allowed in a component of this size.
    pub(super) fn allowed(&self, component: usize, size: f64) -> f64 {
        let Accuracy { relative, absolute } = &self.accuracy;
        let absolute = absolute[component.min(absolute.len() - 1)];
        // A component that is 0 with no absolute accuracy must not be divided by.
        (absolute + relative * size).max(f64::MIN_POSITIVE)
    }

    /// Returns the root mean square of errors relative to what is allowed, at a state x.
    pub(super) fn norm(&self, errors: &[f64], x: &[f64]) -> f64 {
        let pairs = errors.iter().zip(x).enumerate();
        let squares = pairs.map(|(i, (e, x))| (e / self.allowed(i, x.abs())).powi(2));
        (squares.sum::<f64>() / errors.len() as f64).sqrt()
    }
}
