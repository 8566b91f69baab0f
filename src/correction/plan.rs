//! Decisions of a regression about further simulations.

use super::averaging::Window;
use super::record::{Record, differences};
use crate::vector::{dot, norm};

/// Distance from the centre of a survey, in each of its displacements, that is out of its reach.
const FAR: f64 = 2.0;

/// Number of iterates whose mean says where the iterates are, and standard deviations of an iterate within which means agree.
//
// The means of six iterates, before a survey and after it, differ by √(2/6) = 0.58 standard deviations, so that these are three and a
// half times as much. A single iterate is out of reach by chance alone where the iterates fluctuate as widely as the survey is.
const RESTING: usize = 6;
const SPREADS: f64 = 2.0;

/// Largest number of surveys because the iterates are out of reach of the one before.
const MOVES: u32 = 4;

/// Displacement of a refinement, relative to that of the first survey.
//
// Central differences have the relative error δ²/6, here 10⁻⁷ for functions that bend on the scale of the parameters. The
// kernel r³ of such distances is 10⁻⁹, far above the smallest smoothing of 10⁻¹⁴.
const FINE: f64 = 0.01;

/// Largest number of refinements of Z at a fixed point.
const REFINEMENTS: u32 = 3;

/// Distance of the data that counts as met, in tolerances of the correction and relative to the largest change of the data within
/// the record.
const MET: f64 = 1e3;

/// Share of noise in the effect of a combination of the parameters above which a survey is worth its simulations.
//
// Noise E in Z shortens the steps to the part JᵀMJ/(JᵀMJ + EᵀME), so that this share of the error remains after a step. Where it is
// nearly one the iterates seem to rest anywhere, and errors of the data enter the estimate with 1/√(1 − share) of their size.
const BLURRED: f64 = 0.25;

/// Largest number of surveys because of such noise.
const SHARPENINGS: u32 = 4;

/// Largest number of times that Z of a deterministic simulator is found anew because the iterates do not close in.
const STALLS: u32 = 4;

/// Largest displacement of a parameter because of noise, relative to its size.
const WIDEST: f64 = 0.5;

/// Part of the largest displacement from which on a displacement cannot be made longer.
const NEARLY: f64 = 0.99;

/// Place of an iteration without a model.
pub(super) struct Place<'a> {
    pub(super) theta: &'a [f64],
    /// Relative size of the last step, if it was taken in full.
    pub(super) step: Option<f64>,
    /// Iterates since the burn-in.
    pub(super) window: &'a Window,
}

/// Survey that a place calls for.
pub(super) enum Plan {
    /// One parameter at a time, around the starting point.
    Start,
    /// To both sides of a point.
    Around(Around),
}

/// Survey to both sides of a point.
pub(super) struct Around {
    pub(super) centre: Vec<f64>,
    pub(super) displacements: Vec<Vec<f64>>,
    /// Whether the simulations before are dropped.
    pub(super) anew: bool,
}

/// Outcome of an attempt to find a better Z.
pub(super) enum Revision {
    Needless,
    Made,
    /// Z was found anew as often as is worth the simulations.
    Exhausted,
}

impl Record {
    /// Returns the survey for which the place calls, if there should be one.
    pub(super) fn plan(&mut self, at: &Place<'_>) -> Option<Plan> {
        if self.points.is_empty() {
            return Some(Plan::Start);
        }
        // A deterministic simulator needs no other survey: the iterates close in on the solution, and the spline follows them.
        let blur = self.blur()?;
        let resting = at.window.latest(RESTING);
        let rests = !resting.is_empty() || at.step.is_some_and(|s| s < self.options.displacement);
        let exhausted = self.sharpenings == SHARPENINGS;
        self.exhausted |= exhausted && self.widest;
        let sharpen = rests && blur > BLURRED && !exhausted;
        let moved = !sharpen && self.moves < MOVES && self.is_far(resting);
        if !sharpen && !moved {
            return None;
        }
        self.sharpenings += u32::from(sharpen);
        self.moves += u32::from(moved);
        let centre = match resting.is_empty() {
            true => at.theta.to_vec(),
            false => mean(resting),
        };
        let displacements = self.widened(&centre);
        // What the widest displacements do not bring out of the noise, more of them may.
        let anew = !self.widest || self.is_far(std::slice::from_ref(&centre));
        self.widest = sharpen && self.reach_limits(&centre, &displacements);
        Some(Plan::Around(Around {
            centre,
            displacements,
            anew,
        }))
    }

    /// Returns the largest displacement of every parameter around θ, in the units.
    fn limits(&self, theta: &[f64]) -> Vec<f64> {
        let sizes = self.scaled(theta);
        sizes.iter().map(|t| WIDEST * t.abs().max(1.0)).collect()
    }

    /// Returns whether a displacement around θ is as long as it may be.
    fn reach_limits(&self, theta: &[f64], displacements: &[Vec<f64>]) -> bool {
        let limits = self.limits(theta);
        let mut scaled = displacements.iter().map(|d| self.scaled(d));
        scaled.any(|d| {
            d.iter()
                .zip(&limits)
                .any(|(d, most)| d.abs() > NEARLY * most)
        })
    }

    /// Returns the displacements of a survey around θ that the noise of the simulator needs.
    fn widened(&self, theta: &[f64]) -> Vec<Vec<f64>> {
        let (response, most) = (self.response.as_ref(), self.limits(theta));
        let displacements = response.map_or_else(Vec::new, |r| r.displacements(&most));
        let in_units = |d: Vec<f64>| d.iter().zip(&self.units).map(|(d, u)| d * u).collect();
        displacements.into_iter().map(in_units).collect()
    }

