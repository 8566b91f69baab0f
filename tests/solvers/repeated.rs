//! The laws of block-diagonal operators with equal blocks, against the blocks one by one.

use crate::support;
use std::sync::Mutex;

use crate::support::stencils::{Case, KINDS, SIDES, cpu};
use crate::support::{gap, matrix_gap, reference_solve};
use pullback::faer::{Mat, MatMut, MatRef, mat};
use pullback::linalg::{StencilSolver, View};
use pullback::{Backend, Cpu, Error, Operator, Side, random};

const COUNT: usize = 3;

/// A block that is not square, in every structure that can be so.
fn rectangular(matrix: &Mat<f64>) -> Vec<(&'static str, Operator<'_>)> {
    let (m, n) = matrix.shape();
    let entries = (0..m).flat_map(|i| (0..n).map(move |j| (i, j, matrix[(i, j)])));
    let product = move |side, x: MatRef<'_, f64>, mut out: MatMut<'_, f64>| match side {
        Side::Plain => out.copy_from(matrix * x),
        Side::Transpose => out.copy_from(matrix.transpose() * x),
    };
    vec![
        ("dense", Operator::dense(matrix.clone())),
        ("dense view", matrix.as_ref().into()),
        ("sparse", Operator::triplets(m, n, entries)),
        ("free", Operator::free(m, n, Box::new(product))),
    ]
}

/// diag(B, …, B) X, block by block.
fn blockwise(b: MatRef<'_, f64>, count: usize, x: &Mat<f64>) -> Mat<f64> {
    let (m, n) = b.shape();
    let mut out = Mat::zeros(count * m, x.ncols());
    for k in 0..count {
        let part = b * x.subrows(k * n, n);
        out.subrows_mut(k * m, m).copy_from(part);
    }
    out
}

/// B or Bᵀ.
fn sided(b: &Mat<f64>, side: Side) -> MatRef<'_, f64> {
    match side {
        Side::Plain => b.as_ref(),
        Side::Transpose => b.transpose(),
    }
}

#[test]
fn products_are_those_of_the_blocks_for_blocks_of_any_shape() {
    for (m, n) in [(4, 7), (7, 4), (5, 5), (1, 3)] {
        let block = random::normal_matrix(m, n, 1);
        for (name, _) in rectangular(&block) {
            for (count, columns, side) in [0, 1, 2, 5]
                .into_iter()
                .flat_map(|c| [0, 1, 4].map(|columns| (c, columns)))
                .flat_map(|(c, columns)| SIDES.map(|side| (c, columns, side)))
            {
                let operator = rectangular(&block).into_iter().find(|(o, _)| *o == name);
                let a = Operator::repeated(operator.unwrap().1, count);
                assert_eq!(a.shape(), (count * m, count * n), "{name}");
                let x = random::normal_matrix(a.shape_of(side).1, columns, 2);
                let found = a.apply(side, x.as_ref()).unwrap();
                let expected = blockwise(sided(&block, side), count, &x);
                let off = matrix_gap(found.as_ref(), expected.as_ref());
                assert!(off < 1e-14, "{count} times {name} {side:?}: off by {off:e}");
            }
        }
    }
}

#[test]
fn operands_may_have_any_strides() {
    let block = random::normal_matrix(4, 6, 3);
    let a = Operator::repeated(Operator::dense(block.clone()), COUNT);
    for columns in [1, 5] {
        let rows = random::normal_matrix(columns, COUNT * 6, 4);
        let x = rows.transpose();
        let found = a.apply(Side::Plain, x).unwrap();
        let expected = blockwise(block.as_ref(), COUNT, &x.to_owned());
        assert!(matrix_gap(found.as_ref(), expected.as_ref()) < 1e-14);
    }
    // A solve in place, in a matrix that stores its rows, and in every other column of one that stores its columns.
    let square = support::definite(5, 5);
    let cpu = Cpu::default();
    let factor = Operator::repeated(Operator::dense(square.clone()), COUNT);
    let factor = cpu.factor(factor).unwrap();
    for columns in [1, 4] {
        let b = random::normal_matrix(COUNT * 5, columns, 6);
        let mut compact = b.clone();
        factor.solve(Side::Plain, None, compact.as_mut()).unwrap();
        let back = blockwise(square.as_ref(), COUNT, &compact);
        assert!(matrix_gap(back.as_ref(), b.as_ref()) < 1e-14);
        let mut rows = b.transpose().to_owned();
        let by_rows = factor.solve(Side::Plain, None, rows.as_mut().transpose_mut());
        by_rows.unwrap();
        assert!(rows.transpose() == compact);
        let mut padded = Mat::zeros(COUNT * 5 + 2, columns);
        padded.subrows_mut(1, COUNT * 5).copy_from(&b);
        factor
            .solve(Side::Plain, None, padded.subrows_mut(1, COUNT * 5))
            .unwrap();
        assert!(padded.subrows(1, COUNT * 5) == compact);
    }
}

#[test]
fn a_batch_reaches_the_block_as_one_batch() {
    let seen = Mutex::new(Vec::new());
    let product = |_: Side, x: MatRef<'_, f64>, mut out: MatMut<'_, f64>| {
        seen.lock().unwrap().push(x.shape());
        out.copy_from(x);
    };
    let a = Operator::repeated(Operator::free(4, 4, Box::new(product)), COUNT);
    for columns in [1, 7] {
        let x = Mat::zeros(COUNT * 4, columns);
        a.apply(Side::Plain, x.as_ref()).unwrap();
    }
    assert_eq!(*seen.lock().unwrap(), [(4, COUNT), (4, 7 * COUNT)]);
}

