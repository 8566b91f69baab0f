//! Finds the symbolic factorisation of a pattern.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::sparse::SymbolicSparseColMatRef;
use faer::sparse::linalg::amd;

use super::symbolic::{Entry, Form, Node, Symbolic};
use super::tree::{Children, Tree, inverse};
use crate::error::{Error, Result};

type Pattern<'a> = SymbolicSparseColMatRef<'a, usize>;

impl Symbolic {
    /// Analyses a pattern, to be eliminated in this order, or by minimum degree where there is none; None if the pattern
    /// is not symmetric.
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
            rows: Vec::new(),
            relative: Vec::new(),
            entries: Vec::new(),
            tasks: Vec::new(),
            len: 0,
            order: tree.order,
        };
        let position = inverse(&symbolic.order);
        symbolic.find_rows(pattern, &position, (&tree.widths, &tree.parents));
        symbolic.find_relatives();
        symbolic.place_entries(pattern, &position);
        symbolic.cut_into_tasks();
        Ok(Some(symbolic))
    }

    /// The rows below a node: those of its columns in the matrix, and those of its children.
    fn find_rows(
        &mut self,
        pattern: Pattern<'_>,
        position: &[usize],
        (widths, parents): (&[usize], &[Option<usize>]),
    ) {
        let mut seen = vec![usize::MAX; position.len()];
        let (mut start, family) = (0, Children::new(parents));
        for s in 0..widths.len() {
            let children = family.of(s);
            let (end, first) = (start + widths[s], self.rows.len());
            let mut add = |row: usize, rows: &mut Vec<usize>| {
                if row >= end && seen[row] != s {
                    seen[row] = s;
                    rows.push(row);
                }
            };
            for &unknown in &self.order[start..end] {
                for row in pattern.row_idx_of_col(unknown) {
                    add(position[row], &mut self.rows);
                }
            }
            for &child in children {
                let child = &self.nodes[child];
                for i in child.rows..child.rows + child.below {
                    add(self.rows[i], &mut self.rows);
                }
            }
            self.rows[first..].sort_unstable();
            let kin = self.children.len();
            self.children.extend(children);
            let below = self.rows.len() - first;
            let node = Node {
                start,
                width: widths[s],
                below,
                offset: self.len,
                len: self.form.len(widths[s], below),
                parent: parents[s],
                level: 0,
                rows: first,
                children: kin..self.children.len(),
                entries: 0..0,
            };
            self.len += node.len;
            self.nodes.push(node);
            start = end;
        }
    }

    /// Where a row stands in the front of a node.
    fn local(&self, node: &Node, row: usize) -> usize {
        if row < node.start + node.width {
            return row - node.start;
        }
        node.width + self.rows(node).partition_point(|&r| r < row)
    }

    fn find_relatives(&mut self) {
        let mut relative = vec![0; self.rows.len()];
        for node in &self.nodes {
            let Some(parent) = node.parent else { continue };
            let parent = &self.nodes[parent];
            let places = relative[node.rows..][..node.below].iter_mut();
            for (place, &row) in places.zip(self.rows(node)) {
                *place = self.local(parent, row);
            }
        }
        self.relative = relative;
    }

    /// An entry goes to the front in which its row or its column is eliminated, whichever comes first.
    fn place_entries(&mut self, pattern: Pattern<'_>, position: &[usize]) {
        let mut owner = vec![0; position.len()];
        for (s, node) in self.nodes.iter().enumerate() {
            owner[node.start..node.start + node.width].fill(s);
        }
        // One triangle is enough where the other mirrors it.
        let both = self.form == Form::General;
        let places = |column: usize| {
            let sources = pattern.col_range(column);
            let j = position[column];
            let places = sources.map(move |k| (k, position[pattern.row_idx()[k]], j));
            places.filter(move |&(_, i, j)| both || i >= j)
        };
        let mut next = vec![0; self.nodes.len() + 1];
        for (_, i, j) in (0..pattern.ncols()).flat_map(places) {
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
        for (source, i, j) in (0..pattern.ncols()).flat_map(places) {
            let s = owner[i.min(j)];
            let [row, column] = [i, j].map(|i| self.local(&self.nodes[s], i) as u32);
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

/// Whether every entry has one opposite it.
fn is_symmetric(pattern: Pattern<'_>) -> bool {
    let n = pattern.ncols();
    if pattern.nrows() != n {
        return false;
    }
    // The rows of every column of the transpose, in order; `next` is where one more goes.
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

fn minimum_degree(pattern: Pattern<'_>) -> Result<Vec<usize>> {
    let n = pattern.ncols();
    let no_memory = || Error::OutOfMemory {
        what: "order of elimination",
        size: n,
        needed: None,
        limit: None,
    };
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
