//! The system's allocator, counting calls, bytes and the most bytes held at once.

// SAFETY: the allocator below hands every call on to the system's, as it came.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::ThreadPool;

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

static ARMED: AtomicBool = AtomicBool::new(false);
static CALLS: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Whether calls of this thread are counted: those of the test harness, which prints, are not.
    static WATCHED: Cell<bool> = const { Cell::new(false) };
}

fn count(bytes: usize) {
    if ARMED.load(Ordering::Relaxed) && WATCHED.get() {
        CALLS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(bytes, Ordering::Relaxed);
    }
}

// SAFETY: every call is passed on to the system's allocator as it came; `realloc` and `alloc_zeroed` go through these two.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        let held = HELD.fetch_add(layout.size(), Ordering::SeqCst) + layout.size();
        MOST.fetch_max(held, Ordering::SeqCst);
        // SAFETY: the caller keeps the promises of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::SeqCst);
        // SAFETY: the caller keeps the promises of `dealloc`.
        unsafe { System.dealloc(old, layout) }
    }
}

/// Held by every test of this program from its first line, since what others allocate would be counted too.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The most bytes held at once while `work` runs, beyond those held before.
pub(crate) fn peak<R>(work: impl FnOnce() -> R) -> (usize, R) {
    let before = HELD.load(Ordering::SeqCst);
    MOST.store(before, Ordering::SeqCst);
    let result = work();
    (MOST.load(Ordering::SeqCst) - before, result)
}

/// Has the allocations of a pool's threads counted.
pub(crate) fn watch(pool: &ThreadPool) {
    pool.broadcast(|_| WATCHED.set(true));
}

/// Allocations and their bytes, on this thread and all that are watched, while `work` runs.
pub(crate) fn counted(work: impl FnOnce()) -> (usize, usize) {
    let watched = WATCHED.replace(true);
    CALLS.store(0, Ordering::Relaxed);
    BYTES.store(0, Ordering::Relaxed);
    ARMED.store(true, Ordering::SeqCst);
    work();
    ARMED.store(false, Ordering::SeqCst);
    WATCHED.set(watched);
    (CALLS.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed))
}
