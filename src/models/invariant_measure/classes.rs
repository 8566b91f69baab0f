//! Closed communicating classes of a Markov chain on a grid: sets of cells that mass cannot leave.

use crate::linalg::Stencil;

/// Returns the closed classes of the chain with generator −A.
///
/// Tarjan's algorithm (1972) finds the strongly connected components of the graph of positive rates. A component
/// without a move to another component is closed.
pub(super) fn closed_classes(a: &Stencil) -> Vec<Vec<usize>> {
    // Every closed class carries exactly one stationary density of mass 1, and every stationary density is a
    // convex combination of these. Their number is thus the dimension of the null space. The search takes
    // O(N) operations for the at most six moves from each of N cells.
    let mut search = Search::new(a);
    for cell in 0..a.cells() {
        if search.order[cell] == UNSEEN {
            search.explore(cell);
        }
    }
    let is_open = |class: &Vec<usize>| {
        let own = search.component[class[0]];
        let mut targets = class
            .iter()
            .flat_map(|&i| (0..6).filter_map(move |k| target(a, i, k)));
        targets.any(|j| search.component[j] != own)
    };
    let classes = &search.classes;
    classes.iter().filter(|c| !is_open(c)).cloned().collect()
}

/// Largest rate that counts as zero, relative to the sum of all rates out of the cell.
//
// The sum holds 53 bits. A smaller rate leaves no trace in it, and the balance of mass between two sets that only such
// rates connect is not determined in double precision.
const LOST: f64 = 1e-15;

/// Mark of a cell that the search has not visited or assigned.
const UNSEEN: usize = usize::MAX;

/// Returns the target of the k-th of six possible moves from a cell if its rate is positive.
fn target(a: &Stencil, cell: usize, k: usize) -> Option<usize> {
    let (axis, upward) = (k / 2, k.is_multiple_of(2));
    let n = a.shape[axis];
    if n < 2 {
        return None;
    }
    // The generator is −A, so that a negative off-diagonal entry of A is a positive rate. The diagonal is the sum of
    // the rates out of the cell.
    let leaves = |rate: f64| -rate > LOST * a.diagonal()[cell];
    let stride = a.stride(axis);
    let index = cell / stride % n;
    if upward {
        (index + 1 < n && leaves(a.up[axis][cell])).then_some(cell + stride)
    } else {
        (index > 0 && leaves(a.down[axis][cell - stride])).then(|| cell - stride)
    }
}

/// State of Tarjan's algorithm.
struct Search<'a> {
    stencil: &'a Stencil,
    /// Number of each cell in the order of discovery.
    order: Vec<usize>,
    /// Smallest known number of a cell that is on the stack and reachable from this cell ("lowlink").
    lowest: Vec<usize>,
    /// Component of each cell, once it is complete.
    component: Vec<usize>,
    /// Discovered cells whose component is incomplete, in the order of discovery.
    stack: Vec<usize>,
    classes: Vec<Vec<usize>>,
    /// Number of cells that the search has discovered.
    seen: usize,
}

impl<'a> Search<'a> {
    fn new(stencil: &'a Stencil) -> Self {
        let n = stencil.cells();
        Self {
            stencil,
            order: vec![UNSEEN; n],
            lowest: vec![UNSEEN; n],
            component: vec![UNSEEN; n],
            stack: Vec::new(),
            classes: Vec::new(),
            seen: 0,
        }
    }

    /// Numbers a newly discovered cell and puts it on the stack.
    fn enter(&mut self, cell: usize) {
        (self.order[cell], self.lowest[cell]) = (self.seen, self.seen);
        self.seen += 1;
        self.stack.push(cell);
    }

    /// Searches depth first from a cell.
    ///
    /// The path is an explicit stack of cells with their next move, because a recursion could be as deep as
    /// the number of cells.
    fn explore(&mut self, root: usize) {
        self.enter(root);
        let mut path = vec![(root, 0)];
        while let Some((cell, k)) = path.pop() {
            if k == 6 {
                self.leave(cell);
                // A cell reaches everything that its successors reach.
                if let Some(&(parent, _)) = path.last() {
                    self.lowest[parent] = self.lowest[parent].min(self.lowest[cell]);
                }
                continue;
            }
            path.push((cell, k + 1));
            let Some(next) = target(self.stencil, cell, k) else {
                continue;
            };
            if self.order[next] == UNSEEN {
                self.enter(next);
                path.push((next, 0));
            } else if self.component[next] == UNSEEN {
                // `next` is on the stack: the move leads back.
                self.lowest[cell] = self.lowest[cell].min(self.order[next]);
            }
        }
    }

    /// Completes a cell whose moves are all explored.
    ///
    /// If none of the moves leads further back than the cell, the cell is the root of a component, which consists of
    /// the cell and all cells above it on the stack.
    fn leave(&mut self, cell: usize) {
        // Otherwise the cell reaches an earlier cell of the stack, which also reaches it: both are in one component.
        if self.lowest[cell] < self.order[cell] {
            return;
        }
        let mut class = Vec::new();
        while let Some(member) = self.stack.pop() {
            self.component[member] = self.classes.len();
            class.push(member);
            if member == cell {
                break;
            }
        }
        self.classes.push(class);
    }
}
