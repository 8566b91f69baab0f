//! Individual kernels of the solvers on a device, for the benchmark that compares them with the memory
//! bandwidth.

use std::time::Instant;

use faer::MatRef;

use super::args::Places;
use super::device::Graph;
use super::equations::{Equations, Operand, Vectors};
use super::hierarchy::Hierarchy;
use super::krylov::Method;
use super::passes::{Passes, Scalar, Width};
use super::plan::Plan;
use super::resident::Resident;
use super::solve::shift_for;
use super::workspace::Workspace;
use super::{Cuda, MAX_LANES, method};
use crate::check;
use crate::error::Result;
use crate::linalg::Batch;
use crate::linalg::cpu::stencil::multigrid::COARSEST;
use crate::linalg::operator::{Side, Stencil};
use crate::linalg::sweep_order::{Estimate, Order, SweepOrder};

/// Intended duration of a measurement in seconds.
const SECONDS: f64 = 0.1;
/// Smallest and largest number of repetitions in a measurement.
const REPETITIONS: [f64; 2] = [5.0, 300.0];

/// Vectors of a batch of equal columns on a device, with the kernels that the solvers apply to them.
pub struct CudaKernels {
    double: Hierarchy,
    single: Hierarchy,
    workspace: Workspace,
    passes: Passes,
}

impl CudaKernels {
    /// Fills the lanes of a workspace with copies of `column`. The number of lanes is the smallest power of
    /// two that is at least `columns`, but at most 64.
    ///
    /// # Errors
    /// Fails with [`Error::Dimension`](crate::Error::Dimension) if `column` has the wrong length. Fails if
    /// the device fails.
    pub fn new(cuda: &Cuda, stencil: &Stencil, (column, columns): (&[f64], usize)) -> Result<Self> {
        check::length("the column of a bench", column.len(), stencil.cells())?;
        let device = &cuda.device;
        let _lock = device.lock_stream();
        let hierarchy = |width| Hierarchy::new(device, stencil, Plan::of(stencil, false, width));
        let (double, single) = (hierarchy(Width::Double)?, hierarchy(Width::Single)?);
        let shift = shift_for(columns.min(MAX_LANES));
        let workspace = Workspace::new(device, &double, Method::ConjugateGradients, shift)?;
        let passes = workspace.passes(shift);
        let kernels = Self {
            double,
            single,
            workspace,
            passes,
        };
        kernels.fill(column)?;
        Ok(kernels)
    }

    /// Copies columns to the device as a batch for [`Factor::solve_batch`](crate::linalg::Factor::solve_batch).
    ///
    /// # Errors
    /// Fails if the device fails.
    pub fn send(cuda: &Cuda, x: MatRef<'_, f64>) -> Result<Batch> {
        let resident = Resident::send(&cuda.device, x)?;
        cuda.device.wait()?;
        Ok(Batch::Device(Box::new(resident)))
    }

    /// Waits until all work that was submitted to a device has finished.
    ///
    /// # Errors
    /// Fails if the device fails.
    pub fn wait(cuda: &Cuda) -> Result<()> {
        let _lock = cuda.device.lock_stream();
        cuda.device.wait()
    }

    /// Returns the size in bytes of a vector in double precision.
    pub fn bytes(&self) -> usize {
        self.workspace.vector(self.passes.shift)
    }

    /// Measures the time in seconds to copy a vector.
    ///
    /// # Errors
    /// Fails if the device fails.
    pub fn copy(&self) -> Result<f64> {
        let [_, _, r, p, _] = self.vectors();
        self.seconds(|| {
            let (device, bytes) = (&self.workspace.device, self.bytes());
            device.copy(r.at(0), p.at(0), bytes)
        })
    }

    /// Measures the time in seconds of a product with the matrix, including its two inner products.
    ///
    /// # Errors
    /// Fails if the device fails.
    pub fn product(&self) -> Result<f64> {
        self.seconds(|| self.image())
    }

    /// Returns the first column of the product with the matrix.
    ///
    /// # Errors
    /// Fails if the device fails.
    pub fn column_of_product(&self) -> Result<Vec<f64>> {
        let _lock = self.workspace.device.lock_stream();
        self.image()?;
        let [_, x, _, _, spare] = self.vectors();
        let mut places = [u32::MAX; MAX_LANES];
        places[0] = 0;
        self.passes
            .separate(x.address, spare.address, Places(places))?;
        let mut column = vec![0.0; self.double.cells()];
        self.workspace.device.download(spare, 0, &mut column)?;
        Ok(column)
    }

    /// Measures the time in seconds of one Gauss-Seidel sweep from a corner, in single or double precision. The sweep is
    /// either a recorded graph, as in solves, or launched hyperplane by hyperplane.
    ///
    /// # Errors
    /// Fails if the device fails.
    pub fn sweep(&self, single: bool, recorded: bool) -> Result<f64> {
        self.sweep_in(Order::Corners, single, recorded)
    }

