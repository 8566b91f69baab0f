//! Units: parts of the assembly tree that threads work through, and a walk over their subtrees in parallel.

use std::ops::Range;

use super::symbolic::{Node, Symbolic, Unit};

/// Largest fraction of the work of a factorisation for a subtree that always forms a unit.
const TASK: f64 = 1.0 / 24.0;

/// Fraction of the work up to which a subtree never separates the unit of its parent from that of a heavier sibling.
// A unit other than the first of its siblings holds at least this fraction, which bounds the depth of the tree of units, and
// thus of the recursion, even if the assembly tree is a long chain.
const LIGHT: f64 = 1.0 / 200.0;

/// Number of multiplications up to which a subtree forms a unit in any case.
// About 50 µs, many times the cost of handing a unit to another thread.
const SMALLEST: f64 = 2e5;

impl Symbolic {
    /// Cuts the tree into units.
    pub(super) fn cut_into_units(&mut self) {
        // Nodes are in postorder, that is, children precede their parent. One pass therefore accumulates the
        // work of all subtrees.
        let mut work: Vec<f64> = self.nodes.iter().map(Node::work).collect();
        for (s, node) in self.nodes.iter().enumerate() {
            if let Some(parent) = node.parent {
                work[parent] += work[s];
            }
        }
        let whole: f64 = self.nodes.iter().map(Node::work).sum();
        let [small, light] = [TASK, LIGHT].map(|fraction| SMALLEST.max(fraction * whole));
        // Children that are all light, or all but the first, join the unit of their parent. The heaviest child comes first in
        // postorder, and its last unit therefore lies next to the subtrees of the others.
        let splits = |s: usize| {
            let others = self.children(&self.nodes[s]).iter().skip(1);
            work[s] > small && others.into_iter().any(|&child| work[child] > light)
        };
        let splits: Vec<bool> = (0..self.nodes.len()).map(splits).collect();
        // First node of the unit of every node, and unit of every root of a unit.
        let (mut first, mut unit_of) = (vec![0; splits.len()], vec![0; splits.len()]);
        for s in 0..splits.len() {
            let heaviest = self.children(&self.nodes[s]).first();
            first[s] = heaviest
                .filter(|_| !splits[s])
                .map_or(s, |&child| first[child]);
            if self.nodes[s].parent.is_some_and(|parent| !splits[parent]) {
                continue;
            }
            let received = self.children(&self.nodes[first[s]]).iter();
            let received = received.filter(|_| splits[first[s]]);
            let children = received.map(|&child| unit_of[child]).collect();
            unit_of[s] = self.units.len();
            self.units.push(self.unit(first[s]..s + 1, children));
        }
        // Offsets of panels count from the start of the unit's part of the factor.
        for unit in &self.units {
            let nodes = &mut self.nodes[unit.nodes.clone()];
            let start = nodes[0].offset;
            nodes.iter_mut().for_each(|node| node.offset -= start);
        }
        let is_root = |&u: &usize| self.root(u).parent.is_none();
        self.roots = (0..self.units.len()).filter(is_root).collect();
    }

    /// Creates a unit, whose children must have been created before.
    fn unit(&self, nodes: Range<usize>, children: Vec<usize>) -> Unit {
        let all = &self.nodes[nodes.clone()];
        let below = |child: fn(&Unit) -> usize| {
            let children = children.iter();
            children.map(|&c| child(&self.units[c])).sum::<usize>()
        };
        let (units, rows, entries) = (below(|c| c.units), below(|c| c.rows), below(|c| c.entries));
        let len = all.iter().map(|node| node.len).sum();
        let mut unit = Unit {
            start: all[0].start,
            width: all.iter().map(|node| node.width).sum(),
            below: all[all.len() - 1].below,
            tallest: all[..all.len() - 1]
                .iter()
                .map(Node::size)
                .max()
                .unwrap_or(0),
            len,
            nodes,
            children,
            above: Vec::new(),
            units: units + 1,
            rows,
            entries: entries + len,
        };
        unit.rows += unit.segment();
        unit
    }

    /// Returns the root of a unit.
    pub(super) fn root(&self, unit: usize) -> &Node {
        &self.nodes[self.units[unit].nodes.end - 1]
    }

