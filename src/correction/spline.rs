//! Smoothing spline through simulations, the regression that gives Z.
//!
//! The spline f through values hᵢ at points xᵢ minimises Σ‖hᵢ − f(xᵢ)‖² + λ·(bending of f). With the kernel r³ it is an affine map
//! plus Σ cᵢ‖x − xᵢ‖³, where Σ cᵢ = 0 and Σ cᵢxᵢ = 0 (Duchon 1977). The affine map is free of cost: affine data are reproduced
//! from p + 1 points, for every λ. For λ → 0 the spline interpolates, so that close points decide about the derivative. For
//! λ → ∞ it is the linear regression on all points, which averages the noise. The likelihood of the contrasts of the data
//! (REML, Wahba 1985) chooses λ anew for every set of points.

use faer::{Mat, MatRef};

use super::response::Response;
use crate::linalg::{gram, minimum_norms, product, symmetric_eigen};

/// Relative size below which a direction counts as not explored by the points.
const RANK: f64 = 1e-12;

/// Decades of λ, relative to the largest eigenvalue of the kernel, and candidates per decade.
//
// Rounding of the kernel hides eigenvalues below about 10⁻¹⁶ of the largest. At 10⁸ the spline is the linear regression to
// eight digits.
const DECADES: (i32, i32) = (-14, 8);
const PER_DECADE: i32 = 2;

/// Least gain of log-likelihood for which a larger λ is taken.
//
// A single contrast explains every λ equally well. Rounding must not decide then: the spline interpolates.
const GAIN: f64 = 1e-9;

/// Derivative of a smoothing spline.
pub(super) struct Slope {
    /// Derivative, k × p.
    pub(super) z: Mat<f64>,
    /// Smoothing λ relative to the largest eigenvalue of the kernel, or None if there are no more points than the affine map
    /// needs.
    pub(super) smoothing: Option<f64>,
    /// Effect of the parameters on the data, and its noise.
    pub(super) response: Response,
}

/// Returns the derivative at `x` of the spline through points, the rows of an n × p matrix, with the columns of `values`. The
/// columns of `lifted` are the values in the metric, by which λ is chosen.
pub(super) fn slope(
    points: MatRef<'_, f64>,
    values: MatRef<'_, f64>,
    lifted: MatRef<'_, f64>,
    x: &[f64],
) -> Slope {
    let (n, p) = points.shape();
    let trend = Trend::of(points);
    let distance = |i: usize, to: &dyn Fn(usize) -> f64| {
        let square = |j: usize| (points[(i, j)] - to(j)).powi(2);
        (0..p).map(square).sum::<f64>().sqrt()
    };
    let kernel = Mat::from_fn(n, n, |i, k| distance(i, &|j| points[(k, j)]).powi(3));
    let Some(smoother) = Smoother::new(&trend, kernel.as_ref(), lifted) else {
        let lifted = product(lifted, trend.slopes.transpose());
        return Slope {
            z: product(values, trend.slopes.transpose()),
            smoothing: None,
            response: Response::new(gram(lifted.as_ref()), (Mat::zeros(p, p), 0.0)),
        };
    };
    // The affine map fits h − K c − λ c, so that its slope is X⁺(h − K c − λ c) for the centred points X. The gradient of
    // ‖x − xᵢ‖³ is 3‖x − xᵢ‖(x − xᵢ).
    let gradient = Mat::from_fn(n, p, |i, j| {
        3.0 * distance(i, &|j| x[j]) * (x[j] - points[(i, j)])
    });
    let derivative = |values: MatRef<'_, f64>| {
        let c = smoother.coefficients(values);
        let bends = product(c.as_ref(), kernel.as_ref());
        let rest = Mat::from_fn(values.nrows(), n, |k, i| {
            values[(k, i)] - bends[(k, i)] - smoother.lambda * c[(k, i)]
        });
        let affine = product(rest.as_ref(), trend.slopes.transpose());
        affine + product(c.as_ref(), gradient.as_ref())
    };
    // Z = H W for one matrix W of weights, which independent noise of the values turns into noise of covariance WᵀW in Z.
    let weights = derivative(Mat::identity(n, n).as_ref());
    let noise = faer::Scale(smoother.noise) * gram(weights.as_ref());
    Slope {
        z: derivative(values),
        smoothing: Some(smoother.relative),
        response: Response::new(gram(derivative(lifted).as_ref()), (noise, smoother.noise)),
    }
}

/// Affine maps on the points.
struct Trend {
    /// Slopes X⁺ of an affine fit, p × n, for the centred points X.
    slopes: Mat<f64>,
    /// Orthonormal contrasts, n × m, which are orthogonal to all affine maps.
    contrasts: Mat<f64>,
}

