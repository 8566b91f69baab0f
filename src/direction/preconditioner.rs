//! What conjugate gradients are preconditioned with.

use faer::{Mat, MatRef};

use super::Local;
use crate::check;
use crate::coordinates::Chart;
use crate::error::Result;
use crate::hessian::{Curvature, Pairs, Pencil};
use crate::prior::PriorTerms;

/// What conjugate gradients are preconditioned with; damping is measured by it too.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Preconditioner {
    /// The precision of the priors, so that the number of iterations depends on the data and not on the mesh; the
    /// identity where there are none.
    #[default]
    Prior,
    /// The precision of the priors with the leading curvature of the data from a randomised Nyström sketch.
    Nystrom(Nystrom),
    /// Nothing.
    Identity,
}

/// A randomised Nyström approximation of the data's curvature, C + C U Λ UᵀC.
///
/// It costs a tangent and an adjoint solve for every column of the sketch, all in one batch, and is kept from step to
/// step until iterations have doubled; then the space it found is sketched anew, with fresh random columns beside it.
/// It pays where many solves in one batch are much cheaper than one after the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nystrom {
    /// Eigenpairs that are kept.
    pub rank: usize,
    /// Columns sketched beyond these.
    pub oversampling: usize,
    /// The seed of the sketch.
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

impl Preconditioner {
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

/// Eigenpairs of the curvature that a run carries from step to step.
#[derive(Debug, Default)]
pub(super) struct Recycled(Option<Kept>);

#[derive(Clone, Debug)]
struct Kept {
    pairs: Pairs,
    /// The coordinates that they are in.
    chart: Chart,
    /// Iterations of the first and the last system that it preconditioned.
    first: Option<usize>,
    last: usize,
}

impl Kept {
    /// In the present coordinates, in which the prior measures the same vectors of θ alike.
    fn moved_to(mut self, at: &Local<'_>) -> Self {
        let now = at.z.chart();
        if at.prior.is_none() || self.chart.scale == now.scale {
            return self;
        }
        let ratio = |&i: &usize| self.chart.scale[i] / now.scale[i];
        let ratios: Vec<f64> = now.free.iter().map(ratio).collect();
        for j in 0..self.pairs.values.len() {
            let column = self.pairs.vectors.col_as_slice_mut(j).iter_mut();
            column.zip(&ratios).for_each(|(x, r)| *x *= r);
        }
        self.chart = now.clone();
        self
    }
}

impl Recycled {
    /// The pairs to precondition with: those kept, while they serve.
    pub(super) fn pairs(
        &mut self,
        at: &Local<'_>,
        curvature: &Curvature<'_>,
        nystrom: Nystrom,
    ) -> Result<Pairs> {
        let fits = |kept: &Kept| at.iteration > 0 && kept.chart.free == at.z.chart().free;
        let kept = self.0.take().filter(fits).map(|kept| kept.moved_to(at));
        // Pairs that another precision measures would take more from its inverse than there is.
        let lasting = at.prior.is_none_or(PriorTerms::is_affine);
        let serves =
            |kept: &Kept| lasting && kept.last <= 2 * kept.first.unwrap_or(kept.last).max(1);
        let kept = match kept {
            Some(kept) if serves(&kept) => kept,
            old => Kept {
                pairs: sketch(at, curvature, nystrom, old.map(|kept| kept.pairs))?,
                chart: at.z.chart().clone(),
                first: None,
                last: 0,
            },
        };
        let pairs = kept.pairs.clone();
        self.0 = Some(kept);
        Ok(pairs)
    }

    /// Remembers how well they served.
    pub(super) fn served(&mut self, iterations: usize) {
        if let Some(kept) = &mut self.0 {
            kept.first.get_or_insert(iterations);
            kept.last = iterations;
        }
    }
}

fn sketch(
    at: &Local<'_>,
    curvature: &Curvature<'_>,
    nystrom: Nystrom,
    old: Option<Pairs>,
) -> Result<Pairs> {
    let n = curvature.dim();
    let known = old.as_ref().map_or(0, |pairs| pairs.values.len());
    let columns = (nystrom.rank + nystrom.oversampling).min(n).max(known);
    let fresh = (columns - known).max(nystrom.oversampling.min(n));
    let random = curvature.draw(fresh, nystrom.seed.wrapping_add(at.iteration as u64))?;
    let test = match &old {
        None => random,
        Some(pairs) => Mat::from_fn(n, known + fresh, |i, j| match j < known {
            true => pairs.vectors[(i, j)],
            false => random[(i, j - known)],
        }),
    };
    Ok(Pairs::nystrom(curvature, test.as_ref())?.truncated(nystrom.rank))
}

/// The curvature with its preconditioner.
pub(super) struct Preconditioned<'a> {
    pub(super) curvature: Curvature<'a>,
    pub(super) kind: Preconditioner,
    pub(super) pairs: Option<Pairs>,
    /// Whether there are priors, so that H = G + C; else H = G.
    pub(super) informed: bool,
}

impl Pencil for Preconditioned<'_> {
    fn product(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.curvature.whole(v)
    }

    /// With eigenpairs of G u = λ C u, (C + C UΛUᵀ C)⁻¹ = C⁻¹ − U diag(λ/(1 + λ)) Uᵀ. Without priors C = μI, where μ
    /// is the smallest eigenvalue that was found, for what remains is about as large.
    fn precondition(&self, r: MatRef<'_, f64>) -> Result<Mat<f64>> {
        if self.kind == Preconditioner::Identity {
            return Ok(r.to_owned());
        }
        let smooth = self.curvature.smooth(r)?;
        Ok(match &self.pairs {
            None => smooth,
            Some(pairs) => {
                let rest = if self.informed {
                    1.0
                } else {
                    pairs.values.last().copied().unwrap_or(1.0)
                };
                let correction = |l: f64| {
                    if self.informed {
                        -l / (1.0 + l)
                    } else {
                        rest / l - 1.0
                    }
                };
                pairs.correct(smooth, r, correction)
            }
        })
    }
}
