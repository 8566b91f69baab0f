//! Matrix-free natural direction for any number of parameters.

use super::damping::terms_of;
use super::preconditioner::{Preconditioned, Preconditioner, SketchCache};
use super::{Direction, Finder, Local, Path, Proposal, Remembered};
use crate::check;
use crate::error::Result;
use crate::hessian::{Curvature, End, Goal, Krylov, Limits};

/// Direction η = −(G + Λ + λC)⁻¹ ∇f by preconditioned conjugate gradients, where Λ is the precision of the
/// priors.
///
/// An iteration costs one tangent and one adjoint solve. Damping is proportional to the preconditioner C, by
/// default Λ. The iteration runs once per step, on the undamped system, and keeps its Krylov basis. Every
/// damped system is then solved in this basis, so that rejected steps of a trust region cost no solves.
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
pub struct ConjugateGradient<'a> {
    /// Stopping criterion, the reduction of the residual.
    pub forcing: Forcing,
    /// Largest number of iterations per step.
    pub iterations: usize,
    /// Preconditioner C, to which damping is proportional.
    pub preconditioner: Preconditioner<'a>,
}

/// Relative residual at which conjugate gradients stop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Forcing {
    /// Relative residual min(most, √(‖∇‖/‖∇₀‖)), with the gradient ∇₀ at the start (Dembo, Eisenstat and Steihaug 1982).
    ///
    /// Far from the minimum a loose tolerance suffices, because the quadratic model is inaccurate. Near the minimum
    /// the tolerance tends to zero, which gives superlinear convergence.
    Progress {
        /// Relative residual far from the minimum.
        most: f64,
    },
    /// Constant relative residual.
    Fixed(f64),
}

impl Default for ConjugateGradient<'_> {
    fn default() -> Self {
        Self {
            forcing: Forcing::Progress { most: 0.5 },
            iterations: 500,
            preconditioner: Preconditioner::Prior,
        }
    }
}

impl Forcing {
    pub(super) fn tolerance(self, progress: f64) -> f64 {
        match self {
            // Near the minimum the tolerance is of the order √‖∇‖. Newton steps with the relative residual
            // O(‖∇‖^q) converge with the order 1 + q (Dembo, Eisenstat and Steihaug 1982), here 1½. Exact
            // steps have order 2, but take many more iterations each.
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

/// Checks the options of a direction by conjugate gradients.
pub(super) fn check_options(forcing: Forcing, iterations: usize) -> Result<()> {
    let forcing = forcing.value();
    check::option(
        "the forcing of conjugate gradients",
        forcing,
        forcing > 0.0 && forcing < 1.0,
        "give a relative residual between 0 and 1, such as 0.5",
    )?;
    check::option(
        "the iterations of conjugate gradients",
        iterations as f64,
        iterations > 0,
        "allow at least one",
    )
}

impl Direction for ConjugateGradient<'_> {
    fn begin(&self) -> Box<dyn Finder + '_> {
        Box::new(Iterations {
            options: self,
            cache: SketchCache::default(),
        })
    }

    fn check(&self) -> Result<()> {
        check_options(self.forcing, self.iterations)?;
        self.preconditioner.check()
    }

    fn needs_precision(&self, _: usize) -> bool {
        !matches!(
            self.preconditioner,
            Preconditioner::Identity | Preconditioner::By(_)
        )
    }

    fn name(&self) -> &'static str {
        "conjugate gradients"
    }
}

/// Finder of the directions by conjugate gradients in one run.
struct Iterations<'a> {
    options: &'a ConjugateGradient<'a>,
    cache: SketchCache,
}

impl Finder for Iterations<'_> {
    fn prepare<'a>(&'a mut self, at: &Local<'a>) -> Result<Box<dyn Path + 'a>> {
        let curvature = at.curvature()?;
        let eigenpairs = match self.options.preconditioner {
            Preconditioner::Nystrom(nystrom) => {
                Some(self.cache.eigenpairs(at, &curvature, nystrom)?)
            }
            _ => None,
        };
        let by = match self.options.preconditioner {
            Preconditioner::By(prior) => {
                let mut terms = terms_of(prior, at)?;
                terms.factorise(at.backend)?;
                Some(terms)
            }
            _ => None,
        };
        let dim = curvature.dim();
        let pencil = Preconditioned {
            curvature,
            kind: self.options.preconditioner,
            by,
            eigenpairs,
            has_prior: at.prior.is_some(),
        };
        let limits = Limits {
            tolerance: self.options.forcing.tolerance(at.progress),
            // Exact arithmetic needs at most `dim` iterations; the factor 2 allows for rounding.
            iterations: self.options.iterations.min(2 * dim),
            // G + C has no negative curvature.
            reach: None,
            goal: Goal::Step,
        };
        let space = Krylov::build(&pencil, at.grad, limits)?;
        self.cache.record_iterations(space.dim());
        Ok(Box::new(KrylovPath {
            space,
            norms: Vec::new(),
            dim,
            wording: Wording {
                method: "conjugate gradients",
                curved: "the data have",
                remedy: "a prior or another preconditioner may help",
            },
        }))
    }

    fn memory(&self) -> Result<Remembered> {
        Remembered::new(&self.cache)
    }

    fn recall(&mut self, memory: &Remembered) -> Result<()> {
        self.cache = memory.get()?;
        Ok(())
    }
}

/// Directions from one point by the Krylov space of a Hessian.
pub(super) struct KrylovPath {
    pub(super) space: Krylov,
    pub(super) dim: usize,
    /// Column norms for the step rule, or an empty vector if unknown.
    pub(super) norms: Vec<f64>,
    pub(super) wording: Wording,
}

/// Words of the remarks of a direction.
pub(super) struct Wording {
    pub(super) method: &'static str,
    /// Owner of the curvature, with its verb.
    pub(super) curved: &'static str,
    pub(super) remedy: &'static str,
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
        // An unconverged basis underestimates the remaining decrease: it misses the part outside its span. With negative
        // curvature the model is unbounded below and has no undamped step.
        let solved = self.space.end == End::Solved && !self.space.is_indefinite();
        solved.then(|| self.at(0.0).ok()).flatten()
    }

    fn norms(&self) -> &[f64] {
        &self.norms
    }

    fn remark(&self) -> Option<String> {
        let Wording {
            method,
            curved,
            remedy,
        } = self.wording;
        let reason = match self.space.end {
            // Only Newton's method continues past negative curvature.
            _ if self.space.is_indefinite() => {
                return Some("Newton met negative curvature, and moved along it".to_string());
            }
            End::Solved => return None,
            End::Limit => "reached their iteration limit".to_string(),
            End::Stagnated => "stagnated".to_string(),
            End::Breakdown => format!("met a direction along which {curved} no curvature"),
        };
        Some(format!(
            "{method} {reason} before their tolerance; {remedy}"
        ))
    }
}
