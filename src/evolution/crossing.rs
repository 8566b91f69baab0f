//! Derivatives at events, and in the times of events.
//!
//! A leg that begins with an event at τ reaches the next fixed time T by steps that are fractions of T − τ. When τ moves by δτ, the
//! time t of a stage moves by σ δτ and the length h of a step by κh δτ, with σ = (T − t)/(T − τ) and κ = −1/(T − τ). With
//! Gᵢ = δKᵢ + κKᵢ δτ, which is δ(hKᵢ)/h, the tangents of the stages Yᵢ = x + h Σⱼ aᵢⱼ Kⱼ keep their form:
//!
//! ```text
//! δYᵢ = δx + h Σⱼ aᵢⱼ Gⱼ,   Gᵢ = Jᵢ δYᵢ + Fᵢ δθ + rᵢ δτ,   rᵢ = σᵢ ∂f/∂t + κKᵢ.
//! ```
//!
//! On the way to a steady state, T = ∞ stands for the limit σ = 1, κ = 0: all steps move along with the event, as they are.
//!
//! So τ is one more parameter of the rate, whose derivative r is the drift of a [`Stage`]. At T the slope is differentiated anew,
//! because δK and G differ.
//!
//! The step to an event, where c(t + h, x₊, θ) = 0, is such a step whose length changes by a further δh. With A = ∂(c, j)/∂(x, θ)
//! of the event function c and the jump j, w = ∂(c, j)/∂t, and δx₊ and δt at δh = 0,
//!
//! ```text
//! δ(c, j) = A (δx₊, δθ) + w δt + u δh,   u = A (∂x₊/∂h, 0) + w,
//! ```
//!
//! where the first entry, δc = 0, gives δh, the others are the tangent of the next leg's first state, and δt + δh is that of its
//! time. The derivative ∂x₊/∂h of the step is that of the tangents with σᵢ = cᵢ and κ = 1/h alone.

use super::derivative::{Along, Derivative, Differentiate, Stage};
use super::dynamics::{Dynamics, Function};
use super::error::Error;
use super::lanes::{Lanes, add, add_dot, add_product};
use super::method::Tableau;
use super::stage::combine;
use super::trajectory::{Ending, Leg, Motion};
use crate::error::Result;

/// Linearised event at the end of a leg.
pub(super) struct Crossing {
    /// A, of the event function and the state after the jump.
    both: Derivative,
    /// w, their derivative in time.
    in_time: Vec<f64>,
    /// u, their derivative in the length of the last step, unless the event fires where the leg begins.
    in_length: Option<Vec<f64>>,
    /// Derivative of the time after the last step, without the change of its length, in the time at which the leg begins.
    share: f64,
}

impl Crossing {
    /// Linearises the event at the end of a leg.
    ///
    /// # Errors
    /// Fails if the event is not a differentiable function, and if its time has no derivative.
    pub(super) fn new<D: Dynamics>(
        differentiate: &mut Differentiate<'_, D>,
        leg: &Leg,
        ending: &Ending,
        tableau: &Tableau,
    ) -> Result<Self> {
        let (t, event) = (leg.until(), ending.event);
        let last = leg.steps.last().filter(|_| !ending.slopes.is_empty());
        let stretch = last.map(|step| step_in_length(differentiate, (*step, leg), ending, tableau));
        differentiate.set(&ending.state);
        let mut crossing = Self {
            both: differentiate.slopes(Function::Event(event, t))?,
            in_time: differentiate.in_time(Function::Event(event, t), leg.longest),
            in_length: None,
            share: leg.share(t),
        };
        let Some(stretch) = stretch.transpose()? else {
            // The time of the event is that at which the leg begins.
            crossing.share = 1.0;
            return Ok(crossing);
        };
        let mut in_length = crossing.in_time.clone();
        crossing
            .both
            .add_state(1.0, &stretch, in_length.as_chunks_mut().0);
        if in_length[0] == 0.0 || !in_length[0].is_finite() {
            return Err(Error::GrazedEvent { t, index: event }.into());
        }
        crossing.in_length = Some(in_length);
        Ok(crossing)
    }

