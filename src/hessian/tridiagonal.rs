//! Symmetric tridiagonal matrices of Lanczos processes.

/// Symmetric tridiagonal matrix T.
#[derive(Default)]
pub(super) struct Tridiagonal {
    pub(super) diagonal: Vec<f64>,
    /// Off-diagonal entries. The last entry couples the basis to the next vector, which is not part of it.
    pub(super) off_diagonal: Vec<f64>,
}

/// Fraction of the size of T to which its lowest eigenvalue is computed, and below which a damping is not raised above it.
const RESOLUTION: f64 = 1e-15;

/// Number of bisections of a damping.
const BISECTIONS: usize = 60;

impl Tridiagonal {
    pub(super) fn dim(&self) -> usize {
        self.diagonal.len()
    }

    /// Returns the largest absolute entry of the diagonal, the scale of rounding.
    pub(super) fn largest_diagonal(&self) -> f64 {
        self.diagonal.iter().fold(0.0, |m: f64, a| m.max(a.abs()))
    }

    /// Returns the pivots d of T + λ = L D Lᵀ.
    pub(super) fn pivots(&self, lambda: f64) -> Vec<f64> {
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

    /// Returns y = −(T + λ)⁻¹ c e₁.
    pub(super) fn solve(&self, lambda: f64, c: f64) -> Vec<f64> {
        let pivots = self.pivots(lambda);
        let mut y = vec![0.0; pivots.len()];
        // L x = −c e₁ forwards, with x in `forward`, and y = L⁻ᵀD⁻¹x backwards: O(m) operations for every
        // damping.
        let mut forward = -c;
        for (j, pivot) in pivots.iter().enumerate() {
            y[j] = forward / pivot;
            forward *= -self.off_diagonal[j] / pivot;
        }
        for j in (1..y.len()).rev() {
            y[j - 1] -= self.off_diagonal[j - 1] / pivots[j - 1] * y[j];
        }
        y
    }

    /// Returns yᵀT y.
    pub(super) fn quadratic(&self, y: &[f64]) -> f64 {
        // yᵀT y = Σ αⱼyⱼ² + 2 Σ βⱼyⱼyⱼ₊₁.
        let diagonal_part: f64 = self.diagonal.iter().zip(y).map(|(a, y)| a * y * y).sum();
        let couplings = self.off_diagonal.iter().zip(y.windows(2));
        let coupled_part: f64 = couplings.map(|(b, y)| 2.0 * b * y[0] * y[1]).sum();
        diagonal_part + coupled_part
    }

    /// Returns the smallest λ, up to rounding, for which T + λ is positive definite: minus the lowest eigenvalue.
    pub(super) fn least_damping(&self) -> f64 {
        // By Sylvester's law of inertia T + λ is positive definite exactly if all pivots are positive. By Gershgorin's theorem
        // all eigenvalues lie within the sums of absolute rows, which bound the bisection.
        let row = |j: usize| {
            let before = j.checked_sub(1).map_or(0.0, |i| self.off_diagonal[i]);
            let after = if j + 1 < self.dim() {
                self.off_diagonal[j]
            } else {
                0.0
            };
            self.diagonal[j].abs() + before + after
        };
        let bound = (0..self.dim()).map(row).fold(0.0, f64::max);
        let definite = |lambda: f64| self.pivots(lambda).iter().all(|d| *d > 0.0);
        let (mut low, mut high) = (-bound, bound * (1.0 + RESOLUTION));
        for _ in 0..BISECTIONS {
            let middle = 0.5 * (low + high);
            match definite(middle) {
                true => high = middle,
                false => low = middle,
            }
        }
        high
    }

    /// Returns the absolute last entry of the unit eigenvector for an eigenvalue μ.
    pub(super) fn last_component(&self, mu: f64) -> f64 {
        // Rows of (T − μ)s = 0 give βⱼsⱼ₊₁ = (μ − αⱼ)sⱼ − βⱼ₋₁sⱼ₋₁ from s₁ = 1.
        let (mut before, mut last, mut square) = (0.0, 1.0_f64, 1.0);
        for j in 0..self.dim().saturating_sub(1) {
            let coupled = j.checked_sub(1).map_or(0.0, |i| self.off_diagonal[i]);
            let next = ((mu - self.diagonal[j]) * last - coupled * before) / self.off_diagonal[j];
            (before, last) = (last, next);
            square += next * next;
        }
        last.abs() / square.sqrt()
    }

    /// Returns the λ > `least` for which y = −(T + λ)⁻¹ c e₁ has the given length, for a singular T + `least`. If y is shorter
    /// for all λ, returns the smallest λ that rounding resolves.
    pub(super) fn damping_of_length(&self, least: f64, c: f64, length: f64) -> f64 {
        // ‖y‖ decreases in λ, and ‖y‖ ≤ c/(λ − least) bounds the excess of λ over `least` from above. The bisection is one of
        // its logarithm, since close to a saddle c is tiny, and so is the excess.
        let fits = |excess: f64| crate::vector::norm(&self.solve(least + excess, c)) <= length;
        let (mut low, mut high) = (RESOLUTION * least.abs(), c / length);
        if high <= low || fits(low) {
            return least + low.max(f64::MIN_POSITIVE);
        }
        for _ in 0..BISECTIONS {
            let middle = (low * high).sqrt();
            match fits(middle) {
                true => high = middle,
                false => low = middle,
            }
        }
        least + high
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The second difference −1, 2, −1 has the eigenvalues 2 − 2 cos(jπ/(m + 1)).
    fn second_difference(m: usize, shift: f64) -> Tridiagonal {
        Tridiagonal {
            diagonal: vec![2.0 - shift; m],
            off_diagonal: vec![1.0; m],
        }
    }

    #[test]
    fn the_least_damping_is_minus_the_lowest_eigenvalue() {
        for (m, shift) in [(1, 3.0), (2, 0.0), (7, 1.5), (40, 4.1)] {
            let angle = std::f64::consts::PI / (m as f64 + 1.0);
            let lowest = 2.0 - 2.0 * angle.cos() - shift;
            let found = second_difference(m, shift).least_damping();
            assert!((found + lowest).abs() < 1e-13, "{m}: {found} {lowest}");
        }
    }

    /// The eigenvector of the lowest eigenvalue has the entries sin(jπ/(m + 1)), with the square norm (m + 1)/2.
    #[test]
    fn the_last_component_is_that_of_the_unit_eigenvector() {
        for m in [1, 2, 7, 20] {
            let mut t = second_difference(m, 0.0);
            t.off_diagonal.iter_mut().for_each(|b| *b = -1.0);
            let n = m as f64 + 1.0;
            let angle = std::f64::consts::PI / n;
            let found = t.last_component(2.0 - 2.0 * angle.cos());
            let expected = angle.sin() / (0.5 * n).sqrt();
            assert!(
                (found / expected - 1.0).abs() < 1e-9,
                "{m}: {found} {expected}"
            );
        }
    }

    #[test]
    fn a_step_beyond_negative_curvature_has_the_length_that_was_asked_for() {
        for c in [1.0, 1e-6, 1e-12] {
            let t = second_difference(12, 1.0);
            let lambda = t.damping_of_length(t.least_damping(), c, 0.5);
            let y = t.solve(lambda, c);
            let length = crate::vector::norm(&y);
            assert!((length - 0.5).abs() < 1e-3, "{c}: {length}");
            // −c y₁ − ½ yᵀT y, the decrease of the model.
            assert!(-c * y[0] - 0.5 * t.quadratic(&y) > 0.0);
        }
    }
}
