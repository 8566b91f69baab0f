//! Several experiments with one Darcy flow: what they share, what they cost, and how they are observed.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{column, gap, grids};
use pullback::descent::Tolerances;
use pullback::direction::Gradient;
use pullback::faer::{MatMut, MatRef};
use pullback::linalg::{Factor, SolveStats, View};
use pullback::loss::Observations;
use pullback::models::{Darcy, End};
use pullback::step::Fixed;
use pullback::{
    Backend, Cpu, Descent, Grid, Linearisation, Model, Noise, Operator, Result, Side, random,
    verify,
};

const EXPERIMENTS: usize = 3;

fn source(n: usize, experiment: usize) -> Vec<f64> {
    random::normal(n, 10 + experiment as u64, 0)
}

fn box_with_a_fixed_side(grid: &Grid) -> Darcy {
    Darcy::new(grid)
        .and_then(|d| d.pressure(0, End::Lower, 0.5))
        .and_then(|d| d.inflow(0, End::Upper, 0.2))
        .unwrap()
}

fn together(grid: &Grid) -> Darcy {
    let darcy = box_with_a_fixed_side(grid);
    (0..EXPERIMENTS).fold(darcy, |d, e| d.source(source(grid.cells(), e)).unwrap())
}

fn alone(grid: &Grid, experiment: usize) -> Darcy {
    let darcy = box_with_a_fixed_side(grid);
    darcy.source(source(grid.cells(), experiment)).unwrap()
}

fn theta(grid: &Grid) -> Vec<f64> {
    random::normal(grid.cells(), 3, 0)
}

/// Counts factorisations, batches and their columns.
#[derive(Default)]
struct Counting {
    cpu: Cpu,
    counts: [AtomicUsize; 3],
}

struct Counted<'a>(Box<dyn Factor + 'a>, &'a [AtomicUsize; 3]);

impl Backend for Counting {
    fn factor<'a>(&'a self, a: Operator<'a>) -> Result<Box<dyn Factor + 'a>> {
        self.counts[0].fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(Counted(self.cpu.factor(a)?, &self.counts)))
    }
}

impl Factor for Counted<'_> {
    fn solve(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        self.1[1].fetch_add(1, Ordering::Relaxed);
        self.1[2].fetch_add(batch.ncols(), Ordering::Relaxed);
        self.0.solve(side, guess, batch)
    }
}

#[test]
fn experiments_are_what_they_are_alone() {
    let cpu = Cpu::default();
    for grid in grids() {
        let (n, theta, darcy) = (grid.cells(), theta(&grid), together(&grid));
        assert_eq!(darcy.experiments(), EXPERIMENTS);
        let u = darcy.pressures(&theta).unwrap();
        let z = Linearisation::new(&darcy, &u, &theta, &cpu).unwrap();
        let v = random::normal(n, 4, 0);
        let tangent = z.tangent(column(&v)).unwrap();
        let w = random::normal(EXPERIMENTS * n, 4, 1);
        let mut pulled = vec![0.0; n];
        for (e, w) in w.chunks(n).enumerate() {
            let (single, part) = (alone(&grid, e), e * n..(e + 1) * n);
            let own = single.pressures(&theta).unwrap();
            // Sums in wider batches may be ordered otherwise.
            assert!(gap(&u[part.clone()], &own) < 1e-13);
            let z = Linearisation::new(&single, &own, &theta, &cpu).unwrap();
            let expected = z.tangent(column(&v)).unwrap();
            let found = &tangent.col_as_slice(0)[part];
            assert!(gap(found, expected.col_as_slice(0)) < 1e-12);
            let own = z.pull_back(w).unwrap();
            pulled.iter_mut().zip(own).for_each(|(p, o)| *p += o);
        }
        assert!(gap(&z.pull_back(&w).unwrap(), &pulled) < 1e-12);
    }
}

#[test]
fn a_state_costs_one_factorisation_and_one_batch_with_a_column_an_experiment() {
    for grid in grids() {
        let (darcy, counting) = (together(&grid), Counting::default());
        let mut u = vec![0.0; darcy.state_dim()];
        darcy.solve(&theta(&grid), &mut u, &counting).unwrap();
        let counts = counting
            .counts
            .each_ref()
            .map(|c| c.load(Ordering::Relaxed));
        assert_eq!(counts, [1, 1, EXPERIMENTS]);
    }
}

