//! The way from a start: simulate, step, judge, average.

use faer::MatRef;

use super::Simulated;
use super::averaging::Window;
use super::corrected::Corrected;
use super::report::{Correction, Ending, Estimate};
use crate::check;
use crate::direction::{Finder, Local};
use crate::error::Result;
use crate::linalg::Backend;
use crate::metric::Root;
use crate::model::adjoint::Linearisation;
use crate::model::solve_checked;
use crate::vector::{dot, largest, norm};

/// Times that a step back from an objectionable point is halved.
const HALVINGS: usize = 3;

/// A step this close to the cap, relatively, is at it.
const ROUNDING: f64 = 1e-9;

/// How the way from one start ended.
pub(super) enum Way {
    Arrived(Ending),
    Abandoned(String),
}

/// A point with its simulated data.
struct Evaluated {
    theta: Vec<f64>,
    /// h(θ) − q.
    defect: Vec<f64>,
}

/// One run of a correction.
pub(super) struct Run<'r> {
    pub(super) setting: &'r Corrected<'r>,
    pub(super) finder: Box<dyn Finder + 'r>,
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
        let mut window = Window::default();
        for iteration in 1..=options.iterations {
            let (wanted, distance) = self.step(&now)?;
            let (next, whole) = match self.advance(&now.theta, &wanted)? {
                Ok(moved) => moved,
                Err(objection) if !self.conclude(&window, options.average / 2) => {
                    return Ok(Way::Abandoned(objection));
                }
                Err(_) => return Ok(Way::Arrived(Ending::Averaged)),
            };
            let step: Vec<f64> = next
                .theta
                .iter()
                .zip(&now.theta)
                .map(|(b, a)| b - a)
                .collect();
            let relative = self.setting.relative(&now.theta, &step);
            let relative_step = largest(&relative);
            let capped = relative_step >= options.cap * (1.0 - ROUNDING);
            let correction = Correction {
                iteration,
                theta: now.theta.clone(),
                step,
                distance,
                relative_step,
            };
            observer(&correction);
            self.estimate.history.push(correction);
            self.estimate.theta.clone_from(&next.theta);
            if relative_step <= options.tolerance && whole {
                return Ok(Way::Arrived(Ending::Settled));
            }
            if capped || !whole {
                window = Window::default();
            } else {
                window.add(relative, &next.theta);
            }
            if self.judge(&mut window) {
                return Ok(Way::Arrived(Ending::Averaged));
            }
            now = next;
        }
        Ok(Way::Arrived(Ending::Unsettled))
    }

    /// Whether a full window could be averaged. One that drifts grows, and any other begins anew.
    fn judge(&mut self, window: &mut Window) -> bool {
        let least = self.setting.options.average;
        if window.len() < window.due.max(least) {
            return false;
        }
        if window.drifts(|j| self.setting.size(j, &self.estimate.theta)) {
            window.double();
            return false;
        }
        let concluded = self.conclude(window, least);
        *window = Window::default();
        concluded
    }

    /// Takes the mean of at least so many iterates that only jitter; false where they are fewer, or do something else.
    fn conclude(&mut self, window: &Window, least: usize) -> bool {
        let size = |j: usize| self.setting.size(j, &self.estimate.theta);
        let found = (window.len() >= least.max(2))
            .then(|| window.mean(size))
            .flatten();
        let Some((theta, errors)) = found else {
            return false;
        };
        self.estimate.theta = theta;
        self.estimate.standard_errors = Some(errors);
        true
    }

    /// A simulation with the next seed, or the simulator's objection.
    fn simulate(&mut self, theta: Vec<f64>) -> Result<std::result::Result<Evaluated, String>> {
        let Corrected {
            simulator, data, ..
        } = self.setting;
        self.estimate.simulations += 1;
        // Far apart, so that no seed that data may have been simulated with comes up again.
        let stride = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(self.estimate.simulations as u64);
        let seed = self.setting.options.seed.wrapping_add(stride);
        let mut simulated = match simulator.simulate(&theta, seed)? {
            Simulated::Data(data) => data,
            Simulated::Rejected(reason) => {
                return Ok(Err(format!("a simulation failed: {reason}")));
            }
        };
        check::length("a simulation", simulated.len(), data.len())?;
        check::finite("a simulation", &simulated)?;
        if let Some(objection) = simulator.objection(&simulated, data) {
            return Ok(Err(objection));
        }
        simulated.iter_mut().zip(*data).for_each(|(h, q)| *h -= q);
        Ok(Ok(Evaluated {
            theta,
            defect: simulated,
        }))
    }

    /// The point after a step, shortened while the simulator objects or by a bound, and whether it was not.
    fn advance(
        &mut self,
        theta: &[f64],
        step: &[f64],
    ) -> Result<std::result::Result<(Evaluated, bool), String>> {
        let mut objection = String::new();
        for halving in 0..=HALVINGS {
            let t = 0.5_f64.powi(halving as i32);
            let wanted: Vec<f64> = theta.iter().zip(step).map(|(a, s)| a + t * s).collect();
            let mut next = wanted.clone();
            if let Some(bounds) = self.setting.bounds {
                bounds.clamp(&mut next);
            }
            let whole = halving == 0 && next == wanted;
            match self.simulate(next)? {
                Ok(simulated) => return Ok(Ok((simulated, whole))),
                Err(reason) => objection = reason,
            }
        }
        Ok(Err(objection))
    }

    /// −(ZᵀMZ)⁻¹ZᵀM(h − q), capped, and ‖L(h − q)‖. Parameters that it would push through a bound are held, and
    /// taken out of the system.
    fn step(&mut self, at: &Evaluated) -> Result<(Vec<f64>, f64)> {
        let Corrected { model, metric, .. } = *self.setting;
        let rho = solve_checked(model, &at.theta, self.backend)?;
        let mut z = Linearisation::new(model, &rho, &at.theta, self.backend)?;
        let root = metric.at(&rho, self.backend)?;
        let lifted = root.lift(MatRef::from_column_major_slice(&at.defect, rho.len(), 1))?;
        let covector = root.lower(lifted.as_ref())?.col_as_slice(0).to_vec();
        let distance = norm(lifted.col_as_slice(0));
        let mut step = vec![0.0; at.theta.len()];
        let mut free: Vec<usize> = (0..step.len()).collect();
        while !free.is_empty() {
            let eta = self.direction(&at.theta, &z, root.as_ref(), &covector)?;
            let blocks = |j: usize, move_: f64| {
                let bounds = self.setting.bounds;
                bounds.is_some_and(|b| b.blocks(j, at.theta[j], move_))
            };
            let keep: Vec<usize> = (0..free.len())
                .filter(|&k| !blocks(free[k], eta[k]))
                .collect();
            if keep.len() == free.len() {
                for (&j, eta) in free.iter().zip(eta) {
                    let most = self.setting.options.cap * self.setting.size(j, &at.theta);
                    step[j] = eta.clamp(-most, most);
                }
                break;
            }
            z.keep(&keep);
            free = keep.iter().map(|&k| free[k]).collect();
        }
        Ok((step, distance))
    }

    fn direction(
        &mut self,
        theta: &[f64],
        z: &Linearisation<'_>,
        root: &dyn Root,
        covector: &[f64],
    ) -> Result<Vec<f64>> {
        let matrix = z.matrix()?;
        let grad = (0..z.param_dim()).map(|j| dot(matrix.col_as_slice(j), covector));
        let grad: Vec<f64> = grad.collect();
        let local = Local {
            z,
            root: Some(root),
            covector,
            grad: &grad,
            prior: None,
            theta,
            widest: &[],
            iteration: 0,
            progress: 1.0,
            backend: self.backend,
        };
        Ok(self.finder.prepare(&local)?.at(0.0)?.eta)
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
            solvers: Vec::new(),
        }
    }

    pub(super) fn begin(&mut self, start: &[f64]) {
        self.start = start.to_vec();
        self.theta = start.to_vec();
        self.history.clear();
    }
}
