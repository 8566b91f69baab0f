//! Tests of the verification of losses and metrics: correct ones pass, and wrong ones fail the matching check.
//!
//! The integration tests cover models.
#![allow(clippy::unwrap_used)]

mod losses;
mod metrics;

use faer::Mat;

use super::Verification;
use crate::grid::Grid;

pub(super) fn line() -> Grid {
    Grid::new(&[(-4.0, 5.0, 30)]).unwrap()
}

pub(super) fn plane() -> Grid {
    Grid::new(&[(-4.0, 5.0, 10), (-3.0, 4.0, 8)]).unwrap()
}

/// Returns a density of two Gaussian bumps on a grid of any dimension. The first is centred at `shift`.
pub(super) fn bumps(grid: &Grid, shift: f64) -> Vec<f64> {
    grid.sample(|x| {
        let exponent =
            |c: f64, s: f64| x.iter().map(|x| (x - c) * (x - c)).sum::<f64>() / (2.0 * s);
        0.6 * (-exponent(shift, 1.0)).exp() + 0.4 * (-exponent(1.5, 2.0)).exp()
    })
}

/// Returns an observation matrix of smooth bumps around every seventh cell.
pub(super) fn every_seventh(n: usize) -> Mat<f64> {
    Mat::from_fn(n.div_ceil(7), n, |i, j| {
        let distance = j as f64 - 7.0 * i as f64;
        (-distance * distance / 4.0).exp()
    })
}

pub(super) fn assert_passes(what: &str, report: &Verification) {
    assert!(report.passed(), "{what}:\n{report}");
    assert_eq!(report.failures().count(), 0);
}

/// Asserts that exactly this check fails. Checks that build on it may be skipped.
pub(super) fn assert_fails_only(report: &Verification, name: &str) {
    assert!(!report.passed());
    let failed: Vec<&str> = report.failures().map(|c| c.name).collect();
    assert_eq!(failed, [name], "\n{report}");
}
