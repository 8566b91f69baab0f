//! Multilinear interpolation between cell centres.

use crate::support;
use crate::support::bad::{check, row};
use crate::support::{gap, grids};
use pullback::{Grid, Side, random};

/// Points of the box that keep this many cells' distance from its boundary.
fn points(grid: &Grid, margin: f64, count: usize) -> Vec<Vec<f64>> {
    let numbers = random::uniform(3 * count, (0.0, 1.0), 1);
    let point = |numbers: &[f64]| {
        let axes = grid.axes().iter().zip(numbers);
        axes.map(|(a, s)| {
            let inset = margin * a.spacing();
            a.lower + inset + s * (a.upper - a.lower - 2.0 * inset)
        })
        .collect()
    };
    numbers.chunks(3).map(point).collect()
}

/// By the formula, cell by cell: hat functions, constant beyond the outermost centres.
fn value(grid: &Grid, rho: &[f64], point: &[f64]) -> f64 {
    let weight = |cell: usize| -> f64 {
        let axes = grid.axes().iter().zip(point).enumerate();
        axes.map(|(d, (a, x))| {
            let half = 0.5 * a.spacing();
            let x = x.max(a.lower + half).min(a.upper - half);
            (1.0 - (x - grid.centre(cell)[d]).abs() / a.spacing()).max(0.0)
        })
        .product()
    };
    rho.iter().enumerate().map(|(i, r)| weight(i) * r).sum()
}

#[test]
fn it_is_the_formula_everywhere_in_the_box() {
    for grid in grids() {
        let rho = random::normal(grid.cells(), 2, 0);
        let mut points = points(&grid, 0.0, 200);
        let axes = || grid.axes().iter();
        points.push(axes().map(|a| a.lower).collect());
        points.push(axes().map(|a| a.upper).collect());
        let o = grid.interpolation(&points).unwrap();
        let found = o.apply_to(Side::Plain, &rho).unwrap();
        let expected: Vec<f64> = points.iter().map(|x| value(&grid, &rho, x)).collect();
        assert!(gap(&found, &expected) < 1e-13);
        let sums = o.apply_to(Side::Plain, &vec![1.0; grid.cells()]).unwrap();
        assert!(sums.iter().all(|s| (s - 1.0).abs() < 4.0 * f64::EPSILON));
    }
}

#[test]
fn it_is_exact_for_affine_functions_between_the_centres() {
    let affine = |x: &[f64]| {
        0.7 + x
            .iter()
            .zip([2.0, -3.0, 0.5])
            .map(|(x, c)| c * x)
            .sum::<f64>()
    };
    for grid in grids() {
        let points = points(&grid, 0.5, 100);
        let o = grid.interpolation(&points).unwrap();
        let found = o.apply_to(Side::Plain, &grid.sample(affine)).unwrap();
        let expected: Vec<f64> = points.iter().map(|x| affine(x)).collect();
        assert!(gap(&found, &expected) < 1e-14);
    }
}

#[test]
fn it_is_of_second_order_for_smooth_functions() {
    let f = |x: &[f64]| (2.0 * x[0]).sin() * x[1].exp();
    let error = |n: usize| {
        let grid = Grid::new(&[(0.0, 1.0, n), (0.0, 1.0, n + 3)]).unwrap();
        let points: Vec<[f64; 2]> = (1..20)
            .map(|i| f64::from(i) / 20.0)
            .map(|s| [0.1 + 0.8 * s, 0.9 - 0.8 * s * s])
            .collect();
        let o = grid.interpolation(&points).unwrap();
        let found = o.apply_to(Side::Plain, &grid.sample(f)).unwrap();
        let off = found.iter().zip(&points).map(|(v, x)| (v - f(x)).abs());
        off.fold(0.0, f64::max)
    };
    let order = (error(20) / error(160)).log2() / 3.0;
    // The largest error depends a little on where between centres the points fall.
    assert!((order - 2.0).abs() < 0.3, "order {order}");
}

#[test]
fn cell_centres_are_seen_as_they_are_and_one_cell_is_constant() {
    let grid = Grid::new(&[(0.0, 1.0, 4), (0.0, 1.0, 2)]).unwrap();
    let centres: Vec<[f64; 3]> = (0..8).map(|cell| grid.centre(cell)).collect();
    let centres: Vec<&[f64]> = centres.iter().map(|c| &c[..2]).collect();
    let dense = grid.interpolation(&centres).unwrap().to_dense();
    assert!(support::matrix_gap(dense.as_ref(), support::identity(8).as_ref()) < 1e-15);
    let single = Grid::new(&[(0.0, 1.0, 1), (0.0, 1.0, 2)]).unwrap();
    let o = single.interpolation(&[[0.9, 0.5]]).unwrap();
    assert_eq!(o.apply_to(Side::Plain, &[1.0, 3.0]).unwrap(), [2.0]);
}

#[test]
fn points_that_make_no_sense_are_named() {
    let grid = || Grid::new(&[(0.0, 1.0, 4), (-1.0, 1.0, 5)]).unwrap();
    let at = move |x: f64, y: f64| grid().interpolation(&[[0.5, 0.5], [x, y]]);
    check(vec![
        row("left", "OutOfRange", "first coordinate", move || {
            at(-0.1, 0.0)
        }),
        row(
            "which",
            "OutOfRange",
            "index 1, outside [-1, 1]",
            move || at(0.5, 1.0 + 1e-15),
        ),
        row("above", "OutOfRange", "second coordinate", move || {
            at(0.5, 2.0)
        }),
        row("NaN", "NotFinite", "second coordinate", move || {
            at(0.5, f64::NAN)
        }),
        row("∞", "NotFinite", "index 1", move || {
            at(f64::INFINITY, 0.0)
        }),
        row("too few", "Dimension", "a point", move || {
            grid().interpolation(&[[0.5]])
        }),
        row("too many", "Dimension", "a point", move || {
            grid().interpolation(&[vec![0.5; 3]])
        }),
        row("none", "Option", "at least one", move || {
            grid().interpolation::<[f64; 2]>(&[])
        }),
    ]);
}
