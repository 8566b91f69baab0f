//! Warm starts of iterative solvers from the solutions of the previous factor.
//!
//! During a descent, matrices and right-hand sides change little from step to step. This holds for ∂g/∂ρ,
//! ∂g/∂θ, the right-hand side of the gradient, and tangents lifted by the metric. Similar right-hand sides
//! are recognised by comparison of their entries, so that callers need not declare them similar.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use faer::{Mat, MatRef};
use serde::{Deserialize, Serialize};

use super::SolveStats;
use super::operator::Side;
use crate::vector::dot;

/// Largest number of columns for which a batch is stored.
const WIDEST: usize = 512;

/// Largest number of pairs of an old and a new column for which all pairs are compared. Pairs are compared
/// only if the number of columns has changed.
const COMPARED: usize = 1 << 12;

/// Fraction of ‖b‖² orthogonal to the old right-hand side, below which the old solution serves as guess.
// At this limit the guess halves the norm of the residual if A has not changed. A worse guess would gain
// little more than one iteration, and costs a product with A for its residual.
const NEW: f64 = 0.25;

/// Store of the first batches that the last factor solved iteratively: one with A, and one with Aᵀ.
pub(crate) struct WarmStart(Mutex<Batches>);

/// Contents of a [`WarmStart`].
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Batches {
    /// For A and for Aᵀ: whether the first batch of the last factor was solved iteratively on the CPU. If
    /// not, the next first batch is not copied.
    iterates: [bool; 2],
    /// First batches of the last factor that were solved with A and with Aᵀ.
    solved: [Option<Box<Solved>>; 2],
}

/// Right-hand sides B and their solutions X.
#[derive(Clone, Serialize, Deserialize)]
struct Solved {
    #[serde(with = "crate::saving::forms::columns")]
    b: Mat<f64>,
    #[serde(with = "crate::saving::forms::columns")]
    x: Mat<f64>,
}

/// Flags of one factor: whether it has been asked to solve with A, and whether with Aᵀ.
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
        Self(Mutex::new(Batches {
            iterates: [true; 2],
            solved: [None, None],
        }))
    }
}

impl WarmStart {
    fn memory(&self) -> MutexGuard<'_, Batches> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a copy of the contents.
    pub(crate) fn batches(&self) -> Batches {
        self.memory().clone()
    }

    /// Replaces the contents.
    pub(crate) fn restore(&self, batches: Batches) {
        *self.memory() = batches;
    }

    /// Prepares a warm start for the first batch that a factor solves on this side. Returns `None` for later
    /// batches, and for batches that are empty or too wide.
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
            (Some(b), Some(old)) => (*old).guess(b),
            _ => None,
        };
        Some(First { side, b, guess })
    }

    /// Stores the solutions of a first batch if they were computed iteratively on the CPU. Solutions on a
    /// device are not stored, because fetching them would cost more than a warm start saves.
    pub(crate) fn store(&self, first: First, stats: SolveStats, x: Option<MatRef<'_, f64>>) {
        let First { side, b, guess } = first;
        // If no iterations were counted, either the solver is direct, or the guess already solved the system.
        // For direct solvers, copies of B and X would be useless.
        let iterates = x.is_some() && (stats.iterations > 0 || guess.is_some());
        let solved = match (b, x) {
            (Some(b), Some(x)) if iterates => Some(Box::new(Solved { b, x: x.to_owned() })),
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
    /// The guess is a multiple of the old solution. Close to an optimum that matches the data, adjoint
    /// right-hand sides shrink by orders of magnitude per step, and the unscaled solution would be a worse
    /// guess than zero.
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

    /// Replaces the old columns by the most similar old column for every new one.
    ///
    /// The number of columns changes when a parameter reaches or leaves a bound.
    fn matched(self, b: &Mat<f64>) -> Self {
        let (old, count) = (&self.b, self.b.ncols());
        let squares: Vec<f64> = (0..count)
            .map(|j| dot(old.col_as_slice(j), old.col_as_slice(j)))
            .collect();
        // This is the squared cosine times ‖b‖², a factor that all old columns share. A zero column is
        // similar to none.
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
