//! Coarsening of stencils: 2×2×2 cells form one coarse cell, an aggregate.

use super::pipeline::parent_line;
use crate::linalg::operator::{Line, Side, Stencil};

/// Smallest share of a coupling between two aggregates that the coarse stencil of a Laplacian keeps.
///
/// The coarse stencil of a Laplacian with constant coefficients keeps one half. The bound limits coarse corrections to
/// at most twice the best one, in the energy norm.
const LEAST_SHARE: f64 = 0.5;

/// Multiple of ε up to which row sums may be negative, relative to the diagonal.
// The sum of at most seven coefficients has six rounding errors, and the diagonal itself is such a sum.
const ROUNDINGS: f64 = 16.0;

/// Returns the smallest share of a coupling between aggregates that the coarse stencils of this matrix may keep, 1 for
/// Galerkin products. `definite` means that the matrix is symmetric positive definite.
pub(crate) fn least_share(stencil: &Stencil, definite: bool) -> f64 {
    // Smaller couplings −w leave the matrix D + Σ w (eᵢ − eⱼ)(eᵢ − eⱼ)ᵀ positive definite if w ≥ 0 and the row sums D
    // are not negative. Without that, only the Galerkin product is known to be definite.
    if definite && is_dominant(stencil) {
        LEAST_SHARE
    } else {
        1.0
    }
}

/// Returns the share of the coupling of a cell and the next one, in different aggregates, that couples the aggregates.
fn share(up: &[f64], (cell, stride): (usize, usize), last: bool, least: f64) -> f64 {
    // The centres of two aggregates are two cells apart. From one to the other a current passes half of the coupling a
    // inside the first aggregate, the coupling c between them, and half of the coupling b inside the second one: the
    // resistance is 1/2a + 1/c + 1/2b. The Galerkin product replaces it by 1/c, as if potentials were constant inside
    // aggregates. Its corrections of smooth errors are too small by a factor of two on every level (Stüben 2001).
    let half = 0.5 * up[cell];
    let before = half / up[cell - stride];
    // The last aggregate of an odd number of cells has one cell, in whose centre the current ends.
    let after = if last { 0.0 } else { half / up[cell + stride] };
    // If a coupling and one beside it are zero, the quotient is NaN, for which `max` returns the bound.
    (1.0 / (1.0 + before + after)).max(least).min(1.0)
}

/// Returns whether no coupling is positive and no row sum negative, up to rounding.
fn is_dominant(stencil: &Stencil) -> bool {
    let arrays = stencil.up.iter().chain(&stencil.down);
    if arrays.flatten().any(|a| *a > 0.0) {
        return false;
    }
    let mut sums = stencil.centre.clone();
    for axis in (0..3).filter(|&d| stencil.shape[d] > 1) {
        let stride = stencil.stride(axis);
        let (up, down) = (&stencil.up[axis], &stencil.down[axis]);
        for cell in 0..sums.len() - stride {
            sums[cell] += down[cell];
            sums[cell + stride] += up[cell];
        }
    }
    let enough = |(sum, d): (&f64, &f64)| *sum >= -ROUNDINGS * f64::EPSILON * d;
    sums.iter().zip(&stencil.centre).all(enough)
}

/// Returns the index of the aggregate that contains each cell.
pub(super) fn parents(fine: &Stencil) -> Vec<usize> {
    let rows = fine.rows(Side::Plain);
    let line = |line: Line| {
        let first = parent_line(rows.shape, line.at);
        (0..line.len).map(move |k| first + k / 2)
    };
    rows.lines().flat_map(line).collect()
}

/// Returns the stencil of the aggregates: PᵀAP with couplings reduced to those of resistors in series, but to no smaller
/// share than `least`.
pub(super) fn coarsen(fine: &Stencil, parents: &[usize], least: f64) -> Stencil {
    // (Pᵀ A P)_IJ = Σ aᵢⱼ over i in I and j in J. The diagonal of I collects the diagonals of its cells and all
    // couplings between them. These connect cells 2m and 2m + 1 of an axis; couplings of 2m + 1 and 2m + 2 leave the
    // aggregate. What such a coupling loses, both diagonals gain, so that row sums stay those of PᵀAP.
    let mut coarse = Stencil::new(&fine.shape.map(|n| n.div_ceil(2)));
    for (d, p) in fine.centre.iter().zip(parents) {
        coarse.centre[*p] += d;
    }
    for axis in (0..3).filter(|&d| fine.shape[d] > 1) {
        let (stride, n) = (fine.stride(axis), fine.shape[axis]);
        let (up, down) = (&fine.up[axis], &fine.down[axis]);
        let share = |cell: usize, index: usize| share(up, (cell, stride), index + 2 == n, least);
        for (cell, &p) in parents.iter().enumerate() {
            let index = cell / stride % n;
            let (first, last) = (index == 0, index + 1 == n);
            if index % 2 == 0 && !first {
                let before = cell - stride;
                coarse.centre[p] += (1.0 - share(before, index - 1)) * up[before];
            }
            if index % 2 == 0 && !last {
                coarse.centre[p] += up[cell] + down[cell];
            }
            if index % 2 == 1 && !last {
                let share = share(cell, index);
                coarse.centre[p] += (1.0 - share) * down[cell];
                coarse.up[axis][p] += share * up[cell];
                coarse.down[axis][p] += share * down[cell];
            }
        }
    }
    coarse
}

