//! Number of threads of a computation.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::watch::Watch;

/// Time between two looks for Ctrl-C.
const INTERVAL: Duration = Duration::from_millis(50);

/// Bytes of the stack of a thread. Models in Python may need as much as in the main thread.
const STACK: usize = 16 << 20;

/// Number of threads for all of Python's threads, 0 for that of rayon.
static DEFAULT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Number of threads for computations of this thread, 0 for the default.
    static LIMIT: Cell<usize> = const { Cell::new(0) };
}

/// Pools by their numbers of threads. An idle pool costs no time, and a new one for every call would.
static POOLS: LazyLock<Mutex<BTreeMap<usize, Arc<ThreadPool>>>> = LazyLock::new(Mutex::default);

/// Sets the number of threads for all of Python's threads, 0 for that of rayon.
#[pyfunction]
pub(crate) fn set_threads(count: usize) {
    DEFAULT.store(count, Ordering::Relaxed);
}

/// Sets the number of threads for computations of this thread, 0 for the default. Returns the number before.
#[pyfunction]
pub(crate) fn swap_threads(count: usize) -> usize {
    LIMIT.replace(count)
}

/// Returns the number of threads of computations of this thread.
#[pyfunction]
pub(crate) fn get_threads() -> usize {
    match limit() {
        0 => rayon::current_num_threads(),
        count => count,
    }
}

/// Returns the number of threads that rayon takes by itself: `RAYON_NUM_THREADS`, or the number of processors.
#[pyfunction]
pub(crate) fn all_threads() -> usize {
    rayon::current_num_threads()
}

fn limit() -> usize {
    match LIMIT.get() {
        0 => DEFAULT.load(Ordering::Relaxed),
        count => count,
    }
}

fn pool(count: usize) -> PyResult<Arc<ThreadPool>> {
    let failed = |text: String| PyRuntimeError::new_err(format!("{count} threads: {text}"));
    let mut pools = POOLS.lock().map_err(|error| failed(error.to_string()))?;
    if let Some(pool) = pools.get(&count) {
        return Ok(Arc::clone(pool));
    }
    let builder = ThreadPoolBuilder::new().num_threads(count);
    let pool = builder
        .stack_size(STACK)
        .build()
        .map_err(|e| failed(e.to_string()))?;
    let pool = Arc::new(pool);
    pools.insert(count, Arc::clone(&pool));
    Ok(pool)
}

/// Runs a computation without the interpreter lock, on the number of threads that was set.
pub(crate) fn run<T: Send>(
    py: Python<'_>,
    watch: &Watch,
    job: impl FnOnce() -> T + Send,
) -> PyResult<T> {
    match limit() {
        0 => Ok(py.detach(job)),
        count => run_on(py, watch, count, job),
    }
}

/// Runs a computation that calls the model on several threads, if `alone` is not set, and otherwise on one.
pub(crate) fn run_many<T: Send>(
    py: Python<'_>,
    watch: &Watch,
    alone: bool,
    job: impl FnOnce() -> T + Send,
) -> PyResult<T> {
    let count = if alone { 1 } else { get_threads() };
    run_on(py, watch, count, job)
}

/// Runs a computation in a pool. This thread waits for it, and looks for Ctrl-C, which Python tells its main thread only.
///
/// A computation within another, started by a model, stays on its thread: if it waited for the pool, all threads of the pool could be
/// waiting.
fn run_on<T: Send>(
    py: Python<'_>,
    watch: &Watch,
    count: usize,
    job: impl FnOnce() -> T + Send,
) -> PyResult<T> {
    if rayon::current_thread_index().is_some() {
        return Ok(py.detach(job));
    }
    let pool = pool(count)?;
    let outcome = py.detach(|| {
        std::thread::scope(|scope| {
            let (ending, ended) = channel::<()>();
            let worker = scope.spawn(move || {
                let outcome = pool.install(job);
                drop(ending);
                outcome
            });
            while ended.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                watch.check_signals();
            }
            worker.join()
        })
    });
    outcome.map_err(|_| PyRuntimeError::new_err("a computation panicked"))
}
