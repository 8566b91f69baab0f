//! Large copies between the memories, through pages that the device can reach itself.
//!
//! From other pages the driver copies by one thread, at a few gigabytes a second. HostColumns several threads fill one slot
//! while the device reads the other. They are threads of our own: whoever copies holds the lock of the device, and a
//! thread of rayon's pool might be handed other work that waits for it.

use std::sync::Arc;
use std::thread;

use cudarc::driver::result::{self, DriverError};
use cudarc::driver::{CudaContext, CudaEvent, CudaStream};

use super::args::Pointer;

/// Bytes of a slot.
const SLOT: usize = 32 << 20;

/// Copies below this are left to the driver.
pub(super) const STAGING_THRESHOLD: usize = 4 << 20;

/// Threads that copy, and the least that each is given.
const MAX_THREADS: usize = 8;
const SHARE: usize = 1 << 20;

type Outcome<T> = std::result::Result<T, DriverError>;

/// Two slots of pages that stay where they are.
pub(super) struct Staging {
    context: Arc<CudaContext>,
    slots: [Slot; 2],
}

struct Slot {
    pages: *mut u8,
    /// When the device will have read what is in it.
    read: Option<CudaEvent>,
}

// SAFETY: the memory belongs to the slot alone, and is reached through `&mut` only.
unsafe impl Send for Slot {}

impl Slot {
    fn new() -> Outcome<Self> {
        // SAFETY: freed once, when the slot is dropped; bytes are written before they are read.
        let pages = unsafe { result::malloc_host(SLOT, 0) }?;
        Ok(Self {
            pages: pages.cast(),
            read: None,
        })
    }

    /// Its first bytes, once the device has done with them.
    fn bytes(&mut self, count: usize) -> Outcome<&mut [u8]> {
        if let Some(read) = self.read.take() {
            read.synchronize()?;
        }
        // SAFETY: SLOT bytes were allocated, `count` is no more, and nobody else refers to them.
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

    /// Sends bytes; they may be changed once this returns.
    pub(super) fn upload(&mut self, stream: &CudaStream, from: &[u8], to: Pointer) -> Outcome<()> {
        for (i, chunk) in from.chunks(SLOT).enumerate() {
            let slot = &mut self.slots[i % 2];
            let pages = slot.bytes(chunk.len())?;
            copy(chunk, pages);
            let to = to + (i * SLOT) as u64;
            // SAFETY: the caller names a live buffer; the slot is not written before the event says that it was read.
            unsafe { result::memcpy_htod_async(to, pages, stream.cu_stream()) }?;
            slot.read = Some(stream.record_event(None)?);
        }
        Ok(())
    }

    /// Fetches bytes, once all that was sent has run.
    pub(super) fn download(
        &mut self,
        stream: &CudaStream,
        from: Pointer,
        to: &mut [u8],
    ) -> Outcome<()> {
        let mut under_way: Option<(usize, &mut [u8])> = None;
        for (i, chunk) in to.chunks_mut(SLOT).enumerate() {
            let slot = &mut self.slots[i % 2];
            let pages = slot.bytes(chunk.len())?;
            let from = from + (i * SLOT) as u64;
            // SAFETY: the caller names a live buffer; the slot is not read before the event says that it was written.
            unsafe { result::memcpy_dtoh_async(pages, from, stream.cu_stream()) }?;
            slot.read = Some(stream.record_event(None)?);
            if let Some((last, chunk)) = under_way.replace((i % 2, chunk)) {
                copy(self.slots[last].bytes(chunk.len())?, chunk);
            }
        }
        if let Some((last, chunk)) = under_way {
            copy(self.slots[last].bytes(chunk.len())?, chunk);
        }
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be waited for is lost with the context; there is nobody to tell.
        let bound = self.context.bind_to_thread();
        let _ = bound.and_then(|()| self.context.synchronize());
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // SAFETY: allocated once, by `new`; the staging, which goes first, has waited for what was under way.
        let _ = unsafe { result::free_host(self.pages.cast()) };
    }
}

/// to ← from, by several threads.
fn copy(from: &[u8], to: &mut [u8]) {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let share = from.len().div_ceil(threads.min(MAX_THREADS)).max(SHARE);
    let mut parts = from.chunks(share).zip(to.chunks_mut(share));
    let Some((mine, place)) = parts.next() else {
        return;
    };
    thread::scope(|scope| {
        for (from, to) in parts {
            scope.spawn(|| to.copy_from_slice(from));
        }
        place.copy_from_slice(mine);
    });
}
