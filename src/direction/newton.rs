//! Newton's method with the exact Hessian of the objective.

use faer::{Mat, MatRef};

use super::conjugate_gradient::{Forcing, KrylovPath, Wording, check_options};
use super::{Direction, Finder, Hessian, Local, Path, Proposal, Remembered};
use crate::error::Result;
use crate::hessian::{Curvature, Goal, Krylov, Limits, Pencil};
use crate::prior::PriorTerms;
use crate::random;
use crate::vector::norm;

/// Newton direction η = −(H + λC)⁻¹∇f with the exact Hessian H of the objective, by preconditioned conjugate gradients.
///
/// H contains the curvature of the model and of the loss, which Gauss-Newton directions leave out. Where the residual is large
/// and the model curved, Newton's method converges quadratically and Gauss-Newton linearly or not at all. At a perfect fit
/// both agree. The model needs [second derivatives](crate::Model::second_derivative), which models written with
/// [`automatic`](crate::automatic) and the ready models have, and so does the loss, as every loss of this crate. No metric takes
/// part.
///
/// A step takes one adjoint solve for the multipliers of the equations, and one tangent and one adjoint solve per iteration.
/// The Krylov basis serves all dampings, see [`ConjugateGradient`](super::ConjugateGradient). The preconditioner C, to which
/// damping is proportional, is the precision of the priors, or the identity without priors.
///
/// Where H has negative curvature, the iteration continues (Gould, Lucidi, Roma and Toint 1999). Damping then counts from the
/// one that makes H + λC positive semidefinite on the Krylov space. The undamped step is at most as long as the parameters
/// themselves (ten times that without a prior), in the norm (ξᵀCξ)^½. Close to a saddle it runs along the direction of the most
/// negative curvature.
///
/// Where the gradient has no component along negative curvature, as on a line of symmetry, steps may converge to a saddle. Before
/// a run ends, a Lanczos process with a random start therefore looks for negative curvature, by one tangent and one adjoint solve
/// in each of at most [`escape`](Newton::escape) iterations. If the objective falls along it, the run goes on from there, and
/// the report says so.
///
/// ```
/// use pullback::automatic::{Curve, Formula, Scalar};
/// use pullback::{Descent, direction::Newton, loss::L2Misfit};
/// /// Points on a parabola.
/// struct Parabola;
/// impl Formula for Parabola {
///     fn dims(&self) -> (usize, usize) { (2, 1) }
///     fn values<S: Scalar>(&self, t: &[S], out: &mut [S]) {
///         out[0] = t[0];
///         out[1] = t[0] * t[0];
///     }
/// }
/// // The point nearest to (0, −3), which lies far off the parabola, is its vertex.
/// let (curve, loss) = (Curve::new(Parabola), L2Misfit::euclidean(vec![0.0, -3.0])?);
/// let newton = Newton::default();
/// let report = Descent::new(&curve, &loss).direction(&newton).run(&[0.4], |_| ())?;
/// assert!(report.converged() && report.theta[0].abs() < 1e-8, "{report}");
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Newton {
    /// Stopping criterion, the reduction of the residual.
    pub forcing: Forcing,
    /// Largest number of iterations per step.
    pub iterations: usize,
    /// Whether the precision of the priors preconditions the iteration. Priors must then be positive definite.
    pub by_prior: bool,
    /// Largest number of iterations that look for negative curvature where a run is about to end, 20 by default. They are
    /// exhaustive for as many parameters. 0 lets a run end at a saddle.
    pub escape: usize,
}

impl Newton {
    /// Default options, as a constant to borrow.
    pub(crate) const STANDARD: &'static Self = &Self {
        forcing: Forcing::Progress { most: 0.5 },
        iterations: 500,
        by_prior: true,
        escape: 20,
    };
}

impl Default for Newton {
    fn default() -> Self {
        *Self::STANDARD
    }
}

impl Direction for Newton {
    fn begin(&self) -> Box<dyn Finder + '_> {
        Box::new(Iterations {
            options: self,
            reach: 0.0,
        })
    }

    fn check(&self) -> Result<()> {
        check_options(self.forcing, self.iterations)
    }

    fn needs_metric(&self) -> bool {
        false
    }

    fn needs_precision(&self, _: usize) -> bool {
        self.by_prior
    }

    fn name(&self) -> &'static str {
        "Newton"
    }
}

/// Finder of Newton directions in one run.
struct Iterations<'a> {
    options: &'a Newton,
    /// Largest length so far of steps along negative curvature.
    reach: f64,
}

