//! Closed classes of a Markov chain on a grid: sets of cells that mass can enter and not leave.

use crate::linalg::Stencil;

/// The closed classes of the chain with generator −A, by Tarjan's algorithm for strong components (1972).
pub(super) fn closed_classes(a: &Stencil) -> Vec<Vec<usize>> {
    let mut search = Search::new(a);
    for cell in 0..a.cells() {
        if search.order[cell] == UNSEEN {
            search.explore(cell);
        }
    }
    let leaves = |class: &Vec<usize>| {
        let own = search.component[class[0]];
        let mut targets = class
            .iter()
            .flat_map(|&i| (0..6).filter_map(move |k| target(a, i, k)));
        targets.any(|j| search.component[j] != own)
    };
    let classes = &search.classes;
    classes.iter().filter(|c| !leaves(c)).cloned().collect()
}

const UNSEEN: usize = usize::MAX;

/// The cell that the k-th of six possible moves leads to, where its rate is positive.
fn target(a: &Stencil, cell: usize, k: usize) -> Option<usize> {
    let (axis, upward) = (k / 2, k.is_multiple_of(2));
    let n = a.shape[axis];
    if n < 2 {
        return None;
    }
    let stride = a.stride(axis);
    let index = cell / stride % n;
    // Off-diagonal entries of A are negative rates.
    if upward {
        (index + 1 < n && a.up[axis][cell] < 0.0).then_some(cell + stride)
    } else {
        (index > 0 && a.down[axis][cell - stride] < 0.0).then(|| cell - stride)
    }
}

struct Search<'a> {
    stencil: &'a Stencil,
    order: Vec<usize>,
    lowest: Vec<usize>,
    component: Vec<usize>,
    open: Vec<usize>,
    classes: Vec<Vec<usize>>,
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
            open: Vec::new(),
            classes: Vec::new(),
            seen: 0,
        }
    }

    fn enter(&mut self, cell: usize) {
        (self.order[cell], self.lowest[cell]) = (self.seen, self.seen);
        self.seen += 1;
        self.open.push(cell);
    }

    /// Depth first from a cell; the path is a stack of cells with the next move to try, since recursion would be
    /// as deep as the grid has cells.
    fn explore(&mut self, root: usize) {
        self.enter(root);
        let mut path = vec![(root, 0)];
        while let Some((cell, k)) = path.pop() {
            if k == 6 {
                self.leave(cell);
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
                self.lowest[cell] = self.lowest[cell].min(self.order[next]);
            }
        }
    }

    /// All moves from a cell are explored: if none led further back, what is open from it on is a component.
    fn leave(&mut self, cell: usize) {
        if self.lowest[cell] < self.order[cell] {
            return;
        }
        let mut class = Vec::new();
        while let Some(member) = self.open.pop() {
            self.component[member] = self.classes.len();
            class.push(member);
            if member == cell {
                break;
            }
        }
        self.classes.push(class);
    }
}
