//! Pipelined passes over a box of cells: several passes share one traversal, each a few planes behind the previous pass.
//!
//! A pass over plane i needs plane i + 1 as the previous pass left it, and plane i − 1 as this pass left it.
//! A lag of one plane provides both. The result is therefore bitwise identical to that of separate passes,
//! while the planes are still in the cache.
//!
//! Passes that run at the same time on different threads keep a larger distance, so that none reads a plane that
//! another is changing. The result is the same for any number of threads.

use std::ops::Range;

use super::level::{Corner, Level};
pub(crate) use super::passes::{LINES, Stage, parent_line};
use super::passes::{Part, Passes, Planes};
use super::window::Window;
use crate::linalg::operator::{LONG, Pieces, Real, Side, vectorised, with_sides};

/// Largest number of threads that share the passes over one level.
pub(crate) const MOST_THREADS: usize = 4;

/// Smallest number of values in a plane for which passes are shared by threads.
// The threads meet after every step, which takes a few microseconds. They work on two sweeps of two planes meanwhile,
// at one to two nanoseconds a value.
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
        let threads = match lines * cells * W >= LARGE_PLANE {
            true => (self.row.len() / (LINES * cells)).clamp(1, MOST_THREADS),
            false => 1,
        };
        let schedule = Schedule::new(count, descending, (threads, stages), W);
        if schedule.groups > 1 {
            return self.run_on_threads(&schedule, stages);
        }
        let (rows, passes) = (self.passes.rows, self.passes);
        let mut job = Job {
            groups: 0..1,
            stages,
            part: Part {
                window: Window::whole(self.x),
                row: self.row,
            },
            restriction: None,
        };
        vectorised(
            #[inline(always)]
            || {
                for step in 0..schedule.steps(job.stages.len()) {
                    with_sides!(rows, group::<T, W>(passes, (&schedule, step), &mut job));
                }
            },
        );
    }

    /// Performs one Gauss-Seidel sweep from a corner.
    pub(crate) fn sweep(self, corner: Corner) {
        let [x, rest @ ..] = corner;
        self.run(x, &mut [Stage::Sweep(rest)]);
    }

    /// Applies all stages, with groups of consecutive stages on different threads.
    fn run_on_threads(self, schedule: &Schedule, stages: &mut [Stage<'_, T, W>]) {
        let Self { passes, x, row } = self;
        let all = stages.len();
        let (stages, mut coarse) = match stages.split_last_mut() {
            Some((Stage::Restrict(coarse), stages)) => (stages, Some(coarse)),
            _ => (stages, None),
        };
        let [_, lines, cells] = passes.rows.shape;
        for step in 0..schedule.steps(all) {
            let mut window = Window::whole(&mut *x);
            // All threads restrict what the last sweep has left behind, each a part of it.
            let restriction = coarse.as_mut().map(|coarse| {
                let last = schedule.turns(step, stages.len() - 1).start;
                let x = window.leave(last * lines * cells);
                let lines = passes.finished(schedule.turns(step, stages.len()));
                let width = cells.div_ceil(2);
                Restriction {
                    x: Pieces::whole(x),
                    coarse: &mut coarse[lines.start * width..lines.end * width],
                    lines,
                }
            });
            let job = Job {
                groups: 0..schedule.groups,
                stages,
                part: Part {
                    window,
                    row: &mut *row,
                },
                restriction,
            };
            share(passes, (schedule, step), job);
        }
    }
}

/// Distribution of stages over planes and threads.
///
/// Groups of consecutive stages run at the same time. At each step a stage passes over `width` planes: number `step`
/// · `width` − lag and those after it, in the order of the passes.
struct Schedule {
    /// Number of planes.
    count: usize,
    descending: bool,
    width: usize,
    groups: usize,
    /// Number of stages before the first sweep, and number of sweeps.
    sweeps: [usize; 2],
}

