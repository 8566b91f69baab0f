//! Directions from a geometry of low rank, G = SᵀS, beside the precision of the priors.

use faer::{Mat, MatRef};

use super::{Path, Proposal, unit_scale};
use crate::error::Result;
use crate::hessian::Pairs;
use crate::linalg::product;
use crate::prior::PriorTerms;
use crate::vector::dot;

/// The geometry by its eigenpairs G u = κ C u, where C = PᵀP, or diag G without priors.
///
/// With UᵀCU = I the inverse of G + cC is C⁻¹/c on what the pairs do not span and Σ u uᵀ/(κ + c) on what they do, the
/// formula of Woodbury for every c at once.
pub(super) struct LowRank {
    pairs: Pairs,
    reference: Reference,
}

/// C⁻¹, as much of it as is asked for.
enum Reference {
    Prior,
    /// The inverse of diag G.
    Diagonal(Vec<f64>),
}

impl LowRank {
    /// From rows S, m × p.
    pub(super) fn new(s: MatRef<'_, f64>, prior: Option<&PriorTerms<'_>>) -> Result<Self> {
        match prior {
            Some(prior) => {
                let smooth = prior.solve(s.transpose())?;
                Ok(Self {
                    pairs: Pairs::of_rows(prior, s, smooth)?,
                    reference: Reference::Prior,
                })
            }
            None => {
                let norms: Vec<f64> = (0..s.ncols()).map(|j| s.col(j).norm_l2()).collect();
                let scale = unit_scale(&norms);
                Ok(Self {
                    pairs: Pairs::of_scaled_rows(s, &scale),
                    reference: Reference::Diagonal(scale.iter().map(|s| s * s).collect()),
                })
            }
        }
    }

    /// Eigenvalues that are more than rounding.
    pub(super) fn rank(&self) -> usize {
        self.pairs.values.len()
    }

    /// Σ κ/(κ + c): how many parameters the data determine rather than the prior.
    pub(super) fn effective_rank(&self, c: f64) -> f64 {
        self.pairs.values.iter().map(|k| k / (k + c)).sum()
    }

    /// Multiplies G by a factor.
    pub(super) fn stretch(&mut self, factor: f64) {
        self.pairs.values.iter_mut().for_each(|k| *k *= factor);
    }

    /// The directions −(G + cC)⁻¹ g.
    pub(super) fn path(self, g: &[f64], prior: Option<&PriorTerms<'_>>) -> Result<LowRankPath> {
        let column = MatRef::from_column_major_slice(g, g.len(), 1);
        let smooth = match (&self.reference, prior) {
            (Reference::Prior, Some(prior)) => prior.solve(column)?,
            (Reference::Diagonal(inverse), _) => Mat::from_fn(g.len(), 1, |i, _| inverse[i] * g[i]),
            (Reference::Prior, None) => column.to_owned(),
        };
        let square = dot(g, smooth.col_as_slice(0));
        let inside = product(self.pairs.vectors.transpose(), column);
        let inside = inside.col_as_slice(0).to_vec();
        let rest = self.pairs.correct(smooth, column, |_| -1.0);
        Ok(LowRankPath {
            rest: rest.col_as_slice(0).to_vec(),
            rest_square: (square - dot(&inside, &inside)).max(0.0),
            inside,
            pairs: self.pairs,
            informed: prior.is_some(),
        })
    }
}

/// −(G + cC)⁻¹ g for any c.
pub(super) struct LowRankPath {
    pairs: Pairs,
    /// Uᵀg.
    inside: Vec<f64>,
    /// C⁻¹g − U Uᵀg.
    rest: Vec<f64>,
    /// Its square, measured by C.
    rest_square: f64,
    /// Whether C belongs to the objective, or only to the damping.
    informed: bool,
}

impl Path for LowRankPath {
    fn at(&mut self, damping: f64) -> Result<Proposal> {
        let own = if self.informed { 1.0 } else { 0.0 };
        let c = own + damping;
        let y: Vec<f64> = self
            .inside
            .iter()
            .zip(&self.pairs.values)
            .map(|(a, k)| -a / (k + c))
            .collect();
        let column = MatRef::from_column_major_slice(&y, y.len(), 1);
        let inside = product(self.pairs.vectors.as_ref(), column);
        let mut eta = inside.col_as_slice(0).to_vec();
        // Undamped and without priors, what the geometry does not see stays as it is: the step of least norm.
        let outside = if c > 0.0 { -c.recip() } else { 0.0 };
        eta.iter_mut()
            .zip(&self.rest)
            .for_each(|(e, r)| *e += outside * r);
        let curved = y
            .iter()
            .zip(&self.pairs.values)
            .map(|(y, k)| (k + own) * y * y);
        let curvature = curved.sum::<f64>() + own * outside * outside * self.rest_square;
        let slope = dot(&y, &self.inside) + outside * self.rest_square;
        Ok(Proposal {
            predicted: -slope - 0.5 * curvature,
            rank: if c > 0.0 { eta.len() } else { y.len() },
            eta,
        })
    }

    fn undamped(&mut self) -> Option<Proposal> {
        self.at(0.0).ok()
    }
}
