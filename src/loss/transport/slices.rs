//! Lines onto which the densities of a box are projected.

use std::f64::consts::FRAC_PI_2;

use super::measure::{marginal, sum_of_axes};
use crate::grid::Grid;
use crate::random;
use crate::vector::dot;

/// Projections of the masses of the cells onto lines, and the weight of each in a sum over all.
pub(super) enum Slices {
    /// Onto the axes of a grid.
    Axes(Grid),
    /// Onto the axes of rotated frames, with this weight.
    Frames(Vec<Slice>, f64),
}

impl Slices {
    /// Returns the projections onto the axes of as many frames, the first of which is that of the grid.
    pub(super) fn frames(grid: &Grid, count: usize) -> Self {
        // On a line there is only one.
        if count == 1 || grid.dim() == 1 {
            return Self::Axes(grid.clone());
        }
        let frames = (0..count).flat_map(|k| frame(grid.dim(), k, count));
        let slices = frames.map(|direction| Slice::new(grid, &direction));
        Self::Frames(slices.collect(), (count as f64).recip())
    }

    /// Returns the weight of every line.
    pub(super) fn weight(&self) -> f64 {
        match self {
            Self::Axes(_) => 1.0,
            Self::Frames(_, weight) => *weight,
        }
    }

    /// Returns the edges of the bins of every line.
    pub(super) fn edges(&self) -> Vec<Vec<f64>> {
        match self {
            Self::Axes(grid) => (grid.axes().iter())
                .map(|axis| edges(axis.lower, axis.spacing(), axis.cells))
                .collect(),
            Self::Frames(slices, _) => (slices.iter())
                .map(|slice| edges(slice.lower, slice.spacing, slice.bins))
                .collect(),
        }
    }

    /// Returns the width of the bins of every line.
    pub(super) fn spacings(&self) -> Vec<f64> {
        match self {
            Self::Axes(grid) => grid.axes().iter().map(|axis| axis.spacing()).collect(),
            Self::Frames(slices, _) => slices.iter().map(|slice| slice.spacing).collect(),
        }
    }

    /// Returns the masses in the bins of every line, given those of the cells.
    pub(super) fn project(&self, masses: &[f64]) -> Vec<Vec<f64>> {
        match self {
            Self::Axes(grid) => (grid.axes().iter().enumerate())
                .map(|(d, axis)| marginal(masses, axis.cells, grid.stride(d)))
                .collect(),
            Self::Frames(slices, _) => slices.iter().map(|slice| slice.project(masses)).collect(),
        }
    }

    /// Returns the sum over all lines of functions of the bins, as a function of the cells: the transpose of [`project`](Self::project).
    pub(super) fn spread(&self, values: &[Vec<f64>]) -> Vec<f64> {
        match self {
            Self::Axes(_) => sum_of_axes(values),
            Self::Frames(slices, _) => {
                let cells = slices.first().map_or(0, |slice| slice.first.len());
                let mut sum = vec![0.0; cells];
                for (slice, values) in slices.iter().zip(values) {
                    slice.spread(values, &mut sum);
                }
                sum
            }
        }
    }
}

/// Returns the edges of bins.
fn edges(lower: f64, spacing: f64, bins: usize) -> Vec<f64> {
    (0..=bins).map(|i| lower + i as f64 * spacing).collect()
}

/// Returns the directions of the k-th of some frames.
///
/// The directions of a frame are orthonormal: with them Σ⟨θ, x⟩² = |x|², so that the loss of a translation is that of W₂².
fn frame(dim: usize, k: usize, count: usize) -> Vec<Vec<f64>> {
    if dim == 2 {
        let (sin, cos) = (FRAC_PI_2 * k as f64 / count as f64).sin_cos();
        return vec![vec![cos, sin], vec![-sin, cos]];
    }
    if k == 0 {
        let unit = |d: usize| (0..dim).map(|i| if i == d { 1.0 } else { 0.0 }).collect();
        return (0..dim).map(unit).collect();
    }
    // The orthonormal vectors of random ones are distributed evenly over all frames.
    let drawn = random::normal(dim * dim, SEED, k as u64);
    let mut found: Vec<Vec<f64>> = Vec::new();
    for vector in drawn.chunks(dim) {
        let mut rest = vector.to_vec();
        for _ in 0..2 {
            for known in &found {
                let share = dot(&rest, known);
                rest.iter_mut()
                    .zip(known)
                    .for_each(|(r, k)| *r -= share * k);
            }
        }
        let length = dot(&rest, &rest).sqrt();
        found.push(rest.iter().map(|r| r / length).collect());
    }
    found
}

