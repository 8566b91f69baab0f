//! Natural direction of layered models by Kronecker factors.

mod error;
mod factors;

pub use self::error::NotLayered;

use faer::{Mat, MatRef};

use self::factors::Factors;
use super::{Direction, Finder, Local, Path, Proposal, Remembered};
use crate::check;
use crate::error::Result;
use crate::hessian::{Curvature, GaussNewton};
use crate::random;
use crate::vector::dot;

/// Direction η = −α (G̃ + λI)⁻¹∇ by Kronecker factors (K-FAC, Martens and Grosse 2015), for models with layers, such as
/// [`Network`](crate::models::Network).
///
/// The block of G = ZᵀMZ of every layer is replaced by A ⊗ B, with the mean A of a aᵀ over the inputs a of the layer and the
/// sum B of δ δᵀ over random covectors pulled back to its outputs. A direction then takes two small Cholesky factorisations
/// per layer, whatever the number of samples. Blocks between layers are left out. Damping is shared by both factors (section
/// 6.3). The length α is that of the exact quadratic model (section 6.4), by one product with G.
///
/// Factors are averaged over the points of a run, so that batches of data need not determine them alone. Priors count in the
/// gradient and in α, not in the factors.
///
/// ```
/// use pullback::direction::Kfac;
/// use pullback::faer::Mat;
/// use pullback::loss::Softmax;
/// use pullback::models::{Activation, Network};
/// use pullback::step::Fixed;
/// use pullback::{Descent, Loss};
/// let inputs = Mat::from_fn(2, 30, |d, n| (1.0 + d as f64 + 0.7 * n as f64).sin());
/// let labels = (0..30).map(|n| usize::from(inputs[(0, n)] * inputs[(1, n)] > 0.0)).collect();
/// let network = Network::new(&inputs, &[8, 2], Activation::Tanh)?;
/// let loss = Softmax::new(2, labels)?.mean();
/// let (kfac, step) = (Kfac::default(), Fixed::default());
/// let descent = Descent::new(&network, &loss).direction(&kfac).step(&step);
/// let mut run = descent.begin(&network.initial(1))?;
/// for _ in 0..50 {
///     run.step()?;
/// }
/// assert!(run.loss() < 0.05, "{}", run.loss());
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Kfac {
    /// Damping λ, to which that of the step rule is added.
    pub damping: f64,
    /// Largest weight of the past in the averages of the factors, which is 1 − 1/t at the point t until it reaches this value.
    pub memory: f64,
    /// Number of random covectors at every point.
    pub draws: usize,
    /// Seed of the covectors.
    pub seed: u64,
}

impl Default for Kfac {
    fn default() -> Self {
        Self {
            damping: 1e-3,
            memory: 0.95,
            draws: 1,
            seed: 0,
        }
    }
}

impl Direction for Kfac {
    fn begin(&self) -> Box<dyn Finder + '_> {
        Box::new(Averages {
            options: self,
            factors: Vec::new(),
            points: 0,
        })
    }

    fn check(&self) -> Result<()> {
        let (damping, memory) = (self.damping, self.memory);
        let sound = damping >= 0.0 && damping.is_finite();
        let remedy = "give a number that is not negative, such as 1e-3";
        check::option("the damping of K-FAC", damping, sound, remedy)?;
        let sound = (0.0..1.0).contains(&memory);
        let remedy = "give a weight from 0 to below 1, such as 0.95";
        check::option("the memory of K-FAC", memory, sound, remedy)?;
        let (draws, some) = (self.draws as f64, self.draws > 0);
        check::option("the draws of K-FAC", draws, some, "take at least one")
    }

    fn name(&self) -> &'static str {
        "K-FAC"
    }
}

/// Finder with averages of the factors of all layers.
struct Averages<'o> {
    options: &'o Kfac,
    factors: Vec<Factors>,
    /// Number of points so far.
    points: usize,
}

