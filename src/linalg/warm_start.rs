//! Warm starts of iterative solvers from the solutions of the previous factor.
//!
//! Along a descent, matrices and right-hand sides change little from step to step: ∂g/∂ρ and ∂g/∂θ, the covector of the
//! gradient, tangents lifted by the metric. Similar right-hand sides are recognised by their entries, so that callers
//! need not declare the similarity.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use faer::{Mat, MatRef};

use super::SolveStats;
use super::operator::Side;
use crate::vector::dot;

/// Largest number of columns of a batch that is stored.
const WIDEST: usize = 512;

/// Largest number of pairs of old and new columns that are compared when the number of columns has changed.
const COMPARED: usize = 1 << 12;

/// Largest fraction of ‖b‖² that is orthogonal to the old right-hand side if the old solution serves as guess.
// At this limit the guess halves the norm of the residual, if A has not changed. A worse guess gains little
// more than a step of the iteration would, and costs a product for its residual.
const NEW: f64 = 0.25;

/// Store of the first batch with A, and of the first batch with Aᵀ, that the last factor solved by iterations.
pub(crate) struct WarmStart(Mutex<Memory>);

/// Solutions of the last factor.
struct Memory {
    /// For A and for Aᵀ, whether the last first batch was solved by iterations on the CPU. Batches of other
    /// solvers are not copied.
    iterates: [bool; 2],
    /// First batches of the last factor that were solved with A and with Aᵀ.
    solved: [Option<Solved>; 2],
}

/// Right-hand sides B and their solutions X.
struct Solved {
    b: Mat<f64>,
    x: Mat<f64>,
}

/// Flags of one factor: whether it has been given a batch to solve with A, and whether one with Aᵀ.
#[derive(Default)]
pub(crate) struct Used([AtomicBool; 2]);

/// First batch that a factor solves with A, or with Aᵀ.
pub(crate) struct First {
    side: Side,
    /// Copy of the right-hand sides, if they are to be stored.
    b: Option<Mat<f64>>,
    guess: Option<Mat<f64>>,
}

impl First {
    pub(crate) fn guess(&self) -> Option<MatRef<'_, f64>> {
        self.guess.as_ref().map(|guess| guess.as_ref())
    }
}

impl Default for WarmStart {
    fn default() -> Self {
        Self(Mutex::new(Memory {
            iterates: [true; 2],
            solved: [None, None],
        }))
    }
}

impl WarmStart {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prepares the first batch of a side of a factor. Returns `None` for later batches.
    pub(crate) fn first(&self, used: &Used, side: Side, b: MatRef<'_, f64>) -> Option<First> {
        let later = || used.0[index(side)].swap(true, Ordering::Relaxed);
        if b.ncols() == 0 || later() || b.ncols() > WIDEST {
            return None;
        }
        let (iterates, old) = {
            let mut memory = self.memory();
            (
                memory.iterates[index(side)],
                memory.solved[index(side)].take(),
            )
        };
        let b = iterates.then(|| b.to_owned());
        let guess = match (&b, old) {
            (Some(b), Some(old)) => old.guess(b),
            _ => None,
        };
        Some(First { side, b, guess })
    }

    /// Stores the solutions of a first batch, unless they are on a device, from which fetching them does not pay.
    pub(crate) fn store(&self, first: First, stats: SolveStats, x: Option<MatRef<'_, f64>>) {
        let First { side, b, guess } = first;
        // No iterations mean a direct solver, or a guess that already solved the system.
        // Direct solvers would pay for the copies of B and X and gain nothing.
        let iterates = x.is_some() && (stats.iterations > 0 || guess.is_some());
        let solved = match (b, x) {
            (Some(b), Some(x)) if iterates => Some(Solved { b, x: x.to_owned() }),
            _ => None,
        };
        let mut memory = self.memory();
        memory.iterates[index(side)] = iterates;
        memory.solved[index(side)] = solved;
    }
}

fn index(side: Side) -> usize {
    usize::from(side == Side::Transpose)
}

impl Solved {
    /// Returns a guess for A⁻¹B, or `None` if no column of B is similar to an old one.
    ///
    /// The guess is a multiple of the old solution. Near a match with the data, covectors decrease by orders of
    /// magnitude in a step, and the old solution itself would be a worse guess than zero.
    fn guess(mut self, b: &Mat<f64>) -> Option<Mat<f64>> {
        if self.b.nrows() != b.nrows() {
            return None;
        }
        if self.b.ncols() != b.ncols() {
            if self.b.ncols() * b.ncols() > COMPARED {
                return None;
            }
            self = self.matched(b);
        }
        let mut any = false;
        for j in 0..b.ncols() {
            // If A has not changed, the multiple s x of an old solution leaves the residual b − s b_old. The residual
            // is smallest for s = ⟨b_old, b⟩/‖b_old‖², when ‖b − s b_old‖² = ‖b‖² − ⟨b_old, b⟩²/‖b_old‖². The columns
            // are similar if this is less than `NEW` times ‖b‖².
            let (old, new) = (self.b.col_as_slice(j), b.col_as_slice(j));
            let (inner, square) = (dot(old, new), dot(old, old));
            let similar = inner * inner > (1.0 - NEW) * square * dot(new, new);
            let multiple = if similar { inner / square } else { 0.0 };
            any |= similar;
            let column = self.x.col_as_slice_mut(j).iter_mut();
            column.for_each(|x| *x *= multiple);
        }
        any.then_some(self.x)
    }

    /// Selects the most similar old column for every new one.
    ///
    /// The number of columns changes when bounds release or hold a parameter.
    fn matched(self, b: &Mat<f64>) -> Self {
        let (old, count) = (&self.b, self.b.ncols());
        let squares: Vec<f64> = (0..count)
            .map(|j| dot(old.col_as_slice(j), old.col_as_slice(j)))
            .collect();
        // The squared cosine, up to the factor ‖b‖² that all old columns share. A column of zeros is similar to none.
        let similarity = |j: usize, new: &[f64]| {
            let inner = dot(old.col_as_slice(j), new);
            if squares[j] > 0.0 {
                inner * inner / squares[j]
            } else {
                0.0
            }
        };
        let best = |new: &[f64]| {
            let similarities = (0..count).map(|j| (j, similarity(j, new)));
            similarities.max_by(|a, b| a.1.total_cmp(&b.1))
        };
        let order: Vec<usize> = (0..b.ncols())
            .filter_map(|j| best(b.col_as_slice(j)).map(|(j, _)| j))
            .collect();
        let pick = |m: &Mat<f64>| Mat::from_fn(m.nrows(), order.len(), |i, j| m[(i, order[j])]);
        Self {
            b: pick(&self.b),
            x: pick(&self.x),
        }
    }
}
