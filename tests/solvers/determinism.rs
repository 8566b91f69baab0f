//! The same inputs give the same bits on any number of threads.

use crate::support::altered::{altered, products};
use crate::support::stencils::{Case, KINDS, Kind, SIDES, SOLVERS, assemble, cpu, hopeless, solve};
use crate::support::{Reaction, definite, density};
use pullback::faer::Mat;
use pullback::faer::sparse::{SparseColMat, Triplet};
use pullback::linalg::{Method, StencilSolver};
use pullback::loss::{L2Misfit, Sinkhorn, SobolevMisfit, Transport, UnbalancedTransport};
use pullback::metric::{HellingerKantorovich, Wasserstein2};
use pullback::models::flow::Lorenz;
use pullback::models::{GaussianMixture, InvariantMeasure, Parameter};
use pullback::{
    Backend, Cpu, Descent, Grid, Linearisation, Loss, Metric, Model, Operator, Side, random,
};
use rayon::ThreadPoolBuilder;

/// Runs on pools of 1, 2 and 4 threads and asserts equal bits.
fn on_all_pools(what: &str, run: impl Fn() -> Vec<f64> + Sync + Send) {
    let bits = |threads| {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let numbers: Vec<u64> = pool.install(|| run().iter().map(|x| x.to_bits()).collect());
        numbers
    };
    let alone = bits(1);
    assert!(
        !alone.is_empty() && alone.iter().any(|x| *x != 0),
        "{what} gave nothing"
    );
    for threads in [2, 4, 1] {
        let differing = bits(threads)
            .iter()
            .zip(&alone)
            .filter(|(a, b)| a != b)
            .count();
        assert_eq!(
            differing, 0,
            "{what}: numbers that differ with {threads} threads"
        );
    }
}

fn flat(m: &Mat<f64>) -> Vec<f64> {
    (0..m.ncols())
        .flat_map(|j| m.col_as_slice(j).to_vec())
        .collect()
}

/// A five-point matrix on an n×n grid, with drift where `drift` is not 0.
fn five_point(n: usize, drift: f64) -> SparseColMat<usize, f64> {
    let mut entries = Vec::new();
    for cell in 0..n * n {
        entries.push(Triplet::new(cell, cell, 4.5 + (cell % 7) as f64 / 10.0));
        let right = (cell % n + 1 < n).then_some(cell + 1);
        for other in [right, Some(cell + n)]
            .into_iter()
            .flatten()
            .filter(|&c| c < n * n)
        {
            entries.push(Triplet::new(cell, other, -1.0 - drift));
            entries.push(Triplet::new(other, cell, -1.0 + drift));
        }
    }
    SparseColMat::try_new_from_triplets(n * n, n * n, &entries).unwrap()
}

/// Threads share the subtrees of one elimination tree, and the rows of one residual.
#[test]
fn single_columns_and_few_columns_on_large_planes() {
    let grid = Grid::new(&[(0.0, 1.0, 150), (0.0, 1.0, 140)]).unwrap();
    let plane = |drift: f64| {
        let mut plane = grid.flux_divergence(|face| {
            let weight = 1.0 + (face.lower % 5) as f64;
            [weight, -drift * weight]
        });
        plane.add_diagonal(&vec![0.1; grid.cells()]);
        Operator::stencil(plane)
    };
    let cases = [
        ("Cholesky", plane(1.0).positive_definite()),
        ("LU", plane(0.7)),
        ("unstructured", Operator::from(five_point(150, 0.3))),
    ];
    for (name, a) in &cases {
        let n = a.nrows();
        let solved = |side: Side, columns: usize| {
            let mut cpu = Cpu::default();
            cpu.stencils = StencilSolver::Direct;
            let mut x = random::normal_matrix(n, columns, 3);
            let factor = cpu.factor(a.lend()).unwrap();
            factor.solve(side, None, x.as_mut()).unwrap();
            flat(&x)
        };
        for side in SIDES {
            for columns in [1, 3] {
                let what = format!("{name}, {side:?}, {columns} columns");
                on_all_pools(&what, || solved(side, columns));
                let pool = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
                assert!(
                    pool.install(|| solved(side, columns)) == solved(side, columns),
                    "{what}, from outside the pool"
                );
            }
            let (single, batch) = (solved(side, 1), solved(side, 3));
            let size = single.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
            let differs = |(x, y): (&f64, &f64)| (x - y).abs() > 1e-11 * size;
            assert!(!single.iter().zip(&batch).any(differs), "{name}, {side:?}");
        }
    }
}

