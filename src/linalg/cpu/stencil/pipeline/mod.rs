//! Pipelined passes over a box of cells: several passes share one traversal, each a few planes behind the previous pass.
//!
//! A pass over plane i needs plane i + 1 as the previous pass left it, and plane i − 1 as this pass left it.
//! A lag of one plane provides both. The result is therefore bitwise identical to that of separate passes,
//! while the planes are still in the cache.
//!
//! Passes may run at the same time on different threads, of which each follows the one before it.

mod schedule;
mod team;
#[cfg(test)]
mod tests;

use self::schedule::Schedule;
use super::level::Level;
pub(crate) use super::passes::{LINES, Stage, parent_line};
use super::passes::{Part, Passes};
use super::window::Window;
use crate::linalg::operator::{LONG, Real, Side, vectorised, with_sides};

/// Largest number of threads that share the passes over one level.
pub(crate) const MOST_THREADS: usize = 4;

/// Smallest number of values in a plane for which passes are shared by threads.
// It takes up to 50 µs to wake a thread. A sweep over a cube with planes of this size takes 50 to 150 µs.
const LARGE_PLANE: usize = 1 << 10;

/// Returns the number of cells in the workspace for lines of a box, and of all coarser ones.
pub(crate) fn lines(shape: [usize; 3]) -> usize {
    // Axes of one cell come first in the order of sweeps, so that the lines of a coarse box may be longer than those of a
    // finer one: 60×60×2 cells have 1×30×30 aggregates.
    let halved = |shape: &[usize; 3]| Some(shape.map(|n| n.div_ceil(2)));
    let boxes = std::iter::successors(Some(shape), halved);
    let fine = boxes.take_while(|shape| shape.iter().any(|&n| n > 1));
    fine.map(lines_of_box).max().unwrap_or(1)
}

/// Returns the number of cells in the workspace for lines of one box.
fn lines_of_box(shape: [usize; 3]) -> usize {
    let long = shape.into_iter().filter(|&n| n > 1);
    let line = long.clone().next_back().unwrap_or(1);
    // A plane alone is swept line by line, on one thread.
    match long.count() {
        3 => LINES * MOST_THREADS * line,
        _ => line,
    }
}

/// Passes over a level for A or Aᵀ, with their vectors.
pub(crate) struct Pipeline<'p, T, const W: usize> {
    passes: Passes<'p, T, W>,
    x: &'p mut [[T; W]],
    /// Workspace for `LINES` lines of cells for every thread, or for one line if there is but one plane.
    row: &'p mut [[T; W]],
}

impl<'p, T: Real, const W: usize> Pipeline<'p, T, W> {
    /// Prepares passes that read b and x and change x. `row` is workspace for `LINES` lines for every thread that takes
    /// part.
    pub(crate) fn new(
        level: &'p Level<T>,
        side: Side,
        (b, x): (&'p [[T; W]], &'p mut [[T; W]]),
        row: &'p mut [[T; W]],
    ) -> Self {
        let rows = level.rows(side);
        Self {
            passes: Passes { level, rows, b },
            x,
            row,
        }
    }

    /// Applies all stages to x, from the first plane to the last, or in descending order.
    pub(crate) fn run(self, descending: bool, stages: &mut [Stage<'_, T, W>]) {
        let [count, lines, cells] = self.passes.rows.shape;
        let schedule = Schedule {
            count,
            width: if W < LONG { LINES } else { 1 },
            descending,
        };
        let threads = (self.row.len() / (LINES * cells)).min(MOST_THREADS);
        let groups = threads.min(stages.iter().filter(|stage| stage.is_sweep()).count());
        let (passes, rows) = (self.passes, self.passes.rows);
        let mut part = Part {
            window: Window::whole(self.x),
            row: self.row,
        };
        if groups > 1 && schedule.turns() >= groups && lines * cells * W >= LARGE_PLANE {
            return team::run(passes, (schedule, groups), stages, part);
        }
        vectorised(
            #[inline(always)]
            || {
                for step in 0..schedule.steps(stages.len()) {
                    with_sides!(
                        rows,
                        all::<T, W>(passes, (schedule, step), stages, &mut part)
                    );
                }
            },
        );
    }
}

/// Applies all stages at one step.
#[inline(always)]
fn all<T: Real, const W: usize, const N: usize>(
    passes: Passes<'_, T, W>,
    (schedule, step): (Schedule, usize),
    stages: &mut [Stage<'_, T, W>],
    part: &mut Part<'_, T, W>,
) {
    // With s stages a step reads s + 2 pairs of planes. If these fit into the cache, x, b and the coefficients are
    // loaded from memory once instead of s times.
    for (number, stage) in stages.iter_mut().enumerate() {
        if let Some(turn) = schedule.turn(step, number) {
            passes.apply::<N>(stage, schedule.planes(turn), part);
        }
    }
}
