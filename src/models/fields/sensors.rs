//! Points at which fields are observed.

use crate::automatic::Scalar;
use crate::error::Result;
use crate::grid::Grid;

/// Observed values of a field: all cells, or points between cell centres.
#[derive(Clone, Debug, Default)]
pub(super) struct Sensors {
    /// For every point the cells around it, with their weights. None stands for all cells.
    rows: Option<Vec<Vec<(usize, f64)>>>,
}

impl Sensors {
    /// Places a sensor at every point.
    ///
    /// # Errors
    /// Fails as [`Grid::interpolation`] does.
    pub(super) fn at<P: AsRef<[f64]>>(grid: &Grid, points: &[P]) -> Result<Self> {
        let rows = Some(grid.interpolation_rows(points)?);
        Ok(Self { rows })
    }

    /// Returns the number of observed values of a field with this number of cells.
    pub(super) fn count(&self, cells: usize) -> usize {
        self.rows.as_ref().map_or(cells, Vec::len)
    }

    /// Writes the observed values of a field to `out`.
    pub(super) fn read<S: Scalar>(&self, field: &[S], out: &mut [S]) {
        let Some(rows) = &self.rows else {
            return out.copy_from_slice(field);
        };
        for (out, row) in out.iter_mut().zip(rows) {
            *out = row.iter().map(|&(cell, weight)| field[cell] * weight).sum();
        }
    }
}
