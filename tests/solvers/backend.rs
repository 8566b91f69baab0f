//! The laws of linear solves, for every structure of operator that the backend knows.

use std::sync::LazyLock;

use crate::support::{column, definite, dot, identity, matrix_gap, reference_solve};
use nalgebra::DMatrix;
use nalgebra_sparse::{CooMatrix, CscMatrix, CsrMatrix};
use pullback::faer::sparse::{SparseColMat, Triplet};
use pullback::faer::{Mat, MatMut, MatRef, mat};
use pullback::linalg::{Cuda, Fastest};
use pullback::{Backend, Cpu, Operator, Side, random};

const SIDES: [Side; 2] = [Side::Plain, Side::Transpose];

/// Wider than any block of columns the backend may solve together, and no multiple of it.
const WIDE: usize = 37;

const OPERATORS: [&str; 26] = [
    "identity",
    "diagonal",
    "dense",
    "dense view",
    "dense definite",
    "sparse",
    "sparse definite",
    "CscMatrix view",
    "CscMatrix",
    "CsrMatrix",
    "DMatrix view",
    "free",
    "rows of different units",
    "repeated dense",
    "repeated diagonal",
    "repeated sparse definite",
    "repeated free",
    // Those that are factorised without pivoting, and those that only just are not.
    "dominant by columns",
    "dominant by rows",
    "dominant by both",
    "symmetric pattern, not dominant",
    "dominant, pattern not symmetric",
    "tridiagonal",
    "1×1",
    "uncoupled",
    "repeated dominant by columns",
];

/// One matrix of each kind, in the libraries that hold them.
struct Store {
    dense: Mat<f64>,
    definite: Mat<f64>,
    scaled: Mat<f64>,
    diagonal: Vec<f64>,
    nalgebra: DMatrix<f64>,
    sparse: Mat<f64>,
    laplacian: Mat<f64>,
    csc: CscMatrix<f64>,
    csr: CsrMatrix<f64>,
}

impl Store {
    fn new() -> Self {
        let n = 24;
        let noise = random::normal_matrix(n, n, 1);
        let dense = Mat::from_fn(n, n, |i, j| noise[(i, j)] + if i == j { 9.0 } else { 0.0 });
        let sparse = sprinkled(n);
        let mut coo = CooMatrix::new(n, n);
        for (i, j, v) in nonzeros(sparse.as_ref()) {
            coo.push(i, j, v);
        }
        Self {
            scaled: Mat::from_fn(n, n, |i, j| {
                10_f64.powf(i as f64 / 2.0 - 6.0) * dense[(i, j)]
            }),
            definite: definite(n, 2),
            diagonal: random::uniform(n, (0.5, 2.0), 3),
            nalgebra: DMatrix::from_fn(n, n, |i, j| dense[(i, j)]),
            laplacian: weighted_laplacian(6, 5),
            csc: CscMatrix::from(&coo),
            csr: CsrMatrix::from(&coo),
            dense,
            sparse,
        }
    }

    /// The operator of this name, and the same matrix entry by entry.
    fn get(&self, name: &str) -> (Operator<'_>, Mat<f64>) {
        if let Some(name) = name.strip_prefix("repeated ") {
            let (block, dense) = self.get(name);
            return (Operator::repeated(block, 3), block_diagonal(&dense, 3));
        }
        let n = self.diagonal.len();
        let diagonal = Mat::from_fn(n, n, |i, j| if i == j { self.diagonal[i] } else { 0.0 });
        let product = |side, x: MatRef<'_, f64>, mut out: MatMut<'_, f64>| match side {
            Side::Plain => out.copy_from(&self.dense * x),
            Side::Transpose => out.copy_from(self.dense.transpose() * x),
        };
        match name {
            "identity" => (Operator::identity(n), identity(n)),
            "diagonal" => (Operator::diagonal(self.diagonal.as_slice()), diagonal),
            "dense" => (Operator::dense(self.dense.clone()), self.dense.clone()),
            "dense view" => (self.dense.as_ref().into(), self.dense.clone()),
            "dense definite" => {
                let operator = Operator::dense(self.definite.clone()).positive_definite();
                (operator, self.definite.clone())
            }
            "sparse" => (compressed(self.sparse.as_ref()), self.sparse.clone()),
            "sparse definite" => {
                let operator = compressed(self.laplacian.as_ref()).positive_definite();
                (operator, self.laplacian.clone())
            }
            "CscMatrix view" => ((&self.csc).into(), self.sparse.clone()),
            "CscMatrix" => (self.csc.clone().into(), self.sparse.clone()),
            "CsrMatrix" => ((&self.csr).into(), self.sparse.clone()),
            "DMatrix view" => ((&self.nalgebra).into(), self.dense.clone()),
            "free" => (Operator::free(n, n, Box::new(product)), self.dense.clone()),
            "rows of different units" => {
                (Operator::dense(self.scaled.clone()), self.scaled.clone())
            }
            _ => {
                let dense = dominant(name);
                (compressed(dense.as_ref()), dense)
            }
        }
    }
}

