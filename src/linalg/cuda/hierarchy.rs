//! Multigrid hierarchy of a stencil on a device, and its V-cycle.

use std::sync::Arc;

use super::args::{Arg, Pointer, Rows};
use super::device::{Buffer, Device};
use super::equations::{Equations, Form, Operand, Vectors};
use super::passes::{Passes, Width};
use super::plan::Plan;
use super::stored::{Stored, WHAT};
use crate::error::Result;
use crate::linalg::cpu::stencil::coarsening::least_share;
use crate::linalg::cpu::stencil::iterative::unit;
use crate::linalg::cpu::stencil::multigrid::inverse;
use crate::linalg::operator::{Side, Stencil};

/// Returns, for every cell, the product of three factors, which are given by its indices along the axes.
fn products([x, y, z]: &[Vec<f64>; 3]) -> Vec<f64> {
    let plane = |x: f64| y.iter().flat_map(move |y| z.iter().map(move |z| x * y * z));
    x.iter().flat_map(|&x| plane(x)).collect()
}

/// Stencil matrix with its multigrid hierarchy.
pub(super) struct Hierarchy {
    pub(super) plan: Plan,
    /// Matrix and its Galerkin coarsenings in double precision, down to the coarsest level.
    exact: Vec<Stored>,
    /// Coefficients c and |c| of the gauge term c 11ᵀ, which is added to the stencil.
    gauge: Buffer,
    /// All levels from the finest, except for the coarsest, in the precision of the cycles.
    pub(super) levels: Vec<Stored>,
    /// Dense inverse of the matrix on the coarsest level, row by row.
    coarsest: Buffer,
}

impl Hierarchy {
    /// Builds the hierarchy of a stencil on the device. Only the coarsest matrix is inverted on the CPU.
    pub(super) fn new(device: &Arc<Device>, stencil: &Stencil, plan: Plan) -> Result<Self> {
        let (mut exact, mut levels) = (Vec::new(), Vec::new());
        let mut last = Stored::exact(device, plan.shape)?;
        // In three dimensions, all levels together have 8/7 of the cells of the finest. The exact levels are
        // the source of the coarsening, whose sums would lose digits in single precision. The finest of them
        // also serves for the products of the iteration.
        while last.cells() > plan.coarsest {
            levels.push(last.for_cycles(plan.width)?);
            let coarse = last.for_aggregates()?;
            exact.push(std::mem::replace(&mut last, coarse));
        }
        let cells = last.cells();
        exact.push(last);
        let bytes = cells * cells * plan.width.bytes();
        let hierarchy = Self {
            plan,
            exact,
            gauge: device.allocate(2 * size_of::<f64>(), (WHAT, cells))?,
            levels,
            coarsest: device.allocate(bytes, (WHAT, cells))?,
        };
        hierarchy.fill(device, stencil)?;
        Ok(hierarchy)
    }

    /// Computes the coefficients of all levels from a stencil, for which `Plan::of` must return the plan of
    /// this hierarchy.
    fn fill(&self, device: &Device, stencil: &Stencil) -> Result<()> {
        let (unit, width) = (unit(stencil), self.plan.width);
        // If aggregation is the prolongation P, the gauge c 11ᵀ becomes c (Pᵀ1)(Pᵀ1)ᵀ on the coarsest level.
        // Pᵀ1 holds the number of fine cells of every aggregate, which is the product of its lengths along
        // the axes.
        let mut sizes = self.plan.shape.map(|n| vec![1.0; n as usize]);
        let least = least_share(stencil, self.plan.definite);
        self.exact[0].fill(stencil)?;
        for (exact, level) in self.exact.windows(2).zip(&self.levels) {
            level.take_in_units(&exact[0], (width, unit))?;
            exact[1].coarsen(&exact[0], least)?;
            sizes = sizes.map(|along| along.chunks(2).map(|pair| pair.iter().sum()).collect());
        }
        let c = stencil.gauge();
        device.upload(&[c, c.abs()], &self.gauge, 0)?;
        let last = self.exact[self.levels.len()].fetch()?;
        let gauge = (c, &products(&sizes)[..]);
        match width {
            Width::Single => device.upload(&inverse::<f32>(&last, gauge, unit), &self.coarsest, 0),
            Width::Double => device.upload(&inverse::<f64>(&last, gauge, unit), &self.coarsest, 0),
        }
    }

