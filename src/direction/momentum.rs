//! Momentum over any direction.

use serde::{Deserialize, Serialize};

use super::gradient::Gradient;
use super::inner::{recall, remember};
use super::last_point::{LastPoint, clear_held, free_entries};
use super::{Direction, Finder, Local, Path, Proposal, Remembered};
use crate::check;
use crate::error::Result;
use crate::vector::dot;

/// Momentum v ← βv + p over the steps p of another direction: heavy ball (Polak 1964), or Nesterov's method.
///
/// A step is η = v, or η = p + βv with `nesterov`. The latter is Nesterov's method (1983) in terms of the points where it takes
/// gradients, so that it needs one gradient a step (Sutskever, Martens, Dahl and Hinton 2013). A step takes the solves of the inner
/// direction. Over a natural direction this is natural gradient descent with momentum.
///
/// The step rule is [`Fixed`](crate::step::Fixed) or [`Decaying`](crate::step::Decaying). The objective may rise on the way, and rules
/// that want a decrease would reject what momentum is for. The run ends where the inner direction predicts that nothing
/// remains to gain, and reports its last point, unless an earlier one was better.
///
/// v is the actual change of the parameters in the last step, divided by its scale: a parameter that a bound stops or
/// holds has no momentum.
///
/// ```
/// use pullback::{Descent, Grid, loss::L2Misfit, models::{GaussianMixture, Parameter}};
/// use pullback::{direction::{LeastSquares, Momentum}, step::Fixed};
/// let mixture = GaussianMixture::new(&Grid::new(&[(-5.0, 5.0, 100)])?)
///     .component(1.0, &[0.0], 1.0)
///     .free(&[Parameter::Mean(0, 0), Parameter::Variance(0)])?;
/// let loss = L2Misfit::new(mixture.grid(), mixture.density(&[0.5, 1.5])?)?;
/// let natural = LeastSquares::default();
/// let (momentum, rate) = (Momentum { beta: 0.3, ..Momentum::new(&natural) }, Fixed { scale: 0.5 });
/// let descent = Descent::new(&mixture, &loss).direction(&momentum).step(&rate);
/// let report = descent.run(&[0.0, 1.0], |_| ())?;
/// assert!(report.converged() && (report.theta[1] - 1.5).abs() < 1e-6, "{report}");
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Momentum<'a> {
    /// Fraction β of the momentum that remains in every step.
    pub beta: f64,
    /// Whether to look ahead, as Nesterov does.
    pub nesterov: bool,
    /// Direction that gathers momentum.
    pub inner: &'a dyn Direction,
}

impl Default for Momentum<'_> {
    fn default() -> Self {
        Self::new(&Gradient)
    }
}

impl<'a> Momentum<'a> {
    /// Creates the heavy ball with β = 0.9 over a direction.
    pub fn new(inner: &'a dyn Direction) -> Self {
        Self {
            beta: 0.9,
            nesterov: false,
            inner,
        }
    }
}

impl Direction for Momentum<'_> {
    fn begin(&self) -> Box<dyn Finder + '_> {
        Box::new(Moving {
            options: self,
            inner: self.inner.begin(),
            state: State::default(),
        })
    }

    fn check(&self) -> Result<()> {
        check::option(
            "the β of momentum",
            self.beta,
            (0.0..1.0).contains(&self.beta),
            "give a number from 0 to below 1, such as 0.9",
        )?;
        self.inner.check()
    }

    fn needs_metric(&self) -> bool {
        self.inner.needs_metric()
    }

    fn needs_precision(&self, parameters: usize) -> bool {
        self.inner.needs_precision(parameters)
    }

    fn fits_batches(&self) -> bool {
        self.inner.fits_batches()
    }

    fn needs_schedule(&self) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        match self.nesterov {
            true => "Nesterov momentum",
            false => "momentum",
        }
    }
}

