//! Solves at the edge: no unknowns, answers beyond all doubles, matrices that are not what they were declared, and
//! models in a wild state. None of them panics, and each says what it is.

use crate::support::column;
use pullback::faer::sparse::{SparseColMat, Triplet};
use pullback::faer::{Mat, mat};
use pullback::models::InvariantMeasure;
use pullback::models::flow::VanDerPol;
use pullback::sketch::{ProbeKind, Probes};
use pullback::{Backend, Cpu, Error, Grid, Model, Operator, Result, Side, verify};

const SIDES: [Side; 2] = [Side::Plain, Side::Transpose];

fn sparse(n: usize, entries: &[(usize, usize, f64)]) -> Operator<'static> {
    let entries: Vec<_> = entries
        .iter()
        .map(|&(i, j, v)| Triplet::new(i, j, v))
        .collect();
    Operator::sparse(SparseColMat::try_new_from_triplets(n, n, &entries).unwrap())
}

fn solve(operator: Operator<'_>, side: Side, b: &[f64]) -> Result<Vec<f64>> {
    let (cpu, mut x) = (Cpu::default(), column(b).to_owned());
    cpu.factor(operator)?.solve(side, None, x.as_mut())?;
    Ok(x.col_as_slice(0).to_vec())
}

/// No state at all.
struct Nothing;

impl Model for Nothing {
    fn state_dim(&self) -> usize {
        0
    }
    fn param_dim(&self) -> usize {
        1
    }
    fn residual(&self, _: &[f64], _: &[f64], _: &mut [f64]) {}
    fn state_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::dense(Mat::zeros(0, 0))
    }
    fn param_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::dense(Mat::zeros(0, 1))
    }
}

#[test]
fn systems_without_unknowns_are_solved() {
    let none = || -> [Operator<'static>; 7] {
        [
            Operator::identity(0),
            Operator::diagonal(vec![]),
            Operator::dense(Mat::zeros(0, 0)),
            Operator::dense(Mat::zeros(0, 0)).positive_definite(),
            sparse(0, &[]),
            sparse(0, &[]).positive_definite(),
            Operator::repeated(Operator::dense(Mat::zeros(0, 0)), 3),
        ]
    };
    let cpu = Cpu::default();
    for side in SIDES {
        for columns in [0, 1, 3, 40] {
            for operator in none() {
                let mut x = Mat::zeros(0, columns);
                cpu.factor(operator)
                    .unwrap()
                    .solve(side, None, x.as_mut())
                    .unwrap();
            }
        }
    }
    // Whatever the checks say of a model without a state, they say it.
    let _ = verify::model(&Nothing, &[1.0], 1);
}

#[test]
fn answers_beyond_all_doubles_are_not_called_singular() {
    let small = |a: f64| {
        [
            Operator::diagonal(vec![a, 1.0]),
            Operator::dense(mat![[a, 0.0], [a, a]]),
            sparse(2, &[(0, 0, a), (1, 0, a), (1, 1, a)]),
            Operator::dense(mat![[2.0 * a, a], [a, 2.0 * a]]).positive_definite(),
        ]
    };
    for side in SIDES {
        for operator in small(1e-290) {
            let error = solve(operator, side, &[1e200, 1e199]).unwrap_err();
            assert_eq!(error.kind(), "Overflow", "{error}");
        }
        for operator in small(1e-100) {
            assert!(solve(operator, side, &[1e200, 1e199]).is_ok());
        }
    }
    let singular = [
        Operator::diagonal(vec![1.0, 0.0]),
        Operator::dense(mat![[1.0, 2.0], [2.0, 4.0]]),
        Operator::dense(mat![[1.0, 2.0], [0.0, 0.0]]),
    ];
    for operator in singular {
        let error = solve(operator, Side::Plain, &[1e200, 1e199]).unwrap_err();
        assert_eq!(error.kind(), "Singular", "{error}");
    }
}

#[test]
fn matrices_declared_definite_that_are_not_symmetric_are_told_where() {
    // Only one triangle is read, and that one is fine.
    let dense = mat![[4.0, 1.5, 0.0], [1.0, 3.0, 0.5], [0.0, 0.5, 2.0]];
    let stored = |i: usize, j: usize| (i, j, dense[(i, j)]);
    let all = (0..3).flat_map(|i| (0..3).map(move |j| (i, j)));
    let entries: Vec<_> = all
        .map(|(i, j)| stored(i, j))
        .filter(|e| e.2 != 0.0)
        .collect();
    let half: Vec<_> = entries
        .iter()
        .copied()
        .filter(|e| (e.0, e.1) != (0, 1))
        .collect();
    for (operator, numbers) in [
        (Operator::dense(dense.clone()), ["1.5", "1"]),
        (sparse(3, &entries), ["1.5", "1"]),
        (sparse(3, &half), ["0", "1"]),
    ] {
        let error = solve(operator.positive_definite(), Side::Plain, &[1.0, 2.0, 3.0]).unwrap_err();
        let Error::NotSymmetric {
            row,
            column,
            entry,
            mirrored,
            ..
        } = error
        else {
            panic!("{error}");
        };
        assert_eq!((row.min(column), row.max(column)), (0, 1));
        let mut found = [entry, mirrored].map(|x| x.to_string());
        if row > column {
            found.swap(0, 1);
        }
        assert_eq!(found, numbers);
    }
}

#[test]
fn a_wild_trial_is_an_error_and_no_panic() {
    let grid = Grid::new(&[(-3.0, 3.0, 6), (-4.0, 4.0, 5)]).unwrap();
    let model = InvariantMeasure::new(&grid, VanDerPol)
        .unwrap()
        .diffusion(1e-3)
        .unwrap();
    let cpu = Cpu::default();
    for theta in [-1e7, 1e84, -1e100, 1e120, 1e144, -1e168] {
        if let Ok(density) = model.density(&[theta], &cpu) {
            assert!(density.iter().all(|r| r.is_finite() && *r >= 0.0));
        }
    }
}

#[test]
fn more_probes_than_memory_holds_are_refused() {
    for count in [1 << 50, usize::MAX] {
        let error = Probes::new(ProbeKind::Signs, 3, count, 1).unwrap_err();
        assert_eq!(error.kind(), "Option", "{error}");
    }
}

#[test]
#[should_panic(expected = "too many rows")]
fn repetitions_beyond_counting_are_refused() {
    let _ = Operator::repeated(Operator::identity(3), usize::MAX / 2);
}
