//! Distributions of a datum about a mean, with a noise level.

use std::f64::consts::{LN_2, LN_10, PI};

use rand::{Rng, RngExt};
use rand_distr::{Distribution, Exp1, Gamma, StandardNormal};

/// Distribution of a datum y with the mean μ and the noise level σ of its entries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Family {
    /// Normal distribution with mean μ and standard deviation σ.
    Gaussian,
    /// Laplace's distribution with median μ and scale σ, so that the standard deviation is √2 σ.
    Laplace,
    /// ln y is normal with mean ln μ and standard deviation σ. The median of y is μ > 0.
    LogNormal,
    /// log₁₀ y is normal with mean log₁₀ μ and standard deviation σ. The median of y is μ > 0.
    Log10Normal,
    /// Student's distribution with centre μ, scale σ and these degrees of freedom, for data with outliers.
    Student {
        /// Degrees of freedom, a positive number.
        freedom: f64,
    },
}

impl Family {
    /// Returns ln b if log_b y is normal, and None if y itself is distributed about μ.
    fn base(self) -> Option<f64> {
        match self {
            Self::LogNormal => Some(1.0),
            Self::Log10Normal => Some(LN_10),
            _ => None,
        }
    }

    /// Returns whether data and means must be positive.
    pub(crate) fn is_positive(self) -> bool {
        self.base().is_some()
    }

    /// Returns −ln p(y) of a datum, as a function of μ and σ.
    pub(super) fn at(self, y: f64) -> Surprise {
        let normal = 0.5 * (2.0 * PI).ln();
        // The density of y is that of u = T(y) times T′(y), and T′ = 1/(y ln b) for u = log_b y.
        let jacobian = self.base().map_or(0.0, |ln_b| ln_b.ln() + y.ln());
        let (shape, constant) = match self {
            Self::Gaussian | Self::LogNormal | Self::Log10Normal => (Shape::Normal, normal),
            Self::Laplace => (Shape::Laplace, LN_2),
            Self::Student { freedom } => (
                Shape::Student(freedom),
                0.5 * (freedom * PI).ln() - ln_gamma_step(0.5 * freedom),
            ),
        };
        Surprise {
            shape,
            base: self.base(),
            u: self.base().map_or(y, |ln_b| y.ln() / ln_b),
            constant: constant + jacobian,
        }
    }
}

/// Negative log-density −ln p(y) = φ(z) + ln σ + constant of a datum, with z = (u − m)/σ, u = T(y) and m = T(μ).
#[derive(Clone, Copy, Debug)]
pub(super) struct Surprise {
    shape: Shape,
    base: Option<f64>,
    u: f64,
    constant: f64,
}

impl Surprise {
    /// Returns whether the mean must be positive.
    pub(super) fn needs_positive_mean(&self) -> bool {
        self.base.is_some()
    }

    /// Returns −ln p, or ∞ outside the domain.
    pub(super) fn value(&self, mean: f64, sigma: f64) -> f64 {
        if sigma <= 0.0 || self.needs_positive_mean() && mean <= 0.0 {
            return f64::INFINITY;
        }
        self.shape.value(self.z(mean, sigma)) + sigma.ln() + self.constant
    }

    /// Returns the derivatives with respect to μ and σ.
    pub(super) fn slopes(&self, mean: f64, sigma: f64) -> [f64; 2] {
        self.slopes_of(self.z(mean, sigma), mean, sigma)
    }

    /// Returns the derivatives for a datum that lies z noise levels from its mean, in place of the measured one.
    pub(super) fn slopes_of(&self, z: f64, mean: f64, sigma: f64) -> [f64; 2] {
        let slope = self.shape.slope(z);
        // ∂z/∂m = −1/σ and ∂z/∂σ = −z/σ.
        [
            -slope / sigma * self.stretch(mean),
            (1.0 - z * slope) / sigma,
        ]
    }

    /// Returns the second derivatives f_μμ, f_μσ and f_σσ, or None for Laplace's distribution, which has a kink.
    pub(super) fn bends(&self, mean: f64, sigma: f64) -> Option<[f64; 3]> {
        let z = self.z(mean, sigma);
        let (slope, bend) = (self.shape.slope(z), self.shape.bend(z)?);
        let stretch = self.stretch(mean);
        // f_m = −φ′/σ and f_σ = (1 − zφ′)/σ, differentiated once more.
        let [mm, ms, ss] =
            [bend, slope + z * bend, z * (2.0 * slope + z * bend) - 1.0].map(|b| b / sigma / sigma);
        // f_μμ = f_mm m′² + f_m m″, and m″ = −m′/μ for a logarithm.
        let curved = self.base.map_or(0.0, |_| slope / sigma * stretch / mean);
        Some([mm * stretch * stretch + curved, ms * stretch, ss])
    }

    /// Returns the roots of the Fisher information of μ and of σ, at the mean and the level given.
    pub(super) fn fisher_roots(&self, mean: f64, sigma: f64) -> [f64; 2] {
        // The mixed entry of the Fisher information is zero, because φ is even.
        let [location, scale] = self.shape.information();
        [
            location.sqrt() / sigma * self.stretch(mean),
            scale.sqrt() / sigma,
        ]
    }

    /// Draws the distance z of a datum from its mean, in noise levels.
    pub(super) fn draw(&self, rng: &mut impl Rng) -> f64 {
        self.shape.draw(rng)
    }