/// Finder of steps with momentum in one run.
struct Moving<'o> {
    options: &'o Momentum<'o>,
    inner: Box<dyn Finder + 'o>,
    state: State,
}

/// Momentum of all parameters.
#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    last: LastPoint,
    velocity: Vec<f64>,
}

impl State {
    /// Moves to a point, and updates the momentum by the step to it.
    fn follow(&mut self, at: &Local<'_>, options: &Momentum<'_>) {
        let change = self.last.follow(at);
        self.velocity.resize(at.coordinates.len(), 0.0);
        if let Some((change, scale)) = change.zip(at.last_scale) {
            let both = self.velocity.iter_mut().zip(&change.step);
            both.for_each(|(v, step)| {
                // The heavy ball has η = v. Nesterov's η = p + βv with v = βv′ + p gives p = (η − β²v′)/(1 + β), hence
                // v = (η + βv′)/(1 + β).
                let eta = step / scale;
                *v = match options.nesterov {
                    true => (eta + options.beta * *v) / (1.0 + options.beta),
                    false => eta,
                };
            });
        }
        clear_held(at, &mut self.velocity);
    }
}

impl Finder for Moving<'_> {
    fn prepare<'a>(&'a mut self, at: &Local<'a>) -> Result<Box<dyn Path + 'a>> {
        self.state.follow(at, self.options);
        let Momentum { beta, nesterov, .. } = *self.options;
        // p + βv with v = βv′ + p is (1 + β)p + β²v′.
        let factors = if nesterov {
            (1.0 + beta, beta * beta)
        } else {
            (1.0, beta)
        };
        Ok(Box::new(MomentumPath {
            inner: self.inner.prepare(at)?,
            factors,
            velocity: free_entries(at, &self.state.velocity),
            grad: at.grad,
        }))
    }

    fn brake(&mut self) -> bool {
        let moved = self.state.velocity.iter().any(|v| *v != 0.0);
        self.state.velocity.fill(0.0);
        self.inner.brake() || moved
    }

    fn memory(&self) -> Result<Remembered> {
        let name = self.options.inner.name().to_string();
        remember(&name, &self.state, self.inner.as_ref())
    }

    fn recall(&mut self, memory: &Remembered) -> Result<()> {
        let name = self.options.inner.name().to_string();
        self.state = recall(memory, name, self.inner.as_mut())?;
        Ok(())
    }
}

/// Steps of the inner direction with a share of the momentum.
struct MomentumPath<'a> {
    inner: Box<dyn Path + 'a>,
    /// Factors of the inner step and of the momentum.
    factors: (f64, f64),
    velocity: Vec<f64>,
    grad: &'a [f64],
}

impl Path for MomentumPath<'_> {
    fn at(&mut self, damping: f64) -> Result<Proposal> {
        let inner = self.inner.at(damping)?;
        let (step, share) = self.factors;
        // Damping shortens the momentum as it does a step along the gradient.
        let share = share / (1.0 + damping);
        let pairs = inner.eta.iter().zip(&self.velocity);
        // The model of the inner step p falls by −∇f·p − ½pᵀGp, and by −a∇f·p − ½a²pᵀGp for a multiple ap. The curvature
        // along the momentum is unknown: its part of the prediction is that of the slope.
        let slope = dot(self.grad, &inner.eta);
        let bend = -slope - inner.predicted;
        Ok(Proposal {
            eta: pairs.map(|(p, v)| step * p + share * v).collect(),
            predicted: -step * slope - step * step * bend - share * dot(self.grad, &self.velocity),
            rank: inner.rank,
        })
    }

    /// Returns the undamped step without momentum, which tells what remains to gain.
    fn undamped(&mut self) -> Option<Proposal> {
        self.inner.undamped()
    }

    fn norms(&self) -> &[f64] {
        self.inner.norms()
    }

    fn remark(&self) -> Option<String> {
        self.inner.remark()
    }
}
