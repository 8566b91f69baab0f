//! Lanczos process in the inner product of a preconditioner.

use faer::{Mat, MatRef};

use crate::error::Result;
use crate::vector::dot;

/// Pair of operators of the Lanczos process: products with H and solves with the preconditioner C.
pub(crate) trait Pencil {
    fn product(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>>;
    fn precondition(&self, r: MatRef<'_, f64>) -> Result<Mat<f64>>;
}

/// Basis V of the Krylov space of C⁻¹H from C⁻¹g, with VᵀCV = I and VᵀHV = T tridiagonal.
///
/// In this basis (H + λC) η = −g reads (T + λ) y = −‖g‖ e₁ with η = V y and the norm ‖g‖ = (gᵀC⁻¹g)^½. One basis
/// therefore serves every λ and gives the minimiser of the damped model over the space. A truncated conjugate-gradient
/// path (Steihaug 1983) gives only a point on the path. The method is the trust region of Gould, Lucidi, Roma and
/// Toint (1999) in the form of Levenberg and Marquardt. At λ = 0 the minimiser is the iterate of conjugate gradients.
pub(crate) struct Krylov {
    basis: Vec<Vec<f64>>,
    diagonal: Vec<f64>,
    /// Off-diagonal entries of T. The last one couples to the next vector, outside the basis.
    off_diagonal: Vec<f64>,
    /// Norm ‖g‖ = (gᵀC⁻¹g)^½ of the gradient.
    gradient_norm: f64,
    /// Reason why the process ended.
    pub(crate) end: End,
}

/// Reason why a Lanczos process ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum End {
    /// The relative residual for λ = 0 fell below its tolerance, or the space contains the solution.
    Solved,
    /// The maximal number of iterations was reached.
    Limit,
    /// The residual no longer decreased.
    Stagnated,
    /// H is not positive along the next vector, up to rounding.
    Breakdown,
}

/// Stopping criteria of the Lanczos process.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// Relative residual ‖Hη + g‖/‖g‖ at which the process stops, in the norm (xᵀC⁻¹x)^½.
    pub(crate) tolerance: f64,
    pub(crate) iterations: usize,
}

/// Fraction of the largest diagonal entry of T below which a pivot is rounding.
const ROUNDING: f64 = 1e-14;

/// Number of iterations after which a process without a new lowest residual has stagnated.
//
// The energy norm of the error falls in every iteration of conjugate gradients. The residual does not, and
// may rise for a while.
const PATIENCE: usize = 50;

impl Krylov {
    pub(crate) fn build(pencil: &dyn Pencil, g: &[f64], limits: Limits) -> Result<Self> {
        let mut space = Self {
            basis: Vec::new(),
            diagonal: Vec::new(),
            off_diagonal: Vec::new(),
            gradient_norm: 0.0,
            end: End::Solved,
        };
        // Covectors C V, against which new residuals are orthogonalised again. In floating point the three-term
        // recurrence alone loses orthogonality.
        let mut covectors: Vec<Vec<f64>> = Vec::new();
        let mut r = g.to_vec();
        let mut z = solve(pencil, &r)?;
        let mut norm = positive_root(dot(&r, &z));
        space.gradient_norm = norm;
        // Residuals of conjugate gradients need not decrease monotonically; only a long stall means stagnation.
        let (mut lowest, mut stalled) = (1.0, 0);
        while norm > ROUNDING * space.largest_diagonal() {
            if space.basis.len() == limits.iterations {
                space.end = End::Limit;
                break;
            }
            // v = C⁻¹r/‖r‖ and C v = r/‖r‖. With r ← H v − Σᵢ (vᵢᵀHv) C vᵢ, all vᵢᵀr vanish, and β = ‖r‖ is the next
            // off-diagonal entry of T: H V = C V T + β C v₊ eₘᵀ.
            let v: Vec<f64> = z.iter().map(|z| z / norm).collect();
            let cv: Vec<f64> = r.iter().map(|r| r / norm).collect();
            r = column(pencil.product(as_batch(&v))?);
            let alpha = dot(&v, &r);
            if !space.admits(alpha) {
                space.end = End::Breakdown;
                break;
            }
            space.diagonal.push(alpha);
            space.basis.push(v);
            covectors.push(cv);
            // Modified Gram-Schmidt, newest first: α and β of the recurrence lead, and only rounding is left
            // for the others.
            for (v, cv) in space.basis.iter().zip(&covectors).rev() {
                let overlap = dot(v, &r);
                subtract(&mut r, overlap, cv);
            }
            z = solve(pencil, &r)?;
            norm = positive_root(dot(&r, &z));
            space.off_diagonal.push(norm);
            let residual = space.residual();
            if residual <= limits.tolerance {
                break;
            }
            if residual < 0.99 * lowest {
                (lowest, stalled) = (residual, 0);
            } else {
                stalled += 1;
            }
            if stalled == PATIENCE {
                space.end = End::Stagnated;
                break;
            }
        }
        Ok(space)
    }

