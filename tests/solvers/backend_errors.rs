//! What cannot be solved is an error, for every structure of operator: never NaN, never some number.

use crate::support::column;
use crate::support::singular::{means_singular, singular};
use pullback::faer::sparse::{SparseColMat, Triplet};
use pullback::faer::{Mat, MatMut, MatRef, mat};
use pullback::{Backend, Cpu, Error, Operator, Result, Side, random};

const SIDES: [Side; 2] = [Side::Plain, Side::Transpose];

fn sparse(a: MatRef<'_, f64>) -> Operator<'static> {
    let all = (0..a.nrows()).flat_map(|i| (0..a.ncols()).map(move |j| (i, j)));
    let entries: Vec<_> = all
        .filter(|&(i, j)| a[(i, j)] != 0.0)
        .map(|(i, j)| Triplet::new(i, j, a[(i, j)]))
        .collect();
    Operator::sparse(SparseColMat::try_new_from_triplets(a.nrows(), a.ncols(), &entries).unwrap())
}

fn free(n: usize, product: fn(Side, MatRef<'_, f64>, MatMut<'_, f64>)) -> Operator<'static> {
    Operator::free(n, n, Box::new(product))
}

fn solve(operator: Operator<'_>, side: Side, b: &[f64]) -> Result<Vec<f64>> {
    let (cpu, mut x) = (Cpu::default(), column(b).to_owned());
    cpu.factor(operator)?.solve(side, None, x.as_mut())?;
    Ok(x.col_as_slice(0).to_vec())
}

#[test]
fn singular_matrices_are_errors() {
    for (name, a) in singular() {
        for (structure, build) in structures() {
            for side in SIDES {
                // Random, so that no singular matrix has a solution for it.
                let b = random::normal(a.nrows(), 3, 0);
                match solve(build(a.as_ref()), side, &b) {
                    Err(error) => assert!(means_singular(&error), "{structure} {name}: {error}"),
                    Ok(x) => panic!("{structure} {name} {side:?} was solved: {x:?}"),
                }
            }
        }
    }
}

type Structure = (&'static str, fn(MatRef<'_, f64>) -> Operator<'static>);

fn structures() -> [Structure; 2] {
    [
        ("dense", |a| Operator::dense(a.to_owned())),
        ("sparse", sparse),
    ]
}

#[test]
fn declared_definite_matrices_that_are_not_are_errors() {
    let indefinite = [
        ("indefinite", mat![[1.0, 2.0], [2.0, 1.0]]),
        ("negative", mat![[-1.0, 0.0], [0.0, -1.0]]),
        ("of rank one", mat![[1.0, 1.0], [1.0, 1.0]]),
    ];
    for (name, a) in indefinite {
        for (structure, build) in structures() {
            let operator = build(a.as_ref()).positive_definite();
            let error = solve(operator, Side::Plain, &[1.0, 0.3]);
            assert!(
                error.as_ref().is_err_and(means_singular),
                "{structure} {name}: {error:?}"
            );
        }
    }
}

#[test]
fn a_matrix_declared_definite_and_singular_to_rounding_is_an_error() {
    let a = mat![[0.1, 0.3], [0.3, 0.9]];
    for (structure, build) in structures() {
        let x = solve(
            build(a.as_ref()).positive_definite(),
            Side::Plain,
            &[1.0, 0.3],
        );
        assert!(x.as_ref().is_err_and(means_singular), "{structure}: {x:?}");
    }
}

#[test]
fn a_diagonal_with_a_zero_is_singular() {
    let a = Operator::diagonal(vec![1.0, 0.0]);
    assert!(matches!(
        solve(a, Side::Plain, &[1.0, 1.0]),
        Err(Error::Singular { .. })
    ));
}