    /// Returns the roots of the information of μ and of σ: that of Fisher, or more for σ if the datum lies far from the mean.
    pub(super) fn information_roots(&self, mean: f64, sigma: f64) -> [f64; 2] {
        let [_, scale] = self.shape.information();
        // With the Fisher information alone, a single datum changes σ by the factor 1 + (zφ′ − 1)/I, which is about z²/2 for a
        // normal distribution: from a level that is 30 times too small a step leads to one that is 15 times too large, or, in
        // logarithmic coordinates, e⁴⁵⁰ times.
        let z = self.z(mean, sigma);
        let excess = (z * self.shape.slope(z) - 1.0).abs();
        let scale = scale.max(excess / longest_change(z.abs()));
        let [by_mean, _] = self.fisher_roots(mean, sigma);
        [by_mean, scale.sqrt() / sigma]
    }

    fn z(&self, mean: f64, sigma: f64) -> f64 {
        (self.u - self.base.map_or(mean, |ln_b| mean.ln() / ln_b)) / sigma
    }

    /// Returns dm/dμ.
    fn stretch(&self, mean: f64) -> f64 {
        self.base.map_or(1.0, |ln_b| (mean * ln_b).recip())
    }
}

/// Distance from the mean, in noise levels, beyond which the step of a noise level is limited.
//
// A normal datum exceeds it by chance in one of two million, so that estimated errors remain those of the Fisher information.
const FAR: f64 = 5.0;

/// Largest change of a noise level in the step of a single datum at this distance from its mean, relative to the level.
//
// The level |z|σ is best for the datum, ln |z| away in the logarithm. A larger change would lead beyond it, also in the
// coordinate ln σ, and a step of ln |z| in σ itself remains short of it. At the distance `FAR` the Fisher information of a normal
// distribution changes σ by (z² − 1)/2 = 12, and the second term joins both without a jump.
fn longest_change(z: f64) -> f64 {
    if z <= FAR {
        return AT_FAR;
    }
    z.ln() + (AT_FAR - FAR.ln()) * (FAR / z).powi(2)
}

/// Change at the distance `FAR`.
const AT_FAR: f64 = 12.0;

/// Largest distance of a drawn datum from its mean, whose square is finite.
const FARTHEST: f64 = 1e150;

/// Shape φ of a distribution with density exp(−φ(z)) up to a constant.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// φ = z²/2.
    Normal,
    /// φ = |z|.
    Laplace,
    /// φ = (ν + 1)/2 ln(1 + z²/ν).
    Student(f64),
}

impl Shape {
    fn value(self, z: f64) -> f64 {
        match self {
            Self::Normal => 0.5 * z * z,
            Self::Laplace => z.abs(),
            Self::Student(nu) => 0.5 * (nu + 1.0) * (z * z / nu).ln_1p(),
        }
    }

    /// Returns φ′(z), with the subgradient 0 at a kink.
    fn slope(self, z: f64) -> f64 {
        match self {
            Self::Normal => z,
            Self::Laplace if z == 0.0 => 0.0,
            Self::Laplace => z.signum(),
            Self::Student(nu) => (nu + 1.0) * z / (nu + z * z),
        }
    }

    /// Returns φ″(z), or None if φ has a kink.
    fn bend(self, z: f64) -> Option<f64> {
        match self {
            Self::Normal => Some(1.0),
            Self::Laplace => None,
            Self::Student(nu) => Some((nu + 1.0) / (nu + z * z) * ((nu - z * z) / (nu + z * z))),
        }
    }

    /// Draws z with the density exp(−φ(z)).
    fn draw(self, rng: &mut impl Rng) -> f64 {
        let normal = |rng: &mut _| -> f64 { StandardNormal.sample(rng) };
        match self {
            Self::Normal => normal(rng),
            Self::Laplace => {
                let size: f64 = Exp1.sample(rng);
                if rng.random::<bool>() { size } else { -size }
            }
            Self::Student(nu) => {
                // Z √(ν/X) with X from the χ² distribution, which is Gamma(ν/2, 2).
                let z = normal(rng);
                match Gamma::new(0.5 * nu, 2.0) {
                    // With few degrees of freedom X may underflow. Beyond this bound z²φ″ and zφ′ are at their limits.
                    Ok(chi_squared) => {
                        let z = z * (nu / chi_squared.sample(rng)).sqrt();
                        z.clamp(-FARTHEST, FARTHEST)
                    }
                    // Degrees of freedom beyond the range of the generator.
                    Err(_) => z,
                }
            }
        }
    }

    /// Returns the Fisher information E[φ′²] of the location and E[(1 − zφ′)²] of the scale, at σ = 1.
    fn information(self) -> [f64; 2] {
        match self {
            Self::Normal => [1.0, 2.0],
            Self::Laplace => [1.0, 1.0],
            // Lange, Little and Taylor (1989), appendix B.
            Self::Student(nu) => [(nu + 1.0) / (nu + 3.0), 2.0 * nu / (nu + 3.0)],
        }
    }
}

/// Returns ln(Γ(x + ½)/Γ(x)) for x > 0.
fn ln_gamma_step(x: f64) -> f64 {
    // Γ(x + ½)/Γ(x) = x/(x + ½) Γ(x + 3/2)/Γ(x + 1) shifts x upwards to where the expansion
    // ½ ln x − 1/(8x) + 1/(192x³) − 1/(640x⁵) + 17/(14336x⁷) − 31/(18432x⁹) of the ratio holds to rounding: at x = 16 the next
    // term is below 10⁻¹⁵. The difference of two logarithms of Γ would cancel for large x.
    let (mut x, mut shift) = (x, 0.0);
    while x < 16.0 {
        shift += (x / (x + 0.5)).ln();
        x += 1.0;
    }
    let w = (x * x).recip();
    let tail = w * (-1.0 / 640.0 + w * (17.0 / 14336.0 - w * (31.0 / 18432.0)));
    shift + 0.5 * x.ln() + (-0.125 + w * (1.0 / 192.0 + tail)) / x
}
