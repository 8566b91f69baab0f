//! Sparse matrices from values in any order, once and again.

use std::ptr;

use pullback::faer::Mat;
use pullback::faer::sparse::SparseColMatRef;
use pullback::linalg::{Pattern, Stencil, View};
use pullback::loss::Observations;
use pullback::{Backend, Cpu, Error, Loss, Noise, Operator, Side, random};

fn sparse<'a>(a: &'a Operator<'_>) -> SparseColMatRef<'a, usize, f64> {
    match a.view() {
        View::Sparse(m) => m,
        _ => panic!("a sparse matrix is expected"),
    }
}

/// Random places, many of them more than once, with values whose sums round.
fn cloud((nrows, ncols): (usize, usize), count: usize, seed: u64) -> Vec<(usize, usize, f64)> {
    let x = random::normal(3 * count, seed, 0);
    let place = |x: f64, n: usize| (x.abs() * 1e4) as usize % n;
    let entry = |k: usize| {
        (
            place(x[3 * k], nrows),
            place(x[3 * k + 1], ncols),
            x[3 * k + 2],
        )
    };
    (0..count).map(entry).collect()
}

/// Entries added one by one to a dense matrix.
fn summed((nrows, ncols): (usize, usize), entries: &[(usize, usize, f64)]) -> Mat<f64> {
    let mut dense = Mat::zeros(nrows, ncols);
    entries.iter().for_each(|&(i, j, v)| dense[(i, j)] += v);
    dense
}

const SHAPES: [((usize, usize), usize); 6] = [
    ((7, 5), 200),
    ((5, 40), 60),
    ((40, 5), 60),
    ((1, 1), 9),
    ((6, 3), 0),
    ((0, 0), 0),
];

#[test]
fn places_are_sorted_and_values_add_up_in_their_order() {
    for (seed, (shape, count)) in SHAPES.into_iter().enumerate() {
        let entries = cloud(shape, count, seed as u64);
        let dense = summed(shape, &entries);
        let places = entries.iter().map(|&(i, j, _)| (i, j));
        let pattern = Pattern::new(shape.0, shape.1, places).unwrap();
        assert_eq!((pattern.len(), pattern.is_empty()), (count, count == 0));
        let kept = pattern.with_values(entries.iter().map(|e| e.2)).unwrap();
        for a in [Operator::triplets(shape.0, shape.1, entries.clone()), kept] {
            assert_eq!(a.to_dense(), dense);
            for j in 0..shape.1 {
                let rows = sparse(&a).row_idx_of_col_raw(j);
                assert!(rows.is_sorted_by(|a, b| a < b), "column {j}: {rows:?}");
            }
            let distinct = dense
                .col_iter()
                .flat_map(|c| c.iter())
                .filter(|v| **v != 0.0);
            assert_eq!(sparse(&a).row_idx().len(), distinct.count());
        }
    }
}

#[test]
fn matrices_of_one_pattern_share_its_structure() {
    let entries = cloud((30, 30), 400, 1);
    let pattern = Pattern::new(30, 30, entries.iter().map(|e| (e.0, e.1))).unwrap();
    let [a, b] = [1.0, 3.0].map(|s| {
        let values = entries.iter().map(|e| s * e.2);
        pattern.with_values(values).unwrap()
    });
    let clone = a.clone();
    assert!(ptr::eq(sparse(&a).row_idx(), sparse(&b).row_idx()));
    assert!(ptr::eq(sparse(&a).val(), sparse(&clone).val()));
    assert!(ptr::eq(sparse(&a).val(), sparse(&a.lend()).val()));
}

#[test]
fn places_outside_and_values_too_many_or_few_are_refused() {
    for (place, what, size) in [((2, 0), "a row", 2), ((0, 3), "a column", 3)] {
        let error = Pattern::new(2, 3, [(1, 2), place]).unwrap_err();
        let text = error.to_string();
        let expected = Error::OutOfRange {
            what: if what == "a row" {
                "a row of a sparse matrix"
            } else {
                "a column of a sparse matrix"
            },
            index: 1,
            value: size as f64,
            lower: 0.0,
            upper: size as f64 - 1.0,
        };
        assert_eq!(text, expected.to_string());
    }
    let pattern = Pattern::new(2, 2, [(0, 0), (1, 1), (0, 0)]).unwrap();
    for count in [0, 2, 4, 7] {
        let refused = pattern
            .with_values(vec![1.0; count])
            .map(|_| ())
            .unwrap_err();
        let fits = matches!(refused, Error::Dimension { expected: 3, found, .. } if found == count);
        assert!(fits, "{count}: {refused}");
    }
    assert!(pattern.with_values([1.0; 3]).is_ok());
}

