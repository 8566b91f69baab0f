//! Assembly tree: supernodes in elimination order, with their parents.

use std::cmp::Reverse;
use std::ops::Range;

use faer::sparse::SymbolicSparseColMatRef;

use super::symbolic::Form;

type Pattern<'a> = SymbolicSparseColMatRef<'a, usize>;

/// Assembly tree, with supernodes in postorder: each subtree is contiguous and ends with its root.
pub(super) struct Tree {
    /// Unknowns in elimination order.
    pub(super) order: Vec<usize>,
    /// Number of columns of each supernode.
    pub(super) widths: Vec<usize>,
    /// Parent of each supernode, which receives its Schur complement.
    pub(super) parents: Vec<Option<usize>>,
}

impl Tree {
    /// Builds the tree of a symmetric pattern for an elimination order.
    ///
    /// [`Tree::order`] is a postorder of the elimination tree. It causes the same fill as `order`.
    pub(super) fn new(pattern: Pattern<'_>, order: &[usize], form: Form) -> Self {
        let columns = Columns::new(pattern, order);
        let mut groups = Groups::fundamental(&columns);
        groups.relax(&columns, form);
        groups.in_postorder(&columns, order)
    }
}

/// Elimination tree of the single columns: parent(i) = min{j > i : lⱼᵢ ≠ 0}.
struct Columns {
    parents: Vec<Option<usize>>,
    /// Number of entries in each column of the factor, diagonal included.
    counts: Vec<usize>,
}

impl Columns {
    /// Computes parents and counts from the row structure of L (Liu 1986).
    ///
    /// Row j of L has an entry in column i if and only if i lies on a path up the tree from some k < j with
    /// aⱼₖ ≠ 0 to j. The loop climbs these paths and stops at columns already visited for row j. It thus
    /// reaches every entry of L exactly once.
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
                    // lⱼᵢ ≠ 0 makes j a row below column i. The first such j is the parent, and all others
                    // are ancestors, because eliminating i couples its rows below with each other (Liu, SIAM
                    // J. Matrix Anal. Appl. 11, 1990). The marks stop a climb where an earlier one for the
                    // same row has passed, so that the total cost is O(nnz(L)).
                    i = *parents[i].get_or_insert(j);
                }
            }
        }
        Self { parents, counts }
    }
}

/// Partition of the columns into supernodes, as a union-find forest. The last column of a group represents it.
struct Groups {
    /// Link of each column towards the representative of its group. A representative links to itself.
    into: Vec<usize>,
    /// Number of columns of each group, valid at representatives.
    widths: Vec<usize>,
    /// Number of structural nonzeros in the factor columns of each group, valid at representatives.
    entries: Vec<usize>,
}

