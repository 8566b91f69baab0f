//! Simulations around a point, with one parameter displaced each.

use super::averaging::Window;
use super::corrected::Geometry;
use super::iteration::{Evaluated, Run};
use super::record::Place;
use crate::error::Result;

/// Factors of the displacement that are tried in turn, until the simulator accepts one.
const ATTEMPTS: [f64; 4] = [1.0, -1.0, 0.5, -0.5];

impl Run<'_> {
    /// Records a simulation for the regression, if there is one, and returns whether simulations around it were made as well.
    ///
    /// They are made around a starting point, and, for a random simulator, where the iterates come to rest far from those before
    /// or with a Z that is mostly noise. `step` is the relative size of the last step, if it was taken in full. Returns the
    /// objection of the simulator if it rejects all displacements of a parameter at the starting point.
    pub(super) fn learn(
        &mut self,
        at: &Evaluated,
        step: Option<f64>,
        window: &Window,
    ) -> Result<std::result::Result<bool, String>> {
        if !matches!(self.setting.geometry, Geometry::Regression(_)) {
            return Ok(Ok(false));
        }
        let plan = self.record.plan(&Place {
            theta: &at.theta,
            step,
            window,
        });
        let objection = match &plan {
            Some((centre, displacement)) => self.survey(centre, *displacement)?,
            None => None,
        };
        self.record.add(&at.theta, &at.defect);
        Ok(match objection {
            Some(reason) if self.report.history.is_empty() => Err(reason),
            _ => Ok(plan.is_some()),
        })
    }

    /// Simulates once per parameter around a point. Returns the objection if the simulator rejects all displacements of a
    /// parameter.
    fn survey(&mut self, centre: &[f64], displacement: f64) -> Result<Option<String>> {
        self.record.begin_survey(centre);
        for j in 0..centre.len() {
            let size = displacement * self.setting.size(j, centre);
            let (mut objection, mut tried) = (None, Vec::new());
            for factor in ATTEMPTS {
                let Some(theta) = self.displaced(centre, j, factor * size) else {
                    continue;
                };
                // Next to a bound, displacements to both sides may end at the same point.
                if tried.contains(&theta) {
                    continue;
                }
                tried.push(theta.clone());
                objection = self.displace(theta)?;
                if objection.is_none() {
                    break;
                }
            }
            if objection.is_some() {
                return Ok(objection);
            }
        }
        self.record.end_survey();
        Ok(None)
    }

    /// Simulates close around a fixed point that does not meet the data, to both sides of every parameter. Returns whether it did so.
    pub(super) fn refine(&mut self, at: &Evaluated, distance: f64) -> Result<bool> {
        if !matches!(self.setting.geometry, Geometry::Regression(_)) {
            return Ok(false);
        }
        let tolerance = self.setting.options.tolerance;
        let Some(displacement) = self.record.refinement(&at.theta, distance, tolerance) else {
            return Ok(false);
        };
        self.record.begin_survey(&at.theta);
        for j in 0..at.theta.len() {
            let size = displacement * self.setting.size(j, &at.theta);
            let sides = [size, -size].map(|by| self.displaced(&at.theta, j, by));
            let [one, other] = sides;
            let other = other.filter(|other| Some(other) != one.as_ref());
            for theta in one.into_iter().chain(other) {
                // A side that the simulator rejects leaves a difference to the other.
                self.displace(theta)?;
            }
        }
        self.record.end_survey();
        Ok(true)
    }

    /// Simulates at θ and records it. Returns the objection if there is one.
    fn displace(&mut self, theta: Vec<f64>) -> Result<Option<String>> {
        Ok(match self.simulate(theta)? {
            Ok(simulated) => {
                self.record.add(&simulated.theta, &simulated.defect);
                None
            }
            Err(reason) => Some(reason),
        })
    }

    /// Returns θ with parameter j displaced within the bounds, or None for a fixed parameter.
    fn displaced(&self, theta: &[f64], j: usize, by: f64) -> Option<Vec<f64>> {
        let mut moved = theta.to_vec();
        moved[j] += by;
        if let Some(bounds) = self.setting.bounds {
            let (below, above) = (theta[j] - bounds.lower()[j], bounds.upper()[j] - theta[j]);
            let room = if by > 0.0 { above } else { below };
            // A short displacement would magnify the noise of the simulator. The side with more room is taken instead.
            if room < by.abs() && room < below.max(above) {
                moved[j] = theta[j] - by;
            }
            bounds.clamp(&mut moved);
        }
        (moved[j] != theta[j]).then_some(moved)
    }
}
