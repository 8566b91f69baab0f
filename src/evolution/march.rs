//! Integration forward in time.

use std::ops::Range;

use super::controller::Controller;
use super::dynamics::{Dynamics, Rate};
use super::error::Error;
use super::matrix::{Lu, add_product};
use super::method::Tableau;
use super::plan::{Plan, Steps};
use super::trajectory::Trajectory;
use crate::automatic::Slopes;
use crate::linalg::Side;

/// Correction of a stage, relative to the allowed error, below which it is solved.
const SOLVED: f64 = 1e-3;

/// Largest number of Newton iterations of a stage.
const ITERATIONS: usize = 12;

/// Ratio of successive corrections from which on an iteration does not converge.
const SLOW: f64 = 0.9;

/// Size of a correction that is rounding, relative to the numbers that it corrects.
const ROUNDING: f64 = 2.0 * f64::EPSILON;

/// Integration in progress, with buffers for a step.
pub(super) struct March<'a, D> {
    dynamics: &'a D,
    plan: &'a Plan,
    tableau: Tableau,
    theta: &'a [f64],
    n: usize,
    x: Vec<f64>,
    next: Vec<f64>,
    /// Slopes of all stages, one after the other.
    slopes: Vec<f64>,
    base: Vec<f64>,
    stage: Vec<f64>,
    correction: Vec<f64>,
    error: Vec<f64>,
    /// First slope and length of the step before, with length 0 if there is none.
    before: (Vec<f64>, f64),
    /// x and θ, where ∂f/∂x was last computed.
    both: Vec<f64>,
    derivatives: Slopes<4>,
    jacobian: Vec<f64>,
    /// Whether `jacobian` belongs to the current state.
    fresh: bool,
    /// Factors of I − hγJ, with this hγ.
    system: Lu,
    factored: f64,
}

impl<'a, D: Dynamics> March<'a, D> {
    pub(super) fn new(dynamics: &'a D, plan: &'a Plan, theta: &'a [f64]) -> Self {
        let (n, p) = dynamics.dims();
        let tableau = plan.method.tableau();
        let square = if tableau.is_implicit() { n } else { 0 };
        let zero = || vec![0.0; n];
        Self {
            dynamics,
            plan,
            theta,
            n,
            x: zero(),
            next: zero(),
            slopes: vec![0.0; n * tableau.stages()],
            tableau,
            base: zero(),
            stage: zero(),
            correction: zero(),
            error: zero(),
            before: (zero(), 0.0),
            both: [zero(), theta.to_vec()].concat(),
            derivatives: Slopes::new(n, n + p),
            jacobian: vec![0.0; square * square],
            fresh: false,
            system: Lu::shifted(square, 0.0, &vec![0.0; square * square]),
            factored: 0.0,
        }
    }

    /// Integrates over all times.
    ///
    /// # Errors
    /// Fails if a rate is not finite at a state that was reached, and if the steps become too short or too many.
    pub(super) fn run(mut self) -> Result<Trajectory, Error> {
        let (start, times) = (self.plan.start, &self.plan.times);
        self.x.fill(f64::NAN);
        self.dynamics.initial(self.theta, &mut self.x);
        let first = &mut self.slopes[..self.n];
        first.fill(f64::NAN);
        self.dynamics.rate(start, &self.x, self.theta, first);
        self.check_rate(start)?;
        let span = times[times.len() - 1] - start;
        let mut way = Way {
            t: start,
            span,
            controller: Controller::new(self.first_step(span), self.tableau.power),
            trajectory: Trajectory::new(self.n, self.tableau.stages(), &self.x),
        };
        for (index, &time) in times.iter().enumerate() {
            let before = if index > 0 { times[index - 1] } else { start };
            self.advance(&mut way, [before, time])?;
            way.trajectory.seen.push(way.trajectory.steps.len());
        }
        Ok(way.trajectory)
    }

