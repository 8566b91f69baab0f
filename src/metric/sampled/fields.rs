//! Gradient fields of linear and quadratic potentials.

/// Positions of particles relative to their mean.
pub(super) struct Centred {
    space: usize,
    positions: Vec<f64>,
}

/// Returns the positions relative to their mean.
pub(super) fn coordinates(space: usize, cloud: &[f64]) -> Centred {
    let mean = mean(space, cloud);
    let mut positions = cloud.to_vec();
    for point in positions.chunks_exact_mut(space) {
        point.iter_mut().zip(&mean).for_each(|(x, m)| *x -= m);
    }
    Centred { space, positions }
}

/// Returns the mean position of particles.
pub(super) fn mean(space: usize, cloud: &[f64]) -> Vec<f64> {
    let mut mean = vec![0.0; space];
    for point in cloud.chunks_exact(space) {
        mean.iter_mut().zip(point).for_each(|(m, x)| *m += x);
    }
    let count = (cloud.len() / space) as f64;
    mean.iter_mut().for_each(|m| *m /= count);
    mean
}

/// Potential of degree 1 or 2 in the coordinates y = x − mean.
#[derive(Clone, Copy)]
pub(super) enum Polynomial {
    /// φ = yᵢ.
    Linear(usize),
    /// φ = yᵢyⱼ, or ½yᵢ² for i = j.
    Quadratic(usize, usize),
}

/// Returns all linear and quadratic potentials.
pub(super) fn quadratics(space: usize) -> Vec<Polynomial> {
    let linear = (0..space).map(Polynomial::Linear);
    let pairs = (0..space).flat_map(|i| (0..=i).map(move |j| Polynomial::Quadratic(i, j)));
    linear.chain(pairs).collect()
}

impl Polynomial {
    /// Writes the gradient at every particle to `out`, which is zero on entry.
    pub(super) fn write(self, centred: &Centred, out: &mut [f64]) {
        let points = centred.positions.chunks_exact(centred.space);
        for (y, out) in points.zip(out.chunks_exact_mut(centred.space)) {
            match self {
                Self::Linear(i) => out[i] = 1.0,
                Self::Quadratic(i, j) => {
                    // ∇(yᵢyⱼ) = yⱼeᵢ + yᵢeⱼ, and ∇(½yᵢ²) = yᵢeᵢ.
                    out[i] = y[j];
                    out[j] = y[i];
                }
            }
        }
    }
}
