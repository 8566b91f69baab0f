//! The iteration from one starting point: simulate, step, test for stationarity, average.

use std::sync::Arc;

use faer::MatRef;

use super::averaging::Window;
use super::corrected::{Corrected, Geometry};
use super::plan::Revision;
use super::record::Record;
use super::report::{Iterate, Report, Stop};
use super::represented::Represented;
use super::{Simulated, seed_of};
use crate::check;
use crate::direction::{Finder, Local};
use crate::error::Result;
use crate::linalg::Backend;
use crate::metric::{Root, prepare};
use crate::model::adjoint::Linearisation;
use crate::model::solve_checked;
use crate::vector::{dot, largest, norm};

/// Largest number of halvings of a step whose end point the simulator rejects.
const HALVINGS: usize = 3;

/// Relative distance from the cap within which a step counts as capped.
const ROUNDING: f64 = 1e-9;

/// Relative increase of the distance from the data that is rounding.
//
// Near a minimum the distance changes by the square of a step, so that steps as short as 10⁻⁸ are lost in its rounding.
const SLACK: f64 = 1e-10;

/// Outcome of the iteration from one starting point.
pub(super) enum Outcome {
    Ended(Stop),
    /// The starting point is rejected, for this reason.
    Rejected(String),
}

/// Parameters with the defect of their simulation.
#[derive(Clone)]
pub(super) struct Evaluated {
    pub(super) theta: Vec<f64>,
    /// Defect h(θ) − q of the simulation.
    pub(super) defect: Vec<f64>,
}

/// State of a correction that tries its starting points one after the other.
pub(super) struct Run<'r> {
    pub(super) setting: &'r Corrected<'r>,
    /// Finder of the directions, begun anew at every starting point.
    pub(super) finder: Box<dyn Finder + 'r>,
    pub(super) backend: &'r dyn Backend,
    pub(super) report: Report,
    /// Simulations since the starting point, for a regression.
    pub(super) record: Record,
    /// Metric at the data, for a regression.
    pub(super) root: Option<Arc<dyn Root + 'r>>,
}

