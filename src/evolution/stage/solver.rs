//! Choice of the solver for D − aJ by the entries of J.

use std::sync::Arc;

use faer::sparse::SymbolicSparseColMat;

use super::banded::Band;
use super::pattern::{Columns, band, entries, reverse_cuthill_mckee};
use crate::linalg::LuPlan;

/// Largest number of diagonals beside the main one for which a banded factorisation is taken.
///
/// With more of them, the fill of a sparse factorisation is smaller: a square grid of N cells has about 2√N.
const DIAGONALS: usize = 64;

/// Largest number of components for which a dense factorisation is taken unless the band is narrow.
const FEW: usize = 64;

/// Solver, and where it stores the entries of D − aJ.
pub(super) enum Solver {
    /// With the places of the entries of J, unless all are stored.
    Dense(Option<Targets>),
    Banded(Banded),
    Sparse(Sparse),
}

/// Banded solver.
pub(super) struct Banded {
    pub(super) band: Band,
    /// Place of every row and column, unless they keep theirs.
    pub(super) order: Option<Vec<usize>>,
    pub(super) targets: Targets,
}

/// Sparse solver.
pub(super) struct Sparse {
    pub(super) plan: Arc<LuPlan>,
    /// Number of stored entries.
    pub(super) len: usize,
    pub(super) targets: Targets,
}

/// Places of the entries of J and of the diagonal in the storage of a solver.
pub(super) struct Targets {
    /// Place and row of every entry.
    entries: Vec<[usize; 2]>,
    diagonal: Vec<usize>,
}

/// Returns the factor of a row of J in a system: a, or 1 for an algebraic row.
///
/// Where a is tiny, an algebraic row would otherwise be lost beside the others.
#[inline]
pub(super) fn scale(moves: f64, a: f64) -> f64 {
    if moves == 0.0 { 1.0 } else { a }
}

impl Targets {
    fn new(state: &Columns, place: impl Fn(usize, usize) -> usize) -> Self {
        let n = state.nrows();
        Self {
            entries: entries(state, n).map(|(i, j)| [place(i, j), i]).collect(),
            diagonal: (0..n).map(|i| place(i, i)).collect(),
        }
    }

    /// Adds D − aJ to a storage, with algebraic rows divided by a.
    pub(super) fn add(&self, moves: &[f64], (a, values): (f64, &[f64]), storage: &mut [f64]) {
        for (&target, d) in self.diagonal.iter().zip(moves) {
            storage[target] += d;
        }
        for (&[target, row], value) in self.entries.iter().zip(values) {
            storage[target] -= scale(moves[row], a) * value;
        }
    }
}

impl Solver {
    /// Chooses the solver for the entries of J, or for all entries.
    pub(super) fn choose(state: Option<&Columns>) -> Self {
        let Some(state) = state else {
            return Self::Dense(None);
        };
        let natural = band(state, |i| i);
        if let Some(banded) = Banded::new(state, natural, None) {
            return Self::Banded(banded);
        }
        let order = reverse_cuthill_mckee(state);
        let reordered = band(state, |i| order[i]);
        if let Some(banded) = Banded::new(state, reordered, Some(order)) {
            return Self::Banded(banded);
        }
        let n = state.nrows();
        if n <= FEW || 3 * state.row_idx().len() > n * n {
            return Self::Dense(Some(Targets::new(state, |i, j| i * n + j)));
        }
        Self::Sparse(Sparse::new(state))
    }
}

impl Banded {
    /// Returns the banded solver, if the band is narrow.
    fn new(state: &Columns, band: Band, order: Option<Vec<usize>>) -> Option<Self> {
        if band.lower + band.upper > DIAGONALS.min(state.nrows() / 3) {
            return None;
        }
        let at = |i: usize| order.as_ref().map_or(i, |order| order[i]);
        let targets = Targets::new(state, |i, j| band.place(at(i), at(j)));
        Some(Self {
            band,
            order,
            targets,
        })
    }
}

impl Sparse {
    fn new(state: &Columns) -> Self {
        let n = state.nrows();
        let mut pointers = vec![0];
        let mut rows = Vec::with_capacity(state.row_idx().len() + n);
        for j in 0..n {
            let start = rows.len();
            rows.extend_from_slice(&state.row_idx()[state.col_range(j)]);
            if let Err(place) = rows[start..].binary_search(&j) {
                rows.insert(start + place, j);
            }
            pointers.push(rows.len());
        }
        let place = |i: usize, j: usize| {
            let column = pointers[j]..pointers[j + 1];
            pointers[j] + rows[column].partition_point(|row| *row < i)
        };
        let (targets, len) = (Targets::new(state, place), rows.len());
        let pattern = SymbolicSparseColMat::new_checked(n, n, pointers, None, rows);
        let plan = Arc::new(LuPlan::new(pattern));
        Self { plan, len, targets }
    }
}
