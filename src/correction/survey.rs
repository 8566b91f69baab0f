//! Simulations around a point, with one parameter displaced each.

use super::corrected::Geometry;
use super::iteration::{Evaluated, Run};
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
    ) -> Result<std::result::Result<bool, String>> {
        if !matches!(self.setting.geometry, Geometry::Regression(_)) {
            return Ok(Ok(false));
        }
        let plan = self.record.plan(&at.theta, step);
        let objection = match plan {
            Some(displacement) => self.survey(displacement, at)?,
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
    fn survey(&mut self, displacement: f64, at: &Evaluated) -> Result<Option<String>> {
        self.record.begin_survey(&at.theta);
        for j in 0..at.theta.len() {
            let size = displacement * self.setting.size(j, &at.theta);
            let mut objection = None;
            for factor in ATTEMPTS {
                let Some(theta) = self.displaced(&at.theta, j, factor * size) else {
                    continue;
                };
                match self.simulate(theta)? {
                    Ok(simulated) => {
                        self.record.add(&simulated.theta, &simulated.defect);
                        objection = None;
                        break;
                    }
                    Err(reason) => objection = Some(reason),
                }
            }
            if objection.is_some() {
                return Ok(objection);
            }
        }
        self.record.end_survey();
        Ok(None)
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
