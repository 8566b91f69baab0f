//! The assembly tree: which unknowns are eliminated together, and whose elimination waits for whose.

use faer::sparse::SymbolicSparseColMatRef;

use super::symbolic::Form;

type Pattern<'a> = SymbolicSparseColMatRef<'a, usize>;

/// Supernodes in postorder: all below a node come before it, one subtree after another.
pub(super) struct Tree {
    /// The unknowns in the order of their elimination.
    pub(super) order: Vec<usize>,
    /// How many of them belong to each supernode.
    pub(super) widths: Vec<usize>,
    /// The supernode that waits for each.
    pub(super) parents: Vec<Option<usize>>,
}

impl Tree {
    /// The tree of a symmetric pattern whose unknowns are eliminated in this order, but for what changes no fill.
    pub(super) fn new(pattern: Pattern<'_>, order: &[usize], form: Form) -> Self {
        let columns = Columns::new(pattern, order);
        let mut groups = Groups::fundamental(&columns);
        groups.relax(&columns, form);
        groups.in_postorder(&columns, order)
    }
}

/// The elimination tree of single columns.
struct Columns {
    parents: Vec<Option<usize>>,
    /// Entries of each column of the factor, diagonal included.
    counts: Vec<usize>,
}

impl Columns {
    /// Every entry of row j is reached once, by climbing from the entries of the matrix.
    fn new(pattern: Pattern<'_>, order: &[usize]) -> Self {
        let n = order.len();
        let position = inverse(order);
        let (mut parents, mut counts) = (vec![None; n], vec![1; n]);
        let mut visited: Vec<usize> = (0..n).collect();
        for (j, &unknown) in order.iter().enumerate() {
            visited[j] = j;
            for row in pattern.row_idx_of_col(unknown) {
                let mut i = position[row];
                while i < j && visited[i] != j {
                    visited[i] = j;
                    counts[i] += 1;
                    i = *parents[i].get_or_insert(j);
                }
            }
        }
        Self { parents, counts }
    }
}

/// Columns that are eliminated together; a group goes by the name of its last column.
struct Groups {
    /// The group that each column has gone into, or itself.
    into: Vec<usize>,
    widths: Vec<usize>,
    /// Entries of the factor that are no zeros.
    entries: Vec<usize>,
}

impl Groups {
    /// Chains of columns that have the same rows.
    fn fundamental(columns: &Columns) -> Self {
        let n = columns.counts.len();
        let mut groups = Self {
            into: (0..n).collect(),
            widths: vec![1; n],
            entries: columns.counts.clone(),
        };
        let children = Children::new(&columns.parents);
        for parent in 0..n {
            if let [child] = *children.of(parent)
                && columns.counts[child] == columns.counts[parent] + 1
            {
                groups.join(child, parent);
            }
        }
        groups
    }

    fn join(&mut self, child: usize, parent: usize) {
        self.into[child] = parent;
        self.widths[parent] += self.widths[child];
        self.entries[parent] += self.entries[child];
    }

    /// The group that a column is in.
    fn find(&mut self, mut column: usize) -> usize {
        while self.into[column] != column {
            self.into[column] = self.into[self.into[column]];
            column = self.into[column];
        }
        column
    }

    /// The group that waits for each group; None for columns that are not the last of one.
    fn parents(&mut self, columns: &Columns) -> Vec<Option<usize>> {
        let parent = |j: usize| {
            let last = self.into[j] == j;
            let parent = columns.parents[j].filter(|_| last);
            parent.map(|p| self.find(p))
        };
        (0..columns.counts.len()).map(parent).collect()
    }

