//! Numbers with derivatives.

use std::array::from_fn;
use std::fmt::Debug;

use super::decisions;
use super::scalar::Scalar;

/// Number v + d, whose infinitesimal part d obeys d² = 0.
///
/// With D = [T; N], d holds N directional derivatives (forward mode). With a node of a tape, d names the place where the
/// number was computed (reverse mode). T = f64 gives first derivatives, and T a dual number second ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dual<T, D> {
    pub(crate) value: T,
    pub(crate) tangent: D,
}

/// Dual number with N directional derivatives.
pub(crate) type Lanes<T, const N: usize> = Dual<T, [T; N]>;

/// Infinitesimal part of a dual number: a vector over T, as far as arithmetic needs.
pub(crate) trait Tangent<T>: Copy + Debug + Send + Sync + 'static {
    fn zero() -> Self;
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn negated(self) -> Self;
    fn scaled(self, a: T) -> Self;
    /// Returns a d + b e for d = `self` and e = `other`.
    fn combined(self, a: T, other: Self, b: T) -> Self;
    /// Returns a d for a factor a that may be infinite. An entry that is 0 stays 0.
    fn stretched(self, a: T) -> Self;
    /// Returns d if `first`, otherwise e. A tape records a dependence on both.
    fn chosen(self, other: Self, first: bool) -> Self;
    /// Is told that the value has been read without its derivatives.
    fn read(self) {}
}

impl<T: Scalar, const N: usize> Tangent<T> for [T; N] {
    #[inline(always)]
    fn zero() -> Self {
        [T::from(0.0); N]
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        from_fn(|i| self[i] + other[i])
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        from_fn(|i| self[i] - other[i])
    }

    #[inline(always)]
    fn negated(self) -> Self {
        from_fn(|i| -self[i])
    }

    #[inline(always)]
    fn scaled(self, a: T) -> Self {
        from_fn(|i| self[i] * a)
    }

    #[inline(always)]
    fn combined(self, a: T, other: Self, b: T) -> Self {
        from_fn(|i| self[i] * a + other[i] * b)
    }

    #[inline(always)]
    fn stretched(self, a: T) -> Self {
        // At √0, 0^½ or ln 0 the slope is infinite. The derivative with respect to anything that the argument does not depend
        // on is still 0, not 0·∞ = NaN. Where the argument does depend on it, as for √(x²) at 0, a tape tells the difference.
        if self.iter().any(|d| d.value() == 0.0) {
            decisions::met_singularity();
        }
        from_fn(|i| if self[i] == 0.0 { self[i] } else { self[i] * a })
    }

    #[inline(always)]
    fn chosen(self, other: Self, first: bool) -> Self {
        if first { self } else { other }
    }

    #[inline(always)]
    fn read(self) {
        decisions::read();
    }
}

impl<T: Scalar, D: Tangent<T>> Dual<T, D> {
    /// Returns f(x), given f and f′ at the value of x.
    #[inline(always)]
    pub(super) fn lift(self, value: T, slope: T) -> Self {
        Self {
            value,
            tangent: self.tangent.scaled(slope),
        }
    }

    /// Returns f(x) for an f whose slope may be infinite.
    #[inline(always)]
    fn lift_singular(self, value: T, slope: T) -> Self {
        let plain = slope.value().is_finite();
        Self {
            value,
            tangent: match plain {
                true => self.tangent.scaled(slope),
                false => self.tangent.stretched(slope),
            },
        }
    }

    #[inline(always)]
    fn choose(self, other: Self, first: bool) -> Self {
        Self {
            value: if first { self.value } else { other.value },
            tangent: self.tangent.chosen(other.tangent, first),
        }
    }
}

impl<T: Scalar, D: Tangent<T>> Scalar for Dual<T, D> {
    const ORDER: usize = T::ORDER + 1;

    #[inline(always)]
    fn value(self) -> f64 {
        self.tangent.read();
        self.value.value()
    }

    #[inline(always)]
    fn lookup(self, derivatives: impl FnOnce(f64) -> [f64; 3]) -> Self {
        self.expand(&derivatives(self.value.value()))
    }

    #[inline(always)]
    fn abs(self) -> Self {
        let sign = if self.value < 0.0 { -1.0 } else { 1.0 };
        self.lift(self.value.abs(), T::from(sign))
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        let (a, b) = (self.value.value(), other.value.value());
        self.choose(other, a >= b || a.is_nan())
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        let (a, b) = (self.value.value(), other.value.value());
        self.choose(other, a <= b || a.is_nan())
    }