/// A state costs what the test above says, a gradient a factorisation and one adjoint for all experiments.
#[test]
fn a_descent_counts_the_same() {
    let grid = Grid::new(&[(0.0, 1.0, 6), (0.0, 1.0, 5)]).unwrap();
    let (darcy, theta) = (together(&grid), theta(&grid));
    let data = darcy.pressures(&theta).unwrap();
    let noise = Noise::uniform(data.len(), 0.1).unwrap();
    let loss = Observations::new(darcy.observe_all(), data, noise).unwrap();
    let tolerances = Tolerances {
        gradient: 0.0,
        decrease: 0.0,
        step: 0.0,
        loss: 0.0,
        target: None,
        iterations: 2,
    };
    let rule = Fixed { scale: 1e-6 };
    let report = Descent::new(&darcy, &loss)
        .direction(&Gradient)
        .step(&rule)
        .tolerances(tolerances)
        .run(&vec![0.0; grid.cells()], |_| ())
        .unwrap();
    let c = &report.counts;
    assert_eq!(c.model_solves, 3, "{report}");
    assert_eq!(c.newton_solves, 3 * EXPERIMENTS, "{report}");
    assert_eq!(c.factorisations, 6, "{report}");
    assert_eq!((c.tangent_solves, c.adjoint_solves), (0, 3), "{report}");
}

#[test]
fn points_are_observed_in_every_experiment() {
    for grid in grids() {
        let (n, darcy) = (grid.cells(), together(&grid));
        let centre = |s: f64| {
            let axes = grid.axes().iter();
            axes.map(|a| a.lower + s * (a.upper - a.lower))
                .collect::<Vec<f64>>()
        };
        let points = [centre(0.3), centre(0.6)];
        let u = darcy.pressures(&theta(&grid)).unwrap();
        let seen = darcy.observe(&points).unwrap();
        assert_eq!(seen.shape(), (2 * EXPERIMENTS, EXPERIMENTS * n));
        let seen = seen.apply_to(Side::Plain, &u).unwrap();
        let single = grid.interpolation(&points).unwrap();
        for (seen, u) in seen.chunks(2).zip(u.chunks(n)) {
            assert_eq!(gap(seen, &single.apply_to(Side::Plain, u).unwrap()), 0.0);
        }
        assert!(darcy.observe_all().is_identity());
        assert_eq!(darcy.observe_all().nrows(), u.len());
    }
}

#[test]
fn gradients_of_observed_experiments_pass_the_taylor_test() {
    let grid = Grid::new(&[(0.0, 1.0, 6), (0.0, 1.0, 5)]).unwrap();
    let darcy = together(&grid);
    let seen = darcy
        .observe(&[[0.2, 0.3], [0.7, 0.7], [0.9, 0.1]])
        .unwrap();
    let u = darcy.pressures(&vec![0.0; grid.cells()]).unwrap();
    let data = seen.apply_to(Side::Plain, &u).unwrap();
    let noise = Noise::uniform(data.len(), 0.1).unwrap();
    let loss = Observations::new(seen, data, noise).unwrap();
    let checks = verify::gradient(&darcy, &loss, &theta(&grid), 1).unwrap();
    assert!(checks.passed(), "{checks}");
}

#[test]
fn without_sources_there_is_one_experiment_and_one_matrix() {
    let grid = Grid::new(&[(0.0, 1.0, 8)]).unwrap();
    let darcy = box_with_a_fixed_side(&grid);
    assert_eq!((darcy.experiments(), darcy.state_dim()), (1, 8));
    let a = darcy.state_jacobian(&[0.0; 8], &[0.0; 8]);
    assert!(matches!(a.view(), View::Stencil(_)) && a.is_positive_definite());
    let several = together(&grid);
    let a = several.state_jacobian(&[0.0; 24], &[0.0; 8]);
    assert!(matches!(a.view(), View::Repeated { count: 3, .. }) && a.is_positive_definite());
    // What flows in above makes a slope of 0.2, all the way to the side that is held.
    let u = darcy.pressures(&[0.0; 8]).unwrap();
    let exact = grid.sample(|x| 0.5 + 0.2 * x[0]);
    assert!(gap(&u, &exact) < 1e-13);
}

#[test]
fn the_last_word_on_a_side_counts() {
    let grid = Grid::new(&[(0.0, 1.0, 8)]).unwrap();
    let darcy = box_with_a_fixed_side(&grid).pressure(0, End::Upper, 2.5);
    let u = darcy.unwrap().pressures(&[1.0; 8]).unwrap();
    let exact = grid.sample(|x| 0.5 + 2.0 * x[0]);
    assert!(gap(&u, &exact) < 1e-13);
}