    /// Joins groups with those that wait for them, smallest first, where that costs few zeros.
    fn relax(&mut self, columns: &Columns, form: Form) {
        let children = Children::new(&self.parents(columns));
        let mut by_zeros = Vec::new();
        for parent in 0..columns.counts.len() {
            let zeros = children.of(parent).iter();
            by_zeros.clear();
            by_zeros.extend(zeros.map(|&c| (self.zeros_with(c, parent, columns), c)));
            by_zeros.sort_unstable();
            for &(_, child) in &by_zeros {
                let zeros = self.zeros_with(child, parent, columns);
                let width = self.widths[child] + self.widths[parent];
                let size = storage(width, columns.counts[parent] - 1);
                let few = |&(most, share): &(usize, f64)| {
                    width <= most && zeros as f64 <= share * size as f64
                };
                if zeros == 0 || form.relaxation().iter().any(few) {
                    self.join(child, parent);
                }
            }
        }
    }

    /// Zeros in the columns of both groups together.
    fn zeros_with(&self, child: usize, parent: usize, columns: &Columns) -> usize {
        let width = self.widths[child] + self.widths[parent];
        let entries = self.entries[child] + self.entries[parent];
        storage(width, columns.counts[parent] - 1).saturating_sub(entries)
    }

    fn in_postorder(mut self, columns: &Columns, order: &[usize]) -> Tree {
        let parents = self.parents(columns);
        let roots = (0..order.len()).filter(|&j| self.into[j] == j && parents[j].is_none());
        let sequence = postorder(roots, &Children::new(&parents));
        // Where each group stands in the sequence, and where its next column goes.
        let place = inverse_of(&sequence, order.len());
        let (mut next, mut end) = (vec![0; order.len()], 0);
        for &group in &sequence {
            next[group] = end;
            end += self.widths[group];
        }
        let mut reordered = vec![0; order.len()];
        for (column, &unknown) in order.iter().enumerate() {
            let group = self.find(column);
            reordered[next[group]] = unknown;
            next[group] += 1;
        }
        let parent = |&group: &usize| parents[group].map(|p| place[p]);
        Tree {
            order: reordered,
            widths: sequence.iter().map(|&group| self.widths[group]).collect(),
            parents: sequence.iter().map(parent).collect(),
        }
    }
}

/// Entries of `width` dense columns of a triangle with `below` rows below it.
fn storage(width: usize, below: usize) -> usize {
    width * (width + 1) / 2 + width * below
}

/// The children of every node, in order.
pub(super) struct Children {
    ends: Vec<usize>,
    list: Vec<usize>,
}

impl Children {
    pub(super) fn new(parents: &[Option<usize>]) -> Self {
        let mut ends = vec![0; parents.len() + 1];
        for parent in parents.iter().flatten() {
            ends[parent + 1] += 1;
        }
        for i in 1..ends.len() {
            ends[i] += ends[i - 1];
        }
        let mut list = vec![0; ends[parents.len()]];
        // Where the next child of each goes: in the end, where those of the node end.
        for (child, parent) in parents.iter().enumerate() {
            if let Some(parent) = *parent {
                list[ends[parent]] = child;
                ends[parent] += 1;
            }
        }
        Self { ends, list }
    }

    pub(super) fn of(&self, node: usize) -> &[usize] {
        let start = if node == 0 { 0 } else { self.ends[node - 1] };
        &self.list[start..self.ends[node]]
    }
}

/// Children before parents, without recursion: a chain is as deep as it is long.
fn postorder(roots: impl Iterator<Item = usize>, children: &Children) -> Vec<usize> {
    let mut sequence = Vec::new();
    let mut waiting: Vec<usize> = roots.collect();
    // Parents before children, last ones first, read backwards.
    while let Some(node) = waiting.pop() {
        sequence.push(node);
        waiting.extend(children.of(node));
    }
    sequence.reverse();
    sequence
}

/// Where each unknown stands in an order of all.
pub(super) fn inverse(order: &[usize]) -> Vec<usize> {
    inverse_of(order, order.len())
}

fn inverse_of(order: &[usize], n: usize) -> Vec<usize> {
    let mut inverse = vec![0; n];
    for (position, &unknown) in order.iter().enumerate() {
        inverse[unknown] = position;
    }
    inverse
}