/// Seed of the frames in space.
const SEED: u64 = 20;

/// Projection onto a line with bins of one width.
///
/// The mass of a cell is spread evenly over its box, whose projection is the distribution of a sum of uniform numbers. Bins that are
/// as wide as the cells take it up exactly.
pub(super) struct Slice {
    lower: f64,
    spacing: f64,
    bins: usize,
    /// First bin of every cell.
    first: Vec<u32>,
    /// Shares of the bins from the first on, for every cell.
    shares: Vec<f64>,
    /// Number of bins of a cell.
    reach: usize,
}

impl Slice {
    fn new(grid: &Grid, direction: &[f64]) -> Self {
        let parts = || grid.axes().iter().zip(direction);
        let widths: Vec<f64> = parts().map(|(axis, t)| axis.spacing() * t.abs()).collect();
        // Along an axis, bins are the cells themselves.
        let spacing = parts().map(|(axis, t)| axis.spacing() * t * t).sum::<f64>();
        let ends = |t: f64, a: f64, b: f64| (t * a).min(t * b);
        let lower = parts()
            .map(|(axis, t)| ends(*t, axis.lower, axis.upper))
            .sum::<f64>();
        let width: f64 = widths.iter().sum();
        let extent: f64 = parts()
            .map(|(axis, t)| (axis.upper - axis.lower) * t.abs())
            .sum();
        let bins = (extent / spacing - ROUNDING).ceil().max(2.0) as usize;
        let reach = ((width / spacing - ROUNDING).ceil() as usize + 1).min(bins);
        let (mut first, mut shares) = (Vec::new(), Vec::new());
        for cell in 0..grid.cells() {
            let centre = grid.centre(cell);
            let start = dot(&centre[..direction.len()], direction) - 0.5 * width - lower;
            let bin = (start / spacing + ROUNDING)
                .floor()
                .clamp(0.0, (bins - reach) as f64);
            let level = |k: usize| cumulative(&widths, (bin + k as f64) * spacing - start);
            let found: Vec<f64> = (0..reach)
                .map(|k| (level(k + 1) - level(k)).max(0.0))
                .collect();
            let sum: f64 = found.iter().sum();
            shares.extend(found.iter().map(|share| share / sum));
            first.push(bin as u32);
        }
        Self {
            lower,
            spacing,
            bins,
            first,
            shares,
            reach,
        }
    }

    fn project(&self, masses: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.bins];
        let cells = masses.iter().zip(&self.first);
        for ((mass, first), shares) in cells.zip(self.shares.chunks(self.reach)) {
            let bins = sums[*first as usize..].iter_mut().zip(shares);
            bins.for_each(|(sum, share)| *sum += share * mass);
        }
        sums
    }

    /// Adds a function of the bins to one of the cells.
    fn spread(&self, values: &[f64], out: &mut [f64]) {
        let cells = out.iter_mut().zip(&self.first);
        for ((out, first), shares) in cells.zip(self.shares.chunks(self.reach)) {
            let bins = values[*first as usize..].iter().zip(shares);
            *out += bins.map(|(value, share)| share * value).sum::<f64>();
        }
    }
}

/// Fraction of a bin by which positions may be wrong.
const ROUNDING: f64 = 1e-9;

/// Returns the probability that a sum of independent numbers, uniform from 0 to each of the widths, is at most t.
fn cumulative(widths: &[f64], t: f64) -> f64 {
    // The volume of the part of the box below the plane, by inclusion and exclusion of its corners:
    // Σ_s (−1)^|s| (t − Σ_{d∈s} w_d)₊ⁿ/(n! Π w).
    let widest = widths.iter().fold(0.0_f64, |m, w| m.max(*w));
    let kept: Vec<f64> = widths
        .iter()
        .copied()
        .filter(|w| *w > 1e-6 * widest)
        .collect();
    let total: f64 = kept.iter().sum();
    if t <= 0.0 || t >= total {
        return if t <= 0.0 { 0.0 } else { 1.0 };
    }
    let n = kept.len() as i32;
    let corners = (0..1_u32 << n).map(|set| {
        let inside = |d: &usize| set >> d & 1 == 1;
        let shift: f64 = (0..kept.len()).filter(inside).map(|d| kept[d]).sum();
        let sign = if set.count_ones().is_multiple_of(2) {
            1.0
        } else {
            -1.0
        };
        sign * (t - shift).max(0.0).powi(n)
    });
    let factorial: f64 = (1..=n).map(f64::from).product();
    let volume = factorial * kept.iter().product::<f64>();
    (corners.sum::<f64>() / volume).clamp(0.0, 1.0)
}