/// Returns the sum of the sizes of the cells in every aggregate.
pub(super) fn restrict_sizes(parents: &[usize], cells: usize, sizes: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; cells];
    for (size, p) in sizes.iter().zip(parents) {
        sums[*p] += size;
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the Laplacian with a weight for every pair of neighbours, plus a diagonal.
    fn laplacian(shape: &[usize], weight: impl Fn(usize, usize) -> f64, diagonal: f64) -> Stencil {
        let mut stencil = Stencil::new(shape);
        for axis in 0..shape.len() {
            let stride: usize = shape[axis + 1..].iter().product();
            for lower in (0..stencil.cells()).filter(|c| c / stride % shape[axis] + 1 < shape[axis])
            {
                let w = weight(axis, lower);
                stencil.couple(axis, lower, [[w, -w], [-w, w]]);
            }
        }
        stencil.add_diagonal(&vec![diagonal; stencil.cells()]);
        stencil
    }

    fn coarse(fine: &Stencil, definite: bool) -> Stencil {
        coarsen(fine, &parents(fine), least_share(fine, definite))
    }

    /// Returns the sum of every row.
    fn sums(stencil: &Stencil) -> Vec<f64> {
        let matrix = stencil.compress();
        let mut sums = vec![0.0; stencil.cells()];
        matrix.triplet_iter().for_each(|t| sums[t.row] += t.val);
        sums
    }

    #[test]
    fn a_constant_laplacian_becomes_that_of_the_coarse_grid() {
        // A face of 2ᵈ⁻¹ fine faces at twice the distance, and the diagonal of 2ᵈ cells.
        for (shape, half, weight) in [
            (&[12][..], &[6][..], 0.5),
            (&[8, 6], &[4, 3], 1.0),
            (&[4, 8, 6], &[2, 4, 3], 2.0),
        ] {
            let cells = f64::from(1 << shape.len());
            let fine = laplacian(shape, |_, _| 3.0, 0.25);
            let expected = laplacian(half, |_, _| 3.0 * weight, 0.25 * cells);
            let found = coarse(&fine, true);
            assert_eq!(found.centre, expected.centre, "{shape:?}");
            assert_eq!(
                (found.up, found.down),
                (expected.up, expected.down),
                "{shape:?}"
            );
        }
    }

    #[test]
    fn couplings_on_a_line_are_resistors_in_series() {
        let weights = [4.0, 3.0, 8.0, 3.0, 2.0, 2.0];
        let found = coarse(&laplacian(&[7], |_, lower| weights[lower], 0.0), true);
        // From the centre of cells 0 and 1 to that of cells 2 and 3, and on; the last aggregate is cell 6.
        let resistances = [
            0.5 / 4.0 + 1.0 / 3.0 + 0.5 / 8.0,
            0.5 / 8.0 + 1.0 / 3.0 + 0.5 / 2.0,
            0.5 / 2.0 + 1.0 / 2.0,
        ];
        for (found, resistance) in found.up[2].iter().zip(resistances) {
            assert!((found + 1.0 / resistance).abs() < 1e-15, "{found}");
        }
    }

    #[test]
    fn couplings_keep_one_half_at_least() {
        // A current would have to pass a coupling of next to nothing, or of nothing.
        for weak in [1e-9, 0.0] {
            let weights = [weak, 4.0, 5.0];
            let found = coarse(&laplacian(&[4], |_, lower| weights[lower], 1.0), true);
            assert_eq!(found.up[2][0], -2.0);
        }
        let found = coarse(&laplacian(&[4], |_, _| 0.0, 1.0), true);
        assert_eq!((found.up[2][0], &found.centre), (0.0, &vec![2.0; 2]));
    }

    #[test]
    fn row_sums_are_those_of_galerkin_products_whatever_the_couplings() {
        // Some couplings vanish, others span sixteen decades.
        let weight = |axis: usize, lower: usize| match (3 * lower + axis) % 5 {
            0 => 0.0,
            k => 10_f64.powi(4 * k as i32 - 12),
        };
        for shape in [&[5, 7, 6][..], &[17, 9], &[11, 1, 4], &[33]] {
            let fine = laplacian(shape, weight, 0.5);
            let coarse = coarse(&fine, true);
            let galerkin = coarsen(&fine, &parents(&fine), 1.0);
            assert_eq!(coarse.up, coarse.down);
            for axis in 0..3 {
                for (a, b) in coarse.up[axis].iter().zip(&galerkin.up[axis]) {
                    assert!(*b <= *a && *a <= 0.5 * b, "{a} of {b}");
                }
            }
            // Rounding errors are relative to the diagonals of the cells, which inner couplings cancel.
            let within = |values: &[f64]| restrict_sizes(&parents(&fine), coarse.cells(), values);
            let (expected, diagonal) = (within(&sums(&fine)), within(&fine.centre));
            for ((found, expected), d) in sums(&coarse).iter().zip(expected).zip(diagonal) {
                assert!(
                    (found - expected).abs() <= 1e-15 * d,
                    "{found} for {expected}"
                );
            }
        }
    }

    #[test]
    fn matrices_without_dominant_diagonals_keep_galerkin_products() {
        let fine = laplacian(&[9, 8], |_, _| 1.0, 0.0);
        assert_eq!(least_share(&fine, true), LEAST_SHARE);
        assert_eq!(least_share(&fine, false), 1.0);
        let indefinite = laplacian(&[9, 8], |_, _| 1.0, -1e-3);
        let repelling = laplacian(&[9, 8], |axis, _| axis as f64 - 0.1, 1.0);
        for other in [&indefinite, &repelling] {
            assert_eq!(least_share(other, true), 1.0);
        }
        // The Galerkin product sums all entries of an aggregate.
        let sum: f64 = coarse(&indefinite, true).compress().val().iter().sum();
        assert!((sum + 72e-3).abs() < 1e-13, "{sum}");
    }
}
