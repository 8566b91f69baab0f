//! A device, its memory, and its kernels: everything here that is unsafe, behind functions that are not.
//!
//! All work goes through one stream, in order, and whoever sends some holds a lock for as long as it belongs together.
//! Memory that is dropped is given back when next some is taken, after all that was sent has run: a buffer may be dropped
//! while others record a graph, and work may still be under way with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cudarc::driver::result::{self, DriverError};
use cudarc::driver::sys::{self, CUresult, CUstreamCaptureMode};
use cudarc::driver::{
    CudaContext, CudaFunction, CudaGraph, CudaStream, LaunchConfig, PushKernelArg,
};

use super::args;
use super::args::{Arg, Number, Pointer, Shape};
use super::compile;
use super::staging::{STAGING_THRESHOLD, Staging};
use crate::error::{Error, Result};

/// What the driver says.
type Outcome = std::result::Result<(), DriverError>;

/// A device with its kernels.
pub(super) struct Device {
    context: Arc<CudaContext>,
    stream: Arc<CudaStream>,
    kernels: HashMap<&'static str, CudaFunction>,
    name: String,
    order: Mutex<()>,
    /// Memory that nobody holds any more.
    dropped: Mutex<Vec<Pointer>>,
    staging: Mutex<Option<Staging>>,
}

/// Memory of a device; what it holds at first is nothing that may be read.
pub(super) struct Buffer {
    device: Arc<Device>,
    pub(super) address: Pointer,
    bytes: usize,
}

/// Work that is sent to the device as a whole.
pub(super) struct Graph(CudaGraph);

// SAFETY: a graph is launched by whoever holds the lock of its device, and dropped by its one owner.
unsafe impl Send for Graph {}

