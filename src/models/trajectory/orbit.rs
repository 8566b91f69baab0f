//! Following a flow by the Dormand-Prince method of order 8 with dense output.

use std::cell::Cell;

use nalgebra::Vector3;
use ode_solvers::dop_shared::{IntegrationError, OutputType};
use ode_solvers::{Dop853, System};

use crate::error::Error;
use crate::error::Result;
use crate::models::flow::Flow;

/// Points that are asked of the integrator at once, so that it never holds many.
const CHUNK: usize = 1024;

/// Steps the integrator may take for one such chunk.
const STEPS: u32 = 10_000_000;

/// How far the integrator runs beyond the last point, in sampling intervals. `ode_solvers` 0.6 gives a point due at
/// the very end too early, extrapolated from a step before the last; a point due a little earlier is interpolated.
const OVERRUN: f64 = 1e-3;

/// A trajectory farther out than this runs to infinity.
const FAR: f64 = 1e6;

/// x′ = v(x; θ) with time counted in sampling intervals, so that points are due at whole numbers exactly.
struct Scaled<'a> {
    flow: &'a dyn Flow,
    theta: &'a [f64],
    unit: f64,
    /// The first point at which the velocity was not finite, though the point was.
    broken: &'a Cell<Option<[f64; 3]>>,
}

impl System<f64, Vector3<f64>> for Scaled<'_> {
    fn system(&self, _: f64, x: &Vector3<f64>, dx: &mut Vector3<f64>) {
        let at = [x[0], x[1], x[2]];
        let v = self.flow.velocity(&at, self.theta);
        for d in 0..self.flow.dim() {
            dx[d] = self.unit * v[d];
            // Trial points of a trajectory that is blowing up say nothing about the field.
            if !dx[d].is_finite() && near(&at) && self.broken.get().is_none() {
                self.broken.set(Some(at));
            }
        }
    }

    fn solout(&mut self, _: f64, x: &Vector3<f64>, _: &Vector3<f64>) -> bool {
        !near(&[x[0], x[1], x[2]])
    }
}

fn near(x: &[f64; 3]) -> bool {
    x.iter().all(|x| x.abs() <= FAR)
}

/// A point that moves with a flow.
pub(super) struct Orbit<'a> {
    pub(super) flow: &'a dyn Flow,
    pub(super) theta: &'a [f64],
    pub(super) tolerance: f64,
    pub(super) point: [f64; 3],
    pub(super) time: f64,
}

impl Orbit<'_> {
    /// Moves on by `count` times `unit`, handing over the point after each, and the share done now and then.
    pub(super) fn advance(
        &mut self,
        (count, unit): (usize, f64),
        mut each: impl FnMut([f64; 3]),
        mut done: impl FnMut(f64),
    ) -> Result<()> {
        let mut made = 0;
        while made < count {
            let chunk = CHUNK.min(count - made);
            self.chunk((chunk, unit), &mut each)?;
            made += chunk;
            done(made as f64 / count as f64);
        }
        Ok(())
    }

    fn chunk(&mut self, (count, unit): (usize, f64), each: &mut dyn FnMut([f64; 3])) -> Result<()> {
        let broken = Cell::new(None);
        let system = Scaled {
            flow: self.flow,
            theta: self.theta,
            unit,
            broken: &broken,
        };
        let mut solver = solver(system, self.point, count as f64 + OVERRUN, self.tolerance);
        let outcome = solver.integrate();
        for x in solver.y_out().iter().skip(1) {
            let x = [x[0], x[1], x[2]];
            self.time += unit;
            if !near(&x) {
                return Err(self.lost(0.0, "it leaves the ball |x| ≤ 10⁶"));
            }
            self.point = x;
            each(x);
        }
        let produced = solver.y_out().len() - 1;
        match (outcome, broken.get()) {
            // Whatever happens beyond the last point does not matter.
            _ if produced == count => Ok(()),
            (Err(_), Some(point)) => Err(Error::Velocity { point }),
            (Err(error), None) => {
                let (reason, at) = reason(&error);
                Err(self.lost(unit * (at - produced as f64), reason))
            }
            (Ok(_), _) => Err(self.lost(0.0, "the integrator ended early")),
        }
    }

    fn lost(&self, ahead: f64, reason: &'static str) -> Error {
        Error::BlowUp {
            time: self.time + ahead,
            reason,
        }
    }
}

fn solver<'a>(
    system: Scaled<'a>,
    point: [f64; 3],
    end: f64,
    tolerance: f64,
) -> Dop853<f64, Vector3<f64>, Scaled<'a>> {
    // Safety .9, no PI term, steps that shrink to a third or grow sixfold at most: the usual choice.
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

/// What went wrong, and when in units of the chunk.
fn reason(error: &IntegrationError) -> (&'static str, f64) {
    match *error {
        IntegrationError::MaxNumStepReached { x, .. } => ("it needs too many steps", x),
        IntegrationError::StepSizeUnderflow { x } => ("the step size underflows", x),
        IntegrationError::StiffnessDetected { x } => ("the equation turns stiff", x),
    }
}