#[test]
fn batched_solves() {
    let noise = random::normal_matrix(300, 300, 1);
    let general = Mat::from_fn(300, 300, |i, j| {
        noise[(i, j)] + if i == j { 40.0 } else { 0.0 }
    });
    let spd = definite(300, 2);
    let (drifting, laplacian) = (five_point(20, 0.3), five_point(20, 0.0));
    let operator = |which: usize| match which {
        0 => Operator::from(general.as_ref()),
        1 => Operator::from(spd.as_ref()).positive_definite(),
        2 => Operator::from(drifting.as_ref()),
        3 => Operator::from(laplacian.as_ref()).positive_definite(),
        _ => products(general.clone()),
    };
    for (which, what) in ["LU", "Cholesky", "sparse LU", "sparse Cholesky", "GMRES"]
        .iter()
        .enumerate()
    {
        on_all_pools(what, || {
            let cpu = Cpu::default();
            let factor = cpu.factor(operator(which)).unwrap();
            let b = random::normal_matrix(operator(which).nrows(), 37, 3);
            let (mut x, mut y) = (b.clone(), b);
            factor.solve(Side::Plain, None, x.as_mut()).unwrap();
            factor.solve(Side::Transpose, None, y.as_mut()).unwrap();
            [flat(&x), flat(&y)].concat()
        });
    }
}

#[test]
fn cosine_transforms_of_boxes_that_several_threads_share() {
    for shape in [&[41, 35, 27][..], &[190, 201], &[40_009]] {
        let mut stencil = assemble(shape, |axis, _| [1.0 + axis as f64; 2]);
        stencil.add_diagonal(&vec![0.1; stencil.cells()]);
        on_all_pools("cosine transforms", || {
            let b = random::normal_matrix(stencil.cells(), 3, 3);
            let a = Operator::stencil(stencil.clone()).positive_definite();
            let (x, stats) = solve(&Cpu::default(), a, Side::Plain, &b).unwrap();
            assert_eq!(stats.method, Method::CosineTransform);
            flat(&x)
        });
    }
}

/// All numbers of a history.
fn path(descent: Descent<'_>, start: &[f64]) -> Vec<f64> {
    let report = descent.run(start, |_| ()).unwrap();
    let rows = report.history.iter().flat_map(|it| {
        let mut row = it.theta.clone();
        row.extend([it.loss, it.gradient]);
        row
    });
    rows.chain(report.theta.clone()).collect()
}

#[test]
fn an_implicit_descent_with_a_dense_jacobian() {
    let grid = Grid::new(&[(0.0, 1.0, 300)]).unwrap();
    let (model, start) = (Reaction::new(300, 20, 4), vec![0.2; 20]);
    let loss = L2Misfit::new(&grid, density(&grid, 5)).unwrap();
    on_all_pools("implicit", || path(Descent::new(&model, &loss), &start));
}

/// Ten components whose means and variances are free: 20 parameters.
fn many(grid: &Grid) -> GaussianMixture {
    let empty = GaussianMixture::new(grid);
    let place = |c: usize| [-3.0 + 1.4 * (c % 5) as f64, -1.5 + 3.0 * (c / 5) as f64];
    let full = (0..10).fold(empty, |m, c| {
        m.component(0.1, &place(c), 0.8 + 0.05 * c as f64)
    });
    let free: Vec<_> = (0..10)
        .flat_map(|c| [Parameter::Mean(c, 0), Parameter::Variance(c)])
        .collect();
    full.free(&free).unwrap()
}