impl Finder for Iterations<'_> {
    fn prepare<'a>(&'a mut self, at: &Local<'a>) -> Result<Box<dyn Path + 'a>> {
        let system = self.system(at)?;
        let dim = system.hessian.dim();
        let limits = Limits {
            tolerance: self.options.forcing.tolerance(at.progress),
            // Exact arithmetic needs at most `dim` iterations; the factor 2 allows for rounding.
            iterations: self.options.iterations.min(2 * dim),
            reach: Some(self.reach),
            goal: Goal::Step,
        };
        let space = Krylov::build(&system, at.grad, limits)?;
        Ok(Box::new(path(space, &system)))
    }

    fn escape<'a>(&'a mut self, at: &Local<'a>) -> Result<Option<Box<dyn Path + 'a>>> {
        if self.options.escape == 0 {
            return Ok(None);
        }
        let system = self.system(at)?;
        let dim = system.hessian.dim();
        let limits = Limits {
            tolerance: 0.0,
            iterations: self.options.escape.min(dim),
            reach: Some(self.reach),
            goal: Goal::Lowest,
        };
        // A random covector has a component along every eigenvector, which the gradient may lack.
        let space = Krylov::build(&system, &random::normal(dim, SEED, 0), limits)?;
        let space = space.along_curvature(self.reach, at.grad);
        Ok(space.map(|space| -> Box<dyn Path + 'a> {
            let (eta, _) = space.solution(0.0, dim);
            let most = (0..dim).max_by(|&i, &j| eta[i].abs().total_cmp(&eta[j].abs()));
            Box::new(Escape {
                path: path(space, &system),
                parameter: most.map_or(0, |j| at.free()[j]),
            })
        }))
    }

    fn memory(&self) -> Result<Remembered> {
        Remembered::new(&self.reach)
    }

    fn recall(&mut self, memory: &Remembered) -> Result<()> {
        self.reach = memory.get()?;
        Ok(())
    }
}

impl Iterations<'_> {
    /// Returns the Hessian at a point with its preconditioner, and updates the length of steps along negative curvature.
    fn system<'a>(&mut self, at: &Local<'a>) -> Result<System<'a>> {
        let prior = at.prior.filter(|_| self.options.by_prior);
        self.reach = self.reach.max(reach(at, prior)?);
        let hessian = at.hessian()?;
        Ok(System { hessian, prior })
    }
}

/// Seed of the covector that looks for negative curvature.
const SEED: u64 = 0x5ADD1E;

/// Returns the directions of a Krylov space.
fn path(space: Krylov, system: &System<'_>) -> KrylovPath {
    let dim = system.hessian.dim();
    // Without a preconditioner all columns count alike: damping and lengths of steps then refer to the same norm.
    let norms = vec![1.0; if system.prior.is_none() { dim } else { 0 }];
    KrylovPath {
        space,
        dim,
        norms,
        wording: Wording {
            method: "conjugate gradients for Newton's method",
            curved: "the objective has",
            remedy: "a prior may help",
        },
    }
}

/// Steps from a saddle along negative curvature.
struct Escape {
    path: KrylovPath,
    /// Parameter that a step changes most.
    parameter: usize,
}

impl Path for Escape {
    fn at(&mut self, damping: f64) -> Result<Proposal> {
        self.path.at(damping)
    }

    fn norms(&self) -> &[f64] {
        self.path.norms()
    }

    fn remark(&self) -> Option<String> {
        let parameter = self.parameter;
        Some(format!(
            "the gradient vanished at a saddle, from which Newton moved along negative curvature (mainly θ{parameter})"
        ))
    }
}

/// Length of a step along negative curvature, relative to that of the parameters, where no prior tells their size.
///
/// Parameters close to a saddle at the origin would otherwise only double in a step. Step rules shorten what is too long.
const FAR: f64 = 10.0;

/// Returns the length of an undamped step along negative curvature, in the norm (ξᵀCξ)^½ of the preconditioner: that of the
/// free parameters, with a prior at least 1, one standard deviation.
fn reach(at: &Local<'_>, prior: Option<&PriorTerms<'_>>) -> Result<f64> {
    let free: Vec<f64> = at.free().iter().map(|&i| at.coordinates[i]).collect();
    let Some(prior) = prior else {
        let size = FAR * norm(&free);
        return Ok(if size.is_normal() { size } else { 1.0 });
    };
    let x = MatRef::from_column_major_slice(&free, free.len(), 1);
    let square = x.transpose() * prior.curvature(x)?;
    Ok(square[(0, 0)].max(1.0).sqrt())
}

/// Hessian with its preconditioner.
struct System<'a> {
    hessian: Hessian<'a>,
    prior: Option<&'a PriorTerms<'a>>,
}

impl Pencil for System<'_> {
    fn curvature(&self) -> &dyn Curvature {
        &self.hessian
    }

    fn precondition(&self, r: MatRef<'_, f64>) -> Result<Mat<f64>> {
        match self.prior {
            Some(prior) => prior.solve(r),
            None => Ok(r.to_owned()),
        }
    }
}
