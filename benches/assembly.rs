//! Milliseconds to assemble a matrix of finite elements: from triplets, and into a kept pattern.
//!
//! `cargo bench --bench assembly`; the peer is `benches/peers/assembly.py`. Sorting by comparison is what `triplets` did.

use std::hint::black_box;
use std::time::Instant;

use pullback::linalg::Pattern;
use pullback::{Operator, Result};

/// Vertices along a side of the square.
const VERTICES: usize = 200;

/// The nodes of all triangles: those of linear elements are vertices, of quadratic ones also the middles of edges.
fn triangles(degree: usize) -> (usize, Vec<Vec<usize>>) {
    let side = degree * (VERTICES - 1) + 1;
    let node = |x: usize, y: usize| y * side + x;
    let mut triangles = Vec::new();
    for (y, x) in (0..VERTICES - 1).flat_map(|y| (0..VERTICES - 1).map(move |x| (y, x))) {
        let (x, y) = (degree * x, degree * y);
        // Along the edges from corner to corner, in the two halves of a square.
        let reach = 0..=degree;
        let half = |turned: bool| {
            let inside = reach
                .clone()
                .flat_map(|j| (0..=degree - j).map(move |i| (i, j)));
            let place = |(i, j)| match turned {
                false => node(x + i, y + j),
                true => node(x + degree - i, y + degree - j),
            };
            inside.map(place).collect()
        };
        triangles.extend([half(false), half(true)]);
    }
    (side * side, triangles)
}

fn places(triangles: &[Vec<usize>]) -> Vec<(usize, usize)> {
    let pairs = |t: &Vec<usize>| -> Vec<(usize, usize)> {
        t.iter()
            .flat_map(|&i| t.iter().map(move |&j| (i, j)))
            .collect()
    };
    triangles.iter().flat_map(pairs).collect()
}

/// The compressed columns, by a stable sort that compares.
fn by_comparison(ncols: usize, mut entries: Vec<(usize, usize, f64)>) -> [usize; 2] {
    entries.sort_by_key(|&(row, column, _)| (column, row));
    let (mut pointers, mut rows, mut values) = (vec![0; ncols + 1], Vec::new(), Vec::new());
    let mut last = None;
    for (row, column, value) in entries {
        if last == Some((row, column)) {
            let end = values.len() - 1;
            values[end] += value;
        } else {
            rows.push(row);
            values.push(value);
            last = Some((row, column));
        }
        pointers[column + 1] = values.len();
    }
    black_box((rows, &values));
    [pointers[ncols], values.len()]
}

/// The shortest of some runs, which others on the machine have disturbed least.
fn shortest<T>(mut work: impl FnMut() -> T) -> f64 {
    let run = |_| {
        let clock = Instant::now();
        black_box(work());
        1e3 * clock.elapsed().as_secs_f64()
    };
    (0..15).map(run).fold(f64::INFINITY, f64::min)
}

fn main() -> Result<()> {
    println!("{VERTICES}x{VERTICES} vertices, milliseconds");
    for degree in [1, 2] {
        let (nodes, triangles) = triangles(degree);
        let places = places(&triangles);
        let values: Vec<f64> = (0..places.len()).map(|k| (k as f64).sin()).collect();
        let entries = || places.iter().zip(&values).map(|(&(i, j), &v)| (i, j, v));
        let pattern = Pattern::new(nodes, nodes, places.iter().copied())?;
        let rows = [
            (
                "by comparison",
                shortest(|| by_comparison(nodes, entries().collect())),
            ),
            (
                "triplets",
                shortest(|| Operator::triplets(nodes, nodes, entries())),
            ),
            (
                "new pattern",
                shortest(|| Pattern::new(nodes, nodes, places.iter().copied())),
            ),
            ("kept pattern", shortest(|| pattern.with_values(&values))),
        ];
        println!("P{degree}, {} triplets", places.len());
        for (name, milliseconds) in rows {
            println!("{name:>16} {milliseconds:>8.2}");
        }
    }
    Ok(())
}
