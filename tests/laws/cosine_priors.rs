//! Precisions solved by cosine transforms, against sparse factorisations of the same matrices.

use crate::support;
use crate::support::{grids, identity, matrix_gap, reference_solve};
use pullback::faer::Mat;
use pullback::linalg::{Batch, Method};
use pullback::prior::{Matern, Smoothness};
use pullback::{Backend, Cpu, Error, Grid, Operator, Prior, Side, random};
use rayon::ThreadPoolBuilder;

fn largest(a: &Mat<f64>) -> f64 {
    a.norm_max()
}

/// ‖A‖∞.
fn row_size(a: &Mat<f64>) -> f64 {
    let row = |i: usize| (0..a.ncols()).map(|j| a[(i, j)].abs()).sum::<f64>();
    (0..a.nrows()).map(row).fold(0.0, f64::max)
}

/// Lengths that are powers of two, odd, prime, and as short as they may be, along every axis.
fn all_grids() -> Vec<Grid> {
    let axes: [&[(f64, f64, usize)]; 7] = [
        &[(0.0, 1.0, 2)],
        &[(0.0, 1.0, 31)],
        &[(0.0, 1.0, 16), (0.0, 2.0, 8)],
        &[(0.0, 1.0, 2), (0.0, 2.0, 17)],
        &[(0.0, 1.0, 31), (0.0, 2.0, 3)],
        &[(0.0, 1.0, 8), (0.0, 2.0, 2), (0.0, 1.0, 16)],
        &[(0.0, 1.0, 5), (0.0, 2.0, 6), (0.0, 1.0, 7)],
    ];
    let made = axes.iter().map(|a| Grid::new(a).unwrap());
    made.chain(grids()).collect()
}

fn fields(grid: &Grid) -> [(&'static str, Box<dyn Prior>); 2] {
    let smooth = Smoothness::new(grid, 1.7).unwrap().with_range(0.6).unwrap();
    [
        ("Matern", Box::new(Matern::new(grid, 0.8, 1.1).unwrap())),
        ("Smoothness", Box::new(smooth)),
    ]
}

fn precision(prior: &dyn Prior, n: usize) -> Operator<'static> {
    let p = prior.at(&vec![0.0; n]).unwrap();
    let p = p.root().unwrap().0.to_sparse().unwrap();
    let transposed = p.transpose().to_col_major().unwrap();
    Operator::sparse(transposed.as_ref() * p.as_ref()).positive_definite()
}

fn solved(prior: &dyn Prior, mut x: Mat<f64>) -> Mat<f64> {
    let theta = vec![0.0; x.nrows()];
    let factor = prior.precision(&theta, Cpu::shared()).unwrap();
    let stats = factor.solve(Side::Plain, None, x.as_mut()).unwrap();
    assert_eq!(stats.method, Method::CosineTransform);
    x
}

#[test]
fn solves_are_those_of_sparse_factors_of_dense_ones_and_of_the_equations() {
    for grid in all_grids() {
        let n = grid.cells();
        let b = random::normal_matrix(n, 3, 7);
        for (name, prior) in fields(&grid) {
            let place = format!("{name}, {:?}", grid.axes());
            let x = solved(&*prior, b.clone());
            let c = precision(&*prior, n);
            let dense = c.to_dense();
            let exact = reference_solve(dense.as_ref(), b.as_ref());
            let off = matrix_gap(x.as_ref(), exact.as_ref());
            // Conditions go up to 1e6, which is what the reference loses digits by.
            assert!(off < 1e-10, "{place}: {off:e} from the dense solve");
            let left = &dense * &x - &b;
            let backward = largest(&left) / (row_size(&dense) * largest(&x) + largest(&b));
            assert!(backward < 4e-15, "{place}: backward error {backward:e}");
            let mut sparse = b.clone();
            let factor = Cpu::shared().factor(c).unwrap();
            factor.solve(Side::Plain, None, sparse.as_mut()).unwrap();
            let off = matrix_gap(x.as_ref(), sparse.as_ref());
            assert!(off < 1e-10, "{place}: {off:e} from the sparse solve");
        }
    }
}