    /// Measures the time in seconds of one red-black sweep, as [`sweep`](Self::sweep) does.
    ///
    /// # Errors
    /// Fails if the device fails.
    pub fn red_black_sweep(&self, single: bool, recorded: bool) -> Result<f64> {
        self.sweep_in(Order::RedBlack, single, recorded)
    }

    fn sweep_in(&self, order: Order, single: bool, recorded: bool) -> Result<f64> {
        let hierarchy = if single { &self.single } else { &self.double };
        let v = Vectors {
            b: self.workspace.rough[0].address,
            x: self.workspace.rough[1].address,
            workspace: &[],
        };
        self.clear_rough(hierarchy.width())?;
        let sweep = || hierarchy.sweep_finest(&self.passes, (Side::Plain, order), v);
        if recorded {
            let graph: Graph = {
                let _lock = self.workspace.device.lock_stream();
                self.workspace.device.record(sweep)?
            };
            self.seconds(|| self.workspace.device.replay(&graph))
        } else {
            self.seconds(sweep)
        }
    }

    /// Returns the number of kernel launches of a sweep from a corner.
    pub fn launches(&self) -> usize {
        self.double.launches_a_sweep(Order::Corners)
    }

    /// Returns the number of kernel launches of one step of an iterative solve with a stencil on a grid. `form` says
    /// whether the stencil is positive definite, and whether it has a gauge.
    pub fn launches_a_step(
        shape: [u32; 3],
        form: (bool, bool),
        (columns, sweeps): (usize, SweepOrder),
    ) -> usize {
        let ((definite, gauged), lanes) = (form, columns.min(MAX_LANES));
        let order = match sweeps {
            SweepOrder::Auto => Estimate::of(shape.map(|n| n as usize), definite).faster(lanes),
            SweepOrder::Corners => Order::Corners,
            SweepOrder::RedBlack => Order::RedBlack,
        };
        let plan = Plan {
            shape,
            definite,
            gauged,
            width: Width::Double,
            coarsest: COARSEST,
        };
        method(definite).launches(&plan, order, shift_for(lanes))
    }

    fn vectors(&self) -> [&super::device::Buffer; 5] {
        std::array::from_fn(|i| &self.workspace.exact[i])
    }

    fn image(&self) -> Result<()> {
        let [b, x] = self.workspace.vectors();
        let operand = Operand {
            address: b,
            width: Width::Double,
            scaled: false,
        };
        self.double
            .image(&self.passes, Side::Plain, operand, [b, x])
    }

    /// Fills all lanes of b and r with the column, those of x and p with zeros, and all scalars with ones.
    fn fill(&self, column: &[f64]) -> Result<()> {
        let (device, lanes) = (&self.workspace.device, 1_usize << self.passes.shift);
        let [b, x, r, p, spare] = self.vectors();
        let bytes = size_of_val(column);
        device.upload(column, spare, 0)?;
        for lane in 1..lanes {
            device.copy(spare.at(0), spare.at(lane * bytes), bytes)?;
        }
        self.passes
            .interleave(spare.address, b.address, lanes as u32)?;
        device.copy(b.at(0), r.at(0), self.bytes())?;
        for zeros in [x, p] {
            device.clear(zeros, self.bytes())?;
        }
        let ones = vec![1.0; Scalar::COUNT * MAX_LANES];
        device.upload(&ones, &self.workspace.scalars, 0)
    }

    /// Rounds b to the precision `width` as the input of the preconditioner, and sets its output to zero.
    fn clear_rough(&self, width: Width) -> Result<()> {
        let device = &self.workspace.device;
        let _lock = device.lock_stream();
        let [b, x] = [&self.workspace.rough[0], &self.workspace.rough[1]];
        let [from, ..] = self.vectors();
        let round = width.of(["round_f", "round_d"]);
        self.passes.vectors(round, &[from.address, b.address])?;
        device.clear(x, x.bytes())
    }

    /// Returns the mean time of one call of `pass` in seconds. Two preliminary calls warm up the device and
    /// determine the number of repetitions.
    fn seconds(&self, mut pass: impl FnMut() -> Result<()>) -> Result<f64> {
        let device = &self.workspace.device;
        let _lock = device.lock_stream();
        let mut timed = |repetitions: u32| -> Result<f64> {
            device.wait()?;
            let begin = Instant::now();
            for _ in 0..repetitions {
                pass()?;
            }
            device.wait()?;
            Ok(begin.elapsed().as_secs_f64() / f64::from(repetitions))
        };
        // The first run loads kernels and fills caches, and does not count.
        timed(1)?;
        let once = timed(1)?;
        // Submission is asynchronous, so that the measurement ends with the wait after all repetitions. Many
        // repetitions hide the latency of this wait.
        let [least, most] = REPETITIONS;
        timed((SECONDS / once).clamp(least, most) as u32)
    }
}
