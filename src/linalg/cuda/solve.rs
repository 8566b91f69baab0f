//! Iterative solve of one block of interleaved columns on a device. Finished columns leave the block.
//!
//! The scalars of the methods stay on the device. After every step they are copied to the CPU, a few
//! kilobytes. [`Progress`], which also judges the iterations on the CPU, then decides which columns are
//! finished.

use super::MAX_LANES;
use super::args::{Places, Pointer};
use super::equations::{Equations, Form};
use super::krylov::Method;
use super::passes::{Passes, Scalar};
use super::workspace::Workspace;
use crate::error::{Error, Result};
use crate::linalg::SolveStats;
use crate::linalg::cpu::stencil::lanes::scale;
use crate::linalg::cpu::stencil::progress::{Criteria, Progress, ROUNDINGS, Truth};
use crate::linalg::cpu::stencil::workspace::select_lanes;

/// One value per lane.
type PerLane = [f64; MAX_LANES];

/// Number of lanes per active lane from which a block is narrowed. More frequent narrowing would not pay off,
/// because a step must be recorded anew for every number of lanes.
// The cost of a step is proportional to the number of lanes, active or not. Narrowing by four saves three
// quarters of it, and happens at most three times from 64 lanes: to 16, 4 and 1.
const NARROWING: usize = 4;

/// Consecutive columns in host or device memory.
pub(super) trait Source {
    /// Copies all columns into a vector of the workspace, one after another.
    fn send(&self, workspace: &Workspace, vector: usize) -> Result<()>;
}

/// Right-hand sides that a solve replaces by solutions.
pub(super) trait Columns: Source {
    /// Returns the number of right-hand sides.
    fn count(&self) -> usize;

    /// Replaces column `to` by column `from` of a workspace vector, which must hold columns one after
    /// another. `places` is `(from, to)`.
    fn receive(
        &mut self,
        workspace: &Workspace,
        vector: usize,
        places: (usize, usize),
    ) -> Result<()>;
}

/// Matrix, method, form and stopping criteria of a solve.
pub(super) struct Task<'t> {
    pub(super) equations: &'t dyn Equations,
    pub(super) method: Method,
    pub(super) form: Form,
    pub(super) criteria: Criteria,
}

/// State of the solve of a block of columns.
struct Run<'r> {
    task: &'r Task<'r>,
    workspace: &'r mut Workspace,
    passes: Passes,
    /// Copy of the scalars on the device, as of the latest exchange.
    scalars: Vec<f64>,
    progress: Progress<MAX_LANES>,
    /// Index of the column in every lane.
    columns: [usize; MAX_LANES],
    /// Number of lanes in use.
    count: usize,
}

/// Solves A X = B or Aᵀ X = B in place for one block of columns, starting from `guess` or from zero.
pub(super) fn solve(
    task: &Task<'_>,
    workspace: &mut Workspace,
    guess: Option<&dyn Source>,
    columns: &mut dyn Columns,
) -> Result<SolveStats> {
    let count = columns.count();
    let mut run = Run {
        passes: workspace.passes(shift_for(count)),
        task,
        workspace,
        scalars: vec![0.0; Scalar::COUNT * MAX_LANES],
        progress: Progress::new([0.0; MAX_LANES]),
        columns: std::array::from_fn(|l| l),
        count,
    };
    run.begin(guess, columns)?;
    while run.progress.unfinished() > 0 {
        run.step()?;
        if run.progress.unfinished() * NARROWING <= 1 << run.passes.shift {
            run.retire(columns)?;
        }
    }
    run.retire(columns)?;
    Ok(run.progress.stats())
}

/// Returns the binary logarithm of the smallest power of two that is at least `columns`.
pub(super) fn shift_for(columns: usize) -> u32 {
    columns.max(1).next_power_of_two().trailing_zeros()
}

