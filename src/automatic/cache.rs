//! Pattern of a Jacobian, found at the first evaluation and shared between threads.

use std::sync::{Arc, Mutex, PoisonError};

use faer::Mat;

use super::error::{Error, Outcome, Variable};
use super::jacobian::Map;
use super::sparsity::Sparsity;
use super::trace::trace;
use crate::linalg::Operator;

/// Jacobian of a map whose pattern is found at the first evaluation, and grows where a branch of the map shows more.
pub(super) struct Jacobian {
    variable: fn(usize) -> Variable,
    sparsity: Mutex<Option<Arc<Sparsity>>>,
}

/// Fraction of entries from which on a matrix is stored as dense.
const DENSE: f64 = 0.4;

impl Jacobian {
    pub(super) fn new(variable: fn(usize) -> Variable) -> Self {
        Self {
            variable,
            sparsity: Mutex::default(),
        }
    }

    fn cached(&self) -> Option<Arc<Sparsity>> {
        let guard = self.sparsity.lock();
        guard.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Extends the cached pattern by these entries.
    fn extend(&self, n: usize, rows: Vec<Vec<usize>>) -> Arc<Sparsity> {
        let guard = self.sparsity.lock();
        let mut cached = guard.unwrap_or_else(PoisonError::into_inner);
        // Another thread may have extended the pattern meanwhile.
        let extended = match cached.take() {
            None => Arc::new(Sparsity::new(n, rows)),
            Some(known) if known.contains(&rows) => known,
            Some(known) => Arc::new(known.union(&rows)),
        };
        *cached = Some(Arc::clone(&extended));
        extended
    }

    /// Returns the pattern and the values of the Jacobian at x.
    fn values<M: Map>(&self, map: &M, x: &[f64]) -> Outcome<(Arc<Sparsity>, Vec<f64>)> {
        let sparsity = match self.cached() {
            Some(sparsity) => sparsity,
            None => self.extend(x.len(), trace(map, x, self.variable)?),
        };
        let (values, agreed) = sparsity.values(map, x);
        if agreed {
            return Ok((sparsity, values));
        }
        // Either a branch shows new entries, or rounding exceeds the tolerance. The tape at this point decides.
        let rows = trace(map, x, self.variable)?;
        if sparsity.contains(&rows) {
            return Ok((sparsity, values));
        }
        let sparsity = self.extend(x.len(), rows);
        let (values, _) = sparsity.values(map, x);
        Ok((sparsity, values))
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
