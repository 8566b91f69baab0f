//! Estimate from iterates that fluctuate, by the known curvature of their objective.

use faer::Mat;

use crate::linalg::minimum_norms;

/// Relative pivot below which a combination of the parameters does not enter the estimate.
const RANK: f64 = 1e-12;

/// Score of an iterate, in units of the sizes of the parameters.
pub(super) struct Score {
    pub(super) theta: Vec<f64>,
    /// Descent −ZᵀM(h − q).
    pub(super) descent: Vec<f64>,
    /// Curvature ZᵀMZ without the noise of Z.
    pub(super) curvature: Mat<f64>,
}

/// Zero of the mean score, and the spread of its estimates.
pub(super) struct Estimate {
    pub(super) theta: Vec<f64>,
    /// Standard deviation of an estimate from a single simulation. It is zero for a parameter held by a bound.
    pub(super) spread: Vec<f64>,
}

impl Estimate {
    /// Returns the estimate from at least two scores, within the limits.
    //
    // Score k is sₖ = Hₖ(θ* − θₖ) + noise: the noise of Z shortens the steps, so that iterates lag behind, and the mean of a few of
    // them is off by more than it varies. The zero θ̂ = θ̄ + H⁻¹Σ(sₖ + Hₖ(θₖ − θ̄)) with H = ΣHₖ is not: the noise of the scores is
    // independent. The residual scores sₖ + Hₖ(θₖ − θ̂) show its size, with n − 1 degrees of freedom.
    pub(super) fn of(scores: &[Score], (lower, upper): (&[f64], &[f64])) -> Self {
        let (n, p) = (scores.len() as f64, lower.len());
        let mean = |j: usize| scores.iter().map(|s| s.theta[j]).sum::<f64>() / n;
        let mut theta: Vec<f64> = (0..p).map(mean).collect();
        let mut total = Mat::zeros(p, p);
        scores.iter().for_each(|s| total += &s.curvature);
        // A stationary point on the faces that are reached: every pass holds at least one more parameter, at most p.
        let mut free: Vec<usize> = (0..p).collect();
        loop {
            let residual = |i: usize| scores.iter().map(|s| s.at(&theta, i)).sum::<f64>();
            let side = Mat::from_fn(free.len(), 1, |i, _| residual(free[i]));
            let step = solve(&total, &free, &side);
            let moved: Vec<f64> = free
                .iter()
                .enumerate()
                .map(|(i, &j)| theta[j] + step[(i, 0)])
                .collect();
            let inside = |i: usize| (lower[free[i]]..=upper[free[i]]).contains(&moved[i]);
            let kept: Vec<usize> = (0..free.len()).filter(|&i| inside(i)).collect();
            let all = kept.len() == free.len();
            for (i, &j) in free.iter().enumerate() {
                if all || !inside(i) {
                    theta[j] = moved[i].clamp(lower[j], upper[j]);
                }
            }
            if all {
                break;
            }
            free = kept.iter().map(|&i| free[i]).collect();
        }
        let sides = Mat::from_fn(free.len(), scores.len(), |i, k| {
            n * scores[k].at(&theta, free[i])
        });
        let single = solve(&total, &free, &sides);
        let mut spread = vec![0.0; p];
        for (i, &j) in free.iter().enumerate() {
            let squares = single.row(i).iter().map(|e| e * e).sum::<f64>();
            spread[j] = (squares / (n - 1.0)).sqrt();
        }
        Self { theta, spread }
    }
}

impl Score {
    /// Returns component i of the score at θ, linearised.
    fn at(&self, theta: &[f64], i: usize) -> f64 {
        let row = self
            .curvature
            .row(i)
            .iter()
            .zip(self.theta.iter().zip(theta));
        self.descent[i] + row.map(|(h, (own, t))| h * (own - t)).sum::<f64>()
    }
}

/// Solves H x = b for the free parameters, with the least norm.
fn solve(total: &Mat<f64>, free: &[usize], sides: &Mat<f64>) -> Mat<f64> {
    if free.is_empty() {
        return Mat::zeros(0, sides.ncols());
    }
    let h = Mat::from_fn(free.len(), free.len(), |i, j| total[(free[i], free[j])]);
    let (negative, _) = minimum_norms(h.as_ref(), sides.as_ref(), RANK);
    -negative
}
