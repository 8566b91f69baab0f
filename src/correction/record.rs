//! Record of the simulations from which a regression takes Z.

use std::ops::Range;

use faer::Mat;

use super::affine::Affine;
use super::regression::Regression;
use super::spline::slope;
use crate::check;
use crate::error::Result;
use crate::metric::Root;

/// Smoothing above which the simulator counts as random.
//
// For smooth deterministic simulators the smoothing is at its lower limit, 10⁻¹⁴, and rounding errors of a simulator that
// iterates to its own tolerance raise it little. Noise of a hundredth of the bending raises it to about 10⁻⁴.
const RANDOM: f64 = 1e-8;

/// Distance from the centre of a survey, in its displacements, that is out of its reach.
const FAR: f64 = 2.0;

/// Share of noise in Z above which a survey with larger displacements is worth its simulations.
//
// Noise E in Z shortens the steps to the part ZᵀMZ/(ZᵀMZ + EᵀME), so that this share of the error remains after a step. Where more
// remains, a dozen iterates show neither their drift nor their spread. In numerical experiments with a limit of one half the
// standard errors were up to a fifth too small, without surveys a third, and with this limit they were right to a tenth.
const BLURRED: f64 = 0.25;

/// Largest number of doublings of the displacements.
const DOUBLINGS: u32 = 3;

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

    /// Returns the relative displacement for a survey around θ, if there should be one. `step` is the relative size of the last
    /// step, if it was taken in full.
    pub(super) fn plan(&mut self, theta: &[f64], step: Option<f64>) -> Option<f64> {
        if self.points.is_empty() {
            return Some(self.displacement);
        }
        // A deterministic simulator needs no other survey: the iterates close in on the solution, and the spline follows them.
        let rests = step.is_some_and(|step| step < self.displacement);
        if !rests || !self.random {
            return None;
        }
        let blurred = self.blurred && self.doublings < DOUBLINGS;
        if blurred {
            self.doublings += 1;
            self.displacement *= 2.0;
        }
        (blurred || self.is_far(theta)).then_some(self.displacement)
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

    /// Returns whether θ is out of reach of the latest survey.
    fn is_far(&self, theta: &[f64]) -> bool {
        let reach = FAR * self.displacement;
        let mut pairs = self.scaled(theta).into_iter().zip(&self.centre);
        pairs.any(|(t, c)| (t - c).abs() > reach)
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
