//! Patterns of square matrices: bandwidths, and orders that make them small.

use std::collections::VecDeque;

use faer::sparse::SymbolicSparseColMat;

use super::banded::Band;

/// Entries of a matrix, column by column.
pub(super) type Columns = SymbolicSparseColMat<usize>;

/// Returns the entries of the first n columns, as rows and columns.
pub(super) fn entries(columns: &Columns, n: usize) -> impl Iterator<Item = (usize, usize)> {
    let rows = move |j: usize| columns.row_idx()[columns.col_range(j)].iter();
    (0..n).flat_map(move |j| rows(j).map(move |&i| (i, j)))
}

/// Returns the band of the first n columns, where row and column i are moved to `place[i]`.
pub(super) fn band(columns: &Columns, place: impl Fn(usize) -> usize) -> Band {
    let mut band = Band { lower: 0, upper: 0 };
    for (i, j) in entries(columns, columns.nrows()) {
        let (i, j) = (place(i), place(j));
        band.lower = band.lower.max(i.saturating_sub(j));
        band.upper = band.upper.max(j.saturating_sub(i));
    }
    band
}

/// Returns the place of every row and column in reverse Cuthill-McKee order, with the first n columns as the matrix.
pub(super) fn reverse_cuthill_mckee(columns: &Columns) -> Vec<usize> {
    let n = columns.nrows();
    let mut neighbours = vec![Vec::new(); n];
    for (i, j) in entries(columns, n).filter(|(i, j)| i != j) {
        neighbours[i].push(j);
        neighbours[j].push(i);
    }
    let degrees: Vec<usize> = neighbours.iter().map(Vec::len).collect();
    for list in &mut neighbours {
        list.sort_unstable_by_key(|&j| (degrees[j], j));
        list.dedup();
    }
    let mut starts: Vec<usize> = (0..n).collect();
    starts.sort_by_key(|&i| degrees[i]);
    let (mut seen, mut order) = (vec![0; n], Vec::with_capacity(n));
    for start in starts {
        if seen[start] == 0 {
            // The last index that a search reaches is far from most others, and a better start.
            let reached = search(&neighbours, start, (&mut seen, 1));
            let far = reached.last().copied().unwrap_or(start);
            order.append(&mut search(&neighbours, far, (&mut seen, 2)));
        }
    }
    let mut places = vec![0; n];
    for (place, &i) in order.iter().rev().enumerate() {
        places[i] = place;
    }
    places
}

/// Returns all indices that are connected with `start`, nearest first, and marks them.
fn search(neighbours: &[Vec<usize>], start: usize, (seen, mark): (&mut [u8], u8)) -> Vec<usize> {
    let (mut found, mut open) = (Vec::new(), VecDeque::from([start]));
    seen[start] = mark;
    while let Some(i) = open.pop_front() {
        found.push(i);
        for &j in &neighbours[i] {
            if seen[j] != mark {
                seen[j] = mark;
                open.push_back(j);
            }
        }
    }
    found
}
