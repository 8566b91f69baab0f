//! Arithmetic, comparisons and sums of dual numbers.

use std::cmp::Ordering;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use super::decisions;
use super::dual::{Dual, Tangent};
use super::scalar::Scalar;

impl<T: Scalar, D: Tangent<T>> From<f64> for Dual<T, D> {
    #[inline(always)]
    fn from(x: f64) -> Self {
        Self {
            value: T::from(x),
            tangent: D::zero(),
        }
    }
}

impl<T: Scalar, D: Tangent<T>> Neg for Dual<T, D> {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        Self {
            value: -self.value,
            tangent: self.tangent.negated(),
        }
    }
}

impl<T: Scalar, D: Tangent<T>> Add for Dual<T, D> {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self {
            value: self.value + other.value,
            tangent: self.tangent.plus(other.tangent),
        }
    }
}

impl<T: Scalar, D: Tangent<T>> Sub for Dual<T, D> {
    type Output = Self;

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self {
            value: self.value - other.value,
            tangent: self.tangent.minus(other.tangent),
        }
    }
}

impl<T: Scalar, D: Tangent<T>> Mul for Dual<T, D> {
    type Output = Self;

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self {
            value: self.value * other.value,
            tangent: self
                .tangent
                .combined(other.value, other.tangent, self.value),
        }
    }
}

impl<T: Scalar, D: Tangent<T>> Div for Dual<T, D> {
    type Output = Self;

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        // d(a/b) = da/b − (a/b) db/b.
        let quotient = self.value / other.value;
        let r = other.value.recip();
        Self {
            value: quotient,
            tangent: self.tangent.combined(r, other.tangent, -(quotient * r)),
        }
    }
}

impl<T: Scalar, D: Tangent<T>> Add<f64> for Dual<T, D> {
    type Output = Self;

    #[inline(always)]
    fn add(self, x: f64) -> Self {
        Self {
            value: self.value + x,
            ..self
        }
    }
}

impl<T: Scalar, D: Tangent<T>> Sub<f64> for Dual<T, D> {
    type Output = Self;

    #[inline(always)]
    fn sub(self, x: f64) -> Self {
        Self {
            value: self.value - x,
            ..self
        }
    }
}

impl<T: Scalar, D: Tangent<T>> Mul<f64> for Dual<T, D> {
    type Output = Self;

    #[inline(always)]
    fn mul(self, x: f64) -> Self {
        self.lift(self.value * x, T::from(x))
    }
}

impl<T: Scalar, D: Tangent<T>> Div<f64> for Dual<T, D> {
    type Output = Self;

    #[inline(always)]
    fn div(self, x: f64) -> Self {
        self.lift(self.value / x, T::from(x.recip()))
    }
}

impl<T: Scalar, D: Tangent<T>> AddAssign for Dual<T, D> {
    #[inline(always)]
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl<T: Scalar, D: Tangent<T>> SubAssign for Dual<T, D> {
    #[inline(always)]
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl<T: Scalar, D: Tangent<T>> MulAssign for Dual<T, D> {
    #[inline(always)]
    fn mul_assign(&mut self, other: Self) {
        *self = *self * other;
    }
}

impl<T: Scalar, D: Tangent<T>> DivAssign for Dual<T, D> {
    #[inline(always)]
    fn div_assign(&mut self, other: Self) {
        *self = *self / other;
    }
}

impl<T: Scalar, D: Tangent<T>> AddAssign<f64> for Dual<T, D> {
    #[inline(always)]
    fn add_assign(&mut self, x: f64) {
        *self = *self + x;
    }
}

impl<T: Scalar, D: Tangent<T>> SubAssign<f64> for Dual<T, D> {
    #[inline(always)]
    fn sub_assign(&mut self, x: f64) {
        *self = *self - x;
    }
}

impl<T: Scalar, D: Tangent<T>> MulAssign<f64> for Dual<T, D> {
    #[inline(always)]
    fn mul_assign(&mut self, x: f64) {
        *self = *self * x;
    }
}

impl<T: Scalar, D: Tangent<T>> DivAssign<f64> for Dual<T, D> {
    #[inline(always)]
    fn div_assign(&mut self, x: f64) {
        *self = *self / x;
    }
}

impl<T: Scalar, D: Tangent<T>> PartialEq for Dual<T, D> {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        decisions::matched(self.value == other.value)
    }
}

impl<T: Scalar, D: Tangent<T>> PartialOrd for Dual<T, D> {
    #[inline(always)]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        decisions::compared(self.value.partial_cmp(&other.value))
    }
}

impl<T: Scalar, D: Tangent<T>> PartialEq<f64> for Dual<T, D> {
    #[inline(always)]
    fn eq(&self, x: &f64) -> bool {
        decisions::matched(self.value == *x)
    }
}

impl<T: Scalar, D: Tangent<T>> PartialOrd<f64> for Dual<T, D> {
    #[inline(always)]
    fn partial_cmp(&self, x: &f64) -> Option<Ordering> {
        decisions::compared(self.value.partial_cmp(x))
    }
}

impl<T: Scalar, D: Tangent<T>> Sum for Dual<T, D> {
    #[inline(always)]
    fn sum<I: Iterator<Item = Self>>(terms: I) -> Self {
        terms.fold(Self::from(0.0), |sum, term| sum + term)
    }
}

impl<'a, T: Scalar, D: Tangent<T>> Sum<&'a Self> for Dual<T, D> {
    #[inline(always)]
    fn sum<I: Iterator<Item = &'a Self>>(terms: I) -> Self {
        terms.copied().sum()
    }
}
