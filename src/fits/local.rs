//! Least-squares problem of one fit at a point, in buffers that are used again.

use faer::{Mat, MatRef};

use super::objective::{Measured, Point, Rules};
use crate::automatic::Formula;
use crate::automatic::Slopes;
use crate::coordinates::Transform;
use crate::descent::StepNorm;
use crate::error::{Error, Result};
use crate::linalg::{DampedLeastSquares, Rows, long_dot, share_pieces, symmetric_product};
use crate::posterior::{Scores, Uncertainty};

/// Relative size below which a pivot counts as zero.
const RANK: f64 = 1e-12;

/// Rows that a thread computes at a time.
const SHARE: usize = 1 << 15;

/// Problem of one fit at its current point, and a trial point.
pub(super) struct Local<'a, F, const N: usize> {
    formula: &'a F,
    pub(super) rules: &'a Rules<'a>,
    measured: Measured,
    slopes: Slopes<N>,
    pub(super) here: Point,
    pub(super) trial: Point,
    /// Jacobian ∂F/∂θ of all rows, and the weighted one in the coordinates of the descent of the rows with data.
    jacobian: Vec<f64>,
    matrix: Vec<f64>,
    /// Parameters in the coordinates of the descent.
    coordinates: Vec<f64>,
    /// Coordinates of the last point.
    left: Vec<f64>,
    pub(super) gradient: Vec<f64>,
    pub(super) free: Vec<usize>,
    /// Largest column norm and largest |θ| of every parameter in this fit.
    widest: Vec<f64>,
    sizes: Vec<f64>,
    pub(super) norm: StepNorm,
    pub(super) system: DampedLeastSquares,
}

impl<'a, F: Formula, const N: usize> Local<'a, F, N> {
    pub(super) fn new(formula: &'a F, rules: &'a Rules<'a>) -> Self {
        let (k, p) = formula.dims();
        Self {
            formula,
            rules,
            measured: Measured::new(k),
            slopes: Slopes::new(p),
            here: Point::new(k, p),
            trial: Point::new(k, p),
            jacobian: vec![0.0; k * p],
            matrix: Vec::with_capacity(k * p),
            coordinates: vec![0.0; p],
            left: vec![0.0; p],
            gradient: vec![0.0; p],
            free: Vec::with_capacity(p),
            widest: vec![0.0; p],
            sizes: vec![0.0; p],
            norm: StepNorm {
                effects: Vec::with_capacity(p),
                largest: Vec::new(),
                units: Vec::with_capacity(p),
            },
            system: DampedLeastSquares::new(RANK),
        }
    }

    /// Evaluates the objective at a start.
    ///
    /// # Errors
    /// Fails if the start is invalid, or if the objective is not finite.
    pub(super) fn start(&mut self, data: &[f64], theta: &[f64]) -> Result<()> {
        self.rules.check(theta)?;
        self.measured.take(data, self.rules)?;
        self.here.theta.copy_from_slice(theta);
        self.here.evaluate(self.formula, &self.measured, self.rules);
        self.widest.fill(0.0);
        self.sizes.fill(0.0);
        if self.here.loss.is_finite() {
            return Ok(());
        }
        Err(match self.here.undefined(&self.measured) {
            Some((index, value)) => Error::NotFinite {
                what: "a value of the formula",
                index,
                value,
            },
            None => Error::InfiniteStart {
                value: self.here.loss,
            },
        })
    }

    /// Computes the weighted Jacobian, the gradient and the free parameters.
    pub(super) fn linearise(&mut self) -> Result<()> {
        let Self {
            here,
            measured,
            rules,
            ..
        } = self;
        self.slopes
            .at(self.formula, &here.theta, &mut self.jacobian);
        std::mem::swap(&mut self.coordinates, &mut self.left);
        let (k, rows) = (here.values.len(), here.dual.len());
        self.matrix.resize(rows * here.theta.len(), 0.0);
        for (j, column) in self.jacobian.chunks_exact(k).enumerate() {
            let transform = rules.transform(j);
            let slope = transform.slope(here.theta[j]);
            self.coordinates[j] = transform.inverse(here.theta[j]);
            self.sizes[j] = self.sizes[j].max(here.theta[j].abs());
            let weighted = &mut self.matrix[j * rows..(j + 1) * rows];
            share_pieces(rows > SHARE, weighted, SHARE, |first, part| {
                let rows = measured.rows[first..]
                    .iter()
                    .zip(&measured.weights[first..]);
                for (x, (&i, weight)) in part.iter_mut().zip(rows) {
                    *x = column[i] * (weight * slope);
                }
                let roots = here.roots.get(first..).unwrap_or(&[]);
                part.iter_mut().zip(roots).for_each(|(x, root)| *x *= root);
            });
            self.gradient[j] = long_dot(weighted, &here.dual);
            if !self.gradient[j].is_finite() {
                let index = weighted.iter().position(|x| !x.is_finite()).unwrap_or(0);
                return Err(Error::NotFinite {
                    what: "a derivative of the formula",
                    index: measured.rows[index],
                    value: weighted[index],
                });
            }
        }
        self.free.clear();
        let free = |j: &usize| !rules.blocks(*j, here.theta[*j], -self.gradient[*j]);
        self.free.extend((0..here.theta.len()).filter(free));
        Ok(())
    }

