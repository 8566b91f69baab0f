//! Single steps: stages, their equations, and the estimated error.

use std::ops::Range;
use std::sync::Arc;

use super::course::Phase;
use super::dynamics::{At, Dynamics, Function};
use super::error::Error;
use super::method::Tableau;
use super::plan::Plan;
use super::problem::Problem;
use super::stage::{Derivatives, Part, Structure, System, add_slopes, column};
use super::structures::Halt;
use super::trajectory::Leg;
use crate::linalg::Side;

/// Correction of a stage, relative to the allowed error, below which it is solved.
const SOLVED: f64 = 1e-3;

/// Largest number of Newton iterations of a stage.
const ITERATIONS: usize = 12;

/// Largest number of Newton iterations for algebraic components at the start.
const FIRST_ITERATIONS: usize = 50;

/// Ratio of successive corrections from which on an iteration does not converge.
const SLOW: f64 = 0.9;

/// Size of a correction that is rounding, relative to the numbers that it corrects.
const ROUNDING: f64 = 2.0 * f64::EPSILON;

/// Length of an implicit step that solves the algebraic equations and leaves all other components as they are, to the last bit.
pub(super) const INSTANT: f64 = 1e-100;

/// Steps of a phase, with buffers.
pub(super) struct Stepper<'a, D> {
    dynamics: &'a D,
    plan: &'a Plan,
    tableau: &'a Tableau,
    phase: &'a Phase,
    /// Whether stages are solved to rounding.
    exact: bool,
    n: usize,
    pub(super) x: Vec<f64>,
    next: Vec<f64>,
    /// Slopes of all stages, one after the other. Those of algebraic components are 0.
    pub(super) slopes: Vec<f64>,
    /// States of all stages but the first, one after the other.
    stages: Vec<f64>,
    structure: Arc<Structure>,
    base: Vec<f64>,
    stage: Vec<f64>,
    correction: Vec<f64>,
    error: Vec<f64>,
    /// First slope and length of the step before, with length 0 if there is none.
    before: (Vec<f64>, f64),
    /// x, and the parameters of the dynamics.
    both: Vec<f64>,
    derivatives: Derivatives,
    jacobian: Vec<f64>,
    /// Whether `jacobian` belongs to the current state.
    fresh: bool,
    /// Factors of D − hγJ, with this hγ.
    system: Option<System>,
    factored: f64,
    /// Whether the factors are those of a regular matrix.
    regular: bool,
}

impl<'a, D: Dynamics> Stepper<'a, D> {
    /// Creates the steps of a phase from a state.
    pub(super) fn new(problem: &Problem<'a, D>, phase: &'a Phase, x: Vec<f64>) -> Self {
        let n = x.len();
        let parameters = phase.gather(problem.theta);
        let tableau = &problem.plan.tableau;
        let structure = Arc::clone(&problem.structures.rate);
        let shape = structure.shape(Part::State);
        let zero = || vec![0.0; n];
        Self {
            dynamics: problem.dynamics,
            plan: problem.plan,
            tableau,
            phase,
            exact: !problem.plan.chooses(phase),
            n,
            next: zero(),
            slopes: vec![0.0; n * tableau.stages()],
            stages: vec![0.0; n * (tableau.stages() - 1)],
            base: zero(),
            stage: zero(),
            correction: zero(),
            error: zero(),
            before: (zero(), 0.0),
            derivatives: Derivatives::new(shape, n + parameters.len()),
            both: [&x[..], &parameters].concat(),
            x,
            jacobian: vec![
                0.0;
                if tableau.is_implicit() {
                    shape.len()
                } else {
                    0
                }
            ],
            fresh: false,
            system: tableau.is_implicit().then(|| System::new(&structure)),
            factored: 0.0,
            regular: false,
            structure,
        }
    }

    /// Solves the algebraic equations at the first state, and computes the first slope.
    ///
    /// # Errors
    /// Fails if an entry of the state or of its rate is not finite, and if the algebraic equations have no solution.
    pub(super) fn begin(&mut self, t: f64) -> Result<(), Halt> {
        self.check(t)?;
        if self.structure.moves.contains(&0.0) {
            self.make_consistent(t)?;
        }
        self.first_slope(t);
        Ok(self.check(t)?)
    }

