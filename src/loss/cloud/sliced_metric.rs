//! Metric of sliced transport between clouds.

use faer::{Mat, MatRef};
use rayon::prelude::*;

use super::ridge::{Placed, Ridge, placed};
use crate::error::Result;
use crate::linalg::{Backend, share_columns};
use crate::metric::{Metric, Root, check_batch, check_covector, check_lifted, count};
use crate::vector::dot;

/// Metric d/L Σ_l E(E(u_l·v | u_l·x)²) + E(|v|²)/N of velocities v and L lines u_l in ℝᵈ.
///
/// The sum over the lines has the Wasserstein metrics of all projections: a velocity along a line counts as the mean velocity of the
/// particles at one place there, which is what moves their distribution. What it has beside that, as under noise, exchanges
/// particles. It counts as little as one particle among N, so that no motion has length zero.
//
// Conditional expectations are projections on functions of one coordinate, of which a line has about √N. Among them is the
// derivative of the loss along the line, so that the gradient of the loss is Lᵀy with a y that has rows of lines only.
pub(super) struct SlicedMetric<'a> {
    space: usize,
    lines: &'a [f64],
    derivatives: Derivatives<'a>,
}

/// Derivatives of a loss by the positions of particles, given in ascending order too, along the line of a number.
type Derivatives<'a> = Box<dyn Fn(usize, &[f64], &[Placed]) -> Vec<f64> + Send + Sync + 'a>;

impl<'a> SlicedMetric<'a> {
    /// Creates the metric on unit vectors in ℝᵈ, d = `space`, one after the other.
    pub(super) fn new(
        space: usize,
        lines: &'a [f64],
        derivatives: impl Fn(usize, &[f64], &[Placed]) -> Vec<f64> + Send + Sync + 'a,
    ) -> Self {
        Self {
            space,
            lines,
            derivatives: Box::new(derivatives),
        }
    }

    /// Creates the metric of points on a line, where it is Wasserstein-2, for a loss with this gradient.
    pub(super) fn on_a_line(gradient: impl Fn(&[f64], &mut [f64]) + Send + Sync + 'a) -> Self {
        Self::new(1, &[1.0], move |_, rho, _| {
            let mut derivatives = vec![0.0; rho.len()];
            gradient(rho, &mut derivatives);
            derivatives
        })
    }

    fn prepared(&self, index: usize, rho: &[f64]) -> (Ridge, Vec<f64>) {
        let line = &self.lines[index * self.space..][..self.space];
        let order = placed(line, rho);
        let derivatives = (self.derivatives)(index, rho, &order);
        let ridge = Ridge::new(&order, &derivatives);
        let mut gap = vec![0.0; ridge.len()];
        ridge.coefficients(&derivatives, &mut gap);
        (ridge, gap)
    }
}

impl Metric for SlicedMetric<'_> {
    fn at<'a>(&'a self, rho: &'a [f64], _: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        let particles = count(self.space, rho)?;
        let lines = (0..self.lines.len() / self.space).into_par_iter();
        let (ridges, gaps): (Vec<_>, Vec<_>) = lines.map(|index| self.prepared(index, rho)).unzip();
        let scale = (self.space as f64 / ridges.len() as f64).sqrt();
        // ∇f = d/L Σ_l f_l u_l with the derivatives f_l along the lines, and Lᵀy = 1/N √(d/L) Σ_l u_l (function of y_l).
        let factor = particles as f64 * scale;
        let mut root = SlicedRoot {
            gap: gaps.concat().iter().map(|y| factor * y).collect(),
            gradient: vec![0.0; rho.len()],
            metric: self,
            particles,
            ridges,
            scale,
        };
        let mut gradient = vec![0.0; rho.len()];
        root.spread(&root.gap, &mut gradient);
        root.gradient = gradient;
        Ok(Box::new(root))
    }

    fn name(&self) -> &'static str {
        match self.space {
            1 => "W2 on a line",
            _ => "sliced W2",
        }
    }
}

/// Square root L of the metric at one cloud: the coefficients of velocities along all lines, one line after the other, and then
/// v/N.
struct SlicedRoot<'a> {
    metric: &'a SlicedMetric<'a>,
    particles: usize,
    ridges: Vec<Ridge>,
    /// √(d/L).
    scale: f64,
    /// The y with Lᵀy = ∇f for the loss f of the metric, without the rows v/N, where it is zero.
    gap: Vec<f64>,
    /// ∇f by this y.
    gradient: Vec<f64>,
}

