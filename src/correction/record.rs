//! Record of the simulations from which a regression takes Z.

use std::ops::Range;

use faer::Mat;

use super::affine::Affine;
use super::estimate::{Estimate, Score};
use super::regression::Regression;
use super::response::Response;
use super::spline::slope;
use crate::check;
use crate::coordinates::Bounds;
use crate::error::Result;
use crate::linalg::{minimum_norms, product};
use crate::metric::Root;
use crate::vector::{largest, norm};

/// Smoothing above which the simulator counts as random, unless a repeated simulation was equal.
//
// For smooth deterministic simulators the smoothing is at its lower limit, 10⁻¹⁴, and rounding errors of a simulator that
// iterates to its own tolerance raise it little. Noise of a hundredth of the bending raises it to about 10⁻⁴.
const RANDOM: f64 = 1e-8;

/// Relative pivot of ZᵀMZ below which a combination of the parameters has no error of its own.
const RANK: f64 = 1e-14;

/// Length of a column of Z, relative to the longest, that is rounding.
const NEGLIGIBLE: f64 = 1e-12;

/// Simulations since the starting point.
pub(super) struct Record {
    pub(super) options: Regression,
    /// Sizes of the parameters, the units of the spline.
    pub(super) units: Vec<f64>,
    /// Simulated parameters, in these units.
    pub(super) points: Vec<Vec<f64>>,
    /// Defects h − q.
    defects: Vec<Vec<f64>>,
    /// Lifted defects L(h − q) of the first simulations; the others are not lifted yet.
    pub(super) lifted: Vec<Vec<f64>>,
    /// Simulations of the latest survey, which are not dropped.
    survey: Range<usize>,
    /// Point around which the latest survey was made, in the units.
    pub(super) centre: Vec<f64>,
    /// Displacements of the latest survey, orthogonal in the units.
    pub(super) displacements: Vec<Vec<f64>>,
    pub(super) sharpenings: u32,
    pub(super) moves: u32,
    pub(super) refinements: u32,
    /// Whether repeated simulations are equal, if one was repeated.
    pub(super) deterministic: Option<bool>,
    pub(super) stalls: u32,
    /// Whether surveys because of noise are used up, and the combinations that it still hides then.
    pub(super) exhausted: bool,
    /// Whether a displacement of the latest survey was as long as it may be.
    pub(super) widest: bool,
    lost: Option<Mat<f64>>,
    /// Whether the first survey found effects that are nearly alike.
    alike: bool,
    /// Whether the simulations did not lie on a smooth surface for the last regression.
    pub(super) rough: bool,
    /// Response of the last regression.
    pub(super) response: Option<Response>,
}

