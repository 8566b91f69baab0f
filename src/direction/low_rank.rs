//! Directions from a geometry of low rank, G = SᵀS, plus the precision of the priors.

use faer::{Mat, MatRef};

use super::{Path, Proposal, unit_scale};
use crate::error::Result;
use crate::hessian::Eigenpairs;
use crate::linalg::product;
use crate::prior::PriorTerms;
use crate::vector::dot;

/// Geometry of low rank as eigenpairs G u = κ C u, where C = PᵀP is the prior precision, or diag G without priors.
///
/// The eigenvectors satisfy UᵀCU = I. Hence the Woodbury formula holds for all c at once:
///
/// ```text
/// (G + cC)⁻¹ = U diag(1/(κ + c)) Uᵀ + (C⁻¹ − U Uᵀ)/c
/// ```
pub(super) struct LowRank {
    eigenpairs: Eigenpairs,
    reference: Reference,
}

/// Reference operator C of the eigenvalue problem.
enum Reference {
    Prior,
    /// Diagonal operator C = diag G, given by the entries of C⁻¹.
    Diagonal(Vec<f64>),
}

impl LowRank {
    /// Builds the geometry from rows S (m × p).
    pub(super) fn new(s: MatRef<'_, f64>, prior: Option<&PriorTerms<'_>>) -> Result<Self> {
        match prior {
            Some(prior) => {
                let smooth = prior.solve(s.transpose())?;
                Ok(Self {
                    eigenpairs: Eigenpairs::of_rows(prior, s, smooth)?,
                    reference: Reference::Prior,
                })
            }
            None => {
                // C = diag G makes damping and truncation independent of the units of the parameters. A
                // column of zeros has no natural unit and gets the scale 1.
                let norms: Vec<f64> = (0..s.ncols()).map(|j| s.col(j).norm_l2()).collect();
                let scale = unit_scale(&norms);
                Ok(Self {
                    eigenpairs: Eigenpairs::of_scaled_rows(s, &scale),
                    reference: Reference::Diagonal(scale.iter().map(|s| s * s).collect()),
                })
            }
        }
    }

    /// Returns the number of eigenvalues above rounding.
    pub(super) fn rank(&self) -> usize {
        self.eigenpairs.values.len()
    }

    /// Returns Σ κ/(κ + c), the effective number of parameters that the data determine rather than the prior.
    pub(super) fn effective_rank(&self, c: f64) -> f64 {
        self.eigenpairs.values.iter().map(|k| k / (k + c)).sum()
    }

    /// Multiplies the geometry G by a factor.
    pub(super) fn scale(&mut self, factor: f64) {
        self.eigenpairs.values.iter_mut().for_each(|k| *k *= factor);
    }

    /// Prepares the directions −(G + cC)⁻¹ g for all c.
    pub(super) fn path(self, g: &[f64], prior: Option<&PriorTerms<'_>>) -> Result<LowRankPath> {
        let column = MatRef::from_column_major_slice(g, g.len(), 1);
        let smooth = match (&self.reference, prior) {
            (Reference::Prior, Some(prior)) => prior.solve(column)?,
            (Reference::Diagonal(inverse), _) => Mat::from_fn(g.len(), 1, |i, _| inverse[i] * g[i]),
            (Reference::Prior, None) => column.to_owned(),
        };
        // Split C⁻¹g = U a + r with a = Uᵀg, so that UᵀC r = 0 and G r = 0. Then rᵀC r = g·C⁻¹g − a·a; rounding may
        // make it negative.
        let square = dot(g, smooth.col_as_slice(0));
        let coefficients = product(self.eigenpairs.vectors.transpose(), column);
        let coefficients = coefficients.col_as_slice(0).to_vec();
        let complement = self.eigenpairs.correct(smooth, column, |_| -1.0);
        Ok(LowRankPath {
            complement: complement.col_as_slice(0).to_vec(),
            complement_square: (square - dot(&coefficients, &coefficients)).max(0.0),
            coefficients,
            eigenpairs: self.eigenpairs,
            has_prior: prior.is_some(),
        })
    }
}

/// Directions −(G + cC)⁻¹ g for any c.
pub(super) struct LowRankPath {
    eigenpairs: Eigenpairs,
    /// Coefficients Uᵀg of the gradient g.
    coefficients: Vec<f64>,
    /// Component r = C⁻¹g − U Uᵀg outside the span of U.
    complement: Vec<f64>,
    /// Square rᵀC r of the norm of the complement r.
    complement_square: f64,
    /// Whether C belongs to the objective. Otherwise C belongs to the damping only.
    has_prior: bool,
}

impl Path for LowRankPath {
    fn at(&mut self, damping: f64) -> Result<Proposal> {
        let prior_weight = if self.has_prior { 1.0 } else { 0.0 };
        let c = prior_weight + damping;
        // The split C⁻¹g = U a + r gives (G + cC)⁻¹g = Σ u a/(κ + c) + r/c. To verify, (G + cC)u = (κ + c)Cu
        // and (G + cC)r = cCr, and the terms add up to C(U a + r) = g.
        let y: Vec<f64> = self
            .coefficients
            .iter()
            .zip(&self.eigenpairs.values)
            .map(|(a, k)| -a / (k + c))
            .collect();
        let column = MatRef::from_column_major_slice(&y, y.len(), 1);
        let coefficients = product(self.eigenpairs.vectors.as_ref(), column);
        let mut eta = coefficients.col_as_slice(0).to_vec();
        // Undamped and without priors (c = 0), the component outside the range of G is dropped: the step of least
        // norm.
        let complement_weight = if c > 0.0 { -c.recip() } else { 0.0 };
        eta.iter_mut()
            .zip(&self.complement)
            .for_each(|(e, r)| *e += complement_weight * r);
        // With η = U y + w r, where C enters the objective with the weight s (1 with priors, else 0):
        //     ηᵀ(G + sC)η = Σ (κ + s) y² + s w² rᵀC r,   g·η = a·y + w rᵀC r.
        let curvatures = y
            .iter()
            .zip(&self.eigenpairs.values)
            .map(|(y, k)| (k + prior_weight) * y * y);
        let curvature = curvatures.sum::<f64>()
            + prior_weight * complement_weight * complement_weight * self.complement_square;
        let slope = dot(&y, &self.coefficients) + complement_weight * self.complement_square;
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