#[test]
#[should_panic(expected = "row 2 and column 1, counted from 0, is outside a matrix of shape 2×3")]
fn triplets_outside_panic() {
    Operator::triplets(2, 3, [(0, 0, 1.0), (2, 1, 1.0), (5, 5, 1.0)]);
}

/// Linear elements on the two halves of every square are the five-point stencil; its solves are known to the
/// backend by another way.
#[test]
fn finite_elements_for_changing_conductivities() {
    let n = 12;
    let squares = || (0..n - 1).flat_map(|i| (0..n - 1).map(move |j| (i, j)));
    let halves = |(i, j): (usize, usize)| {
        let at = |a, b| (i + a) * n + j + b;
        // The right angle comes first.
        [
            [at(0, 0), at(1, 0), at(0, 1)],
            [at(1, 1), at(0, 1), at(1, 0)],
        ]
    };
    let triangles: Vec<[usize; 3]> = squares().flat_map(halves).collect();
    // ∇φᵢ·∇φⱼ |T| of a right triangle with legs of one length.
    let element = [[1.0, -0.5, -0.5], [-0.5, 0.5, 0.0], [-0.5, 0.0, 0.5]];
    let local = || (0..3).flat_map(|i| (0..3).map(move |j| (i, j)));
    let places = triangles
        .iter()
        .flat_map(|t| local().map(|(i, j)| (t[i], t[j])));
    let mass = (0..n * n).map(|i| (i, i));
    let pattern = Pattern::new(n * n, n * n, places.chain(mass)).unwrap();
    let cpu = Cpu::default();
    for s in [1.0, 5.0] {
        let stiffness = triangles
            .iter()
            .flat_map(|_| local().map(|(i, j)| s * element[i][j]));
        let a = pattern
            .with_values(stiffness.chain(vec![1.0; n * n]))
            .unwrap();
        let mut stencil = Stencil::new(&[n, n]);
        stencil.add_diagonal(&vec![1.0; n * n]);
        for (axis, cell) in (0..2).flat_map(|axis| (0..n * n).map(move |c| (axis, c))) {
            let (i, j) = (cell / n, cell % n);
            let (along, across) = if axis == 0 { (i, j) } else { (j, i) };
            if along + 1 < n {
                let w = if across == 0 || across + 1 == n {
                    0.5 * s
                } else {
                    s
                };
                stencil.couple(axis, cell, [[w, -w], [-w, w]]);
            }
        }
        let b = Mat::from_fn(n * n, 1, |i, _| ((i * i) as f64).sin());
        let [x, y] = [
            a.positive_definite(),
            Operator::stencil(stencil).positive_definite(),
        ]
        .map(|a| {
            let mut x = b.clone();
            cpu.factor(a)
                .unwrap()
                .solve(Side::Plain, None, x.as_mut())
                .unwrap();
            x
        });
        let difference = (&x - &y).norm_max();
        assert!(difference < 1e-12, "{difference:e}");
    }
}

#[test]
fn an_observation_operator_serves_on() {
    let free = {
        let double = |_: Side,
                      x: pullback::faer::MatRef<'_, f64>,
                      mut out: pullback::faer::MatMut<'_, f64>| {
            out.copy_from(x);
            out *= pullback::faer::Scale(2.0);
        };
        Operator::free(3, 3, Box::new(double))
    };
    for sensors in [free, Operator::diagonal(vec![2.0; 3])] {
        let noise = Noise::uniform(3, 0.5).unwrap();
        let loss = Observations::new(&sensors, vec![1.0; 3], noise).unwrap();
        let rho = [0.5, 1.0, 0.0];
        // ½ (0² + 1² + 1²)/.25
        assert_eq!(loss.value(&rho), 4.0);
        let seen = sensors.apply_to(Side::Plain, &rho).unwrap();
        assert_eq!(seen, loss.operator().apply_to(Side::Plain, &rho).unwrap());
        assert_eq!(seen, [1.0, 2.0, 0.0]);
    }
}
