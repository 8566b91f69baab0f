//! Safe wrappers of the CUDA driver: a device, its memory, its kernels, and graphs of kernels.
//!
//! All work is submitted in order to one stream. A caller holds the lock of the stream while it submits work
//! that must not be mixed with that of other threads. A dropped buffer is not freed immediately: another
//! thread may be recording a graph, during which freeing is illegal, and submitted work may still use the
//! buffer. The next allocation waits for the stream and frees the buffer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cudarc::driver::result::{self, DriverError};
use cudarc::driver::sys::{self, CUresult, CUstreamCaptureMode};
use cudarc::driver::{
    CudaContext, CudaFunction, CudaGraph, CudaStream, LaunchConfig, PushKernelArg,
};

use super::args::{Arg, Number, Pointer, Shape};
use super::staging::{STAGING_THRESHOLD, Staging};
use super::{args, compile};
use crate::error::{Error, Result};

/// Result of a driver call.
type Outcome = std::result::Result<(), DriverError>;

/// CUDA device with one stream and the compiled kernels.
pub(super) struct Device {
    context: Arc<CudaContext>,
    stream: Arc<CudaStream>,
    kernels: HashMap<&'static str, CudaFunction>,
    name: String,
    /// Lock that a caller holds while it submits work that must not be mixed with that of other threads.
    stream_lock: Mutex<()>,
    /// Addresses of dropped buffers that are not yet freed.
    dropped: Mutex<Vec<Pointer>>,
    staging: Mutex<Option<Staging>>,
    /// Number of kernels that were launched or recorded.
    pub(super) launched: AtomicUsize,
}

/// Buffer in device memory. Its initial contents are undefined and must not be read.
pub(super) struct Buffer {
    device: Arc<Device>,
    pub(super) address: Pointer,
    bytes: usize,
}

/// Place in a buffer, counted in bytes, at which a copy starts.
#[derive(Clone, Copy)]
pub(super) struct Position<'b> {
    buffer: &'b Buffer,
    offset: usize,
}

/// Recorded sequence of kernels that is submitted as a whole.
pub(super) struct Graph(CudaGraph);

// SAFETY: a graph is launched only by the thread that holds the lock of its device, and dropped by its single owner.
unsafe impl Send for Graph {}

