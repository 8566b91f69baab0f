//! Groups of columns that are swept at once.

use faer::MatRef;

/// Entry of L columns.
pub(super) type Lanes<const L: usize> = [f64; L];

/// Adds an entry to another.
pub(super) fn add<const L: usize>(x: &Lanes<L>, out: &mut Lanes<L>) {
    out.iter_mut().zip(x).for_each(|(o, x)| *o += x);
}

/// Adds the product of a column with lanes.
pub(super) fn add_product<const L: usize>(column: &[f64], x: &Lanes<L>, out: &mut [Lanes<L>]) {
    for (out, c) in out.iter_mut().zip(column) {
        out.iter_mut().zip(x).for_each(|(o, x)| *o += c * x);
    }
}

/// Adds the product of a row with lanes.
pub(super) fn add_dot<const L: usize>(row: &[f64], x: &[Lanes<L>], out: &mut Lanes<L>) {
    for (x, c) in x.iter().zip(row) {
        out.iter_mut().zip(x).for_each(|(o, x)| *o += c * x);
    }
}

/// Multiplies every entry by its factor in D.
pub(super) fn restrict<const L: usize>(moves: &[f64], x: &mut [Lanes<L>]) {
    for (x, m) in x.iter_mut().zip(moves).filter(|(_, m)| **m == 0.0) {
        x.iter_mut().for_each(|x| *x *= m);
    }
}

/// Divides columns into groups of 1, 4, or at most 8 columns. Every group has its first column and a width, which may reach
/// beyond the last column.
pub(super) fn groups(columns: usize, widest: usize) -> Vec<[usize; 2]> {
    let mut groups = Vec::new();
    let mut first = 0;
    while first < columns {
        let width = match columns - first {
            1 => 1,
            2..5 => 4,
            _ => widest,
        };
        groups.push([first, width]);
        first += width;
    }
    groups
}

/// Returns columns from the first on, by rows, with zeros beyond the last.
pub(super) fn load<const L: usize>(x: MatRef<'_, f64>, first: usize) -> Vec<[f64; L]> {
    let entry = |i: usize, j: usize| if j < x.ncols() { x[(i, j)] } else { 0.0 };
    let row = |i| std::array::from_fn(|lane| entry(i, first + lane));
    (0..x.nrows()).map(row).collect()
}