    /// Takes steps from one time to the next.
    fn advance(&mut self, way: &mut Way, [before, time]: [f64; 2]) -> Result<(), Error> {
        let earlier = way.trajectory.steps.len();
        while way.t < time {
            let (t, step) = (way.t, way.trajectory.steps.len());
            if step >= self.plan.most_steps {
                return Err(Error::TooMany {
                    limit: self.plan.most_steps,
                    t,
                    end: self.plan.start + way.span,
                });
            }
            let (h, last) = match &self.plan.steps {
                Steps::Chosen => way.controller.step(time - t),
                Steps::Every(longest) => {
                    let count = ((time - before) / longest * (1.0 - 1e-12)).ceil().max(1.0);
                    let h = (time - before) / count;
                    (h, (step - earlier + 1) as f64 >= count)
                }
                Steps::Kept(lengths, seen) => {
                    let index = way.trajectory.seen.len();
                    (lengths[step], step + 1 == seen[index])
                }
            };
            let error = self.attempt(t, h);
            match self.plan.steps {
                Steps::Chosen if !way.controller.judge(h, error) => {
                    if way.controller.vanishes(t.abs().max(way.span)) {
                        return Err(self.vanished(t));
                    }
                    continue;
                }
                Steps::Chosen => {}
                _ if error.is_none() => return Err(Error::Unsolved { t }),
                _ => {}
            }
            way.trajectory.push([t, h], &self.slopes, &self.next);
            std::mem::swap(&mut self.x, &mut self.next);
            self.before.0.copy_from_slice(&self.slopes[..self.n]);
            self.before.1 = h;
            // The last slope of a step is the first of the next.
            let last_slope = self.slopes.len() - self.n;
            self.slopes.copy_within(last_slope.., 0);
            self.fresh = false;
            way.t = if last { time } else { t + h };
        }
        Ok(())
    }

    /// Computes the stages of a step and the state after it. Returns the estimated error relative to what is allowed, or None
    /// if a stage is not solved or not finite.
    fn attempt(&mut self, t: f64, h: f64) -> Option<f64> {
        if self.tableau.is_implicit() && !self.fresh {
            self.both[..self.n].copy_from_slice(&self.x);
            let rate = Rate {
                dynamics: self.dynamics,
                t,
            };
            self.derivatives.at(&rate, &self.both, &mut self.jacobian);
            (self.fresh, self.factored) = (true, 0.0);
        }
        for stage in 1..self.tableau.stages() {
            self.solve_stage(stage, t, h)?;
        }
        // The last stage is the step itself.
        self.next.copy_from_slice(&self.stage);
        self.error.fill(0.0);
        for (stage, slope) in self.slopes.chunks_exact(self.n).enumerate() {
            let weight = h * self.tableau.error(stage);
            let entries = self.error.iter_mut().zip(slope);
            entries.for_each(|(e, k)| *e += weight * k);
        }
        if let Some([before, first, last]) = self.tableau.past(h, self.before.1) {
            for (i, e) in self.error.iter_mut().enumerate() {
                let end = self.slopes.len() - self.n + i;
                *e += before * self.before.0[i] + first * self.slopes[i] + last * self.slopes[end];
            }
        }
        if self.tableau.is_implicit() {
            // Stiff components would otherwise dominate the estimate (Shampine 1984).
            self.system.solve(Side::Plain, &mut self.error);
        }
        let norm = self.plan.norm(&self.error, &self.next);
        norm.is_finite().then_some(norm)
    }

    /// Computes a stage Y and its slope. Returns None if that fails.
    fn solve_stage(&mut self, stage: usize, t: f64, h: f64) -> Option<()> {
        let n = self.n;
        let (earlier, rest) = self.slopes.split_at_mut(stage * n);
        let slope = &mut rest[..n];
        self.base.copy_from_slice(&self.x);
        add_product(earlier, h, self.tableau.earlier(stage), &mut self.base);
        let (t, shift) = (
            t + self.tableau.c[stage] * h,
            h * self.tableau.diagonal(stage),
        );
        if shift == 0.0 {
            self.stage.copy_from_slice(&self.base);
            self.dynamics.rate(t, &self.stage, self.theta, slope);
            return slope.iter().all(|k| k.is_finite()).then_some(());
        }
        if self.factored != shift {
            self.system.set_shifted(shift, &self.jacobian);
            self.factored = shift;
        }
        self.stage.copy_from_slice(&self.base);
        add_product(earlier, shift, self.tableau.guess(stage), &mut self.stage);
        let slope = stage * n..(stage + 1) * n;
        self.iterate(t, shift, slope)
    }

