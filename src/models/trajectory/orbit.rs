//! Integration of a flow by the Dormand-Prince method of order 8 with dense output.

use std::cell::Cell;

use nalgebra::Vector3;
use ode_solvers::dop_shared::{IntegrationError, OutputType};
use ode_solvers::{Dop853, System};

use crate::error::{Error, Result};
use crate::models;
use crate::models::flow::Flow;

/// Number of points per call of the integrator, which bounds its memory.
const CHUNK: usize = 1024;

/// Largest number of integrator steps per chunk.
const STEPS: u32 = 10_000_000;

/// Time by which the integrator runs beyond the last point, in sampling intervals.
///
/// `ode_solvers` 0.6 outputs a point at exactly the end time too early, and extrapolates it from a step
/// before the last. Output points slightly before the end are interpolated.
const OVERRUN: f64 = 1e-3;

/// Bound on |x_d| beyond which a trajectory counts as unbounded.
const FAR: f64 = 1e6;

/// Equation x′ = v(x; θ) with the time in units of the sampling interval, so that output times are exact integers.
struct Scaled<'a> {
    flow: &'a dyn Flow,
    theta: &'a [f64],
    /// Sampling interval, which is the unit of time.
    unit: f64,
    /// First point within [`FAR`] at which the velocity was not finite.
    broken: &'a Cell<Option<[f64; 3]>>,
}

impl System<f64, Vector3<f64>> for Scaled<'_> {
    fn system(&self, _: f64, x: &Vector3<f64>, dx: &mut Vector3<f64>) {
        let point = [x[0], x[1], x[2]];
        let v = self.flow.velocity(&point, self.theta);
        for d in 0..self.flow.dim() {
            // With t = unit·τ, dx/dτ = unit·v.
            dx[d] = self.unit * v[d];
            // Points beyond `FAR` belong to a trajectory that blows up; an overflow there is no fault of the field.
            if !dx[d].is_finite() && is_bounded(&point) && self.broken.get().is_none() {
                self.broken.set(Some(point));
            }
        }
    }

    // Returning true ends the integration.
    fn solout(&mut self, _: f64, x: &Vector3<f64>, _: &Vector3<f64>) -> bool {
        !is_bounded(&[x[0], x[1], x[2]])
    }
}

/// Returns whether all entries are at most [`FAR`] in absolute value, which is false for NaN.
fn is_bounded(x: &[f64; 3]) -> bool {
    x.iter().all(|x| x.abs() <= FAR)
}

/// Point that is carried along by a flow.
pub(super) struct Orbit<'a> {
    pub(super) flow: &'a dyn Flow,
    pub(super) theta: &'a [f64],
    /// Relative and absolute tolerance of a step of the integrator.
    pub(super) tolerance: f64,
    pub(super) point: [f64; 3],
    /// Time of the point since the start of the burn-in, for error messages.
    pub(super) time: f64,
}

impl Orbit<'_> {
    /// Advances the point by `count` intervals of length `unit`. Calls `each` with the point after every interval, and
    /// `progress` with the completed fraction after every chunk.
    pub(super) fn advance(
        &mut self,
        (count, unit): (usize, f64),
        mut each: impl FnMut([f64; 3]),
        mut progress: impl FnMut(f64),
    ) -> Result<()> {
        // The integrator stores all output of a call before it returns: chunks bound the memory for any
        // duration. Each chunk chooses its first step anew, which costs a few evaluations of the field per
        // thousand samples.
        let mut completed = 0;
        while completed < count {
            let chunk = CHUNK.min(count - completed);
            self.advance_chunk((chunk, unit), &mut each)?;
            completed += chunk;
            progress(completed as f64 / count as f64);
        }
        Ok(())
    }

    /// Advances the point by one call of the integrator.
    fn advance_chunk(
        &mut self,
        (count, unit): (usize, f64),
        each: &mut dyn FnMut([f64; 3]),
    ) -> Result<()> {
        let broken = Cell::new(None);
        let system = Scaled {
            flow: self.flow,
            theta: self.theta,
            unit,
            broken: &broken,
        };
        let mut solver = solver(system, self.point, count as f64 + OVERRUN, self.tolerance);
        let outcome = solver.integrate();
        // The first output is the initial point.
        for x in solver.y_out().iter().skip(1) {
            let x = [x[0], x[1], x[2]];
            self.time += unit;
            if !is_bounded(&x) {
                return Err(self.lost(0.0, "it leaves the box |xᵢ| ≤ 10⁶"));
            }
            self.point = x;
            each(x);
        }
        let produced = solver.y_out().len() - 1;
        match (outcome, broken.get()) {
            // A failure beyond the last point does not affect the result.
            _ if produced == count => Ok(()),
            (Err(_), Some(point)) => Err(models::Error::Velocity { point }.into()),
            (Err(error), None) => {
                let (reason, failed) = reason(&error);
                Err(self.lost(unit * (failed - produced as f64), reason))
            }
            (Ok(_), _) => Err(self.lost(0.0, "the integrator ended early")),
        }
    }

    /// Returns [`models::Error::BlowUp`](crate::models::Error::BlowUp) at the time `self.time + ahead`.
    fn lost(&self, ahead: f64, reason: &'static str) -> Error {
        let time = self.time + ahead;
        models::Error::BlowUp { time, reason }.into()
    }
}

fn solver<'a>(
    system: Scaled<'a>,
    point: [f64; 3],
    end: f64,
    tolerance: f64,
) -> Dop853<f64, Vector3<f64>, Scaled<'a>> {
    // The standard step-size control of DOP853 (Hairer, Nørsett and Wanner, "Solving Ordinary Differential Equations
    // I"): safety factor 0.9, no PI stabilisation (β = 0), step ratios from 0.333 to 6. The largest step is the whole
    // chunk, the method chooses the first step (0), and stiffness is tested every 1000 steps.
    Dop853::from_param(
        system,
        0.0,
        end,
        1.0,
        Vector3::from(point),
        tolerance,
        tolerance,
        0.9,
        0.0,
        0.333,
        6.0,
        end,
        0.0,
        STEPS,
        1000,
        OutputType::Dense,
    )
}

/// Returns the reason for a failure and its time in sampling intervals since the start of the chunk.
fn reason(error: &IntegrationError) -> (&'static str, f64) {
    match *error {
        IntegrationError::MaxNumStepReached { x, .. } => ("it needs too many steps", x),
        IntegrationError::StepSizeUnderflow { x } => ("the step size underflows", x),
        IntegrationError::StiffnessDetected { x } => ("the equation turns stiff", x),
    }
}
