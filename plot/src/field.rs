//! Scalar fields on a grid, and the choice of their level lines.

use crate::error::Fault;
use crate::layer::Point;

/// Scalar field on a regular grid of cells.
///
/// `values[i * ny + j]` belongs to the centre of cell (i, j); x is the slowest index. Cell (i, j) covers
/// xₗ + i·Δx ≤ x ≤ xₗ + (i+1)·Δx and yₗ + j·Δy ≤ y ≤ yₗ + (j+1)·Δy.
#[derive(Clone, Debug, PartialEq)]
pub struct Field2 {
    /// Lower and upper edge of the grid in x.
    pub x: [f64; 2],
    /// Lower and upper edge of the grid in y.
    pub y: [f64; 2],
    /// Number of cells along x and along y.
    pub shape: [usize; 2],
    /// One value per cell, `shape[0] * shape[1]` in total. A cell whose value is not finite stays empty.
    pub values: Vec<f64>,
}

impl Field2 {
    /// Samples `f(x, y)` at the cell centres of a grid.
    pub fn sample(
        x: [f64; 2],
        y: [f64; 2],
        shape: [usize; 2],
        f: impl Fn(f64, f64) -> f64,
    ) -> Field2 {
        let mut field = Field2 {
            x,
            y,
            shape,
            values: Vec::with_capacity(shape[0] * shape[1]),
        };
        for i in 0..shape[0] {
            for j in 0..shape[1] {
                let [px, py] = field.centre(i, j);
                field.values.push(f(px, py));
            }
        }
        field
    }

    /// Returns the centre of cell (i, j).
    pub fn centre(&self, i: usize, j: usize) -> Point {
        let [nx, ny] = self.shape;
        [
            edge(self.x, nx, i as f64 + 0.5),
            edge(self.y, ny, j as f64 + 0.5),
        ]
    }

    /// Returns the coordinate x of the left edge of column `i`.
    pub(crate) fn x_edge(&self, i: usize) -> f64 {
        edge(self.x, self.shape[0], i as f64)
    }

    /// Returns the coordinate y of the lower edge of row `j`.
    pub(crate) fn y_edge(&self, j: usize) -> f64 {
        edge(self.y, self.shape[1], j as f64)
    }

    /// Returns the value of cell (i, j), or NaN beyond the last cell.
    pub(crate) fn value(&self, i: usize, j: usize) -> f64 {
        let cell = i * self.shape[1] + j;
        self.values.get(cell).copied().unwrap_or(f64::NAN)
    }

    /// Returns the smallest and largest finite value, or `None` if no value is finite.
    pub fn extremes(&self) -> Option<[f64; 2]> {
        let finite = self.values.iter().copied().filter(|v| v.is_finite());
        finite.fold(None, |range: Option<[f64; 2]>, v| {
            Some(range.map_or([v, v], |[low, high]| [low.min(v), high.max(v)]))
        })
    }

    /// Returns the contradiction in the field, if there is one.
    pub(crate) fn fault(&self) -> Option<Fault> {
        let (shape, values) = (self.shape, self.values.len());
        if shape[0].checked_mul(shape[1]) != Some(values) {
            return Some(Fault::Values { shape, values });
        }
        let (x, y) = (self.x, self.y);
        let bad = [x, y].iter().any(|[a, b]| !(b - a).is_finite() || a >= b);
        bad.then_some(Fault::Edges { x, y })
    }
}

/// Returns the coordinate `steps` cells above the lower edge of an axis with `count` cells.
fn edge([lower, upper]: [f64; 2], count: usize, steps: f64) -> f64 {
    lower + (upper - lower) * steps / count.max(1) as f64
}

/// Choice of the level lines of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Levels {
    /// Number of levels, evenly spaced strictly between the extreme values.
    Count(usize),
    /// Number of levels, evenly spaced in the logarithm strictly between the positive extremes.
    Log(usize),
    /// Levels at these values of the field.
    Values(Vec<f64>),
}

impl Levels {
    /// Computes the level values for a field.
    pub(crate) fn of(&self, field: &Field2) -> Vec<f64> {
        let positive = || {
            let values = field.values.iter().copied();
            values.filter(|v| v.is_finite() && *v > 0.0).map(f64::ln)
        };
        match self {
            Levels::Values(values) => values.clone(),
            Levels::Count(count) => match field.extremes() {
                Some([low, high]) => between(low, high, *count),
                None => Vec::new(),
            },
            Levels::Log(count) => {
                let low = positive().fold(f64::INFINITY, f64::min);
                let high = positive().fold(f64::NEG_INFINITY, f64::max);
                // Without a positive value the extremes are (∞, −∞), for which `between` returns no level.
                let logs = between(low, high, *count);
                logs.into_iter().map(f64::exp).collect()
            }
        }
    }
}

/// Divides an interval into equal parts and returns the `count` interior points.
fn between(low: f64, high: f64, count: usize) -> Vec<f64> {
    if high <= low {
        return Vec::new();
    }
    let step = (high - low) / (count + 1) as f64;
    (1..=count).map(|k| low + step * k as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_sampled_at_their_centres_with_x_slowest() {
        let field = Field2::sample([0.0, 2.0], [0.0, 3.0], [2, 3], |x, y| 10.0 * x + y);
        assert_eq!(field.values, [5.5, 6.5, 7.5, 15.5, 16.5, 17.5]);
        assert_eq!(field.extremes(), Some([5.5, 17.5]));
        assert!(field.fault().is_none());
    }

    #[test]
    fn a_contradictory_field_has_a_fault() {
        let good = Field2::sample([0.0, 1.0], [0.0, 1.0], [2, 2], |x, _| x);
        let short = Field2 {
            shape: [3, 2],
            ..good.clone()
        };
        assert!(
            short
                .fault()
                .is_some_and(|fault| fault.to_string().contains("4 values"))
        );
        let turned = Field2 {
            x: [1.0, 0.0],
            ..good
        };
        assert!(
            turned
                .fault()
                .is_some_and(|fault| fault.to_string().contains("edges"))
        );
    }

    #[test]
    fn levels_lie_strictly_between_the_extremes() {
        let field = Field2::sample([0.0, 1.0], [0.0, 1.0], [100, 1], |x, _| 10f64.powf(4.0 * x));
        for levels in [Levels::Count(4), Levels::Log(4)] {
            let values = levels.of(&field);
            let inside = |[low, high]: [f64; 2]| values.iter().all(|v| *v > low && *v < high);
            assert_eq!(values.len(), 4);
            assert!(field.extremes().is_some_and(inside));
        }
        let flat = Field2::sample([0.0, 1.0], [0.0, 1.0], [2, 2], |_, _| -1.0);
        assert!(Levels::Count(3).of(&flat).is_empty());
        assert!(Levels::Log(3).of(&flat).is_empty());
    }
}