    /// Returns the slope at the current point along the direction that was multiplied by `scale` to reach it.
    pub(super) fn slope_of_arrival(&self, scale: f64) -> f64 {
        let moved = |&j: &usize| self.gradient[j] * (self.coordinates[j] - self.left[j]);
        self.free.iter().map(moved).sum::<f64>() / scale
    }

    /// Factorises the system of the free parameters.
    fn factor(&mut self) {
        let (rows, columns) = (self.here.dual.len(), self.here.theta.len());
        self.system.factor(&[Rows {
            matrix: MatRef::from_column_major_slice(&self.matrix, rows, columns),
            kept: &self.free,
            b: &self.here.dual,
        }]);
    }

    /// Factorises the system of the free parameters, and updates the norm of steps.
    pub(super) fn prepare(&mut self) {
        self.factor();
        self.norm.effects.clear();
        self.norm.units.clear();
        for (&j, norm) in self.free.iter().zip(&self.system.norms) {
            self.widest[j] = self.widest[j].max(*norm);
            self.norm.effects.push(self.widest[j]);
            self.norm.units.push(match self.rules.transform(j) {
                Transform::Identity => self.sizes[j],
                // Steps in logarithmic or logit coordinates are relative already.
                _ => 1.0,
            });
        }
        let widest = self.free.iter().map(|&j| self.widest[j]);
        self.system.set_widest(widest);
    }

    /// Holds the parameters that the last step would move through a bound at which they lie. Returns whether there are any.
    pub(super) fn hold_blocked(&mut self) -> bool {
        let (before, mut position) = (self.free.len(), 0);
        self.free.retain(|&j| {
            let step = self.system.eta[position];
            position += 1;
            !self.rules.blocks(j, self.here.theta[j], step)
        });
        self.free.len() < before
    }

    /// Evaluates the point after `scale` times the last step, within the bounds.
    pub(super) fn move_trial(&mut self, scale: f64) {
        self.trial.theta.copy_from_slice(&self.here.theta);
        for (&j, eta) in self.free.iter().zip(&self.system.eta) {
            let moved = self.coordinates[j] + scale * eta;
            self.trial.theta[j] = self.rules.transform(j).forward(moved);
        }
        if let Some(bounds) = self.rules.bounds {
            bounds.clamp(&mut self.trial.theta);
        }
        self.trial
            .evaluate(self.formula, &self.measured, self.rules);
    }

    /// Returns the curvature of the objective and the scores of the data, given the rows of the metric.
    fn scores(&self, rows: &Mat<f64>) -> Scores {
        // A row √w a of the metric has the score φ′r a = (φ′r/√w) √w a, and the curvature (φ′ + 2zφ″) aaᵀ.
        let times = |weights: &[f64]| {
            Mat::from_fn(rows.nrows(), rows.ncols(), |i, j| weights[i] * rows[(i, j)])
        };
        let curved = times(&self.here.bends);
        Scores {
            curvature: symmetric_product(rows.as_ref(), curved.as_ref()),
            rows: times(&self.here.dual),
        }
    }

    /// Computes the standard errors at the end of a fit: 0 for held parameters, ∞ for undetermined ones.
    pub(super) fn standard_errors(&mut self, errors: &mut [f64]) {
        self.factor();
        errors.fill(0.0);
        let theta = &self.here.theta;
        let slope = |j: usize| self.rules.transform(j).slope(theta[j]);
        let robust = !self.here.bends.is_empty();
        if !robust && self.system.is_regular() {
            let deviation = self.deviation(self.free.len());
            let unit = &mut self.gradient;
            self.system.standard_errors(unit);
            for (&j, error) in self.free.iter().zip(&*unit) {
                errors[j] = error * deviation * slope(j);
            }
            return;
        }
        let data = self.measured.rows.len();
        let entry = |i: usize, j: usize| self.matrix[self.free[j] * data + i];
        let rows = Mat::from_fn(data, self.free.len(), entry);
        let slopes: Vec<f64> = (0..theta.len()).map(slope).collect();
        let found = match robust {
            false => Ok(Uncertainty::new(rows.as_ref(), &self.free, &slopes)),
            true => Uncertainty::sandwich(rows.as_ref(), &self.scores(&rows), &self.free, &slopes),
        };
        let Ok(found) = found else {
            errors.fill(f64::NAN);
            return;
        };
        let deviation = self.deviation(self.free.len() - found.null_space.ncols());
        let pairs = errors.iter_mut().zip(&found.standard_errors);
        pairs.for_each(|(error, found)| {
            *error = match *found {
                0.0 => 0.0,
                // A vanishing residual does not determine the parameter.
                f64::INFINITY => f64::INFINITY,
                found => found * deviation,
            }
        });
    }

    /// Returns the standard deviation of the noise, given the number of parameters that the data determine.
    fn deviation(&self, parameters: usize) -> f64 {
        if self.rules.deviations.is_some() {
            return 1.0;
        }
        // f = ½‖r‖² estimates the variance of the data by 2f/(n − p).
        match self.measured.rows.len().saturating_sub(parameters) {
            0 => f64::INFINITY,
            freedom => (2.0 * self.here.loss / freedom as f64).sqrt(),
        }
    }
}