    /// Solves an implicit stage from the guess in `stage`, and writes its slope to this part of the slopes. Returns None if
    /// the iteration does not converge.
    fn iterate(&mut self, t: f64, shift: f64, slope: Range<usize>) -> Option<()> {
        // z = Y − base solves z = hγ f(base + z). I − hγJ, with J at the start of the step, is the matrix of Newton's method.
        let slope = &mut self.slopes[slope];
        let exact = !matches!(self.plan.steps, Steps::Chosen);
        let mut before = f64::INFINITY;
        for iteration in 0..ITERATIONS {
            self.dynamics.rate(t, &self.stage, self.theta, slope);
            for (i, d) in self.correction.iter_mut().enumerate() {
                *d = shift * slope[i] - (self.stage[i] - self.base[i]);
            }
            self.system.solve(Side::Plain, &mut self.correction);
            let entries = self.stage.iter_mut().zip(&self.correction);
            entries.for_each(|(y, d)| *y += d);
            let size = self.plan.norm(&self.correction, &self.x);
            let mut pairs = self.correction.iter().zip(&self.stage).zip(&self.x);
            let rounded = pairs.all(|((d, y), x)| d.abs() <= ROUNDING * y.abs().max(x.abs()));
            if rounded || (!exact && size <= SOLVED) {
                break;
            }
            let stagnates = iteration > 1 && size > SLOW * before;
            if !size.is_finite() || stagnates || iteration + 1 == ITERATIONS {
                // Kept steps are solved to rounding, or as far as rounding allows.
                if size.is_nan() || size > SOLVED {
                    return None;
                }
                break;
            }
            before = size;
        }
        // hγ K = Y − base, which does not amplify the error of Y as f(Y) would.
        for (i, k) in slope.iter_mut().enumerate() {
            *k = (self.stage[i] - self.base[i]) / shift;
        }
        slope.iter().all(|k| k.is_finite()).then_some(())
    }

    /// Returns the length of the first step.
    fn first_step(&self, span: f64) -> f64 {
        // A step that changes the state by a hundredth of its size, or of the accuracy if it is zero (Hairer, Nørsett and
        // Wanner 1993, II.4).
        let size = self.plan.norm(&self.x, &self.x).max(1e-5);
        let rate = self.plan.norm(&self.slopes[..self.n], &self.x).max(1e-10);
        (0.01 * size / rate).min(1e-3 * span).max(1e-12 * span)
    }

    /// Checks the initial state and the slopes there.
    fn check_rate(&self, t: f64) -> Result<(), Error> {
        let slopes = &self.slopes[..self.n];
        let Some(component) = (0..self.n).find(|&i| !(slopes[i] + self.x[i]).is_finite()) else {
            return Ok(());
        };
        Err(Error::NotFinite {
            t,
            component,
            x: self.x[component],
            rate: slopes[component],
        })
    }

    /// Returns the error of steps that vanish at a time.
    fn vanished(&self, t: f64) -> Error {
        let share = |i: usize| {
            let allowed = self.plan.allowed(i, self.x[i].abs());
            let slope = self.slopes[i].abs();
            if slope.is_finite() {
                slope / allowed
            } else {
                f64::INFINITY
            }
        };
        let component = (0..self.n).max_by(|&i, &j| share(i).total_cmp(&share(j)));
        let component = component.unwrap_or(0);
        Error::Vanished {
            t,
            component,
            x: self.x[component],
        }
    }
}

/// Way so far: the time, the steps, and what the next should be.
struct Way {
    t: f64,
    span: f64,
    controller: Controller,
    trajectory: Trajectory,
}
