//! Quasi-Newton direction of limited memory.

use std::borrow::Cow;
use std::collections::VecDeque;

use faer::MatRef;
use serde::{Deserialize, Serialize};

use super::last_point::{Change, LastPoint, first_length, free_entries};
use super::{Direction, Finder, Local, Path, Proposal, Remembered};
use crate::check;
use crate::error::Result;
use crate::prior::PriorTerms;
use crate::vector::{dot, norm};

/// Quasi-Newton direction η = −H∇f, where H is the inverse BFGS matrix of the last steps of the run (Nocedal 1980).
///
/// A step takes no solves besides the gradient, and no metric: the changes s of the parameters and y of the gradient in the last
/// `memory` steps tell the curvature along them. [`StrongWolfe`](crate::step::StrongWolfe) steps make s·y positive. Other pairs
/// are left out, and so are those in which a parameter has moved that a bound holds now.
///
/// The initial matrix is γI, where γ follows the last step. With [`by_prior`](Lbfgs::by_prior) it is C⁻¹ with the precision C of the
/// priors. The Hessian is G + C, so that C is exact wherever the data see nothing, and only the data have to be learnt. This pays where
/// data are noisy: for a Darcy flow with 256 unknowns, nine pressures and errors of 0.1 it takes 22 steps in place of 311. With errors
/// of 0.01 and less the identity takes fewer.
///
/// Damping is proportional to the initial matrix. The pairs (s, y + λ D s) with D = C or I/γ, which are those of the damped
/// objective, then replace (s, y) (Tankaria, Sugimoto and Yamashita 2022).
///
/// ```
/// use pullback::{Descent, Grid, Noise, Side};
/// use pullback::direction::Lbfgs;
/// use pullback::loss::Observations;
/// use pullback::models::{Darcy, End};
/// use pullback::prior::Matern;
/// use pullback::step::StrongWolfe;
/// let grid = Grid::new(&[(0.0, 1.0, 16), (0.0, 1.0, 16)])?;
/// let model = Darcy::new(&grid)?.pressure(0, End::Lower, 1.0)?.pressure(0, End::Upper, 0.0)?;
/// let truth = grid.sample(|x| (6.0 * x[0]).sin() * x[1]);
/// let points: Vec<[f64; 2]> = (0..25).map(|i| [0.1 + 0.2 * (i / 5) as f64, 0.1 + 0.2 * (i % 5) as f64]).collect();
/// let wells = model.observe(&points)?;
/// let data = wells.apply_to(Side::Plain, &model.pressures(&truth)?)?;
/// let loss = Observations::new(wells, data, Noise::uniform(25, 1e-2)?)?;
/// let prior = Matern::new(&grid, 1.0, 0.5)?;
/// let (lbfgs, wolfe) = (Lbfgs::default(), StrongWolfe::default());
/// let descent = Descent::new(&model, &loss).prior(&prior).direction(&lbfgs).step(&wolfe);
/// let report = descent.run(&[0.0; 256], |_| ())?;
/// assert!(report.converged() && report.counts.tangent_solves == 0, "{report}");
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Lbfgs {
    /// Largest number of steps that are remembered.
    pub memory: usize,
    /// Whether the precision of the priors makes the initial matrix, false by default. It takes a prior, and priors must be positive definite, as
    /// [`Smoothness`](crate::prior::Smoothness) without a range is not.
    pub by_prior: bool,
}

impl Default for Lbfgs {
    fn default() -> Self {
        Self {
            memory: 10,
            by_prior: false,
        }
    }
}

impl Direction for Lbfgs {
    fn begin(&self) -> Box<dyn Finder + '_> {
        Box::new(QuasiNewton {
            options: self,
            history: History::default(),
        })
    }

    fn check(&self) -> Result<()> {
        check::option(
            "the memory of L-BFGS",
            self.memory as f64,
            self.memory > 0,
            "remember at least one step, such as 10",
        )
    }

    fn needs_metric(&self) -> bool {
        false
    }

    fn needs_precision(&self, _: usize) -> bool {
        self.by_prior
    }

    fn fits_batches(&self) -> bool {
        false
    }

    fn name(&self) -> &'static str {
        "L-BFGS"
    }
}

/// Cosine of the angle between step and change of the gradient below which the curvature along the step counts as rounding.
const FLAT: f64 = 1e-12;

/// Last steps of a run.
#[derive(Debug, Default, Serialize, Deserialize)]
struct History {
    pairs: VecDeque<Pair>,
    last: LastPoint,
}

/// Step s of all parameters, and the change y of the gradient.
#[derive(Debug, Serialize, Deserialize)]
struct Pair {
    step: Vec<f64>,
    gradient: Vec<f64>,
}