/// Sparse matrices with and without what LU without pivoting needs.
fn dominant(name: &str) -> Mat<f64> {
    let noise = random::normal_matrix(90, 90, 9);
    let a = |n: usize, linked: &dyn Fn(usize, usize) -> bool| {
        let entry = |i, j| {
            if i != j && linked(i, j) {
                noise[(i, j)]
            } else {
                0.0
            }
        };
        Mat::from_fn(n, n, entry)
    };
    // A grid of 9×10 cells, and a few links across it.
    let grid = |i: usize, j: usize| {
        let steps = (i / 10).abs_diff(j / 10) + (i % 10).abs_diff(j % 10);
        steps == 1 || (i + j).is_multiple_of(41)
    };
    match name {
        "1×1" => mat![[-3.0]],
        "uncoupled" => with_diagonal(a(7, &|_, _| false), |_, _| 0.0),
        "tridiagonal" => with_diagonal(a(40, &|i, j| i.abs_diff(j) == 1), |c, _| c),
        "dominant by columns" => with_diagonal(a(90, &grid), |columns, _| columns),
        "dominant by rows" => with_diagonal(a(90, &grid), |_, rows| rows),
        "dominant by both" => with_diagonal(a(90, &grid), f64::max),
        "dominant, pattern not symmetric" => {
            with_diagonal(a(60, &|i, j| (2 * i + 5 * j).is_multiple_of(17)), f64::max)
        }
        "symmetric pattern, not dominant" => with_diagonal(a(90, &grid), |c, r| 0.3 * c.min(r)),
        _ => unreachable!("{name}"),
    }
}

/// A diagonal from the sums of the columns and of the rows without it, of either sign.
fn with_diagonal(mut a: Mat<f64>, size: impl Fn(f64, f64) -> f64) -> Mat<f64> {
    let n = a.nrows();
    let sums = |i: usize| {
        let column: f64 = (0..n).map(|k| a[(k, i)].abs()).sum();
        let row: f64 = (0..n).map(|k| a[(i, k)].abs()).sum();
        (column, row)
    };
    let sums: Vec<_> = (0..n).map(sums).collect();
    for (i, (column, row)) in sums.into_iter().enumerate() {
        let sign = if i % 3 == 0 { -1.0 } else { 1.0 };
        a[(i, i)] = sign * (size(column, row) + 0.2);
    }
    a
}

fn block_diagonal(block: &Mat<f64>, count: usize) -> Mat<f64> {
    let (m, n) = block.shape();
    Mat::from_fn(count * m, count * n, |i, j| {
        if i / m == j / n {
            block[(i % m, j % n)]
        } else {
            0.0
        }
    })
}

/// A sparse matrix without symmetry in values or pattern.
fn sprinkled(n: usize) -> Mat<f64> {
    let values = random::normal_matrix(n, n, 4);
    Mat::from_fn(n, n, |i, j| match (i * 7 + j * 3) % 11 {
        _ if i == j => 5.0,
        0 | 4 => values[(i, j)],
        _ => 0.0,
    })
}

/// A grid Laplacian with random conductances plus a positive diagonal.
fn weighted_laplacian(rows: usize, cols: usize) -> Mat<f64> {
    let n = rows * cols;
    let weights = random::uniform(2 * n, (0.1, 3.0), 5);
    let mut a = Mat::from_fn(
        n,
        n,
        |i, j| if i == j { 0.2 + i as f64 / 50.0 } else { 0.0 },
    );
    for cell in 0..n {
        let right = (cell % cols + 1 < cols).then_some((cell + 1, weights[2 * cell]));
        let below = (cell + cols < n).then_some((cell + cols, weights[2 * cell + 1]));
        for (other, w) in [right, below].into_iter().flatten() {
            a[(cell, cell)] += w;
            a[(other, other)] += w;
            a[(cell, other)] -= w;
            a[(other, cell)] -= w;
        }
    }
    a
}

