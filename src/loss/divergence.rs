//! Divergences between densities: forward and reverse Kullback-Leibler, Hellinger, χ².

use faer::{Mat, MatRef};

use super::{Loss, PAIRED};
use crate::check;
use crate::error::{Error, Result};
use crate::grid::Grid;
use crate::metric::{FisherRao, Metric, Scaled};

/// Divergence vol Σ φ(ρᵢ, qᵢ) of ρ from a target q ≥ 0. The masses may differ.
///
/// The metric of the divergence is Fisher-Rao with free mass, times r ∂²φ/∂r² at r = q.
#[derive(Clone, Debug)]
pub struct Divergence {
    kind: Kind,
    volume: f64,
    target: Vec<f64>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Forward,
    Reverse,
    Hellinger,
    ChiSquared,
}

impl Divergence {
    /// Returns the Kullback-Leibler divergence of the data from the model, Σ vol (q ln(q/ρ) − q + ρ): maximum
    /// likelihood.
    ///
    /// # Errors
    /// Fails if the target has the wrong length, a negative entry, or no mass.
    pub fn kullback_leibler(grid: &Grid, target: Vec<f64>) -> Result<Self> {
        Self::new(Kind::Forward, grid, target)
    }

    /// Returns the Kullback-Leibler divergence of the model from the data, Σ vol (ρ ln(ρ/q) − ρ + q). This divergence
    /// favours a ρ that is concentrated where there are data.
    ///
    /// # Errors
    /// Fails if the target has the wrong length, or an entry that is not positive.
    pub fn reverse_kullback_leibler(grid: &Grid, target: Vec<f64>) -> Result<Self> {
        check::positive(
            "the target of the reverse Kullback-Leibler divergence",
            &target,
        )?;
        Self::new(Kind::Reverse, grid, target)
    }

    /// Returns the squared Hellinger distance, ½ Σ vol (√ρ − √q)².
    ///
    /// # Errors
    /// Fails if the target has the wrong length, a negative entry, or no mass.
    pub fn hellinger(grid: &Grid, target: Vec<f64>) -> Result<Self> {
        Self::new(Kind::Hellinger, grid, target)
    }

    /// Returns the χ² divergence, Σ vol (ρ − q)²/q.
    ///
    /// # Errors
    /// Fails if the target has the wrong length, or an entry that is not positive.
    pub fn chi_squared(grid: &Grid, target: Vec<f64>) -> Result<Self> {
        check::positive("the target of the χ² divergence", &target)?;
        Self::new(Kind::ChiSquared, grid, target)
    }

    fn new(kind: Kind, grid: &Grid, target: Vec<f64>) -> Result<Self> {
        check::length("the target of a divergence", target.len(), grid.cells())?;
        check::density("the target of a divergence", &target)?;
        Ok(Self {
            kind,
            volume: grid.volume(),
            target,
        })
    }
}

impl Kind {
    /// Returns φ(r, q), finite wherever it is representable.
    fn value(self, r: f64, q: f64) -> f64 {
        match self {
            Self::Forward => relative_entropy(q, r),
            Self::Reverse => relative_entropy(r, q),
            // √r − √q = (r − q)/(√r + √q) avoids cancellation.
            Self::Hellinger => {
                0.5 * ((r - q) / (r.sqrt() + q.sqrt()).max(f64::MIN_POSITIVE)).powi(2)
            }
            // (r − q)² and (r − q)/q may overflow when the result does not.
            Self::ChiSquared => ((r - q) / q.sqrt()).powi(2),
        }
    }

    /// Returns ∂φ/∂r.
    fn slope(self, r: f64, q: f64) -> f64 {
        match self {
            Self::Forward if q == 0.0 => 1.0,
            // (r − q)/r is more accurate than 1 − q/r: the difference of numbers within a factor of 2 is
            // exact (Sterbenz 1974), and the slope keeps all its digits near r = q, where it vanishes.
            Self::Forward => (r - q) / r,
            Self::Reverse => log_ratio(r, q),
            Self::Hellinger if q == 0.0 => 0.5,
            Self::Hellinger => 0.5 * ((r - q) / (r.sqrt() + q.sqrt()) / r.sqrt()),
            Self::ChiSquared => 2.0 * ((r - q) / q),
        }
    }

    /// Returns ∂²φ/∂r².
    fn bend(self, r: f64, q: f64) -> f64 {
        match self {
            // Without data φ is r or r/2.
            Self::Forward | Self::Hellinger if q == 0.0 => 0.0,
            // (q/r)/r does not underflow or overflow where q/r² is representable, as r² may.
            Self::Forward => q / r / r,
            Self::Reverse => r.recip(),
            // φ = ½(r + q) − √(rq).
            Self::Hellinger => 0.25 * (q / r).sqrt() / r,
            Self::ChiSquared => 2.0 / q,
        }
    }

