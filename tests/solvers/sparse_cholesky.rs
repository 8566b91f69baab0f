//! Sparse Cholesky in all its shapes, against dense solves.

use crate::support::reference_vector;
use pullback::faer::Mat;
use pullback::linalg::Method;
use pullback::{Backend, Cpu, Error, Operator, Side, random};
use rayon::ThreadPoolBuilder;

type Entries = Vec<(usize, usize, f64)>;

/// A symmetric matrix with these pairs coupled, dominated by its diagonal.
fn coupled(n: usize, pairs: impl Iterator<Item = (usize, usize)>) -> Entries {
    let mut diagonal = vec![0.1; n];
    let mut entries = Vec::new();
    for (k, (i, j)) in pairs.enumerate() {
        let w = 1.5 + (k as f64 * 0.7).sin();
        entries.extend([(i, j, -w), (j, i, -w)]);
        (diagonal[i], diagonal[j]) = (diagonal[i] + w, diagonal[j] + w);
    }
    entries.extend(diagonal.into_iter().enumerate().map(|(i, d)| (i, i, d)));
    entries
}

fn grid(rows: usize, columns: usize) -> Entries {
    let cells = || (0..rows).flat_map(move |i| (0..columns).map(move |j| (i, j)));
    let at = move |i, j| i * columns + j;
    let down = cells()
        .filter(move |c| c.0 + 1 < rows)
        .map(move |(i, j)| (at(i, j), at(i + 1, j)));
    let across = cells().filter(move |c| c.1 + 1 < columns);
    let across = across.map(move |(i, j)| (at(i, j), at(i, j + 1)));
    coupled(rows * columns, down.chain(across))
}

/// Two blocks that are full, and few of whose unknowns are coupled: fronts that are cut into tiles.
fn blocks(first: usize, second: usize) -> Entries {
    let n = first + second;
    let within = move |i: usize, j: usize| j < first || i >= first;
    // All of the last unknowns are below those of the first block.
    let pairs = (0..n).flat_map(move |i| (i + 1..n).map(move |j| (i, j)));
    coupled(
        n,
        pairs.filter(move |&(i, j)| within(i, j) || (i + j) % 3 == 0),
    )
}

/// One unknown that all others are coupled with, and pairs besides.
fn star(n: usize) -> Entries {
    let spokes = (1..n).map(|i| (0, i));
    coupled(n, spokes.chain((1..n - 1).step_by(2).map(|i| (i, i + 1))))
}

fn cases() -> Vec<(&'static str, usize, Entries)> {
    vec![
        ("one", 1, coupled(1, std::iter::empty())),
        ("diagonal", 9, coupled(9, std::iter::empty())),
        ("chain", 300, coupled(300, (1..300).map(|i| (i - 1, i)))),
        ("ladder", 400, grid(200, 2)),
        ("grid", 1225, grid(35, 35)),
        ("two grids", 800, {
            let other = grid(20, 20)
                .into_iter()
                .map(|(i, j, v)| (i + 400, j + 400, v));
            grid(20, 20).into_iter().chain(other).collect()
        }),
        ("star", 60, star(60)),
        ("blocks", 700, blocks(250, 450)),
    ]
}

#[test]
fn single_columns_and_batches_are_those_of_dense_solves() {
    let cpu = Cpu::default();
    for (name, n, entries) in cases() {
        let a = Operator::triplets(n, n, entries).positive_definite();
        let dense = a.to_dense();
        let factor = cpu.factor(a.lend()).unwrap();
        let b = random::normal_matrix(n, 5, 3);
        let mut batch = b.clone();
        let stats = factor.solve(Side::Plain, None, batch.as_mut()).unwrap();
        assert_eq!(stats.method, Method::SparseCholesky, "{name}");
        for j in 0..5 {
            let mut single = Mat::from_fn(n, 1, |i, _| b[(i, j)]);
            factor
                .solve(Side::Transpose, None, single.as_mut())
                .unwrap();
            let exact = reference_vector(dense.as_ref(), b.col_as_slice(j));
            let size = exact.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
            for i in 0..n {
                let (x, y, exact) = (single[(i, 0)], batch[(i, j)], exact[i]);
                let error = (x - exact).abs().max((y - exact).abs());
                assert!(error < 1e-11 * size, "{name}: {x} and {y} for {exact}");
            }
        }
    }
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    for (name, n, entries) in cases() {
        let solve = |threads: usize| {
            let pool = ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            let a = Operator::triplets(n, n, entries.clone()).positive_definite();
            let mut x = random::normal_matrix(n, 40, 3);
            pool.install(|| {
                let cpu = Cpu::default();
                cpu.factor(a)
                    .unwrap()
                    .solve(Side::Plain, None, x.as_mut())
                    .unwrap();
            });
            x
        };
        assert_eq!(solve(1), solve(3), "{name}");
    }
}

#[test]
fn matrices_that_are_not_definite_are_told_from_those_that_are() {
    for (name, n, mut entries) in cases() {
        let cpu = Cpu::default();
        let a = Operator::triplets(n, n, entries.clone()).positive_definite();
        assert!(cpu.factor(a).is_ok());
        // The same pattern, known by now.
        entries.push((n / 2, n / 2, -100.0 * n as f64));
        let a = Operator::triplets(n, n, entries.clone()).positive_definite();
        let refused = cpu.factor(a).map(|_| ()).unwrap_err();
        assert!(
            matches!(refused, Error::NotPositiveDefinite { .. }),
            "{name}: {refused}"
        );
    }
}

/// Zeros may be stored on one side of the diagonal and left out on the other.
#[test]
fn patterns_need_not_be_symmetric() {
    for zero in [(3, 30), (30, 3)] {
        let mut entries = grid(12, 12);
        entries.push((zero.0, zero.1, 0.0));
        let a = Operator::triplets(144, 144, entries).positive_definite();
        let b = random::normal_matrix(144, 1, 3);
        let mut x = b.clone();
        Cpu::default()
            .factor(a.lend())
            .unwrap()
            .solve(Side::Plain, None, x.as_mut())
            .unwrap();
        let exact = reference_vector(a.to_dense().as_ref(), b.col_as_slice(0));
        let off = (0..144).fold(0.0, |m: f64, i| m.max((x[(i, 0)] - exact[i]).abs()));
        assert!(off < 1e-11, "{off:e}");
    }
}