impl Device {
    /// Opens the device with the number `ordinal`, counted from 0, and compiles the kernels for it.
    pub(super) fn open(ordinal: usize) -> Result<Arc<Self>> {
        // SAFETY: only loads the library, which runs no code but its initialisers.
        if !unsafe { sys::is_culib_present() } {
            return Err(Error::Device {
                what: "the CUDA driver (libcuda)",
                detail: "it is not installed on this machine, or not on LD_LIBRARY_PATH".into(),
            });
        }
        let count = CudaContext::device_count().map_err(|e| failed("the CUDA driver", &e))?;
        if ordinal >= usize::try_from(count).unwrap_or(0) {
            return Err(Error::Device {
                what: "a CUDA device",
                detail: format!(
                    "number {ordinal} was requested, but this machine has {count}, counted from 0"
                ),
            });
        }
        let opened = |e: DriverError| failed("a CUDA device", &e);
        let context = CudaContext::new(ordinal).map_err(opened)?;
        // SAFETY: all work runs on one stream, so no events are needed to order it.
        unsafe { context.disable_event_tracking() };
        let capability = context.compute_capability().map_err(opened)?;
        let module = context
            .load_module(compile::image(capability)?)
            .map_err(|e| failed("the kernels compiled for the device", &e))?;
        let load = |name: &&'static str| Ok((*name, module.load_function(name)?));
        let kernels = compile::KERNELS
            .iter()
            .map(load)
            .collect::<std::result::Result<_, _>>();
        Ok(Arc::new(Self {
            stream: context.new_stream().map_err(opened)?,
            name: context.name().map_err(opened)?,
            kernels: kernels.map_err(|e| failed("a kernel", &e))?,
            context,
            stream_lock: Mutex::new(()),
            dropped: Mutex::new(Vec::new()),
            staging: Mutex::new(None),
            launched: AtomicUsize::new(0),
        }))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Locks the stream. While the guard lives, no other thread submits work.
    pub(super) fn lock_stream(&self) -> MutexGuard<'_, ()> {
        self.stream_lock
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the stream and frees all dropped buffers.
    fn free_dropped(&self) -> Result<()> {
        let dropped =
            std::mem::take(&mut *self.dropped.lock().unwrap_or_else(PoisonError::into_inner));
        if dropped.is_empty() {
            return Ok(());
        }
        self.bind()?;
        let waited = self.stream.synchronize();
        // SAFETY: `allocate` returned each address once, its buffer was dropped once, and all work with it has finished.
        let free = |&address: &Pointer| unsafe { result::free_sync(address) };
        waited
            .and_then(|()| dropped.iter().try_for_each(free))
            .map_err(|e| failed("the memory of the device", &e))
    }

    /// Returns the number of free bytes in the memory of the device.
    pub(super) fn free_memory(&self) -> Result<usize> {
        self.free_dropped()?;
        self.bind()?;
        let info = self.context.mem_get_info();
        info.map(|(free, _)| free)
            .map_err(|e| failed("the memory of the device", &e))
    }

    /// Allocates a buffer. In error messages, `what` and `size`, the number of rows of the matrix, describe its
    /// purpose.
    pub(super) fn allocate(
        self: &Arc<Self>,
        bytes: usize,
        (what, size): (&'static str, usize),
    ) -> Result<Buffer> {
        self.free_dropped()?;
        self.bind()?;
        let bytes = bytes.max(1);
        // SAFETY: the memory is freed once, after the buffer was dropped.
        match unsafe { result::malloc_sync(bytes) } {
            Ok(address) => Ok(Buffer {
                device: Arc::clone(self),
                address,
                bytes,
            }),
            Err(DriverError(CUresult::CUDA_ERROR_OUT_OF_MEMORY)) => Err(Error::OutOfMemory {
                what,
                size,
                needed: Some(bytes),
                limit: self.free_memory().ok(),
            }),
            Err(e) => Err(failed("the memory of the device", &e)),
        }
    }

    /// Allocates a buffer and copies `numbers` to it.
    pub(super) fn store<T: Number>(
        self: &Arc<Self>,
        numbers: &[T],
        purpose: (&'static str, usize),
    ) -> Result<Buffer> {
        let buffer = self.allocate(size_of_val(numbers), purpose)?;
        self.upload(numbers, &buffer, 0)?;
        Ok(buffer)
    }

    /// Copies `numbers` to a buffer, from byte `offset` on. The caller may overwrite `numbers` once the call
    /// has returned.
    pub(super) fn upload<T: Number>(
        &self,
        numbers: &[T],
        to: &Buffer,
        offset: usize,
    ) -> Result<()> {
        if numbers.is_empty() {
            return Ok(());
        }
        to.check(offset, size_of_val(numbers));
        self.bind()?;
        let (address, stream) = (to.address + offset as u64, self.stream.cu_stream());
        let bytes = args::bytes_of(numbers);
        let staged = self.staged(bytes.len(), |staging| {
            staging.upload(&self.stream, bytes, address)
        });
        let sent = staged.unwrap_or_else(|| {
            // SAFETY: the range was checked to lie in a live buffer, and the slice outlives the wait for the stream.
            unsafe { result::memcpy_htod_async(address, numbers, stream) }?;
            self.stream.synchronize()
        });
        sent.map_err(|e| failed("a copy to the device", &e))
    }

    /// Waits for all submitted work, then fills `numbers` from a buffer, from byte `offset` on.
    pub(super) fn download<T: Number>(
        &self,
        from: &Buffer,
        offset: usize,
        numbers: &mut [T],
    ) -> Result<()> {
        from.check(offset, size_of_val(numbers));
        self.bind()?;
        let (address, stream) = (from.address + offset as u64, self.stream.cu_stream());
        let bytes = args::bytes_of_mut(numbers);
        let staged = self.staged(bytes.len(), |staging| {
            staging.download(&self.stream, address, bytes)
        });
        let sent = staged.unwrap_or_else(|| {
            // SAFETY: the range was checked to lie in a live buffer, and the slice outlives the wait for the stream.
            unsafe { result::memcpy_dtoh_async(numbers, address, stream) }?;
            self.stream.synchronize()
        });
        sent.map_err(|e| failed("work on the device", &e))
    }

    /// Copies through page-locked memory. Returns `None` if the copy is too small, or if no such memory is
    /// available.
    fn staged(&self, bytes: usize, copy: impl FnOnce(&mut Staging) -> Outcome) -> Option<Outcome> {
        if bytes < STAGING_THRESHOLD {
            return None;
        }
        let mut staging = self.staging.lock().unwrap_or_else(PoisonError::into_inner);
        if staging.is_none() {
            *staging = Staging::new(&self.context).ok();
        }
        staging.as_mut().map(copy)
    }

    /// Copies `bytes` bytes within the memory of the device.
    pub(super) fn copy(&self, from: Position<'_>, to: Position<'_>, bytes: usize) -> Result<()> {
        self.bind()?;
        let (from, to) = (from.checked(bytes), to.checked(bytes));
        // SAFETY: both ranges were checked to lie in live buffers.
        let sent = unsafe { result::memcpy_dtod_async(to, from, bytes, self.stream.cu_stream()) };
        sent.map_err(|e| failed("a copy on the device", &e))
    }

    /// Sets the first `bytes` bytes of a buffer to zero.
    pub(super) fn clear(&self, buffer: &Buffer, bytes: usize) -> Result<()> {
        buffer.check(0, bytes);
        self.bind()?;
        // SAFETY: the range was checked to lie in a live buffer.
        let sent =
            unsafe { result::memset_d8_async(buffer.address, 0, bytes, self.stream.cu_stream()) };
        sent.map_err(|e| failed("clearing memory on the device", &e))
    }

    /// Launches a kernel.
    ///
    /// # Safety
    /// The arguments must match the kernel's parameters in number, order and type. Pointers, including those inside
    /// structures, must point to live buffers of the lengths that the kernel reads and writes.
    pub(super) unsafe fn launch(
        &self,
        kernel: &'static str,
        shape: Shape,
        args: &[Arg],
    ) -> Result<()> {
        let function = self.kernels.get(kernel).ok_or_else(|| Error::Device {
            what: "a kernel",
            detail: format!("no kernel is named {kernel}"),
        })?;
        self.launched.fetch_add(1, Ordering::Relaxed);
        let mut builder = self.stream.launch_builder(function);
        for arg in args {
            match arg {
                Arg::Pointer(value) | Arg::Mask(value) => builder.arg(value),
                Arg::Count(value) => builder.arg(value),
                Arg::Double(value) => builder.arg(value),
                Arg::Rows(value) => builder.arg(value),
                Arg::Compressed(value) => builder.arg(value),
                Arg::Plane(value) => builder.arg(value),
                Arg::Corners(value) => builder.arg(value),
                Arg::Places(value) => builder.arg(value),
            };
        }
        let config = LaunchConfig {
            grid_dim: (shape.blocks.0, shape.blocks.1, 1),
            block_dim: (shape.threads.0, shape.threads.1, 1),
            shared_mem_bytes: 0,
        };
        // SAFETY: the caller guarantees the arguments. Buffers outlive all submitted work, because freeing
        // waits for it.
        let sent = unsafe { builder.launch(config) };
        sent.map(|_| ()).map_err(|e| failed(kernel, &e))
    }

    /// Records the work that `work` submits as a graph, without running it.
    pub(super) fn record(&self, work: impl FnOnce() -> Result<()>) -> Result<Graph> {
        let refused = |e: DriverError| failed("a graph of kernels", &e);
        self.bind()?;
        let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        self.stream.begin_capture(mode).map_err(refused)?;
        let sent = work();
        let graph = self.stream.end_capture(sys::CUgraphInstantiate_flags(0));
        sent?;
        let graph = graph.map_err(refused)?;
        graph.map(Graph).ok_or_else(|| Error::Device {
            what: "a graph of kernels",
            detail: "nothing was recorded".into(),
        })
    }

    /// Submits a graph.
    pub(super) fn replay(&self, graph: &Graph) -> Result<()> {
        graph
            .0
            .launch()
            .map_err(|e| failed("a graph of kernels", &e))
    }

    /// Waits until all submitted work has finished.
    pub(super) fn wait(&self) -> Result<()> {
        let waited = self.stream.synchronize();
        waited.map_err(|e| failed("work on the device", &e))
    }

    /// Makes this device the current one of the calling thread.
    fn bind(&self) -> Result<()> {
        self.context
            .bind_to_thread()
            .map_err(|e| failed("a CUDA device", &e))
    }
}

impl Position<'_> {
    /// Returns the address of this position. Panics unless the buffer contains `bytes` bytes from the position on.
    fn checked(self, bytes: usize) -> Pointer {
        self.buffer.check(self.offset, bytes);
        self.buffer.address + self.offset as u64
    }
}

impl Buffer {
    /// Returns the position in the buffer at this offset in bytes.
    pub(super) fn at(&self, offset: usize) -> Position<'_> {
        Position {
            buffer: self,
            offset,
        }
    }

    /// Returns the size of the buffer in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Panics unless `bytes` bytes from `offset` on lie in the buffer: the `SAFETY` comments above rely on it.
    fn check(&self, offset: usize, bytes: usize) {
        let fits = offset
            .checked_add(bytes)
            .is_some_and(|end| end <= self.bytes);
        assert!(
            fits,
            "{bytes} bytes from offset {offset} exceed a buffer of {}",
            self.bytes
        );
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut dropped = self
            .device
            .dropped
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        dropped.push(self.address);
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // Errors are ignored, because memory that could not be freed is released with the context.
        let _ = self.free_dropped();
    }
}

fn failed(what: &'static str, error: &DriverError) -> Error {
    let name = error
        .error_string()
        .map(|s| s.to_string_lossy().into_owned());
    Error::Device {
        what,
        detail: name.unwrap_or_else(|_| format!("{:?}", error.0)),
    }
}
