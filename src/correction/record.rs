//! Record of the simulations from which a regression takes Z.

use std::ops::Range;

use faer::Mat;

use super::affine::Affine;
use super::averaging::Window;
use super::regression::Regression;
use super::spline::slope;
use crate::check;
use crate::error::Result;
use crate::metric::Root;
use crate::vector::norm;

/// Smoothing above which the simulator counts as random.
//
// For smooth deterministic simulators the smoothing is at its lower limit, 10⁻¹⁴, and rounding errors of a simulator that
// iterates to its own tolerance raise it little. Noise of a hundredth of the bending raises it to about 10⁻⁴.
const RANDOM: f64 = 1e-8;

/// Distance from the centre of a survey, in its displacements, that is out of its reach.
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

/// Share of noise in Z above which a survey with larger displacements is worth its simulations.
//
// Noise E in Z shortens the steps to the part ZᵀMZ/(ZᵀMZ + EᵀME), so that this share of the error remains after a step. Where more
// remains, a dozen iterates show neither their drift nor their spread. In numerical experiments with a limit of one half the
// standard errors were up to a fifth too small, without surveys a third, and with this limit they were right to a tenth.
const BLURRED: f64 = 0.25;

/// Largest number of doublings of the displacements.
const DOUBLINGS: u32 = 3;

/// Place of an iteration without a model.
pub(super) struct Place<'a> {
    pub(super) theta: &'a [f64],
    /// Relative size of the last step, if it was taken in full.
    pub(super) step: Option<f64>,
    /// Iterates since the burn-in.
    pub(super) window: &'a Window,
}

/// Simulations since the starting point.
pub(super) struct Record {
    options: Regression,
    /// Sizes of the parameters, the units of the spline.
    units: Vec<f64>,
    /// Simulated parameters, in these units.
    points: Vec<Vec<f64>>,
    /// Defects h − q.
    defects: Vec<Vec<f64>>,
    /// Lifted defects L(h − q) of the first simulations; the others are not lifted yet.
    lifted: Vec<Vec<f64>>,
    /// Simulations of the latest survey, which are not dropped.
    survey: Range<usize>,
    /// Point around which the latest survey was made, in the units.
    centre: Vec<f64>,
    /// Displacement of the latest survey, relative to the sizes of the parameters.
    displacement: f64,
    doublings: u32,
    moves: u32,
    refinements: u32,
    /// Whether the last regression found that the simulator is random, and that Z consists of its noise.
    random: bool,
    blurred: bool,
}

impl Record {
    pub(super) fn new(options: Regression, units: Vec<f64>) -> Self {
        Self {
            displacement: options.displacement,
            options,
            units,
            points: Vec::new(),
            defects: Vec::new(),
            lifted: Vec::new(),
            survey: 0..0,
            centre: Vec::new(),
            doublings: 0,
            moves: 0,
            refinements: 0,
            random: false,
            blurred: false,
        }
    }

    /// Appends a simulation. If there are too many, the oldest is dropped that does not belong to the latest survey.
    pub(super) fn add(&mut self, theta: &[f64], defect: &[f64]) {
        self.points.push(self.scaled(theta));
        self.defects.push(defect.to_vec());
        if self.points.len() <= self.options.memory {
            return;
        }
        let Range { start, end } = self.survey;
        let oldest = if start > 0 { 0 } else { end };
        self.points.remove(oldest);
        self.defects.remove(oldest);
        if oldest < self.lifted.len() {
            self.lifted.remove(oldest);
        }
        if start > 0 {
            self.survey = start - 1..end - 1;
        }
    }

    /// Returns the centre and the relative displacement of a survey, if there should be one.
    pub(super) fn plan(&mut self, at: &Place<'_>) -> Option<(Vec<f64>, f64)> {
        if self.points.is_empty() {
            return Some((at.theta.to_vec(), self.displacement));
        }
        // A deterministic simulator needs no other survey: the iterates close in on the solution, and the spline follows them.
        if !self.random {
            return None;
        }
        let resting = at.window.latest(RESTING);
        let rests = resting.is_some() || at.step.is_some_and(|step| step < self.displacement);
        if rests && self.blurred && self.doublings < DOUBLINGS {
            self.doublings += 1;
            self.displacement *= 2.0;
            let centre = resting.map_or(at.theta.to_vec(), |(mean, _)| mean);
            return Some((centre, self.displacement));
        }
        let (mean, deviations) = resting?;
        let moved = self.moves < MOVES && self.is_far(&mean, &deviations);
        self.moves += u32::from(moved);
        moved.then_some((mean, self.displacement))
    }

