//! Symbolic factorisation: the part of a factorisation that depends on the sparsity pattern only.

use std::ops::Range;

/// Largest fraction of the total work for a subtree that forms a parallel task.
///
/// The tasks depend only on the pattern, so that results do not depend on the number of threads.
const TASK: f64 = 1.0 / 24.0;

/// Form of the factorisation of a matrix with symmetric pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Factorisation L U without pivoting.
    General,
    /// Factorisation L Lᵀ of a symmetric positive definite matrix.
    Symmetric,
}

impl Form {
    /// Returns the name of the factorisation in error messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::General => "multifrontal LU",
            Self::Symmetric => "sparse Cholesky",
        }
    }

    /// Returns the criteria (columns, zeros) for the amalgamation of supernodes.
    ///
    /// Two supernodes are merged if they have at most `columns` columns together, and at most a fraction
    /// `zeros` of the entries of the merged supernode are explicit zeros. The zeros cost less than products
    /// of small blocks. The symmetric limits are lower, because special kernels for narrow fronts make small
    /// blocks cheaper.
    pub(super) fn relaxation(self) -> [(usize, f64); 4] {
        match self {
            Self::General => [(8, 0.9), (24, 0.4), (64, 0.2), (usize::MAX, 0.05)],
            Self::Symmetric => [(4, 0.5), (16, 0.2), (48, 0.1), (usize::MAX, 0.05)],
        }
    }

    /// Returns the number of factor entries of a front: the width² square, L₂₁ and, for LU, U₁₂.
    pub(super) fn len(self, width: usize, below: usize) -> usize {
        match self {
            Self::General => width * (width + 2 * below),
            Self::Symmetric => width * (width + below),
        }
    }
}

/// Symbolic factorisation: supernodes in postorder, and their index maps.
pub(crate) struct Symbolic {
    pub(super) form: Form,
    /// Unknowns in elimination order.
    pub(super) order: Vec<usize>,
    pub(super) nodes: Vec<Node>,
    /// Children of all nodes, see [`Node::children`].
    pub(super) children: Vec<usize>,
    /// Rows below each node, as positions in elimination order, see [`Node::rows`].
    pub(super) rows: Vec<usize>,
    /// Index of each entry of `rows` within the front of the node's parent.
    pub(super) relative: Vec<usize>,
    /// Matrix entries by front, see [`Node::entries`].
    pub(super) entries: Vec<Entry>,
    /// Subtrees that are eliminated in parallel, as ranges of nodes.
    pub(super) tasks: Vec<Range<usize>>,
    /// Number of stored entries of the factor.
    pub(super) len: usize,
}

/// Supernode: columns that are eliminated together, in a front of `width + below` rows.
pub(super) struct Node {
    /// First column of the node, in elimination order.
    pub(super) start: usize,
    pub(super) width: usize,
    /// Number of rows below the diagonal block of the node.
    pub(super) below: usize,
    /// Offset of the node's panels in the factor.
    ///
    /// The first panel has `width + below` rows: U₁₁ and L₁₁ share the square on top, L₂₁ follows. An LU has a second
    /// panel U₁₂ᵀ of `below` rows. Both panels are column-major.
    pub(super) offset: usize,
    /// Number of entries of the node's panels.
    pub(super) len: usize,
    pub(super) parent: Option<usize>,
    /// Level of the node: 0 within a task, otherwise 1 + the highest level of its children.
    pub(super) level: usize,
    /// Offset of the node's rows in [`Symbolic::rows`].
    pub(super) rows: usize,
    /// Range of the node's children in [`Symbolic::children`].
    pub(super) children: Range<usize>,
    /// Range of the node's entries in [`Symbolic::entries`].
    pub(super) entries: Range<usize>,
}

impl Node {
    /// Returns the number of rows of the node's front.
    pub(super) fn size(&self) -> usize {
        self.width + self.below
    }

    /// Returns the number of values that the node hands to its parent: the Schur complement, and one row sum per row
    /// below.
    ///
    /// The row sums are used only if the pivots are computed from them.
    pub(super) fn update(&self) -> usize {
        self.below * (self.below + 1)
    }

    /// Returns the approximate cost of eliminating the node, in multiplications.
    fn work(&self) -> f64 {
        // w³/3 for the triangles, w²r for the panels, w r² for the Schur complement, r² to add it to the parent, and a
        // fixed cost per front.
        let (w, r) = (self.width as f64, self.below as f64);
        w * (w * w / 3.0 + w * r + r * r) + r * r + 1000.0
    }
}

/// Matrix entry, with its position in a front.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    /// Index of the entry in the values of the matrix.
    pub(super) source: usize,
    /// Row of the entry within the front.
    pub(super) row: u32,
    /// Column of the entry within the front.
    pub(super) column: u32,
}

/// Multiplications per factor entry below which a simplicial factorisation is faster.
const WORK_PER_ENTRY: f64 = 8.0;

impl Symbolic {
    /// Returns whether the fronts are large enough for the multifrontal method. For chains, a method that
    /// proceeds column by column is faster.
    pub(crate) fn pays(&self) -> bool {
        // A front of w columns and s rows takes about w s² multiplications for w s entries of a Cholesky factor. The
        // quotient of the sums is the mean height s of the fronts, weighted by their entries.
        let work = |node: &Node| (node.width * node.size() * node.size()) as f64;
        self.nodes.iter().map(work).sum::<f64>() > WORK_PER_ENTRY * self.len as f64
    }