    /// Returns whether Z should be refined at the fixed point θ with this distance from the data.
    pub(super) fn needs_refinement(
        &mut self,
        theta: &[f64],
        distance: f64,
        tolerance: f64,
    ) -> bool {
        // Data that are met determine the fixed point for any Z.
        let changes = differences(&self.lifted);
        let change = (0..changes.ncols()).map(|i| norm(changes.col_as_slice(i)));
        let met = distance <= MET * tolerance * change.fold(0.0, f64::max);
        // The survey needs two simulations per parameter, and leaves room for the iterates that follow.
        let room = self.options.memory >= 2 * self.units.len() + 2;
        // Central differences at a point as far away as their own error are as good as new ones.
        let known = self.refinements > 0 && self.is_within(theta, self.fine().powi(2));
        let due = !met && !known && room && !self.is_random() && self.refinements < REFINEMENTS;
        self.refinements += u32::from(due);
        due
    }

    /// Returns the displacement of a refinement, relative to the sizes of the parameters.
    pub(super) fn fine(&self) -> f64 {
        FINE * self.options.displacement
    }

    /// Notes that the iterates of a deterministic simulator no longer close in. Returns whether Z should be found anew.
    pub(super) fn stall(&mut self) -> bool {
        self.stalls += 1;
        self.stalls <= STALLS
    }

    pub(super) fn has_stalled(&self) -> bool {
        self.stalls > 0
    }

    /// Returns displacements around θ that exceed the roughness of the simulator, if Z consists of it.
    pub(super) fn rough_displacements(&self, theta: &[f64]) -> Option<Vec<Vec<f64>>> {
        let response = self.response.as_ref()?;
        (self.rough && response.blur() > BLURRED).then(|| self.widened(theta))
    }

    /// Returns whether the mean of these iterates is out of reach of the latest survey, and not by chance.
    fn is_far(&self, iterates: &[Vec<f64>]) -> bool {
        if iterates.is_empty() {
            return false;
        }
        let n = iterates.len() as f64;
        self.displacements.iter().any(|d| {
            // Distances along a displacement, in units of its length.
            let along = |theta: &Vec<f64>| {
                let shift: Vec<f64> = self
                    .scaled(theta)
                    .iter()
                    .zip(&self.centre)
                    .map(|(t, c)| t - c)
                    .collect();
                dot(d, &shift) / dot(d, d)
            };
            let distances: Vec<f64> = iterates.iter().map(along).collect();
            let mean = distances.iter().sum::<f64>() / n;
            let squares = distances.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
            mean.abs() > FAR + SPREADS * (squares / (n - 1.0).max(1.0)).sqrt()
        })
    }

    /// Returns whether θ is as close as this to the centre of the latest survey.
    fn is_within(&self, theta: &[f64], distance: f64) -> bool {
        let mut pairs = self.scaled(theta).into_iter().zip(&self.centre);
        pairs.all(|(t, c)| (t - c).abs() <= distance)
    }
}

/// Returns the mean of some points.
fn mean(points: &[Vec<f64>]) -> Vec<f64> {
    let n = points.len() as f64;
    let mean = |j: usize| points.iter().map(|t| t[j]).sum::<f64>() / n;
    (0..points[0].len()).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use faer::Mat;

    use super::*;
    use crate::correction::regression::Regression;
    use crate::correction::response::Response;
    use crate::random;

    /// Returns whether independent iterates of this standard deviation come to be averaged within 60 steps, with a Z that they do
    /// not change.
    fn is_averaged(deviation: f64, p: usize, seed: u64) -> bool {
        let mut record = Record::new(Regression::default(), vec![1.0; p]);
        // Effects of one, and no noise in Z.
        let zero = Mat::zeros(p, p);
        record.response = Some(Response::new(Mat::identity(p, p), (zero, 0.01)));
        record.rough = true;
        let mut last = vec![0.0; p];
        let coordinate = |j: usize| (0..p).map(|i| if i == j { 0.1 } else { 0.0 }).collect();
        let displacements: Vec<Vec<f64>> = (0..p).map(coordinate).collect();
        record.begin_survey(&last, &displacements);
        record.add(&last, &[0.0]);
        let mut window = Window::default();
        for k in 0..60 {
            let noise = random::normal(p, seed, k);
            let theta: Vec<f64> = noise.iter().map(|e| deviation * e).collect();
            let step: Vec<f64> = theta.iter().zip(&last).map(|(a, b)| a - b).collect();
            let size = crate::vector::largest(&step);
            window.add(step, &theta);
            let place = Place {
                theta: &theta,
                step: Some(size),
                window: &window,
            };
            if let Some(Plan::Around(Around { centre, .. })) = record.plan(&place) {
                record.begin_survey(&centre, &displacements);
                window = Window::default();
            }
            if window.len() >= 12 {
                if !window.drifts(|_| 1.0, 0.0) && window.mean(|_| 1.0).is_some() {
                    return true;
                }
                window.double();
            }
            last = theta;
        }
        false
    }

    #[test]
    fn iterates_that_fluctuate_as_widely_as_the_survey_are_averaged() {
        for (deviation, p) in [(0.08, 3), (0.1, 3), (0.12, 3), (0.08, 6)] {
            let averaged = (0..200)
                .filter(|seed| is_averaged(deviation, p, *seed))
                .count();
            println!("{deviation} of {p}: {averaged} of 200");
            assert!(averaged >= 190, "{deviation} of {p}: {averaged} of 200");
        }
    }
}
