//! Entries of the derivatives of a function, and products with them.

use std::ops::Range;

use super::lanes::on_lanes;
use super::pattern::Columns;
use super::products::{add_dense, add_dense_transposed, add_sparse, add_sparse_transposed};
use crate::automatic::{Entries, Formula};
use crate::error::Result;

/// Largest number of entries that are stored densely without a look at them.
const SMALL: usize = 2048;

/// Entries of a matrix of derivatives, all of them or those of a pattern.
#[derive(Clone)]
pub(in crate::evolution) struct Shape {
    rows: usize,
    columns: usize,
    entries: Option<Entries>,
}

impl Shape {
    /// Finds the entries of the derivatives of a function at its arguments.
    ///
    /// # Errors
    /// Fails if the function does not write all outputs, or is not a function of its arguments alone.
    pub(in crate::evolution) fn find<F: Formula>(function: &F, arguments: &[f64]) -> Result<Self> {
        let rows = function.dims().0;
        if rows * arguments.len() <= SMALL {
            return Ok(Self::full(rows, arguments.len()));
        }
        Ok(Self::of(Entries::trace(function, arguments)?).or_full())
    }

    /// Creates the shape of all entries.
    pub(super) fn full(rows: usize, columns: usize) -> Self {
        Self {
            rows,
            columns,
            entries: None,
        }
    }

    /// Creates the shape of these entries.
    pub(super) fn of(entries: Entries) -> Self {
        Self {
            rows: entries.columns().nrows(),
            columns: entries.columns().ncols(),
            entries: Some(entries),
        }
    }

    /// Returns whether more than a third of the entries are there.
    pub(super) fn is_crowded(&self) -> bool {
        3 * self.len() > self.rows * self.columns
    }

    /// Returns all entries if many of them are there.
    fn or_full(self) -> Self {
        match self.is_crowded() {
            true => Self::full(self.rows, self.columns),
            false => self,
        }
    }

    /// Returns the shape with more entries.
    pub(in crate::evolution) fn extended(&self, more: &Entries) -> Self {
        match &self.entries {
            Some(entries) => Self::of(entries.union(more)).or_full(),
            None => self.clone(),
        }
    }

    /// Returns the shape of the first columns.
    pub(super) fn first(&self, columns: usize) -> Self {
        match &self.entries {
            Some(entries) => Self::of(entries.first(columns)),
            None => Self::full(self.rows, columns),
        }
    }

    /// Returns the number of values.
    pub(in crate::evolution) fn len(&self) -> usize {
        match &self.entries {
            None => self.rows * self.columns,
            Some(entries) => entries.columns().row_idx().len(),
        }
    }

    /// Returns the number of rows and that of columns.
    pub(super) fn dims(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    /// Returns the entries, unless all are there.
    pub(super) fn entries(&self) -> Option<&Entries> {
        self.entries.as_ref()
    }

    /// Returns the entries column by column, unless all are there.
    pub(super) fn pattern(&self) -> Option<&Columns> {
        self.entries.as_ref().map(|entries| &**entries.columns())
    }

    /// Adds `a` times the product of these columns with x to `out`.
    pub(in crate::evolution) fn add<const L: usize>(
        &self,
        columns: Range<usize>,
        (values, a): (&[f64], f64),
        x: &[[f64; L]],
        out: &mut [[f64; L]],
    ) {
        on_lanes::<L, _>(
            #[inline(always)]
            || match self.pattern() {
                None => add_dense(&values[columns.start * self.rows..], a, x, out),
                Some(pattern) => add_sparse((pattern, columns, values), a, x, out),
            },
        );
    }

    /// Adds `a` times the product of the transpose of these columns with w to `out`.
    pub(in crate::evolution) fn add_transposed<const L: usize>(
        &self,
        columns: Range<usize>,
        (values, a): (&[f64], f64),
        w: &[[f64; L]],
        out: &mut [[f64; L]],
    ) {
        on_lanes::<L, _>(
            #[inline(always)]
            || match self.pattern() {
                None => add_dense_transposed(&values[columns.start * self.rows..], a, w, out),
                Some(pattern) => add_sparse_transposed((pattern, columns, values), a, w, out),
            },
        );
    }
}
