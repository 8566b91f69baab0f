//! A few columns solved by iteration: side by side, and fewer and fewer as they are done.

use faer::prelude::{Reborrow, ReborrowMut};
use faer::{MatMut, MatRef};

use super::lanes::{PerLane, interleave, scales, separate, squares};
use super::progress::Progress;
use super::system::{Sides, System};
use super::workspace::{Parts, Room, WIDEST, width};
use crate::error::{Error, Result};
use crate::linalg::SolveStats;
use crate::linalg::operator::Real;

/// A method, with its scalars. The first two of its vectors are x and r.
pub(crate) trait Iteration: Sized {
    /// How many vectors it needs.
    const VECTORS: usize;
    /// Products with A in every step.
    const PRODUCTS: usize;

    /// From residuals of this size.
    fn new(residual: PerLane) -> Self;

    /// One step for all lanes that are active.
    fn step<T: Real, const W: usize>(
        &mut self,
        equations: (&System<'_, T>, Sides<'_>),
        room: &mut Room<T>,
        progress: &mut Progress,
    ) -> Result<()>;

    /// Passes to these of the lanes.
    fn narrow(&mut self, keep: &[usize]);
}

/// Calls `$call::<I, T, W>($args)` for a number W of lanes that is known when it runs.
macro_rules! with_width {
    ($width:expr, $call:ident ( $($arg:expr),* )) => {
        match $width {
            1 => $call::<I, T, 1>($($arg),*),
            4 => $call::<I, T, 4>($($arg),*),
            8 => $call::<I, T, 8>($($arg),*),
            _ => $call::<I, T, WIDEST>($($arg),*),
        }
    };
}

/// Where the columns stand, and how far they are.
struct Run<I> {
    iteration: I,
    progress: Progress,
    /// The columns of the lanes.
    columns: [usize; WIDEST],
    /// What was taken out of each column.
    scales: PerLane,
    /// Lanes in use.
    count: usize,
}

/// chunk ← A⁻¹ chunk, from what is nearly that if it is known.
pub(super) fn solve<I: Iteration, T: Real>(
    system: &System<'_, T>,
    room: &mut Room<T>,
    near: Option<MatRef<'_, f64>>,
    mut chunk: MatMut<'_, f64>,
) -> Result<SolveStats> {
    let mut lanes = width(chunk.ncols());
    let mut run: Run<I> = with_width!(lanes, begin(system, room, near, chunk.rb()))?;
    while run.count > 0 {
        with_width!(lanes, advance(system, room, &mut run, chunk.rb_mut()))?;
        lanes = run.narrow(room, lanes);
    }
    Ok(run.progress.stats())
}

fn begin<I: Iteration, T: Real, const W: usize>(
    system: &System<'_, T>,
    room: &mut Room<T>,
    near: Option<MatRef<'_, f64>>,
    chunk: MatRef<'_, f64>,
) -> Result<Run<I>> {
    let Parts { exact: [x, r], .. } = room.parts::<W, 2>();
    let scales = scales(chunk);
    interleave(chunk, &scales, r);
    let size = squares(r).map(f64::sqrt);
    let mut progress = Progress::new(size);
    let Some(near) = near else {
        x.fill([0.0; W]);
        return Ok(Run::new(I::new(size), progress, (scales, chunk.ncols())));
    };
    interleave(near, &scales, x);
    let columns = std::array::from_fn::<usize, WIDEST, _>(|l| l);
    let b = Sides {
        batch: chunk,
        columns: &columns[..chunk.ncols()],
        factors: &scales,
    };
    let mut residual = system.residual(b, (x, r));
    // What is no nearer than zero, or no number, does not help.
    let useless: [bool; WIDEST] =
        std::array::from_fn(|l| residual[l].is_nan() || residual[l] >= size[l]);
    for l in (0..W).filter(|&l| useless[l]) {
        x.iter_mut().for_each(|x| x[l] = 0.0);
    }
    if useless.contains(&true) {
        // Those begin from zero, and so from b.
        residual = system.residual(b, (x, r));
    }
    progress.begin(system.criteria.tolerance, &residual);
    Ok(Run::new(
        I::new(residual),
        progress,
        (scales, chunk.ncols()),
    ))
}

/// Steps until so many lanes are done that fewer will do, and puts those into their columns.
fn advance<I: Iteration, T: Real, const W: usize>(
    system: &System<'_, T>,
    room: &mut Room<T>,
    run: &mut Run<I>,
    chunk: MatMut<'_, f64>,
) -> Result<()> {
    while run.progress.unfinished() > 0 && width(run.progress.unfinished()) == W {
        run.progress.count(&system.criteria, I::PRODUCTS)?;
        // Columns that are not done still hold their right-hand sides.
        let b = Sides {
            batch: chunk.rb(),
            columns: &run.columns[..run.count],
            factors: &run.scales,
        };
        let equations = (system, b);
        run.iteration
            .step::<T, W>(equations, room, &mut run.progress)?;
    }
    let Parts { exact: [x], .. } = room.parts::<W, 1>();
    let done = (0..run.count).filter(|&l| !run.progress.active[l]);
    let places = done.map(|l| (l, run.columns[l], run.scales[l].recip()));
    if separate(x, chunk, places) {
        return Ok(());
    }
    Err(Error::Stagnation {
        solver: system.criteria.name,
        iterations: run.progress.stats().iterations,
        residual: f64::INFINITY,
    })
}

impl<I: Iteration> Run<I> {
    fn new(iteration: I, progress: Progress, (scales, count): (PerLane, usize)) -> Self {
        Self {
            iteration,
            progress,
            columns: std::array::from_fn(|l| l),
            scales,
            count,
        }
    }

    /// Leaves out the lanes that are done; returns how many stand side by side from now on.
    fn narrow<T: Real>(&mut self, room: &mut Room<T>, lanes: usize) -> usize {
        let mut keep = [0; WIDEST];
        let mut count = 0;
        for l in (0..self.count).filter(|&l| self.progress.active[l]) {
            (keep[count], self.columns[count]) = (l, self.columns[l]);
            self.scales[count] = self.scales[l];
            count += 1;
        }
        let (keep, to) = (&keep[..count], width(count));
        room.narrow(lanes, to, keep);
        self.iteration.narrow(keep);
        self.progress.narrow(keep);
        self.count = count;
        to
    }
}