    /// Returns A or Aᵀ as an argument of a kernel.
    fn matrix(&self, side: Side) -> Arg {
        Arg::Rows(self.exact[0].rows(side))
    }

    fn coarsest_cells(&self) -> u32 {
        self.exact[self.levels.len()].cells() as u32
    }

    fn gauged(&self) -> Arg {
        Arg::Count(self.plan.gauged.into())
    }

    /// Computes the term c Σx that the gauge adds to every entry of A x, or |c| Σ|x| for `moduli`. The
    /// kernels that are launched next add this term. Without a gauge, does nothing.
    fn sum_gauge(&self, passes: &Passes, x: (Pointer, Width), moduli: bool) -> Result<()> {
        if !self.plan.gauged {
            return Ok(());
        }
        let offset = if moduli { size_of::<f64>() } else { 0 };
        passes.gauge(self.gauge.address + offset as u64, x, moduli)
    }

    /// Runs one V-cycle on a level and the coarser ones. The workspace must hold a right-hand side and a
    /// solution for each coarser level.
    fn cycle(&self, passes: &Passes, (form, level): (Form, usize), v: Vectors<'_>) -> Result<()> {
        let (Some(stored), [coarse_b, coarse_x, workspace @ ..]) =
            (self.levels.get(level), v.workspace)
        else {
            return self.solve_coarsest(passes, form.side, v);
        };
        let rows = stored.rows(form.side);
        // A cycle is a linear map only if it starts from x = 0. If it started from the x of the last step,
        // the preconditioner would change from step to step.
        self.clear(passes, rows, v.x)?;
        self.sweeps_before(passes, (rows, form.order), v)?;
        self.restrict(passes, rows, v, *coarse_b)?;
        let coarse = Vectors {
            b: *coarse_b,
            x: *coarse_x,
            workspace,
        };
        self.cycle(passes, (form, level + 1), coarse)?;
        self.prolong(passes, rows, *coarse_x, v.x)?;
        self.sweeps_after(passes, (rows, form.order), v)
    }

    fn clear(&self, passes: &Passes, rows: Rows, x: Pointer) -> Result<()> {
        let args = [
            Arg::Pointer(x),
            Arg::Count(rows.cells),
            Arg::Count(passes.shift),
        ];
        passes.over(
            self.plan.width.of(["clear_f", "clear_d"]),
            rows.cells,
            &args,
        )
    }

    pub(super) fn restrict(
        &self,
        passes: &Passes,
        rows: Rows,
        v: Vectors<'_>,
        coarse: Pointer,
    ) -> Result<()> {
        // Residual and restriction share one kernel, with one thread per coarse cell: Pᵀ(b − A x) is summed
        // over eight cells, and b − A x is never stored on the fine level.
        let parents = rows.shape.map(|n| n.div_ceil(2)).iter().product();
        let args = [
            Arg::Rows(rows),
            Arg::Pointer(v.b),
            Arg::Pointer(v.x),
            Arg::Pointer(coarse),
            Arg::Count(parents),
            Arg::Count(passes.shift),
        ];
        passes.over(
            self.plan.width.of(["restrict_f", "restrict_d"]),
            parents,
            &args,
        )
    }

