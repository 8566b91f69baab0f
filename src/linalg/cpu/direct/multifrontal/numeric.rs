//! Numeric factorisation, front by front.

use faer::{MatMut, MatRef};

use super::front::{Panels, Source, add_to_panels, add_to_rest, eliminate, insert};
use super::sums::Sums;
use super::symbolic::{Form, Node, Symbolic, Unit};
use super::symmetric;
use super::units::Subtrees;
use crate::error::{Error, Result};
use crate::linalg::pool::{in_pool, is_parallel};

/// Number of factor entries from which a subtree is eliminated by a thread of its own.
// The elimination takes several nanoseconds per entry, thus about 50 µs.
const SPLIT: usize = 1 << 13;

/// Schur complement of a node, which its parent adds to its own front.
type Update = Vec<f64>;

/// Part of the factor that belongs to a unit.
type Values = Vec<f64>;

/// Computes the entries of the factor, unit by unit.
///
/// Returns `None` if a pivot vanishes or, in a symmetric factorisation, is not positive.
pub(super) fn factorise(symbolic: &Symbolic, source: Source<'_>) -> Result<Option<Vec<Values>>> {
    // `vec!` aborts if memory runs out. A trial reservation of the peak size returns an error instead.
    let reserved = Vec::<u8>::new().try_reserve_exact(symbolic.bytes());
    reserved.map_err(|_| Error::OutOfMemory {
        what: symbolic.form.name(),
        size: symbolic.order.len(),
        needed: Some(symbolic.bytes()),
        limit: None,
    })?;
    let mut eliminated = vec![None; symbolic.units.len()];
    let elimination = Elimination { symbolic, source };
    let pays = symbolic.len >= 2 * SPLIT;
    in_pool(pays, || {
        elimination.subtrees(&symbolic.roots, &mut eliminated)
    });
    let values = eliminated.into_iter().map(|unit| Some(unit?.0));
    Ok(values.collect())
}

/// Elimination of the units of a tree.
#[derive(Clone, Copy)]
struct Elimination<'a> {
    symbolic: &'a Symbolic,
    source: Source<'a>,
}

impl<'a> Elimination<'a> {
    /// Eliminates the subtrees of some units in parallel. Stores `None` for units with an unsuitable pivot, and for those
    /// above.
    ///
    /// The top of the tree has few nodes, but the largest fronts. There, the tiles of a front run in parallel as well.
    fn subtrees(self, units: &[usize], eliminated: &mut [Option<(Values, Update)>]) {
        let parallel = is_parallel();
        let extent = |unit: &Unit| unit.units;
        let pays = move |unit: &Unit| parallel && unit.entries >= SPLIT;
        let eliminate = |u: usize, units: &mut [Option<(Values, Update)>]| {
            if let Some((own, before)) = units.split_last_mut() {
                self.subtrees(&self.symbolic.units[u].children, before);
                *own = self.unit(u, before);
            }
        };
        let subtrees = Subtrees {
            symbolic: self.symbolic,
            extent: &extent,
            pays: &pays,
            work: eliminate,
        };
        subtrees.visit(units, eliminated);
    }