impl Averages<'_> {
    /// Adds the factors at a point to the averages.
    fn add(&mut self, at: &Local<'_>) -> Result<()> {
        let Kfac { draws, seed, .. } = *self.options;
        let root = at.metric()?;
        self.points += 1;
        // w = Lᵀξ has the mean square M for independent signs ξ. For a diagonal M every draw gives it exactly; for logits the
        // mean over the samples leaves little to chance.
        let mut signs = Mat::zeros(root.lifted_dim(), draws);
        for j in 0..draws {
            let stream = (self.points * draws + j) as u64;
            random::fill_signs(signs.col_as_slice_mut(j), seed, stream);
        }
        let found = at.z.kronecker(root.lower(signs.as_ref())?.as_ref())?;
        let new: Vec<Factors> = found
            .ok_or(NotLayered)?
            .into_iter()
            .map(Factors::new)
            .collect();
        if self.factors.is_empty() {
            self.factors = new;
            return Ok(());
        }
        let past = (1.0 - (self.points as f64).recip()).min(self.options.memory);
        let what = "the number of layers, which changed from step to step,";
        check::length(what, new.len(), self.factors.len())?;
        let mut pairs = self.factors.iter_mut().zip(&new);
        pairs.try_for_each(|(factors, new)| factors.average(new, past))
    }
}

impl Finder for Averages<'_> {
    fn prepare<'a>(&'a mut self, at: &Local<'a>) -> Result<Box<dyn Path + 'a>> {
        self.add(at)?;
        Ok(Box::new(KfacPath {
            factors: &self.factors,
            damping: self.options.damping,
            grad: at.grad,
            free: at.free(),
            parameters: at.coordinates.len(),
            curvature: at.curvature()?,
        }))
    }

    fn memory(&self) -> Result<Remembered> {
        let factors: Vec<_> = self.factors.iter().map(Factors::to_parts).collect();
        Remembered::new(&(self.points, factors))
    }

    fn recall(&mut self, memory: &Remembered) -> Result<()> {
        let (points, factors): (usize, Vec<_>) = memory.get()?;
        self.points = points;
        let factors = factors.into_iter().map(Factors::from_parts);
        self.factors = factors.collect::<Result<_>>()?;
        Ok(())
    }
}

struct KfacPath<'a> {
    factors: &'a [Factors],
    damping: f64,
    grad: &'a [f64],
    free: &'a [usize],
    /// Number of parameters, free or not.
    parameters: usize,
    curvature: GaussNewton<'a>,
}

impl Path for KfacPath<'_> {
    fn at(&mut self, damping: f64) -> Result<Proposal> {
        let damping = self.damping + damping;
        // Where bounds hold some parameters, (G̃ + λI)⁻¹ of all of them takes the place of that of the free ones, which has no Kronecker
        // form. Its block is positive definite too, so that the step descends.
        let mut grad = vec![0.0; self.parameters];
        let pairs = self.free.iter().zip(self.grad);
        pairs.for_each(|(&i, g)| grad[i] = *g);
        let mut solved = vec![0.0; self.parameters];
        for factors in self.factors {
            factors.solve(damping, &grad, &mut solved)?;
        }
        let eta: Vec<f64> = self.free.iter().map(|&i| -solved[i]).collect();
        // Along η the model f + α∇·η + ½ α² ηᵀ(G + λI)η has its minimum at α = −∇·η/(ηᵀGη + λ‖η‖²).
        let column = MatRef::from_column_major_slice(&eta, eta.len(), 1);
        let product = self.curvature.product(column)?;
        let (slope, second) = (dot(self.grad, &eta), dot(product.col_as_slice(0), &eta));
        let total = second + damping * dot(&eta, &eta);
        let alpha = if total > 0.0 { -slope / total } else { 1.0 };
        Ok(Proposal {
            eta: eta.iter().map(|eta| alpha * eta).collect(),
            predicted: -alpha * slope - 0.5 * alpha * alpha * second,
            rank: self.grad.len(),
        })
    }
}
