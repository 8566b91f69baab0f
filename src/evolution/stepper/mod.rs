//! Single steps: stages, and the estimated error.

mod implicit;

use std::ops::Range;

use crate::error::Result;
use crate::evolution::course::Phase;
use crate::evolution::dynamics::{Dynamics, moves};
use crate::evolution::error::Error;
use crate::evolution::method::Tableau;
use crate::evolution::newton::Newton;
use crate::evolution::plan::Plan;
use crate::evolution::problem::Problem;
use crate::evolution::stage::add_slopes;
use crate::evolution::trajectory::Leg;

/// Length of an implicit step that solves the algebraic equations and leaves all other components as they are, to the last bit.
pub(super) const INSTANT: f64 = 1e-100;

/// Size of a component that has grown without bound. That its rate is not finite says no more.
const LARGE: f64 = 1e100;

/// State between two steps, and the slope there.
#[derive(Default)]
pub(super) struct State {
    x: Vec<f64>,
    slope: Vec<f64>,
}

/// Steps of a phase, with buffers.
pub(super) struct Stepper<'a, D> {
    dynamics: &'a D,
    plan: &'a Plan,
    tableau: &'a Tableau,
    phase: &'a Phase,
    /// Whether stages are solved to rounding.
    pub(super) exact: bool,
    n: usize,
    pub(super) x: Vec<f64>,
    /// State after the last attempt.
    pub(super) next: Vec<f64>,
    /// Slopes of all stages, one after the other. Those of algebraic components are 0.
    pub(super) slopes: Vec<f64>,
    /// States of all stages but the first, one after the other.
    stages: Vec<f64>,
    /// 1 for a component with a rate, 0 for an algebraic one.
    moves: Vec<f64>,
    base: Vec<f64>,
    stage: Vec<f64>,
    correction: Vec<f64>,
    error: Vec<f64>,
    /// First slope and length of the step before, with length 0 if there is none.
    before: (Vec<f64>, f64),
    /// Rate that was not finite in the last attempt.
    refused: Option<Error>,
    /// x, and the parameters of the dynamics.
    both: Vec<f64>,
    /// Whether the systems are those of a stage, and not those at x.
    moved: bool,
    /// Systems of implicit stages.
    newton: Option<Newton<'a, D>>,
}

impl<'a, D: Dynamics> Stepper<'a, D> {
    /// Creates the steps of a phase from a state.
    ///
    /// # Errors
    /// Fails if a function of the dynamics does not write all its outputs, or is not a function of its arguments alone.
    pub(super) fn new(problem: &Problem<'a, D>, phase: &'a Phase, x: Vec<f64>) -> Result<Self> {
        let n = x.len();
        let parameters = phase.gather(problem.theta);
        let tableau = &problem.plan.tableau;
        let newton = tableau.is_implicit().then(|| Newton::new(problem, phase));
        let zero = || vec![0.0; n];
        Ok(Self {
            dynamics: problem.dynamics,
            plan: problem.plan,
            tableau,
            phase,
            exact: !problem.plan.is_free(),
            n,
            next: zero(),
            slopes: vec![0.0; n * tableau.stages()],
            stages: vec![0.0; n * (tableau.stages() - 1)],
            moves: moves(problem.dynamics),
            base: zero(),
            stage: zero(),
            correction: zero(),
            error: zero(),
            before: (zero(), 0.0),
            refused: None,
            moved: false,
            both: [&x[..], &parameters].concat(),
            x,
            newton: newton.transpose()?,
        })
    }

    /// Solves the algebraic equations at the first state, and computes the first slope.
    ///
    /// # Errors
    /// Fails if an entry of the state or of its rate is not finite, and if the algebraic equations have no solution.
    pub(super) fn begin(&mut self, t: f64) -> Result<()> {
        self.check(t)?;
        if self.moves.contains(&0.0) {
            self.make_consistent(t)?;
        }
        self.resume(t)
    }