    /// Eliminates a unit after those before it in its subtree. Returns its part of the factor, and the update of its root.
    ///
    /// Nodes are in postorder, so that the updates of the children of a node are the topmost ones on a stack. The
    /// update of the node is formed above them, and then moved down to replace them.
    fn unit(self, u: usize, before: &mut [Option<(Values, Update)>]) -> Option<(Values, Update)> {
        let (symbolic, unit) = (self.symbolic, &self.symbolic.units[u]);
        let first = u + 1 - unit.units;
        let received = unit.children.iter().map(|&child| {
            let (_, update) = before[child - first].as_mut()?;
            Some((symbolic.units[child].nodes.end - 1, std::mem::take(update)))
        });
        let received: Vec<(usize, Update)> = received.collect::<Option<_>>()?;
        // The memory is set to zero here, and not for the whole factor at once, so that threads share this work.
        let (mut values, mut height) = (vec![0.0; unit.len], 0);
        let mut stack = vec![0.0; symbolic.stack(unit)];
        let root = unit.nodes.end - 1;
        let mut rest = vec![0.0; symbolic.nodes[root].update()];
        for s in unit.nodes.clone() {
            let node = &symbolic.nodes[s];
            let front = Front {
                symbolic,
                node,
                source: self.source,
            };
            // Updates from within the unit occupy the stack from `base` to `height`.
            let from_others = s == unit.nodes.start && !received.is_empty();
            let within = symbolic.children(node).iter().filter(|_| !from_others);
            let within = within.map(|&child| symbolic.nodes[child].update());
            let base = height - within.sum::<usize>();
            let (occupied, free) = stack.split_at_mut(height);
            let rest = match s == root {
                true => &mut rest[..],
                false => &mut free[..node.update()],
            };
            let panels = &mut values[node.offset..][..node.len];
            if from_others {
                let updates = || received.iter().map(|(child, update)| (*child, &update[..]));
                front.eliminate(updates, panels, rest)?;
            } else {
                let updates = || on_stack(symbolic, symbolic.children(node), &occupied[base..]);
                front.eliminate(updates, panels, rest)?;
            }
            if s < root {
                // The update is formed above the children because it still reads them. Moving it costs one copy of r²
                // entries, against w r² multiplications of the elimination, for w columns and r rows below.
                stack.copy_within(height..height + node.update(), base);
                height = base + node.update();
            }
        }
        Some((values, rest))
    }
}

/// Returns the updates of some nodes, which follow one another on a stack.
fn on_stack<'c>(
    symbolic: &'c Symbolic,
    nodes: &'c [usize],
    mut stack: &'c [f64],
) -> impl Iterator<Item = (usize, &'c [f64])> {
    nodes.iter().map(move |&node| {
        let (update, others) = stack.split_at(symbolic.nodes[node].update());
        stack = others;
        (node, update)
    })
}

/// Front to be assembled and eliminated for one node of the tree.
struct Front<'a> {
    symbolic: &'a Symbolic,
    node: &'a Node,
    source: Source<'a>,
}

impl Front<'_> {
    /// Assembles the front from the matrix and the updates of its children, and eliminates its columns.
    ///
    /// The node's part of the factor goes to `values`, the Schur complement to `rest`.
    fn eliminate<'c, I: Iterator<Item = (usize, &'c [f64])>>(
        &self,
        children: impl Fn() -> I,
        values: &mut [f64],
        rest: &mut [f64],
    ) -> Option<()> {
        let (symbolic, node) = (self.symbolic, self.node);
        if symbolic.form == Form::Symmetric {
            let children = || {
                children().map(|(child, update)| {
                    let child = &symbolic.nodes[child];
                    symmetric::Update {
                        values: &update[..child.below * child.below],
                        places: symbolic.relative(child),
                    }
                })
            };
            symmetric::insert(symbolic.entries(node), self.source.values, node, values);
            let rest = &mut rest[..node.below * node.below];
            return symmetric::eliminate(node, children, values, rest);
        }
        let mut panels = Panels::new(node, values);
        insert(symbolic, node, self.source, &mut panels);
        let children = || {
            children().map(|(child, update)| {
                let child = &symbolic.nodes[child];
                let (update, sums) = update.split_at(child.below * child.below);
                let update = MatRef::from_column_major_slice(update, child.below, child.below);
                (update, sums, symbolic.relative(child))
            })
        };
        for (update, _, places) in children() {
            add_to_panels(update, places, &mut panels);
        }
        let (rest, sums_below) = rest.split_at_mut(node.below * node.below);
        let mut rest = MatMut::from_column_major_slice_mut(rest, node.below, node.below);
        // An update ends with the changes of the row sums, one per row below.
        let mut sums = self.source.sums.map(|sums| {
            let own = &symbolic.order[node.start..][..node.width];
            let mut sums = Sums::new(own.iter().map(|&i| sums[i]), sums_below);
            children().for_each(|(_, update, places)| sums.add(update, places));
            sums
        });
        let mut beneath = sums.as_ref().map(|sums| sums.beneath(&panels));
        if !eliminate(&mut panels, beneath.as_deref_mut(), rest.as_mut()) {
            return None;
        }
        if let Some(sums) = &mut sums {
            sums.eliminate(&panels);
        }
        for (update, _, places) in children() {
            add_to_rest(update, places, node.width, rest.as_mut());
        }
        Some(())
    }
}
