//! Columns that go through metric, adjoint and contraction block by block: the numbers and the batches.

use std::sync::Mutex;

use crate::support::{Reaction, density, matrix_gap};
use pullback::direction::{DataSpace, information_matrix};
use pullback::faer::{Mat, MatMut, MatRef};
use pullback::linalg::{Factor, SolveStats};
use pullback::loss::{L2Misfit, Observations};
use pullback::metric::{L2, Wasserstein2};
use pullback::models::{Darcy, End};
use pullback::sketch::{Hutchinson, Length, ProbeKind, Probes, Sketch};
use pullback::{
    Backend, Cpu, Descent, Grid, Linearisation, Metric, Model, Noise, Operator, Result, Side,
};
use rayon::ThreadPoolBuilder;

/// The processor, and the widths of the batches that it was given.
#[derive(Default)]
struct Watched {
    cpu: Cpu,
    widths: Mutex<Vec<usize>>,
    expected: Mutex<Vec<usize>>,
}

struct WatchedFactor<'a>(&'a Watched, Box<dyn Factor + 'a>);

impl Backend for Watched {
    fn factor<'a>(&'a self, a: Operator<'a>) -> Result<Box<dyn Factor + 'a>> {
        Ok(Box::new(WatchedFactor(self, self.cpu.factor(a)?)))
    }
}

impl Factor for WatchedFactor<'_> {
    fn solve(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        self.0.widths.lock().unwrap().push(batch.ncols());
        self.1.solve(side, guess, batch)
    }

    fn announce(&self, columns: usize) {
        self.0.expected.lock().unwrap().push(columns);
    }
}

/// The columns of all probes at once, and what Zᵀ makes of them.
fn whole(z: &Linearisation<'_>, w: MatRef<'_, f64>) -> Mat<f64> {
    z.matrix().unwrap().transpose() * w
}

const KINDS: [ProbeKind; 3] = [
    ProbeKind::Signs,
    ProbeKind::Gaussian,
    ProbeKind::Orthonormal,
];

#[test]
fn blocks_give_what_the_whole_would() {
    let grid = Grid::new(&[(0.0, 1.0, 20), (0.0, 1.0, 15)]).unwrap();
    let (model, rho, theta) = (Reaction::new(300, 4, 1), density(&grid, 2), [0.2; 4]);
    let watched = Watched::default();
    let z = Linearisation::new(&model, &rho, &theta, &watched).unwrap();
    let (l2, w2) = (L2::new(&grid), Wasserstein2::new(&grid));
    for metric in [&l2 as &dyn Metric, &w2] {
        let root = metric.at(&rho, &watched.cpu).unwrap();
        let (root, dim) = (root.as_ref(), root.lifted_dim());
        let mut all: Vec<Probes> = KINDS
            .iter()
            .map(|kind| Probes::new(*kind, dim, 150, 3).unwrap())
            .collect();
        let lifted = root.lift(z.matrix().unwrap().as_ref()).unwrap();
        all.extend(KINDS.map(|kind| Probes::spanning(lifted.as_ref(), kind, 146, 3).unwrap()));
        all.push(Probes::all(dim).unwrap());
        for probes in all {
            let before = z.solves().1;
            let sketch = Sketch::new(&z, root, &probes).unwrap();
            assert_eq!(z.solves().1 - before, probes.count());
            let dual = pullback::random::normal(dim, 9, 0);
            let eta = sketch.solve(&dual).unwrap().value;
            let lowered = root.lower(probes.vectors()).unwrap();
            let direct = whole(&z, lowered.as_ref());
            let off = matrix_gap(sketch.rows().transpose(), direct.as_ref());
            assert!(
                off < 1e-11,
                "{:?}, {}: {off:e}",
                probes.kind(),
                metric.name()
            );
            // Now that all vectors are there, they are what is looked at.
            let again = Sketch::new(&z, root, &probes).unwrap();
            assert_eq!(again.rows(), sketch.rows());
            assert_eq!(again.solve(&dual).unwrap().value, eta);
        }
    }
    // 64 columns and the 86 that remain; the first batch of all has the probe of singularity in it.
    let widths = watched.widths.lock().unwrap();
    assert_eq!(widths[..4], [5, 64, 86, 64]);
    assert_eq!(watched.expected.lock().unwrap()[..2], [150, 150]);
}

#[test]
fn published_estimates_need_no_probes_in_memory() {
    let (model, rho, theta) = (Reaction::new(200, 3, 1), vec![1.0; 200], [0.2; 3]);
    let cpu = Cpu::default();
    let z = Linearisation::new(&model, &rho, &theta, &cpu).unwrap();
    for kind in KINDS {
        let (drawn, kept) = (
            Probes::new(kind, 200, 150, 3).unwrap(),
            Probes::new(kind, 200, 150, 3).unwrap(),
        );
        let w = kept.vectors();
        let sketches = [&drawn, &kept].map(|probes| Sketch::of_state(&z, probes).unwrap());
        let [one, other] = [0, 1].map(|i| Hutchinson::new(&sketches[i]).matrix());
        assert_eq!(one, other);
        let exact = w * sketches[0].rows() * pullback::faer::Scale(1.0 / 150.0);
        assert!(
            matrix_gap(one.value.as_ref(), exact.as_ref()) < 1e-12,
            "{kind:?}"
        );
        // Entry by entry, the standard deviation of wⱼsⱼᵀ over √m.
        let terms = |j: usize| w[(7, j)] * sketches[0].rows()[(j, 1)];
        let spread: f64 = (0..150)
            .map(|j| (terms(j) - one.value[(7, 1)]).powi(2))
            .sum();
        let unseen = if kind == ProbeKind::Orthonormal {
            0.25
        } else {
            1.0
        };
        let error = (unseen * spread / (150.0 * 149.0)).sqrt();
        let found = one.standard_error.unwrap()[(7, 1)];
        assert!(
            (found - error).abs() < 1e-12 * error,
            "{kind:?}: {found}, not {error}"
        );
        let dual = pullback::random::normal(200, 9, 0);
        let [one, other] =
            [0, 1].map(|i| Hutchinson::new(&sketches[i]).direction(&dual, Length::Corrected));
        assert_eq!(one.unwrap(), other.unwrap());
    }
}

