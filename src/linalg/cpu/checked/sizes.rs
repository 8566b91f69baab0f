//! How large residuals are beside what they are judged by.

use crate::linalg::SolveStats;

/// max |rᵢ|/uᵢ, max (|A||x|)ᵢ/uᵢ and max |bᵢ|/uᵢ of one column, with r = b − Ax and the sizes u of the equations.
#[derive(Clone, Copy, Default)]
pub(super) struct Sizes {
    pub(super) residual: f64,
    pub(super) product: f64,
    pub(super) side: f64,
}

/// The backward error and the amplification of a column.
pub(super) fn judge_column(found: &Sizes) -> SolveStats {
    let (r, size, b) = (found.residual, found.product, found.side);
    if !(r.is_finite() && size.is_finite()) {
        return SolveStats {
            residual: f64::INFINITY,
            amplification: f64::INFINITY,
            ..SolveStats::default()
        };
    }
    // 0/0 (a zero column) counts as solved.
    SolveStats {
        residual: if r == 0.0 { 0.0 } else { r / (size + b) },
        amplification: if size == 0.0 { 0.0 } else { size / b },
        ..SolveStats::default()
    }
}

/// max |vᵢ|·scaleᵢ, infinite if any entry is not finite. By eight, which a processor compares at once.
pub(super) fn largest(v: &[f64], scales: &[f64]) -> f64 {
    let (mut largest, mut broken) = ([0.0; 8], [0.0; 8]);
    let mut compare = |lane: usize, v: f64, scale: f64| {
        let size = v.abs() * scale;
        largest[lane] = if size > largest[lane] {
            size
        } else {
            largest[lane]
        };
        // 0, or NaN for what is not finite.
        broken[lane] += 0.0 * size;
    };
    let ((v, v_tail), (scales, s_tail)) = (v.as_chunks::<8>(), scales.as_chunks::<8>());
    for (v, scales) in v.iter().zip(scales) {
        (0..8).for_each(|lane| compare(lane, v[lane], scales[lane]));
    }
    for (v, scale) in v_tail.iter().zip(s_tail) {
        compare(0, *v, *scale);
    }
    if broken == [0.0; 8] {
        largest.into_iter().fold(0.0, f64::max)
    } else {
        f64::INFINITY
    }
}
