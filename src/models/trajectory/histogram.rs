//! Histograms: the fraction of time that a trajectory spends in the cells of a grid.

use crate::check;
use crate::error::{Error, Result};
use crate::grid::Grid;
use crate::models;

/// Largest fraction of samples that may lie outside the grid.
pub const OUTSIDE: f64 = 0.05;

/// Occupation measure of a trajectory on a grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Occupation {
    /// Density per volume in every cell. The samples inside the grid have mass 1.
    pub density: Vec<f64>,
    /// Fraction of all samples that lie outside the grid.
    pub outside: f64,
    /// Number of samples, including those outside the grid but not the images under the symmetry.
    pub samples: usize,
}

/// Returns the perplexity exp(−Σ p log p) of the cell masses p = volume·density, divided by their sum.
///
/// The perplexity is the effective number of visited cells: n for a density that is uniform on n cells. A periodic
/// orbit visits far fewer cells than a chaotic one.
///
/// ```
/// use pullback::models::trajectory::perplexity;
/// assert!((perplexity(&[2.0, 2.0, 0.0, 2.0], 0.5) - 3.0).abs() < 1e-14);
/// ```
pub fn perplexity(density: &[f64], volume: f64) -> f64 {
    let mass: f64 = volume * density.iter().sum::<f64>();
    // Empty cells are left out, since p log p → 0 as p → 0. For n cells of equal mass the entropy is log n.
    // Division by the mass makes the result independent of the unit of the density.
    let entropy = density.iter().filter(|&&r| r > 0.0).map(|r| {
        let p = volume * r / mass;
        -p * p.ln()
    });
    entropy.sum::<f64>().exp()
}

/// Histogram on a grid, to which samples are added one at a time.
///
/// A sample on the upper end of an axis belongs to the last cell.
///
/// ```
/// use pullback::{models::trajectory::Histogram, Grid};
/// let grid = Grid::new(&[(-1.0, 1.0, 2), (-1.0, 1.0, 2)])?;
/// let mut histogram = Histogram::new(&grid, Some([-1.0, -1.0, 1.0]));
/// histogram.add(&[0.5, 1.0, 0.0]);
/// assert_eq!(histogram.finish()?.density, [0.5, 0.0, 0.0, 0.5]);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Histogram {
    /// Lower end, upper end, cells per unit length and number of cells of each axis.
    axes: Vec<(f64, f64, f64, usize)>,
    volume: f64,
    symmetry: Option<[f64; 3]>,
    counts: Vec<u64>,
    outside: u64,
    samples: usize,
    /// Range of the samples along each axis, for error messages.
    ranges: Vec<(f64, f64)>,
    /// Index and value of the first sample that is not finite.
    broken: Option<(usize, f64)>,
}

impl Histogram {
    /// Creates an empty histogram. If `symmetry` holds signs s, the image s∘x of every sample x counts with equal
    /// weight.
    pub fn new(grid: &Grid, symmetry: Option<[f64; 3]>) -> Self {
        let axes = grid.axes().iter();
        let axes = axes.map(|a| (a.lower, a.upper, a.spacing().recip(), a.cells));
        Self {
            axes: axes.collect(),
            volume: grid.volume(),
            symmetry,
            counts: vec![0; grid.cells()],
            outside: 0,
            samples: 0,
            ranges: vec![(f64::INFINITY, f64::NEG_INFINITY); grid.dim()],
            broken: None,
        }
    }

    /// Counts a sample.
    pub fn add(&mut self, x: &[f64; 3]) {
        if let Some(&value) = x[..self.axes.len()].iter().find(|x| !x.is_finite()) {
            self.broken = self.broken.or(Some((self.samples, value)));
        }
        self.samples += 1;
        self.count(x);
        if let Some(s) = self.symmetry {
            self.count(&[s[0] * x[0], s[1] * x[1], s[2] * x[2]]);
        }
    }

    /// Counts one point, without its image under the symmetry.
    fn count(&mut self, x: &[f64; 3]) {
        let (mut cell, mut inside) = (0, true);
        for ((&(lower, upper, density, cells), range), &x) in
            self.axes.iter().zip(&mut self.ranges).zip(x)
        {
            // Horner's rule numbers the cells with the last axis fastest.
            *range = (range.0.min(x), range.1.max(x));
            inside &= lower <= x && x <= upper;
            // The cast saturates and `min` caps the result, so that the index is valid for samples outside the grid as
            // well.
            cell = cell * cells + (((x - lower) * density) as usize).min(cells - 1);
        }
        if inside {
            self.counts[cell] += 1;
        } else {
            self.outside += 1;
        }
    }

    /// Returns the occupation measure of the samples.
    ///
    /// # Errors
    /// Fails if a sign of the symmetry is neither 1 nor −1, if there are no samples, if a sample is not finite, or if a
    /// fraction of more than [`OUTSIDE`] of the samples lies outside the grid.
    pub fn finish(self) -> Result<Occupation> {
        for sign in self.symmetry.iter().flatten() {
            check::option(
                "a sign of the symmetry",
                *sign,
                sign.abs() == 1.0,
                "give 1 for an axis that is kept, and -1 for one that is reflected",
            )?;
        }
        let counted = self.samples > 0;
        check::option("the number of samples", 0.0, counted, "give at least one")?;
        if let Some((index, value)) = self.broken {
            return Err(Error::NotFinite {
                what: "a sample of the trajectory",
                index,
                value,
            });
        }
        let inside: u64 = self.counts.iter().sum();
        let fraction = self.outside as f64 / (inside + self.outside) as f64;
        if fraction > OUTSIDE {
            let ranges = self.ranges;
            return Err(models::Error::OutsideBox { fraction, ranges }.into());
        }
        // count/(N vol) sums to 1/vol over the cells: mass 1. `inside` counts images under the symmetry as
        // well: each sample has weight one half then.
        let mass = inside as f64 * self.volume;
        Ok(Occupation {
            density: self.counts.iter().map(|&c| c as f64 / mass).collect(),
            outside: fraction,
            samples: self.samples,
        })
    }
}
