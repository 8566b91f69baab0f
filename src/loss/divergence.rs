//! Divergences between densities: Kullback-Leibler both ways, Hellinger, χ².

use super::Loss;
use crate::check;
use crate::error::{Error, Result};
use crate::grid::Grid;
use crate::metric::{FisherRao, Metric, Scaled};

/// A divergence vol Σ φ(ρᵢ, qᵢ) of ρ from a target q ≥ 0; masses need not agree.
///
/// Its metric is Fisher-Rao on densities of free mass, times the curvature of φ at the match.
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
    /// Kullback-Leibler from the data, Σ vol (q ln(q/ρ) − q + ρ): maximum likelihood.
    ///
    /// # Errors
    /// A target of the wrong length, negative somewhere, or without mass.
    pub fn kullback_leibler(grid: &Grid, target: Vec<f64>) -> Result<Self> {
        Self::new(Kind::Forward, grid, target)
    }

    /// Kullback-Leibler from the model, Σ vol (ρ ln(ρ/q) − ρ + q), which stays where data is.
    ///
    /// # Errors
    /// A target of the wrong length, or that is not positive everywhere.
    pub fn reverse_kullback_leibler(grid: &Grid, target: Vec<f64>) -> Result<Self> {
        check::positive(
            "the target of the reverse Kullback-Leibler divergence",
            &target,
        )?;
        Self::new(Kind::Reverse, grid, target)
    }

    /// Squared Hellinger distance, ½ Σ vol (√ρ − √q)².
    ///
    /// # Errors
    /// A target of the wrong length, negative somewhere, or without mass.
    pub fn hellinger(grid: &Grid, target: Vec<f64>) -> Result<Self> {
        Self::new(Kind::Hellinger, grid, target)
    }

    /// χ², Σ vol (ρ − q)²/q.
    ///
    /// # Errors
    /// A target of the wrong length, or that is not positive everywhere.
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
    /// φ(r, q): finite wherever it can be written as a number.
    fn value(self, r: f64, q: f64) -> f64 {
        match self {
            Self::Forward => relative_entropy(q, r),
            Self::Reverse => relative_entropy(r, q),
            // √r − √q = (r − q)/(√r + √q), which does not cancel.
            Self::Hellinger => {
                0.5 * ((r - q) / (r.sqrt() + q.sqrt()).max(f64::MIN_POSITIVE)).powi(2)
            }
            // Squared last: (r − q)² may be too large, and (r − q)/q too.
            Self::ChiSquared => ((r - q) / q.sqrt()).powi(2),
        }
    }

    /// ∂φ/∂r.
    fn slope(self, r: f64, q: f64) -> f64 {
        match self {
            Self::Forward if q == 0.0 => 1.0,
            Self::Forward => (r - q) / r,
            Self::Reverse => log_ratio(r, q),
            Self::Hellinger if q == 0.0 => 0.5,
            Self::Hellinger => 0.5 * ((r - q) / (r.sqrt() + q.sqrt()) / r.sqrt()),
            Self::ChiSquared => 2.0 * ((r - q) / q),
        }
    }

    /// r ∂²φ/∂r² at r = q.
    fn curvature(self) -> f64 {
        match self {
            Self::Forward | Self::Reverse => 1.0,
            Self::Hellinger => 0.25,
            Self::ChiSquared => 2.0,
        }
    }

    /// Whether φ or its slope needs ρ > 0 where there is data.
    fn needs_support(self) -> bool {
        matches!(self, Self::Forward | Self::Reverse | Self::Hellinger)
    }
}

/// a ln(a/b) − a + b for a, b ≥ 0.
fn relative_entropy(a: f64, b: f64) -> f64 {
    if a == 0.0 {
        return b;
    }
    let t = (b - a) / a;
    // NaN goes the other way.
    if t.abs() <= NEAR {
        a * log_excess(t)
    } else {
        a * log_ratio(a, b) - a + b
    }
}

/// Numbers whose ratio is 1 + t with a t no larger than this are near each other.
const NEAR: f64 = 0.1;

/// ln(a/b), also where a/b is too large or too small for a number.
fn log_ratio(a: f64, b: f64) -> f64 {
    let (ratio, t) = (a / b, (a - b) / b);
    if t.abs() <= NEAR {
        t.ln_1p()
    } else if ratio.is_normal() {
        ratio.ln()
    } else {
        a.ln() - b.ln()
    }
}

/// t − ln(1 + t) by its series near t = 0, where the two terms cancel and a sum over cells would drown in their rounding.
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
        let pairs = rho.iter().zip(&self.target);
        self.volume * pairs.map(|(&r, &q)| self.kind.value(r, q)).sum::<f64>()
    }

    fn gradient(&self, rho: &[f64], out: &mut [f64]) {
        for (out, (&r, &q)) in out.iter_mut().zip(rho.iter().zip(&self.target)) {
            *out = self.volume * self.kind.slope(r, q);
        }
    }

    fn metric(&self) -> Option<Box<dyn Metric + '_>> {
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

    fn check(&self, rho: &[f64]) -> Result<()> {
        check::length(
            "the state given to a divergence",
            rho.len(),
            self.target.len(),
        )?;
        check::density("the state given to a divergence", rho)?;
        // Where a density is so thin that the slope overflows it is as good as empty.
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