impl Run<'_> {
    /// Scales and interleaves the right-hand sides, and computes the initial residuals.
    fn begin(&mut self, guess: Option<&dyn Source>, columns: &dyn Columns) -> Result<()> {
        let [b, x, r] = self.workspace.vectors();
        let (spare, bytes) = (
            self.workspace.spare(),
            self.workspace.vector(self.passes.shift),
        );
        let place = self.workspace.exact[spare].address;
        columns.send(self.workspace, spare)?;
        self.passes.interleave(place, b, self.count as u32)?;
        self.normalise(b, spare)?;
        let exact = &self.workspace.exact;
        self.workspace
            .device
            .copy(exact[0].at(0), exact[2].at(0), bytes)?;
        self.passes.squares(b)?;
        let size = norms(self.workspace, self.passes.shift)?;
        self.progress = Progress::new(size);
        let mut residual = size;
        if let Some(guess) = guess {
            guess.send(self.workspace, spare)?;
            self.passes.interleave(place, x, self.count as u32)?;
            self.passes.vectors("rescale", &[x])?;
            let equations = self.task.equations;
            equations.residual(&self.passes, self.task.form.side, x, [b, r])?;
            residual = norms(self.workspace, self.passes.shift)?;
            // The residual of zero is b. A guess whose residual is not smaller, or NaN, is replaced by zero.
            let useless: [bool; MAX_LANES] =
                std::array::from_fn(|l| residual[l].is_nan() || residual[l] >= size[l]);
            self.passes.copy_lanes(None, x, &useless)?;
            self.passes.copy_lanes(Some(b), r, &useless)?;
            for l in (0..MAX_LANES).filter(|&l| useless[l]) {
                residual[l] = size[l];
            }
            self.progress.begin(self.task.criteria.tolerance, &residual);
        } else {
            self.workspace
                .device
                .clear(&self.workspace.exact[1], bytes)?;
        }
        // A first step multiplies these vectors by zero, so that they must not contain NaN.
        for vector in &self.workspace.exact[3..] {
            self.workspace.device.clear(vector, bytes)?;
        }
        // Every column starts as fresh: its first step takes p = r. ρ = α = ω = 1 keep the unused β finite.
        for ones in [
            Scalar::Fresh,
            Scalar::Rho,
            Scalar::Last,
            Scalar::Alpha,
            Scalar::Omega,
        ] {
            self.set(ones, &[1.0; MAX_LANES]);
        }
        self.set(Scalar::Size, &residual);
        self.set(Scalar::ShadowSize, &residual);
        self.send_scalars()
    }

    /// Runs one step for all lanes, and judges the residuals.
    fn step(&mut self) -> Result<()> {
        let Task {
            equations,
            method,
            form,
            criteria,
        } = *self.task;
        // There is one exchange per step: the device works through the queue of a step while the CPU waits
        // for the scalars.
        self.progress.count(&criteria, method.products())?;
        self.workspace
            .step(method, equations, (form, self.passes.shift))?;
        self.receive_scalars()?;
        let (mut estimates, fresh) = (self.get(Scalar::Size), self.get(Scalar::Fresh));
        let active = self.progress.active;
        let mut solution = Solution {
            task: self.task,
            workspace: self.workspace,
            passes: &self.passes,
        };
        // Columns whose true residual exceeds the estimate of the iteration restart from the true residual.
        let restart = self
            .progress
            .judge(&criteria, &mut estimates, &mut solution)?;
        if restart != [false; MAX_LANES] || active != self.progress.active {
            self.set(Scalar::Size, &estimates);
            let fresh = std::array::from_fn(|l| if restart[l] { 1.0 } else { fresh[l] });
            self.set(Scalar::Fresh, &fresh);
            self.send_scalars()?;
        }
        Ok(())
    }

    /// Writes finished solutions to their columns, and narrows the block to the lanes that the other columns
    /// need.
    fn retire(&mut self, columns: &mut dyn Columns) -> Result<()> {
        let spare = self.workspace.spare();
        let [_, x] = self.workspace.vectors();
        let active = self.progress.active;
        let (keep, done): (Vec<usize>, Vec<usize>) = (0..self.count).partition(|&l| active[l]);
        if !done.is_empty() {
            self.check_overflow(x, &done)?;
            let mut places = [u32::MAX; MAX_LANES];
            done.iter().for_each(|&l| places[l] = l as u32);
            let workspace = &self.workspace.exact[spare];
            self.passes.separate(x, workspace.address, Places(places))?;
            for l in done {
                columns.receive(self.workspace, spare, (l, self.columns[l]))?;
            }
        }
        if keep.is_empty() {
            self.count = 0;
            return Ok(());
        }
        self.narrow(&keep)
    }

    /// Scales columns by powers of two to a largest modulus near 1, so that squares neither overflow nor
    /// underflow. The scaling is exact.
    fn normalise(&mut self, b: Pointer, spare: usize) -> Result<()> {
        self.passes.largest(b)?;
        // The largest modulus of a column determines its scale, and also reveals NaN and infinity.
        let largest = first_sums(self.workspace, self.passes.shift)?;
        if let Some(l) = (0..self.count).find(|&l| !largest[l].is_finite()) {
            return Err(self.not_finite(spare, l)?);
        }
        self.set(Scalar::Factor, &largest.map(scale));
        self.send_scalars()?;
        self.passes.vectors("rescale", &[b])
    }

    /// Returns the error for a right-hand side that is not finite. Only resident columns can reach this point
    /// unchecked.
    fn not_finite(&self, vector: usize, l: usize) -> Result<Error> {
        let mut column = vec![0.0_f64; self.task.equations.cells()];
        let (columns, offset) = (&self.workspace.exact[vector], l * size_of_val(&column[..]));
        self.workspace
            .device
            .download(columns, offset, &mut column)?;
        let index = column.iter().position(|x| !x.is_finite()).unwrap_or(0);
        Ok(Error::NotFinite {
            what: "the right-hand side of a linear solve",
            index,
            value: column[index],
        })
    }

    /// Fails if a finished solution overflows when it is divided by its scale factor.
    fn check_overflow(&self, x: Pointer, done: &[usize]) -> Result<()> {
        self.passes.largest(x)?;
        // x was computed for b scaled by `factors`, so that the solution is x divided by them.
        let (largest, factors) = (
            first_sums(self.workspace, self.passes.shift)?,
            self.get(Scalar::Factor),
        );
        if done.iter().all(|&l| (largest[l] / factors[l]).is_finite()) {
            return Ok(());
        }
        Err(Error::Stagnation {
            solver: self.task.criteria.name,
            iterations: self.progress.stats().iterations,
            residual: f64::INFINITY,
        })
    }

    /// Moves the lanes `keep` to the front, and continues with the smallest number of lanes that holds them.
    fn narrow(&mut self, keep: &[usize]) -> Result<()> {
        let wide = self.passes.shift;
        self.passes.shift = shift_for(keep.len());
        // Lanes move within a vector. The kernel therefore writes to the spare vector, which is then copied back.
        let mut from = [u32::MAX; MAX_LANES];
        from.iter_mut().zip(keep).for_each(|(f, &l)| *f = l as u32);
        let (workspace, bytes) = (&*self.workspace, self.workspace.vector(self.passes.shift));
        if let [vectors @ .., spare] = &workspace.exact[..] {
            for vector in vectors {
                self.passes
                    .narrow(vector.address, spare.address, Places(from), wide)?;
                workspace.device.copy(spare.at(0), vector.at(0), bytes)?;
            }
        }
        for numbers in self.scalars.as_chunks_mut::<MAX_LANES>().0 {
            *numbers = select_lanes(*numbers, keep, 0.0);
        }
        self.columns = select_lanes(self.columns, keep, 0);
        self.progress.narrow(keep);
        self.count = keep.len();
        self.send_scalars()
    }

    fn get(&self, scalar: Scalar) -> PerLane {
        std::array::from_fn(|l| self.scalars[scalar.start() + l])
    }

    fn set(&mut self, scalar: Scalar, numbers: &PerLane) {
        self.scalars[scalar.start()..][..MAX_LANES].copy_from_slice(numbers);
    }

    /// Copies the scalars to the device, after an update of the flags of the active lanes.
    fn send_scalars(&mut self) -> Result<()> {
        let active = self.progress.active.map(|a| if a { 1.0 } else { 0.0 });
        self.set(Scalar::Active, &active);
        self.workspace
            .device
            .upload(&self.scalars, &self.workspace.scalars, 0)
    }

    fn receive_scalars(&mut self) -> Result<()> {
        let device = &self.workspace.device;
        device.download(&self.workspace.scalars, 0, &mut self.scalars)
    }
}