impl Device {
    /// Opens a device and compiles the kernels for it.
    pub(super) fn open(ordinal: usize) -> Result<Arc<Self>> {
        // SAFETY: looks whether a library can be loaded, which runs no code but the library's own start.
        if !unsafe { sys::is_culib_present() } {
            return Err(Error::Device {
                what: "the CUDA driver (libcuda)",
                detail:
                    "it is not installed on this machine, or LD_LIBRARY_PATH does not lead to it"
                        .into(),
            });
        }
        let count = CudaContext::device_count().map_err(|e| failed("the CUDA driver", &e))?;
        if ordinal >= usize::try_from(count).unwrap_or(0) {
            return Err(Error::Device {
                what: "a CUDA device",
                detail: format!("number {ordinal} was asked for, and there are {count}"),
            });
        }
        let opened = |e: DriverError| failed("a CUDA device", &e);
        let context = CudaContext::new(ordinal).map_err(opened)?;
        // SAFETY: everything runs on one stream, so there is nothing for events to order.
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
            order: Mutex::new(()),
            dropped: Mutex::new(Vec::new()),
            staging: Mutex::new(None),
        }))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// For as long as the guard lives nobody else sends work.
    pub(super) fn lock_stream(&self) -> MutexGuard<'_, ()> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives back the memory that nobody holds any more.
    fn free_dropped(&self) -> Result<()> {
        let dropped =
            std::mem::take(&mut *self.dropped.lock().unwrap_or_else(PoisonError::into_inner));
        if dropped.is_empty() {
            return Ok(());
        }
        self.bind()?;
        let waited = self.stream.synchronize();
        // SAFETY: every pointer was allocated once, by `take`, was dropped once, and all work with it has run.
        let free = |&at: &Pointer| unsafe { result::free_sync(at) };
        waited
            .and_then(|()| dropped.iter().try_for_each(free))
            .map_err(|e| failed("the memory of the device", &e))
    }

    /// Bytes that are free.
    pub(super) fn free_memory(&self) -> Result<usize> {
        self.free_dropped()?;
        self.bind()?;
        let info = self.context.mem_get_info();
        info.map(|(free, _)| free)
            .map_err(|e| failed("the memory of the device", &e))
    }

    /// So many bytes of memory, for the `what` of a matrix with so many rows.
    pub(super) fn take(
        self: &Arc<Self>,
        bytes: usize,
        (what, size): (&'static str, usize),
    ) -> Result<Buffer> {
        self.free_dropped()?;
        self.bind()?;
        let bytes = bytes.max(1);
        // SAFETY: the memory is freed once, when the buffer is dropped.
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

    /// A buffer with these numbers.
    pub(super) fn store<T: Number>(
        self: &Arc<Self>,
        numbers: &[T],
        whose: (&'static str, usize),
    ) -> Result<Buffer> {
        let buffer = self.take(size_of_val(numbers), whose)?;
        self.upload(numbers, &buffer, 0)?;
        Ok(buffer)
    }

    /// buffer ← numbers, from this byte on; the numbers may be changed once this returns.
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
        let (at, stream) = (to.address + offset as u64, self.stream.cu_stream());
        let bytes = args::bytes_of(numbers);
        let staged = self.staged(bytes.len(), |staging| {
            staging.upload(&self.stream, bytes, at)
        });
        let sent = staged.unwrap_or_else(|| {
            // SAFETY: the range lies in a live buffer, and the slice lives until the stream has been waited for.
            unsafe { result::memcpy_htod_async(at, numbers, stream) }?;
            self.stream.synchronize()
        });
        sent.map_err(|e| failed("a copy to the device", &e))
    }

    /// numbers ← buffer, from this byte on, once all that was sent has run.
    pub(super) fn download<T: Number>(
        &self,
        from: &Buffer,
        offset: usize,
        numbers: &mut [T],
    ) -> Result<()> {
        from.check(offset, size_of_val(numbers));
        self.bind()?;
        let (at, stream) = (from.address + offset as u64, self.stream.cu_stream());
        let bytes = args::bytes_of_mut(numbers);
        let staged = self.staged(bytes.len(), |staging| {
            staging.download(&self.stream, at, bytes)
        });
        let sent = staged.unwrap_or_else(|| {
            // SAFETY: the range lies in a live buffer, and the slice lives until the stream has been waited for.
            unsafe { result::memcpy_dtoh_async(numbers, at, stream) }?;
            self.stream.synchronize()
        });
        sent.map_err(|e| failed("work on the device", &e))
    }

    /// Copies through pages that the device can reach, if so many bytes are worth it and there are some.
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

    /// Copies within the memory of the device.
    pub(super) fn copy(
        &self,
        (from, source): (&Buffer, usize),
        (to, target): (&Buffer, usize),
        bytes: usize,
    ) -> Result<()> {
        from.check(source, bytes);
        to.check(target, bytes);
        self.bind()?;
        let (from, to) = (from.address + source as u64, to.address + target as u64);
        // SAFETY: both ranges lie in live buffers.
        let sent = unsafe { result::memcpy_dtod_async(to, from, bytes, self.stream.cu_stream()) };
        sent.map_err(|e| failed("a copy on the device", &e))
    }

    /// The first bytes of a buffer ← 0.
    pub(super) fn clear(&self, buffer: &Buffer, bytes: usize) -> Result<()> {
        buffer.check(0, bytes);
        self.bind()?;
        // SAFETY: the range lies in a live buffer.
        let sent =
            unsafe { result::memset_d8_async(buffer.address, 0, bytes, self.stream.cu_stream()) };
        sent.map_err(|e| failed("clearing memory on the device", &e))
    }

    /// Sends a kernel.
    ///
    /// # Safety
    /// The arguments have the number, the order and the types of the kernel's parameters; pointers among them, and in
    /// structures, lead to live buffers as long as the kernel's comment says.
    pub(super) unsafe fn launch(
        &self,
        kernel: &'static str,
        shape: Shape,
        args: &[Arg],
    ) -> Result<()> {
        let function = self.kernels.get(kernel).ok_or_else(|| Error::Device {
            what: "a kernel",
            detail: format!("there is none of the name {kernel}"),
        })?;
        let mut builder = self.stream.launch_builder(function);
        for arg in args {
            match arg {
                Arg::Pointer(value) | Arg::Mask(value) => builder.arg(value),
                Arg::Count(value) => builder.arg(value),
                Arg::Double(value) => builder.arg(value),
                Arg::Single(value) => builder.arg(value),
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
        // SAFETY: the caller answers for the arguments; buffers outlive all work that was sent, for freeing waits for it.
        let sent = unsafe { builder.launch(config) };
        sent.map(|_| ()).map_err(|e| failed(kernel, &e))
    }

    /// What `work` sends, as a graph, without running it.
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

    /// Sends all of a graph.
    pub(super) fn replay(&self, graph: &Graph) -> Result<()> {
        graph
            .0
            .launch()
            .map_err(|e| failed("a graph of kernels", &e))
    }

    /// Waits until all that was sent has run.
    pub(super) fn wait(&self) -> Result<()> {
        let waited = self.stream.synchronize();
        waited.map_err(|e| failed("work on the device", &e))
    }

    /// Makes this the device of the calling thread.
    fn bind(&self) -> Result<()> {
        self.context
            .bind_to_thread()
            .map_err(|e| failed("a CUDA device", &e))
    }
}

impl Buffer {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn check(&self, offset: usize, bytes: usize) {
        let fits = offset
            .checked_add(bytes)
            .is_some_and(|end| end <= self.bytes);
        assert!(
            fits,
            "{bytes} bytes from {offset} do not lie in a buffer of {}",
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
        // What cannot be freed is lost with the context; there is nobody to tell.
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
