//! Nonlinear conjugate gradients.

use serde::{Deserialize, Serialize};

use super::gradient::Gradient;
use super::inner::{recall, remember};
use super::last_point::{Change, LastPoint, first_length, free_entries};
use super::{Direction, Finder, Local, Path, Proposal, Remembered};
use crate::error::Result;
use crate::vector::{dot, norm};

/// Direction d = −P∇f + βd′ of nonlinear conjugate gradients, where d′ is the direction of the step before.
///
/// P∇f is the step of an inner direction, which preconditions: the gradient unless [`new`](NonlinearCg::new) gives another one. A
/// step takes the solves of the inner direction, none for the gradient, and memory for three vectors. Lengths of steps must
/// be close to the minimum along the direction ([`StrongWolfe::close`](crate::step::StrongWolfe::close)).
///
/// β = 0 restarts the method: after five times as many steps as there are free parameters, where bounds hold other parameters or
/// stopped one on the way, where successive gradients are far from orthogonal (Powell 1977), and where d would hardly descend.
/// The proposed step is d times a guess of the length, by which the slope changes as much as in the last step.
///
/// ```
/// use pullback::{Descent, Grid, loss::L2Misfit, models::{GaussianMixture, Parameter}};
/// use pullback::{direction::NonlinearCg, step::StrongWolfe};
/// let mixture = GaussianMixture::new(&Grid::new(&[(-5.0, 5.0, 100)])?)
///     .component(1.0, &[0.0], 1.0)
///     .free(&[Parameter::Mean(0, 0), Parameter::Variance(0)])?;
/// let loss = L2Misfit::new(mixture.grid(), mixture.density(&[0.5, 1.5])?)?;
/// let (conjugate, wolfe) = (NonlinearCg::default(), StrongWolfe::close());
/// let descent = Descent::new(&mixture, &loss).direction(&conjugate).step(&wolfe);
/// let report = descent.run(&[0.0, 1.0], |_| ())?;
/// assert!(report.converged() && (report.theta[1] - 1.5).abs() < 1e-6, "{report}");
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct NonlinearCg<'a> {
    /// Formula for β.
    pub formula: Conjugacy,
    /// Direction that preconditions.
    pub inner: &'a dyn Direction,
}

/// Formula for the factor β of nonlinear conjugate gradients, with p = P∇f, y the change of ∇f, and primes for the step before.
///
/// On a quadratic objective with exact steps all are equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conjugacy {
    /// Formula max(0, y·p/∇f′·p′), which restarts by itself after a short step (Polak and Ribière 1969; Powell 1984).
    #[default]
    PolakRibiere,
    /// Formula max(0, y·p/d′·y) (Hestenes and Stiefel 1952), for which lengths of steps matter least.
    HestenesStiefel,
    /// Formula ∇f·p/∇f′·p′ (Fletcher and Reeves 1964).
    FletcherReeves,
}

impl Default for NonlinearCg<'_> {
    fn default() -> Self {
        Self::new(&Gradient)
    }
}

impl<'a> NonlinearCg<'a> {
    /// Creates the direction of Polak and Ribière, preconditioned by another direction.
    pub fn new(inner: &'a dyn Direction) -> Self {
        Self {
            formula: Conjugacy::default(),
            inner,
        }
    }
}

impl NonlinearCg<'_> {
    /// Returns a name by which a saved run recognises the formula and the inner direction.
    fn memory_name(&self) -> String {
        format!("{} with {:?}", self.inner.name(), self.formula)
    }
}

impl Direction for NonlinearCg<'_> {
    fn begin(&self) -> Box<dyn Finder + '_> {
        Box::new(Conjugate {
            options: self,
            inner: self.inner.begin(),
            state: State::default(),
        })
    }

    fn check(&self) -> Result<()> {
        self.inner.check()
    }

    fn needs_metric(&self) -> bool {
        self.inner.needs_metric()
    }

    fn needs_precision(&self, parameters: usize) -> bool {
        self.inner.needs_precision(parameters)
    }

    fn fits_batches(&self) -> bool {
        false
    }

    fn name(&self) -> &'static str {
        "nonlinear conjugate gradients"
    }
}

/// Finder of conjugate directions in one run.
struct Conjugate<'o> {
    options: &'o NonlinearCg<'o>,
    inner: Box<dyn Finder + 'o>,
    state: State,
}

/// Last direction of a run.
#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    last: LastPoint,
    /// Parameters that were free.
    free: Vec<usize>,
    /// Factor of the direction in the proposal.
    guess: f64,
    /// Norm ‖d‖ of the direction.
    norm: f64,
    /// Slope ∇f·d.
    slope: f64,
    /// Product ∇f·P∇f.
    square: f64,
    /// Number of steps since the last restart.
    steps: usize,
}

/// Last step and gradient for the free parameters.
struct Before {
    direction: Vec<f64>,
    gradient: Vec<f64>,
    /// Change y of the gradient.
    change: Vec<f64>,
}

/// Number of steps without a restart, as a multiple of the number of free parameters.
//
// A quadratic objective takes as many steps as there are parameters. Elsewhere a restart forgets what was learnt, which costs most
// with few parameters.
const RESTART: usize = 5;

/// Largest cosine of the angle between successive gradients, in the metric of P, without a restart.
const POWELL: f64 = 0.2;

/// Fraction of the slope along −P∇f that a direction must have.
const DESCENT: f64 = 0.01;

/// Largest relative deviation of the slope along the last step from that along the last direction without a restart.
const BENT: f64 = 1e-6;

