//! Random estimates with standard errors.

use faer::Mat;

/// Estimate from random probes.
///
/// ```
/// use pullback::{Cpu, Grid, Linearisation, models::GaussianMixture, models::Parameter};
/// use pullback::sketch::{Probes, ProbeKind, Sketch};
/// let mixture = GaussianMixture::new(&Grid::new(&[(-5.0, 5.0, 50)])?)
///     .component(1.0, &[0.0], 1.0)
///     .free(&[Parameter::Mean(0, 0)])?;
/// let theta = mixture.parameters();
/// let rho = mixture.density(&theta)?;
/// let cpu = Cpu::default();
/// let z = Linearisation::new(&mixture, &rho, &theta, &cpu)?;
/// let exact: f64 = z.matrix()?.col_as_slice(0).iter().map(|z| z * z).sum();
///
/// let probes = Probes::new(ProbeKind::Signs, 50, 40, 1)?;
/// let g = Sketch::of_state(&z, &probes)?.information();
/// let error = g.standard_error.expect("two probes or more")[(0, 0)];
/// assert!((g.value[(0, 0)] - exact).abs() < 4.0 * error);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate<T> {
    /// Value of the estimate.
    pub value: T,
    /// Standard deviation over seeds, entry by entry, estimated from the spread among the probes.
    ///
    /// The standard error is zero for an exact value, and `None` if the spread is not informative: for a single probe
    /// or, for least squares, with no more probes than parameters.
    pub standard_error: Option<T>,
    /// Number of adjoint solves of the estimate, 0 for an explicit model.
    pub solves: usize,
}

/// Returns the jackknife standard error √(u (n−1)/n Σⱼ (xⱼ − x̄)²), where column xⱼ of `replicates` is the
/// estimate without probe j. The factor u corrects for sampling without replacement, see
/// `Probes::variance_factor`.
pub(super) fn jackknife(replicates: &Mat<f64>, variance_factor: f64) -> Vec<f64> {
    let n = replicates.ncols() as f64;
    let mean = row_means(replicates);
    let mut squares = vec![0.0; mean.len()];
    for j in 0..replicates.ncols() {
        let column = replicates.col_as_slice(j).iter().zip(&mean);
        for (square, (x, mean)) in squares.iter_mut().zip(column) {
            *square += (x - mean) * (x - mean);
        }
    }
    // Each replicate omits one of n probes, so that its deviation is about 1/(n − 1) of that of a single
    // probe. For a plain mean this holds exactly, and the sum gives the familiar Σ(x − x̄)²/(n(n − 1)).
    let factor = variance_factor * (n - 1.0) / n;
    squares.iter().map(|s| (factor * s).sqrt()).collect()
}

/// Returns the mean x̄ of the columns.
pub(super) fn row_means(columns: &Mat<f64>) -> Vec<f64> {
    let mut mean = vec![0.0; columns.nrows()];
    for j in 0..columns.ncols() {
        let column = mean.iter_mut().zip(columns.col_as_slice(j));
        column.for_each(|(mean, x)| *mean += x);
    }
    let n = columns.ncols() as f64;
    mean.iter_mut().for_each(|mean| *mean /= n);
    mean
}
