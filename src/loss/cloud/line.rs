//! Transport between two samples on a line.

/// Adds the derivative of ½W₂² by the points of x to `gradient`, and returns ½W₂². Both samples are sorted, and may have different
/// sizes.
pub(super) fn transport(x: &[f64], y: &[f64], gradient: &mut [f64]) -> f64 {
    // On a line the optimal plan pairs equal quantiles. Point i of N covers the levels from i/N to (i + 1)/N, in units of 1/NM
    // those from iM to (i + 1)M. Integers make the merging of both sets of levels exact.
    let (n, m) = (x.len(), y.len());
    let unit = ((n * m) as f64).recip();
    let (mut i, mut j, mut level, mut value) = (0, 0, 0, 0.0);
    while i < n && j < m {
        let (end_x, end_y) = ((i + 1) * m, (j + 1) * n);
        let next = end_x.min(end_y);
        let (mass, gap) = ((next - level) as f64 * unit, x[i] - y[j]);
        value += 0.5 * mass * gap * gap;
        gradient[i] += mass * gap;
        level = next;
        i += usize::from(end_x == next);
        j += usize::from(end_y == next);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::transport;

    #[test]
    fn samples_of_different_sizes_share_mass() {
        // Two points at 0 and 3 against three at 0, 1 and 2, each of mass 1/3: masses 1/3, 1/6 | 1/6, 1/3.
        let mut gradient = [0.0; 2];
        let value = transport(&[0.0, 3.0], &[0.0, 1.0, 2.0], &mut gradient);
        let expected = 0.5 * (1.0 / 6.0 + 4.0 / 6.0 + 1.0 / 3.0);
        assert!((value - expected).abs() < 1e-15);
        assert!((gradient[0] + 1.0 / 6.0).abs() < 1e-15);
        assert!((gradient[1] - 4.0 / 6.0).abs() < 1e-15);
    }
}