#[test]
fn the_information_matrix_is_that_of_the_whole() {
    let grid = Grid::new(&[(0.0, 1.0, 20), (0.0, 1.0, 15)]).unwrap();
    let (metric, cpu) = (Wasserstein2::new(&grid), Cpu::default());
    let rho = density(&grid, 2);
    let root = metric.at(&rho, &cpu).unwrap();
    let z = pullback::random::normal_matrix(300, 150, 4);
    let g = information_matrix(root.as_ref(), z.as_ref()).unwrap();
    let lifted = root.lift(z.as_ref()).unwrap();
    assert!(matrix_gap(g.as_ref(), (lifted.transpose() * &lifted).as_ref()) < 1e-11);
    assert!((0..150).all(|i| (0..i).all(|j| g[(i, j)] == g[(j, i)])));
}

/// Twelve experiments that share a matrix, observed in 7 points each.
fn experiments() -> (Grid, Darcy, Observations) {
    let grid = Grid::new(&[(0.0, 1.0, 8), (0.0, 1.0, 8)]).unwrap();
    let model = Darcy::new(&grid).unwrap();
    let mut model = model.pressure(0, End::Lower, 0.0).unwrap();
    for i in 0..12 {
        model = model
            .source(grid.sample(|x| (x[0] * i as f64).cos() + x[1]))
            .unwrap();
    }
    let points: Vec<[f64; 2]> = (0..7)
        .map(|i| [0.1 + 0.12 * i as f64, 0.3 + 0.05 * i as f64])
        .collect();
    let wells = model.observe(&points).unwrap();
    let data = wells
        .apply_to(Side::Plain, &model.pressures(&[0.3; 64]).unwrap())
        .unwrap();
    let loss = Observations::new(wells, data, Noise::uniform(84, 1e-2).unwrap()).unwrap();
    (grid, model, loss)
}

#[test]
fn experiments_times_rows_are_one_batch_as_wide_as_any() {
    let (_, model, loss) = experiments();
    let theta = vec![0.0; 64];
    let rho = model.pressures(&theta).unwrap();
    // The operator repeats itself, and the watch stands outside: what it sees are columns of the whole.
    let watched = Watched::default();
    let z = Linearisation::new(&model, &rho, &theta, &watched).unwrap();
    let metric = pullback::Loss::metric(&loss).unwrap();
    let root = metric.at(&rho, &watched.cpu).unwrap();
    let probes = Probes::all(84).unwrap();
    let sketch = Sketch::new(&z, root.as_ref(), &probes).unwrap();
    let lifted = root.lift(z.matrix().unwrap().as_ref()).unwrap();
    assert!(matrix_gap(sketch.rows(), lifted.as_ref()) < 1e-11);
    // Six columns of twelve experiments each, and the probe of singularity in the first block.
    let widths = watched.widths.lock().unwrap();
    assert_eq!(widths[..3], [7, 6, 6]);
    assert_eq!(widths[..14].iter().sum::<usize>(), 85);
    drop(widths);
    let direction = Descent::new(&model, &loss).direction(&DataSpace);
    let other = Descent::new(&model, &loss);
    let (a, b) = (direction.propose(&theta, 0.0), other.propose(&theta, 0.0));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert!((a.predicted - b.predicted).abs() < 1e-6 * b.predicted);
}

#[test]
fn blocks_have_the_same_bits_on_any_number_of_threads() {
    let grid = Grid::new(&[(0.0, 1.0, 20), (0.0, 1.0, 15)]).unwrap();
    let (model, rho, theta) = (Reaction::new(300, 4, 1), density(&grid, 2), [0.2; 4]);
    let (_, darcy, observations) = experiments();
    let loss = L2Misfit::new(&grid, density(&grid, 5)).unwrap();
    let metric = Wasserstein2::new(&grid);
    let run = || {
        let cpu = Cpu::default();
        let z = Linearisation::new(&model, &rho, &theta, &cpu).unwrap();
        let root = metric.at(&rho, &cpu).unwrap();
        let probes = Probes::new(ProbeKind::Gaussian, root.lifted_dim(), 150, 7).unwrap();
        let sketch = Sketch::new(&z, root.as_ref(), &probes).unwrap();
        let mut numbers = sketch.solve(&vec![1.0; probes.dim()]).unwrap().value;
        let descent = Descent::new(&model, &loss).metric(&metric);
        numbers.extend(descent.propose(&theta, 1e-3).unwrap().eta);
        let descent = Descent::new(&darcy, &observations).direction(&DataSpace);
        numbers.extend(descent.propose(&[0.0; 64], 1e-3).unwrap().eta);
        numbers.iter().map(|x| x.to_bits()).collect::<Vec<u64>>()
    };
    let on = |threads| {
        let pool = ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(run)
    };
    let alone = on(1);
    assert!(alone.len() == 72 && model.param_dim() == 4);
    assert!([2, 4].into_iter().all(|threads| on(threads) == alone));
}
