//! Large copies between host and device through page-locked memory.
//!
//! The driver copies pageable memory with one thread, at a few gigabytes per second. With two page-locked
//! slots, several threads fill one slot while the device reads the other. They are not threads of rayon: the
//! caller holds the lock of the device, and a thread of rayon's pool could pick up other work that waits for
//! this lock.

use std::sync::Arc;
use std::thread;

use cudarc::driver::result::{self, DriverError};
use cudarc::driver::{CudaContext, CudaEvent, CudaStream};

use super::args::Pointer;

/// Size in bytes of a slot of page-locked memory.
const SLOT: usize = 32 << 20;

/// Size in bytes from which copies are staged. Smaller copies are left to the driver.
pub(super) const STAGING_THRESHOLD: usize = 4 << 20;

/// Largest number of threads that fill or empty a slot.
const MAX_THREADS: usize = 8;
/// Smallest number of bytes that a thread copies.
const MIN_SHARE: usize = 1 << 20;

type Outcome<T> = std::result::Result<T, DriverError>;

/// Pair of page-locked slots, through which large copies pass.
pub(super) struct Staging {
    context: Arc<CudaContext>,
    slots: [Slot; 2],
}

/// Page-locked buffer of `SLOT` bytes.
struct Slot {
    pages: *mut u8,
    /// Event after the latest copy from or to the slot.
    copied: Option<CudaEvent>,
}

// SAFETY: the slot owns the memory exclusively and accesses it only through `&mut self`.
unsafe impl Send for Slot {}

impl Slot {
    fn new() -> Outcome<Self> {
        // SAFETY: the memory is freed once, when the slot is dropped, and every copy writes bytes before they are read.
        let pages = unsafe { result::malloc_host(SLOT, 0) }?;
        Ok(Self {
            pages: pages.cast(),
            copied: None,
        })
    }

    /// Waits for the latest copy of the slot and returns the first `count` bytes of the slot.
    fn bytes(&mut self, count: usize) -> Outcome<&mut [u8]> {
        if let Some(copied) = self.copied.take() {
            copied.synchronize()?;
        }
        // SAFETY: the slice has at most the SLOT bytes that were allocated, and `&mut self` makes it exclusive; the device
        // has finished its copy.
        Ok(unsafe { std::slice::from_raw_parts_mut(self.pages, count.min(SLOT)) })
    }
}

impl Staging {
    pub(super) fn new(context: &Arc<CudaContext>) -> Outcome<Self> {
        Ok(Self {
            context: Arc::clone(context),
            slots: [Slot::new()?, Slot::new()?],
        })
    }

    /// Copies bytes to the device. The caller may overwrite `from` once the call has returned.
    pub(super) fn upload(&mut self, stream: &CudaStream, from: &[u8], to: Pointer) -> Outcome<()> {
        for (i, chunk) in from.chunks(SLOT).enumerate() {
            let slot = &mut self.slots[i % 2];
            let pages = slot.bytes(chunk.len())?;
            copy(chunk, pages);
            let to = to + (i * SLOT) as u64;
            // SAFETY: the caller passes a range of a live buffer, and the slot is not rewritten before the event.
            unsafe { result::memcpy_htod_async(to, pages, stream.cu_stream()) }?;
            slot.copied = Some(stream.record_event(None)?);
        }
        Ok(())
    }

    /// Waits for all submitted work, then copies bytes from the device.
    pub(super) fn download(
        &mut self,
        stream: &CudaStream,
        from: Pointer,
        to: &mut [u8],
    ) -> Outcome<()> {
        // The slot of chunk i is emptied while the device fills the other slot with chunk i + 1.
        let mut pending: Option<(usize, &mut [u8])> = None;
        for (i, chunk) in to.chunks_mut(SLOT).enumerate() {
            let slot = &mut self.slots[i % 2];
            let pages = slot.bytes(chunk.len())?;
            let from = from + (i * SLOT) as u64;
            // SAFETY: the caller passes a range of a live buffer, and the slot is not read before the event.
            unsafe { result::memcpy_dtoh_async(pages, from, stream.cu_stream()) }?;
            slot.copied = Some(stream.record_event(None)?);
            if let Some((last, chunk)) = pending.replace((i % 2, chunk)) {
                copy(self.slots[last].bytes(chunk.len())?, chunk);
            }
        }
        if let Some((last, chunk)) = pending {
            copy(self.slots[last].bytes(chunk.len())?, chunk);
        }
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // Errors are ignored, because unfinished copies end with the context.
        let bound = self.context.bind_to_thread();
        let _ = bound.and_then(|()| self.context.synchronize());
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // SAFETY: `new` allocated the memory once. `Staging`, which is dropped before its slots, has waited for all copies.
        let _ = unsafe { result::free_host(self.pages.cast()) };
    }
}

/// Copies `from` to `to` with several threads.
fn copy(from: &[u8], to: &mut [u8]) {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let share = from.len().div_ceil(threads.min(MAX_THREADS)).max(MIN_SHARE);
    let mut parts = from.chunks(share).zip(to.chunks_mut(share));
    let Some((first, target)) = parts.next() else {
        return;
    };
    thread::scope(|scope| {
        for (from, to) in parts {
            scope.spawn(|| to.copy_from_slice(from));
        }
        target.copy_from_slice(first);
    });
}
