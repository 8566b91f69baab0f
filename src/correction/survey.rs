//! Simulations around a point, with one parameter displaced each.

use faer::MatRef;

use super::affine::Affine;
use super::averaging::Window;
use super::corrected::Geometry;
use super::iteration::{Evaluated, Run};
use super::plan::{Around, Place, Plan, Revision};
use crate::error::Result;
use crate::metric::Root;
use crate::vector::norm;

/// Factors of the displacement that are tried in turn, until the simulator accepts one.
const ATTEMPTS: [f64; 4] = [1.0, -1.0, 0.5, -0.5];

/// Number of iterates without contraction after which Z is found anew for a deterministic simulator.
const STALLING: usize = 3;

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
            Some(Plan::Start) => self.survey(at)?,
            Some(Plan::Around(around)) => {
                let Around {
                    centre,
                    displacements,
                    anew,
                } = around;
                self.survey_around((centre, &[]), displacements, *anew)?;
                None
            }
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
    fn survey(&mut self, at: &Evaluated) -> Result<Option<String>> {
        let centre = &at.theta;
        let displacement = self.record.displacement();
        let size = |j: usize| displacement * self.setting.size(j, centre);
        let displacements = along_coordinates(centre.len(), size);
        self.record.begin_survey(centre, &displacements);
        let origin = &at.defect;
        for (j, displacement) in displacements.iter().enumerate() {
            let size = displacement[j];
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
                objection = self.displace(theta, origin)?;
                if objection.is_none() {
                    break;
                }
            }
            if objection.is_some() {
                return Ok(objection);
            }
        }
        self.record.end_survey(false);
        Ok(None)
    }

    /// Simulates to both sides of a point along every displacement, where the bounds and the simulator allow. With `anew` the
    /// simulations before are dropped, unless the new ones are too few. `origin` is the defect at the point, if it is known.
    fn survey_around(
        &mut self,
        (centre, origin): (&[f64], &[f64]),
        displacements: &[Vec<f64>],
        anew: bool,
    ) -> Result<()> {
        self.record.begin_survey(centre, displacements);
        let mut complete = true;
        for displacement in displacements {
            let mut accepted = None;
            for sign in [1.0, -1.0] {
                let moved = centre.iter().zip(displacement).map(|(t, d)| t + sign * d);
                let mut theta: Vec<f64> = moved.collect();
                if let Some(bounds) = self.setting.bounds {
                    bounds.clamp(&mut theta);
                }
                if theta != centre {
                    let good = self.displace(theta, origin)?.is_none();
                    accepted = Some(good || accepted == Some(true));
                }
            }
            // A parameter that the bounds fix is not displaced.
            complete &= accepted != Some(false);
        }
        self.record.end_survey(anew && complete);
        Ok(())
    }

    /// Simulates close around a fixed point that does not meet the data, to both sides of every parameter. Returns whether it did so.
    pub(super) fn refine(&mut self, at: &Evaluated) -> Result<bool> {
        if !matches!(self.setting.geometry, Geometry::Regression(_)) {
            return Ok(false);
        }
        let (distance, tolerance) = (self.distance(at)?, self.setting.options.tolerance);
        if !self.record.needs_refinement(&at.theta, distance, tolerance) {
            return Ok(false);
        }
        self.survey_closely(at)?;
        Ok(true)
    }

    /// Simulates close around a point, to both sides of every parameter.
    pub(super) fn survey_closely(&mut self, at: &Evaluated) -> Result<()> {
        let fine = self.record.fine();
        let size = |j: usize| fine * self.setting.size(j, &at.theta);
        let displacements = along_coordinates(at.theta.len(), size);
        self.survey_around((&at.theta, &at.defect), &displacements, true)
    }

    /// Finds Z anew where the steps of a deterministic simulator no longer contract, or are `stuck`.
    ///
    /// Such steps are due to errors of Z, or to jumps of the simulator.
    pub(super) fn revise(
        &mut self,
        at: &Evaluated,
        stuck: bool,
        window: &Window,
    ) -> Result<Revision> {
        let regression = matches!(self.setting.geometry, Geometry::Regression(_));
        if !regression || !stuck && window.len() < STALLING || !self.is_deterministic(at)? {
            return Ok(Revision::Needless);
        }
        if !self.record.stall() {
            return Ok(Revision::Exhausted);
        }
        match self.record.rough_displacements(&at.theta) {
            Some(displacements) => {
                self.survey_around((&at.theta, &at.defect), &displacements, true)?;
            }
            None => self.survey_closely(at)?,
        }
        Ok(Revision::Made)
    }

    /// Returns whether the simulator is deterministic, after a repeated simulation if that is not known yet.
    pub(super) fn is_deterministic(&mut self, at: &Evaluated) -> Result<bool> {
        if self.record.deterministic.is_none() {
            self.repeat(at)?;
        }
        Ok(self.record.deterministic == Some(true))
    }

    /// Returns the distance ‖L(h − q)‖ of a simulation from the data. Without a regression it is not known here, and taken for zero.
    pub(super) fn distance(&self, at: &Evaluated) -> Result<f64> {
        let Some(root) = &self.root else {
            return Ok(0.0);
        };
        let defect = MatRef::from_column_major_slice(&at.defect, at.defect.len(), 1);
        Ok(norm(root.lift(defect)?.col_as_slice(0)))
    }

    /// Simulates once more with the parameters of the last simulation, to see whether the simulator is random. Returns whether the
    /// second simulation is recorded.
    pub(super) fn repeat(&mut self, at: &Evaluated) -> Result<bool> {
        let again = match self.simulate(at.theta.clone())? {
            Ok(again) => again,
            // Chance decides about objections too.
            Err(_) => {
                self.record.deterministic = Some(false);
                return Ok(false);
            }
        };
        let deterministic = again.defect == at.defect;
        self.record.deterministic = Some(deterministic);
        if !deterministic {
            self.record.add(&again.theta, &again.defect);
        }
        Ok(!deterministic)
    }

    /// Returns the affine model of the regression at the last simulation. It is repeated if it is the first to seem random.
    pub(super) fn regress(&mut self, at: &Evaluated, root: &dyn Root) -> Result<Affine> {
        let at_data = (&at.theta[..], self.setting.data);
        let model = self.record.model(at_data, root)?;
        match self.record.is_doubtful() && self.repeat(at)? {
            true => self.record.model(at_data, root),
            false => Ok(model),
        }
    }

    /// Simulates at θ and records it. Returns the objection if there is one.
    ///
    /// A displacement that leaves the defect `origin` exactly as it was shows that its parameter has no effect. In the record, the
    /// spline would take it for one that happens to vanish there.
    fn displace(&mut self, theta: Vec<f64>, origin: &[f64]) -> Result<Option<String>> {
        Ok(match self.simulate(theta)? {
            Ok(simulated) => {
                if simulated.defect != origin {
                    self.record.add(&simulated.theta, &simulated.defect);
                }
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

/// Returns displacements of one parameter each.
fn along_coordinates(p: usize, size: impl Fn(usize) -> f64) -> Vec<Vec<f64>> {
    let displacement = |j: usize| (0..p).map(|i| if i == j { size(j) } else { 0.0 }).collect();
    (0..p).map(displacement).collect()
}