impl SlicedRoot<'_> {
    /// Returns every line with its functions and the first of its rows.
    fn parts(&self) -> impl Iterator<Item = (&[f64], &Ridge, usize)> {
        let mut first = 0;
        let lines = self.metric.lines.chunks_exact(self.metric.space);
        lines.zip(&self.ridges).map(move |(line, ridge)| {
            let start = first;
            first += ridge.len();
            (line, ridge, start)
        })
    }

    /// Writes L v.
    fn lift_column(&self, v: &[f64], out: &mut [f64]) {
        let (on_lines, own) = out.split_at_mut(self.gap.len());
        self.collect(v, on_lines);
        let share = (self.particles as f64).recip();
        own.iter_mut().zip(v).for_each(|(y, v)| *y = share * v);
    }

    /// Writes Lᵀ y.
    fn lower_column(&self, y: &[f64], out: &mut [f64]) {
        let (on_lines, own) = y.split_at(self.gap.len());
        self.spread(on_lines, out);
        let share = (self.particles as f64).recip();
        out.iter_mut().zip(own).for_each(|(c, y)| *c += share * y);
    }

    /// Writes the coefficients of velocities along all lines.
    fn collect(&self, v: &[f64], out: &mut [f64]) {
        let mut along = vec![0.0; self.particles];
        for (line, ridge, first) in self.parts() {
            let out = &mut out[first..first + ridge.len()];
            let velocities = v.chunks_exact(line.len()).map(|v| dot(line, v));
            along.iter_mut().zip(velocities).for_each(|(a, v)| *a = v);
            ridge.coefficients(&along, out);
            out.iter_mut().for_each(|y| *y *= self.scale);
        }
    }

    /// Writes the covector of coefficients along all lines.
    fn spread(&self, y: &[f64], out: &mut [f64]) {
        out.fill(0.0);
        let (d, scale) = (self.metric.space, self.scale / self.particles as f64);
        for (line, ridge, first) in self.parts() {
            ridge.function(&y[first..first + ridge.len()], |n, value| {
                let target = out[n * d..][..d].iter_mut();
                target
                    .zip(line)
                    .for_each(|(out, l)| *out += scale * value * l);
            });
        }
    }
}

/// Returns what `write` makes of every column, vectors of so many rows.
fn by_columns(
    rows: usize,
    from: MatRef<'_, f64>,
    write: impl Fn(&[f64], &mut [f64]) + Sync,
) -> Mat<f64> {
    let mut image = Mat::zeros(rows, from.ncols());
    share_columns(image.as_mut(), |j, out| {
        let column: Vec<f64> = from.col(j).iter().copied().collect();
        if let Some(out) = out.try_as_col_major_mut() {
            write(&column, out.as_slice_mut());
        }
    });
    image
}

impl Root for SlicedRoot<'_> {
    fn dim(&self) -> usize {
        self.particles * self.metric.space
    }

    fn lifted_dim(&self) -> usize {
        self.gap.len() + self.dim()
    }

    fn lift(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check_batch(z, self.dim())?;
        let rows = self.lifted_dim();
        Ok(by_columns(rows, z, |v, out| self.lift_column(v, out)))
    }

    fn lower(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check_lifted(y, self.lifted_dim())?;
        let rows = self.dim();
        Ok(by_columns(rows, y, |y, out| self.lower_column(y, out)))
    }

    fn dual(&self, c: &[f64]) -> Result<Vec<f64>> {
        check_covector(c, self.dim())?;
        // Descents ask for a multiple of the gradient. What a covector has beside that goes into the rows v/N.
        let size = dot(&self.gradient, &self.gradient);
        let factor = dot(c, &self.gradient) / size.max(f64::MIN_POSITIVE);
        let on_lines = self.gap.iter().map(|y| factor * y);
        let pairs = c.iter().zip(&self.gradient);
        let own = pairs.map(|(c, g)| self.particles as f64 * (c - factor * g));
        Ok(on_lines.chain(own).collect())
    }

    /// Returns the lengths of the motions of labelled particles, with the part v/N.
    fn lengths(&self, z: MatRef<'_, f64>) -> Result<Option<Vec<f64>>> {
        check_batch(z, self.dim())?;
        let particles = self.particles as f64;
        let scale = (1.0 + particles.recip()).sqrt() / particles.sqrt();
        Ok(Some(z.col_iter().map(|v| scale * v.norm_l2()).collect()))
    }
}
