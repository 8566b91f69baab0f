//! Symbolic factorisation: the part of a factorisation that depends on the sparsity pattern only.

use std::ops::Range;

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
    /// Rows below each node as indices within the front of the node's parent, see [`Node::rows`].
    pub(super) relative: Vec<usize>,
    /// Rows below each node as indices within the segment of the node's unit.
    pub(super) places: Vec<u32>,
    /// Row of every unknown in the workspace of a solve, which consists of the segments of all units.
    pub(super) segments: Vec<u32>,
    /// Matrix entries by front, see [`Node::entries`].
    pub(super) entries: Vec<Entry>,
    /// Parts of the tree that are eliminated in parallel, in postorder.
    pub(super) units: Vec<Unit>,
    /// Units without a parent.
    pub(super) roots: Vec<usize>,
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
    /// Offset of the node's panels in the part of the factor that belongs to its unit.
    ///
    /// The first panel has `width + below` rows: U₁₁ and L₁₁ share the square on top, L₂₁ follows. An LU has a second
    /// panel U₁₂ᵀ of `below` rows. Both panels are column-major.
    pub(super) offset: usize,
    /// Number of entries of the node's panels.
    pub(super) len: usize,
    pub(super) parent: Option<usize>,
    /// Offset of the node's rows in [`Symbolic::relative`] and [`Symbolic::places`].
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
    pub(super) fn work(&self) -> f64 {
        // w³/3 for the triangles, w²r for the panels, w r² for the Schur complement, r² to add it to the parent, and a
        // fixed cost per front.
        let (w, r) = (self.width as f64, self.below as f64);
        w * (w * w / 3.0 + w * r + r * r) + r * r + 1000.0
    }
}

/// Part of the assembly tree that one thread works through: nodes that follow one another in postorder and form a tree.
///
/// Units depend on the pattern alone, and each of them adds up its children in a fixed order. Results therefore do not
/// depend on the number of threads.
pub(super) struct Unit {
    /// Nodes in postorder. The last one is the root of the unit.
    pub(super) nodes: Range<usize>,
    /// First column of the unit, in elimination order.
    pub(super) start: usize,
    pub(super) width: usize,
    /// Number of rows below the unit, which are those below its root.
    pub(super) below: usize,
    /// Number of rows of the tallest front of the unit, other than that of the root.
    pub(super) tallest: usize,
    /// Number of entries of the factor.
    pub(super) len: usize,
    /// Units whose roots are the children of the first node of this unit, in ascending order.
    pub(super) children: Vec<usize>,
    /// Rows below the unit, as indices within the segment of the parent unit.
    pub(super) above: Vec<u32>,
    /// Number of units in the subtree of this unit. They precede it, and it is the last of them.
    pub(super) units: usize,
    /// Number of rows of the segments of the subtree, see [`Unit::segment`].
    pub(super) rows: usize,
    /// Number of factor entries of the subtree.
    pub(super) entries: usize,
}

impl Unit {
    /// Returns the number of rows of the unit's segment in the workspace of a solve: its columns, the rows below, and
    /// scratch memory for one front. The front of the root needs none, because its rows are contiguous in the segment.
    pub(super) fn segment(&self) -> usize {
        self.width + self.below + self.tallest
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

    /// Returns the indices, within the segment of the node's unit, of the rows below a node.
    pub(super) fn places(&self, node: &Node) -> &[u32] {
        &self.places[node.rows..][..node.below]
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

    /// Returns the number of rows of the workspace of a solve.
    pub(super) fn workspace(&self) -> usize {
        self.roots.iter().map(|&u| self.units[u].rows).sum()
    }

    /// Returns the peak size of the stack of updates during the elimination of a unit. The update of the root is stored
    /// elsewhere.
    pub(super) fn stack(&self, unit: &Unit) -> usize {
        let (mut height, mut highest) = (0, 0);
        for node in &self.nodes[unit.nodes.start..unit.nodes.end - 1] {
            // The update of a node is formed on top of those of its children, and then replaces them. In
            // postorder, the stack therefore holds, before each node, the updates of all finished subtrees
            // whose parents are yet to come, with those of the children of the node on top.
            highest = highest.max(height + node.update());
            height = height + node.update() - self.updates_within(unit, node);
        }
        highest
    }

    /// Returns the size of the updates that a node receives from within its unit.
    fn updates_within(&self, unit: &Unit, node: &Node) -> usize {
        let children = self.children(node).iter();
        let within = children.filter(|&child| unit.nodes.contains(child));
        within.map(|&child| self.nodes[child].update()).sum()
    }

    /// Returns an upper bound on the memory of the factorisation in bytes, for any number of threads.
    ///
    /// This includes the factor and all updates that exist at the same time.
    pub(crate) fn bytes(&self) -> usize {
        // Units run at the same time only if neither is in the subtree of the other. While a unit runs, the updates of its
        // children exist, its stack, and its own update, which alone remains. `most` is the largest size of all that can
        // exist in a subtree at the same time.
        let mut most: Vec<usize> = Vec::with_capacity(self.units.len());
        for (u, unit) in self.units.iter().enumerate() {
            let children = || unit.children.iter();
            let consumed: usize = children().map(|&c| self.root(c).update()).sum();
            let running = consumed + self.stack(unit) + self.root(u).update();
            most.push(running.max(children().map(|&c| most[c]).sum()));
        }
        let peak: usize = self.roots.iter().map(|&u| most[u]).sum();
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
            let within: usize = symbolic.units.iter().map(|unit| unit.nodes.len()).sum();
            assert_eq!(within, symbolic.nodes.len());
            let mut segments = symbolic.segments.clone();
            segments.sort_unstable();
            segments.dedup();
            assert_eq!(segments.len(), matrix.ncols());
            assert!(
                segments
                    .iter()
                    .all(|&row| (row as usize) < symbolic.workspace())
            );
        }
    }
}
