//! Values between the cell centres.

use super::{Axis, Grid};
use crate::check;
use crate::error::{Error, Result};
use crate::linalg::Operator;

/// How errors name the coordinates of a point.
const COORDINATES: [&str; 3] = [
    "the first coordinate of a point on the grid",
    "the second coordinate of a point on the grid",
    "the third coordinate of a point on the grid",
];

/// The two cells of an axis that a coordinate lies between, and their weights.
type Between = [(usize, f64); 2];

impl Grid {
    /// The points × cells matrix of multilinear interpolation: (O ρ)ⱼ = Σᵢ ρᵢ Π_d max(0, 1 − |x_jd − c_id|/h_d) with
    /// cell centres cᵢ.
    ///
    /// Between cell centres it is exact for affine functions. Within half a cell of the boundary, beyond the last
    /// centres, it takes the value at the nearest of them along each axis; rows sum to 1 there too.
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
    /// No points; a point with another number of coordinates than the grid has axes, with one that is not finite, or
    /// outside the box: the error's index counts the points.
    pub fn interpolation<P: AsRef<[f64]>>(&self, points: &[P]) -> Result<Operator<'static>> {
        check::option(
            "the number of points to interpolate at",
            points.len() as f64,
            !points.is_empty(),
            "give at least one",
        )?;
        let mut entries = Vec::with_capacity(points.len() << self.dim());
        for (row, point) in points.iter().enumerate() {
            let corners = self.corners(row, point.as_ref())?;
            entries.extend(corners.map(|(cell, weight)| (row, cell, weight)));
        }
        Ok(Operator::triplets(points.len(), self.cells(), entries))
    }

    /// The cells around a point, and their weights; those of weight zero are left out.
    fn corners(&self, row: usize, point: &[f64]) -> Result<impl Iterator<Item = (usize, f64)>> {
        let what = "a point to interpolate at on the grid";
        check::length(what, point.len(), self.dim())?;
        let (mut along, mut strides) = ([[(0, 1.0), (0, 0.0)]; 3], [0; 3]);
        for (d, (axis, &x)) in self.axes.iter().zip(point).enumerate() {
            along[d] = axis.between(x).ok_or_else(|| outside(d, row, x, axis))?;
            strides[d] = self.stride(d);
        }
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
    /// Where a coordinate lies between the cell centres; None outside the axis.
    fn between(&self, x: f64) -> Option<Between> {
        if !(self.lower..=self.upper).contains(&x) {
            return None;
        }
        // In units of cells, from the first centre to the last.
        let last = self.cells - 1;
        let t = ((x - self.lower) / self.spacing() - 0.5).clamp(0.0, last as f64);
        let below = (t as usize).min(last.saturating_sub(1));
        let weight = t - below as f64;
        Some([(below, 1.0 - weight), ((below + 1).min(last), weight)])
    }
}

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