    /// Computes the first slope at a state that solves the algebraic equations already.
    ///
    /// # Errors
    /// Fails if an entry of the state or of its rate is not finite.
    pub(super) fn resume(&mut self, t: f64) -> Result<()> {
        self.first_slope(t);
        self.check(t)
    }

    fn first_slope(&mut self, t: f64) {
        let slope = &mut self.slopes[..self.n];
        slope.fill(f64::NAN);
        let parameters = &self.both[self.n..];
        self.dynamics
            .rate(self.phase.clock(t), &self.x, parameters, slope);
        mask(slope, &self.moves);
    }

    /// Checks the state and the first slope.
    fn check(&self, t: f64) -> Result<()> {
        let slopes = &self.slopes[..self.n];
        let Some(component) = (0..self.n).find(|&i| !(slopes[i] + self.x[i]).is_finite()) else {
            return Ok(());
        };
        let (x, rate) = (self.x[component], slopes[component]);
        Err(Error::NotFinite {
            t,
            component,
            x,
            rate,
        }
        .into())
    }

    /// Returns the error of a rate at the last stage that is not finite, if this part of the slopes holds one.
    fn not_finite(&self, t: f64, slopes: Range<usize>) -> Option<Error> {
        let slopes = &self.slopes[slopes];
        let component = (0..self.n).find(|&i| !slopes[i].is_finite())?;
        let (x, rate) = (self.stage[component], slopes[component]);
        let error = Error::NotFinite {
            t,
            component,
            x,
            rate,
        };
        let is_large = |x: &f64| x.is_nan() || x.abs() > LARGE;
        (!self.stage.iter().any(is_large)).then_some(error)
    }

    /// Returns the rate that was not finite in the last attempt, if that is why it failed.
    pub(super) fn refused(&self) -> Option<Error> {
        self.refused.clone()
    }

    /// Prepares the systems of implicit stages at the current state.
    fn linearise(&mut self, t: f64) -> Result<()> {
        self.both[..self.n].copy_from_slice(&self.x);
        match &mut self.newton {
            Some(newton) => newton.linearise(t, &self.both),
            None => Ok(()),
        }
    }

    /// Factorises D − hγJ, and returns whether it is regular.
    fn factorise(&mut self, shift: f64) -> bool {
        let newton = self.newton.as_mut();
        newton.is_some_and(|newton| newton.factorise(shift))
    }

    /// Computes the stages of a step and the state after it. Returns the estimated error relative to what is allowed, or None
    /// if a stage is not solved or not finite.
    pub(super) fn attempt(&mut self, t: f64, h: f64) -> Result<Option<f64>> {
        self.refused = None;
        if std::mem::take(&mut self.moved) {
            self.outdate();
        }
        self.linearise(t)?;
        self.stage.copy_from_slice(&self.x);
        for stage in 1..self.tableau.stages() {
            if self.solve_stage(stage, t, h)?.is_none() {
                let slopes = stage * self.n..(stage + 1) * self.n;
                self.refused = self.not_finite(t + self.tableau.c[stage] * h, slopes);
                return Ok(None);
            }
            self.stages[(stage - 1) * self.n..stage * self.n].copy_from_slice(&self.stage);
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
            let end = self.slopes.len() - self.n;
            for (i, e) in self.error.iter_mut().enumerate() {
                let [k0, k1, k2] = [self.before.0[i], self.slopes[i], self.slopes[end + i]];
                *e += before * k0 + first * k1 + last * k2;
            }
        }
        if let Some(newton) = &self.newton {
            // Stiff components would otherwise dominate the estimate (Shampine 1984).
            newton.solve(&mut self.error);
        }
        let norm = self.plan.norm(&self.error, &self.next);
        Ok(norm.is_finite().then_some(norm))
    }

    /// Records the last attempt.
    pub(super) fn record(&self, leg: &mut Leg, step: [f64; 2]) {
        leg.push(step, (&self.stages, &self.slopes), self.plan.memory);
    }

    /// Returns the states of the stages of the last attempt but the first, one after the other.
    pub(super) fn states(&self) -> &[f64] {
        &self.stages
    }

