//! Metric of the energy distance on a line.

use faer::{Mat, MatRef};

use super::KernelDiscrepancy;
use super::ridge::{intervals, nodes, placed};
use crate::error::Result;
use crate::linalg::{Backend, share_columns};
use crate::metric::{Metric, Root, check_batch, check_covector, check_lifted, count};

/// Second variation 2 ∫ (δF)² dx of half the energy distance at a match, with the distribution function F, and sE(v²)/N with the
/// stiffness s, so that no motion has length zero.
///
/// On a line half the energy distance is ∫ (F − G)² dx. Velocities change F by −ρ E(v|x), where the density ρ is small in tails: their
/// motion counts for little, as it does in the loss.
//
// Between nodes at every √N-th particle, n of N of them at a distance of w, ρ is n/Nw and E(v|x) the mean velocity, so that the integral
// is Σ 2/w (Σ v/N)². Far from the data a narrow cloud would make its own width the length of a step: 2ρ is at most `DENSEST` times s,
// which is about 2ρ for a single peak at the match.
pub(super) struct EnergyMetric<'a>(pub(super) &'a KernelDiscrepancy);

/// Largest density 2ρ as a multiple of the stiffness.
const DENSEST: f64 = 30.0;

impl Metric for EnergyMetric<'_> {
    fn at<'a>(&'a self, rho: &'a [f64], _: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        let particles = count(1, rho)? as f64;
        let order = placed(&[1.0], rho);
        let nodes = nodes(&order);
        let mut own_interval = vec![0; rho.len()];
        let mut members = vec![0.0; (nodes.len() - 1).max(1)];
        for (interval, _, n) in intervals(&nodes, &order) {
            own_interval[n] = interval;
            members[interval] += 1.0;
        }
        let stiffness = self.0.stiffness(rho)?;
        let weights = members.iter().enumerate().map(|(k, n)| {
            // Particles at one place have one interval, without a width.
            let width = nodes.get(k + 1).map_or(0.0, |end| end - nodes[k]);
            let steepest = DENSEST * stiffness * particles / n;
            (2.0 / width).min(steepest).sqrt() / particles
        });
        Ok(Box::new(EnergyRoot {
            weights: weights.collect(),
            own: stiffness.sqrt() / particles,
            intervals: own_interval,
            members,
        }))
    }

    fn name(&self) -> &'static str {
        "energy"
    }
}

/// Square root L of the metric at one cloud: sums of velocities in every interval, and then all velocities.
struct EnergyRoot {
    /// Interval of every particle.
    intervals: Vec<usize>,
    /// Number of particles in every interval.
    members: Vec<f64>,
    /// √(2/w)/N of every interval, or what `DENSEST` allows.
    weights: Vec<f64>,
    /// √s/N.
    own: f64,
}

impl EnergyRoot {
    /// Returns the sums of a function over all intervals.
    fn sums(&self, function: impl Iterator<Item = f64>) -> Vec<f64> {
        let mut sums = vec![0.0; self.weights.len()];
        for (interval, value) in self.intervals.iter().zip(function) {
            sums[*interval] += value;
        }
        sums
    }
}

impl Root for EnergyRoot {
    fn dim(&self) -> usize {
        self.intervals.len()
    }

    fn lifted_dim(&self) -> usize {
        self.weights.len() + self.dim()
    }

    fn lift(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check_batch(z, self.dim())?;
        let mut lifted = Mat::zeros(self.lifted_dim(), z.ncols());
        share_columns(lifted.as_mut(), |j, out| {
            let sums = self.sums(z.col(j).iter().copied());
            let sums = sums.iter().zip(&self.weights).map(|(sum, w)| w * sum);
            let own = z.col(j).iter().map(|v| self.own * v);
            out.iter_mut()
                .zip(sums.chain(own))
                .for_each(|(y, v)| *y = v);
        });
        Ok(lifted)
    }

    fn lower(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check_lifted(y, self.lifted_dim())?;
        let sums = self.weights.len();
        Ok(Mat::from_fn(self.dim(), y.ncols(), |n, j| {
            let k = self.intervals[n];
            self.weights[k] * y[(k, j)] + self.own * y[(sums + n, j)]
        }))
    }

    fn dual(&self, c: &[f64]) -> Result<Vec<f64>> {
        check_covector(c, self.dim())?;
        // Means over the intervals go into their rows, and what is left into those of the particles.
        let sums = self.sums(c.iter().copied());
        let means: Vec<f64> = sums.iter().zip(&self.members).map(|(s, n)| s / n).collect();
        let lines = means.iter().zip(&self.weights).map(|(mean, w)| mean / w);
        let pairs = c.iter().zip(&self.intervals);
        let own = pairs.map(|(c, k)| (c - means[*k]) / self.own);
        Ok(lines.chain(own).collect())
    }

    /// Returns the lengths of motions whose velocities all count with their squares.
    fn lengths(&self, z: MatRef<'_, f64>) -> Result<Option<Vec<f64>>> {
        check_batch(z, self.dim())?;
        // (Σ v)² ≤ n Σ v².
        let length = |v: faer::ColRef<'_, f64>| {
            let squares = self.sums(v.iter().map(|v| v * v));
            let weighted = squares.iter().zip(&self.members).zip(&self.weights);
            let sum: f64 = weighted.map(|((square, n), w)| w * w * n * square).sum();
            (sum + self.own * self.own * v.squared_norm_l2()).sqrt()
        };
        Ok(Some(z.col_iter().map(length).collect()))
    }
}
