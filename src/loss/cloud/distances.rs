//! Distances between two samples on a line.

/// Returns Σₙ Σₘ |xₙ − yₘ|, and adds `factor` times its derivative by the points of x to `gradient`. The derivative at a distance of
/// zero counts as 0.
pub(super) fn distances(x: &[f64], y: &[f64], factor: f64, gradient: &mut [f64]) -> f64 {
    // With sums of the sorted y, those up to x and those beyond need no pass over pairs. Differences from one point of y keep the
    // digits of data that are far from zero.
    let origin = y.first().copied().unwrap_or(0.0);
    let mut sorted: Vec<f64> = y.iter().map(|y| y - origin).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let mut sums = Vec::with_capacity(y.len() + 1);
    sums.push(0.0);
    for y in &sorted {
        sums.push(sums[sums.len() - 1] + y);
    }
    let (count, all) = (sorted.len(), sums[sorted.len()]);
    let mut total = 0.0;
    for (x, out) in x.iter().zip(gradient) {
        let x = x - origin;
        let below = sorted.partition_point(|y| *y < x);
        let up_to = sorted.partition_point(|y| *y <= x);
        let beyond = count - up_to;
        let near = up_to as f64 * x - sums[up_to];
        let far = (all - sums[up_to]) - beyond as f64 * x;
        total += near + far;
        *out += factor * (below as f64 - beyond as f64);
    }
    total
}

#[cfg(test)]
mod tests {
    use super::distances;
    use crate::random;

    #[test]
    fn sums_are_those_over_all_pairs() {
        for (size, place) in [(1.0, 0.0), (1e-3, 1e6)] {
            let points = |count, seed| -> Vec<f64> {
                let normal = random::normal(count, seed, 0);
                normal.iter().map(|z| place + size * z).collect()
            };
            let (mut x, y) = (points(50, 1), points(70, 2));
            x[3] = y[5];
            let mut found = vec![0.0; 50];
            let total = distances(&x, &y, 2.0, &mut found);
            let sign = |d: f64| if d == 0.0 { 0.0 } else { d.signum() };
            let mut expected = 0.0;
            for (x, found) in x.iter().zip(found) {
                expected += y.iter().map(|y| (x - y).abs()).sum::<f64>();
                assert_eq!(found, 2.0 * y.iter().map(|y| sign(x - y)).sum::<f64>());
            }
            assert!((total / expected - 1.0).abs() < 1e-12, "{total} {expected}");
        }
    }
}