    /// Returns the states of the stages of the last attempt but the first.
    pub(super) fn stages(&self) -> impl Iterator<Item = &[f64]> {
        self.stages.chunks_exact(self.n)
    }

    /// Copies the current state and its slope.
    pub(super) fn save(&self, state: &mut State) {
        state.x.clone_from(&self.x);
        state.slope.clear();
        state.slope.extend_from_slice(&self.slopes[..self.n]);
    }

    /// Goes back to a state and its slope.
    pub(super) fn restore(&mut self, state: &State) {
        self.x.copy_from_slice(&state.x);
        self.slopes[..self.n].copy_from_slice(&state.slope);
        self.outdate();
    }

    /// Goes on to the state after the last attempt, which had length h.
    pub(super) fn accept(&mut self, h: f64) {
        self.before.0.copy_from_slice(&self.slopes[..self.n]);
        self.before.1 = h;
        std::mem::swap(&mut self.x, &mut self.next);
        // The last slope of a step is the first of the next.
        let last_slope = self.slopes.len() - self.n;
        self.slopes.copy_within(last_slope.., 0);
        self.outdate();
    }

    /// Begins anew from a state at a time.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub(super) fn restart(&mut self, t: f64, x: &[f64]) -> Result<()> {
        self.x.copy_from_slice(x);
        self.before.1 = 0.0;
        self.outdate();
        self.begin(t)
    }

    /// Forgets the systems of another state.
    fn outdate(&mut self) {
        if let Some(newton) = &mut self.newton {
            newton.outdate();
        }
    }

    /// Returns the change of the last attempt relative to what is allowed as an error.
    pub(super) fn change(&mut self) -> f64 {
        let entries = self.error.iter_mut().zip(&self.next).zip(&self.x);
        entries.for_each(|((e, y), x)| *e = y - x);
        self.plan.norm(&self.error, &self.next)
    }

    /// Computes a stage Y and its slope. Returns None if that fails.
    ///
    /// # Errors
    /// Fails if the rate is not a differentiable function.
    fn solve_stage(&mut self, stage: usize, t: f64, h: f64) -> Result<Option<()>> {
        let n = self.n;
        let (earlier, rest) = self.slopes.split_at_mut(stage * n);
        let slope = &mut rest[..n];
        self.base.copy_from_slice(&self.x);
        let weights = self.tableau.earlier(stage);
        add_slopes(earlier, h, weights, &mut self.base);
        let t = t + self.tableau.c[stage] * h;
        let shift = h * self.tableau.diagonal(stage);
        if shift == 0.0 {
            self.stage.copy_from_slice(&self.base);
            let parameters = &self.both[n..];
            self.dynamics
                .rate(self.phase.clock(t), &self.stage, parameters, slope);
            return Ok(slope.iter().all(|k| k.is_finite()).then_some(()));
        }
        if !self.factorise(shift) {
            self.slopes[stage * n..(stage + 1) * n].fill(0.0);
            return Ok(None);
        }
        self.guess(stage, shift);
        self.iterate(t, shift, stage * n..(stage + 1) * n)
    }

    /// Returns the length of the first step towards a time.
    pub(super) fn first_length(&self, distance: f64) -> f64 {
        // A step that changes the state by a hundredth of its size, or of the accuracy if it is zero (Hairer, Nørsett and
        // Wanner 1993, II.4).
        let size = self.plan.norm(&self.x, &self.x).max(1.0);
        let rate = self.plan.norm(&self.slopes[..self.n], &self.x).max(1e-10);
        let length = (0.01 * size / rate).min(1e-3 * distance);
        if distance.is_finite() {
            length.max(1e-12 * distance)
        } else {
            length
        }
    }

    /// Returns the component that changes fastest relative to what is allowed.
    pub(super) fn fastest(&self) -> usize {
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
        component.unwrap_or(0)
    }
}

/// Sets the entries with a mask of 0 to 0.
fn mask(slope: &mut [f64], moves: &[f64]) {
    for (k, m) in slope.iter_mut().zip(moves) {
        if *m == 0.0 {
            *k = 0.0;
        }
    }
}