impl Schedule {
    fn new<T, const W: usize>(
        count: usize,
        descending: bool,
        (threads, stages): (usize, &[Stage<'_, T, W>]),
        lanes: usize,
    ) -> Self {
        let is_sweep = |stage: &Stage<'_, T, W>| matches!(stage, Stage::Sweep(_));
        let sweeps = [
            stages.iter().take_while(|stage| !is_sweep(stage)).count(),
            stages.iter().filter(|stage| is_sweep(stage)).count(),
        ];
        let restricts = matches!(stages.last(), Some(Stage::Restrict(_)));
        let in_a_row = sweeps[0] + sweeps[1] + usize::from(restricts) == stages.len();
        let shared = in_a_row && sweeps[1] > 1 && count > 1 && !(restricts && descending);
        let groups = if shared { threads.min(sweeps[1]) } else { 1 };
        let width = if groups > 1 || lanes < LONG { LINES } else { 1 };
        Self {
            count,
            descending,
            width,
            groups,
            sweeps,
        }
    }

    /// Returns the first stage of a group. Stages before the first sweep belong to the first group.
    fn first(&self, group: usize) -> usize {
        let [before, sweeps] = self.sweeps;
        match group {
            0 => 0,
            _ => before + sweeps * group / self.groups,
        }
    }

    /// Returns the number of planes by which a stage follows the first one.
    fn lag(&self, stage: usize) -> usize {
        // Within a group, stages of one step follow each other. A lag of one plane per stage is enough. The first stage
        // of the next group runs at the same time as its predecessor s. It passes over planes up to step · width − lag +
        // width − 1, and reads one more. At the previous step, s has finished the planes before step · width − lag(s).
        // Hence lag ≥ lag(s) + width + 1. One plane lies between those that the two groups change, and both read it.
        let groups = match self.groups {
            1 => 0,
            groups => (1..=groups).filter(|&g| self.first(g) <= stage).count(),
        };
        stage + groups * self.width
    }

    /// Returns the number of steps of this many stages.
    fn steps(&self, stages: usize) -> usize {
        (self.count + self.lag(stages - 1)).div_ceil(self.width)
    }

    /// Returns the planes that a stage passes over at a step, numbered in the order of the passes.
    fn turns(&self, step: usize, stage: usize) -> Range<usize> {
        let lag = self.lag(stage);
        let turn = |step: usize| (step * self.width).saturating_sub(lag).min(self.count);
        turn(step)..turn(step + 1)
    }

    /// Returns planes by their turns.
    fn planes(&self, turns: Range<usize>) -> Planes {
        let (count, descending) = (self.count, self.descending);
        Planes {
            range: match descending {
                true => count - turns.end..count - turns.start,
                false => turns,
            },
            descending,
        }
    }
}

/// Work of one or more groups of stages at one step.
struct Job<'j, 'c, T, const W: usize> {
    groups: Range<usize>,
    stages: &'j mut [Stage<'c, T, W>],
    part: Part<'j, T, W>,
    restriction: Option<Restriction<'j, T, W>>,
}

/// Coarse lines to which the residuals of finished cells are to be added.
struct Restriction<'r, T, const W: usize> {
    x: Pieces<'r, T, W>,
    lines: Range<usize>,
    coarse: &'r mut [[T; W]],
}

impl<T: Real, const W: usize> Restriction<'_, T, W> {
    /// Splits off the first `part` of `parts` parts of the lines.
    fn split(self, part: usize, parts: usize) -> [Self; 2] {
        let Self { x, lines, coarse } = self;
        let count = lines.len() * part / parts;
        let width = coarse.len() / lines.len().max(1);
        let (lower, upper) = coarse.split_at_mut(count * width);
        let middle = lines.start + count;
        let piece = |lines, coarse| Restriction { x, lines, coarse };
        [
            piece(lines.start..middle, lower),
            piece(middle..lines.end, upper),
        ]
    }
}

impl<T: Real, const W: usize> Job<'_, '_, T, W> {
    /// Splits the job into those of the first half of its groups and of the others.
    fn split(self, schedule: &Schedule, step: usize, cells: usize) -> [Self; 2] {
        let Self {
            groups,
            stages,
            part: Part { window, row },
            restriction,
        } = self;
        let middle = (groups.start + groups.end) / 2;
        let next = schedule.first(middle);
        let (first, second) = stages.split_at_mut(next - schedule.first(groups.start));
        // The first groups are further along. The plane between is the one before the last stage of the first groups.
        let shared = schedule.turns(step, next).end..schedule.turns(step, next - 1).start;
        let shared = schedule.planes(shared).range;
        let [lower, upper] = window.split(shared.start * cells..shared.end * cells);
        let windows = match schedule.descending {
            true => [lower, upper],
            false => [upper, lower],
        };
        let rows = row.split_at_mut(row.len() * (middle - groups.start) / groups.len());
        let restrictions = match restriction {
            Some(r) => r.split(middle - groups.start, groups.len()).map(Some),
            None => [None, None],
        };
        let [window, other_window] = windows;
        let [restriction, other_restriction] = restrictions;
        [
            Job {
                groups: groups.start..middle,
                stages: first,
                part: Part {
                    window,
                    row: rows.0,
                },
                restriction,
            },
            Job {
                groups: middle..groups.end,
                stages: second,
                part: Part {
                    window: other_window,
                    row: rows.1,
                },
                restriction: other_restriction,
            },
        ]
    }
}

/// Does a job on as many threads as it has groups.
fn share<T: Real, const W: usize>(
    passes: Passes<'_, T, W>,
    (schedule, step): (&Schedule, usize),
    mut job: Job<'_, '_, T, W>,
) {
    let rows = passes.rows;
    if job.groups.len() == 1 {
        return vectorised(
            #[inline(always)]
            || {
                with_sides!(rows, group::<T, W>(passes, (schedule, step), &mut job));
            },
        );
    }
    let [first, second] = job.split(schedule, step, rows.shape[1] * rows.shape[2]);
    rayon::join(
        || share(passes, (schedule, step), first),
        || share(passes, (schedule, step), second),
    );
}

/// Applies the stages of one group at one step.
#[inline(always)]
fn group<T: Real, const W: usize, const N: usize>(
    passes: Passes<'_, T, W>,
    (schedule, step): (&Schedule, usize),
    job: &mut Job<'_, '_, T, W>,
) {
    // With s stages a step reads s + 2 planes or a few more. If these fit into the cache, x, b and the coefficients are
    // loaded from memory once instead of s times.
    let first = schedule.first(job.groups.start);
    for (i, stage) in job.stages.iter_mut().enumerate() {
        let planes = schedule.planes(schedule.turns(step, first + i));
        passes.apply::<N>(stage, planes, &mut job.part);
    }
    if let Some(Restriction { x, lines, coarse }) = &mut job.restriction {
        passes.restrict::<N>(lines.clone(), (*x, coarse), job.part.row);
    }
}

#[cfg(test)]
mod tests;