    /// Translates rows in elimination order to rows of segments: those below every node and unit, and those of the
    /// unknowns.
    pub(super) fn place_rows(&mut self, rows: &[usize]) {
        let mut places = vec![0; rows.len()];
        let mut segments = vec![0; self.order.len()];
        let mut segment = 0;
        for u in 0..self.units.len() {
            let unit = &self.units[u];
            let end = unit.start + unit.width;
            let beyond = &rows[self.root(u).rows..][..unit.below];
            // Every row below a node of the unit is a column of the unit, or a row below its root: eliminating a node
            // couples its rows below with each other, so that they all lie on one path to the root of the tree.
            let place = |&row: &usize| match row < end {
                true => (row - unit.start) as u32,
                false => (unit.width + beyond.partition_point(|&r| r < row)) as u32,
            };
            for node in &self.nodes[unit.nodes.clone()] {
                let rows = rows[node.rows..][..node.below].iter();
                places.splice(node.rows..node.rows + node.below, rows.map(place));
            }
            for (k, &unknown) in self.order[unit.start..end].iter().enumerate() {
                segments[unknown] = (segment + k) as u32;
            }
            segment += unit.segment();
            let above = |&child: &usize| {
                let root = self.root(child);
                let rows = rows[root.rows..][..root.below].iter();
                (child, rows.map(place).collect())
            };
            let above: Vec<(usize, Vec<u32>)> = unit.children.iter().map(above).collect();
            above
                .into_iter()
                .for_each(|(child, above)| self.units[child].above = above);
        }
        (self.places, self.segments) = (places, segments);
    }
}

/// Property of a subtree, given its last unit.
type Measure<'a, R> = &'a (dyn Fn(&Unit) -> R + Sync);

/// Work to be done for subtrees, with a part of some data for each. The parts follow one another in the data.
pub(super) struct Subtrees<'a, W> {
    pub(super) symbolic: &'a Symbolic,
    /// Length of the part of a subtree.
    pub(super) extent: Measure<'a, usize>,
    /// Whether a subtree is worth a thread of its own.
    pub(super) pays: Measure<'a, bool>,
    pub(super) work: W,
}

impl<W> Subtrees<'_, W> {
    /// Does the work for the subtrees of some units, in parallel if it pays for all of them.
    pub(super) fn visit<T: Send>(&self, units: &[usize], data: &mut [T])
    where
        W: Fn(usize, &mut [T]) + Sync,
    {
        let (left, right) = match units {
            [] => return,
            [unit] => return (self.work)(*unit, data),
            _ => units.split_at(units.len() / 2),
        };
        let all = &self.symbolic.units;
        let (before, after) = data.split_at_mut(left.iter().map(|&u| (self.extent)(&all[u])).sum());
        let mut one = || self.visit(left, before);
        let mut other = || self.visit(right, after);
        if units.iter().all(|&u| (self.pays)(&all[u])) {
            rayon::join(one, other);
        } else {
            one();
            other();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use faer::Mat;
    use faer::dyn_stack::{MemBuffer, MemStack};
    use faer::sparse::{SparseColMat, Triplet};

    use super::super::{Form, Multifrontal};
    use super::*;
    use crate::linalg::cpu::checked::Direct;
    use crate::linalg::cpu::direct::analyses::Analyses;
    use crate::linalg::memory::Budget;
    use crate::linalg::operator::Side;

    /// Chain of `n` unknowns with a leaf at each of them. A leaf comes before its place in the chain.
    fn comb(n: usize) -> SparseColMat<usize, f64> {
        let leaves = (0..n).map(|k| (2 * k, 2 * k + 1));
        let chain = (1..n).map(|k| (2 * k - 1, 2 * k + 1));
        let both = leaves.chain(chain).flat_map(|(i, j)| [(i, j), (j, i)]);
        let couplings = both.map(|(i, j)| Triplet::new(i, j, -1.0));
        let diagonal = (0..2 * n).map(|i| Triplet::new(i, i, 4.0));
        let entries: Vec<_> = couplings.chain(diagonal).collect();
        SparseColMat::try_new_from_triplets(2 * n, 2 * n, &entries).unwrap()
    }

    /// Without the limit, every node of the chain would be a unit of its own, and the recursion would overflow the stack.
    #[test]
    fn long_chains_with_leaves_are_cut_into_units_of_small_depth() {
        let n = 50_000;
        let a = comb(n);
        let order: Vec<usize> = (0..2 * n).collect();
        let symbolic = Symbolic::new(a.symbolic(), Some(&order), Form::General);
        let symbolic = symbolic.unwrap().unwrap();
        assert!(symbolic.nodes.len() > n / 8);
        let mut depths: Vec<usize> = Vec::new();
        for unit in &symbolic.units {
            let deepest = unit.children.iter().map(|&child| depths[child]).max();
            depths.push(deepest.unwrap_or(0) + 1);
        }
        assert!(depths.iter().all(|&depth| depth < 250));
        let analyses: Analyses<Option<Arc<Symbolic>>> = Analyses::default();
        let natural = || order.clone();
        let factor = Multifrontal::new(
            a.as_ref().into(),
            Side::Plain,
            &analyses,
            Some(&natural),
            Budget::UNLIMITED,
        );
        let factor = factor.unwrap().unwrap();
        let mut x = &a * Mat::<f64>::from_fn(2 * n, 1, |_, _| 1.0);
        let memory = &mut MemBuffer::new(factor.scratch(1));
        factor.solve(Side::Plain, x.as_mut(), MemStack::new(memory));
        assert!(x.col(0).iter().all(|x| (x - 1.0).abs() < 1e-12));
    }
}