impl Trend {
    fn of(points: MatRef<'_, f64>) -> Self {
        let (n, p) = points.shape();
        let mean = |j: usize| points.col(j).iter().sum::<f64>() / n as f64;
        let means: Vec<f64> = (0..p).map(mean).collect();
        let centred = Mat::from_fn(n, p, |i, j| points[(i, j)] - means[j]);
        let (negative, rank) = minimum_norms(centred.as_ref(), Mat::identity(n, n).as_ref(), RANK);
        let slopes = Mat::from_fn(p, n, |j, i| -negative[(j, i)]);
        // I − 11ᵀ/n − X X⁺ projects onto the contrasts. Its eigenvalues are 0 and 1, so that rounding cannot mix the spaces.
        let onto = product(centred.as_ref(), slopes.as_ref());
        let projector = Mat::from_fn(n, n, |i, k| {
            let unit = if i == k { 1.0 } else { 0.0 };
            unit - 1.0 / n as f64 - 0.5 * (onto[(i, k)] + onto[(k, i)])
        });
        let (_, vectors) = symmetric_eigen(projector.as_ref());
        let count = n.saturating_sub(rank + 1).min(vectors.ncols());
        Self {
            slopes,
            contrasts: vectors.subcols(0, count).to_owned(),
        }
    }
}

/// Smoothing by the spline: in the contrasts N its coefficients are c = N(NᵀKN + λI)⁻¹Nᵀh.
struct Smoother {
    /// Eigenvectors N V of the kernel in the contrasts, NᵀKN = V diag(κ) Vᵀ.
    basis: Mat<f64>,
    /// Eigenvalues κ, largest first. The kernel r³ is positive definite on the contrasts.
    sizes: Vec<f64>,
    lambda: f64,
    /// λ relative to the largest eigenvalue.
    relative: f64,
    /// Variance of the noise of a lifted value, summed over its rows.
    noise: f64,
}

impl Smoother {
    /// Chooses λ. Returns None if the affine maps leave nothing to smooth.
    fn new(trend: &Trend, kernel: MatRef<'_, f64>, lifted: MatRef<'_, f64>) -> Option<Self> {
        let n = &trend.contrasts;
        let of_contrasts = product(n.transpose(), product(kernel, n.as_ref()).as_ref());
        let (sizes, vectors) = symmetric_eigen(of_contrasts.as_ref());
        let largest = sizes.first().copied().filter(|size| *size > 0.0)?;
        let basis = product(n.as_ref(), vectors.as_ref());
        let amplitudes = product(lifted, basis.as_ref());
        let energy = |i: usize| amplitudes.col(i).iter().map(|a| a * a).sum::<f64>();
        let energies: Vec<f64> = (0..sizes.len()).map(energy).collect();
        let relative = smoothing(&sizes, &energies);
        let lambda = relative * largest;
        // The contrasts have the variances s(κᵢ + λ) with this s, of which sλ is the noise.
        let scaled = energies
            .iter()
            .zip(&sizes)
            .map(|(e, size)| e / (size.max(0.0) + lambda));
        let scale = scaled.sum::<f64>() / sizes.len() as f64;
        Some(Self {
            basis,
            sizes,
            lambda,
            relative,
            noise: scale * lambda,
        })
    }

    /// Returns the coefficients c of the spline, one row per row of the values.
    fn coefficients(&self, values: MatRef<'_, f64>) -> Mat<f64> {
        // 1/λ may be 10¹⁴. A matrix of the map h ↦ c would carry rounding errors of this size relative to h; the contrasts of
        // smooth values are small where κ is, and their quotients are harmless.
        let mut amplitudes = product(values, self.basis.as_ref());
        for (i, size) in self.sizes.iter().enumerate() {
            let variance = size.max(0.0) + self.lambda;
            amplitudes
                .col_as_slice_mut(i)
                .iter_mut()
                .for_each(|a| *a /= variance);
        }
        product(amplitudes.as_ref(), self.basis.transpose())
    }
}

