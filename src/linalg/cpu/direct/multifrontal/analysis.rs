//! Construction of the symbolic factorisation from a sparsity pattern.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::sparse::SymbolicSparseColMatRef;
use faer::sparse::linalg::amd;

use super::symbolic::{Entry, Form, Node, Symbolic};
use super::tree::{Children, Tree, inverse};
use crate::error::Result;
use crate::linalg::cpu::direct::pivoted_lu::out_of_memory;

type Pattern<'a> = SymbolicSparseColMatRef<'a, usize>;

impl Symbolic {
    /// Analyses a pattern for elimination in the given order, or by minimum degree if `order` is `None`.
    ///
    /// Returns `None` if the pattern is not symmetric.
    pub(crate) fn new(
        pattern: Pattern<'_>,
        order: Option<&[usize]>,
        form: Form,
    ) -> Result<Option<Self>> {
        if !is_symmetric(pattern) {
            return Ok(None);
        }
        let tree = match order {
            Some(order) => Tree::new(pattern, order, form),
            None => Tree::new(pattern, &minimum_degree(pattern)?, form),
        };
        let mut symbolic = Self {
            form,
            nodes: Vec::with_capacity(tree.widths.len()),
            children: Vec::with_capacity(tree.widths.len()),
            relative: Vec::new(),
            places: Vec::new(),
            segments: Vec::new(),
            entries: Vec::new(),
            units: Vec::new(),
            roots: Vec::new(),
            len: 0,
            order: tree.order,
        };
        let position = inverse(&symbolic.order);
        let rows = symbolic.find_rows(pattern, &position, (&tree.widths, &tree.parents));
        symbolic.find_relative_rows(&rows);
        symbolic.assign_entries(pattern, &position, &rows);
        symbolic.cut_into_units();
        symbolic.place_rows(&rows);
        Ok(Some(symbolic))
    }

    /// Creates the nodes. Returns the rows below the diagonal blocks of all nodes, in elimination order.
    ///
    /// The rows of the front of node s are the rows of its columns in the matrix and the rows of the fronts
    /// of its children (the union theorem of sparse Cholesky). Rows that s or a descendant eliminates are not
    /// listed.
    fn find_rows(
        &mut self,
        pattern: Pattern<'_>,
        position: &[usize],
        (widths, parents): (&[usize], &[Option<usize>]),
    ) -> Vec<usize> {
        // `seen[row] == s` marks the rows already listed for node s, without a reset between nodes. Each
        // child is merged once, into its only parent, so that the merges cost the sum of all front sizes,
        // plus sorting.
        let mut seen = vec![usize::MAX; position.len()];
        let (mut start, mut all, tree) = (0, Vec::new(), Children::new(parents));
        for s in 0..widths.len() {
            let children = tree.of(s);
            let (end, first) = (start + widths[s], all.len());
            let mut add = |row: usize, rows: &mut Vec<usize>| {
                if row >= end && seen[row] != s {
                    seen[row] = s;
                    rows.push(row);
                }
            };
            for &unknown in &self.order[start..end] {
                for row in pattern.row_idx_of_col(unknown) {
                    add(position[row], &mut all);
                }
            }
            for &child in children {
                let child = &self.nodes[child];
                for i in child.rows..child.rows + child.below {
                    add(all[i], &mut all);
                }
            }
            all[first..].sort_unstable();
            let first_child = self.children.len();
            self.children.extend(children);
            let below = all.len() - first;
            let node = Node {
                start,
                width: widths[s],
                below,
                offset: self.len,
                len: self.form.len(widths[s], below),
                parent: parents[s],
                rows: first,
                children: first_child..self.children.len(),
                entries: 0..0,
            };
            self.len += node.len;
            self.nodes.push(node);
            start = end;
        }
        all
    }

    /// Returns the index of a row within the front of a node.
    fn local(node: &Node, rows: &[usize], row: usize) -> usize {
        if row < node.start + node.width {
            return row - node.start;
        }
        // Every row of a child or a matrix entry belongs to the front, so that the search finds the row
        // itself.
        let rows = &rows[node.rows..][..node.below];
        node.width + rows.partition_point(|&r| r < row)
    }

