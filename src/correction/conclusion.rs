//! The end of an iteration: averages, standard errors, and what the data do not determine.

use std::collections::BTreeSet;

use super::averaging::Window;
use super::corrected::Geometry;
use super::iteration::{Evaluated, Outcome, Run};
use super::report::{Report, Stop};
use crate::error::Result;

/// Standard error, relative to the size of a parameter, that is rounding of an iterate that never moved.
const ROUNDING: f64 = 1e-13;

/// Share of a parameter in a combination above which it is not determined.
const CONCERNED: f64 = 1e-3;

impl Run<'_> {
    /// Averages the window once it is full, and returns the reason for stopping. A window that drifts is doubled. A window that
    /// fails the tests is discarded.
    pub(super) fn examine(&mut self, at: &Evaluated, window: &mut Window) -> Result<Option<Stop>> {
        let least = self.setting.options.average;
        if window.len() < window.due.max(least) {
            return Ok(None);
        }
        let size = |j: usize| self.setting.size(j, &self.report.theta);
        if window.drifts(size, self.record.blur().unwrap_or(0.0)) {
            window.double();
            return Ok(None);
        }
        // Equal simulations have no fluctuation to average.
        let size = |j: usize| self.setting.size(j, &self.report.theta);
        if window.mean(size).is_some() && self.is_deterministic(at)? {
            return Ok(Some(Stop::Stalled));
        }
        let concluded = self.conclude(window, least);
        *window = Window::default();
        Ok(concluded.then_some(Stop::Averaged))
    }

    /// Takes the mean of a stationary window as the result. Returns false if the window holds fewer than `least` iterates, or
    /// if they are not stationary.
    pub(super) fn conclude(&mut self, window: &Window, least: usize) -> bool {
        let size = |j: usize| self.setting.size(j, &self.report.theta);
        let mean = (window.len() >= least.max(2))
            .then(|| window.mean(size))
            .flatten();
        let Some((theta, errors)) = mean else {
            return false;
        };
        let Some(scores) = window.scores() else {
            let still = |j: usize| errors[j] <= ROUNDING * self.setting.size(j, &theta);
            for j in (0..theta.len()).filter(|&j| !still(j)) {
                self.report.theta[j] = theta[j];
            }
            self.report.standard_errors = Some(errors);
            return true;
        };
        let (theta, spread) = self.record.estimate(scores, self.setting.bounds);
        let share = (scores.len() as f64).recip();
        // The noise of the data has the size of that of a simulation, and stays the same. The residual scores know of that of Z.
        let errors = spread.iter().map(|s| (1.0 + share).sqrt() * s);
        self.report.standard_errors = Some(errors.collect());
        if let Some((distance, noise)) = self.record.distances(scores.len()) {
            self.report.distance = distance;
            self.report.noise = Some(noise);
        }
        let of_z = self.record.variances(self.report.distance);
        let of_z = of_z.unwrap_or_else(|| vec![0.0; theta.len()]);
        let pairs = spread.iter().zip(of_z);
        let errors = pairs.map(|(s, v)| (share * s * s + v).sqrt());
        self.report.averaging_errors = Some(errors.collect());
        self.report.theta = theta;
        true
    }

    /// Returns whether the simulations depend on any combination of the parameters.
    pub(super) fn sees_parameters(&mut self, at: &Evaluated) -> Result<bool> {
        let Some(root) = self.root.clone() else {
            return Ok(true);
        };
        // A regression far from its points confuses the effects of parameters. Where two seem nearly alike, differences tell.
        if self.record.is_suspicious() {
            self.survey_closely(at)?;
            self.record.add(&at.theta, &at.defect);
            self.record
                .model((&at.theta, self.setting.data), root.as_ref())?;
        }
        Ok(self.record.undetermined().len() < at.theta.len())
    }

    /// Completes the report of an iteration that stops at a simulation.
    pub(super) fn finish(&mut self, stop: Stop, at: &Evaluated) -> Result<Outcome> {
        if matches!(self.setting.geometry, Geometry::Regression(_)) {
            if stop != Stop::Averaged {
                self.report.distance = self.distance(at)?;
                self.report.noise = self.record.noise();
            }
            // Combinations that noise hides may come to light in further steps.
            if stop != Stop::Iterations || self.record.exhausted {
                self.report.undetermined = self.record.undetermined();
            }
            let Report { theta, start, .. } = &mut self.report;
            self.record.return_lost(theta, start);
            if let Some(bounds) = self.setting.bounds {
                bounds.clamp(theta);
            }
        }
        let theta = &self.report.theta;
        if let Some(bounds) = self.setting.bounds {
            let ends = bounds.lower().iter().zip(bounds.upper());
            let pairs = theta.iter().zip(ends).enumerate();
            let held = pairs.filter(|(_, (t, (l, u)))| t <= l || t >= u);
            self.report.held = held.map(|(j, _)| j).collect();
        }
        let held = self.report.held.clone();
        self.report.data_errors = self.record.data_errors(&held);
        // A parameter that the bounds keep still shows no effect, but is not free either.
        let concerned = |v: &Vec<f64>| -> Vec<usize> {
            let shares = self.record.shares(v).into_iter().enumerate();
            shares
                .filter(|(_, s)| *s > CONCERNED)
                .map(|(j, _)| j)
                .collect()
        };
        let mut combinations = self.report.undetermined.clone();
        combinations.retain(|v| concerned(v).iter().any(|j| !held.contains(j)));
        let members: BTreeSet<usize> = combinations.iter().flat_map(concerned).collect();
        let unknown = |j: usize| members.contains(&j);
        self.report.undetermined = combinations;
        self.report.unknown = members.iter().copied().collect();
        let Report {
            standard_errors,
            averaging_errors,
            data_errors,
            ..
        } = &mut self.report;
        for errors in [standard_errors, averaging_errors, data_errors]
            .into_iter()
            .flatten()
        {
            for (j, error) in errors.iter_mut().enumerate() {
                *error = match held.contains(&j) {
                    true => 0.0,
                    false if unknown(j) => f64::INFINITY,
                    false => *error,
                };
            }
        }
        Ok(Outcome::Ended(stop))
    }
}