/// Returns the λ, relative to the largest eigenvalue, that maximises the likelihood of the contrasts.
fn smoothing(sizes: &[f64], energies: &[f64]) -> f64 {
    let m = sizes.len() as f64;
    // Contrast i of every row is normal with the variance s(sizeᵢ + λ). With the s of the largest likelihood, −2 log L is
    // m log Σ energyᵢ/(sizeᵢ + λ) + Σ log(sizeᵢ + λ), per row and up to a constant.
    let cost = |lambda: f64| {
        let variance = |size: &f64| size.max(0.0) + lambda;
        let scale = energies
            .iter()
            .zip(sizes)
            .map(|(e, size)| e / variance(size));
        let spread = sizes.iter().map(|size| variance(size).ln()).sum::<f64>();
        m * scale.sum::<f64>().ln() + spread
    };
    let (first, last) = DECADES;
    let candidates = (PER_DECADE * first..=PER_DECADE * last)
        .map(|k| 10.0_f64.powf(f64::from(k) / f64::from(PER_DECADE)));
    let (mut best, mut least) = (10.0_f64.powi(first), f64::INFINITY);
    for relative in candidates {
        let cost = cost(relative * sizes[0]);
        if cost < least - GAIN {
            (best, least) = (relative, cost);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    fn difference(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> f64 {
        let mut largest = 0.0_f64;
        for j in 0..a.ncols() {
            for i in 0..a.nrows() {
                largest = largest.max((a[(i, j)] - b[(i, j)]).abs());
            }
        }
        largest
    }

    /// Values f(x) of a map, one column per point.
    fn values(points: &Mat<f64>, rows: usize, f: impl Fn(usize, &[f64]) -> f64) -> Mat<f64> {
        Mat::from_fn(rows, points.nrows(), |k, i| {
            let x: Vec<f64> = points.row(i).iter().copied().collect();
            f(k, &x)
        })
    }

    fn last(points: &Mat<f64>) -> Vec<f64> {
        points.row(points.nrows() - 1).iter().copied().collect()
    }

    #[test]
    fn affine_maps_are_reproduced_for_any_number_of_points() {
        for (n, p) in [(2, 1), (3, 2), (4, 3), (9, 3), (40, 2)] {
            let (points, a) = (
                random::normal_matrix(n, p, 1),
                random::normal_matrix(5, p, 2),
            );
            let h = values(&points, 5, |k, x| {
                3.0 + (0..p).map(|j| a[(k, j)] * x[j]).sum::<f64>()
            });
            let slope = slope(points.as_ref(), h.as_ref(), h.as_ref(), &last(&points));
            let z = &slope.z;
            assert!(
                difference(z.as_ref(), a.as_ref()) < 1e-9,
                "{n} points of {p}"
            );
            assert_eq!(slope.smoothing.is_none(), n == p + 1);
        }
    }

    #[test]
    fn a_parameter_that_never_moved_has_no_slope() {
        let points = Mat::from_fn(5, 2, |i, j| if j == 0 { i as f64 } else { 0.7 });
        let h = values(&points, 3, |k, x| k as f64 + 2.0 * x[0]);
        let z = slope(points.as_ref(), h.as_ref(), h.as_ref(), &last(&points)).z;
        assert!((0..3).all(|k| (z[(k, 0)] - 2.0).abs() < 1e-10 && z[(k, 1)].abs() < 1e-10));
    }

    #[test]
    fn smooth_maps_are_interpolated_and_close_points_decide() {
        // Points that close in on the last one, as the iterates of a convergent correction do.
        let points = Mat::from_fn(14, 2, |i, j| {
            0.3_f64.powi(i as i32) * [1.0, 0.6][(i + j) % 2]
        });
        let h = values(&points, 2, |k, x| {
            [x[0].sin() + x[1], x[0] * x[1] + x[1].exp()][k]
        });
        let slope = slope(points.as_ref(), h.as_ref(), h.as_ref(), &last(&points));
        let z = &slope.z;
        let exact = Mat::from_fn(2, 2, |i, j| [[1.0, 1.0], [0.0, 1.0]][i][j]);
        assert!(difference(z.as_ref(), exact.as_ref()) < 2e-3, "{z:?}");
    }

    #[test]
    fn noise_is_averaged_as_by_the_linear_regression() {
        let (n, p, rows, noise) = (40, 2, 200, 0.3);
        let (points, a) = (
            random::normal_matrix(n, p, 3),
            random::normal_matrix(rows, p, 4),
        );
        let errors = random::normal_matrix(rows, n, 5);
        let mut h = values(&points, rows, |k, x| a[(k, 0)] * x[0] + a[(k, 1)] * x[1]);
        h += faer::Scale(noise) * &errors;
        let slope = slope(points.as_ref(), h.as_ref(), h.as_ref(), &last(&points));
        let z = &slope.z;
        // Linear regression has the error noise/√n per unit of spread, an interpolation several times more.
        let square = (0..rows)
            .map(|k| (z[(k, 0)] - a[(k, 0)]).powi(2))
            .sum::<f64>();
        let error = (square / rows as f64).sqrt();
        assert!(error < 1.3 * noise / (n as f64).sqrt(), "{error}");
        assert!(slope.smoothing.unwrap() > 1e-2);
        // Columns of unit entries with errors of noise/√n.
        let share = noise * noise / n as f64;
        let found = slope.response.blur();
        assert!((found / share - 1.0).abs() < 0.5, "{found} of {share}");
    }
}
