//! Sweeps forward and backward in time over the linearised steps of an experiment.
//!
//! The derivatives are those of the discrete steps, with their lengths held fixed. D is the diagonal of ones for components with
//! a rate and of zeros for algebraic ones, J = ∂f/∂x and F = ∂f/∂θ at a stage. The stages obey
//!
//! ```text
//! Bᵢ = x + h Σⱼ aᵢⱼ Kⱼ,                                  j < i,
//! δYᵢ = (D − hγJᵢ)⁻¹ (D δBᵢ + hγ Fᵢ δθ),  δKᵢ = D (δYᵢ − δBᵢ)/(hγ)    for an implicit stage,
//! δYᵢ = δBᵢ,                              δKᵢ = Jᵢ δBᵢ + Fᵢ δθ        for an explicit one.
//! ```
//!
//! The last stage is the step itself, and its slope is the first slope of the next step. Sweeps treat L columns at a time. The
//! bits of a column do not depend on L.

use super::course::{Phase, Source};
use super::linearised::{LinearLeg, Linearised, Place, Stage};
use super::stage::add_slopes;
use crate::linalg::Side;

/// Entry of L columns.
type Lanes<const L: usize> = [f64; L];

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

/// Tangents of states and parameters at the places of a forward sweep, one after the other.
pub(super) type Record<const L: usize> = Vec<Vec<Lanes<L>>>;

impl Linearised<'_> {
    /// Sweeps tangents forward. Returns the tangents of all observables, one observation after the other.
    pub(super) fn forward<const L: usize>(&self, v: &[Lanes<L>]) -> Vec<Lanes<L>> {
        self.forward_recorded(v, None)
    }

    /// Sweeps tangents forward, and records them at all places.
    pub(super) fn forward_recorded<const L: usize>(
        &self,
        v: &[Lanes<L>],
        mut record: Option<&mut Record<L>>,
    ) -> Vec<Lanes<L>> {
        let (n, initial_shape) = (self.structures.rate.moves.len(), &self.structures.initial);
        let mut out = vec![[0.0; L]; self.outputs * self.course.observations];
        let mut seen = out.chunks_exact_mut(self.outputs);
        let mut x = vec![[0.0; L]; n];
        let initial = gather(&self.course.phases[0], v);
        initial_shape.add(0..initial.len(), (&self.initial, 1.0), &initial, &mut x);
        if let Some(record) = &mut record {
            record.push(initial);
        }
        for (phase, leg) in self.course.phases.iter().zip(&self.legs) {
            let v = gather(phase, v);
            let mut sweep = Forward {
                along: self,
                leg,
                v: &v,
                x: &mut x,
                slopes: vec![[0.0; L]; n * self.tableau.stages()],
                base: vec![[0.0; L]; n],
                record: record.as_deref_mut(),
            };
            sweep.run(&mut seen);
        }
        out
    }

    /// Sweeps covectors of all observables backward. Adds the covectors of the model's parameters to `out`.
    ///
    /// A visitor is called at all places.
    pub(super) fn backward<const L: usize>(
        &self,
        w: &[Lanes<L>],
        out: &mut [Lanes<L>],
        visitor: &mut impl Visitor<L>,
    ) {
        let n = self.structures.rate.moves.len();
        let mut seen = w.chunks_exact(self.outputs).rev();
        let mut x = vec![[0.0; L]; n];
        for (index, (phase, leg)) in self.course.phases.iter().zip(&self.legs).enumerate().rev() {
            let mut sweep = Backward {
                along: self,
                leg,
                index,
                visitor: &mut *visitor,
                v: vec![[0.0; L]; phase.sources.len()],
                x: &mut x,
                slopes: vec![[0.0; L]; n * self.tableau.stages()],
                by_stage: vec![[0.0; L]; n],
                total: vec![[0.0; L]; n],
            };
            sweep.run(&mut seen);
            let mut v = sweep.v;
            if index == 0 {
                visitor.enter(Place::Initial, &mut [], &mut v);
                visitor.leave(Place::Initial, &x, 1.0);
                let shape = &self.structures.initial;
                shape.add_transposed(0..v.len(), (&self.initial, 1.0), &x, &mut v);
            }
            scatter(phase, &v, out);
        }
    }
}

/// Returns the tangents of the parameters of the dynamics, from those of the model.
fn gather<const L: usize>(phase: &Phase, v: &[Lanes<L>]) -> Vec<Lanes<L>> {
    let tangent = |source: &Source| match *source {
        Source::Value(_) => [0.0; L],
        Source::Parameter(index) => v[index],
    };
    phase.sources.iter().map(tangent).collect()
}

/// Adds the covectors of the parameters of the dynamics to those of the model.
fn scatter<const L: usize>(phase: &Phase, v: &[Lanes<L>], out: &mut [Lanes<L>]) {
    for (source, v) in phase.sources.iter().zip(v) {
        if let Source::Parameter(index) = *source {
            add(v, &mut out[index]);
        }
    }
}

