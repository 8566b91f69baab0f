//! Equations and unknowns in any units: what is solved is right, and what is well conditioned is not called singular.

use crate::support::column;
use pullback::faer::sparse::{SparseColMat, Triplet};
use pullback::faer::{Mat, MatRef};
use pullback::{Backend, Cpu, Operator, Side, random};

/// 2ᵏ with k uniform between ± so many decades.
fn units(n: usize, decades: f64, seed: u64, stream: u64) -> Vec<f64> {
    let normal = random::normal(2 * n, seed, stream);
    // The angle of a normal vector of the plane is uniform.
    let uniform = |i: usize| normal[2 * i].atan2(normal[2 * i + 1]) / std::f64::consts::PI;
    let unit = |i: usize| 2_f64.powi((uniform(i) * decades * 10_f64.log2()).round() as i32);
    (0..n).map(unit).collect()
}

/// A matrix with entries of order one: dense, or with a strong diagonal and a few entries a row.
fn plain(n: usize, seed: u64) -> Mat<f64> {
    let normal = random::normal(n * n, seed, 1);
    let kept = random::normal(n * n, seed, 2);
    Mat::from_fn(n, n, |i, j| match seed % 3 {
        0 => normal[i * n + j],
        1 if i == j => 4.0,
        1 if kept[i * n + j].abs() > 1.3 => normal[i * n + j],
        1 => 0.0,
        // A chain.
        _ if i == j => 2.5,
        _ if i.abs_diff(j) == 1 => normal[i * n + j].clamp(-1.0, 1.0),
        _ => 0.0,
    })
}

fn operator(a: MatRef<'_, f64>, dense: bool) -> Operator<'static> {
    if dense {
        return Operator::dense(a.to_owned());
    }
    let all = (0..a.nrows()).flat_map(|i| (0..a.ncols()).map(move |j| (i, j)));
    let entries: Vec<_> = all
        .filter(|&(i, j)| a[(i, j)] != 0.0)
        .map(|(i, j)| Triplet::new(i, j, a[(i, j)]))
        .collect();
    Operator::sparse(SparseColMat::try_new_from_triplets(a.nrows(), a.ncols(), &entries).unwrap())
}

/// Cases, well-conditioned cases that were refused, and answers that are wrong.
#[derive(Debug, Default)]
struct Tried {
    cases: usize,
    refused: usize,
    wrong: usize,
    worst: f64,
}

fn inverse_size(a: MatRef<'_, f64>) -> f64 {
    let (n, cpu) = (a.nrows(), Cpu::default());
    let mut inverse = Mat::identity(n, n);
    let solved = cpu
        .factor(operator(a, true))
        .unwrap()
        .solve(Side::Plain, None, inverse.as_mut());
    solved.map_or(f64::INFINITY, |_| {
        inverse.norm_max() * a.norm_max() * n as f64
    })
}

fn tried(cases: u64, decades: f64) -> Tried {
    let (cpu, mut tried) = (Cpu::default(), Tried::default());
    for seed in 0..cases {
        let n = 2 + (seed as usize * 7) % 24;
        let a0 = plain(n, seed);
        if inverse_size(a0.as_ref()) > 1e4 {
            continue;
        }
        // Also unknowns that are zero, so that whole equations have next to nothing in them.
        let x0: Vec<f64> = random::normal(n, seed, 5)
            .into_iter()
            .enumerate()
            .map(|(i, x)| if seed % 2 == 1 && i > 0 { 0.0 } else { x })
            .collect();
        for (side, dense) in [
            (Side::Plain, true),
            (Side::Transpose, true),
            (Side::Plain, false),
            (Side::Transpose, false),
        ] {
            let [rows, columns] = [6, 7].map(|stream| units(n, decades, seed, stream));
            let a = Mat::from_fn(n, n, |i, j| rows[i] * a0[(i, j)] * columns[j]);
            let product = operator(a0.as_ref(), true).apply_to(side, &x0).unwrap();
            let (out, inside) = match side {
                Side::Plain => (&rows, &columns),
                Side::Transpose => (&columns, &rows),
            };
            let b: Vec<f64> = product.iter().zip(out).map(|(p, r)| p * r).collect();
            let mut x = column(&b).to_owned();
            tried.cases += 1;
            let factor = cpu.factor(operator(a.as_ref(), dense));
            match factor.and_then(|f| f.solve(side, None, x.as_mut())) {
                Err(_) => tried.refused += 1,
                Ok(_) => {
                    let size = x0.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
                    let off = (0..n).map(|j| (x[(j, 0)] * inside[j] - x0[j]).abs() / size);
                    let off = off.fold(0.0, f64::max);
                    tried.wrong += usize::from(off.is_nan() || off > 1e-7);
                    tried.worst = tried.worst.max(off);
                }
            }
        }
    }
    tried
}

#[test]
fn units_change_neither_what_is_solved_nor_what_is_refused() {
    for decades in [0.0, 6.0, 15.0, 20.0, 50.0] {
        let found = tried(2000, decades);
        let right = found.wrong == 0 && found.refused == 0;
        assert!(right && found.cases > 6000, "{decades}: {found:?}");
    }
}

/// The figures from which the bounds above are.
#[test]
#[ignore = "a table to look at"]
fn table() {
    for decades in [0.0, 3.0, 6.0, 10.0, 15.0, 20.0, 50.0, 70.0] {
        println!("{decades}: {:?}", tried(2000, decades));
    }
}
