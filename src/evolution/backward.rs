//! Sweeps backward in time: the transposes of the sweeps forward.
//!
//! Everything that a step carries is pulled back: the covectors of the state and of the first slope, which is the last slope of
//! the step before.

use std::ops::Range;

use super::checkpoints::{self, reverse};
use super::course::{Phase, Source};
use super::derivative::Stage;
use super::dynamics::Covectors;
use super::lanes::{Lanes, add, add_dot, restrict};
use super::linearised::{LinearLeg, Linearised, Place};
use super::replay::Replay;
use super::stage::distribute;
use crate::error::{Error, Result};
use crate::linalg::Side;

/// What else is done on the way of a backward sweep.
pub(super) trait Visitor<const L: usize> {
    /// Adds covectors of the state and of the parameters at a place, before the sweep passes it.
    fn enter(&mut self, place: Place, x: &mut [Lanes<L>], v: &mut [Lanes<L>]) {
        let _ = (place, x, v);
    }

    /// Is told the multiplier of the function at a place, which is λ times a factor.
    fn leave(&mut self, place: Place, lambda: &[Lanes<L>], factor: f64) {
        let _ = (place, lambda, factor);
    }
}

impl<const L: usize> Visitor<L> for () {}

/// Sweeps covectors of all observables backward. Adds the covectors of the model's parameters to `out`. A visitor is called at all
/// places.
///
/// # Errors
/// Fails if steps that are taken again fail.
pub(super) fn backward<const L: usize>(
    along: &Linearised<'_>,
    mut w: &[Lanes<L>],
    out: &mut [Lanes<L>],
    visitor: &mut impl Visitor<L>,
) -> Result<()> {
    let n = along.moves.len();
    let mut x = vec![[0.0; L]; n];
    let mut time = [0.0; L];
    for (index, leg) in along.legs.iter().enumerate().rev() {
        let phase = along.phase(index);
        let before = w.len() - leg.observed.len() * along.outputs;
        let mut sweep = Backward {
            along,
            leg,
            index,
            visitor: &mut *visitor,
            w: &w[before..],
            seen: leg.observed.len(),
            v: vec![[0.0; L]; phase.sources.len()],
            x: &mut x,
            time,
            slopes: vec![[0.0; L]; n * along.tableau.stages()],
            by_stage: vec![[0.0; L]; n],
            total: vec![[0.0; L]; n],
        };
        sweep.run()?;
        time = match leg.leg.horizon {
            Some(_) => sweep.time,
            None => [0.0; L],
        };
        let mut v = sweep.v;
        if index == 0 {
            visitor.enter(Place::Initial, &mut [], &mut v);
            visitor.leave(Place::Initial, &x, 1.0);
            along.initial.add_parameters_transposed(1.0, &x, &mut v);
        }
        scatter(phase, &v, out);
        w = &w[..before];
    }
    Ok(())
}

/// Adds the covectors of the parameters of the dynamics to those of the model.
fn scatter<const L: usize>(phase: &Phase, v: &[Lanes<L>], out: &mut [Lanes<L>]) {
    for (source, v) in phase.sources.iter().zip(v) {
        if let Source::Parameter(index) = *source {
            add(v, &mut out[index]);
        }
    }
}

/// Backward sweep of a leg.
struct Backward<'a, V, const L: usize> {
    along: &'a Linearised<'a>,
    leg: &'a LinearLeg,
    /// Index of the leg.
    index: usize,
    visitor: &'a mut V,
    /// Covectors of the observables.
    w: &'a [Lanes<L>],
    /// Number of observations that the sweep has not passed.
    seen: usize,
    /// Covectors of the parameters of the dynamics.
    v: Vec<Lanes<L>>,
    /// Covectors of the state.
    x: &'a mut [Lanes<L>],
    /// Covectors of the time at which the leg begins.
    time: Lanes<L>,
    /// Covectors of the slopes of all stages.
    slopes: Vec<Lanes<L>>,
    /// Covectors of a stage, and then of its base.
    by_stage: Vec<Lanes<L>>,
    /// Covectors of the state before a step.
    total: Vec<Lanes<L>>,
}