    /// Returns the relative displacement of a refinement of Z around the fixed point θ with this distance from the data, if
    /// there should be one.
    pub(super) fn refinement(
        &mut self,
        theta: &[f64],
        distance: f64,
        tolerance: f64,
    ) -> Option<f64> {
        // Data that are met determine the fixed point for any Z.
        let changes = differences(&self.lifted);
        let change = (0..changes.ncols()).map(|i| norm(changes.col_as_slice(i)));
        let met = distance <= MET * tolerance * change.fold(0.0, f64::max);
        // The survey needs two simulations per parameter, and leaves room for the iterates that follow.
        let room = self.options.memory >= 2 * self.units.len() + 2;
        let fine = FINE * self.options.displacement;
        // Central differences at a point as far away as their own error are as good as new ones.
        let known = self.refinements > 0 && self.is_within(theta, fine * fine);
        if met || known || !room || self.random || self.refinements == REFINEMENTS {
            return None;
        }
        self.refinements += 1;
        Some(fine)
    }

    /// Begins a survey around θ. The simulations of the survey before may be dropped from now on.
    pub(super) fn begin_survey(&mut self, theta: &[f64]) {
        self.centre = self.scaled(theta);
        self.survey = self.points.len()..self.points.len();
    }

    /// Ends a survey, which consists of all simulations since its beginning.
    pub(super) fn end_survey(&mut self) {
        self.survey.end = self.points.len();
    }

    /// Returns whether the mean of the iterates is out of reach of the latest survey, and not by chance.
    fn is_far(&self, mean: &[f64], deviations: &[f64]) -> bool {
        let reach = FAR * self.displacement;
        let deviations = self.scaled(deviations);
        let centre = self.centre.iter().zip(&deviations);
        let mut pairs = self.scaled(mean).into_iter().zip(centre);
        pairs.any(|(t, (c, s))| (t - c).abs() > reach + SPREADS * s)
    }

    /// Returns whether θ is as close as this to the centre of the latest survey.
    fn is_within(&self, theta: &[f64], distance: f64) -> bool {
        let mut pairs = self.scaled(theta).into_iter().zip(&self.centre);
        pairs.all(|(t, c)| (t - c).abs() <= distance)
    }

    /// Returns θ in units of the sizes of the parameters.
    fn scaled(&self, theta: &[f64]) -> Vec<f64> {
        theta.iter().zip(&self.units).map(|(t, u)| t / u).collect()
    }

    /// Returns the affine model through (`theta`, `state`) with the derivative of the regression at `theta`.
    pub(super) fn model(
        &mut self,
        (theta, state): (&[f64], &[f64]),
        root: &dyn Root,
    ) -> Result<Affine> {
        self.lift(root)?;
        let (n, p) = (self.points.len(), self.units.len());
        let points = Mat::from_fn(n, p, |i, j| self.points[i][j]);
        let at = self.scaled(theta);
        let (defects, lifted) = (differences(&self.defects), differences(&self.lifted));
        let slope = slope(points.as_ref(), defects.as_ref(), lifted.as_ref(), &at);
        self.random = slope.smoothing.is_some_and(|s| s > RANDOM);
        self.blurred = slope.blur > BLURRED;
        let mut z = slope.z;
        for j in 0..p {
            let unit = -self.units[j];
            z.col_as_slice_mut(j).iter_mut().for_each(|z| *z /= unit);
            check::finite("the regression of the simulations", z.col_as_slice(j))?;
        }
        Ok(Affine {
            centre: theta.to_vec(),
            state: state.to_vec(),
            jacobian: z,
        })
    }

    /// Lifts the defects that are not lifted yet, in one batch.
    fn lift(&mut self, root: &dyn Root) -> Result<()> {
        let rest = columns(&self.defects[self.lifted.len()..]);
        let lifted = root.lift(rest.as_ref())?;
        let column = |j: usize| lifted.col_as_slice(j).to_vec();
        self.lifted.extend((0..lifted.ncols()).map(column));
        Ok(())
    }
}

/// Returns the matrix with these columns.
fn columns(vectors: &[Vec<f64>]) -> Mat<f64> {
    let rows = vectors.first().map_or(0, Vec::len);
    Mat::from_fn(rows, vectors.len(), |i, j| vectors[j][i])
}

/// Returns the matrix of the differences to the last vector, which have the same slope, and no rounding errors of a common part.
fn differences(vectors: &[Vec<f64>]) -> Mat<f64> {
    let last = vectors.last().map_or(&[][..], Vec::as_slice);
    Mat::from_fn(last.len(), vectors.len(), |i, j| vectors[j][i] - last[i])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    /// Returns whether independent iterates of this standard deviation come to be averaged within 60 steps, with a Z that they do
    /// not change.
    fn is_averaged(deviation: f64, p: usize, seed: u64) -> bool {
        let mut record = Record::new(Regression::default(), vec![1.0; p]);
        record.random = true;
        let mut last = vec![0.0; p];
        record.begin_survey(&last);
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
            if let Some((centre, _)) = record.plan(&place) {
                record.begin_survey(&centre);
                window = Window::default();
            }
            if window.len() >= 12 {
                if !window.drifts(|_| 1.0) && window.mean(|_| 1.0).is_some() {
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