/// A grid on which Cholesky factors have a few digits to lose.
#[test]
fn the_equations_hold_to_rounding_on_a_fine_grid() {
    let grid = Grid::new(&[(0.0, 1.0, 256), (0.0, 1.0, 192)]).unwrap();
    let n = grid.cells();
    let b = random::normal_matrix(n, 2, 7);
    for (name, prior) in fields(&grid) {
        let x = solved(&*prior, b.clone());
        let c = precision(&*prior, n);
        let sparse = c.to_sparse().unwrap();
        let sizes = (0..n).map(|j| sparse.val_of_col(j).iter().map(|v| v.abs()).sum::<f64>());
        let size = sizes.fold(0.0, f64::max);
        let left = c.apply(Side::Plain, x.as_ref()).unwrap() - &b;
        let backward = largest(&left) / (size * largest(&x) + largest(&b));
        assert!(backward < 2e-15, "{name}: backward error {backward:e}");
    }
}

#[test]
fn columns_are_solved_alike_alone_in_batches_and_by_any_number_of_threads() {
    let grid = Grid::new(&[(0.0, 1.0, 48), (0.0, 1.0, 21)]).unwrap();
    let b = random::normal_matrix(grid.cells(), 9, 7);
    for (name, prior) in fields(&grid) {
        let together = |threads: usize| {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build();
            pool.unwrap().install(|| solved(&*prior, b.clone()))
        };
        let one = together(1);
        assert!(one == together(2) && one == together(4), "{name}");
        for j in 0..b.ncols() {
            let alone = solved(&*prior, b.subcols(j, 1).to_owned());
            assert!(alone.col(0) == one.col(j), "{name}, column {j}");
        }
        let theta = vec![0.0; grid.cells()];
        let factor = prior.precision(&theta, Cpu::shared()).unwrap();
        let (batch, _) = factor
            .solve_batch(Side::Plain, None, Batch::Host(b.clone()))
            .unwrap();
        assert!(batch.fetch().unwrap() == one, "{name}");
        let mut rows = b.transpose().to_owned();
        factor
            .solve(Side::Plain, None, rows.as_mut().transpose_mut())
            .unwrap();
        assert!(rows.transpose() == one, "{name}: rows of a matrix");
    }
}

#[test]
fn variances_are_the_diagonal_of_the_inverse() {
    for grid in all_grids() {
        let n = grid.cells();
        for (name, prior) in fields(&grid) {
            let dense = reference_solve(
                precision(&*prior, n).to_dense().as_ref(),
                identity(n).as_ref(),
            );
            let found = prior.variances(&vec![0.0; n], Cpu::shared()).unwrap();
            let exact: Vec<f64> = (0..n).map(|i| dense[(i, i)]).collect();
            let off = support::gap(&found, &exact);
            assert!(off < 1e-10, "{name}, {:?}: {off:e}", grid.axes());
        }
    }
}

#[test]
fn what_is_not_finite_or_does_not_fit_is_an_error() {
    let grid = Grid::new(&[(0.0, 1.0, 4), (0.0, 1.0, 3)]).unwrap();
    for (name, prior) in fields(&grid) {
        let factor = prior.precision(&[0.0; 12], Cpu::shared()).unwrap();
        let mut x = Mat::zeros(12, 2);
        x[(5, 1)] = f64::NAN;
        let error = factor.solve(Side::Plain, None, x.as_mut()).unwrap_err();
        assert!(matches!(error, Error::NotFinite { .. }), "{name}: {error}");
        let error = factor
            .solve(Side::Plain, None, Mat::zeros(11, 1).as_mut())
            .unwrap_err();
        assert!(matches!(error, Error::Dimension { .. }), "{name}: {error}");
    }
    // Weights whose squares overflow.
    let stiff = Matern::new(&grid, 1e-170, 1.0).unwrap();
    let error = stiff.precision(&[0.0; 12], Cpu::shared()).err().unwrap();
    assert!(
        matches!(error, Error::NotPositive { .. } | Error::NotFinite { .. }),
        "{error}"
    );
}
