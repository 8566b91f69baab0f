//! Sweeps forward in time over the linearised steps of an experiment.
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
//! After an event the time at which the leg began is one more parameter ([`crossing`](super::crossing)).
//!
//! The last stage is the step itself, and its slope is the first slope of the next step. Sweeps treat L columns at a time. The
//! bits of a column do not depend on L.

use super::course::{Phase, Source};
use super::derivative::{Along, Stage};
use super::lanes::{Lanes, add_product, restrict};
use super::linearised::{LinearLeg, Linearised};
use super::stage::combine;
use crate::error::Result;

/// Tangents of states and parameters at the places of a forward sweep, one after the other.
pub(super) type Record<const L: usize> = Vec<Vec<Lanes<L>>>;

/// Sweeps tangents forward. Returns the tangents of all observables, one observation after the other, and records them at all
/// places if asked to.
///
/// # Errors
/// Fails if steps that are taken again fail.
pub(super) fn forward<const L: usize>(
    along: &Linearised<'_>,
    v: &[Lanes<L>],
    mut record: Option<&mut Record<L>>,
) -> Result<Vec<Lanes<L>>> {
    let n = along.moves.len();
    let mut out = vec![[0.0; L]; along.outputs * along.course.observations];
    let mut seen = out.chunks_exact_mut(along.outputs);
    let mut x = vec![[0.0; L]; n];
    let initial = gather(&along.course.phases[0], v);
    along.initial.add_parameters(1.0, &initial, &mut x);
    if let Some(record) = &mut record {
        record.push(initial);
    }
    let mut time = [0.0; L];
    for (index, leg) in along.legs.iter().enumerate() {
        let phase = along.phase(index);
        if leg.leg.horizon.is_none() {
            time = [0.0; L];
        }
        let mut sweep = Forward {
            along,
            leg,
            v: &gather(phase, v),
            x: &mut x,
            time: &mut time,
            slopes: vec![[0.0; L]; n * along.tableau.stages()],
            base: vec![[0.0; L]; n],
            record: record.as_deref_mut(),
        };
        sweep.run(&mut seen)?;
    }
    Ok(out)
}

/// Returns the tangents of the parameters of the dynamics, from those of the model.
fn gather<const L: usize>(phase: &Phase, v: &[Lanes<L>]) -> Vec<Lanes<L>> {
    let tangent = |source: &Source| match *source {
        Source::Value(_) => [0.0; L],
        Source::Parameter(index) => v[index],
    };
    phase.sources.iter().map(tangent).collect()
}

/// Forward sweep of a leg.
struct Forward<'a, const L: usize> {
    along: &'a Linearised<'a>,
    leg: &'a LinearLeg,
    v: &'a [Lanes<L>],
    x: &'a mut [Lanes<L>],
    /// Tangents of the time at which the leg begins.
    time: &'a mut Lanes<L>,
    /// Tangents of the slopes of all stages.
    slopes: Vec<Lanes<L>>,
    base: Vec<Lanes<L>>,
    record: Option<&'a mut Record<L>>,
}

impl<const L: usize> Forward<'_, L> {
    fn run<'o>(&mut self, seen: &mut impl Iterator<Item = &'o mut [Lanes<L>]>) -> Result<()> {
        self.begin();
        self.slide();
        let (leg, count) = (&self.leg.leg, self.along.tableau.stages());
        let again = self.leg.stages.is_none();
        let replay = again.then(|| self.along.source.replay(leg));
        let mut replay = replay.transpose()?;
        let mut observations = leg.seen.iter().zip(&self.leg.observed).peekable();
        for step in 0..=leg.steps.len() {
            while let Some((_, output)) = observations.next_if(|(seen, _)| **seen == step) {
                let Some(out) = seen.next() else { break };
                output.add_state(1.0, self.x, out);
                output.add_parameters(1.0, self.v, out);
                self.base.copy_from_slice(self.x);
                self.note();
            }
            if step == leg.steps.len() {
                break;
            }
            if let Some(stages) = self.leg.stages(step, count) {
                self.step(stages, step);
            } else if let Some(replay) = &mut replay {
                self.step(&replay.linearise(step)?, step);
            }
        }
        if let Some(crossing) = &self.leg.crossing {
            crossing.pass(self.x, self.time, self.v);
        }
        Ok(())
    }

    /// Records the tangents of `base` and of the parameters.
    fn note(&mut self) {
        if let Some(record) = &mut self.record {
            record.push([&self.base, self.v].concat());
        }
    }

    fn begin(&mut self) {
        self.base.copy_from_slice(self.x);
        if let Some(consistent) = &self.leg.consistent {
            self.pass(consistent, 0);
            self.note();
            self.x.copy_from_slice(&self.base);
        }
        self.pass(&self.leg.first, 0);
        self.note();
    }

    fn step(&mut self, stages: &[Stage], step: usize) {
        let (n, tableau) = (self.x.len(), self.along.tableau);
        let h = self.leg.leg.steps[step][1];
        for (stage, i) in stages.iter().zip(1..) {
            let weights: Vec<f64> = tableau.earlier(i).iter().map(|a| h * a).collect();
            combine(self.x, &self.slopes, &weights, &mut self.base);
            self.pass(stage, i);
            self.note();
        }
        self.x.copy_from_slice(&self.base);
        self.slopes.copy_within((tableau.stages() - 1) * n.., 0);
        if let Some(last) = stages.last().filter(|_| self.leg.leg.is_fixed(step + 1)) {
            self.fix(last);
        }
    }

    /// Replaces `base` by a stage, and computes its slope.
    fn pass(&mut self, stage: &Stage, i: usize) {
        let n = self.x.len();
        let slope = &mut self.slopes[i * n..(i + 1) * n];
        let along = Along {
            moves: &self.along.moves,
            v: self.v,
            time: self.time,
        };
        stage.pass(along, &mut self.base, slope);
    }

    /// Computes the slope before a step anew, at the fixed time after a last stage.
    fn fix(&mut self, last: &Stage) {
        *self.time = [0.0; L];
        let slope = &mut self.slopes[..self.x.len()];
        slope.fill([0.0; L]);
        last.rate.add_state(1.0, self.x, slope);
        last.rate.add_parameters(1.0, self.v, slope);
        restrict(&self.along.moves, slope);
    }

    /// Goes from the time of an event to a fixed time at no distance.
    fn slide(&mut self) {
        let Some(rate) = &self.leg.slide else { return };
        add_product(rate, &self.time.map(|t| -t), self.x);
        *self.time = [0.0; L];
        self.begin();
    }
}
