//! Sums of metrics of which no single one sees a covector, or which project differently.

use pullback::faer::{Mat, MatRef};
use pullback::metric::{FisherRao, L2, Observed, Sobolev, Stacked, Wasserstein2};
use pullback::{Cpu, Grid, Metric, Noise, Operator, verify};

fn observing(rows: std::ops::Range<usize>, cells: usize) -> Operator<'static> {
    let entry = |i: usize, j: usize| if rows.start + i == j { 1.0 } else { 0.1 };
    Operator::dense(Mat::from_fn(rows.len(), cells, entry))
}

#[test]
fn a_covector_that_only_all_parts_see_is_represented() {
    let grid = Grid::new(&[(0.0, 1.0, 12)]).unwrap();
    let (first, second) = (observing(0..3, 12), observing(5..8, 12));
    let noise = Noise::uniform(3, 0.5).unwrap();
    let sums = [
        Stacked::default()
            .add(1.0, Observed::new(&first, &noise).unwrap())
            .add(0.5, Observed::new(&second, &noise).unwrap()),
        Stacked::default()
            .add(1.0, Observed::new(&first, &noise).unwrap())
            .add(2.0, FisherRao::new(&grid)),
        Stacked::default()
            .add(1.0, Wasserstein2::new(&grid))
            .add(1.0, Sobolev::homogeneous(&grid, -1.0).unwrap()),
    ];
    let (rho, cpu) = (grid.sample(|x| 1.0 + 0.5 * x[0]), Cpu::default());
    for sum in &sums {
        let root = sum.at(&rho, &cpu).unwrap();
        let z = grid.sample(|x| (7.0 * x[0]).sin());
        let z = MatRef::from_column_major_slice(&z, 12, 1);
        let c = root.apply(z).unwrap();
        let y = root.dual(c.col_as_slice(0)).unwrap();
        let y = MatRef::from_column_major_slice(&y, y.len(), 1);
        let lowered = root.lower(y).unwrap();
        assert!((&lowered - &c).norm_l2() <= 1e-9 * c.norm_l2());
    }
}

/// The projection may not depend on the covector, not even on one that is huge where there is no mass.
#[test]
fn projections_are_told_apart_whatever_the_covector() {
    let grid = Grid::new(&[(-6.0, 6.0, 40)]).unwrap();
    let rho = grid.sample(|x| (-x[0] * x[0] / 0.2).exp());
    let sum = Stacked::default()
        .add(1.0, FisherRao::new(&grid))
        .add(2.0, L2::new(&grid));
    for seed in 1..=20 {
        let report = verify::metric(&sum, &rho, seed).unwrap();
        assert!(report.passed(), "{report}");
    }
}