#[test]
fn descents_with_twenty_parameters_in_transport_and_sobolev_metrics() {
    let grid = Grid::new(&[(-6.0, 6.0, 30), (-5.0, 5.0, 24)]).unwrap();
    let mixture = many(&grid);
    let truth = mixture.parameters();
    let start: Vec<f64> = truth
        .iter()
        .enumerate()
        .map(|(i, t)| t + 0.1 * (i as f64).sin())
        .collect();
    let target = mixture.density(&truth).unwrap();
    let l2 = L2Misfit::new(&grid, target.clone()).unwrap();
    let negative = SobolevMisfit::new(&grid, -1.0, target).unwrap();
    let (w2, hk) = (Wasserstein2::new(&grid), HellingerKantorovich::new(&grid));
    let cases: [(&str, &dyn Loss, Option<&dyn Metric>); 4] = [
        ("L2", &l2, None),
        ("H-1", &negative, None),
        ("W2", &l2, Some(&w2)),
        ("HK", &l2, Some(&hk)),
    ];
    assert_eq!(mixture.param_dim(), 20);
    for (what, loss, metric) in cases {
        on_all_pools(what, || {
            let descent = Descent::new(&mixture, loss);
            match metric {
                Some(metric) => path(descent.metric(metric), &start),
                None => path(descent, &start),
            }
        });
    }
}

#[test]
fn descents_whose_iterations_start_from_those_of_the_step_before() {
    let grid = Grid::new(&[(0.0, 1.0, 60)]).unwrap();
    let (reaction, start) = (Reaction::new(60, 20, 4), vec![0.2; 20]);
    let model = altered(&reaction, products, Operator::dense);
    let loss = L2Misfit::new(&grid, density(&grid, 5)).unwrap();
    on_all_pools("products", || path(Descent::new(&model, &loss), &start));
}

#[test]
fn random_numbers_depend_on_seed_and_stream_alone() {
    on_all_pools("random", || flat(&random::normal_matrix(40, 6, 7)));
    assert_eq!(random::normal(5, 1, 2), random::normal(5, 1, 2));
    assert_ne!(random::normal(5, 1, 2), random::normal(5, 1, 3));
    assert_ne!(random::normal(5, 1, 2), random::normal(5, 2, 2));
    // Streams do not shift with the number of columns.
    let (few, many) = (
        random::normal_matrix(9, 2, 3),
        random::normal_matrix(9, 5, 3),
    );
    assert_eq!(few.col_as_slice(1), many.col_as_slice(1));
}

#[test]
fn batches_with_stencils_in_every_solver() {
    let shapes: [&[usize]; 3] = [&[140], &[17, 19], &[11, 12, 9]];
    for case in KINDS
        .into_iter()
        .flat_map(|kind| shapes.map(|shape| Case::new(kind, shape)))
    {
        for solver in SOLVERS.into_iter().filter(|s| !hopeless(&case, *s)) {
            // 1 to 8 columns side by side, in several blocks, on 1 to 4 threads.
            for (columns, side) in [1, 3, 8, 37]
                .into_iter()
                .flat_map(|c| SIDES.map(|s| (c, s)))
            {
                let b = random::normal_matrix(case.dense.nrows(), columns, 11);
                let what = format!("{} by {solver:?}, {columns} columns, {side:?}", case.name);
                on_all_pools(&what, || {
                    let (x, stats) = solve(&cpu(solver), case.operator(), side, &b).unwrap();
                    let mut numbers = flat(&x);
                    numbers.push(stats.iterations as f64);
                    numbers
                });
            }
        }
    }
}

#[test]
fn sweeps_that_threads_share() {
    // One, three and six columns on planes large enough to be shared, with odd numbers of planes, lines and cells on
    // most levels.
    let shape = [37, 51, 45];
    let axes = [0, 1, 2].map(|d| (Lorenz::BOX[d].0, Lorenz::BOX[d].1, shape[d]));
    let model = InvariantMeasure::new(&Grid::new(&axes).unwrap(), Lorenz).unwrap();
    let cells: usize = shape.iter().product();
    let b = random::normal_matrix(cells, 6, 5);
    on_all_pools("narrow batches", || {
        let cpu = cpu(StencilSolver::Multigrid);
        let rho = model.density(&Lorenz::CLASSIC, &cpu).unwrap();
        let z = Linearisation::new(&model, &rho, &Lorenz::CLASSIC, &cpu).unwrap();
        let z = flat(z.matrix().unwrap());
        let factor = cpu
            .factor(model.state_jacobian(&rho, &Lorenz::CLASSIC))
            .unwrap();
        let mut x = b.clone();
        factor.solve(Side::Transpose, None, x.as_mut()).unwrap();
        [rho.clone(), z, flat(&x)].concat()
    });
}

