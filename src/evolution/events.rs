//! Events: signs of their functions, and the length of the step to an event.

use super::course::Phase;
use super::dynamics::Dynamics;
use super::error::Error;
use super::root::root;
use super::stepper::Stepper;
use crate::error::Result;

/// Largest number of events of a phase with a fixed end.
const MOST_EVENTS: usize = 10_000;

/// Distance between two events, relative to the time and to the length of the phase, below which they accumulate.
const CLOSE: f64 = 1e-13;

/// Number of events one closely after the other, in units of all events, that are too many.
const CLUSTER: usize = 10;

/// Value of an event function, relative to its change in the last step, that may be rounding.
const ROUNDING: f64 = 1e-9;

/// Time that stands for all later ones. Its square is still a number.
const FAR: f64 = 1e150;

/// Smallest share of a step at which a function that begins at 0 is looked at, as a power of ½.
const HALVINGS: usize = 24;

/// Sign of an event function after the last step.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sign {
    Negative,
    /// Zero, to rounding: the first step tells.
    Zero,
    Positive,
}

/// Events of a phase in progress.
pub(super) struct Events<'a, D> {
    dynamics: &'a D,
    phase: &'a Phase,
    parameters: Vec<f64>,
    signs: Vec<Sign>,
    /// Sizes of the functions in the last step.
    scales: Vec<f64>,
    /// Number of events so far, time of the last, and number of events closely before it.
    count: usize,
    last: f64,
    cluster: usize,
}

impl<'a, D: Dynamics> Events<'a, D> {
    /// Creates the events of a phase with these parameters, if there are any. A first phase begins at a state where nothing fires.
    ///
    /// # Errors
    /// Fails if a function is NaN.
    pub(super) fn new(
        dynamics: &'a D,
        phase: &'a Phase,
        parameters: Vec<f64>,
        x: &[f64],
    ) -> Result<Option<Self>> {
        let count = dynamics.events();
        if count == 0 {
            return Ok(None);
        }
        let mut events = Self {
            dynamics,
            phase,
            parameters,
            signs: vec![Sign::Zero; count],
            scales: vec![0.0; count],
            count: 0,
            last: f64::NEG_INFINITY,
            cluster: 0,
        };
        for index in 0..count {
            let value = events.value(index, phase.from, x)?;
            (events.scales[index], events.signs[index]) = (value.abs(), sign(value));
        }
        Ok(Some(events))
    }

    /// Goes on to another phase with these parameters.
    pub(super) fn enter(&mut self, phase: &'a Phase, parameters: Vec<f64>) {
        (self.phase, self.parameters, self.count) = (phase, parameters, 0);
    }

    /// Returns the function of an event.
    fn value(&self, index: usize, t: f64, x: &[f64]) -> Result<f64> {
        let t = self.phase.moment(t);
        let value = self.dynamics.event(index, t, x, &self.parameters);
        match value.is_nan() {
            true => Err(Error::UndefinedEvent { t, index }.into()),
            false => Ok(value),
        }
    }

    /// Returns the first event that fires at once at the start of a leg, where a jump or an input made its function positive.
    ///
    /// # Errors
    /// Fails if a function is NaN.
    pub(super) fn at_start(&mut self, t: f64, x: &[f64]) -> Result<Option<usize>> {
        let mut first = None;
        for index in 0..self.signs.len() {
            let value = self.value(index, t, x)?;
            let rounding = ROUNDING * self.scales[index];
            match self.signs[index] {
                // Of two events at the same time, the function of the second may still be below 0 by rounding.
                Sign::Negative if value >= -1e-3 * rounding => first = first.or(Some(index)),
                // The function of an event that has fired may be below 0 by rounding.
                Sign::Zero if value.abs() <= rounding => {}
                _ => self.signs[index] = sign(value),
            }
        }
        Ok(first)
    }