#[test]
fn solutions_of_stencils_are_those_of_another_library_and_of_the_blocks_alone() {
    for (kind, solver, side) in KINDS
        .into_iter()
        .flat_map(|kind| [StencilSolver::Direct, StencilSolver::Multigrid].map(|s| (kind, s)))
        .flat_map(|(kind, solver)| SIDES.map(|side| (kind, solver, side)))
    {
        let case = Case::new(kind, &[17, 19]);
        let n = case.dense.nrows();
        let b = random::normal_matrix(COUNT * n, 5, 7);
        let cpu = cpu(solver);
        let repeated = cpu.factor(Operator::repeated(case.operator(), COUNT));
        let (repeated, block) = (repeated.unwrap(), cpu.factor(case.operator()).unwrap());
        let mut x = b.clone();
        repeated.solve(side, None, x.as_mut()).unwrap();
        for k in 0..COUNT {
            let (part, b) = (x.subrows(k * n, n), b.subrows(k * n, n));
            let mut alone = b.to_owned();
            block.solve(side, None, alone.as_mut()).unwrap();
            // The solvers' columns do not depend on the width of the batch but for the order of sums in blocks.
            let off = matrix_gap(part, alone.as_ref());
            assert!(off < 1e-12, "{} {solver:?} {side:?}: {off:e}", case.name);
            let reference = reference_solve(sided(&case.dense, side), b);
            let off = matrix_gap(part, reference.as_ref());
            // The condition number of the pinned Laplacian, about 1e9, times the residual of a solve.
            let tolerance = if case.definite { 1e-4 } else { 1e-7 };
            assert!(
                off < tolerance,
                "{} {solver:?} {side:?}: {off:e}",
                case.name
            );
        }
    }
}

#[test]
fn one_copy_is_the_block_and_copies_of_copies_are_copies() {
    let diagonal = || Operator::diagonal(vec![2.0, 3.0]);
    assert!(matches!(
        Operator::repeated(diagonal(), 1).view(),
        View::Diagonal(_)
    ));
    let nested = Operator::repeated(Operator::repeated(diagonal(), 2), 3);
    match nested.view() {
        View::Repeated { block, count } => {
            assert_eq!(count, 6);
            assert!(matches!(block.view(), View::Diagonal(_)));
        }
        _ => panic!("no repetition"),
    }
    let product = nested.apply_to(Side::Transpose, &[1.0; 12]).unwrap();
    assert_eq!(gap(&product, &[2.0, 3.0].repeat(6)), 0.0);
    let identity = Operator::repeated(Operator::identity(4), 3);
    assert!(identity.is_identity() && identity.is_positive_definite());
    assert_eq!(identity.shape(), (12, 12));
}

#[test]
fn a_repetition_is_written_out_as_its_block_is() {
    let block = random::normal_matrix(3, 4, 9);
    for (name, operator) in rectangular(&block) {
        let a = Operator::repeated(operator, COUNT);
        match a.to_sparse() {
            Some(sparse) => assert!(sparse.to_dense() == a.to_dense(), "{name}"),
            None => assert_eq!(name, "free"),
        }
    }
}

#[test]
fn a_declaration_holds_for_the_blocks() {
    let indefinite = || Operator::dense(mat![[1.0, 2.0], [2.0, 1.0]]);
    for operator in [
        Operator::repeated(indefinite().positive_definite(), 2),
        Operator::repeated(indefinite(), 2).positive_definite(),
    ] {
        assert!(operator.is_positive_definite());
        let error = Cpu::default().factor(operator).map(drop);
        assert!(
            matches!(error, Err(Error::NotPositiveDefinite { .. })),
            "{error:?}"
        );
    }
    assert!(!Operator::repeated(indefinite(), 2).is_positive_definite());
}

#[test]
fn what_is_wrong_with_a_block_or_a_batch_is_an_error() {
    let cpu = Cpu::default();
    let broken = Operator::repeated(Operator::dense(mat![[1.0, 0.0], [f64::NAN, 1.0]]), 2);
    let error = broken.check_finite("B").unwrap_err();
    assert!(
        matches!(error, Error::NotFinite { index: 1, .. }),
        "{error}"
    );
    assert!(cpu.factor(broken).is_err());
    let wide = Operator::repeated(Operator::dense(Mat::zeros(2, 3)), 2);
    let error = cpu.factor(wide).map(drop);
    assert!(
        matches!(
            error,
            Err(Error::Dimension {
                expected: 4,
                found: 6,
                ..
            })
        ),
        "{error:?}"
    );
    let singular = Operator::repeated(Operator::dense(mat![[1.0, 1.0], [1.0, 1.0]]), 2);
    let mut b = random::normal_matrix(4, 2, 8);
    let solved = cpu
        .factor(singular)
        .and_then(|f| f.solve(Side::Plain, None, b.as_mut()));
    assert!(matches!(solved, Err(Error::Singular { .. })), "{solved:?}");
    let none = cpu.factor(Operator::repeated(Operator::diagonal(vec![1.0, 2.0]), 0));
    let empty = none
        .unwrap()
        .solve(Side::Plain, None, Mat::zeros(0, 2).as_mut());
    assert!(empty.is_ok(), "{empty:?}");
    let sound = cpu.factor(Operator::repeated(Operator::diagonal(vec![1.0, 2.0]), 2));
    let sound = sound.unwrap();
    for (rows, bad) in [(2, 1.0), (5, 1.0), (4, f64::NAN)] {
        let mut b = Mat::from_fn(rows, 2, |_, _| bad);
        assert!(
            sound.solve(Side::Plain, None, b.as_mut()).is_err(),
            "{rows} rows"
        );
    }
}
