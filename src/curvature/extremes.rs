//! Extreme eigenvalues and the condition number.

use std::fmt;

use super::checked::{ROUNDING, check_dim};
use crate::check;
use crate::error::Result;
use crate::hessian::{Chain, Curvature, Ritz, advance};
use crate::random;

/// Options of the Lanczos process for extreme eigenvalues.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lanczos {
    /// Error of an eigenvalue, relative to itself, at which it has settled.
    pub tolerance: f64,
    /// Largest number of steps, each with one product. As many steps as parameters give all eigenvalues.
    pub steps: usize,
    /// Seed of the starting vector.
    pub seed: u64,
}

impl Default for Lanczos {
    fn default() -> Self {
        Self {
            tolerance: 1e-6,
            steps: 200,
            seed: 0,
        }
    }
}

/// Largest and smallest eigenvalue of a curvature, with their eigenvectors, by the Lanczos process with full
/// reorthogonalisation from one random vector.
///
/// A largest eigenvalue that stands out settles after some 20 steps. The smallest one takes about √κ steps for the condition number κ, as
/// there are no solves with the curvature. What has not settled says so.
///
/// ```
/// use pullback::Operator;
/// use pullback::curvature::{Condition, Extremes, Lanczos};
/// let h = Operator::diagonal((1..=500).map(|i| 1.0 / f64::from(i * i)).collect::<Vec<_>>());
/// let few = Extremes::of(&h, &Lanczos { steps: 30, ..Lanczos::default() })?;
/// assert!(few.largest.settled && !few.smallest.settled);
/// assert!(matches!(few.condition(), Condition::AtLeast(_)));
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Extremes {
    /// Largest eigenvalue.
    pub largest: Extreme,
    /// Smallest eigenvalue, the most negative one if there are negative ones.
    pub smallest: Extreme,
    /// Number of steps, which is that of the products.
    pub steps: usize,
}

/// Extreme eigenvalue.
#[derive(Clone, Debug)]
pub struct Extreme {
    /// Estimate θ = uᵀHu, which lies within the spectrum.
    pub value: f64,
    /// Residual ‖Hu − θu‖, and rounding at least: an eigenvalue lies as near to the estimate.
    pub error: f64,
    /// Unit vector u.
    pub vector: Vec<f64>,
    /// Whether the error is below the tolerance, or the eigenvalue zero up to rounding: its error is rounding, and not less than
    /// its value.
    pub settled: bool,
}

/// Condition number of a curvature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Condition {
    /// Ratio of the extreme eigenvalues.
    Number(f64),
    /// Lower bound, since the smallest eigenvalue has not settled.
    AtLeast(f64),
    /// The smallest eigenvalue is no larger than its error by rounding.
    Singular,
    /// The smallest eigenvalue is negative.
    Indefinite,
}

/// Fraction of the largest eigenvalue that the error of an eigenvalue has at least. The process ends at remainders of this size.
pub(super) const LEAST_ERROR: f64 = 1e-13;

impl Extremes {
    /// Computes the extreme eigenvalues.
    ///
    /// # Errors
    /// Fails for a dimension of 0, for invalid options, and with
    /// [`HessianError::NotSymmetric`](crate::direction::HessianError::NotSymmetric) for products that are not those of a
    /// symmetric matrix. Fails if a product fails or is not finite.
    pub fn of(h: &dyn Curvature, options: &Lanczos) -> Result<Self> {
        let dim = check_dim(h)?;
        let tolerance = options.tolerance;
        check::option(
            "the tolerance of extreme eigenvalues",
            tolerance,
            tolerance > 0.0 && tolerance < 1.0,
            "give a relative error such as 1e-6",
        )?;
        let steps = options.steps as f64;
        let what = "the number of Lanczos steps";
        check::option(what, steps, options.steps > 0, "take some, such as 200")?;
        let start = random::normal(dim, options.seed, 1);
        let mut chain = [Chain::new(&start)];
        loop {
            advance(h, &mut chain)?;
            let done = chain[0].is_exhausted() || chain[0].steps() == options.steps;
            // All eigenvalues of T take O(m³) operations. Looking whenever m has grown by a quarter takes as much as five looks.
            if !done && !is_due(chain[0].steps()) {
                continue;
            }
            let found = Self::read(&chain[0], tolerance);
            if done || found.largest.settled && found.smallest.settled {
                return Ok(found);
            }
        }
    }

    fn read(chain: &Chain, tolerance: f64) -> Self {
        let ritz = chain.ritz();
        let last = ritz.values.len() - 1;
        let size = ritz.values[0].abs().max(ritz.values[last].abs());
        let extreme = |k: usize| extreme(chain, &ritz, k, tolerance, size);
        Self {
            largest: extreme(0),
            smallest: extreme(last),
            steps: chain.steps(),
        }
    }

    /// Returns the condition number.
    pub fn condition(&self) -> Condition {
        let (low, high) = (self.smallest.value, self.largest.value);
        let size = high.abs().max(low.abs());
        if low < -ROUNDING * size {
            return Condition::Indefinite;
        }
        if !self.smallest.settled || !self.largest.settled {
            // Estimates lie within the spectrum, up to rounding.
            return Condition::AtLeast(high / low.max(LEAST_ERROR * size));
        }
        match low <= self.smallest.error {
            true => Condition::Singular,
            false => Condition::Number(high / low),
        }
    }
}

fn extreme(chain: &Chain, ritz: &Ritz, k: usize, tolerance: f64, size: f64) -> Extreme {
    let (value, error) = (ritz.values[k], ritz.residuals[k].max(LEAST_ERROR * size));
    // A negative value is an error of products.
    let vanishes = value.abs() <= ROUNDING * size && value <= error && error <= ROUNDING * size;
    Extreme {
        value,
        error,
        vector: chain.combine(ritz.vectors.col_as_slice(k)),
        settled: vanishes || error <= tolerance * value.abs(),
    }
}

/// Returns whether m is the first number at which a look is due: 1, 2, 3, 4, 5, 7, 9, …
fn is_due(m: usize) -> bool {
    let mut next = 1;
    while next < m {
        next += next.div_ceil(4).max(1);
    }
    next == m
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number:.3e}"),
            Self::AtLeast(bound) => write!(f, "at least {bound:.3e}"),
            Self::Singular => write!(f, "infinite (singular up to rounding)"),
            Self::Indefinite => write!(f, "none (an eigenvalue is negative)"),
        }
    }
}

impl fmt::Display for Extremes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "eigenvalues from {} to {}, condition number {} ({} Lanczos steps)",
            self.smallest,
            self.largest,
            self.condition(),
            self.steps
        )
    }
}

impl fmt::Display for Extreme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.4e}", self.value)?;
        match self.settled {
            true => Ok(()),
            false => write!(f, " (not settled, ± {:.0e})", self.error),
        }
    }
}