impl Record {
    pub(super) fn new(options: Regression, units: Vec<f64>) -> Self {
        Self {
            options,
            units,
            points: Vec::new(),
            defects: Vec::new(),
            lifted: Vec::new(),
            survey: 0..0,
            centre: Vec::new(),
            displacements: Vec::new(),
            sharpenings: 0,
            moves: 0,
            refinements: 0,
            deterministic: None,
            stalls: 0,
            exhausted: false,
            widest: false,
            alike: false,
            lost: None,
            rough: false,
            response: None,
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

    /// Returns whether the simulator seems to be random, and no simulation was repeated.
    pub(super) fn is_doubtful(&self) -> bool {
        self.rough && self.deterministic.is_none()
    }

    pub(super) fn is_random(&self) -> bool {
        self.rough && self.deterministic != Some(true)
    }

    /// Returns the share of noise in Z, or None for a deterministic simulator.
    pub(super) fn blur(&self) -> Option<f64> {
        let response = self.response.as_ref().filter(|_| self.is_random());
        response.map(Response::blur)
    }

    /// Returns the score of a simulation that made no step yet, by its gradient ZᵀM(h − q).
    pub(super) fn score(&self, theta: &[f64], gradient: &[f64]) -> Option<Score> {
        let pairs = gradient.iter().zip(&self.units);
        Some(Score {
            theta: self.scaled(theta),
            descent: pairs.map(|(g, u)| -g * u).collect(),
            curvature: self.response.as_ref()?.curvature(),
        })
    }

    /// Returns the parameters at which the mean score vanishes within the bounds, and the spread of such estimates from a single
    /// simulation.
    pub(super) fn estimate(
        &self,
        scores: &[Score],
        bounds: Option<&Bounds>,
    ) -> (Vec<f64>, Vec<f64>) {
        let p = self.units.len();
        let (lower, upper) = match bounds {
            Some(bounds) => (self.scaled(bounds.lower()), self.scaled(bounds.upper())),
            None => (vec![f64::NEG_INFINITY; p], vec![f64::INFINITY; p]),
        };
        let Estimate { mut theta, spread } = Estimate::of(scores, (&lower, &upper));
        for (t, (l, u)) in theta.iter_mut().zip(lower.iter().zip(&upper)) {
            *t = t.clamp(*l, *u);
        }
        let in_units =
            |x: &[f64]| -> Vec<f64> { x.iter().zip(&self.units).map(|(x, u)| x * u).collect() };
        let mut found = in_units(&theta);
        if let Some(bounds) = bounds {
            // A parameter at a bound is there to the last digit.
            for (j, t) in theta.iter().enumerate() {
                for (end, exact) in [(lower[j], bounds.lower()[j]), (upper[j], bounds.upper()[j])] {
                    if *t == end {
                        found[j] = exact;
                    }
                }
            }
        }
        (found, in_units(&spread))
    }

    /// Returns the distance of the mean of the last `n` lifted simulations from the data, and that of data of the same noise.
    pub(super) fn distances(&self, n: usize) -> Option<(f64, f64)> {
        let last = &self.lifted[self.lifted.len().checked_sub(n)?..];
        let (count, rows) = (n as f64, last.first()?.len());
        let mean = |i: usize| last.iter().map(|y| y[i]).sum::<f64>() / count;
        let mean: Vec<f64> = (0..rows).map(mean).collect();
        let square = |y: &Vec<f64>| {
            y.iter()
                .zip(&mean)
                .map(|(y, m)| (y - m).powi(2))
                .sum::<f64>()
        };
        let variance = last.iter().map(square).sum::<f64>() / (count - 1.0);
        // The data have the variance of a simulation, and the mean of n simulations one n-th of it.
        Some((norm(&mean), (variance * (1.0 + count.recip())).sqrt()))
    }

    /// Returns √diag (ZᵀMZ)⁻¹ of the parameters that are not held, and zeros for those held.
    pub(super) fn data_errors(&self, held: &[usize]) -> Option<Vec<f64>> {
        let curvature = self.response.as_ref()?.curvature();
        let free: Vec<usize> = (0..self.units.len())
            .filter(|j| !held.contains(j))
            .collect();
        let among = Mat::from_fn(free.len(), free.len(), |i, j| curvature[(free[i], free[j])]);
        let identity = Mat::identity(free.len(), free.len());
        let (negative, _) = minimum_norms(among.as_ref(), identity.as_ref(), RANK);
        let mut errors = vec![0.0; self.units.len()];
        for (i, &j) in free.iter().enumerate() {
            errors[j] = self.units[j] * (-negative[(i, i)]).max(0.0).sqrt();
        }
        Some(errors)
    }

    /// Returns whether differences close to the last simulation should tell which parameters have an effect.
    pub(super) fn is_suspicious(&self) -> bool {
        self.alike || self.response.as_ref().is_some_and(Response::is_suspicious)
    }

    /// Returns the expected distance of a simulation from data of the same noise.
    pub(super) fn noise(&self) -> Option<f64> {
        let response = self.response.as_ref().filter(|_| self.is_random());
        response.map(|r| (2.0 * r.power()).sqrt())
    }

    /// Moves θ back to the starting point along the combinations that noise hides, where it came by chance.
    pub(super) fn return_lost(&self, theta: &mut [f64], start: &[f64]) {
        let (at, from) = (self.scaled(theta), self.scaled(start));
        for v in self.lost.iter().flat_map(|lost| lost.col_iter()) {
            let pairs = v.iter().zip(at.iter().zip(&from));
            let way = pairs.map(|(v, (t, s))| v * (t - s)).sum::<f64>();
            for (j, v) in v.iter().enumerate() {
                theta[j] -= self.units[j] * way * v;
            }
        }
    }

    /// Returns the variances of the parameters by the noise of Z, at this distance from the data.
    pub(super) fn variances(&self, distance: f64) -> Option<Vec<f64>> {
        let rows = self.lifted.last()?.len() as f64;
        let variances = self.response.as_ref()?.variances();
        let pairs = variances.iter().zip(&self.units);
        Some(
            pairs
                .map(|(v, u)| v * (u * distance).powi(2) / rows)
                .collect(),
        )
    }

    /// Returns the combinations of the parameters without effect on the simulations, in units of length one.
    pub(super) fn undetermined(&self) -> Vec<Vec<f64>> {
        let lost = self.lost.iter().flat_map(|lost| lost.col_iter());
        let mut combinations: Vec<Vec<f64>> = lost.map(|v| v.iter().copied().collect()).collect();
        if combinations.is_empty() {
            combinations = self
                .response
                .as_ref()
                .map_or_else(Vec::new, Response::undetermined);
        }
        let in_theta = |v: Vec<f64>| {
            let v: Vec<f64> = v.iter().zip(&self.units).map(|(v, u)| v * u).collect();
            let length = norm(&v);
            v.iter().map(|v| v / length).collect()
        };
        combinations.into_iter().map(in_theta).collect()
    }

    /// Returns the shares |vⱼ| of the parameters in a combination, in units of their sizes and relative to the largest.
    pub(super) fn shares(&self, v: &[f64]) -> Vec<f64> {
        let shares = self.scaled(v);
        let most = largest(&shares);
        shares.iter().map(|share| share.abs() / most).collect()
    }

    /// Returns the displacement of the first survey, relative to the sizes of the parameters.
    pub(super) fn displacement(&self) -> f64 {
        self.options.displacement
    }

    /// Begins a survey around θ with these displacements. The simulations of the survey before may be dropped from now on.
    pub(super) fn begin_survey(&mut self, theta: &[f64], displacements: &[Vec<f64>]) {
        self.centre = self.scaled(theta);
        self.displacements = displacements.iter().map(|d| self.scaled(d)).collect();
        self.survey = self.points.len()..self.points.len();
    }

    /// Ends a survey, which consists of all simulations since its beginning. With `anew` those before are dropped.
    //
    // The bending on the way from the starting point would be noise of the linear regression, and no small one where the effects of
    // two parameters nearly cancel.
    pub(super) fn end_survey(&mut self, anew: bool) {
        self.survey.end = self.points.len();
        if anew {
            let Range { start, end } = self.survey;
            self.points.drain(..start);
            self.defects.drain(..start);
            self.lifted.drain(..start.min(self.lifted.len()));
            self.survey = 0..end - start;
        }
    }

    /// Returns θ in units of the sizes of the parameters.
    pub(super) fn scaled(&self, theta: &[f64]) -> Vec<f64> {
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
        self.rough = slope.smoothing.is_some_and(|s| s > RANDOM);
        if slope.smoothing.is_none() {
            self.alike = slope.response.is_suspicious();
        }
        self.response = Some(slope.response);
        let mut z = slope.z;
        // Steps along combinations that no displacement brings out of the noise would wander. Those that are lost when the surveys
        // are used up stay where they are.
        if let Some(response) = self.response.as_ref().filter(|_| self.exhausted) {
            let lost = self.lost.get_or_insert_with(|| response.lost());
            if lost.ncols() > 0 {
                z -= product(
                    product(z.as_ref(), lost.as_ref()).as_ref(),
                    lost.transpose(),
                );
                self.response = Some(response.without(lost));
            }
        }
        // Least squares scales columns to unit length. Rounding that is left of a column would become a parameter.
        let lengths: Vec<f64> = (0..p).map(|j| norm(z.col_as_slice(j))).collect();
        let negligible = NEGLIGIBLE * lengths.iter().copied().fold(0.0, f64::max);
        for j in (0..p).filter(|&j| lengths[j] <= negligible) {
            z.col_as_slice_mut(j).fill(0.0);
        }
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
pub(super) fn differences(vectors: &[Vec<f64>]) -> Mat<f64> {
    let last = vectors.last().map_or(&[][..], Vec::as_slice);
    Mat::from_fn(last.len(), vectors.len(), |i, j| vectors[j][i] - last[i])
}
