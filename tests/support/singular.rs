//! Matrices that no solver may invert.

use pullback::Error;
use pullback::faer::{Mat, mat};

/// Matrices without an inverse; the last two to rounding only.
pub(crate) fn singular() -> Vec<(&'static str, Mat<f64>)> {
    let path = |i: usize, j: usize| match (i == j, i.abs_diff(j) == 1) {
        (true, _) => {
            if i == 0 || i == 5 {
                0.1
            } else {
                0.2
            }
        }
        (_, true) => -0.1,
        _ => 0.0,
    };
    vec![
        ("of rank one", mat![[1.0, 1.0], [1.0, 1.0]]),
        (
            "of rank two",
            mat![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [5.0, 7.0, 9.0]],
        ),
        ("with a zero row", mat![[1.0, 2.0], [0.0, 0.0]]),
        ("with a zero column", mat![[0.0, 2.0], [0.0, 1.0]]),
        (
            "without a matching",
            mat![[1.0, 1.0, 1.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]],
        ),
        ("all zero", Mat::zeros(3, 3)),
        ("with rows 1 : 3", mat![[0.1, 0.2], [0.3, 0.6]]),
        ("a Neumann Laplacian", Mat::from_fn(6, 6, path)),
    ]
}

pub(crate) fn means_singular(error: &Error) -> bool {
    matches!(
        error,
        Error::Singular { .. } | Error::NotPositiveDefinite { .. }
    )
}