impl Run<'_> {
    /// Iterates from `start`.
    pub(super) fn follow(
        &mut self,
        start: &[f64],
        observer: &mut dyn FnMut(&Iterate),
    ) -> Result<Outcome> {
        let options = &self.setting.options;
        let mut current = match self.simulate(start.to_vec())? {
            Ok(simulated) => simulated,
            Err(objection) => return Ok(Outcome::Rejected(objection)),
        };
        let mut window = Window::default();
        if let Err(objection) = self.learn(&current, None, &window)? {
            return Ok(Outcome::Rejected(objection));
        }
        for _ in 0..options.iterations {
            let (full, distance) = self.step(&current, &mut window)?;
            let (next, whole) = match self.advance(&current, (&full, distance))? {
                Ok(moved) => moved,
                // If a simulation fails by chance in a stationary iteration, half a window suffices for the
                // average.
                Err(objection) if !self.conclude(&window, options.average / 2) => {
                    return Ok(Outcome::Rejected(objection));
                }
                Err(_) => return self.finish(Stop::Averaged, &current),
            };
            let relative = self.note(distance, &current.theta, &next.theta, observer);
            let stop = self.judge(&next, (relative, whole), &mut window)?;
            current = next;
            if let Some(stop) = stop {
                return self.finish(stop, &current);
            }
        }
        self.finish(Stop::Iterations, &current)
    }

    /// Returns the reason for stopping at an iterate, if there is one, and learns from it otherwise. The step to the iterate is
    /// relative to the sizes of the parameters, and was taken in full or not.
    fn judge(
        &mut self,
        at: &Evaluated,
        (relative, whole): (Vec<f64>, bool),
        window: &mut Window,
    ) -> Result<Option<Stop>> {
        let options = &self.setting.options;
        let relative_step = largest(&relative);
        let capped = relative_step >= options.cap * (1.0 - ROUNDING);
        let vanished = relative_step <= options.tolerance && whole;
        let refined = vanished && self.refine(at)?;
        if vanished && !refined {
            return Ok(Some(match self.sees_parameters(at)? {
                true => Stop::Converged,
                false => Stop::Stalled,
            }));
        }
        let stuck = relative_step == 0.0 && !whole;
        let whole = whole && !capped;
        let settled = whole.then_some(relative_step);
        // Shortened steps are no evidence of a fluctuation, and a survey changes Z.
        if whole && !refined {
            window.add(relative, &at.theta);
        } else {
            *window = Window::default();
        }
        match self.revise(at, stuck, window)? {
            Revision::Exhausted => return Ok(Some(Stop::Stalled)),
            Revision::Made => *window = Window::default(),
            Revision::Needless => {}
        }
        if self.learn(at, settled, window)?.unwrap_or(false) {
            *window = Window::default();
        }
        self.examine(at, window)
    }

    /// Adds the step from one iterate to the next to the report, and returns it in units of the parameters' sizes.
    fn note(
        &mut self,
        distance: f64,
        theta: &[f64],
        next: &[f64],
        observer: &mut dyn FnMut(&Iterate),
    ) -> Vec<f64> {
        let step: Vec<f64> = next.iter().zip(theta).map(|(b, a)| b - a).collect();
        let relative = self.setting.relative(theta, &step);
        let iterate = Iterate {
            iteration: self.report.history.len() + 1,
            theta: theta.to_vec(),
            step,
            distance,
            relative_step: largest(&relative),
        };
        observer(&iterate);
        self.report.history.push(iterate);
        self.report.theta = next.to_vec();
        self.report.distance = distance;
        relative
    }

    /// Simulates with the next seed. Returns the simulator's objection if there is one.
    pub(super) fn simulate(
        &mut self,
        theta: Vec<f64>,
    ) -> Result<std::result::Result<Evaluated, String>> {
        let Corrected {
            simulator, data, ..
        } = self.setting;
        self.report.simulations += 1;
        let seed = seed_of(self.setting.options.seed, self.report.simulations);
        let mut simulated = match simulator.simulate(&theta, seed)? {
            Simulated::Data(data) => data,
            Simulated::Rejected(reason) => {
                return Ok(Err(format!("the simulator rejected θ: {reason}")));
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

    /// Simulates at the end of a step, which is halved while the simulator objects and clipped to the bounds. Returns the
    /// point and whether the step was taken in full.
    ///
    /// Where a deterministic iteration has stalled, the step is also halved while it leads away from the data, and not taken if it
    /// still does.
    fn advance(
        &mut self,
        at: &Evaluated,
        (step, distance): (&[f64], f64),
    ) -> Result<std::result::Result<(Evaluated, bool), String>> {
        let mut objection = None;
        for halving in 0..=HALVINGS {
            let t = 0.5_f64.powi(halving as i32);
            let pairs = at.theta.iter().zip(step);
            let target: Vec<f64> = pairs.map(|(a, s)| a + t * s).collect();
            let mut next = target.clone();
            // A clipped step, like a halved one, does not end where the iteration would. For a model it is evidence of
            // neither convergence nor fluctuation. The scores of a regression know of no bounds.
            if let Some(bounds) = self.setting.bounds {
                bounds.clamp(&mut next);
            }
            let clipped = next != target && matches!(self.setting.geometry, Geometry::Model(_));
            match self.simulate(next)? {
                Ok(simulated)
                    if !self.record.has_stalled()
                        || self.distance(&simulated)? <= (1.0 + SLACK) * distance =>
                {
                    return Ok(Ok((simulated, halving == 0 && !clipped)));
                }
                Ok(_) => objection = None,
                Err(reason) => objection = Some(reason),
            }
        }
        Ok(match objection {
            Some(objection) => Err(objection),
            None => Ok((at.clone(), false)),
        })
    }

    /// Returns the step −(ZᵀMZ)⁻¹ZᵀM(h − q), capped, and the distance ‖L(h − q)‖. The score of a regression is added to the
    /// window.
    fn step(&mut self, at: &Evaluated, window: &mut Window) -> Result<(Vec<f64>, f64)> {
        let Corrected {
            geometry,
            metric,
            data,
            ..
        } = *self.setting;
        // Let H = ∂h/∂θ of the simulator. Near the fixed point θ* a step gives
        // θ⁺ − θ* = (I − (ZᵀMZ)⁻¹ZᵀMH)(θ − θ*). This contracts if Z is close to H in the metric M. The
        // equation of the fixed point, ZᵀM(h − q) = 0, depends on Z only through its range, and holds
        // wherever h = q.
        let rho = match geometry {
            Geometry::Model(model) => solve_checked(model, &at.theta, self.backend)?,
            // A metric at a random simulation would be correlated with its defect, which would bias the fixed point.
            Geometry::Regression(_) => data.to_vec(),
        };
        let root: Arc<dyn Root + '_> = match &self.root {
            Some(root) => Arc::clone(root),
            None => Arc::from(prepare(metric, &rho, self.backend)?),
        };
        let regression;
        let model = match geometry {
            Geometry::Model(model) => model,
            Geometry::Regression(_) => {
                regression = self.regress(at, root.as_ref())?;
                &regression
            }
        };
        let mut z = Linearisation::new(model, &rho, &at.theta, self.backend)?;
        // M(h − q) = Lᵀ(L(h − q)) takes the place of the covector of a loss. The distance is ‖L(h − q)‖.
        let lifted = root.lift(MatRef::from_column_major_slice(&at.defect, rho.len(), 1))?;
        let covector = root.lower(lifted.as_ref())?.col_as_slice(0).to_vec();
        let lifted = lifted.col_as_slice(0).to_vec();
        let distance = norm(&lifted);
        if matches!(geometry, Geometry::Regression(_)) {
            window.score(self.record.score(&at.theta, &gradient(&z, &covector)?));
        }
        let root = Represented {
            root,
            covector,
            lifted,
        };
        Ok((self.free_step(&at.theta, &mut z, &root)?, distance))
    }

    /// Returns the step, capped.
    ///
    /// Parameters that the step would push through a bound are held fixed, and the system is solved again without them.
    fn free_step(
        &mut self,
        theta: &[f64],
        z: &mut Linearisation<'_>,
        root: &Represented<'_>,
    ) -> Result<Vec<f64>> {
        let mut step = vec![0.0; theta.len()];
        let mut free: Vec<usize> = (0..step.len()).collect();
        // An active-set iteration: every pass holds at least one more parameter, so that there are at most p passes.
        while !free.is_empty() {
            let eta = self.direction(theta, z, root)?;
            let blocks = |j: usize, move_: f64| {
                let bounds = self.setting.bounds;
                bounds.is_some_and(|b| b.blocks(j, theta[j], move_))
            };
            let keep: Vec<usize> = (0..free.len())
                .filter(|&k| !blocks(free[k], eta[k]))
                .collect();
            if keep.len() == free.len() {
                for (&j, eta) in free.iter().zip(eta) {
                    // No objective has to decrease, so that the cap may change the direction. A separate cap
                    // for each parameter keeps a badly determined parameter from shortening the steps of the
                    // others.
                    let cap = self.setting.options.cap * self.setting.size(j, theta);
                    step[j] = eta.clamp(-cap, cap);
                }
                break;
            }
            z.keep(&keep);
            free = keep.iter().map(|&k| free[k]).collect();
        }
        Ok(step)
    }

    /// Solves for the direction of the free parameters, with the gradient Zᵀc of the represented covector.
    fn direction(
        &mut self,
        theta: &[f64],
        z: &Linearisation<'_>,
        root: &Represented<'_>,
    ) -> Result<Vec<f64>> {
        let covector = &root.covector;
        let grad = gradient(z, covector)?;
        let local = Local {
            z,
            root: Some(root),
            covector,
            grad: &grad,
            full_gradient: &[],
            prior: None,
            theta,
            coordinates: theta,
            widest: &[],
            iteration: 0,
            last_scale: None,
            progress: 1.0,
            backend: self.backend,
            second_order: None,
        };
        Ok(self.finder.prepare(&local)?.at(0.0)?.eta)
    }
}

/// Returns the gradient Zᵀc of a covector.
//
// Least squares needs Z as a matrix in any case. With it the gradient costs p inner products and no adjoint solve.
fn gradient(z: &Linearisation<'_>, covector: &[f64]) -> Result<Vec<f64>> {
    let matrix = z.matrix()?;
    let columns = (0..z.param_dim()).map(|j| matrix.col_as_slice(j));
    Ok(columns.map(|column| dot(column, covector)).collect())
}
