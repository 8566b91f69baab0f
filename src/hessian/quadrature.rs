//! Quadrature rules of tridiagonal matrices, and their eigenvalues.
//!
//! For a unit vector v, vᵀf(H)v is an integral of f with the weights ⟨v, qₖ⟩² at the eigenvalues λₖ of H. The Lanczos process
//! of m steps from v gives its rule of Gauss, exact for polynomials of degree 2m − 1: the eigenvalues of T, with the squares of
//! the first entries of their eigenvectors as weights (Golub and Meurant 2010, chapter 6).

use faer::Mat;

use super::tridiagonal::Tridiagonal;
use crate::linalg::symmetric_eigen;

/// Nodes and weights of a quadrature rule. The weights add up to 1.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) nodes: Vec<f64>,
    pub(crate) weights: Vec<f64>,
}

/// Eigenvalues of T, in decreasing order.
pub(crate) struct Ritz {
    pub(crate) values: Vec<f64>,
    /// Eigenvectors of T as columns.
    pub(crate) vectors: Mat<f64>,
    /// Residuals ‖H u − θ u‖ of the vectors u = V s. An eigenvalue of H lies as near to θ.
    pub(crate) residuals: Vec<f64>,
}

impl Ritz {
    pub(super) fn of(t: &Tridiagonal) -> Self {
        let (values, vectors) = symmetric_eigen(dense(t).as_ref());
        let last = t.dim().saturating_sub(1);
        let beta = t.off_diagonal.last().copied().unwrap_or(0.0);
        // H V = V T + β v₊eₘᵀ gives H V s − θ V s = β sₘ v₊.
        let residual = |k: usize| beta * vectors[(last, k)].abs();
        Self {
            residuals: (0..values.len()).map(residual).collect(),
            values,
            vectors,
        }
    }

    /// Returns the rule of Gauss.
    pub(crate) fn gauss(&self) -> Rule {
        let weight = |k: usize| self.vectors[(0, k)] * self.vectors[(0, k)];
        Rule {
            nodes: self.values.clone(),
            weights: (0..self.values.len()).map(weight).collect(),
        }
    }
}

impl Rule {
    /// Returns the rule of Gauss and Radau, which has a node at the lower end a of the spectrum, and is exact for polynomials of
    /// degree 2m. Returns the rule of Gauss if that is exact already, or if `a` is not below the eigenvalues of T.
    ///
    /// If all even derivatives of f are positive and all odd ones negative, the integral lies between both rules.
    pub(super) fn radau(t: &Tridiagonal, a: f64) -> Self {
        let pivot = t.pivots(-a).last().copied();
        let beta = t.off_diagonal.last().copied();
        let (Some(beta), Some(pivot)) = (beta.filter(|b| *b > 0.0), pivot.filter(|d| *d > 0.0))
        else {
            return Ritz::of(t).gauss();
        };
        // T gets another row with the diagonal entry a + δ, (T − a)x = β²eₘ and δ = xₘ, so that a is an eigenvalue. The last
        // entry of (T − a)⁻¹ is the reciprocal of the last pivot.
        let mut longer = Tridiagonal {
            diagonal: t.diagonal.clone(),
            off_diagonal: t.off_diagonal.clone(),
        };
        longer.diagonal.push(a + beta * beta / pivot);
        longer.off_diagonal.push(0.0);
        Ritz::of(&longer).gauss()
    }
}

/// Returns T as a dense matrix.
fn dense(t: &Tridiagonal) -> Mat<f64> {
    Mat::from_fn(t.dim(), t.dim(), |i, j| match i.abs_diff(j) {
        0 => t.diagonal[i],
        1 => t.off_diagonal[i.min(j)],
        _ => 0.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Legendre polynomials have the recurrence βⱼ = j/√(4j² − 1) on [−1, 1] with the weight ½.
    fn legendre(m: usize) -> Tridiagonal {
        let beta = |j: f64| j / (4.0 * j * j - 1.0).sqrt();
        Tridiagonal {
            diagonal: vec![0.0; m],
            off_diagonal: (1..=m).map(|j| beta(j as f64)).collect(),
        }
    }

    fn integral(rule: &Rule, f: impl Fn(f64) -> f64) -> f64 {
        let pairs = rule.nodes.iter().zip(&rule.weights);
        pairs.map(|(x, w)| w * f(*x)).sum()
    }

    #[test]
    fn rules_are_exact_for_polynomials_and_enclose_integrals() {
        for m in [1, 3, 8] {
            let t = legendre(m);
            let (gauss, radau) = (Ritz::of(&t).gauss(), Rule::radau(&t, -1.0));
            assert!((radau.nodes.last().unwrap() + 1.0).abs() < 1e-13);
            for power in 0..=2 * m as i32 {
                let exact = [1.0 / f64::from(power + 1), 0.0][power as usize % 2];
                let off = integral(&radau, |x| x.powi(power)) - exact;
                assert!(off.abs() < 1e-13, "{m} {power}: {off}");
                let off = integral(&gauss, |x| x.powi(power)) - exact;
                assert!(
                    power as usize == 2 * m || off.abs() < 1e-13,
                    "{m} {power}: {off}"
                );
            }
            let f = |x: f64| (x + 1.5).recip();
            let exact = 0.5 * 5.0_f64.ln();
            assert!(
                integral(&gauss, f) < exact && exact < integral(&radau, f),
                "{m}"
            );
        }
    }
}