fn add<const L: usize>(x: &Lanes<L>, out: &mut Lanes<L>) {
    out.iter_mut().zip(x).for_each(|(o, x)| *o += x);
}

/// Multiplies every entry by its factor in D.
fn restrict<const L: usize>(moves: &[f64], x: &mut [Lanes<L>]) {
    for (x, m) in x.iter_mut().zip(moves) {
        x.iter_mut().for_each(|x| *x *= m);
    }
}

/// Forward sweep of a phase.
struct Forward<'a, const L: usize> {
    along: &'a Linearised<'a>,
    leg: &'a LinearLeg,
    v: &'a [Lanes<L>],
    x: &'a mut [Lanes<L>],
    /// Tangents of the slopes of all stages.
    slopes: Vec<Lanes<L>>,
    base: Vec<Lanes<L>>,
    record: Option<&'a mut Record<L>>,
}

impl<const L: usize> Forward<'_, L> {
    fn run<'o>(&mut self, seen: &mut impl Iterator<Item = &'o mut [Lanes<L>]>) {
        let n = self.x.len();
        self.begin();
        let steps = &self.leg.leg.steps;
        let mut observations = self.leg.leg.seen.iter().zip(&self.leg.observed).peekable();
        for step in 0..=steps.len() {
            while let Some((_, slopes)) = observations.next_if(|(seen, _)| **seen == step) {
                let Some(out) = seen.next() else { return };
                let (shape, all) = (&self.along.structures.output, n + self.v.len());
                shape.add(0..n, (slopes, 1.0), self.x, out);
                shape.add(n..all, (slopes, 1.0), self.v, out);
                self.base.copy_from_slice(self.x);
                self.note();
            }
            let Some(&[_, h]) = steps.get(step) else {
                break;
            };
            self.step(step, h);
        }
    }

    /// Records the tangents of `base` and of the parameters.
    fn note(&mut self) {
        if let Some(record) = &mut self.record {
            record.push([&self.base, self.v].concat());
        }
    }

    fn begin(&mut self) {
        if let Some(consistent) = &self.leg.consistent {
            self.base.copy_from_slice(self.x);
            self.solve(consistent, 0);
            self.note();
            self.x.copy_from_slice(&self.base);
        }
        self.base.copy_from_slice(self.x);
        self.explicit(&self.leg.first, 0);
        self.note();
    }

    fn step(&mut self, step: usize, h: f64) {
        let (n, tableau) = (self.x.len(), self.along.tableau);
        let stages = self.leg.stages(step, tableau.stages());
        for (stage, i) in stages.iter().zip(1..) {
            self.base.copy_from_slice(self.x);
            add_slopes(&self.slopes, h, tableau.earlier(i), &mut self.base);
            if stage.system.is_some() {
                self.solve(stage, i);
            } else {
                self.explicit(stage, i);
            }
            self.note();
        }
        self.x.copy_from_slice(&self.base);
        self.slopes.copy_within((tableau.stages() - 1) * n.., 0);
    }

    /// Computes the slope of an explicit stage at `base`.
    fn explicit(&mut self, stage: &Stage, i: usize) {
        let n = self.x.len();
        let rate = &self.along.structures.rate;
        let slope = &mut self.slopes[i * n..(i + 1) * n];
        slope.fill([0.0; L]);
        rate.add_state(&stage.slopes, 1.0, &self.base, slope);
        rate.add_parameters(&stage.slopes, 1.0, self.v, slope);
        restrict(&rate.moves, slope);
    }

    /// Replaces `base` by the implicit stage, and computes its slope.
    fn solve(&mut self, stage: &Stage, i: usize) {
        let (n, rate) = (self.x.len(), &self.along.structures.rate);
        let Some((system, shift)) = &stage.system else {
            return;
        };
        let slope = &mut self.slopes[i * n..(i + 1) * n];
        slope.copy_from_slice(&self.base);
        restrict(&rate.moves, slope);
        rate.add_parameters(&stage.slopes, *shift, self.v, slope);
        system.solve(Side::Plain, slope);
        // The slope's place holds the stage so far.
        for ((k, b), m) in slope.iter_mut().zip(&mut self.base).zip(&rate.moves) {
            for (k, b) in k.iter_mut().zip(b) {
                let stage = *k;
                *k = m * (stage - *b) / shift;
                *b = stage;
            }
        }
    }
}

/// Backward sweep of a phase.
struct Backward<'a, V, const L: usize> {
    along: &'a Linearised<'a>,
    leg: &'a LinearLeg,
    /// Index of the leg.
    index: usize,
    visitor: &'a mut V,
    /// Covectors of the parameters of the dynamics.
    v: Vec<Lanes<L>>,
    /// Covectors of the state.
    x: &'a mut [Lanes<L>],
    /// Covectors of the slopes of all stages.
    slopes: Vec<Lanes<L>>,
    /// Covectors of a stage, and then of its base.
    by_stage: Vec<Lanes<L>>,
    /// Covectors of the state before a step.
    total: Vec<Lanes<L>>,
}

