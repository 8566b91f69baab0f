//! Sliced transport: transport of the projections on lines.

use rayon::prelude::*;

use super::line::transport;
use super::ridge::{Placed, placed};
use super::sliced_metric::SlicedMetric;
use super::{Compared, Sample, check_state};
use crate::check;
use crate::error::Result;
use crate::linalg::Backend;
use crate::loss::{Loss, Misfit, gradient_of, value_of};
use crate::metric::Metric;
use crate::model::Clouds;
use crate::random;
use crate::vector::dot;

/// Sliced transport: d times the mean of ½W₂² between the projections of both samples on lines (Rabin, Peyré, Delon and Bernot
/// 2011).
///
/// The state holds the positions of N particles in ℝᵈ one after the other. The M data are points that belong to no particle, and
/// N and M may differ. On a line W₂² pairs equal quantiles, and so a value takes two sorts a line. The factor d makes a translation
/// cost ½|shift|², as in ½W₂²; no other change costs more. In one dimension the loss is ½W₂² itself.
///
/// The lines are drawn once, in orthogonal frames of d, so that the loss is a fixed function of the state. It is continuous and has
/// a gradient wherever no two projections coincide.
///
/// ```
/// use pullback::{Loss, loss::SlicedTransport, random};
/// let data = random::normal(3 * 500, 1, 0);
/// let loss = SlicedTransport::new(3, data.clone())?;
/// let moved: Vec<f64> = data.iter().map(|x| x + 2.0).collect();
/// assert!(loss.value(&data) == 0.0 && (loss.value(&moved) - 6.0).abs() < 1e-12);
/// # Ok::<(), pullback::Error>(())
/// ```
pub struct SlicedTransport {
    space: usize,
    /// Unit vectors, one after the other.
    lines: Vec<f64>,
    /// Sorted projections of the data on all lines, one after the other.
    sorted: Vec<f64>,
    data: usize,
}

/// Standard number of lines.
const LINES: usize = 64;

/// Standard seed of the lines.
const SEED: u64 = 1;

impl SlicedTransport {
    /// Creates the loss of data in ℝᵈ, d = `space`, on about 64 lines.
    ///
    /// # Errors
    /// Fails if the data are no points, or not finite.
    pub fn new(space: usize, data: Vec<f64>) -> Result<Self> {
        Self::on_lines(space, data, LINES, SEED)
    }

    /// Creates the loss on so many lines, drawn with a seed. Their number is rounded up to a multiple of d. On a line one suffices.
    ///
    /// The error of the mean over lines decreases as the square root of their number, from about 1/√(dL) relative to changes of
    /// shape. Translations have none.
    ///
    /// # Errors
    /// Fails if the data are no points, or not finite, or if there are to be no lines.
    pub fn on_lines(space: usize, data: Vec<f64>, count: usize, seed: u64) -> Result<Self> {
        let sample = Sample::new(space, data)?;
        check::option(
            "the number of lines of a sliced transport",
            count as f64,
            count > 0,
            "give at least 1, such as 64",
        )?;
        let frames = if space == 1 { 1 } else { count.div_ceil(space) };
        let lines = frames_of_lines(space, frames, seed);
        let sorted: Vec<Vec<f64>> = lines
            .par_chunks_exact(space)
            .map(|line| {
                let mut on_line: Vec<f64> = sample.points().map(|y| dot(line, y)).collect();
                on_line.sort_unstable_by(f64::total_cmp);
                on_line
            })
            .collect();
        Ok(Self {
            space,
            lines,
            sorted: sorted.concat(),
            data: sample.len(),
        })
    }

    fn line(&self, index: usize) -> &[f64] {
        &self.lines[index * self.space..][..self.space]
    }

    /// Returns ½W₂² on a line, and its derivative by the projections of the particles, which are given in ascending order.
    fn on_line(&self, index: usize, order: &[Placed]) -> (f64, Vec<f64>) {
        let target = &self.sorted[index * self.data..][..self.data];
        let projected: Vec<f64> = order.iter().map(|(x, _)| *x).collect();
        let mut by_rank = vec![0.0; order.len()];
        let value = transport(&projected, target, &mut by_rank);
        let mut gradient = vec![0.0; order.len()];
        for ((_, n), slope) in order.iter().zip(by_rank) {
            gradient[*n as usize] = slope;
        }
        (value, gradient)
    }

    /// Returns value and gradient.
    fn compare(&self, rho: &[f64]) -> Compared {
        let d = self.space;
        let count = self.lines.len() / d;
        let lines = (0..count).into_par_iter();
        let slices: Vec<_> = lines
            .map(|index| self.on_line(index, &placed(self.line(index), rho)))
            .collect();
        let factor = d as f64 / count as f64;
        let mut covector = vec![0.0; rho.len()];
        covector
            .par_chunks_mut(512 * d)
            .enumerate()
            .for_each(|(block, out)| {
                for ((_, slopes), line) in slices.iter().zip(self.lines.chunks_exact(d)) {
                    let slopes = &slopes[512 * block..];
                    for (out, slope) in out.chunks_exact_mut(d).zip(slopes) {
                        out.iter_mut()
                            .zip(line)
                            .for_each(|(u, l)| *u += factor * slope * l);
                    }
                }
            });
        let sum: f64 = slices.iter().map(|(value, _)| value).sum();
        Compared {
            value: factor * sum,
            covector,
            rounding: 0.0,
        }
    }
}

/// Returns the vectors of random orthonormal frames, one after the other.
fn frames_of_lines(space: usize, frames: usize, seed: u64) -> Vec<f64> {
    let mut lines = Vec::with_capacity(frames * space * space);
    for frame in 0..frames {
        let start = lines.len();
        let mut stream = random::normal_stream(seed, frame as u64 + 1);
        while lines.len() < start + space * space {
            let mut line: Vec<f64> = (0..space).map(|_| stream()).collect();
            // Two passes of Gram-Schmidt leave the frame orthogonal to rounding.
            for _ in 0..2 {
                for other in lines[start..].chunks_exact(space) {
                    let along = dot(other, &line);
                    line.iter_mut()
                        .zip(other)
                        .for_each(|(l, o)| *l -= along * o);
                }
                let length = dot(&line, &line).sqrt();
                line.iter_mut().for_each(|l| *l /= length);
            }
            lines.extend(line);
        }
    }
    lines
}

impl Loss for SlicedTransport {
    fn value(&self, rho: &[f64]) -> f64 {
        value_of(self, rho)
    }

    fn gradient(&self, rho: &[f64], out: &mut [f64]) {
        gradient_of(self, rho, out);
    }

    /// Returns the second variation of the loss at a match: the Wasserstein metrics of all projections, and 1/N of that of labelled
    /// particles.
    fn metric(&self) -> Option<Box<dyn Metric + '_>> {
        let derivatives = |index, _: &[f64], order: &[Placed]| self.on_line(index, order).1;
        Some(Box::new(SlicedMetric::new(
            self.space,
            &self.lines,
            derivatives,
        )))
    }

    fn clouds(&self) -> Option<Clouds> {
        Some(Clouds {
            count: 1,
            space: self.space,
        })
    }

    fn check(&self, rho: &[f64]) -> Result<()> {
        check_state(self.space, rho)
    }

    fn at<'a>(&'a self, rho: &[f64], _: &dyn Backend) -> Result<Box<dyn Misfit + 'a>> {
        self.check(rho)?;
        Ok(Box::new(self.compare(rho)))
    }
}
