//! Room for one solve of interleaved columns on a device.

use std::sync::Arc;

use super::MAX_LANES;
use super::args::Pointer;
use super::device::{Buffer, Device, Graph};
use super::equations::{Equations, Vectors};
use super::krylov;
use super::krylov::Method;
use super::passes::{MAX_BLOCKS, Passes, Scalar, THREADS};
use crate::error::Result;
use crate::linalg::operator::Side;

/// What the room is for, in messages.
const WHAT: &str = "iterative solve on the device";

/// The vectors of a solve, for a number of lanes that was fixed when it was made and may shrink within it.
pub(super) struct Workspace {
    pub(super) device: Arc<Device>,
    /// DeviceColumns is room for 2^most lanes.
    most: u32,
    cells: usize,
    /// b, x, r and the others of the method; the last of them is free between two steps.
    pub(super) exact: Vec<Buffer>,
    /// What goes into the preconditioner, and what comes out of it.
    pub(super) rough: Vec<Buffer>,
    coarse: Vec<Buffer>,
    pub(super) scalars: Buffer,
    partial: Buffer,
    steps: Vec<Step>,
}

/// Bytes a lane takes.
pub(super) fn bytes_a_lane(equations: &dyn Equations, method: Method) -> usize {
    let (cells, width) = (equations.cells(), equations.width().bytes());
    let coarse: usize = equations.workspace_lengths().iter().sum();
    let exact = method.vectors() * cells * size_of::<f64>();
    exact + width * (method.rough() * cells + coarse) + sums(1)
}

impl Workspace {
    pub(super) fn new(
        device: &Arc<Device>,
        equations: &dyn Equations,
        method: Method,
        most: u32,
    ) -> Result<Self> {
        let (cells, lanes) = (equations.cells(), 1_usize << most);
        let take = |numbers: usize, size: usize| device.take(numbers * lanes * size, (WHAT, cells));
        let width = equations.width().bytes();
        let exact = (0..method.vectors()).map(|_| take(cells, size_of::<f64>()));
        let rough = (0..method.rough()).map(|_| take(cells, width));
        let coarse = equations.workspace_lengths();
        let scalars = vec![0.0; Scalar::COUNT * MAX_LANES];
        Ok(Self {
            device: Arc::clone(device),
            most,
            cells,
            exact: exact.collect::<Result<_>>()?,
            rough: rough.collect::<Result<_>>()?,
            coarse: coarse
                .into_iter()
                .map(|n| take(n, width))
                .collect::<Result<_>>()?,
            scalars: device.store(&scalars, (WHAT, cells))?,
            // A block has at least one lane of every thread, so fewer lanes never leave more sums.
            partial: device.take(sums(lanes), (WHAT, cells))?,
            steps: Vec::new(),
        })
    }

    /// Whether there is room for 2^shift lanes.
    pub(super) fn has(&self, shift: u32) -> bool {
        self.most >= shift
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        let vectors = self.exact.iter().chain(&self.rough).chain(&self.coarse);
        let bytes: usize = vectors.map(Buffer::bytes).sum();
        bytes + self.partial.bytes()
    }

    /// Which of the vectors of the method is free between two steps.
    pub(super) fn spare(&self) -> usize {
        self.exact.len() - 1
    }

    /// Bytes of a vector with so many lanes.
    pub(super) fn vector(&self, shift: u32) -> usize {
        (self.cells << shift) * size_of::<f64>()
    }

    pub(super) fn passes(&self, shift: u32) -> Passes {
        Passes {
            device: Arc::clone(&self.device),
            shift,
            cells: self.cells as u32,
            scalars: self.scalars.address,
            partial: self.partial.address,
        }
    }

    /// The vectors of the method.
    pub(super) fn vectors<const K: usize>(&self) -> [Pointer; K] {
        std::array::from_fn(|i| self.exact[i].address)
    }

    /// Sends one step of a method: the first for a side and a number of lanes kernel by kernel, which also brings the
    /// kernels onto the device, and from the second on as a graph.
    pub(super) fn step(
        &mut self,
        method: Method,
        equations: &dyn Equations,
        (side, shift): (Side, u32),
    ) -> Result<()> {
        let taken = |step: &&Step| (step.side, step.shift) == (side, shift);
        let Some(at) = self.steps.iter().position(|step| taken(&step)) else {
            self.send(method, equations, (side, shift))?;
            self.steps.push(Step {
                side,
                shift,
                graph: None,
            });
            return Ok(());
        };
        if self.steps[at].graph.is_none() {
            let send = || self.send(method, equations, (side, shift));
            self.steps[at].graph = Some(self.device.record(send)?);
        }
        let graph = self.steps[at].graph.as_ref();
        graph.map_or(Ok(()), |graph| self.device.replay(graph))
    }

    fn send(
        &self,
        method: Method,
        equations: &dyn Equations,
        (side, shift): (Side, u32),
    ) -> Result<()> {
        let passes = self.passes(shift);
        let coarse: Vec<Pointer> = self.coarse.iter().map(|b| b.address).collect();
        let rough = |from: usize, to: usize| Vectors {
            b: self.rough[from].address,
            x: self.rough[to].address,
            workspace: &coarse,
        };
        let with = (&passes, equations, side);
        match method {
            Method::BiCgStab => krylov::bicgstab(with, self.vectors(), [rough(0, 1), rough(0, 2)]),
            Method::ConjugateGradients => {
                krylov::conjugate_gradients(with, self.vectors(), rough(0, 1))
            }
        }
    }
}

/// A step that was taken, for a side and 2^shift lanes, and its graph once it was taken twice.
struct Step {
    side: Side,
    shift: u32,
    graph: Option<Graph>,
}

/// Bytes of the partial sums of two quantities, for so many lanes.
fn sums(lanes: usize) -> usize {
    debug_assert!(lanes <= THREADS as usize);
    2 * MAX_BLOCKS as usize * lanes * size_of::<f64>()
}
