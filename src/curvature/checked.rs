//! Checks of a curvature and of its products.

use faer::Mat;

use crate::check;
use crate::error::Result;
use crate::hessian::{Curvature, HessianError};
use crate::vector::{clear_subnormal, largest};

/// Fraction of the largest eigenvalue below which an eigenvalue is rounding, or an error of solves.
pub(super) const ROUNDING: f64 = 1e-10;

/// Smallest number of random probes.
const FEWEST_PROBES: usize = 16;

/// Checks that there are enough random probes for standard errors.
pub(super) fn check_probes(what: &'static str, probes: usize) -> Result<()> {
    let remedy = "take at least 16, whose standard errors mean something";
    check::option(what, probes as f64, probes >= FEWEST_PROBES, remedy)
}

/// Checks that there is a matrix to look at, and returns its dimension.
pub(super) fn check_dim(h: &dyn Curvature) -> Result<usize> {
    let dim = h.dim();
    let remedy = "look at a model with free parameters";
    check::option("the dimension of a curvature", dim as f64, dim > 0, remedy)?;
    Ok(dim)
}

/// Returns H V after checks of its shape and entries.
pub(super) fn product(h: &dyn Curvature, v: Mat<f64>) -> Result<Mat<f64>> {
    let mut product = h.product(v.as_ref())?;
    let what = "the rows of a product with a curvature";
    check::length(what, product.nrows(), v.nrows())?;
    let what = "the columns of a product with a curvature";
    check::length(what, product.ncols(), v.ncols())?;
    for j in 0..product.ncols() {
        check::finite("a product with a curvature", product.col_as_slice(j))?;
        clear_subnormal(product.col_as_slice_mut(j));
    }
    Ok(product)
}

/// Relative difference of two mirrored entries that only an asymmetric matrix explains.
const ASYMMETRY: f64 = 1e-6;

/// Returns (A + Aᵀ)/2 for a matrix that is symmetric up to errors of solves.
pub(super) fn symmetric(a: &Mat<f64>) -> Result<Mat<f64>> {
    let n = a.nrows();
    let size = (0..n).fold(0.0_f64, |size, j| size.max(largest(a.col_as_slice(j))));
    for j in 0..n {
        for i in 0..j {
            let (forward, backward) = (a[(i, j)], a[(j, i)]);
            if (forward - backward).abs() > ASYMMETRY * size {
                return Err(HessianError::NotSymmetric { forward, backward }.into());
            }
        }
    }
    Ok(Mat::from_fn(n, n, |i, j| 0.5 * (a[(i, j)] + a[(j, i)])))
}
