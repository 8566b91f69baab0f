//! Numeric factorisation, front by front.

use faer::{MatMut, MatRef};
use rayon::prelude::*;

use super::front::{Panels, Source, add_to_panels, add_to_rest, eliminate, insert};
use super::sums::Sums;
use super::symbolic::{Form, Node, Symbolic};
use super::symmetric;
use crate::error::{Error, Result};

/// Schur complement of a node, which its parent adds to its own front.
type Update = Vec<f64>;

/// Index of a node, and the slice of the factor that the node fills.
type Part<'v> = (usize, &'v mut [f64]);

/// Computes the entries of the factor, node by node.
///
/// Returns `None` if a pivot vanishes or, in a symmetric factorisation, is not positive.
pub(super) fn factorise(symbolic: &Symbolic, source: Source<'_>) -> Result<Option<Vec<f64>>> {
    // `vec!` aborts if memory runs out. A trial reservation of the peak size returns an error instead.
    let reserved = Vec::<u8>::new().try_reserve_exact(symbolic.bytes());
    reserved.map_err(|_| Error::OutOfMemory {
        what: symbolic.form.name(),
        size: symbolic.order.len(),
        needed: Some(symbolic.bytes()),
        limit: None,
    })?;
    let mut values = vec![0.0; symbolic.len];
    let regular = factorise_into(symbolic, source, &mut values);
    Ok(regular.map(|()| values))
}

/// Eliminates the subtrees of all tasks in parallel, then the nodes above them, level by level.
fn factorise_into(symbolic: &Symbolic, source: Source<'_>, values: &mut [f64]) -> Option<()> {
    let (tasks, levels) = partition(symbolic, values);
    let mut updates: Vec<Update> = vec![Vec::new(); symbolic.nodes.len()];
    // Results of parallel maps are collected in the order of the tasks, and children are added in the order
    // of their indices. No sum depends on which thread finishes first.
    let tasks = tasks.into_par_iter();
    let eliminated: Option<Vec<(usize, Update)>> = tasks
        .map(|task| eliminate_task(symbolic, source, task))
        .collect();
    for (node, update) in eliminated? {
        updates[node] = update;
    }
    // The top of the tree has few nodes, but the largest fronts. There, the tiles of a front run in parallel
    // rather than the nodes of a level. No node of a level is a descendant of another one on that level, and
    // all their children have been eliminated.
    for level in levels {
        let level: Vec<_> = level
            .into_iter()
            .map(|(s, values)| {
                let children = symbolic.children(&symbolic.nodes[s]).iter();
                let updates = children.map(|&c| (c, std::mem::take(&mut updates[c])));
                (s, values, updates.collect::<Vec<_>>())
            })
            .collect();
        let eliminated: Option<Vec<(usize, Update)>> = level
            .into_par_iter()
            .map(|(s, values, children)| {
                let node = &symbolic.nodes[s];
                let updates = || children.iter().map(|(child, update)| (*child, &update[..]));
                let mut rest = vec![0.0; node.update()];
                let front = Front {
                    symbolic,
                    node,
                    source,
                };
                front.eliminate(updates, values, &mut rest)?;
                Some((s, rest))
            })
            .collect();
        for (node, update) in eliminated? {
            updates[node] = update;
        }
    }
    Some(())
}

/// Splits the factor into the parts of its nodes. Returns the parts within each task, and the parts above all
/// tasks, grouped by level.
fn partition<'v>(
    symbolic: &Symbolic,
    mut values: &'v mut [f64],
) -> (Vec<Vec<Part<'v>>>, Vec<Vec<Part<'v>>>) {
    let mut parts = symbolic.nodes.iter().enumerate().map(|(s, node)| {
        let (part, others) = std::mem::take(&mut values).split_at_mut(node.len);
        values = others;
        (s, part)
    });
    let (mut tasks, mut above, mut next) = (Vec::new(), Vec::new(), 0);
    for task in &symbolic.tasks {
        above.extend(parts.by_ref().take(task.start - next));
        tasks.push(parts.by_ref().take(task.len()).collect());
        next = task.end;
    }
    above.extend(parts);
    let mut levels: Vec<Vec<Part<'v>>> = Vec::new();
    for (s, part) in above {
        let level = symbolic.nodes[s].level;
        levels.resize_with(levels.len().max(level), Vec::new);
        levels[level - 1].push((s, part));
    }
    (tasks, levels)
}

/// Eliminates a subtree, and returns the update of its root (the last node).
///
/// Nodes are in postorder, so that the updates of the children of a node are the topmost ones on a stack. The
/// update of the node is formed above them, and then moved down to replace them.
fn eliminate_task(
    symbolic: &Symbolic,
    source: Source<'_>,
    task: Vec<Part<'_>>,
) -> Option<(usize, Update)> {
    let first = task.first().map_or(0, |(s, _)| *s);
    let last = first + task.len() - 1;
    let mut stack = vec![0.0; symbolic.stack(&(first..last + 1))];
    let mut height = 0;
    for (s, values) in task {
        let node = &symbolic.nodes[s];
        let children = symbolic.children(node);
        let size = |child: usize| symbolic.nodes[child].update();
        // The updates of the children occupy the stack from `base` to `height`.
        let base = height - children.iter().map(|&c| size(c)).sum::<usize>();
        let (occupied, free) = stack.split_at_mut(height);
        let updates = || {
            children.iter().scan(base, |from, &child| {
                let update = &occupied[*from..*from + size(child)];
                *from += size(child);
                Some((child, update))
            })
        };
        let front = Front {
            symbolic,
            node,
            source,
        };
        if s == last {
            let mut rest = vec![0.0; node.update()];
            front.eliminate(updates, values, &mut rest)?;
            return Some((s, rest));
        }
        front.eliminate(updates, values, &mut free[..node.update()])?;
        // The update is formed above the children because it still reads them. Moving it costs one copy of r²
        // entries, against w r² multiplications of the elimination, for w columns and r rows below.
        stack.copy_within(height..height + node.update(), base);
        height = base + node.update();
    }
    None
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