    fn first_slope(&mut self, t: f64) {
        let slope = &mut self.slopes[..self.n];
        slope.fill(f64::NAN);
        let parameters = &self.both[self.n..];
        self.dynamics
            .rate(self.phase.clock(t), &self.x, parameters, slope);
        mask(slope, &self.structure.moves);
    }

    /// Solves the algebraic equations for the algebraic components, by an implicit step of no length.
    fn make_consistent(&mut self, t: f64) -> Result<(), Halt> {
        self.base.copy_from_slice(&self.x);
        self.stage.copy_from_slice(&self.x);
        let mut before = f64::INFINITY;
        for _ in 0..FIRST_ITERATIONS {
            self.x.copy_from_slice(&self.stage);
            self.linearise(t)?;
            if !self.factorise(INSTANT) {
                break;
            }
            let size = self.correct(t, INSTANT, 0..self.n);
            let stagnates = size > SLOW * before && size <= SOLVED;
            if self.is_rounded() || stagnates {
                self.x.copy_from_slice(&self.stage);
                self.fresh = false;
                return Ok(());
            }
            if !size.is_finite() {
                break;
            }
            before = size;
        }
        let component = self.structure.moves.iter().position(|m| *m == 0.0);
        let component = component.unwrap_or(0);
        Err(Error::Inconsistent { t, component }.into())
    }

