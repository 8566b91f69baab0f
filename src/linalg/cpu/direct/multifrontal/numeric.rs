//! The numbers of a factorisation, front by front.

use faer::{MatMut, MatRef};
use rayon::prelude::*;

use super::front::{Panels, Source, add_to_panels, add_to_rest, eliminate, insert};
use super::sums::Sums;
use super::symbolic::{Form, Node, Symbolic};
use super::symmetric;
use crate::error::{Error, Result};

/// What the elimination of a node adds to the front of its parent.
type Update = Vec<f64>;

/// A node and its part of the factor.
type Part<'v> = (usize, &'v mut [f64]);

/// The factor, node by node; None if a pivot vanishes, or is not positive in a symmetric matrix.
pub(super) fn factorise(symbolic: &Symbolic, source: Source<'_>) -> Result<Option<Vec<f64>>> {
    // Asked for beforehand, as `vec!` takes no refusal.
    let room = Vec::<u8>::new().try_reserve_exact(symbolic.bytes());
    room.map_err(|_| Error::OutOfMemory {
        what: symbolic.form.name(),
        size: symbolic.order.len(),
        needed: Some(symbolic.bytes()),
        limit: None,
    })?;
    let mut values = vec![0.0; symbolic.len];
    let done = factorise_into(symbolic, source, &mut values);
    Ok(done.map(|()| values))
}

fn factorise_into(symbolic: &Symbolic, source: Source<'_>, values: &mut [f64]) -> Option<()> {
    let (tasks, levels) = share_out(symbolic, values);
    let mut updates: Vec<Update> = vec![Vec::new(); symbolic.nodes.len()];
    let tasks = tasks.into_par_iter();
    let done: Option<Vec<(usize, Update)>> = tasks
        .map(|task| eliminate_task(symbolic, source, task))
        .collect();
    for (node, update) in done? {
        updates[node] = update;
    }
    for level in levels {
        let level: Vec<_> = level
            .into_iter()
            .map(|(s, values)| {
                let children = symbolic.children(&symbolic.nodes[s]).iter();
                let updates = children.map(|&c| (c, std::mem::take(&mut updates[c])));
                (s, values, updates.collect::<Vec<_>>())
            })
            .collect();
        let done: Option<Vec<(usize, Update)>> = level
            .into_par_iter()
            .map(|(s, values, children)| {
                let node = &symbolic.nodes[s];
                let lent = || children.iter().map(|(child, update)| (*child, &update[..]));
                let mut rest = vec![0.0; node.update()];
                let front = Front {
                    symbolic,
                    node,
                    source,
                };
                front.eliminate(lent, values, &mut rest)?;
                Some((s, rest))
            })
            .collect();
        for (node, update) in done? {
            updates[node] = update;
        }
    }
    Some(())
}

/// Every node gets its part of the factor: those of tasks, and those above them, level by level.
fn share_out<'v>(
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

/// Eliminates a subtree, with updates on a stack, and returns that of its last node.
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
        let base = height - children.iter().map(|&c| size(c)).sum::<usize>();
        let (waiting, free) = stack.split_at_mut(height);
        let lent = || {
            children.iter().scan(base, |from, &child| {
                let update = &waiting[*from..*from + size(child)];
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
            front.eliminate(lent, values, &mut rest)?;
            return Some((s, rest));
        }
        front.eliminate(lent, values, &mut free[..node.update()])?;
        stack.copy_within(height..height + node.update(), base);
        height = base + node.update();
    }
    None
}

struct Front<'a> {
    symbolic: &'a Symbolic,
    node: &'a Node,
    source: Source<'a>,
}

impl Front<'_> {
    /// Puts the front together from the matrix and from what its children left, and eliminates its columns.
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