impl History {
    /// Adds the step to a point, unless the objective has no positive curvature along it.
    fn add(&mut self, Change { step, gradient }: Change, memory: usize) {
        let curved = dot(&step, &gradient) > FLAT * norm(&step) * norm(&gradient);
        if curved {
            self.pairs.push_back(Pair { step, gradient });
        }
        while self.pairs.len() > memory {
            self.pairs.pop_front();
        }
    }

    /// Returns γ = s·y / y·y, by which γy ≈ s, of the last pair that has a positive curvature in the free parameters.
    fn size(&self, at: &Local<'_>) -> Option<f64> {
        // A pair that `of_free` leaves out, as a held parameter moved in it, still tells a scale.
        self.pairs.iter().rev().find_map(|pair| {
            let [s, y] = [&pair.step, &pair.gradient].map(|x| free_entries(at, x));
            let curvature = dot(&s, &y);
            (curvature > FLAT * norm(&s) * norm(&y)).then(|| curvature / dot(&y, &y))
        })
    }

    /// Returns the pairs of the free parameters, the oldest first.
    fn of_free<'a>(&'a self, at: &Local<'_>) -> Vec<FreePair<'a>> {
        let mut held = vec![true; at.coordinates.len()];
        at.free().iter().for_each(|&i| held[i] = false);
        // The change of the gradient is y = A s with the Hessian A. Only where s vanishes at all held parameters, the free
        // entries of y are those of the free block of A times the free entries of s.
        let fits = |pair: &&Pair| (0..held.len()).all(|i| !held[i] || pair.step[i] == 0.0);
        let all = at.free().len() == at.coordinates.len();
        let entries = |of: &'a [f64]| match all {
            true => Cow::Borrowed(of),
            false => Cow::Owned(free_entries(at, of)),
        };
        let pairs = self.pairs.iter().filter(fits);
        pairs
            .map(|pair| FreePair {
                step: entries(&pair.step),
                gradient: entries(&pair.gradient),
            })
            .collect()
    }
}

/// Finder of quasi-Newton directions in one run.
struct QuasiNewton<'o> {
    options: &'o Lbfgs,
    history: History,
}

impl Finder for QuasiNewton<'_> {
    fn prepare<'a>(&'a mut self, at: &Local<'a>) -> Result<Box<dyn Path + 'a>> {
        if let Some(change) = self.history.last.follow(at) {
            self.history.add(change, self.options.memory);
        }
        let by_prior = self.options.by_prior;
        check::option(
            "the option `by_prior` of L-BFGS, which begins from a prior,",
            1.0,
            at.prior.is_some() || !by_prior,
            "there is none here: give the descent a prior, or leave the option out",
        )?;
        let reference = Reference(at.prior.filter(|_| by_prior));
        let pairs = self.history.of_free(at);
        // With H = G + C the Hessian is C where the data see nothing. Another factor than 1 would spoil it there.
        let size = match reference.0 {
            Some(_) => 1.0,
            None => (self.history.size(at)).unwrap_or_else(|| first_length(at) / norm(at.grad)),
        };
        let unknown = !size.is_normal();
        Ok(Box::new(QuasiNewtonPath {
            products: pairs
                .iter()
                .map(|pair| dot(&pair.step, &pair.gradient))
                .collect(),
            norms: match reference.0 {
                // Without a preconditioner all columns count alike, as in the damping.
                None => vec![1.0; at.grad.len()],
                Some(_) => Vec::new(),
            },
            pairs,
            size: if unknown { 1.0 } else { size },
            grad: at.grad,
            reference,
            bent: None,
            undamped: None,
        }))
    }

    fn memory(&self) -> Result<Remembered> {
        Remembered::new(&self.history)
    }

    fn recall(&mut self, memory: &Remembered) -> Result<()> {
        self.history = memory.get()?;
        Ok(())
    }
}

/// Matrix C of the initial matrix γC⁻¹: the precision of the priors, for which γ is 1, or the identity.
#[derive(Clone, Copy)]
struct Reference<'a>(Option<&'a PriorTerms<'a>>);

impl Reference<'_> {
    fn solve(&self, x: &[f64]) -> Result<Vec<f64>> {
        let Some(prior) = self.0 else {
            return Ok(x.to_vec());
        };
        let solved = prior.solve(MatRef::from_column_major_slice(x, x.len(), 1))?;
        Ok(solved.col_as_slice(0).to_vec())
    }

    fn apply(&self, x: &[f64]) -> Result<Vec<f64>> {
        let Some(prior) = self.0 else {
            return Ok(x.to_vec());
        };
        let product = prior.curvature(MatRef::from_column_major_slice(x, x.len(), 1))?;
        Ok(product.col_as_slice(0).to_vec())
    }
}