    /// Returns r ∂²φ/∂r² at r = q.
    fn curvature(self) -> f64 {
        match self {
            Self::Forward | Self::Reverse => 1.0,
            Self::Hellinger => 0.25,
            Self::ChiSquared => 2.0,
        }
    }

    /// Returns whether φ or its slope requires ρ > 0 where there are data.
    fn needs_support(self) -> bool {
        matches!(self, Self::Forward | Self::Reverse | Self::Hellinger)
    }
}

/// Returns a ln(a/b) − a + b for a, b ≥ 0.
fn relative_entropy(a: f64, b: f64) -> f64 {
    if a == 0.0 {
        return b;
    }
    // With b = a(1 + t) the entropy equals a (t − ln(1 + t)). The terms −a + b put the minimum of the
    // entropy, 0, at a = b even if the masses differ, because ln(1 + t) ≤ t.
    let t = (b - a) / a;
    // NaN takes the second branch.
    if t.abs() <= CLOSE {
        a * log_excess(t)
    } else {
        a * log_ratio(a, b) - a + b
    }
}

/// Largest |t| for which a ratio 1 + t counts as close to 1.
//
// For larger |t|, the computed t − ln(1 + t) ≈ t²/2 has an error of about ε|t|. That is a relative
// 2ε/|t| ≤ 20 ε, or little more than one digit lost. For smaller |t|, the series takes at most about 15
// terms.
const CLOSE: f64 = 0.1;

/// Returns ln(a/b), even if a/b overflows or underflows.
fn log_ratio(a: f64, b: f64) -> f64 {
    let (ratio, t) = (a / b, (a - b) / b);
    if t.abs() <= CLOSE {
        t.ln_1p()
    } else if ratio.is_normal() {
        ratio.ln()
    } else {
        a.ln() - b.ln()
    }
}

/// Returns t − ln(1 + t) by its series Σ (−t)ⁿ/n, n ≥ 2, near t = 0.
///
/// The difference of both terms cancels there, and its rounding would dominate a sum over cells.
fn log_excess(t: f64) -> f64 {
    let (mut sum, mut power, mut n) = (0.0, t * t, 2.0);
    loop {
        let term = power / n;
        if term.abs() <= f64::EPSILON * sum {
            return sum;
        }
        sum += term;
        power *= -t;
        n += 1.0;
    }
}

impl Loss for Divergence {
    fn value(&self, rho: &[f64]) -> f64 {
        if rho.len() != self.target.len() {
            return f64::NAN;
        }
        let entries = rho.iter().zip(&self.target);
        self.volume * entries.map(|(&r, &q)| self.kind.value(r, q)).sum::<f64>()
    }

    fn gradient(&self, rho: &[f64], out: &mut [f64]) {
        for (out, (&r, &q)) in out.iter_mut().zip(rho.iter().zip(&self.target)) {
            *out = self.volume * self.kind.slope(r, q);
        }
    }

    fn metric(&self) -> Option<Box<dyn Metric + '_>> {
        // vol φ″(q) ζ² = (r φ″) vol ζ²/ρ at ρ = q: a multiple of Fisher-Rao.
        // The masses of ρ and q may differ, and φ measures their difference. A metric that projected it out
        // would not be the Hessian.
        let metric = FisherRao {
            volume: self.volume,
            floor: 1e-15,
            mass_fixed: false,
        };
        Some(Box::new(Scaled {
            metric,
            factor: self.kind.curvature(),
        }))
    }

    fn hessian(&self, rho: &[f64], v: MatRef<'_, f64>) -> Result<Option<Mat<f64>>> {
        check::length("the rows of a batch", v.nrows(), rho.len())?;
        let entries = rho.iter().zip(&self.target);
        let bends: Vec<f64> = entries
            .map(|(&r, &q)| self.volume * self.kind.bend(r, q))
            .collect();
        check::finite("the second derivative of a divergence", &bends)?;
        Ok(Some(Mat::from_fn(v.nrows(), v.ncols(), |i, j| {
            bends[i] * v[(i, j)]
        })))
    }

    fn check(&self, rho: &[f64]) -> Result<()> {
        check::length(PAIRED, self.target.len(), rho.len())?;
        check::density("the state given to a divergence", rho)?;
        // A density so small that the slope overflows counts as zero.
        let empty =
            |(&r, &q): (&f64, &f64)| q > 0.0 && (r == 0.0 || !self.kind.slope(r, q).is_finite());
        match rho.iter().zip(&self.target).position(empty) {
            Some(index) if self.kind.needs_support() => Err(Error::NotPositive {
                what: "the state where the divergence has data",
                index,
                value: rho[index],
            }),
            _ => Ok(()),
        }
    }
}