impl Groups {
    /// Forms the fundamental supernodes: chains of columns with equal rows below the diagonal block.
    ///
    /// An only child shares the rows of its parent if and only if the column of the child has exactly one entry more.
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
                // The rows below the child are the parent and a subset of the rows below the parent. One
                // entry more in the child means that the subset is the whole.
                && columns.counts[child] == columns.counts[parent] + 1
            {
                groups.join(child, parent);
            }
        }
        groups
    }

    /// Merges a child group into its parent.
    fn join(&mut self, child: usize, parent: usize) {
        self.into[child] = parent;
        self.widths[parent] += self.widths[child];
        self.entries[parent] += self.entries[child];
    }

    /// Returns the representative of a column's group, with path halving.
    fn find(&mut self, mut column: usize) -> usize {
        while self.into[column] != column {
            self.into[column] = self.into[self.into[column]];
            column = self.into[column];
        }
        column
    }

    /// Returns the parent group of each group: `None` for roots and for columns that represent no group.
    fn parents(&mut self, columns: &Columns) -> Vec<Option<usize>> {
        let parent = |j: usize| {
            let last = self.into[j] == j;
            let parent = columns.parents[j].filter(|_| last);
            parent.map(|p| self.find(p))
        };
        (0..columns.counts.len()).map(parent).collect()
    }

    /// Merges children into their parents, fewest explicit zeros first, if [`Form::relaxation`] allows the merge.
    fn relax(&mut self, columns: &Columns, form: Form) {
        // Merging saves assembly and makes blocks wider, at the cost of stored zeros. Parents are visited in
        // ascending order, so that a group has absorbed its children before it is itself considered for a
        // merge.
        let children = Children::new(&self.parents(columns));
        let mut by_zeros = Vec::new();
        for parent in 0..columns.counts.len() {
            let zeros = children.of(parent).iter();
            by_zeros.clear();
            by_zeros.extend(zeros.map(|&c| (self.zeros_with(c, parent, columns), c)));
            by_zeros.sort_unstable();
            for &(_, child) in &by_zeros {
                // Every merge widens the parent, which adds zeros to all later merges: merges with few zeros
                // come first. Earlier merges may have changed the count since the sort.
                let zeros = self.zeros_with(child, parent, columns);
                let width = self.widths[child] + self.widths[parent];
                let size = storage(width, columns.counts[parent] - 1);
                let allows = |&(limit, fraction): &(usize, f64)| {
                    width <= limit && zeros as f64 <= fraction * size as f64
                };
                if zeros == 0 || form.relaxation().iter().any(allows) {
                    self.join(child, parent);
                }
            }
        }
    }

    /// Returns the number of explicit zeros that the union of two groups would store.
    ///
    /// After a merge all columns share the rows below the parent, so that the union stores a dense trapezoid.
    fn zeros_with(&self, child: usize, parent: usize, columns: &Columns) -> usize {
        let width = self.widths[child] + self.widths[parent];
        let entries = self.entries[child] + self.entries[parent];
        storage(width, columns.counts[parent] - 1).saturating_sub(entries)
    }

    /// Numbers the groups in postorder, with the largest subtree first among siblings, and reorders the unknowns
    /// accordingly.
    fn in_postorder(mut self, columns: &Columns, order: &[usize]) -> Tree {
        let parents = self.parents(columns);
        let roots = (0..order.len()).filter(|&j| self.into[j] == j && parents[j].is_none());
        // The heaviest child comes first, so that its update is formed before others wait on the stack, and so that it is
        // next to its siblings' subtrees, see `Symbolic::cut_into_units`.
        let mut entries = self.entries.clone();
        for (j, parent) in parents.iter().enumerate() {
            if let Some(parent) = *parent {
                entries[parent] += entries[j];
            }
        }
        let mut children = Children::new(&parents);
        children.sort_by_key(|&group| Reverse(entries[group]));
        let sequence = postorder(roots, &children);
        // Index of each group in the sequence, and the next free position among its columns.
        let index = inverse_of(&sequence, order.len());
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
        let parent = |&group: &usize| parents[group].map(|p| index[p]);
        Tree {
            order: reordered,
            widths: sequence.iter().map(|&group| self.widths[group]).collect(),
            parents: sequence.iter().map(parent).collect(),
        }
    }
}

/// Returns the number of entries of a dense trapezoid: a lower triangle of `width` columns over `below` full rows.
fn storage(width: usize, below: usize) -> usize {
    width * (width + 1) / 2 + width * below
}

/// Children of every node, in ascending order, in compressed storage.
pub(super) struct Children {
    /// End of each node's children in `list`. The children start where those of the previous node end.
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
        // Counting sort: `ends[p]` is the slot of the next child of p. It moves from the first slot of p to
        // the end.
        for (child, parent) in parents.iter().enumerate() {
            if let Some(parent) = *parent {
                list[ends[parent]] = child;
                ends[parent] += 1;
            }
        }
        Self { ends, list }
    }

    pub(super) fn of(&self, node: usize) -> &[usize] {
        &self.list[self.range(node)]
    }

    fn range(&self, node: usize) -> Range<usize> {
        let start = if node == 0 { 0 } else { self.ends[node - 1] };
        start..self.ends[node]
    }

    /// Sorts the children of every node by a key, and keeps the order of children with equal keys.
    fn sort_by_key<K: Ord>(&mut self, key: impl Fn(&usize) -> K) {
        for node in 0..self.ends.len() - 1 {
            let range = self.range(node);
            self.list[range].sort_by_key(&key);
        }
    }
}

/// Lists the nodes in postorder. An explicit stack replaces recursion, whose depth could reach the number of nodes.
fn postorder(roots: impl Iterator<Item = usize>, children: &Children) -> Vec<usize> {
    let mut sequence = Vec::new();
    let mut stack: Vec<usize> = roots.collect();
    // A preorder that visits last children first is a postorder when reversed.
    while let Some(node) = stack.pop() {
        sequence.push(node);
        stack.extend(children.of(node));
    }
    sequence.reverse();
    sequence
}

/// Returns the inverse of a permutation: `inverse(order)[order[k]] == k`.
pub(super) fn inverse(order: &[usize]) -> Vec<usize> {
    inverse_of(order, order.len())
}

/// Returns the inverse of an injective sequence of integers below n, with 0 for integers that do not occur.
fn inverse_of(order: &[usize], n: usize) -> Vec<usize> {
    let mut inverse = vec![0; n];
    for (position, &unknown) in order.iter().enumerate() {
        inverse[unknown] = position;
    }
    inverse
}
