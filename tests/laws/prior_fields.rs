//! Priors for fields against dense algebra, and against the covariance they are named for.

use crate::support::{column, dot, gap, grids, identity, matrix_gap, reference_solve};
use pullback::faer::Mat;
use pullback::prior::{Matern, PriorTerms, Smoothness};
use pullback::{Cpu, Error, Grid, Prior, Side, random};

fn fields(grid: &Grid) -> [(&'static str, Box<dyn Prior>); 2] {
    let smooth = Smoothness::new(grid, 1.7).unwrap().with_range(0.6).unwrap();
    [
        ("Matern", Box::new(Matern::new(grid, 0.8, 1.1).unwrap())),
        ("Smoothness", Box::new(smooth)),
    ]
}

/// P by its columns.
fn root(prior: &dyn Prior, n: usize) -> Mat<f64> {
    let terms = PriorTerms::new(&[prior], &vec![0.0; n]).unwrap();
    terms.matrix().unwrap()
}

fn residual(prior: &dyn Prior, theta: &[f64]) -> Vec<f64> {
    prior.at(theta).unwrap().root().unwrap().1.to_vec()
}

fn dense_covariance(prior: &dyn Prior, n: usize) -> Mat<f64> {
    let p = root(prior, n);
    reference_solve((p.transpose() * &p).as_ref(), identity(n).as_ref())
}

fn solved(prior: &dyn Prior, n: usize) -> Mat<f64> {
    let (theta, cpu) = (vec![0.0; n], Cpu::default());
    let mut x = identity(n);
    let factor = prior.precision(&theta, &cpu).unwrap();
    factor.solve(Side::Plain, None, x.as_mut()).unwrap();
    x
}

#[test]
fn precisions_and_variances_are_those_of_the_dense_inverse() {
    for grid in grids() {
        let n = grid.cells();
        for (name, prior) in fields(&grid) {
            let place = format!("{name}, {} axes", grid.dim());
            let dense = dense_covariance(&*prior, n);
            let off = matrix_gap(solved(&*prior, n).as_ref(), dense.as_ref());
            assert!(off < 1e-10, "{place}: {off:e}");
            let found = prior.variances(&vec![0.0; n], &Cpu::default()).unwrap();
            let expected: Vec<f64> = (0..n).map(|i| dense[(i, i)]).collect();
            let off = gap(&found, &expected);
            assert!(off < 1e-10, "{place}, variances: {off:e}");
        }
    }
}

/// The cell in the middle of a grid with as many cells along every axis.
fn middle(cells: usize, dim: usize) -> usize {
    (0..dim).fold(0, |index, _| index * cells + cells / 2)
}

fn cube(cells: usize, dim: usize) -> Grid {
    Grid::new(&vec![(0.0, 1.0, cells); dim]).unwrap()
}

/// The covariance of the middle with every cell.
fn from_the_middle(prior: &dyn Prior, cells: usize, dim: usize) -> Vec<f64> {
    let n = cells.pow(dim as u32);
    let (theta, cpu) = (vec![0.0; n], Cpu::default());
    let mut x = Mat::zeros(n, 1);
    x[(middle(cells, dim), 0)] = 1.0;
    let factor = prior.precision(&theta, &cpu).unwrap();
    factor.solve(Side::Plain, None, x.as_mut()).unwrap();
    x.col_as_slice(0).to_vec()
}

#[test]
fn a_matern_field_has_the_deviation_and_range_it_was_given() {
    let (deviation, range) = (0.7, 0.2);
    for (dim, cells) in [(1, 800), (2, 160)] {
        let grid = cube(cells, dim);
        let prior = Matern::new(&grid, deviation, range).unwrap();
        let variances = prior.variances(&vec![0.0; grid.cells()], &Cpu::default());
        let variance = variances.unwrap()[middle(cells, dim)];
        let off = (variance / (deviation * deviation) - 1.0).abs();
        assert!(off < 0.02, "{dim} axes: variance off by {off}");
        let covariances = from_the_middle(&prior, cells, dim);
        let away = (range * cells as f64).round() as usize;
        let correlation = covariances[middle(cells, dim) + away] / variance;
        let off = (correlation - 0.14).abs();
        assert!(off < 0.05, "{dim} axes: correlation {correlation}");
    }
}

#[test]
fn a_matern_field_has_more_variance_at_a_side() {
    let prior = Matern::new(&cube(800, 1), 0.7, 0.2).unwrap();
    let variances = prior.variances(&[0.0; 800], &Cpu::default()).unwrap();
    let ratio = variances[0] / variances[400];
    assert!((ratio - 2.0).abs() < 0.05, "{ratio}");
}

#[test]
fn residual_root_and_value_belong_together() {
    for grid in grids() {
        let n = grid.cells();
        let theta = random::normal(n, 3, 0);
        let ahead = random::normal(n, 4, 0);
        for (name, prior) in fields(&grid) {
            let place = format!("{name}, {} axes", grid.dim());
            let at = |t: f64| -> Vec<f64> {
                let moved = theta.iter().zip(&ahead).map(|(x, d)| x + t * d);
                moved.collect()
            };
            let s = |t: f64| residual(&*prior, &at(t));
            let half: f64 = 0.5 * dot(&s(0.0), &s(0.0));
            let value = |t: f64| prior.value(&at(t)).unwrap();
            assert!(gap(&[value(0.0)], &[half]) < 1e-13, "{place}: value");
            // s is affine and R quadratic, so that central differences are exact but for rounding.
            let change: Vec<f64> = s(1.0).iter().zip(s(-1.0)).map(|(a, b)| a - b).collect();
            let local = prior.at(&theta).unwrap();
            let operator = local.root().unwrap().0;
            let along = operator.apply_to(Side::Plain, &ahead).unwrap();
            let twice: Vec<f64> = along.iter().map(|x| 2.0 * x).collect();
            assert!(gap(&change, &twice) < 1e-11, "{place}: root");
            let slope = dot(&local.gradient(), &ahead);
            let difference = 0.5 * (value(1.0) - value(-1.0));
            let off = (difference - slope).abs() / value(1.0);
            assert!(off < 1e-11, "{place}: gradient {off:e}");
            let dense = &root(&*prior, n) * column(&ahead);
            assert!(gap(&along, dense.col_as_slice(0)) < 1e-12, "{place}");
        }
    }
}

#[test]
fn means_shift_the_field() {
    for grid in grids() {
        let n = grid.cells();
        let (mean, theta) = (random::normal(n, 5, 0), random::normal(n, 6, 0));
        let shifted: Vec<f64> = theta.iter().zip(&mean).map(|(t, m)| t + m).collect();
        let matern = Matern::new(&grid, 0.8, 1.1).unwrap();
        let smooth = Smoothness::new(&grid, 1.7)
            .unwrap()
            .with_range(0.6)
            .unwrap();
        let around = matern.clone().around(mean.clone()).unwrap();
        let towards = smooth.clone().towards(mean.clone()).unwrap();
        let pairs: [(&dyn Prior, &dyn Prior); 2] = [(&matern, &around), (&smooth, &towards)];
        for (plain, moved) in pairs {
            assert_eq!(moved.value(&mean).unwrap(), 0.0);
            let off = gap(&residual(moved, &shifted), &residual(plain, &theta));
            assert!(off < 1e-12, "{off:e}");
            let [a, b] = [plain, moved].map(|p| p.variances(&theta, &Cpu::default()).unwrap());
            assert_eq!(a, b);
        }
    }
}

#[test]
fn a_mean_may_come_before_the_range() {
    let grid = &grids()[1];
    let mean = random::normal(grid.cells(), 5, 0);
    let plain = || Smoothness::new(grid, 1.7).unwrap();
    let before = plain().towards(mean.clone()).unwrap().with_range(0.6);
    let after = plain().with_range(0.6).unwrap().towards(mean);
    let theta = random::normal(grid.cells(), 6, 0);
    let [a, b] = [before, after].map(|p| residual(&p.unwrap(), &theta));
    assert_eq!(a, b);
}

#[test]
fn smoothness_without_a_range_is_no_prior_to_solve_with() {
    let grid = &grids()[1];
    let (prior, theta) = (Smoothness::new(grid, 1.0).unwrap(), vec![0.0; grid.cells()]);
    let cpu = Cpu::default();
    for found in [
        prior.precision(&theta, &cpu).map(drop),
        prior.variances(&theta, &cpu).map(drop),
    ] {
        let error = found.unwrap_err();
        assert!(matches!(error, Error::NotPositiveDefinite { .. }));
        assert!(error.to_string().contains("with_range"), "{error}");
    }
}

#[test]
fn variances_do_not_depend_on_the_mesh() {
    let variance = |cells: usize| {
        let prior = Matern::new(&cube(cells, 2), 0.7, 0.4).unwrap();
        let all = prior.variances(&vec![0.0; cells * cells], &Cpu::default());
        all.unwrap()[middle(cells, 2)]
    };
    let [coarse, medium, fine] = [32, 64, 128].map(variance);
    let [first, second] = [coarse, medium].map(|v| (v / fine - 1.0).abs());
    // What change there is is of second order in the spacing: 1/16 - 1/4 of it is left at 64 cells.
    assert!(first < 0.03 && second < 0.3 * first, "{first}, {second}");
}
