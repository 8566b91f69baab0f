//! Numbers that a residual is written with.

use std::fmt::Debug;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

/// Real number: an `f64`, or a number that carries derivatives.
///
/// A literal joins an expression on the right, as in `x * 2.0 + 1.0`, or as `S::from(2.0) / x`. Rust allows no generic
/// `2.0 * x`. Comparisons such as `x < 0.5` compare values.
///
/// Numbers that carry derivatives may be recorded on a tape of their thread. Do not hand them to other threads, as with
/// rayon, inside a residual: the library itself evaluates different points in parallel.
///
/// ```
/// use pullback::automatic::Scalar;
/// fn logistic<S: Scalar>(t: f64, [height, rate, middle]: [S; 3]) -> S {
///     height / ((rate * (middle - t)).exp() + 1.0)
/// }
/// assert_eq!(logistic(2.0, [4.0, 1.0, 2.0]), 2.0);
/// ```
pub trait Scalar:
    Copy
    + Debug
    + Send
    + Sync
    + 'static
    + From<f64>
    + PartialOrd
    + PartialOrd<f64>
    + Neg<Output = Self>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Add<f64, Output = Self>
    + Sub<f64, Output = Self>
    + Mul<f64, Output = Self>
    + Div<f64, Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
    + AddAssign<f64>
    + SubAssign<f64>
    + MulAssign<f64>
    + DivAssign<f64>
    + Sum
    + for<'a> Sum<&'a Self>
{
    /// Order of the derivatives that the number carries: 0 for an `f64`.
    #[doc(hidden)]
    const ORDER: usize;

    /// Returns the value without derivatives, for a branch or an index.
    ///
    /// A result computed from this value has derivative zero. Evaluations that call `value` on a branch that none has taken
    /// before are compared with differences, and a lost derivative is an error. [`lookup`](Self::lookup) reads tables.
    fn value(self) -> f64;

    /// Applies a function that is known by its value and its first two derivatives, such as an interpolated table.
    ///
    /// ```
    /// use pullback::automatic::Scalar;
    /// /// Linear interpolation of values at 0, 1, 2, …
    /// fn interpolate<S: Scalar>(values: &[f64], x: S) -> S {
    ///     x.lookup(|x| {
    ///         let i = (x as usize).min(values.len() - 2);
    ///         let slope = values[i + 1] - values[i];
    ///         [values[i] + slope * (x - i as f64), slope, 0.0]
    ///     })
    /// }
    /// assert_eq!(interpolate(&[1.0, 3.0, 2.0], 0.5), 2.0);
    /// ```
    fn lookup(self, derivatives: impl FnOnce(f64) -> [f64; 3]) -> Self;

    /// Returns |x|.
    fn abs(self) -> Self;

    /// Returns the larger of two numbers.
    fn max(self, other: Self) -> Self;

    /// Returns the smaller of two numbers.
    fn min(self, other: Self) -> Self;

    /// Returns 1/x.
    fn recip(self) -> Self;

    /// Returns √x.
    fn sqrt(self) -> Self;

    /// Returns the cube root of x.
    fn cbrt(self) -> Self;

    /// Returns eˣ.
    fn exp(self) -> Self;

    /// Returns eˣ − 1, accurate near 0.
    fn exp_m1(self) -> Self;

    /// Returns the natural logarithm ln x.
    fn ln(self) -> Self;

    /// Returns ln(1 + x), accurate near 0.
    fn ln_1p(self) -> Self;

    /// Returns sin x.
    fn sin(self) -> Self;

    /// Returns cos x.
    fn cos(self) -> Self;

    /// Returns tan x.
    fn tan(self) -> Self;

    /// Returns arcsin x.
    fn asin(self) -> Self;

    /// Returns arccos x.
    fn acos(self) -> Self;

    /// Returns arctan x.
    fn atan(self) -> Self;

    /// Returns the angle of the point (x, y) = (`other`, `self`), in (−π, π].
    fn atan2(self, other: Self) -> Self;

    /// Returns sinh x.
    fn sinh(self) -> Self;

    /// Returns cosh x.
    fn cosh(self) -> Self;

    /// Returns tanh x.
    fn tanh(self) -> Self;

    /// Returns xⁿ for an integer n.
    fn powi(self, n: i32) -> Self;

    /// Returns xᵃ for a constant a.
    fn powf(self, a: f64) -> Self;

    /// Returns x^y, where the exponent carries derivatives as well.
    fn pow(self, y: Self) -> Self;

    /// Returns Σ cₙ hⁿ/n! for an infinitesimal h, where `derivatives` holds c₀, c₁, …, the derivatives at the value of x.
    #[doc(hidden)]
    fn expand(self, derivatives: &[f64]) -> Self;
}