/// Returns the sums that the latest pass stored in `FirstSum`, with zeros beyond the lanes in use.
fn first_sums(workspace: &Workspace, shift: u32) -> Result<PerLane> {
    let mut sums: PerLane = [0.0; MAX_LANES];
    let offset = Scalar::FirstSum.start() * size_of::<f64>();
    workspace
        .device
        .download(&workspace.scalars, offset, &mut sums)?;
    sums[1 << shift..].fill(0.0);
    Ok(sums)
}

/// Returns the square roots of the sums in `FirstSum`.
fn norms(workspace: &Workspace, shift: u32) -> Result<PerLane> {
    Ok(first_sums(workspace, shift)?.map(f64::sqrt))
}

/// Access to the current solution for [`Progress::judge`].
struct Solution<'s> {
    task: &'s Task<'s>,
    workspace: &'s Workspace,
    passes: &'s Passes,
}

impl Solution<'_> {
    fn spare(&self) -> Pointer {
        self.workspace.exact[self.workspace.spare()].address
    }
}

impl Truth<MAX_LANES> for Solution<'_> {
    fn rows(&self) -> usize {
        self.task.equations.cells()
    }

    fn residual(&mut self) -> Result<PerLane> {
        let [b, x] = self.workspace.vectors();
        let out = [b, self.spare()];
        self.task
            .equations
            .residual(self.passes, self.task.form.side, x, out)?;
        norms(self.workspace, self.passes.shift)
    }

    fn adopt(&mut self, which: &[bool; MAX_LANES]) -> Result<()> {
        let [_, _, r] = self.workspace.vectors();
        self.passes.copy_lanes(Some(self.spare()), r, which)
    }

    fn rounding(&mut self) -> Result<PerLane> {
        let [_, x] = self.workspace.vectors();
        self.task
            .equations
            .magnitude(self.passes, self.task.form.side, x)?;
        let sizes = norms(self.workspace, self.passes.shift)?;
        Ok(sizes.map(|size| ROUNDINGS * f64::EPSILON * size))
    }
}
