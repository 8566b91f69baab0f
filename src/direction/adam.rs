//! Adam, steps scaled by the recent size of each partial derivative.

use serde::{Deserialize, Serialize};

use super::last_point::{clear_held, free_entries};
use super::{Direction, Finder, Local, Path, Proposal, Remembered};
use crate::check;
use crate::error::Result;
use crate::vector::dot;

/// Adam (Kingma and Ba 2015): η = −m̂/(√v̂ + ε), with running means m of the gradient and v of the squares of its entries.
///
/// A step takes the gradient alone. Its entries are about 1 at first, whatever the size of the gradient, so that the rate of the step
/// rule is the change of a parameter per step: [`Fixed`](crate::step::Fixed) with 10⁻³ to 10⁻¹ of the size of the parameters, or
/// [`Decaying`](crate::step::Decaying). With a constant rate the run comes as close as the rate allows, and need not settle. Nothing
/// predicts the remaining decrease: let the run end by [`target`](crate::descent::Tolerances::target),
/// [`gradient`](crate::descent::Tolerances::gradient) or the limit of steps. It then reports its best point.
///
/// Adam is for noisy gradients and for networks. Where the gradient is exact and the parameters are few or smooth,
/// [`Lbfgs`](super::Lbfgs) and natural directions take far fewer steps.
///
/// ```
/// use pullback::{Descent, Grid, loss::L2Misfit, models::{GaussianMixture, Parameter}};
/// use pullback::{descent::Tolerances, direction::Adam, step::Decaying};
/// let mixture = GaussianMixture::new(&Grid::new(&[(-5.0, 5.0, 100)])?)
///     .component(1.0, &[0.0], 1.0)
///     .free(&[Parameter::Mean(0, 0), Parameter::Variance(0)])?;
/// let loss = L2Misfit::new(mixture.grid(), mixture.density(&[0.5, 1.5])?)?;
/// let (adam, rate) = (Adam::default(), Decaying { scale: 0.05, ..Decaying::default() });
/// let tolerances = Tolerances { gradient: 1e-4, ..Tolerances::default() };
/// let descent = Descent::new(&mixture, &loss).direction(&adam).step(&rate).tolerances(tolerances);
/// let report = descent.run(&[0.0, 1.0], |_| ())?;
/// assert!(report.converged() && (report.theta[1] - 1.5).abs() < 1e-2, "{report}");
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Adam {
    /// Fraction β₁ of the mean gradient that remains in every step.
    pub beta1: f64,
    /// Fraction β₂ of the mean square that remains in every step.
    pub beta2: f64,
    /// Size ε of a partial derivative that counts as zero, in the units of the objective: where the objective is multiplied by a
    /// number, multiply ε too.
    pub epsilon: f64,
}

impl Default for Adam {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
        }
    }
}

impl Direction for Adam {
    fn begin(&self) -> Box<dyn Finder + '_> {
        Box::new(Moments {
            options: self,
            state: State::default(),
        })
    }

    fn check(&self) -> Result<()> {
        for (what, beta) in [
            ("the β₁ of Adam", self.beta1),
            ("the β₂ of Adam", self.beta2),
        ] {
            let sound = (0.0..1.0).contains(&beta);
            check::option(
                what,
                beta,
                sound,
                "give a number from 0 to below 1, such as 0.9 or 0.999",
            )?;
        }
        let sound = self.epsilon > 0.0 && self.epsilon.is_finite();
        check::option(
            "the ε of Adam",
            self.epsilon,
            sound,
            "give a small positive number, such as 1e-8",
        )
    }

    fn needs_schedule(&self) -> bool {
        true
    }

    fn needs_metric(&self) -> bool {
        false
    }

    fn name(&self) -> &'static str {
        "Adam"
    }
}

/// Finder of Adam's steps in one run.
struct Moments<'o> {
    options: &'o Adam,
    state: State,
}

/// Running means of all parameters.
#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    /// Number of gradients in the means.
    count: i32,
    /// Last gradient.
    gradient: Vec<f64>,
    /// Number of steps of the run before the last gradient.
    iteration: Option<usize>,
    first: Vec<f64>,
    second: Vec<f64>,
}

impl State {
    /// Adds the gradient at a point to the means, once.
    fn follow(&mut self, at: &Local<'_>, options: &Adam) {
        let dim = at.coordinates.len();
        self.first.resize(dim, 0.0);
        self.second.resize(dim, 0.0);
        // A search asks again at the same point after it has held parameters at their bounds.
        if self.iteration.replace(at.iteration) != Some(at.iteration) {
            self.count = self.count.saturating_add(1);
            let mut gradient = vec![0.0; dim];
            at.free()
                .iter()
                .zip(at.grad)
                .for_each(|(&i, g)| gradient[i] = *g);
            if at.full_gradient.len() == dim {
                gradient.copy_from_slice(at.full_gradient);
            }
            let means = self.first.iter_mut().zip(&mut self.second).zip(&gradient);
            means.for_each(|((m, v), g)| {
                *m = options.beta1 * *m + (1.0 - options.beta1) * g;
                *v = options.beta2 * *v + (1.0 - options.beta2) * g * g;
            });
            self.gradient = gradient;
        }
        // A parameter at its bound must not gather momentum beyond it.
        clear_held(at, &mut self.first);
    }
}

impl Finder for Moments<'_> {
    fn prepare<'a>(&'a mut self, at: &Local<'a>) -> Result<Box<dyn Path + 'a>> {
        let Adam {
            beta1,
            beta2,
            epsilon,
        } = *self.options;
        self.state.follow(at, self.options);
        // The means begin at 0, and the first n gradients have the total weight 1 − βⁿ.
        let weight = |beta: f64| 1.0 - beta.powi(self.state.count);
        let mean = |all: &[f64], weight: f64| -> Vec<f64> {
            free_entries(at, all).iter().map(|m| m / weight).collect()
        };
        let first = mean(&self.state.first, weight(beta1));
        let second = mean(&self.state.second, weight(beta2));
        let pairs = first.iter().zip(&second);
        let eta: Vec<f64> = pairs.map(|(m, v)| -m / (v.sqrt() + epsilon)).collect();
        // With the Hessian diag(√v̂ + ε), ηᵀHη = −m̂·η.
        Ok(Box::new(AdamPath {
            slope: dot(at.grad, &eta),
            curvature: -dot(&first, &eta),
            eta,
        }))
    }

    /// Makes the last gradient the mean.
    fn brake(&mut self) -> bool {
        let weight = 1.0 - self.options.beta1.powi(self.state.count);
        let gradient = self.state.gradient.iter();
        self.state.first = gradient.map(|g| weight * g).collect();
        true
    }

    fn memory(&self) -> Result<Remembered> {
        Remembered::new(&self.state)
    }

    fn recall(&mut self, memory: &Remembered) -> Result<()> {
        self.state = memory.get()?;
        Ok(())
    }
}

/// Steps along one direction, which damping shortens.
struct AdamPath {
    eta: Vec<f64>,
    slope: f64,
    curvature: f64,
}

impl Path for AdamPath {
    fn at(&mut self, damping: f64) -> Result<Proposal> {
        let t = 1.0 / (1.0 + damping);
        Ok(Proposal {
            eta: self.eta.iter().map(|eta| t * eta).collect(),
            predicted: -t * self.slope - 0.5 * t * t * self.curvature,
            rank: self.eta.len(),
        })
    }
}