/// Pair with the entries of the free parameters.
struct FreePair<'a> {
    step: Cow<'a, [f64]>,
    gradient: Cow<'a, [f64]>,
}

/// Directions −H∇f for all dampings.
struct QuasiNewtonPath<'a> {
    pairs: Vec<FreePair<'a>>,
    /// Products s·y.
    products: Vec<f64>,
    norms: Vec<f64>,
    /// Factor γ of the initial matrix.
    size: f64,
    grad: &'a [f64],
    reference: Reference<'a>,
    /// Products C s and s·Cs, once a damped direction needs them.
    bent: Option<Vec<(Vec<f64>, f64)>>,
    undamped: Option<Proposal>,
}

impl QuasiNewtonPath<'_> {
    /// Returns C s and s·Cs for every pair.
    fn bent(&mut self) -> Result<Vec<(Vec<f64>, f64)>> {
        if let Some(bent) = self.bent.take() {
            return Ok(bent);
        }
        let products = self.pairs.iter().map(|pair| {
            let product = self.reference.apply(&pair.step)?;
            let square = dot(&pair.step, &product);
            Ok((product, square))
        });
        products.collect()
    }

    /// Returns −H∇f with the pairs (s, y + σ C s) and the initial matrix `size`·C⁻¹.
    fn recursion(&self, size: f64, sigma: f64, bent: &[(Vec<f64>, f64)]) -> Result<Vec<f64>> {
        // H = (I − s yᵀ/s·y) H′ (I − y sᵀ/s·y) + s sᵀ/s·y, with H′ from the older pairs. The first loop applies the factors on
        // the right from the last pair to the first, the second loop those on the left.
        let shift = |i: usize, x: &mut [f64], factor: f64| {
            add(x, factor, &self.pairs[i].gradient);
            if let Some((product, _)) = bent.get(i) {
                add(x, factor * sigma, product);
            }
        };
        let along = |i: usize, x: &[f64]| {
            let bent = bent.get(i).map_or(0.0, |(product, _)| dot(product, x));
            dot(&self.pairs[i].gradient, x) + sigma * bent
        };
        let product = |i: usize| {
            let square = bent.get(i).map_or(0.0, |(_, square)| *square);
            self.products[i] + sigma * square
        };
        let count = self.pairs.len();
        let mut x: Vec<f64> = self.grad.iter().map(|g| -g).collect();
        let mut parts = vec![0.0; count];
        for i in (0..count).rev() {
            parts[i] = dot(&self.pairs[i].step, &x) / product(i);
            shift(i, &mut x, -parts[i]);
        }
        let mut eta = self.reference.solve(&x)?;
        eta.iter_mut().for_each(|eta| *eta *= size);
        for (i, part) in parts.iter().enumerate() {
            let part = part - along(i, &eta) / product(i);
            add(&mut eta, part, &self.pairs[i].step);
        }
        Ok(eta)
    }

    fn damped(&mut self, damping: f64) -> Result<Proposal> {
        // D = C/γ: the damped matrix B + λD has the initial matrix (1 + λ)C/γ.
        let sigma = damping / self.size;
        let bent = self.bent()?;
        let eta = self.recursion(self.size / (1.0 + damping), sigma, &bent)?;
        self.bent = Some(bent);
        let slope = -dot(self.grad, &eta);
        // ηᵀ(B + λD)η = −∇f·η, so that the undamped model falls by −∇f·η − ½ ηᵀBη = ½(−∇f·η + λ ηᵀDη).
        let square = dot(&eta, &self.reference.apply(&eta)?);
        Ok(Proposal {
            predicted: slope.min(0.5 * (slope + sigma * square)),
            rank: eta.len(),
            eta,
        })
    }
}

impl Path for QuasiNewtonPath<'_> {
    fn at(&mut self, damping: f64) -> Result<Proposal> {
        if damping > 0.0 {
            return self.damped(damping);
        }
        if let Some(known) = &self.undamped {
            return Ok(known.clone());
        }
        let eta = self.recursion(self.size, 0.0, &[])?;
        let proposal = Proposal {
            predicted: -0.5 * dot(self.grad, &eta),
            rank: eta.len(),
            eta,
        };
        self.undamped = Some(proposal.clone());
        Ok(proposal)
    }

    fn undamped(&mut self) -> Option<Proposal> {
        self.at(0.0).ok()
    }

    fn norms(&self) -> &[f64] {
        &self.norms
    }
}

/// Adds a multiple of b to a.
fn add(a: &mut [f64], factor: f64, b: &[f64]) {
    a.iter_mut().zip(b).for_each(|(a, b)| *a += factor * b);
}