/// Largest growth of the guess of a length from step to step.
const GROWTH: f64 = 10.0;

impl Finder for Conjugate<'_> {
    fn prepare<'a>(&'a mut self, at: &Local<'a>) -> Result<Box<dyn Path + 'a>> {
        let old = self.state.last.gradient.clone();
        let change = self.state.last.follow(at);
        let last = self.state.last_length(change.as_ref());
        let before = change.and_then(|change| self.state.before(at, &old, change));
        let mut path = self.inner.prepare(at)?;
        let p: Vec<f64> = path.at(0.0)?.eta.iter().map(|eta| -eta).collect();
        // The gradient knows nothing of the curvature, and predicts less than a parabola along the line.
        let remaining = match self.options.inner.needs_metric() {
            true => path.undamped(),
            false => None,
        };
        let remark = path.remark();
        drop(path);
        let square = dot(at.grad, &p);
        let conjugate = before.and_then(|b| {
            self.state
                .conjugate(self.options.formula, (at.grad, p.as_slice()), &b)
        });
        self.state.steps = if conjugate.is_some() {
            self.state.steps + 1
        } else {
            0
        };
        let d = conjugate.unwrap_or_else(|| p.iter().map(|p| -p).collect());
        let slope = dot(at.grad, &d);
        // A step of the length t changes the objective by about ½ t∇f·d, as much as the last one.
        let growth = (self.state.slope / slope).clamp(GROWTH.recip(), GROWTH);
        let guess = match last {
            Some(length) => length * growth,
            // A step in a metric has a length.
            None if self.options.inner.needs_metric() => 1.0,
            None => (first_length(at) / norm(&d)).min(1.0),
        };
        let guess = if guess.is_normal() { guess } else { 1.0 };
        self.state.free = at.free().to_vec();
        (self.state.guess, self.state.slope, self.state.square) = (guess, slope, square);
        self.state.norm = norm(&d);
        Ok(Box::new(ConjugatePath {
            eta: d.iter().map(|d| guess * d).collect(),
            slope: guess * slope,
            remaining,
            remark,
        }))
    }

    fn memory(&self) -> Result<Remembered> {
        let name = self.options.memory_name();
        remember(&name, &self.state, self.inner.as_ref())
    }

    fn recall(&mut self, memory: &Remembered) -> Result<()> {
        let name = self.options.memory_name();
        self.state = recall(memory, name, self.inner.as_mut())?;
        Ok(())
    }
}

impl State {
    /// Returns the factor of the last direction in the last step, or in the last proposal if nothing has `moved` since.
    fn last_length(&self, moved: Option<&Change>) -> Option<f64> {
        // The step itself tells its length, whatever scale and damping made it.
        let length = moved.map_or(self.guess, |change| norm(&change.step) / self.norm);
        (length > 0.0 && length.is_finite()).then_some(length)
    }

    /// Returns the last step with the gradient before it, unless it says nothing about the next one.
    fn before(&self, at: &Local<'_>, gradient: &[f64], change: Change) -> Option<Before> {
        if self.free != at.free() {
            return None;
        }
        let length = self.last_length(Some(&change))?;
        let before = Before {
            direction: free_entries(at, &change.step)
                .iter()
                .map(|s| s / length)
                .collect(),
            gradient: free_entries(at, gradient),
            change: free_entries(at, &change.gradient),
        };
        // A step that a bound or a transform has bent is not along the last direction.
        let slope = dot(&before.gradient, &before.direction);
        ((slope - self.slope).abs() <= BENT * self.slope.abs()).then_some(before)
    }

    /// Returns the direction −p + βd′ for the gradient g and p = P g, or None for a restart.
    fn conjugate(
        &self,
        formula: Conjugacy,
        (g, p): (&[f64], &[f64]),
        b: &Before,
    ) -> Option<Vec<f64>> {
        let square = dot(g, p);
        let is_old = self.steps + 1 >= RESTART * g.len();
        if is_old || dot(&b.gradient, p).abs() >= POWELL * square {
            return None;
        }
        let beta = match formula {
            Conjugacy::PolakRibiere => (dot(&b.change, p) / self.square).max(0.0),
            Conjugacy::HestenesStiefel => {
                (dot(&b.change, p) / dot(&b.direction, &b.change)).max(0.0)
            }
            Conjugacy::FletcherReeves => square / self.square,
        };
        let pairs = p.iter().zip(&b.direction);
        let d: Vec<f64> = pairs.map(|(p, old)| beta * old - p).collect();
        (-dot(g, &d) >= DESCENT * square).then_some(d)
    }
}

/// Steps along one direction, which damping shortens.
struct ConjugatePath {
    eta: Vec<f64>,
    slope: f64,
    /// Undamped step of the inner direction, which tells what remains to gain in all directions.
    remaining: Option<Proposal>,
    remark: Option<String>,
}

impl Path for ConjugatePath {
    fn at(&mut self, damping: f64) -> Result<Proposal> {
        // The guess expects the minimum along the direction at the scale 1, where a parabola has fallen by −½∇f·η.
        let t = 1.0 / (1.0 + damping);
        Ok(Proposal {
            eta: self.eta.iter().map(|eta| t * eta).collect(),
            predicted: -t * (1.0 - 0.5 * t) * self.slope,
            rank: self.eta.len(),
        })
    }

    fn undamped(&mut self) -> Option<Proposal> {
        self.remaining.clone().or_else(|| self.at(0.0).ok())
    }

    fn remark(&self) -> Option<String> {
        self.remark.clone()
    }
}