    /// Returns the rows below a node, in elimination order.
    pub(super) fn rows(&self, node: &Node) -> &[usize] {
        &self.rows[node.rows..][..node.below]
    }

    /// Returns the indices, within the front of the parent, of the rows below a node.
    pub(super) fn relative(&self, node: &Node) -> &[usize] {
        &self.relative[node.rows..][..node.below]
    }

    pub(super) fn entries(&self, node: &Node) -> &[Entry] {
        &self.entries[node.entries.clone()]
    }

    pub(super) fn children(&self, node: &Node) -> &[usize] {
        &self.children[node.children.clone()]
    }

    /// Returns the largest number of rows below any node.
    pub(super) fn tallest(&self) -> usize {
        self.nodes.iter().map(|node| node.below).max().unwrap_or(0)
    }

    /// Returns the largest number of rows of any front.
    pub(super) fn largest(&self) -> usize {
        self.nodes.iter().map(Node::size).max().unwrap_or(0)
    }

    /// Cuts the tree into tasks: the maximal subtrees with at most a fraction [`TASK`] of the work.
    pub(super) fn cut_into_tasks(&mut self) {
        // Nodes are in postorder, that is, children precede their parent. One pass therefore accumulates the
        // work of all subtrees, and a subtree is the range from its first leaf to its root.
        let mut work: Vec<f64> = self.nodes.iter().map(Node::work).collect();
        let mut first: Vec<usize> = (0..self.nodes.len()).collect();
        for (s, node) in self.nodes.iter().enumerate() {
            if let Some(parent) = node.parent {
                work[parent] += work[s];
                first[parent] = first[parent].min(first[s]);
            }
        }
        let whole: f64 = self.nodes.iter().map(Node::work).sum();
        let small = |s: usize| work[s] <= TASK * whole;
        let is_task = |&s: &usize| small(s) && !self.nodes[s].parent.is_some_and(small);
        let tasks = (0..self.nodes.len()).filter(is_task);
        self.tasks = tasks.map(|s| first[s]..s + 1).collect();
        for s in 0..self.nodes.len() {
            if !small(s) {
                let children = self.children(&self.nodes[s]).iter();
                let highest = children.map(|&c| self.nodes[c].level).max();
                self.nodes[s].level = highest.unwrap_or(0) + 1;
            }
        }
    }

    /// Returns the peak size of the stack of updates during the elimination of a task. The update of the root is stored
    /// elsewhere.
    pub(super) fn stack(&self, task: &Range<usize>) -> usize {
        let (mut height, mut highest) = (0, 0);
        for node in &self.nodes[task.start..task.end - 1] {
            // The update of a node is formed on top of those of its children, and then replaces them. In
            // postorder, the stack therefore holds, before each node, the updates of all finished subtrees
            // whose parents are yet to come, with those of the children of the node on top.
            highest = highest.max(height + node.update());
            height = height + node.update() - self.updates_of_children(node);
        }
        highest
    }

    fn updates_of_children(&self, node: &Node) -> usize {
        let children = self.children(node).iter();
        children.map(|&child| self.nodes[child].update()).sum()
    }

    /// Returns an upper bound on the memory of the factorisation in bytes, for any number of threads.
    ///
    /// This includes the factor and all updates that exist at the same time.
    pub(crate) fn bytes(&self) -> usize {
        // All tasks may run at the same time. Each needs its stack and the update of its root.
        let stacks: usize = self.tasks.iter().map(|task| self.stack(task)).sum();
        let roots = self.tasks.iter().map(|task| &self.nodes[task.end - 1]);
        let mut alive: usize = roots.map(Node::update).sum();
        let mut peak = alive + stacks;
        let highest = self.nodes.iter().map(|node| node.level).max().unwrap_or(0);
        // Number of update entries that each level creates, and number that it consumes.
        let mut levels = vec![(0, 0); highest];
        for node in self.nodes.iter().filter(|node| node.level > 0) {
            let (created, consumed) = &mut levels[node.level - 1];
            *created += node.update();
            *consumed += self.updates_of_children(node);
        }
        for (created, consumed) in levels {
            alive += created;
            peak = peak.max(alive);
            alive -= consumed;
        }
        (self.len + peak) * size_of::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::operator::Stencil;

    #[test]
    fn the_nodes_hold_every_unknown_once_and_fronts_are_paid_for() {
        let shapes = [&[1][..], &[500], &[40, 30], &[9, 10, 11]];
        let forms = [Form::General, Form::Symmetric];
        for (shape, form) in shapes.into_iter().flat_map(|s| forms.map(|f| (s, f))) {
            let matrix = Stencil::new(shape).compress();
            let symbolic = Symbolic::new(matrix.symbolic(), None, form);
            let symbolic = symbolic.unwrap().unwrap();
            let mut order = symbolic.order.clone();
            order.sort_unstable();
            assert!(order.iter().copied().eq(0..matrix.ncols()));
            let width: usize = symbolic.nodes.iter().map(|node| node.width).sum();
            assert_eq!(width, matrix.ncols());
            let highest = symbolic.nodes.iter().map(Node::update).max().unwrap();
            assert!(symbolic.bytes() >= (symbolic.len + highest) * size_of::<f64>());
            let within: usize = symbolic.tasks.iter().map(ExactSizeIterator::len).sum();
            let above = symbolic.nodes.iter().filter(|node| node.level > 0).count();
            assert_eq!(within + above, symbolic.nodes.len());
        }
    }
}