    /// Returns whether an event will fire because of the time alone, while the state stays as it is.
    ///
    /// # Errors
    /// Fails if a function is NaN at late times.
    pub(super) fn is_expected(&self, x: &[f64]) -> Result<bool> {
        for (index, sign) in self.signs.iter().enumerate() {
            if *sign == Sign::Negative && self.value(index, FAR, x)? > 0.0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns the first event in the last attempt of a step, with the length of the step to it. The last attempt is then that
    /// shorter step.
    ///
    /// # Errors
    /// Fails if a function is NaN, and if a shorter step is not solved.
    pub(super) fn in_step(
        &mut self,
        stepper: &mut Stepper<'_, D>,
        [t, h]: [f64; 2],
    ) -> Result<Option<(usize, f64)>> {
        let mut ends = Vec::with_capacity(self.signs.len());
        for index in 0..self.signs.len() {
            ends.push(self.value(index, t + h, &stepper.next)?);
            let start = self.value(index, t, &stepper.x)?;
            self.scales[index] = start.abs().max(ends[index].abs());
        }
        let mut first: Option<(usize, f64)> = None;
        let mut is_last = true;
        for (index, &end) in ends.iter().enumerate() {
            if self.signs[index] == Sign::Positive || end < 0.0 {
                continue;
            }
            is_last = false;
            let Some(found) = self.locate(stepper, index, [t, h, end])? else {
                continue;
            };
            // Times that differ by rounding are the same.
            let rounding = 8.0 * f64::EPSILON * (t.abs() + h);
            if first.is_none_or(|(_, earliest)| found < earliest - rounding) {
                first = Some((index, found));
            }
        }
        if let Some((index, found)) = first {
            self.step(stepper, index, [t, found])?;
            return Ok(first);
        }
        if !is_last {
            stepper.attempt(t, h)?;
        }
        for (index, end) in ends.into_iter().enumerate() {
            self.signs[index] = sign(end);
        }
        Ok(None)
    }

    /// Checks that an event still fires where a leg begins, as it did when the steps were kept.
    ///
    /// # Errors
    /// Fails if its function is negative, and if it is NaN.
    pub(super) fn expect_at_start(&self, index: usize, t: f64, x: &[f64]) -> Result<()> {
        match self.value(index, t, x)? < -ROUNDING * self.scales[index] {
            true => Err(Error::LostEvent { t, index }.into()),
            false => Ok(()),
        }
    }

    /// Checks that no event but this one fires between the last step and a state, where steps are kept that no other led to.
    ///
    /// # Errors
    /// Fails if a function was negative and is positive, and if it is NaN.
    pub(super) fn expect_none(&mut self, t: f64, x: &[f64], but: Option<usize>) -> Result<()> {
        for index in 0..self.signs.len() {
            let value = self.value(index, t, x)?;
            self.scales[index] = self.scales[index].max(value.abs());
            if Some(index) == but {
                continue;
            }
            let rounding = ROUNDING * self.scales[index];
            match self.signs[index] {
                Sign::Negative if value > rounding => {
                    return Err(Error::NewEvent { t, index }.into());
                }
                Sign::Negative => {}
                Sign::Zero if value.abs() <= rounding => {}
                _ => self.signs[index] = sign(value),
            }
        }
        Ok(())
    }

    /// Returns the length of a step to an event, whose function has this value after the whole step, if it was negative before.
    fn locate(
        &self,
        stepper: &mut Stepper<'_, D>,
        index: usize,
        [t, h, end]: [f64; 3],
    ) -> Result<Option<f64>> {
        let mut from = [0.0, self.value(index, t, &stepper.x)?];
        if self.signs[index] == Sign::Zero {
            // After its own event, a function may become negative and positive again within the step.
            let mut length = h;
            let mut halvings = 0..HALVINGS;
            from = loop {
                if halvings.next().is_none() {
                    return Ok(None);
                }
                length *= 0.5;
                let value = self.step(stepper, index, [t, length])?;
                if value < 0.0 {
                    break [length, value];
                }
            };
        }
        root(from, [h, end], |h| self.step(stepper, index, [t, h])).map(Some)
    }

    /// Returns the length close to a guess of a step to an event. The last attempt is the step to it.
    ///
    /// # Errors
    /// Fails if there is no change from negative to positive near the guess.
    pub(super) fn near(
        &self,
        stepper: &mut Stepper<'_, D>,
        index: usize,
        [t, guess, scale]: [f64; 3],
    ) -> Result<f64> {
        let mut f = |h| self.step(stepper, index, [t, h]);
        let mut a = [guess, f(guess)?];
        // The root is later if the function is still negative.
        let side = if a[1] < 0.0 { 1.0 } else { -1.0 };
        let mut reach = 1e-9 * scale;
        while reach < 4.0 * scale {
            let h = guess + side * reach;
            let b = [h, f(h)?];
            if (b[1] < 0.0) != (a[1] < 0.0) {
                let found = root(a, b, &mut f)?;
                f(found)?;
                return Ok(found);
            }
            (a, reach) = (b, 8.0 * reach);
        }
        Err(Error::LostEvent { t, index }.into())
    }

    /// Takes a step to its last digits, and returns the function of an event after it.
    fn step(&self, stepper: &mut Stepper<'_, D>, index: usize, [t, h]: [f64; 2]) -> Result<f64> {
        let before = std::mem::replace(&mut stepper.exact, true);
        let error = stepper.attempt(t, h)?;
        stepper.exact = before;
        match error {
            Some(_) => self.value(index, t + h, &stepper.next),
            None => Err(Error::LostEvent { t, index }.into()),
        }
    }

    /// Returns the state after an event that fires at a state.
    ///
    /// # Errors
    /// Fails if events fire for ever.
    pub(super) fn fire(&mut self, index: usize, t: f64, x: &[f64]) -> Result<Vec<f64>> {
        self.count += 1;
        let span = self.phase.until - self.phase.from;
        let scale = t.abs().max(if span.is_finite() { span } else { 0.0 });
        let is_close = t - self.last <= CLOSE * scale;
        self.cluster = if is_close { self.cluster + 1 } else { 0 };
        self.last = t;
        // The number of steps bounds that of events before a steady state.
        let many = self.count > MOST_EVENTS && !self.phase.settles();
        if many || self.cluster > CLUSTER * self.signs.len() {
            let count = self.count;
            return Err(Error::Endless { t, index, count }.into());
        }
        self.signs[index] = Sign::Zero;
        let mut out = x.to_vec();
        let moment = self.phase.moment(t);
        self.dynamics
            .jump(index, moment, &mut out, &self.parameters);
        Ok(out)
    }
}

fn sign(value: f64) -> Sign {
    match value {
        _ if value < 0.0 => Sign::Negative,
        _ if value > 0.0 => Sign::Positive,
        _ => Sign::Zero,
    }
}
