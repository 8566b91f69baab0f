//! Pattern of a Jacobian, found at the first evaluation and shared between threads.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use faer::{Mat, MatRef};

use super::differences::Differences;
use super::error::{Error, Outcome, Variable};
use super::jacobian::{Map, derivative, unit_weights};
use super::sparsity::Sparsity;
use super::trace::trace;
use crate::linalg::Operator;

/// Jacobian of a map whose pattern is found at the first evaluation, and grows where a branch of the map shows more.
pub(super) struct Jacobian {
    variable: fn(usize) -> Variable,
    known: Mutex<Known>,
}

/// What earlier evaluations have shown.
#[derive(Default)]
struct Known {
    sparsity: Option<Arc<Sparsity>>,
    /// Decisions of evaluations whose derivatives have been checked.
    branches: HashSet<u64>,
    /// Disagreement that a tape has shown to be rounding.
    rounding: f64,
}

/// Fraction of entries from which on a matrix is stored as dense.
const DENSE: f64 = 0.4;

/// Relative disagreement of J w with the derivative along w above which entries may be missing from the pattern.
pub(super) const DISAGREEMENT: f64 = 1e-9;

/// Largest disagreement that may become known as rounding.
pub(super) const ROUNDING: f64 = 1e-6;

/// Disagreement that no rounding explains.
pub(super) const INCONSISTENT: f64 = 1e-3;

/// Number of checked branches that are remembered.
pub(super) const REMEMBERED: usize = 4096;

impl Jacobian {
    pub(super) fn new(variable: fn(usize) -> Variable) -> Self {
        Self {
            variable,
            known: Mutex::default(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Extends the known pattern by these entries.
    fn extend(&self, n: usize, rows: Vec<Vec<usize>>) -> Arc<Sparsity> {
        let mut known = self.known();
        // Another thread may have extended the pattern meanwhile.
        let extended = match known.sparsity.take() {
            None => Arc::new(Sparsity::new(n, rows)),
            Some(known) if known.contains(&rows) => known,
            Some(known) => Arc::new(known.union(&rows)),
        };
        known.sparsity = Some(Arc::clone(&extended));
        extended
    }

    /// Returns the pattern and the values of the Jacobian at x.
    fn values<M: Map>(&self, map: &M, x: &[f64]) -> Outcome<(Arc<Sparsity>, Vec<f64>)> {
        let cached = self.known().sparsity.clone();
        let first = cached.is_none();
        let mut sparsity = match cached {
            Some(sparsity) => sparsity,
            None => self.extend(x.len(), trace(map, x)?),
        };
        loop {
            let found = sparsity.evaluate(map, x);
            let branch = found.decisions.branch;
            let (new, tolerance) = {
                let known = self.known();
                let new = branch != 0 && !known.branches.contains(&branch);
                (new, known.rounding.max(DISAGREEMENT))
            };
            let mut gap = found.gap;
            // In other units the check weighs variables that are tiny here.
            if new && !sparsity.is_full() {
                let weights = unit_weights(x);
                let along = derivative(map, x, &weights);
                let other = sparsity.gap(&along, &weights, &found.values);
                gap = if other.0 > gap.0 { other } else { gap };
            }
            if gap.0 > tolerance {
                // Either a branch shows new entries, or rounding exceeds the tolerance. The tape at this point decides.
                let rows = trace(map, x)?;
                if !sparsity.contains(&rows) {
                    sparsity = self.extend(x.len(), rows);
                    continue;
                }
                if gap.0 > INCONSISTENT {
                    return Err(Error::Inconsistent { row: gap.1 });
                }
                self.note_rounding(gap.0);
            }
            if new {
                let read = found.decisions.read;
                Differences::new(map, x, (&sparsity, &found.values))
                    .check(first || read, (self.variable, read))?;
                self.note_branch(branch);
            }
            return Ok((sparsity, found.values));
        }
    }

    fn note_rounding(&self, gap: f64) {
        let mut known = self.known();
        known.rounding = known.rounding.max((10.0 * gap).min(ROUNDING));
    }

    fn note_branch(&self, branch: u64) {
        let branches = &mut self.known().branches;
        if branches.len() >= REMEMBERED {
            branches.clear();
        }
        branches.insert(branch);
    }

    /// Returns the Jacobian at x, times `sign`.
    ///
    /// # Errors
    /// Fails if the map does not write all outputs, is not a function of x alone, or loses a derivative.
    pub(super) fn operator<M: Map>(
        &self,
        map: &M,
        x: &[f64],
        sign: f64,
    ) -> Outcome<Operator<'static>> {
        let (sparsity, mut values) = self.values(map, x)?;
        if sign != 1.0 {
            values.iter_mut().for_each(|v| *v *= sign);
        }
        let (rows, columns) = (map.rows(), x.len());
        if sparsity.is_diagonal() {
            let mut diagonal = vec![0.0; rows];
            for (j, entry) in diagonal.iter_mut().enumerate() {
                *entry = sparsity.structure.col_range(j).map(|k| values[k]).sum();
            }
            return Ok(Operator::diagonal(diagonal));
        }
        if values.len() as f64 >= DENSE * (rows * columns) as f64 {
            if sparsity.is_full() {
                // The entries of a full matrix are stored column by column.
                let dense = MatRef::from_column_major_slice(&values, rows, columns);
                return Ok(Operator::dense(dense.to_owned()));
            }
            let mut dense = Mat::zeros(rows, columns);
            for j in 0..columns {
                let range = sparsity.structure.col_range(j);
                let row_of = &sparsity.structure.row_idx()[range.clone()];
                for (value, &i) in values[range].iter().zip(row_of) {
                    dense[(i, j)] = *value;
                }
            }
            return Ok(Operator::dense(dense));
        }
        Ok(Operator::compressed(
            Arc::clone(&sparsity.structure),
            values,
        ))
    }

    /// Checks that all derivatives at x are finite, and names the first that is not.
    pub(super) fn check<M: Map>(&self, map: &M, x: &[f64]) -> Outcome<Arc<Sparsity>> {
        let (sparsity, values) = self.values(map, x)?;
        for (j, at) in x.iter().enumerate() {
            let range = sparsity.structure.col_range(j);
            let row_of = &sparsity.structure.row_idx()[range.clone()];
            for (value, &row) in values[range].iter().zip(row_of) {
                if !value.is_finite() {
                    return Err(Error::NotFinite {
                        row,
                        variable: (self.variable)(j),
                        derivative: *value,
                        at: *at,
                    });
                }
            }
        }
        Ok(sparsity)
    }
}