#[test]
fn entries_that_are_not_finite_are_named() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let a = mat![[1.0, 2.0], [bad, 3.0]];
        for operator in [
            Operator::dense(a.clone()),
            sparse(a.as_ref()),
            Operator::dense(a.clone()).positive_definite(),
            sparse(a.as_ref()).positive_definite(),
            Operator::diagonal(vec![1.0, bad]),
        ] {
            let error = solve(operator, Side::Plain, &[1.0, 1.0]);
            assert!(matches!(error, Err(Error::NotFinite { .. })), "{error:?}");
        }
    }
}

#[test]
fn right_hand_sides_that_are_not_finite_are_errors() {
    let a = mat![[2.0, 1.0], [1.0, 3.0]];
    let mut solved = Vec::new();
    for bad in [f64::NAN, f64::INFINITY] {
        for (name, operator) in [
            ("identity", Operator::identity(2)),
            ("diagonal", Operator::diagonal(vec![1.0, 2.0])),
            ("dense", Operator::dense(a.clone())),
            (
                "dense definite",
                Operator::dense(a.clone()).positive_definite(),
            ),
            ("sparse", sparse(a.as_ref())),
            ("sparse definite", sparse(a.as_ref()).positive_definite()),
            ("free", free(2, |_, x, mut out| out.copy_from(2.0 * x))),
        ] {
            if let Ok(x) = solve(operator, Side::Plain, &[1.0, bad]) {
                solved.push(format!("{name} gave {x:?}"));
            }
        }
    }
    assert!(solved.is_empty(), "{solved:?}");
}

#[test]
fn shapes_that_do_not_fit_are_errors() {
    let wide = Mat::<f64>::zeros(2, 3);
    let product = |_: Side, _: MatRef<'_, f64>, _: MatMut<'_, f64>| ();
    for operator in [
        Operator::dense(wide.clone()),
        sparse(wide.as_ref()),
        Operator::free(2, 3, Box::new(product)),
    ] {
        let error = Cpu::default().factor(operator).map(|_| ());
        assert!(
            matches!(
                error,
                Err(Error::Dimension {
                    expected: 2,
                    found: 3,
                    ..
                })
            ),
            "{error:?}"
        );
    }
    let a = mat![[2.0, 1.0], [1.0, 3.0]];
    for operator in [
        Operator::identity(2),
        Operator::diagonal(vec![1.0, 2.0]),
        Operator::dense(a.clone()),
        Operator::dense(a.clone()).positive_definite(),
        sparse(a.as_ref()),
        sparse(a.as_ref()).positive_definite(),
        free(2, |_, x, mut out| out.copy_from(x)),
    ] {
        let error = solve(operator, Side::Plain, &[1.0, 2.0, 3.0]);
        assert!(
            matches!(
                error,
                Err(Error::Dimension {
                    expected: 2,
                    found: 3,
                    ..
                })
            ),
            "{error:?}"
        );
    }
}

#[test]
fn free_operators_that_gmres_cannot_solve_stagnate() {
    let shift: fn(Side, MatRef<'_, f64>, MatMut<'_, f64>) = |_, x, mut out| {
        let n = x.nrows();
        (0..n).for_each(|i| out[((i + 1) % n, 0)] = x[(i, 0)]);
    };
    let cases: [(&str, Operator<'static>); 3] = [
        // Nothing is learned of a cyclic shift until the last of its vectors.
        ("a cyclic shift", free(100, shift)),
        ("zero", free(100, |_, _, mut out| out.fill(0.0))),
        (
            "a projection",
            free(100, |_, x, mut out| {
                out.copy_from(x);
                out[(0, 0)] = 0.0;
            }),
        ),
    ];
    for (name, operator) in cases {
        let mut b = vec![0.0; 100];
        b[0] = 1.0;
        let x = solve(operator, Side::Plain, &b).map(|x| x[0]);
        assert!(matches!(x, Err(Error::Stagnation { .. })), "{name}: {x:?}");
    }
}

#[test]
fn a_free_operator_whose_products_are_not_numbers_is_an_error() {
    let nan = free(3, |_, _, mut out| out.fill(f64::NAN));
    let x = solve(nan, Side::Plain, &[1.0, 2.0, 3.0]);
    assert!(x.is_err(), "{x:?}");
}
