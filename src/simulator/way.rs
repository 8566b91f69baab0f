//! The way from a start: simulate, step, judge, average.

use faer::MatRef;

use super::correction::Corrected;
use super::report::{Correction, Ending, Estimate};
use crate::backend::Backend;
use crate::check;
use crate::direction::Local;
use crate::error::Result;
use crate::linearisation::Linearisation;
use crate::model::solve_checked;
use crate::vector::{dot, largest, norm};

/// A step this long beside the one before it shrinks no more.
const JITTER: f64 = 0.5;

/// Times that a step back from an objectionable point is halved.
const HALVINGS: usize = 3;

/// How the way from one start ended.
pub(super) enum Way {
    Arrived(Ending),
    Abandoned(String),
}

/// A point that was simulated.
struct Simulated {
    theta: Vec<f64>,
    /// h(θ) − q.
    defect: Vec<f64>,
}

/// One run of a correction.
pub(super) struct Run<'r> {
    pub(super) setting: &'r Corrected<'r>,
    pub(super) backend: &'r dyn Backend,
    pub(super) estimate: Estimate,
}

impl Run<'_> {
    pub(super) fn follow(
        &mut self,
        start: &[f64],
        observer: &mut dyn FnMut(&Correction),
    ) -> Result<Way> {
        let options = &self.setting.options;
        let mut now = match self.simulate(start.to_vec())? {
            Ok(simulated) => simulated,
            Err(objection) => return Ok(Way::Abandoned(objection)),
        };
        let (mut last, mut averaged): (Vec<f64>, Option<Vec<Vec<f64>>>) = (Vec::new(), None);
        for iteration in 1..=options.iterations {
            let (step, distance) = self.step(&now)?;
            let relative = self.setting.relative(&now.theta, &step);
            let correction = Correction {
                iteration,
                theta: now.theta.clone(),
                distance,
                relative_step: largest(&relative),
                step,
            };
            observer(&correction);
            let next = match self.advance(&now.theta, &correction.step)? {
                Ok(next) => next,
                Err(objection) => return Ok(Way::Abandoned(objection)),
            };
            let settled = correction.relative_step <= options.tolerance;
            self.estimate.history.push(correction);
            self.estimate.theta.clone_from(&next.theta);
            if settled {
                return Ok(Way::Arrived(Ending::Settled));
            }
            match &mut averaged {
                Some(iterates) => iterates.push(next.theta.clone()),
                None if jitters(&relative, &last) => averaged = Some(vec![next.theta.clone()]),
                None => last = relative,
            }
            if let Some(iterates) = averaged.as_ref().filter(|i| i.len() == options.average) {
                self.estimate.average(iterates);
                return Ok(Way::Arrived(Ending::Averaged));
            }
            now = next;
        }
        Ok(Way::Arrived(Ending::Unsettled))
    }

    /// A simulation with the next seed, or the simulator's objection.
    fn simulate(&mut self, theta: Vec<f64>) -> Result<std::result::Result<Simulated, String>> {
        let Corrected {
            simulator, data, ..
        } = self.setting;
        let seed = self.setting.options.seed + self.estimate.simulations as u64;
        self.estimate.simulations += 1;
        let mut simulated = match simulator.simulate(&theta, seed) {
            Ok(simulated) => simulated,
            Err(error) => return Ok(Err(error.to_string())),
        };
        check::length("a simulation", simulated.len(), data.len())?;
        check::finite("a simulation", &simulated)?;
        if let Some(objection) = simulator.objection(&simulated, data) {
            return Ok(Err(objection));
        }
        simulated.iter_mut().zip(*data).for_each(|(h, q)| *h -= q);
        Ok(Ok(Simulated {
            theta,
            defect: simulated,
        }))
    }

    /// The point after a step, shortened while the simulator objects.
    fn advance(
        &mut self,
        theta: &[f64],
        step: &[f64],
    ) -> Result<std::result::Result<Simulated, String>> {
        let mut outcome = Err(String::new());
        for halving in 0..=HALVINGS {
            let t = 0.5_f64.powi(halving as i32);
            let mut next: Vec<f64> = theta.iter().zip(step).map(|(a, s)| a + t * s).collect();
            if let Some(bounds) = self.setting.bounds {
                bounds.clamp(&mut next);
            }
            outcome = self.simulate(next)?;
            if outcome.is_ok() {
                break;
            }
        }
        Ok(outcome)
    }

    /// −(ZᵀMZ)⁻¹ZᵀM(h − q), capped, and ‖L(h − q)‖.
    fn step(&self, at: &Simulated) -> Result<(Vec<f64>, f64)> {
        let Corrected {
            model,
            metric,
            direction,
            ..
        } = *self.setting;
        let rho = solve_checked(model, &at.theta, self.backend)?;
        let z = Linearisation::new(model, &rho, &at.theta, self.backend)?;
        let root = metric.at(&rho, self.backend)?;
        let lifted = root.lift(MatRef::from_column_major_slice(&at.defect, rho.len(), 1))?;
        let covector = root.lower(lifted.as_ref())?.col_as_slice(0).to_vec();
        let matrix = z.matrix()?;
        let grad = (0..z.param_dim()).map(|j| dot(matrix.col_as_slice(j), &covector));
        let grad: Vec<f64> = grad.collect();
        let local = Local {
            z: &z,
            root: Some(root.as_ref()),
            covector: &covector,
            grad: &grad,
            prior: None,
            widest: &[],
        };
        let mut step = direction.prepare(&local)?.at(0.0)?.eta;
        for (j, s) in step.iter_mut().enumerate() {
            let most = self.setting.options.cap * self.setting.size(j, &at.theta);
            *s = s.clamp(-most, most);
        }
        Ok((step, norm(lifted.col_as_slice(0))))
    }
}

impl Estimate {
    pub(super) fn new() -> Self {
        Self {
            theta: Vec::new(),
            start: Vec::new(),
            standard_errors: None,
            history: Vec::new(),
            ending: Ending::Unsettled,
            abandoned: Vec::new(),
            simulations: 0,
        }
    }

    pub(super) fn begin(&mut self, start: &[f64]) {
        self.start = start.to_vec();
        self.theta = start.to_vec();
        self.history.clear();
    }

    /// θ ← the mean of the iterates, with its standard error.
    fn average(&mut self, iterates: &[Vec<f64>]) {
        let n = iterates.len() as f64;
        let mean = |j: usize| iterates.iter().map(|t| t[j]).sum::<f64>() / n;
        self.theta = (0..self.theta.len()).map(mean).collect();
        let error = |j: usize| {
            let squares = iterates.iter().map(|t| (t[j] - self.theta[j]).powi(2));
            (squares.sum::<f64>() / (n - 1.0) * (1.0 + n.recip())).sqrt()
        };
        self.standard_errors = Some((0..self.theta.len()).map(error).collect());
    }
}

/// Whether a step is as random as the iteration gets: hardly shorter than the last, and in another direction. What
/// only contracts slowly goes on in the same one.
fn jitters(step: &[f64], last: &[f64]) -> bool {
    let aligned = dot(step, last) > 0.5 * norm(step) * norm(last);
    !last.is_empty() && !aligned && norm(step) > JITTER * norm(last)
}