    /// Maps the rows below each node to row indices within the front of its parent.
    fn find_relative_rows(&mut self, rows: &[usize]) {
        let mut relative = vec![0; rows.len()];
        for node in &self.nodes {
            let Some(parent) = node.parent else { continue };
            let parent = &self.nodes[parent];
            let targets = relative[node.rows..][..node.below].iter_mut();
            for (target, &row) in targets.zip(&rows[node.rows..]) {
                *target = Self::local(parent, rows, row);
            }
        }
        self.relative = relative;
    }

    /// Assigns every matrix entry to the front that eliminates its row or its column, whichever is eliminated
    /// first.
    ///
    /// A counting sort by front: count the entries of each front, form the offsets, distribute.
    fn assign_entries(&mut self, pattern: Pattern<'_>, position: &[usize], rows: &[usize]) {
        let mut owner = vec![0; position.len()];
        for (s, node) in self.nodes.iter().enumerate() {
            owner[node.start..node.start + node.width].fill(s);
        }
        // A symmetric factorisation reads the lower triangle only.
        let both = self.form == Form::General;
        let positions = |column: usize| {
            let sources = pattern.col_range(column);
            let j = position[column];
            let positions = sources.map(move |k| (k, position[pattern.row_idx()[k]], j));
            positions.filter(move |&(_, i, j)| both || i >= j)
        };
        let mut next = vec![0; self.nodes.len() + 1];
        for (_, i, j) in (0..pattern.ncols()).flat_map(positions) {
            next[owner[i.min(j)] + 1] += 1;
        }
        for (s, node) in self.nodes.iter_mut().enumerate() {
            next[s + 1] += next[s];
            node.entries = next[s]..next[s + 1];
        }
        let none = Entry {
            source: 0,
            row: 0,
            column: 0,
        };
        let mut entries = vec![none; next[self.nodes.len()]];
        for (source, i, j) in (0..pattern.ncols()).flat_map(positions) {
            let s = owner[i.min(j)];
            let [row, column] = [i, j].map(|i| Self::local(&self.nodes[s], rows, i) as u32);
            entries[next[s]] = Entry {
                source,
                row,
                column,
            };
            next[s] += 1;
        }
        self.entries = entries;
    }
}

/// Returns whether (j, i) is an entry of the pattern for every entry (i, j).
fn is_symmetric(pattern: Pattern<'_>) -> bool {
    let n = pattern.ncols();
    if pattern.nrows() != n {
        return false;
    }
    // Row indices of the transpose, column by column and sorted. `next[j]` is the slot of the next entry of column j.
    let columns = || (0..n).flat_map(|j| pattern.row_idx_of_col(j).map(move |i| (i, j)));
    let mut next = vec![0; n + 1];
    columns().for_each(|(i, _)| next[i + 1] += 1);
    (0..n).for_each(|i| next[i + 1] += next[i]);
    let mut transposed = vec![0; next[n]];
    for (i, j) in columns() {
        transposed[next[i]] = j;
        next[i] += 1;
    }
    let (mut start, mut rows) = (0, Vec::new());
    (0..n).all(|j| {
        rows.clear();
        rows.extend(pattern.row_idx_of_col(j));
        rows.sort_unstable();
        let range = start..next[j];
        start = next[j];
        rows == transposed[range]
    })
}

/// Returns the elimination order by approximate minimum degree (AMD).
fn minimum_degree(pattern: Pattern<'_>) -> Result<Vec<usize>> {
    let n = pattern.ncols();
    let no_memory = || out_of_memory("order of elimination", n);
    let scratch = amd::order_maybe_unsorted_scratch::<usize>(n, pattern.compute_nnz());
    let mut memory = MemBuffer::try_new(scratch).map_err(|_| no_memory())?;
    let (mut order, mut inverse) = (vec![0; n], vec![0; n]);
    amd::order_maybe_unsorted(
        &mut order,
        &mut inverse,
        pattern,
        Default::default(),
        MemStack::new(&mut memory),
    )
    .map_err(|_| no_memory())?;
    Ok(order)
}
