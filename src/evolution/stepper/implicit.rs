//! Implicit stages, and algebraic components at the start.

use std::ops::Range;

use super::{INSTANT, Stepper, mask};
use crate::error::Result;
use crate::evolution::dynamics::Dynamics;
use crate::evolution::error::Error;

/// Correction of a stage, relative to the allowed error, below which it is solved.
const SOLVED: f64 = 1e-3;

/// Largest number of Newton iterations of a stage whose step may be shortened, and of one that is solved to rounding.
const ITERATIONS: [usize; 2] = [12, 50];

/// Ratio of successive corrections from which on a stage that is solved to rounding is linearised anew at its current guess.
const SLUGGISH: f64 = 0.1;

/// Largest number of Newton iterations for algebraic components at the start.
const FIRST_ITERATIONS: usize = 50;

/// Ratio of successive corrections from which on an iteration does not converge.
const SLOW: f64 = 0.9;

/// Size of a correction that is rounding, relative to the numbers that it corrects.
const ROUNDING: f64 = 2.0 * f64::EPSILON;

/// Multiple of rounding below which corrections need not become smaller.
const NOISE: f64 = 64.0;

impl<D: Dynamics> Stepper<'_, D> {
    /// Solves the algebraic equations for the algebraic components, by an implicit step of no length.
    pub(super) fn make_consistent(&mut self, t: f64) -> Result<()> {
        self.base.copy_from_slice(&self.x);
        self.stage.copy_from_slice(&self.x);
        let mut before = f64::INFINITY;
        for _ in 0..FIRST_ITERATIONS {
            self.x.copy_from_slice(&self.stage);
            self.outdate();
            self.linearise(t)?;
            if !self.factorise(INSTANT) {
                break;
            }
            let size = self.correct(t, INSTANT, 0..self.n);
            let stagnates = size > SLOW * before && size <= SOLVED;
            if self.is_rounded(1.0) || stagnates {
                self.x.copy_from_slice(&self.stage);
                self.outdate();
                return Ok(());
            }
            if !size.is_finite() {
                break;
            }
            before = size;
        }
        let component = self.moves.iter().position(|m| *m == 0.0);
        let component = component.unwrap_or(0);
        Err(Error::Inconsistent { t, component }.into())
    }

    /// Guesses a stage from the slopes of earlier ones, and an algebraic component from its last value.
    pub(super) fn guess(&mut self, stage: usize, shift: f64) {
        let earlier = &self.slopes[..stage * self.n];
        for (i, y) in self.stage.iter_mut().enumerate() {
            if self.moves[i] != 0.0 {
                let slopes = earlier.iter().skip(i).step_by(self.n);
                let weighted = slopes.zip(self.tableau.guess(stage)).map(|(k, w)| w * k);
                *y = self.base[i] + shift * weighted.sum::<f64>();
            }
        }
    }

    /// Solves an implicit stage from the guess in `stage`, and writes its slope to this part of the slopes. Returns None if
    /// the iteration does not converge.
    ///
    /// The Jacobian is that at the start of the step. Where a stage is solved to rounding, by steps whose lengths are given, it is
    /// replaced by those of the stage from the first slow correction on.
    ///
    /// # Errors
    /// Fails if the rate is not a differentiable function.
    pub(super) fn iterate(
        &mut self,
        t: f64,
        shift: f64,
        slope: Range<usize>,
    ) -> Result<Option<()>> {
        let mut before = f64::INFINITY;
        let most = ITERATIONS[usize::from(self.exact)];
        let mut is_anew = false;
        for iteration in 0..most {
            let size = self.correct(t, shift, slope.clone());
            if self.is_rounded(1.0) || (!self.exact && size <= SOLVED) {
                break;
            }
            let stagnates =
                iteration > 1 && size > SLOW * before && (!self.exact || size <= SOLVED);
            if !size.is_finite() || stagnates || iteration + 1 == most {
                // Steps of given lengths are solved to rounding, or as far as rounding allows.
                if size.is_nan() || size > SOLVED {
                    return Ok(None);
                }
                break;
            }
            let slow = self.exact && size > SLUGGISH * before;
            if slow && !is_anew && size > before {
                // The old Jacobian leads away: go back to the guess before the last.
                let entries = self.stage.iter_mut().zip(&self.correction);
                entries.for_each(|(y, d)| *y -= d);
            }
            is_anew |= slow;
            if is_anew && !self.is_rounded(NOISE) && !self.linearise_stage(t, shift)? {
                return Ok(None);
            }
            before = size;
        }
        // hγ K = Y − base, which does not amplify the error of Y as f(Y) would.
        let slope = &mut self.slopes[slope];
        for (i, k) in slope.iter_mut().enumerate() {
            *k = (self.stage[i] - self.base[i]) / shift;
        }
        mask(slope, &self.moves);
        Ok(slope.iter().all(|k| k.is_finite()).then_some(()))
    }

    /// Factorises D − hγJ with J at the current stage instead of the start of the step. Returns whether it is regular.
    fn linearise_stage(&mut self, t: f64, shift: f64) -> Result<bool> {
        self.outdate();
        self.both[..self.n].copy_from_slice(&self.stage);
        self.moved = true;
        if let Some(newton) = &mut self.newton {
            newton.linearise(t, &self.both)?;
        }
        Ok(self.factorise(shift))
    }

    /// Corrects a stage once, with this part of the slopes as a buffer. Returns the size of the correction relative to what is
    /// allowed.
    fn correct(&mut self, t: f64, shift: f64, slope: Range<usize>) -> f64 {
        // Y solves D (Y − base) = hγ f(Y). D − hγJ, with J at the start of the step, is the matrix of Newton's method.
        let slope = &mut self.slopes[slope];
        let parameters = &self.both[self.n..];
        self.dynamics
            .rate(self.phase.clock(t), &self.stage, parameters, slope);
        if !slope.iter().all(|k| k.is_finite()) {
            // The stage is left at the state where the rate is not finite.
            self.correction.fill(f64::NAN);
            return f64::NAN;
        }
        for (i, d) in self.correction.iter_mut().enumerate() {
            *d = shift * slope[i] - self.moves[i] * (self.stage[i] - self.base[i]);
        }
        if let Some(newton) = &self.newton {
            newton.solve(&mut self.correction);
        }
        let entries = self.stage.iter_mut().zip(&self.correction);
        entries.for_each(|(y, d)| *y += d);
        self.plan.norm(&self.correction, &self.x)
    }

    /// Returns whether the last correction was at most so many times rounding.
    fn is_rounded(&self, times: f64) -> bool {
        let mut entries = self.correction.iter().zip(&self.stage).zip(&self.x);
        entries.all(|((d, y), x)| d.abs() <= times * ROUNDING * y.abs().max(x.abs()))
    }
}
