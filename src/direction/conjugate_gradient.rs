//! The natural direction without a matrix, for any number of parameters.

use super::preconditioner::{Preconditioned, Preconditioner, Recycled};
use super::{Direction, Finder, Local, Path, Proposal};
use crate::check;
use crate::error::Result;
use crate::hessian::{End, Krylov, Limits};

/// η = −(G + Λ + λC)⁻¹ ∇f by preconditioned conjugate gradients, with nothing but products: a tangent and an adjoint
/// solve an iteration. Λ is the precision of the priors.
///
/// C is the preconditioner, by default Λ; damping is in proportion to it. The iteration runs
/// once a step, on the undamped system, and keeps its Krylov space, in which every damped system is solved for nothing:
/// a trust region in which rejected steps cost no solves.
///
/// ```
/// use pullback::{Descent, Grid, Noise};
/// use pullback::direction::ConjugateGradient;
/// use pullback::loss::Observations;
/// use pullback::models::{Darcy, End};
/// use pullback::prior::Matern;
/// let grid = Grid::new(&[(0.0, 1.0, 16), (0.0, 1.0, 16)])?;
/// let model = Darcy::new(&grid)?.pressure(0, End::Lower, 1.0)?.pressure(0, End::Upper, 0.0)?;
/// let truth = grid.sample(|x| (6.0 * x[0]).sin() * x[1]);
/// let points: Vec<[f64; 2]> = (0..25).map(|i| [0.1 + 0.2 * (i / 5) as f64, 0.1 + 0.2 * (i % 5) as f64]).collect();
/// let wells = model.observe(&points)?;
/// let data = wells.apply_to(pullback::Side::Plain, &model.pressures(&truth)?)?;
/// let loss = Observations::new(wells, data, Noise::uniform(25, 1e-3)?)?;
/// let prior = Matern::new(&grid, 1.0, 0.5)?;
/// let direction = ConjugateGradient::default();
/// let report = Descent::new(&model, &loss).prior(&prior).direction(&direction).run(&[0.0; 256], |_| ())?;
/// assert!(report.converged());
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ConjugateGradient {
    /// How far the residual is to fall.
    pub forcing: Forcing,
    /// Most iterations a step.
    pub iterations: usize,
    /// What the iteration is preconditioned with.
    pub preconditioner: Preconditioner,
}

/// The relative residual at which conjugate gradients stop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Forcing {
    /// min(most, √(‖∇‖/‖∇ at the start‖)): loose far from the end, where the model is not worth more, and tight near
    /// it, for superlinear convergence (Eisenstat and Walker 1996).
    Progress {
        /// The residual far from the end.
        most: f64,
    },
    /// The same at every step.
    Fixed(f64),
}

impl Default for ConjugateGradient {
    fn default() -> Self {
        Self {
            forcing: Forcing::Progress { most: 0.5 },
            iterations: 500,
            preconditioner: Preconditioner::Prior,
        }
    }
}

impl Forcing {
    fn tolerance(self, progress: f64) -> f64 {
        match self {
            Self::Progress { most } => most.min(progress.sqrt()),
            Self::Fixed(tolerance) => tolerance,
        }
    }

    fn value(self) -> f64 {
        match self {
            Self::Progress { most } => most,
            Self::Fixed(tolerance) => tolerance,
        }
    }
}

impl Direction for ConjugateGradient {
    fn begin(&self) -> Box<dyn Finder + '_> {
        Box::new(Iterations {
            options: self,
            recycled: Recycled::default(),
        })
    }

    fn check(&self) -> Result<()> {
        let forcing = self.forcing.value();
        check::option(
            "the forcing of conjugate gradients",
            forcing,
            forcing > 0.0 && forcing < 1.0,
            "give a relative residual between 0 and 1, such as 0.5",
        )?;
        check::option(
            "the iterations of conjugate gradients",
            self.iterations as f64,
            self.iterations > 0,
            "allow at least one",
        )?;
        self.preconditioner.check()
    }

    fn needs_precision(&self, _: usize) -> bool {
        self.preconditioner != Preconditioner::Identity
    }

    fn name(&self) -> &'static str {
        "conjugate gradients"
    }
}

/// Conjugate gradients in one run.
struct Iterations<'a> {
    options: &'a ConjugateGradient,
    recycled: Recycled,
}

impl Finder for Iterations<'_> {
    fn prepare<'a>(&'a mut self, at: &Local<'a>) -> Result<Box<dyn Path + 'a>> {
        let curvature = at.curvature()?;
        let pairs = match self.options.preconditioner {
            Preconditioner::Nystrom(nystrom) => Some(self.recycled.pairs(at, &curvature, nystrom)?),
            _ => None,
        };
        let dim = curvature.dim();
        let pencil = Preconditioned {
            curvature,
            kind: self.options.preconditioner,
            pairs,
            informed: at.prior.is_some(),
        };
        let limits = Limits {
            tolerance: self.options.forcing.tolerance(at.progress),
            // In exact arithmetic there are no more than this.
            iterations: self.options.iterations.min(2 * dim),
        };
        let space = Krylov::build(&pencil, at.grad, limits)?;
        self.recycled.served(space.dim());
        Ok(Box::new(KrylovPath { space, dim }))
    }
}

struct KrylovPath {
    space: Krylov,
    dim: usize,
}

impl Path for KrylovPath {
    fn at(&mut self, damping: f64) -> Result<Proposal> {
        let (eta, predicted) = self.space.solution(damping, self.dim);
        Ok(Proposal {
            eta,
            predicted,
            rank: self.space.dim(),
        })
    }

    fn undamped(&mut self) -> Option<Proposal> {
        // A space that ended early says little of what is outside of it.
        let whole = self.space.end == End::Solved;
        whole.then(|| self.at(0.0).ok()).flatten()
    }

    fn remark(&self) -> Option<String> {
        let trouble = match self.space.end {
            End::Solved => return None,
            End::Limit => "spent all their iterations",
            End::Stagnated => "stagnated",
            End::Breakdown => "met a direction along which the data have no curvature",
        };
        Some(format!(
            "conjugate gradients {trouble} before they reached their tolerance; a prior, or another preconditioner, may help"
        ))
    }
}
