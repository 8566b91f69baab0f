//! Preconditioners of conjugate gradients.

use std::fmt;

use faer::{Mat, MatRef};
use serde::{Deserialize, Serialize};

use super::Local;
use crate::check;
use crate::coordinates::Chart;
use crate::error::Result;
use crate::hessian::{Curvature, Eigenpairs, GaussNewton, Pencil};
use crate::prior::{Prior, PriorTerms};

/// Preconditioner of conjugate gradients, to which damping is proportional.
#[derive(Clone, Copy, Default)]
pub enum Preconditioner<'a> {
    /// Precision of the priors, or the identity without priors. This preconditioner makes the number of iterations
    /// depend on the data and not on the mesh.
    #[default]
    Prior,
    /// Precision of the priors plus the leading curvature of the data from a randomised Nyström sketch.
    Nystrom(Nystrom),
    /// No preconditioning.
    Identity,
    /// Precision of a prior that is no part of the objective and must be positive definite, as
    /// [`Damping::Prior`](super::Damping::Prior).
    By(&'a dyn Prior),
}

impl fmt::Debug for Preconditioner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prior => f.write_str("Prior"),
            Self::Nystrom(nystrom) => f.debug_tuple("Nystrom").field(nystrom).finish(),
            Self::Identity => f.write_str("Identity"),
            Self::By(_) => f.write_str("By"),
        }
    }
}

/// Priors are equal if they are the same value in memory.
impl PartialEq for Preconditioner<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::By(a), Self::By(b)) => std::ptr::addr_eq(*a, *b),
            (Self::Nystrom(a), Self::Nystrom(b)) => a == b,
            (Self::Prior, Self::Prior) | (Self::Identity, Self::Identity) => true,
            _ => false,
        }
    }
}

/// Randomised Nyström approximation C + C U Λ UᵀC of the curvature G + C, where C is the precision of the
/// priors and G U ≈ C U Λ.
///
/// A sketch costs one tangent and one adjoint solve per column: a batch of tangents, then a batch of adjoints. The
/// sketch is reused from step to step until the number of iterations has more than doubled. Then the previous
/// eigenvectors are sketched again, together with new random columns. The sketch pays off if a batch of solves is much
/// cheaper than the same number of consecutive solves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nystrom {
    /// Number of eigenpairs of the approximation.
    pub rank: usize,
    /// Number of random columns beyond the rank, for accuracy.
    pub oversampling: usize,
    /// Seed of the random columns of the sketch.
    pub seed: u64,
}

impl Default for Nystrom {
    fn default() -> Self {
        Self {
            rank: 20,
            oversampling: 5,
            seed: 0,
        }
    }
}

impl Preconditioner<'_> {
    pub(super) fn check(self) -> Result<()> {
        match self {
            Self::Nystrom(n) => check::option(
                "the rank of a Nyström preconditioner",
                n.rank as f64,
                n.rank > 0,
                "give at least 1, or precondition with the prior alone",
            ),
            _ => Ok(()),
        }
    }
}

/// Eigenpairs of the curvature, cached from step to step of a run.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct SketchCache(Option<CachedSketch>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct CachedSketch {
    eigenpairs: Eigenpairs,
    /// Coordinates in which the eigenvectors are given.
    chart: Chart,
    /// Iterations of the first and of the last system preconditioned by this sketch.
    first_iterations: Option<usize>,
    last_iterations: usize,
}

impl CachedSketch {
    /// Transforms the eigenvectors to the current coordinates, in which the prior gives them the same norms.
    fn in_chart_of(mut self, at: &Local<'_>) -> Self {
        let now = at.z.chart();
        if at.prior.is_none() || self.chart.scale == now.scale {
            return self;
        }
        // dθ = S dξ is the same vector in both charts: u′ = S′⁻¹S u. The precision is S′CS′ in the new chart,
        // and u′ᵀS′CS′u′ = uᵀSCSu.
        let ratio = |&i: &usize| self.chart.scale[i] / now.scale[i];
        let ratios: Vec<f64> = now.free.iter().map(ratio).collect();
        for j in 0..self.eigenpairs.values.len() {
            let column = self.eigenpairs.vectors.col_as_slice_mut(j).iter_mut();
            column.zip(&ratios).for_each(|(x, r)| *x *= r);
        }
        self.chart = now.clone();
        self
    }
}

