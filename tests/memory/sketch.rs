//! What a sketch keeps in memory: blocks of columns, not as many columns of the state as there are probes.

use crate::allocator::{alone, peak};
use crate::support::column;
use pullback::faer::Mat;
use pullback::metric::Wasserstein2;
use pullback::sketch::{ProbeKind, Probes, Sketch};
use pullback::{Cpu, Grid, Linearisation, Metric, Model, Operator, random};
use rayon::ThreadPoolBuilder;

/// ρᵢ − ¼ρᵢ₋₁ − ½ρᵢ₊₁ = (Fθ)ᵢ.
struct Chain(Mat<f64>);

impl Model for Chain {
    fn state_dim(&self) -> usize {
        self.0.nrows()
    }
    fn param_dim(&self) -> usize {
        self.0.ncols()
    }
    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        let forced = &self.0 * column(theta);
        let a = self.state_jacobian(rho, theta);
        a.multiply(pullback::Side::Plain, rho, out);
        out.iter_mut()
            .zip(forced.col_as_slice(0))
            .for_each(|(g, f)| *g -= f);
    }
    fn state_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        let n = self.state_dim();
        let row = |i: usize| {
            let below = (i > 0).then(|| (i, i - 1, -0.25));
            let above = (i + 1 < n).then_some((i, i + 1, -0.5));
            [below, Some((i, i, 1.0)), above].into_iter().flatten()
        };
        Operator::triplets(n, n, (0..n).flat_map(row))
    }
    fn param_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::dense(-&self.0)
    }
}

const CELLS: usize = 20_000;
const PROBES: usize = 512;

/// Columns that are worked on together.
const BLOCK: usize = 64;

/// Columns of the state that fit into what a run had in use.
fn columns(bytes: usize) -> usize {
    bytes.div_ceil(CELLS * size_of::<f64>())
}

#[test]
fn a_sketch_has_a_few_blocks_of_columns_in_memory_however_many_probes_there_are() {
    let _alone = alone();
    let grid = Grid::new(&[(0.0, 1.0, CELLS)]).unwrap();
    let model = Chain(random::normal_matrix(CELLS, 3, 1));
    let (rho, cpu) = (grid.sample(|x| 1.0 + x[0]), Cpu::default());
    let z = Linearisation::new(&model, &rho, &[1.0; 3], &cpu).unwrap();
    let metric = Wasserstein2::new(&grid);
    let root = metric.at(&rho, &cpu).unwrap();
    let root = root.as_ref();
    let run = |kind: ProbeKind, count: usize| {
        let (bytes, ()) = peak(|| {
            let probes = Probes::new(kind, root.lifted_dim(), count, 7).unwrap();
            let sketch = Sketch::new(&z, root, &probes).unwrap();
            let seen = sketch.solve(&vec![1.0; root.lifted_dim()]).unwrap();
            assert!(seen.value.iter().all(|x| x.is_finite()));
        });
        columns(bytes)
    };
    // One thread, for each has memory of its own to solve in. The first run also pays for the probe of singularity and
    // for what products of matrices keep for ever.
    let pool = ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| run(ProbeKind::Signs, 128));
    for kind in [ProbeKind::Signs, ProbeKind::Gaussian] {
        let (few, many) = pool.install(|| (run(kind, 128), run(kind, PROBES)));
        println!("{kind:?}: {few} columns in memory for 128 probes, {many} for {PROBES}");
        assert!(many <= 5 * BLOCK, "{kind:?}: {many} columns of the state");
        assert!(many <= few + 1, "{kind:?}: {few}, then {many} columns");
    }
}