    /// Replaces the tangents of the state and of the time at which the leg began by those after the event, for tangents of the
    /// parameters.
    pub(super) fn pass<const L: usize>(
        &self,
        x: &mut [Lanes<L>],
        time: &mut Lanes<L>,
        v: &[Lanes<L>],
    ) {
        let mut both = vec![[0.0; L]; 1 + x.len()];
        self.both.add_state(1.0, x, &mut both);
        self.both.add_parameters(1.0, v, &mut both);
        time.iter_mut().for_each(|t| *t *= self.share);
        add_product(&self.in_time, time, &mut both);
        if let Some(in_length) = &self.in_length {
            let change = both[0].map(|c| -c / in_length[0]);
            add_product(in_length, &change, &mut both);
            add(&change, time);
        }
        x.copy_from_slice(&both[1..]);
    }

    /// Replaces the covectors of the state and of the time after the event by those of the state before it and of the time at
    /// which the leg began, and adds those of the parameters.
    pub(super) fn pull<const L: usize>(
        &self,
        x: &mut [Lanes<L>],
        time: &mut Lanes<L>,
        v: &mut [Lanes<L>],
    ) {
        let mut both = vec![[0.0; L]; 1 + x.len()];
        both[1..].copy_from_slice(x);
        if let Some(in_length) = &self.in_length {
            let mut change = *time;
            add_dot(in_length, &both, &mut change);
            both[0] = change.map(|c| -c / in_length[0]);
        }
        add_dot(&self.in_time, &both, time);
        time.iter_mut().for_each(|t| *t *= self.share);
        x.fill([0.0; L]);
        self.both.add_transposed(1.0, &both, x, v);
    }
}

/// Linearises all stages of a step but the first, at these states. A motion of the step gives them a drift.
///
/// # Errors
/// Fails if the rate is not a differentiable function, and if the system of a stage is singular.
pub(super) fn linear_stages<'s, D: Dynamics>(
    differentiate: &mut Differentiate<'_, D>,
    tableau: &Tableau,
    [t, h]: [f64; 2],
    states: impl Iterator<Item = &'s [f64]>,
    motion: Option<&Motion<'_>>,
) -> Result<Vec<Stage>> {
    let mut stages = Vec::with_capacity(tableau.stages() - 1);
    for (state, i) in states.zip(1..) {
        differentiate.set(state);
        let time = t + tableau.c[i] * h;
        let mut stage = differentiate.stage(time, h * tableau.diagonal(i))?;
        if let Some(motion) = motion {
            let slope = &motion.slopes[i * state.len()..(i + 1) * state.len()];
            let share = motion.start + tableau.c[i] * motion.along;
            let mut drift =
                differentiate.in_time(Function::Rate(differentiate.clock(time)), motion.longest);
            for (r, k) in drift.iter_mut().zip(slope) {
                *r = share * *r + motion.stretch * k;
            }
            stage.drift = Some(drift);
        }
        stages.push(stage);
    }
    Ok(stages)
}

/// Returns the derivative of the last step of a leg in its length.
fn step_in_length<D: Dynamics>(
    differentiate: &mut Differentiate<'_, D>,
    ([t, h], leg): ([f64; 2], &Leg),
    ending: &Ending,
    tableau: &Tableau,
) -> Result<Vec<Lanes<1>>> {
    let n = ending.state.len();
    let motion = Motion {
        start: 0.0,
        along: 1.0,
        stretch: 1.0 / h,
        slopes: &ending.slopes,
        longest: leg.longest,
    };
    let states = ending.stages.chunks_exact(n);
    let stages = linear_stages(differentiate, tableau, [t, h], states, Some(&motion))?;
    // G of all stages. The first slope does not depend on h.
    let mut scaled = vec![[0.0]; n * tableau.stages()];
    for (g, k) in scaled.iter_mut().zip(&ending.slopes[..n]) {
        *g = [k / h];
    }
    let along = Along {
        moves: &differentiate.moves,
        v: &[],
        time: &[1.0],
    };
    let mut x = vec![[0.0]; n];
    for (stage, i) in stages.iter().zip(1..) {
        let weights: Vec<f64> = tableau.earlier(i).iter().map(|a| h * a).collect();
        combine(&vec![[0.0]; n], &scaled, &weights, &mut x);
        let slope = &mut scaled[i * n..(i + 1) * n];
        stage.pass(along, &mut x, slope);
    }
    Ok(x)
}
