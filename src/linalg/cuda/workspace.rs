//! Workspace for solves with interleaved columns on a device.

use std::sync::Arc;

use super::args::Pointer;
use super::device::{Buffer, Device, Graph};
use super::equations::{Equations, Form, Vectors};
use super::krylov::Method;
use super::passes::{MAX_BLOCKS, Passes, Scalar, THREADS};
use super::{MAX_LANES, krylov};
use crate::error::Result;

/// Name of the workspace in error messages.
const WHAT: &str = "iterative solve on the device";

/// Vectors, scalars and recorded steps of a solve. The number of lanes is bounded at construction; a solve
/// may use any smaller power of two.
pub(super) struct Workspace {
    pub(super) device: Arc<Device>,
    /// Binary logarithm of the largest number of lanes.
    max_shift: u32,
    cells: usize,
    /// Vectors of the method in double precision: b, x, r and others. The last vector is free between two steps.
    pub(super) exact: Vec<Buffer>,
    /// Input and outputs of the preconditioner, in its precision.
    pub(super) rough: Vec<Buffer>,
    /// Vectors that serve as workspace of the preconditioner.
    coarse: Vec<Buffer>,
    pub(super) scalars: Buffer,
    /// Partial sums, written by the blocks of a kernel.
    partial: Buffer,
    steps: Vec<Step>,
}

/// Returns the number of bytes per lane of a workspace.
pub(super) fn bytes_a_lane(equations: &dyn Equations, method: Method) -> usize {
    let (cells, width) = (equations.cells(), equations.width().bytes());
    let coarse: usize = equations.workspace_lengths().iter().sum();
    let exact = method.vectors() * cells * size_of::<f64>();
    // Partial sums of two quantities per block and lane are added to the vectors.
    exact + width * (method.rough() * cells + coarse) + sums(1)
}

impl Workspace {
    pub(super) fn new(
        device: &Arc<Device>,
        equations: &dyn Equations,
        method: Method,
        max_shift: u32,
    ) -> Result<Self> {
        let (cells, lanes) = (equations.cells(), 1_usize << max_shift);
        let allocate =
            |numbers: usize, size: usize| device.allocate(numbers * lanes * size, (WHAT, cells));
        let width = equations.width().bytes();
        let exact = (0..method.vectors()).map(|_| allocate(cells, size_of::<f64>()));
        let rough = (0..method.rough()).map(|_| allocate(cells, width));
        let coarse = equations.workspace_lengths();
        let scalars = vec![0.0; Scalar::COUNT * MAX_LANES];
        Ok(Self {
            device: Arc::clone(device),
            max_shift,
            cells,
            exact: exact.collect::<Result<_>>()?,
            rough: rough.collect::<Result<_>>()?,
            coarse: coarse
                .into_iter()
                .map(|n| allocate(n, width))
                .collect::<Result<_>>()?,
            scalars: device.store(&scalars, (WHAT, cells))?,
            // At most MAX_BLOCKS blocks write one sum per lane and quantity, so that fewer lanes need no more
            // space.
            partial: device.allocate(sums(lanes), (WHAT, cells))?,
            steps: Vec::new(),
        })
    }

    /// Returns whether the workspace suffices for 2^shift lanes.
    pub(super) fn has(&self, shift: u32) -> bool {
        self.max_shift >= shift
    }

    /// Returns the size of all vectors in bytes.
    pub(super) fn bytes(&self) -> usize {
        let vectors = self.exact.iter().chain(&self.rough).chain(&self.coarse);
        let bytes: usize = vectors.map(Buffer::bytes).sum();
        bytes + self.partial.bytes()
    }

    /// Returns the index of the vector that is free between two steps.
    pub(super) fn spare(&self) -> usize {
        self.exact.len() - 1
    }

    /// Returns the size in bytes of a double-precision vector with 2^shift lanes.
    pub(super) fn vector(&self, shift: u32) -> usize {
        (self.cells << shift) * size_of::<f64>()
    }

    /// Returns a launcher of kernels for 2^shift lanes.
    pub(super) fn passes(&self, shift: u32) -> Passes {
        Passes {
            device: Arc::clone(&self.device),
            shift,
            cells: self.cells as u32,
            scalars: self.scalars.address,
            partial: self.partial.address,
        }
    }

    /// Returns the addresses of the first K vectors of the method.
    pub(super) fn vectors<const K: usize>(&self) -> [Pointer; K] {
        std::array::from_fn(|i| self.exact[i].address)
    }

    /// Submits one step of a method. For every form and number of lanes, the first step is launched kernel by
    /// kernel, which also loads the kernels onto the device. The second step is recorded as a graph, which
    /// later steps replay.
    pub(super) fn step(
        &mut self,
        method: Method,
        equations: &dyn Equations,
        (form, shift): (Form, u32),
    ) -> Result<()> {
        let matches = |step: &&Step| (step.form, step.shift) == (form, shift);
        // A step of BiCGSTAB on 128³ cells launches some 9 000 kernels with sweeps from corners. A graph submits them in one
        // call. All arguments are addresses, which do not change within a workspace.
        let Some(at) = self.steps.iter().position(|step| matches(&step)) else {
            self.launch(method, equations, (form, shift))?;
            self.steps.push(Step {
                form,
                shift,
                graph: None,
            });
            return Ok(());
        };
        if self.steps[at].graph.is_none() {
            let launch = || self.launch(method, equations, (form, shift));
            self.steps[at].graph = Some(self.device.record(launch)?);
        }
        let graph = self.steps[at].graph.as_ref();
        graph.map_or(Ok(()), |graph| self.device.replay(graph))
    }

    /// Launches the kernels of one step.
    fn launch(
        &self,
        method: Method,
        equations: &dyn Equations,
        (form, shift): (Form, u32),
    ) -> Result<()> {
        let passes = self.passes(shift);
        let coarse: Vec<Pointer> = self.coarse.iter().map(|b| b.address).collect();
        let vectors = |from: usize, to: usize| Vectors {
            b: self.rough[from].address,
            x: self.rough[to].address,
            workspace: &coarse,
        };
        let system = (&passes, equations, form);
        match method {
            Method::BiCgStab => {
                krylov::bicgstab(system, self.vectors(), [vectors(0, 1), vectors(0, 2)])
            }
            Method::ConjugateGradients => {
                krylov::conjugate_gradients(system, self.vectors(), vectors(0, 1))
            }
        }
    }
}

/// Recorded step in one form for 2^shift lanes. The graph is recorded when the step is submitted for the
/// second time.
struct Step {
    form: Form,
    shift: u32,
    graph: Option<Graph>,
}

/// Returns the size in bytes of the partial sums of two quantities.
fn sums(lanes: usize) -> usize {
    debug_assert!(lanes <= THREADS as usize);
    2 * MAX_BLOCKS as usize * lanes * size_of::<f64>()
}