fn nonzeros(a: MatRef<'_, f64>) -> impl Iterator<Item = (usize, usize, f64)> + '_ {
    let all = (0..a.nrows()).flat_map(move |i| (0..a.ncols()).map(move |j| (i, j, a[(i, j)])));
    all.filter(|(_, _, v)| *v != 0.0)
}

fn compressed(a: MatRef<'_, f64>) -> Operator<'static> {
    let entries: Vec<_> = nonzeros(a).map(|(i, j, v)| Triplet::new(i, j, v)).collect();
    Operator::sparse(SparseColMat::try_new_from_triplets(a.nrows(), a.ncols(), &entries).unwrap())
}

/// All backends that there are on this machine.
fn backends() -> &'static [Box<dyn Backend + Send>] {
    static BACKENDS: LazyLock<Vec<Box<dyn Backend + Send>>> = LazyLock::new(|| {
        let mut backends: Vec<Box<dyn Backend + Send>> =
            vec![Box::new(Cpu::default()), Box::new(Fastest::new())];
        match Cuda::new(0) {
            Ok(cuda) => backends.push(Box::new(cuda)),
            Err(e) => println!("without a row for a GPU: {e}"),
        }
        backends
    });
    &BACKENDS
}

fn rows() -> impl Iterator<Item = (&'static str, &'static dyn Backend)> {
    let with_all = |name| backends().iter().map(move |b| (name, &**b as &dyn Backend));
    OPERATORS.into_iter().flat_map(with_all)
}

fn solved(
    backend: &dyn Backend,
    operator: Operator<'_>,
    side: Side,
    b: MatRef<'_, f64>,
) -> pullback::Result<Mat<f64>> {
    let mut x = b.to_owned();
    backend.factor(operator)?.solve(side, None, x.as_mut())?;
    Ok(x)
}

#[test]
fn solutions_satisfy_the_equations_and_agree_with_another_library() {
    let store = Store::new();
    for name in OPERATORS {
        for side in SIDES {
            let (operator, dense) = store.get(name);
            assert_eq!(
                matrix_gap(operator.to_dense().as_ref(), dense.as_ref()),
                0.0,
                "{name}"
            );
            // Right-hand sides in the units of the equations, where those differ.
            let numbers = random::normal_matrix(dense.nrows(), WIDE, 6);
            let (a, b) = match side {
                Side::Plain => (dense.as_ref(), &dense * &numbers),
                Side::Transpose => (dense.transpose(), numbers),
            };
            // GMRES stops at a relative residual of 1e-11.
            let tolerance = if name.ends_with("free") { 1e-10 } else { 1e-13 };
            let reference = reference_solve(a, b.as_ref());
            for backend in backends() {
                let x = solved(&**backend, store.get(name).0, side, b.as_ref()).unwrap();
                let back = matrix_gap((a * &x).as_ref(), b.as_ref());
                assert!(
                    back < tolerance,
                    "{name} {side:?}: A(A⁻¹b) is off by {back:e}"
                );
                let off = matrix_gap(x.as_ref(), reference.as_ref());
                assert!(
                    off < 10.0 * tolerance,
                    "{name} {side:?}: off the reference by {off:e}"
                );
            }
        }
    }
}

#[test]
fn the_transposed_solve_is_the_transpose_of_the_solve() {
    let store = Store::new();
    for (name, backend) in rows() {
        let n = store.get(name).0.nrows();
        let (b, c) = (random::normal(n, 7, 0), random::normal(n, 7, 1));
        let factor = backend.factor(store.get(name).0).unwrap();
        let (mut x, mut y) = (column(&b).to_owned(), column(&c).to_owned());
        factor.solve(Side::Plain, None, x.as_mut()).unwrap();
        factor.solve(Side::Transpose, None, y.as_mut()).unwrap();
        let (left, right) = (dot(x.col_as_slice(0), &c), dot(&b, y.col_as_slice(0)));
        let size: f64 = x
            .col_as_slice(0)
            .iter()
            .zip(&c)
            .map(|(x, c)| (x * c).abs())
            .sum();
        // Each side is right to the condition number of the worst row scaling, 1e12, times rounding.
        let tolerance = match name {
            "free" | "repeated free" => 1e-9,
            "rows of different units" => 1e-11,
            _ => 1e-13,
        };
        assert!(
            (left - right).abs() <= tolerance * size,
            "{name}: {left} and {right}"
        );
    }
}

#[test]
fn a_batch_is_its_columns_at_any_width() {
    let store = Store::new();
    for (name, backend) in rows() {
        let n = store.get(name).0.nrows();
        let b = random::normal_matrix(n, WIDE, 8);
        let solved = |a, side, b| solved(backend, a, side, b);
        let whole = solved(store.get(name).0, Side::Plain, b.as_ref()).unwrap();
        for j in [0, 8, WIDE - 1] {
            let alone = solved(store.get(name).0, Side::Plain, b.subcols(j, 1)).unwrap();
            let off = matrix_gap(whole.subcols(j, 1), alone.as_ref());
            assert!(off < 1e-12, "{name}: column {j} is off by {off:e}");
        }
        let none = solved(store.get(name).0, Side::Plain, b.subcols(0, 0)).unwrap();
        assert_eq!(none.shape(), (n, 0), "{name}");
    }
}
