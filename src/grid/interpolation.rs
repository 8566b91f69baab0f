//! Multilinear interpolation between cell centres.

use super::{Axis, Grid};
use crate::check;
use crate::error::{Error, Result};
use crate::linalg::Operator;

/// Names of the coordinates of a point in error messages.
const COORDINATES: [&str; 3] = [
    "the first coordinate of a point on the grid",
    "the second coordinate of a point on the grid",
    "the third coordinate of a point on the grid",
];

/// Two neighbouring cells of an axis whose centres enclose a coordinate, with their weights.
type Bracket = [(usize, f64); 2];

impl Grid {
    /// Returns the points × cells matrix of multilinear interpolation,
    /// (O ρ)ⱼ = Σᵢ ρᵢ Π_d max(0, 1 − |x_jd − c_id|/h_d) with cell centres cᵢ.
    ///
    /// The interpolation is exact for affine functions between cell centres. Within half a cell of the boundary, the
    /// interpolation is constant along the axis and takes the value at the nearest centre. All rows sum to 1.
    ///
    /// ```
    /// use pullback::{Grid, Side};
    /// let grid = Grid::new(&[(0.0, 1.0, 10), (0.0, 2.0, 8)])?;
    /// let sensors = grid.interpolation(&[[0.31, 1.0], [0.5, 0.5]])?;
    /// let seen = sensors.apply_to(Side::Plain, &grid.sample(|x| 3.0 * x[0] - x[1]))?;
    /// assert!((seen[0] - (-0.07)).abs() < 1e-14 && (seen[1] - 1.0).abs() < 1e-14);
    /// # Ok::<(), pullback::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails if there are no points, or if a point does not have one coordinate per axis, has a coordinate that is not
    /// finite, or lies outside the box. The index in the error counts the points.
    pub fn interpolation<P: AsRef<[f64]>>(&self, points: &[P]) -> Result<Operator<'static>> {
        let rows = self.interpolation_rows(points)?.into_iter().enumerate();
        let entries = rows.flat_map(|(row, corners)| {
            let entry = move |(cell, weight)| (row, cell, weight);
            corners.into_iter().map(entry)
        });
        Ok(Operator::triplets(points.len(), self.cells(), entries))
    }

    /// Returns the rows of [`interpolation`](Grid::interpolation): for every point its cells, with their weights.
    ///
    /// # Errors
    /// Fails as `interpolation` does.
    pub(crate) fn interpolation_rows<P: AsRef<[f64]>>(
        &self,
        points: &[P],
    ) -> Result<Vec<Vec<(usize, f64)>>> {
        check::option(
            "the number of points to interpolate at",
            points.len() as f64,
            !points.is_empty(),
            "give at least one",
        )?;
        let points = points.iter().enumerate();
        points
            .map(|(row, point)| Ok(self.corners(row, point.as_ref())?.collect()))
            .collect()
    }

    /// Returns the cells whose values are interpolated at a point, with their non-zero weights.
    fn corners(&self, row: usize, point: &[f64]) -> Result<impl Iterator<Item = (usize, f64)>> {
        let what = "a point to interpolate at on the grid";
        check::length(what, point.len(), self.dim())?;
        let (mut along, mut strides) = ([[(0, 1.0), (0, 0.0)]; 3], [0; 3]);
        for (d, (axis, &x)) in self.axes.iter().zip(point).enumerate() {
            along[d] = axis.bracket(x).ok_or_else(|| outside(d, row, x, axis))?;
            strides[d] = self.stride(d);
        }
        // Bit d of `bits` selects the lower or the upper cell along axis d. The weight of a corner is the
        // product of the weights along the axes. Axes that the grid lacks have the weights 1 and 0, so that
        // their upper corners drop out.
        let corner = move |bits: usize| {
            let chosen = (0..3).map(|d| (strides[d], along[d][bits >> d & 1]));
            chosen.fold((0, 1.0), |(cell, weight), (stride, (i, w))| {
                (cell + stride * i, weight * w)
            })
        };
        let corners = (0..8).map(corner);
        Ok(corners.filter(|(_, weight)| *weight != 0.0))
    }
}

impl Axis {
    /// Returns the cells whose centres enclose a coordinate, or None outside the axis.
    fn bracket(&self, x: f64) -> Option<Bracket> {
        if !(self.lower..=self.upper).contains(&x) {
            return None;
        }
        // t is the distance from the first centre in units of cells. Clamping makes the interpolation
        // constant beyond the first and last centre. At t = n − 1 the bracket is (n − 2, n − 1) with the
        // weights 0 and 1. An axis of one cell has both cells equal and t = 0. The weights 1 − w and w sum to
        // 1 up to rounding.
        let last = self.cells - 1;
        let t = ((x - self.lower) / self.spacing() - 0.5).clamp(0.0, last as f64);
        let below = (t as usize).min(last.saturating_sub(1));
        let weight = t - below as f64;
        Some([(below, 1.0 - weight), ((below + 1).min(last), weight)])
    }
}

/// Returns the error for a coordinate that is outside its axis or not finite.
fn outside(axis: usize, point: usize, value: f64, sides: &Axis) -> Error {
    let (what, index) = (COORDINATES[axis], point);
    if value.is_finite() {
        Error::OutOfRange {
            what,
            index,
            value,
            lower: sides.lower,
            upper: sides.upper,
        }
    } else {
        Error::NotFinite { what, index, value }
    }
}