impl<V: Visitor<L>, const L: usize> Backward<'_, V, L> {
    fn run(&mut self) -> Result<()> {
        let (leg, count) = (self.leg, self.along.tableau.stages());
        let steps = leg.leg.steps.len();
        if let Some(crossing) = &leg.crossing {
            crossing.pull(self.x, &mut self.time, &mut self.v);
        }
        let closed = leg.closed && leg.leg.is_complete();
        if leg.stages.is_none() && !closed {
            let replay = self.along.source.replay(&leg.leg)?;
            let slots = self.along.slots;
            let mut again = Again {
                replay,
                sweep: &mut *self,
            };
            reverse(&mut again, steps, slots)?;
        }
        for step in (0..steps).rev() {
            if let Some(stages) = leg.stages(step, count) {
                self.step(step, Stages::Linear(stages));
            } else if closed {
                self.step(step, Stages::States(leg.leg.states(step)));
            }
        }
        self.observe(0);
        self.slide();
        self.end();
        Ok(())
    }

    /// Adds the covectors of what is observed after so many steps.
    fn observe(&mut self, steps: usize) {
        let outputs = self.along.outputs;
        while self.seen > 0 && self.leg.leg.seen[self.seen - 1] == steps {
            self.seen -= 1;
            let w = &self.w[self.seen * outputs..(self.seen + 1) * outputs];
            let place = Place::Observation {
                leg: self.index,
                index: self.seen,
            };
            self.visitor.enter(place, self.x, &mut self.v);
            self.visitor.leave(place, w, 1.0);
            self.leg.observed[self.seen].add_transposed(1.0, w, self.x, &mut self.v);
        }
    }

    /// Sweeps over a step with these stages, and what is observed after it.
    fn step(&mut self, step: usize, stages: Stages<'_>) {
        self.observe(step + 1);
        if let Stages::Linear([.., last]) = stages
            && self.leg.leg.is_fixed(step + 1)
        {
            self.fix(last);
        }
        let (n, tableau) = (self.x.len(), self.along.tableau);
        let (last, [t, h]) = (tableau.stages() - 1, self.leg.leg.steps[step]);
        // The covector of the first slope goes to the last slope of this step.
        self.slopes.copy_within(..n, last * n);
        self.slopes[..last * n].fill([0.0; L]);
        // The step is its last stage.
        self.by_stage.copy_from_slice(self.x);
        self.total.fill([0.0; L]);
        for i in (1..last + 1).rev() {
            let place = Place::Stage {
                leg: self.index,
                step,
                stage: i,
            };
            match stages {
                Stages::Linear(stages) if stages[i - 1].system.is_some() => {
                    self.solve(&stages[i - 1], i, place);
                }
                Stages::Linear(stages) => self.explicit(&stages[i - 1], i, place),
                Stages::States(states) => {
                    let t = t + tableau.c[i] * h;
                    self.closed((t, &states[(i - 1) * n..i * n]), i, place);
                }
            }
            for (x, b) in self.total.iter_mut().zip(&self.by_stage) {
                add(b, x);
            }
            let weights: Vec<f64> = tableau.earlier(i).iter().map(|a| h * a).collect();
            distribute(&self.by_stage, &weights, &mut self.slopes);
            self.by_stage.fill([0.0; L]);
        }
        self.x.copy_from_slice(&self.total);
    }

    /// Passes the covectors of the slope at a fixed time to the state and to θ.
    fn fix(&mut self, last: &Stage) {
        self.time = [0.0; L];
        let slope = &mut self.slopes[..self.x.len()];
        restrict(&self.along.moves, slope);
        last.rate.add_transposed(1.0, slope, self.x, &mut self.v);
        slope.fill([0.0; L]);
    }

    /// Goes from a fixed time to the time of an event at no distance.
    fn slide(&mut self) {
        let Some(rate) = &self.leg.slide else { return };
        self.end();
        self.slopes[..self.x.len()].fill([0.0; L]);
        self.time = [0.0; L];
        add_dot(rate, self.x, &mut self.time);
        self.time = self.time.map(|t| -t);
    }

    /// Adds the covectors that an explicit stage passes to its base and to θ.
    fn explicit(&mut self, stage: &Stage, i: usize, place: Place) {
        let n = self.x.len();
        self.visitor.enter(place, &mut self.by_stage, &mut self.v);
        let slope = &mut self.slopes[i * n..(i + 1) * n];
        restrict(&self.along.moves, slope);
        self.visitor.leave(place, slope, 1.0);
        if let Some(drift) = &stage.drift {
            add_dot(drift, slope, &mut self.time);
        }
        stage
            .rate
            .add_transposed(1.0, slope, &mut self.by_stage, &mut self.v);
    }

    /// Adds the covectors that an explicit stage at this time and state passes to its base and to θ, in closed form.
    fn closed(&mut self, (t, x): (f64, &[f64]), i: usize, place: Place) {
        let n = x.len();
        self.visitor.enter(place, &mut self.by_stage, &mut self.v);
        let slope = &self.slopes[i * n..(i + 1) * n];
        self.visitor.leave(place, slope, 1.0);
        let t = self.along.phase(self.index).clock(t);
        let theta = self.along.parameters(self.index);
        for lane in 0..L {
            let take = |from: &[Lanes<L>]| from.iter().map(|x| x[lane]).collect::<Vec<f64>>();
            let (w, mut by_stage, mut v) = (take(slope), take(&self.by_stage), take(&self.v));
            let from = Covectors {
                t,
                x,
                theta: &theta,
                w: &w,
            };
            self.along.source.pull_back(from, &mut by_stage, &mut v);
            let put = |out: &mut [Lanes<L>], from: &[f64]| {
                out.iter_mut().zip(from).for_each(|(o, f)| o[lane] = *f);
            };
            put(&mut self.by_stage, &by_stage);
            put(&mut self.v, &v);
        }
    }

    /// Replaces the covectors of an implicit stage by those of its base, and adds those of θ.
    fn solve(&mut self, stage: &Stage, i: usize, place: Place) {
        let (n, moves) = (self.x.len(), &self.along.moves);
        let Some((system, shift)) = &stage.system else {
            return;
        };
        self.visitor.enter(place, &mut self.by_stage, &mut self.v);
        let slope = &mut self.slopes[i * n..(i + 1) * n];
        for ((k, y), m) in slope.iter_mut().zip(&mut self.by_stage).zip(moves) {
            let factor = m / shift;
            for (k, y) in k.iter_mut().zip(y) {
                *k *= factor;
                *y += *k;
            }
        }
        system.solve(Side::Transpose, &mut self.by_stage);
        self.visitor.leave(place, &self.by_stage, *shift);
        if let Some(drift) = &stage.drift {
            let mut product = [0.0; L];
            add_dot(drift, &self.by_stage, &mut product);
            add(&product.map(|p| shift * p), &mut self.time);
        }
        stage
            .rate
            .add_parameters_transposed(*shift, &self.by_stage, &mut self.v);
        restrict(moves, &mut self.by_stage);
        for (k, b) in slope.iter().zip(&mut self.by_stage) {
            b.iter_mut().zip(k).for_each(|(b, k)| *b -= k);
        }
    }

    /// Passes the covectors of the first slope to the state, and those to the state before the algebraic equations were solved.
    fn end(&mut self) {
        let place = Place::Start(self.index);
        self.by_stage.fill([0.0; L]);
        self.explicit(&self.leg.first, 0, place);
        for (x, b) in self.x.iter_mut().zip(&self.by_stage) {
            add(b, x);
        }
        if let Some(consistent) = &self.leg.consistent {
            self.slopes[..self.x.len()].fill([0.0; L]);
            self.by_stage.copy_from_slice(self.x);
            self.solve(consistent, 0, place);
            self.x.copy_from_slice(&self.by_stage);
        }
    }
}

/// Stages of a step but the first.
#[derive(Clone, Copy)]
enum Stages<'s> {
    Linear(&'s [Stage]),
    /// States of explicit stages, one after the other, from which covectors are pulled back in closed form.
    States(&'s [f64]),
}

/// Backward sweep over steps that are taken again.
struct Again<'r, 's, 'a, V, const L: usize> {
    replay: Box<dyn Replay + 'r>,
    sweep: &'s mut Backward<'a, V, L>,
}

impl<V: Visitor<L>, const L: usize> checkpoints::Replay for Again<'_, '_, '_, V, L> {
    type Failure = Error;

    fn advance(&mut self, mut steps: Range<usize>) -> Result<()> {
        steps.try_for_each(|step| self.replay.advance(step))
    }

    fn store(&mut self, slot: usize) {
        self.replay.store(slot);
    }

    fn restore(&mut self, slot: usize) {
        self.replay.restore(slot);
    }

    fn visit(&mut self, step: usize) -> Result<()> {
        if self.sweep.leg.closed {
            let states = self.replay.states(step)?;
            self.sweep.step(step, Stages::States(states));
        } else {
            let stages = self.replay.linearise(step)?;
            self.sweep.step(step, Stages::Linear(&stages));
        }
        Ok(())
    }
}
