//! Pattern of a Jacobian, with the plan by which its values are computed.

use std::sync::Arc;

use faer::sparse::SymbolicSparseColMat;

use super::colouring::Incidence;

/// Pattern of a Jacobian and the plan of its evaluation.
pub(super) struct Sparsity {
    pub(super) structure: Arc<SymbolicSparseColMat<usize>>,
    /// Entries of every row, as columns.
    pub(super) rows: Vec<Vec<usize>>,
    /// Colour of every column.
    pub(super) colour: Vec<usize>,
    pub(super) colours: usize,
    /// Rows that are differentiated in reverse.
    pub(super) reverse: Vec<usize>,
    /// Whether a row is differentiated in reverse.
    pub(super) is_reverse: Vec<bool>,
}

/// A row with more entries than this, plus eight times those of the mean row, is differentiated in reverse.
const FULL_ROW: usize = 32;

/// Cost of a reverse row in evaluations with one derivative. A tape writes and reads 24 bytes an operation.
const REVERSE_COST: usize = 8;

impl Sparsity {
    /// Plans the evaluation of a Jacobian with `n` columns and these entries per row.
    pub(super) fn new(n: usize, rows: Vec<Vec<usize>>) -> Self {
        let mut columns = vec![Vec::new(); n];
        for (i, row) in rows.iter().enumerate() {
            row.iter().for_each(|&j| columns[j].push(i));
        }
        let is_reverse = reverse_rows(&rows);
        let incidence = Incidence {
            rows: &rows,
            columns: &columns,
            set_apart: &is_reverse,
        };
        let colouring = incidence.colour();
        let mut pointers = Vec::with_capacity(n + 1);
        pointers.push(0);
        let mut indices = Vec::with_capacity(rows.iter().map(Vec::len).sum());
        for column in &columns {
            indices.extend_from_slice(column);
            pointers.push(indices.len());
        }
        let structure = SymbolicSparseColMat::new_checked(rows.len(), n, pointers, None, indices);
        let reverse = is_reverse.iter().enumerate().filter(|(_, r)| **r);
        Self {
            structure: Arc::new(structure),
            reverse: reverse.map(|(i, _)| i).collect(),
            colour: colouring.colour,
            colours: colouring.colours,
            is_reverse,
            rows,
        }
    }

    /// Returns the pattern with all entries of both.
    pub(super) fn union(&self, rows: &[Vec<usize>]) -> Self {
        let both = self.rows.iter().zip(rows).map(|(a, b)| {
            let mut row = [a.as_slice(), b.as_slice()].concat();
            row.sort_unstable();
            row.dedup();
            row
        });
        Self::new(self.colour.len(), both.collect())
    }

    /// Whether the pattern has all entries of these rows.
    pub(super) fn contains(&self, rows: &[Vec<usize>]) -> bool {
        let mut pairs = self.rows.iter().zip(rows);
        pairs.all(|(own, row)| row.iter().all(|j| own.binary_search(j).is_ok()))
    }

    /// Number of entries.
    pub(super) fn len(&self) -> usize {
        self.structure.row_idx().len()
    }

    /// Whether every entry of the matrix is in the pattern.
    pub(super) fn is_full(&self) -> bool {
        self.len() == self.rows.len() * self.colour.len()
    }

    /// Whether the matrix is full, no row is differentiated in reverse, and the columns have the colours 0, 1, ….
    pub(super) fn is_plain(&self) -> bool {
        let mut colours = self.colour.iter().enumerate();
        self.is_full() && self.reverse.is_empty() && colours.all(|(j, colour)| *colour == j)
    }

    /// Whether the matrix is square and all entries are on the diagonal.
    pub(super) fn is_diagonal(&self) -> bool {
        let mut rows = self.rows.iter().enumerate();
        self.rows.len() == self.colour.len() && rows.all(|(i, row)| row.iter().all(|j| *j == i))
    }
}

/// Returns the rows that reverse differentiation handles with less work.
fn reverse_rows(rows: &[Vec<usize>]) -> Vec<bool> {
    let count = rows.len().max(1);
    let mean = rows.iter().map(Vec::len).sum::<usize>() / count;
    let widest = rows.iter().map(Vec::len).max().unwrap_or(0);
    // Few rows of many entries, as of a few averages of a field: one reverse pass a row against one colour an entry.
    if REVERSE_COST * rows.len() < widest {
        return vec![true; rows.len()];
    }
    // A full row has a colour for each of its columns, which all other rows pay for.
    let limit = FULL_ROW + 8 * mean;
    rows.iter().map(|row| row.len() > limit).collect()
}
