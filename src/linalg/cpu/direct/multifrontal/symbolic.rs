//! All that can be known about a factorisation from the pattern of the matrix alone.

use std::ops::Range;

/// Subtrees with at most this share of the work are eliminated side by side. The cut depends on nothing but the
/// pattern, so that results do not depend on the number of threads.
const TASK: f64 = 1.0 / 24.0;

/// What a matrix of symmetric pattern is factorised into.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// L U, without pivoting.
    General,
    /// L Lᵀ, of a matrix that is symmetric positive definite.
    Symmetric,
}

impl Form {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::General => "multifrontal LU",
            Self::Symmetric => "sparse Cholesky",
        }
    }

    /// Two groups of columns become one if together they have at most this many columns and no larger share of zeros:
    /// products of small blocks cost more than the zeros do. Narrow fronts of symmetric matrices have kernels of their
    /// own, for which zeros pay less.
    pub(super) fn relaxation(self) -> [(usize, f64); 4] {
        match self {
            Self::General => [(8, 0.9), (24, 0.4), (64, 0.2), (usize::MAX, 0.05)],
            Self::Symmetric => [(4, 0.5), (16, 0.2), (48, 0.1), (usize::MAX, 0.05)],
        }
    }

    /// Numbers of the factor that belong to a front.
    pub(super) fn len(self, width: usize, below: usize) -> usize {
        match self {
            Self::General => width * (width + 2 * below),
            Self::Symmetric => width * (width + below),
        }
    }
}

/// Supernodes in postorder, their rows, and where everything goes.
pub(crate) struct Symbolic {
    pub(super) form: Form,
    /// The unknowns in the order of their elimination.
    pub(super) order: Vec<usize>,
    pub(super) nodes: Vec<Node>,
    /// Children of all nodes.
    pub(super) children: Vec<usize>,
    /// For every node the rows below its own, by position in the order.
    pub(super) rows: Vec<usize>,
    /// Where each of these rows stands in the front of the parent.
    pub(super) relative: Vec<usize>,
    /// What of the matrix goes into which front.
    pub(super) entries: Vec<Entry>,
    /// Subtrees that are eliminated side by side, as ranges of nodes.
    pub(super) tasks: Vec<Range<usize>>,
    /// Numbers in the factor.
    pub(super) len: usize,
}

/// Columns that are eliminated together: a front of their rows and of those below.
pub(super) struct Node {
    /// The first of its columns.
    pub(super) start: usize,
    pub(super) width: usize,
    /// Rows below.
    pub(super) below: usize,
    /// Where its part of the factor begins: width + below rows of L, over U in the square on top, and the below rows of
    /// Uᵀ where there is a U, both by columns.
    pub(super) offset: usize,
    /// Numbers of the factor that belong to it.
    pub(super) len: usize,
    pub(super) parent: Option<usize>,
    /// 0 within tasks, else one more than the highest child.
    pub(super) level: usize,
    pub(super) rows: usize,
    pub(super) children: Range<usize>,
    pub(super) entries: Range<usize>,
}

impl Node {
    /// Rows of its front.
    pub(super) fn size(&self) -> usize {
        self.width + self.below
    }

    /// Numbers that its elimination adds to other fronts: a square, and sums of rows where pivots follow from these.
    pub(super) fn update(&self) -> usize {
        self.below * (self.below + 1)
    }

    /// Multiplications of its elimination, roughly.
    fn work(&self) -> f64 {
        let (w, r) = (self.width as f64, self.below as f64);
        w * (w * w / 3.0 + w * r + r * r) + r * r + 1000.0
    }
}

/// An entry of the matrix and its place in a front.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    /// Its index in the values of the matrix.
    pub(super) source: usize,
    pub(super) row: u32,
    pub(super) column: u32,
}

/// Multiplications an entry of the factor below which fronts are too small to pay.
const WORK_PER_ENTRY: f64 = 8.0;

impl Symbolic {
    /// Whether there is enough to eliminate at once: the factors of chains are better made column by column.
    pub(crate) fn pays(&self) -> bool {
        let work = |node: &Node| (node.width * node.size() * node.size()) as f64;
        self.nodes.iter().map(work).sum::<f64>() > WORK_PER_ENTRY * self.len as f64
    }

    pub(super) fn rows(&self, node: &Node) -> &[usize] {
        &self.rows[node.rows..][..node.below]
    }

    pub(super) fn relative(&self, node: &Node) -> &[usize] {
        &self.relative[node.rows..][..node.below]
    }

    pub(super) fn entries(&self, node: &Node) -> &[Entry] {
        &self.entries[node.entries.clone()]
    }

    pub(super) fn children(&self, node: &Node) -> &[usize] {
        &self.children[node.children.clone()]
    }

    /// The most rows below any node.
    pub(super) fn tallest(&self) -> usize {
        self.nodes.iter().map(|node| node.below).max().unwrap_or(0)
    }

    /// The most rows of any front.
    pub(super) fn largest(&self) -> usize {
        self.nodes.iter().map(Node::size).max().unwrap_or(0)
    }

    /// Takes the largest subtrees that are small enough.
    pub(super) fn cut_into_tasks(&mut self) {
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

    /// Numbers that wait on a stack, at most, while the nodes of a task are eliminated one after another; what the last
    /// one leaves is kept elsewhere.
    pub(super) fn stack(&self, task: &Range<usize>) -> usize {
        let (mut height, mut highest) = (0, 0);
        for s in task.clone() {
            let node = &self.nodes[s];
            let waiting: usize = self.updates_of_children(node);
            if s + 1 == task.end {
                break;
            }
            highest = highest.max(height + node.update());
            height = height + node.update() - waiting;
        }
        highest
    }

    fn updates_of_children(&self, node: &Node) -> usize {
        let children = self.children(node).iter();
        children.map(|&child| self.nodes[child].update()).sum()
    }

    /// Memory that the factorisation takes at most, on however many threads: the factor, and fronts that wait for others.
    pub(crate) fn bytes(&self) -> usize {
        let side_by_side: usize = self.tasks.iter().map(|task| self.stack(task)).sum();
        let mut waiting: usize = self
            .tasks
            .iter()
            .map(|task| self.nodes[task.end - 1].update())
            .sum();
        let mut most = waiting + side_by_side;
        let highest = self.nodes.iter().map(|node| node.level).max().unwrap_or(0);
        // Updates made and given up, level by level.
        let mut levels = vec![(0, 0); highest];
        for node in self.nodes.iter().filter(|node| node.level > 0) {
            let (made, used) = &mut levels[node.level - 1];
            *made += node.update();
            *used += self.updates_of_children(node);
        }
        for (made, used) in levels {
            waiting += made;
            most = most.max(waiting);
            waiting -= used;
        }
        (self.len + most) * size_of::<f64>()
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