impl Scalar for f64 {
    const ORDER: usize = 0;

    #[inline(always)]
    fn value(self) -> f64 {
        self
    }

    #[inline(always)]
    fn lookup(self, derivatives: impl FnOnce(f64) -> [f64; 3]) -> f64 {
        derivatives(self)[0]
    }

    #[inline(always)]
    fn abs(self) -> f64 {
        f64::abs(self)
    }

    /// A NaN stays NaN, unlike in `f64::max`: an undefined residual must not pass for a number.
    #[inline(always)]
    fn max(self, other: f64) -> f64 {
        if self >= other || self.is_nan() {
            self
        } else {
            other
        }
    }

    #[inline(always)]
    fn min(self, other: f64) -> f64 {
        if self <= other || self.is_nan() {
            self
        } else {
            other
        }
    }

    #[inline(always)]
    fn recip(self) -> f64 {
        f64::recip(self)
    }

    #[inline(always)]
    fn sqrt(self) -> f64 {
        f64::sqrt(self)
    }

    #[inline(always)]
    fn cbrt(self) -> f64 {
        f64::cbrt(self)
    }

    #[inline(always)]
    fn exp(self) -> f64 {
        f64::exp(self)
    }

    #[inline(always)]
    fn exp_m1(self) -> f64 {
        f64::exp_m1(self)
    }

    #[inline(always)]
    fn ln(self) -> f64 {
        f64::ln(self)
    }

    #[inline(always)]
    fn ln_1p(self) -> f64 {
        f64::ln_1p(self)
    }

    #[inline(always)]
    fn sin(self) -> f64 {
        f64::sin(self)
    }

    #[inline(always)]
    fn cos(self) -> f64 {
        f64::cos(self)
    }

    #[inline(always)]
    fn tan(self) -> f64 {
        f64::tan(self)
    }

    #[inline(always)]
    fn asin(self) -> f64 {
        f64::asin(self)
    }

    #[inline(always)]
    fn acos(self) -> f64 {
        f64::acos(self)
    }

    #[inline(always)]
    fn atan(self) -> f64 {
        f64::atan(self)
    }

    #[inline(always)]
    fn atan2(self, other: f64) -> f64 {
        f64::atan2(self, other)
    }

    #[inline(always)]
    fn sinh(self) -> f64 {
        f64::sinh(self)
    }

    #[inline(always)]
    fn cosh(self) -> f64 {
        f64::cosh(self)
    }

    #[inline(always)]
    fn tanh(self) -> f64 {
        f64::tanh(self)
    }

    #[inline(always)]
    fn powi(self, n: i32) -> f64 {
        f64::powi(self, n)
    }

    #[inline(always)]
    fn powf(self, a: f64) -> f64 {
        f64::powf(self, a)
    }

    #[inline(always)]
    fn pow(self, y: f64) -> f64 {
        f64::powf(self, y)
    }

    #[inline(always)]
    fn expand(self, derivatives: &[f64]) -> f64 {
        // Derivatives of higher order than the table knows count as zero.
        derivatives.first().copied().unwrap_or(0.0)
    }
}