    pub(crate) fn dim(&self) -> usize {
        self.basis.len()
    }

    /// Returns the largest diagonal entry of T, the scale of rounding.
    fn largest_diagonal(&self) -> f64 {
        self.diagonal.iter().fold(0.0, |m: f64, a| m.max(*a))
    }

    /// Whether T stays positive definite with another entry on its diagonal.
    fn admits(&self, alpha: f64) -> bool {
        // T is positive definite as long as its next pivot α − β²/d is positive. Pivots of T + λ grow with λ,
        // so that this one test serves all dampings. The scale is that of the entries of T, whose rounding a
        // smaller pivot would consist of.
        let last = self.pivots(0.0).last().copied();
        let coupled = self
            .off_diagonal
            .last()
            .zip(last)
            .map_or(0.0, |(b, d)| b * b / d);
        alpha - coupled > ROUNDING * self.largest_diagonal().max(alpha)
    }

    /// Returns the pivots d of T + λ = L D Lᵀ.
    fn pivots(&self, lambda: f64) -> Vec<f64> {
        // d₁ = α₁ + λ and dⱼ = αⱼ + λ − βⱼ₋₁²/dⱼ₋₁, with Lⱼ₊₁,ⱼ = βⱼ/dⱼ.
        let mut pivots: Vec<f64> = Vec::with_capacity(self.dim());
        for (j, alpha) in self.diagonal.iter().enumerate() {
            let coupled = match j {
                0 => 0.0,
                _ => self.off_diagonal[j - 1] * self.off_diagonal[j - 1] / pivots[j - 1],
            };
            pivots.push(alpha + lambda - coupled);
        }
        pivots
    }

    /// Returns y = −(T + λ)⁻¹ ‖g‖ e₁.
    fn coordinates(&self, lambda: f64) -> Vec<f64> {
        let pivots = self.pivots(lambda);
        let mut y = vec![0.0; pivots.len()];
        // L x = −‖g‖e₁ forwards, with x in `forward`, and y = L⁻ᵀD⁻¹x backwards: O(m) operations for every
        // damping.
        let mut forward = -self.gradient_norm;
        for (j, pivot) in pivots.iter().enumerate() {
            y[j] = forward / pivot;
            forward *= -self.off_diagonal[j] / pivot;
        }
        for j in (1..y.len()).rev() {
            y[j - 1] -= self.off_diagonal[j - 1] / pivots[j - 1] * y[j];
        }
        y
    }

    /// Returns ‖Hη + g‖/‖g‖ for λ = 0, in the norm (xᵀC⁻¹x)^½.
    pub(crate) fn residual(&self) -> f64 {
        // With η = V y and H V = C V T + β C v₊ eₘᵀ, the residual is Hη + g = β yₘ C v₊, and ‖C v₊‖ = 1.
        let last = self.coordinates(0.0).last().map_or(1.0, |y| y.abs());
        match self.off_diagonal.last() {
            Some(beta) => beta * last / self.gradient_norm,
            None => 1.0,
        }
    }

    /// Returns η and the predicted decrease −(g·η + ½ ηᵀHη).
    pub(crate) fn solution(&self, lambda: f64, dim: usize) -> (Vec<f64>, f64) {
        let y = self.coordinates(lambda);
        let mut eta = vec![0.0; dim];
        for (v, y) in self.basis.iter().zip(&y) {
            subtract(&mut eta, -y, v);
        }
        // ηᵀHη = yᵀT y = Σ αⱼyⱼ² + 2 Σ βⱼyⱼyⱼ₊₁, and g·η = ‖g‖ y₁ because g = ‖g‖ C v₁.
        let diagonal_part: f64 = self.diagonal.iter().zip(&y).map(|(a, y)| a * y * y).sum();
        let couplings = self.off_diagonal.iter().zip(y.windows(2));
        let coupled_part: f64 = couplings.map(|(b, y)| 2.0 * b * y[0] * y[1]).sum();
        let slope = self.gradient_norm * y.first().copied().unwrap_or(0.0);
        (eta, -slope - 0.5 * (diagonal_part + coupled_part))
    }
}

fn solve(pencil: &dyn Pencil, r: &[f64]) -> Result<Vec<f64>> {
    Ok(column(pencil.precondition(as_batch(r))?))
}

fn as_batch(v: &[f64]) -> MatRef<'_, f64> {
    MatRef::from_column_major_slice(v, v.len(), 1)
}

fn column(batch: Mat<f64>) -> Vec<f64> {
    batch.col_as_slice(0).to_vec()
}

fn subtract(r: &mut [f64], factor: f64, v: &[f64]) {
    r.iter_mut().zip(v).for_each(|(r, v)| *r -= factor * v);
}

fn positive_root(square: f64) -> f64 {
    if square > 0.0 { square.sqrt() } else { 0.0 }
}
