//! Number of threads of a computation.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};
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

/// Pools by the process that made them and their number of threads.
type Pools = BTreeMap<(u32, usize), Arc<ThreadPool>>;

/// Pools by their process and their number of threads. An idle pool costs no time, and a new one for every call would. A process that
/// was forked has none of the threads of its parent.
static POOLS: LazyLock<Mutex<Pools>> = LazyLock::new(Mutex::default);

/// Process that may have started the threads of rayon.
static HOME: OnceLock<u32> = OnceLock::new();

/// Returns whether this process was forked from one that may have started the threads of rayon, which are not there any more.
fn forked() -> bool {
    *HOME.get_or_init(process::id) != process::id()
}

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
        0 => all_threads(),
        count => count,
    }
}

/// Returns the number of threads that rayon takes by itself: `RAYON_NUM_THREADS`, or the number of processors.
#[pyfunction]
pub(crate) fn all_threads() -> usize {
    HOME.get_or_init(process::id);
    rayon::current_num_threads()
}

fn limit() -> usize {
    match LIMIT.get() {
        0 => DEFAULT.load(Ordering::Relaxed),
        count => count,
    }
}

/// Returns the number of threads that a computation needs a pool for, or None if those of rayon will do.
fn needed() -> Option<usize> {
    match limit() {
        0 => forked().then(all_threads),
        count => Some(count),
    }
}

fn failed(count: usize, text: &str) -> PyErr {
    PyRuntimeError::new_err(format!("{count} threads: {text}"))
}

fn new_pool(count: usize) -> PyResult<ThreadPool> {
    let builder = ThreadPoolBuilder::new().num_threads(count);
    let pool = builder.stack_size(STACK).build();
    pool.map_err(|error| failed(count, &error.to_string()))
}

/// Returns a pool for a thread that outlives this call, with the number of threads that was set, if any.
pub(crate) fn own_pool() -> PyResult<Option<ThreadPool>> {
    needed().map(new_pool).transpose()
}

fn pool(count: usize) -> PyResult<Arc<ThreadPool>> {
    let pools = POOLS.lock();
    let mut pools = pools.map_err(|error| failed(count, &error.to_string()))?;
    let key = (process::id(), count);
    if let Some(pool) = pools.get(&key) {
        return Ok(Arc::clone(pool));
    }
    let pool = Arc::new(new_pool(count)?);
    pools.insert(key, Arc::clone(&pool));
    Ok(pool)
}

/// Runs a computation without the interpreter lock, on the number of threads that was set.
pub(crate) fn run<T: Send>(
    py: Python<'_>,
    watch: &Watch,
    job: impl FnOnce() -> T + Send,
) -> PyResult<T> {
    match needed() {
        None => Ok(py.detach(job)),
        Some(count) => run_on(py, watch, count, job),
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