    /// Checks the state and the first slope.
    fn check(&self, t: f64) -> Result<(), Error> {
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

    /// Computes ∂f/∂x at the current state.
    fn linearise(&mut self, t: f64) -> Result<(), Halt> {
        self.both[..self.n].copy_from_slice(&self.x);
        let function = Function::Rate(self.phase.clock(t));
        let rate = At {
            dynamics: self.dynamics,
            function,
        };
        let found = self.derivatives.at(&rate, &self.both, &mut self.jacobian)?;
        found.map_err(|more| Halt::More(function, more))?;
        (self.fresh, self.factored) = (true, 0.0);
        Ok(())
    }

    /// Factorises D − hγJ, unless that has been done, and returns whether it is regular.
    fn factorise(&mut self, shift: f64) -> bool {
        if self.factored != shift {
            let system = self.system.as_mut();
            self.regular = system.is_some_and(|system| system.set(shift, &self.jacobian));
            self.factored = shift;
        }
        self.regular
    }

    /// Computes the stages of a step and the state after it. Returns the estimated error relative to what is allowed, or None
    /// if a stage is not solved or not finite.
    pub(super) fn attempt(&mut self, t: f64, h: f64) -> Result<Option<f64>, Halt> {
        if self.tableau.is_implicit() && !self.fresh {
            self.linearise(t)?;
        }
        self.stage.copy_from_slice(&self.x);
        for stage in 1..self.tableau.stages() {
            if self.solve_stage(stage, t, h).is_none() {
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
        if let Some(system) = &self.system {
            // Stiff components would otherwise dominate the estimate (Shampine 1984).
            system.solve_one(Side::Plain, &mut self.error);
        }
        let norm = self.plan.norm(&self.error, &self.next);
        Ok(norm.is_finite().then_some(norm))
    }

    /// Records the last attempt.
    pub(super) fn record(&self, leg: &mut Leg, step: [f64; 2]) {
        leg.push(step, &self.stages);
    }

    /// Goes on to the state after the last attempt, which had length h.
    pub(super) fn accept(&mut self, h: f64) {
        self.before.0.copy_from_slice(&self.slopes[..self.n]);
        self.before.1 = h;
        std::mem::swap(&mut self.x, &mut self.next);
        // The last slope of a step is the first of the next.
        let last_slope = self.slopes.len() - self.n;
        self.slopes.copy_within(last_slope.., 0);
        self.fresh = false;
    }

    /// Returns the change of the last attempt relative to what is allowed as an error.
    pub(super) fn change(&mut self) -> f64 {
        let entries = self.error.iter_mut().zip(&self.next).zip(&self.x);
        entries.for_each(|((e, y), x)| *e = y - x);
        self.plan.norm(&self.error, &self.next)
    }

    /// Computes a stage Y and its slope. Returns None if that fails.
    fn solve_stage(&mut self, stage: usize, t: f64, h: f64) -> Option<()> {
        let n = self.n;
        let (earlier, rest) = self.slopes.split_at_mut(stage * n);
        let slope = &mut rest[..n];
        self.base.copy_from_slice(&self.x);
        let weights = self.tableau.earlier(stage);
        add_slopes(column(earlier), h, weights, column(&mut self.base));
        let t = t + self.tableau.c[stage] * h;
        let shift = h * self.tableau.diagonal(stage);
        if shift == 0.0 {
            self.stage.copy_from_slice(&self.base);
            let parameters = &self.both[n..];
            self.dynamics
                .rate(self.phase.clock(t), &self.stage, parameters, slope);
            return slope.iter().all(|k| k.is_finite()).then_some(());
        }
        if !self.factorise(shift) {
            return None;
        }
        self.guess(stage, shift);
        self.iterate(t, shift, stage * n..(stage + 1) * n)
    }

    /// Guesses a stage from the slopes of earlier ones, and an algebraic component from its last value.
    fn guess(&mut self, stage: usize, shift: f64) {
        let earlier = &self.slopes[..stage * self.n];
        for (i, y) in self.stage.iter_mut().enumerate() {
            if self.structure.moves[i] != 0.0 {
                let slopes = earlier.iter().skip(i).step_by(self.n);
                let weighted = slopes.zip(self.tableau.guess(stage)).map(|(k, w)| w * k);
                *y = self.base[i] + shift * weighted.sum::<f64>();
            }
        }
    }

    /// Solves an implicit stage from the guess in `stage`, and writes its slope to this part of the slopes. Returns None if
    /// the iteration does not converge.
    fn iterate(&mut self, t: f64, shift: f64, slope: Range<usize>) -> Option<()> {
        let mut before = f64::INFINITY;
        for iteration in 0..ITERATIONS {
            let size = self.correct(t, shift, slope.clone());
            if self.is_rounded() || (!self.exact && size <= SOLVED) {
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
        let slope = &mut self.slopes[slope];
        for (i, k) in slope.iter_mut().enumerate() {
            *k = (self.stage[i] - self.base[i]) / shift;
        }
        mask(slope, &self.structure.moves);
        slope.iter().all(|k| k.is_finite()).then_some(())
    }

    /// Corrects a stage once, with this part of the slopes as a buffer. Returns the size of the correction relative to what is
    /// allowed.
    fn correct(&mut self, t: f64, shift: f64, slope: Range<usize>) -> f64 {
        // Y solves D (Y − base) = hγ f(Y). D − hγJ, with J at the start of the step, is the matrix of Newton's method.
        let slope = &mut self.slopes[slope];
        let parameters = &self.both[self.n..];
        self.dynamics
            .rate(self.phase.clock(t), &self.stage, parameters, slope);
        for (i, d) in self.correction.iter_mut().enumerate() {
            *d = shift * slope[i] - self.structure.moves[i] * (self.stage[i] - self.base[i]);
        }
        if let Some(system) = &self.system {
            system.solve_one(Side::Plain, &mut self.correction);
        }
        let entries = self.stage.iter_mut().zip(&self.correction);
        entries.for_each(|(y, d)| *y += d);
        self.plan.norm(&self.correction, &self.x)
    }

    /// Returns whether the last correction was rounding.
    fn is_rounded(&self) -> bool {
        let mut entries = self.correction.iter().zip(&self.stage).zip(&self.x);
        entries.all(|((d, y), x)| d.abs() <= ROUNDING * y.abs().max(x.abs()))
    }

    /// Returns the length of the first step towards a time.
    pub(super) fn first_length(&self, distance: f64) -> f64 {
        // A step that changes the state by a hundredth of its size, or of the accuracy if it is zero (Hairer, Nørsett and
        // Wanner 1993, II.4).
        let size = self.plan.norm(&self.x, &self.x).max(1e-5);
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