    #[inline(always)]
    fn recip(self) -> Self {
        let r = self.value.recip();
        self.lift(r, -(r * r))
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        let root = self.value.sqrt();
        self.lift_singular(root, T::from(0.5) / root)
    }

    #[inline(always)]
    fn cbrt(self) -> Self {
        let root = self.value.cbrt();
        self.lift_singular(root, T::from(1.0) / (root * root * 3.0))
    }

    #[inline(always)]
    fn exp(self) -> Self {
        let e = self.value.exp();
        self.lift(e, e)
    }

    #[inline(always)]
    fn exp_m1(self) -> Self {
        self.lift(self.value.exp_m1(), self.value.exp())
    }

    #[inline(always)]
    fn ln(self) -> Self {
        self.lift_singular(self.value.ln(), self.value.recip())
    }

    #[inline(always)]
    fn ln_1p(self) -> Self {
        self.lift_singular(self.value.ln_1p(), (self.value + 1.0).recip())
    }

    #[inline(always)]
    fn sin(self) -> Self {
        self.lift(self.value.sin(), self.value.cos())
    }

    #[inline(always)]
    fn cos(self) -> Self {
        self.lift(self.value.cos(), -self.value.sin())
    }

    #[inline(always)]
    fn tan(self) -> Self {
        let t = self.value.tan();
        self.lift(t, t * t + 1.0)
    }

    #[inline(always)]
    fn asin(self) -> Self {
        let x = self.value;
        // (1 − x)(1 + x) keeps the digits near ±1 that 1 − x² loses.
        let slope = ((-x + 1.0) * (x + 1.0)).sqrt().recip();
        self.lift_singular(x.asin(), slope)
    }

    #[inline(always)]
    fn acos(self) -> Self {
        let x = self.value;
        let slope = -((-x + 1.0) * (x + 1.0)).sqrt().recip();
        self.lift_singular(x.acos(), slope)
    }

    #[inline(always)]
    fn atan(self) -> Self {
        let x = self.value;
        self.lift(x.atan(), (x * x + 1.0).recip())
    }

    #[inline(always)]
    fn atan2(self, other: Self) -> Self {
        // d atan2(y, x) = (x dy − y dx)/(x² + y²).
        let (y, x) = (self.value, other.value);
        let squares = x * x + y * y;
        Self {
            value: y.atan2(x),
            tangent: self
                .tangent
                .combined(x / squares, other.tangent, -y / squares),
        }
    }

    #[inline(always)]
    fn sinh(self) -> Self {
        self.lift(self.value.sinh(), self.value.cosh())
    }

    #[inline(always)]
    fn cosh(self) -> Self {
        self.lift(self.value.cosh(), self.value.sinh())
    }

    #[inline(always)]
    fn tanh(self) -> Self {
        let t = self.value.tanh();
        self.lift(t, -(t * t) + 1.0)
    }

    #[inline(always)]
    fn powi(self, n: i32) -> Self {
        let x = self.value;
        match n {
            0 => Self::from(1.0),
            1 => self,
            2 => self.lift(x * x, x * 2.0),
            _ => self.lift_singular(x.powi(n), x.powi(n - 1) * f64::from(n)),
        }
    }

    #[inline(always)]
    fn powf(self, a: f64) -> Self {
        if a == 0.0 {
            return Self::from(1.0);
        }
        self.lift_singular(self.value.powf(a), self.value.powf(a - 1.0) * a)
    }

    #[inline(always)]
    fn pow(self, y: Self) -> Self {
        // d x^y = y x^(y−1) dx + x^y ln x dy. At x = 0 with y > 0 the second term tends to 0.
        let (x, exponent) = (self.value, y.value);
        let power = x.pow(exponent);
        let by_exponent = match x == 0.0 && exponent > 0.0 {
            true => T::from(0.0),
            false => power * x.ln(),
        };
        let by_base = self.lift_singular(power, exponent * x.pow(exponent - 1.0));
        Self {
            value: power,
            tangent: by_base
                .tangent
                .plus(y.lift_singular(power, by_exponent).tangent),
        }
    }

    #[inline(always)]
    fn expand(self, derivatives: &[f64]) -> Self {
        let slopes = derivatives.get(1..).unwrap_or(&[]);
        self.lift(self.value.expand(derivatives), self.value.expand(slopes))
    }
}
