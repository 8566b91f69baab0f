//! Threads that share the passes over a box: each takes a group of consecutive stages and follows the previous group.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use rayon::prelude::*;

use super::schedule::Schedule;
use crate::linalg::cpu::stencil::passes::{Part, Passes, Planes, Stage};
use crate::linalg::cpu::stencil::window::Window;
use crate::linalg::operator::{Pieces, Real, vectorised, with_sides};

/// Number of times that a thread looks whether it may go on before it offers its processor to others.
const LOOKS: usize = 1 << 10;

/// Passes, the vector that they change, and the progress of the groups.
///
/// At a step a group changes one turn for each of its stages. It reads the turns before and after these. A group takes
/// a step when the group before it has completed that step. Its predecessor then works at least two turns further along,
/// and does not change what this group reads. The locks are thus always free. They make this visible to the compiler.
struct Team<'t, T, const W: usize> {
    passes: Passes<'t, T, W>,
    schedule: Schedule,
    /// Values of the cells of every turn.
    turns: Vec<RwLock<&'t mut [[T; W]]>>,
    /// Number of steps that every group has completed.
    completed: Vec<AtomicUsize>,
}

/// Applies all stages on `groups` threads. The part is all cells, with workspace for `LINES` lines for every thread.
pub(super) fn run<T: Real, const W: usize>(
    passes: Passes<'_, T, W>,
    (schedule, groups): (Schedule, usize),
    stages: &mut [Stage<'_, T, W>],
    part: Part<'_, T, W>,
) {
    let Part { mut window, row } = part;
    let (stages, coarse) = match stages.split_last_mut() {
        Some((Stage::Restrict(coarse), stages)) => (stages, Some(coarse)),
        _ => (stages, None),
    };
    let before = stages.iter().take_while(|stage| !stage.is_sweep()).count();
    let shares = Shares {
        before,
        sweeps: stages.len() - before,
        groups,
    };
    let [x] = window.lines([passes.lines(0..schedule.count)]);
    Team::new(passes, schedule, x, groups).fork(shares, 0, stages, row);
    if let Some(coarse) = coarse {
        restrict(passes, (window.pieces(), coarse), (row, groups));
    }
}

/// Adds the sums of b − A x over aggregates to the coarse values, on `parts` threads.
fn restrict<T: Real, const W: usize>(
    passes: Passes<'_, T, W>,
    (x, coarse): (Pieces<'_, T, W>, &mut [[T; W]]),
    (row, parts): (&mut [[T; W]], usize),
) {
    let [planes, _, cells] = passes.rows.shape;
    let lines = passes.finished(0..planes).len();
    let (share, width) = (lines.div_ceil(parts), cells.div_ceil(2));
    let rows = row.par_chunks_mut(row.len() / parts);
    let parts = coarse.par_chunks_mut(share * width).zip(rows).enumerate();
    parts.for_each(|(part, (coarse, row))| {
        let first = part * share;
        let lines = first..first + coarse.len() / width;
        let pair = (x, coarse);
        vectorised(
            #[inline(always)]
            || with_sides!(passes.rows, residuals::<T, W>(passes, lines, pair, row)),
        );
    });
}

/// Adds the sums of b − A x over aggregates to coarse lines.
#[inline(always)]
fn residuals<T: Real, const W: usize, const N: usize>(
    passes: Passes<'_, T, W>,
    lines: Range<usize>,
    pair: (Pieces<'_, T, W>, &mut [[T; W]]),
    row: &mut [[T; W]],
) {
    passes.restrict::<N>(lines, pair, row);
}

/// Applies one stage to planes.
#[inline(always)]
fn one<T: Real, const W: usize, const N: usize>(
    passes: Passes<'_, T, W>,
    stage: &mut Stage<'_, T, W>,
    planes: Planes,
    part: &mut Part<'_, T, W>,
) {
    passes.apply::<N>(stage, planes, part);
}

impl<'t, T: Real, const W: usize> Team<'t, T, W> {
    fn new(
        passes: Passes<'t, T, W>,
        schedule: Schedule,
        x: &'t mut [[T; W]],
        groups: usize,
    ) -> Self {
        let [_, lines, cells] = passes.rows.shape;
        let size = schedule.width * lines * cells;
        Self {
            passes,
            schedule,
            turns: match schedule.descending {
                true => x.rchunks_mut(size).map(RwLock::new).collect(),
                false => x.chunks_mut(size).map(RwLock::new).collect(),
            },
            completed: (0..groups).map(|_| AtomicUsize::new(0)).collect(),
        }
    }

    /// Lets the group `group` and all after it do their stages, each on a thread of its own if there is one.
    fn fork(
        &self,
        shares: Shares,
        group: usize,
        stages: &mut [Stage<'_, T, W>],
        row: &mut [[T; W]],
    ) {
        let own = shares.of(group);
        if group + 1 == shares.groups {
            return self.work(group, own.start, stages, row);
        }
        let (first, others) = stages.split_at_mut(own.len());
        let (line, lines) = row.split_at_mut(row.len() / (shares.groups - group));
        // A thread without help does the groups one after another. If another thread takes the others, this one has
        // begun with the first. Hence no group waits for one that does not proceed.
        rayon::join(
            || self.work(group, own.start, first, line),
            || self.fork(shares, group + 1, others, lines),
        );
    }

    /// Does the stages of one group, of which `first` is the number of the first.
    ///
    /// This must not call rayon, which might let the thread wait for a group that it has yet to do itself.
    fn work(&self, group: usize, first: usize, stages: &mut [Stage<'_, T, W>], row: &mut [[T; W]]) {
        let end = Completion(&self.completed[group]);
        for step in first..self.schedule.steps(first + stages.len()) {
            let previous = group.checked_sub(1).map(|group| &self.completed[group]);
            if previous.is_some_and(|previous| !follows(previous, step)) {
                return;
            }
            for (number, stage) in (first..).zip(&mut *stages) {
                if let Some(turn) = self.schedule.turn(step, number) {
                    self.apply(stage, turn, row);
                }
            }
            self.completed[group].store(step + 1, Ordering::Release);
        }
        end.reached();
    }

    /// Applies a stage to the planes of one turn.
    fn apply(&self, stage: &mut Stage<'_, T, W>, turn: usize, row: &mut [[T; W]]) {
        let planes = self.schedule.planes(turn);
        let [_, lines, cells] = self.passes.rows.shape;
        let neighbours = match planes.descending {
            true => [Some(turn + 1), turn.checked_sub(1)],
            false => [turn.checked_sub(1), Some(turn + 1)],
        };
        let [before, after] = neighbours.map(|turn| {
            let turn = self.turns.get(turn?)?;
            Some(turn.read().unwrap_or_else(PoisonError::into_inner))
        });
        let mut own = self.turns[turn]
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let window = Window::between(
            before.as_ref().map_or(&[], |x| &x[..]),
            (planes.range.start * lines * cells, &mut own[..]),
            after.as_ref().map_or(&[], |x| &x[..]),
        );
        let (passes, mut part) = (self.passes, Part { window, row });
        vectorised(
            #[inline(always)]
            || with_sides!(passes.rows, one::<T, W>(passes, stage, planes, &mut part)),
        );
    }
}

/// Distribution of stages over groups.
#[derive(Clone, Copy)]
struct Shares {
    /// Number of stages before the first sweep. They belong to the first group.
    before: usize,
    /// Number of stages after these: sweeps.
    sweeps: usize,
    groups: usize,
}

impl Shares {
    /// Returns the stages of a group.
    fn of(self, group: usize) -> Range<usize> {
        let first = |group: usize| match group {
            0 => 0,
            _ => self.before + self.sweeps * group / self.groups,
        };
        first(group)..first(group + 1)
    }
}

/// Number of completed steps of a group that has done all it had to do. The next group has steps beyond the last of this one.
const ALL: usize = usize::MAX - 1;

/// Number of completed steps of a group that has panicked.
const ABANDONED: usize = usize::MAX;

/// Tells the next group how a group ends. Unless the end is reached, the work has been abandoned.
struct Completion<'c>(&'c AtomicUsize);

impl Completion<'_> {
    fn reached(self) {
        self.0.store(ALL, Ordering::Release);
        std::mem::forget(self);
    }
}

impl Drop for Completion<'_> {
    fn drop(&mut self) {
        self.0.store(ABANDONED, Ordering::Release);
    }
}

/// Waits until the previous group has completed a step. Returns false if it has been abandoned.
fn follows(previous: &AtomicUsize, step: usize) -> bool {
    // A step takes 5 to 200 µs, seldom much longer than it takes to put a thread to sleep and to wake it.
    for looks in 0_usize.. {
        match previous.load(Ordering::Acquire) {
            ABANDONED => return false,
            completed if completed > step => break,
            _ if looks < LOOKS => std::hint::spin_loop(),
            _ => std::thread::yield_now(),
        }
    }
    true
}