impl<V: Visitor<L>, const L: usize> Backward<'_, V, L> {
    fn run<'o>(&mut self, seen: &mut impl Iterator<Item = &'o [Lanes<L>]>) {
        let n = self.x.len();
        let steps = &self.leg.leg.steps;
        let observations = self.leg.leg.seen.iter().zip(&self.leg.observed);
        let mut observations = observations.enumerate().rev().peekable();
        for step in (0..=steps.len()).rev() {
            while let Some((index, (_, slopes))) = observations.next_if(|(_, o)| *o.0 == step) {
                let Some(w) = seen.next() else { return };
                let leg = self.index;
                let place = Place::Observation { leg, index };
                self.visitor.enter(place, self.x, &mut self.v);
                self.visitor.leave(place, w, 1.0);
                let (shape, all) = (&self.along.structures.output, n + self.v.len());
                shape.add_transposed(0..n, (slopes, 1.0), w, self.x);
                shape.add_transposed(n..all, (slopes, 1.0), w, &mut self.v);
            }
            if let Some(step) = step.checked_sub(1) {
                self.step(step, steps[step][1]);
            }
        }
        self.end();
    }

    fn step(&mut self, step: usize, h: f64) {
        let (n, tableau) = (self.x.len(), self.along.tableau);
        let last = tableau.stages() - 1;
        // The covector of the first slope goes to the last slope of this step.
        self.slopes.copy_within(..n, last * n);
        self.slopes[..last * n].fill([0.0; L]);
        // The step is its last stage.
        self.by_stage.copy_from_slice(self.x);
        self.total.fill([0.0; L]);
        let stages = self.leg.stages(step, tableau.stages());
        for (stage, i) in stages.iter().zip(1..last + 1).rev() {
            let place = Place::Stage {
                leg: self.index,
                step,
                stage: i,
            };
            if stage.system.is_some() {
                self.solve(stage, i, place);
            } else {
                self.explicit(stage, i, place);
            }
            for (x, b) in self.total.iter_mut().zip(&self.by_stage) {
                add(b, x);
            }
            for (j, a) in tableau.earlier(i).iter().enumerate() {
                let factor = h * a;
                if factor != 0.0 {
                    let slope = self.slopes[j * n..(j + 1) * n].iter_mut();
                    for (k, b) in slope.zip(&self.by_stage) {
                        k.iter_mut().zip(b).for_each(|(k, b)| *k += factor * b);
                    }
                }
            }
            self.by_stage.fill([0.0; L]);
        }
        self.x.copy_from_slice(&self.total);
    }

    /// Adds the covectors that an explicit stage passes to its base and to θ.
    fn explicit(&mut self, stage: &Stage, i: usize, place: Place) {
        let n = self.x.len();
        self.visitor.enter(place, &mut self.by_stage, &mut self.v);
        let slope = &mut self.slopes[i * n..(i + 1) * n];
        let rate = &self.along.structures.rate;
        restrict(&rate.moves, slope);
        self.visitor.leave(place, slope, 1.0);
        rate.add_state_transposed(&stage.slopes, 1.0, slope, &mut self.by_stage);
        rate.add_parameters_transposed(&stage.slopes, 1.0, slope, &mut self.v);
    }

    /// Replaces the covectors of an implicit stage by those of its base, and adds those of θ.
    fn solve(&mut self, stage: &Stage, i: usize, place: Place) {
        let (n, rate) = (self.x.len(), &self.along.structures.rate);
        let Some((system, shift)) = &stage.system else {
            return;
        };
        self.visitor.enter(place, &mut self.by_stage, &mut self.v);
        let slope = &mut self.slopes[i * n..(i + 1) * n];
        for ((k, y), m) in slope.iter_mut().zip(&mut self.by_stage).zip(&rate.moves) {
            for (k, y) in k.iter_mut().zip(y) {
                *k *= m / shift;
                *y += *k;
            }
        }
        system.solve(Side::Transpose, &mut self.by_stage);
        self.visitor.leave(place, &self.by_stage, *shift);
        rate.add_parameters_transposed(&stage.slopes, *shift, &self.by_stage, &mut self.v);
        restrict(&rate.moves, &mut self.by_stage);
        for (k, b) in slope.iter().zip(&mut self.by_stage) {
            b.iter_mut().zip(k).for_each(|(b, k)| *b -= k);
        }
    }

    /// Passes the covectors of the first slope to the state, and those to the state before the algebraic equations were solved.
    fn end(&mut self) {
        self.by_stage.fill([0.0; L]);
        let place = Place::Start(self.index);
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

impl LinearLeg {
    /// Returns the stages of a step but the first, for a method with this number of stages.
    fn stages(&self, step: usize, count: usize) -> &[Stage] {
        &self.stages[step * (count - 1)..(step + 1) * (count - 1)]
    }
}