#[test]
fn factorisations_without_pivoting() {
    // Large enough for several subtrees, and for fronts in several tiles.
    let (plane, solid) = (five_point(70, 0.3), Case::new(Kind::Gauged, &[13, 14, 15]));
    let general = || Operator::from(plane.as_ref());
    for side in SIDES {
        on_all_pools("minimum degree", || {
            let mut x = random::normal_matrix(70 * 70, 5, 12);
            let cpu = Cpu::default();
            cpu.factor(general())
                .unwrap()
                .solve(side, None, x.as_mut())
                .unwrap();
            flat(&x)
        });
        on_all_pools("nested dissection", || {
            let b = random::normal_matrix(13 * 14 * 15, 5, 13);
            let direct = cpu(StencilSolver::Direct);
            flat(&solve(&direct, solid.operator(), side, &b).unwrap().0)
        });
    }
}

#[test]
fn bits_do_not_depend_on_what_was_factorised_before() {
    let case = Case::new(Kind::Pinned, &[40, 30]);
    let b = random::normal_matrix(1200, 3, 1);
    let sparse = || {
        let a = Operator::sparse(case.operator().to_sparse().unwrap());
        a.positive_definite()
    };
    let (alone, after) = (cpu(StencilSolver::Direct), cpu(StencilSolver::Direct));
    solve(&after, sparse(), Side::Plain, &b).unwrap();
    let [alone, after] =
        [alone, after].map(|cpu| solve(&cpu, case.operator(), Side::Plain, &b).unwrap());
    assert_eq!(alone, after);
}

/// Threads share the lines of the kernel's sums, in the scaling form and in logarithms.
#[test]
fn entropic_transport_losses() {
    let axes: [&[(f64, f64, usize)]; 2] = [
        &[(-6.0, 9.0, 90), (-5.0, 9.0, 100)],
        &[(-6.0, 9.0, 24), (-5.0, 9.0, 20), (-4.0, 7.0, 22)],
    ];
    for (axes, epsilon) in axes.into_iter().zip([0.04, 1.0]) {
        let grid = Grid::new(axes).unwrap();
        let bump = |centre: f64, s: f64| {
            let squares = |x: &[f64]| x.iter().map(|x| (x - centre).powi(2)).sum::<f64>();
            let rho = grid.sample(|x| (-0.5 * squares(x) / s).exp());
            let mass = grid.integrate(&rho).unwrap();
            rho.iter().map(|r| r / mass).collect::<Vec<_>>()
        };
        let (q, rho) = (bump(2.0, 1.5), bump(1.0, 1.0));
        for epsilon in [epsilon, 1.0] {
            let options = Sinkhorn {
                epsilon: Some(epsilon),
                tolerance: 1e-6,
                ..Sinkhorn::default()
            };
            let numbers = |loss: &dyn Loss| {
                let misfit = loss.at(&rho, Cpu::shared()).unwrap();
                let mut numbers = misfit.covector(Cpu::shared()).unwrap();
                numbers.push(misfit.value());
                numbers
            };
            on_all_pools("entropic transport", || {
                numbers(&Transport::sinkhorn(&grid, q.clone(), &options).unwrap())
            });
            on_all_pools("sliced transport", || {
                numbers(&Transport::sliced(&grid, q.clone(), 3).unwrap())
            });
            on_all_pools("unbalanced transport", || {
                let lambda = 16.0 * epsilon;
                numbers(&UnbalancedTransport::new(&grid, q.clone(), lambda, &options).unwrap())
            });
        }
    }
}