    pub(super) fn prolong(
        &self,
        passes: &Passes,
        rows: Rows,
        coarse: Pointer,
        x: Pointer,
    ) -> Result<()> {
        let args = [
            Arg::Rows(rows),
            Arg::Pointer(coarse),
            Arg::Pointer(x),
            Arg::Count(passes.shift),
        ];
        passes.over(
            self.plan.width.of(["prolong_f", "prolong_d"]),
            rows.cells,
            &args,
        )
    }

    fn solve_coarsest(&self, passes: &Passes, side: Side, v: Vectors<'_>) -> Result<()> {
        let n = self.coarsest_cells();
        // A dense matrix stored by rows is transposed if rows and columns exchange their strides. Since
        // (A⁻¹)ᵀ = (Aᵀ)⁻¹, one inverse serves both sides.
        let (between_rows, between_columns) = match side {
            Side::Plain => (n, 1),
            Side::Transpose => (1, n),
        };
        let args = [
            Arg::Pointer(self.coarsest.address),
            Arg::Pointer(v.b),
            Arg::Pointer(v.x),
            Arg::Count(n),
            Arg::Count(between_rows),
            Arg::Count(between_columns),
            Arg::Count(passes.shift),
        ];
        passes.over(self.plan.width.of(["dense_f", "dense_d"]), n, &args)
    }
}

impl Equations for Hierarchy {
    fn cells(&self) -> usize {
        self.exact[0].cells()
    }

    fn width(&self) -> Width {
        self.plan.width
    }

    fn image(
        &self,
        passes: &Passes,
        side: Side,
        x: Operand,
        [with, out]: [Pointer; 2],
    ) -> Result<()> {
        self.sum_gauge(passes, (x.address, x.width), false)?;
        let args = [
            self.matrix(side),
            Arg::Pointer(x.address),
            Arg::Pointer(out),
            Arg::Pointer(with),
            Arg::Pointer(passes.scalars),
            Arg::Pointer(passes.partial),
            self.gauged(),
            Arg::Count(x.scaled.into()),
            Arg::Count(passes.shift),
        ];
        passes.sums(x.width.of(["image_f", "image_d"]), &args, 2)
    }

    fn residual(
        &self,
        passes: &Passes,
        side: Side,
        x: Pointer,
        [b, out]: [Pointer; 2],
    ) -> Result<()> {
        self.sum_gauge(passes, (x, Width::Double), false)?;
        let args = [
            self.matrix(side),
            Arg::Pointer(x),
            Arg::Pointer(out),
            Arg::Pointer(b),
            Arg::Pointer(passes.scalars),
            Arg::Pointer(passes.partial),
            self.gauged(),
            Arg::Count(passes.shift),
        ];
        passes.sums("residual", &args, 1)
    }

    fn magnitude(&self, passes: &Passes, side: Side, x: Pointer) -> Result<()> {
        self.sum_gauge(passes, (x, Width::Double), true)?;
        let args = [
            self.matrix(side),
            Arg::Pointer(x),
            Arg::Pointer(passes.scalars),
            Arg::Pointer(passes.partial),
            self.gauged(),
            Arg::Count(passes.shift),
        ];
        passes.sums("magnitude", &args, 1)
    }

    fn precondition(&self, passes: &Passes, form: Form, vectors: Vectors<'_>) -> Result<()> {
        self.cycle(passes, (form, 0), vectors)
    }

    fn refill(&self, device: &Device, stencil: &Stencil, plan: Plan) -> Result<bool> {
        if self.plan != plan {
            return Ok(false);
        }
        self.fill(device, stencil).map(|()| true)
    }

    fn workspace_lengths(&self) -> Vec<usize> {
        let coarser = self.levels.iter().skip(1).map(|level| level.cells() as u32);
        let cells = coarser.chain([self.coarsest_cells()]);
        // If there is only one level, it is the coarsest, which uses the vectors of the iteration itself.
        let needed = if self.levels.is_empty() {
            0
        } else {
            usize::MAX
        };
        cells.take(needed).flat_map(|n| [n as usize; 2]).collect()
    }
}
