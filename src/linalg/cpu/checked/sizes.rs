//! Backward error and amplification of a solved column.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::linalg::SolveStats;

/// Weighted maximum norms for one column with the residual r = b − A x, where u are the row norms of A.
#[derive(Default)]
pub(super) struct Norms {
    /// Norm of the residual, maxᵢ |rᵢ|/uᵢ.
    pub(super) residual: Maximum,
    /// Norm of |A||x|, maxᵢ (|A||x|)ᵢ/uᵢ.
    pub(super) product: Maximum,
    /// Norm of the right-hand side, maxᵢ |bᵢ|/uᵢ.
    pub(super) side: f64,
}

/// Maximum of numbers ≥ 0 that several threads compute. It starts at zero and does not depend on their order.
// The bits of floating-point numbers without sign are ordered as the numbers are.
#[derive(Default)]
pub(super) struct Maximum(AtomicU64);

impl Maximum {
    pub(super) fn raise(&self, value: f64) {
        self.0.fetch_max(value.to_bits(), Ordering::Relaxed);
    }

    fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

/// Returns the backward error ‖r‖/(‖|A||x|‖ + ‖b‖) and the amplification ‖|A||x|‖/‖b‖ of a column.
pub(super) fn judge_column(norms: &Norms) -> SolveStats {
    // Rounding errors in A x are of the order ε |A||x|, so that a stable solve has a backward error of a few
    // ε. Since |x| ≤ |A⁻¹||b|, the amplification is a lower bound on the condition number ‖|A||A⁻¹|‖ of Skeel
    // (1979) in the weighted norm: a large amplification proves that A is nearly singular.
    let (r, size, b) = (norms.residual.get(), norms.product.get(), norms.side);
    if !(r.is_finite() && size.is_finite()) {
        return SolveStats {
            residual: f64::INFINITY,
            amplification: f64::INFINITY,
            ..SolveStats::default()
        };
    }
    // A zero right-hand side would give 0/0, and counts as solved.
    SolveStats {
        residual: if r == 0.0 { 0.0 } else { r / (size + b) },
        amplification: if size == 0.0 { 0.0 } else { size / b },
        ..SolveStats::default()
    }
}

/// Returns maxᵢ |vᵢ|·scaleᵢ, or infinity if any entry is not finite.
pub(super) fn largest(v: &[f64], scales: &[f64]) -> f64 {
    // Eight independent lanes, so that the compiler can use vector instructions.
    let (mut largest, mut not_finite) = ([0.0; 8], [0.0; 8]);
    let mut compare = |lane: usize, v: f64, scale: f64| {
        let size = v.abs() * scale;
        largest[lane] = if size > largest[lane] {
            size
        } else {
            largest[lane]
        };
        // The comparison above ignores NaN. But 0·NaN and 0·∞ are NaN, which persists in the sum.
        not_finite[lane] += 0.0 * size;
    };
    let ((v, v_tail), (scales, s_tail)) = (v.as_chunks::<8>(), scales.as_chunks::<8>());
    for (v, scales) in v.iter().zip(scales) {
        (0..8).for_each(|lane| compare(lane, v[lane], scales[lane]));
    }
    for (v, scale) in v_tail.iter().zip(s_tail) {
        compare(0, *v, *scale);
    }
    if not_finite == [0.0; 8] {
        largest.into_iter().fold(0.0, f64::max)
    } else {
        f64::INFINITY
    }
}