impl SketchCache {
    /// Returns the eigenpairs to precondition with, from the cached sketch if that is effective, and from a new sketch
    /// otherwise.
    pub(super) fn eigenpairs(
        &mut self,
        at: &Local<'_>,
        curvature: &GaussNewton<'_>,
        nystrom: Nystrom,
    ) -> Result<Eigenpairs> {
        let fits =
            |cached: &CachedSketch| at.iteration > 0 && cached.chart.free == at.z.chart().free;
        let cached = self
            .0
            .take()
            .filter(fits)
            .map(|cached| cached.in_chart_of(at));
        // C⁻¹ − U diag(λ/(1 + λ)) Uᵀ is positive definite only if UᵀCU = I. For a precision that changes with θ,
        // cached eigenpairs of another C could make it indefinite.
        let constant_precision = at.prior.is_none_or(PriorTerms::is_affine);
        let is_effective = |cached: &CachedSketch| {
            // The iterations of the first system show how effective the sketch is where it was made. More
            // than twice as many show that the curvature has changed.
            let first = cached.first_iterations.unwrap_or(cached.last_iterations);
            constant_precision && cached.last_iterations <= 2 * first.max(1)
        };
        // A new sketch costs rank + oversampling tangent solves in one batch, and as many adjoint solves. A
        // cached sketch costs none.
        let cached = match cached {
            Some(cached) if is_effective(&cached) => cached,
            old => CachedSketch {
                eigenpairs: sketch(at, curvature, nystrom, old.map(|cached| cached.eigenpairs))?,
                chart: at.z.chart().clone(),
                first_iterations: None,
                last_iterations: 0,
            },
        };
        let eigenpairs = cached.eigenpairs.clone();
        self.0 = Some(cached);
        Ok(eigenpairs)
    }

    /// Records the iterations that the cached sketch needed.
    pub(super) fn record_iterations(&mut self, iterations: usize) {
        if let Some(cached) = &mut self.0 {
            cached.first_iterations.get_or_insert(iterations);
            cached.last_iterations = iterations;
        }
    }
}

fn sketch(
    at: &Local<'_>,
    curvature: &GaussNewton<'_>,
    nystrom: Nystrom,
    old: Option<Eigenpairs>,
) -> Result<Eigenpairs> {
    let n = curvature.dim();
    let old_columns = old.as_ref().map_or(0, |eigenpairs| eigenpairs.values.len());
    let test_columns = (nystrom.rank + nystrom.oversampling)
        .min(n)
        .max(old_columns);
    // The oversampling columns are random even if the old vectors fill the rank. Columns of the old span
    // alone would not find new directions.
    let fresh = (test_columns - old_columns).max(nystrom.oversampling.min(n));
    let random = curvature.draw(fresh, nystrom.seed.wrapping_add(at.iteration as u64))?;
    // The previous eigenvectors as test columns make the sketch a step of subspace iteration.
    let test = match &old {
        None => random,
        Some(eigenpairs) => Mat::from_fn(n, old_columns + fresh, |i, j| match j < old_columns {
            true => eigenpairs.vectors[(i, j)],
            false => random[(i, j - old_columns)],
        }),
    };
    Ok(Eigenpairs::nystrom(curvature, test.as_ref())?.truncated(nystrom.rank))
}

/// Curvature together with its preconditioner.
pub(super) struct Preconditioned<'a> {
    pub(super) curvature: GaussNewton<'a>,
    pub(super) kind: Preconditioner<'a>,
    /// Prior of [`Preconditioner::By`], with its precision factorised.
    pub(super) by: Option<PriorTerms<'a>>,
    pub(super) eigenpairs: Option<Eigenpairs>,
    /// Whether there are priors, so that H = G + C. Otherwise H = G.
    pub(super) has_prior: bool,
}

impl Pencil for Preconditioned<'_> {
    fn curvature(&self) -> &dyn Curvature {
        &self.curvature
    }

    /// Applies the inverse of the preconditioner C + C UΛUᵀC.
    fn precondition(&self, r: MatRef<'_, f64>) -> Result<Mat<f64>> {
        if self.kind == Preconditioner::Identity {
            return Ok(r.to_owned());
        }
        if let Some(by) = &self.by {
            return by.solve(r);
        }
        let smooth = self.curvature.prior_solve(r)?;
        Ok(match &self.eigenpairs {
            None => smooth,
            Some(eigenpairs) => {
                // G u = λ C u and UᵀCU = I give by Woodbury (C + C UΛUᵀC)⁻¹ = C⁻¹ − U diag(λ/(1 + λ)) Uᵀ.
                // Without priors C = I and UUᵀ is a projection. The smallest computed eigenvalue μ replaces
                // those that were not computed: (UΛUᵀ + μ(I − UUᵀ))⁻¹ = (I + U diag(μ/λ − 1) Uᵀ)/μ. The
                // factor 1/μ is omitted.
                let mu = eigenpairs.values.last().copied().unwrap_or(1.0);
                let correction = |l: f64| match self.has_prior {
                    true => -l / (1.0 + l),
                    false => mu / l - 1.0,
                };
                eigenpairs.correct(smooth, r, correction)
            }
        })
    }
}
