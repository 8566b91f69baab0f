//! Confidence levels, and quantiles of the normal and of Student's distribution.

use crate::check;
use crate::error::Result;

/// Level of two-sided intervals, and the degrees of freedom n − p of the noise if it is estimated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Confidence {
    pub(crate) level: f64,
    pub(crate) freedom: Option<f64>,
}

impl Default for Confidence {
    fn default() -> Self {
        Self {
            level: 0.95,
            freedom: None,
        }
    }
}

impl Confidence {
    /// Checks that the level is between 0 and 1, and that the degrees of freedom are positive.
    pub(crate) fn check(&self) -> Result<()> {
        if let Some(freedom) = self.freedom {
            check::positive("the degrees of freedom", &[freedom])?;
        }
        let sound = self.level > 0.0 && self.level < 1.0;
        let remedy = "give a fraction such as 0.95";
        check::option("the confidence level", self.level, sound, remedy)
    }

    /// Returns the number t of standard errors from the middle of an interval to its ends.
    pub(crate) fn quantile(&self) -> f64 {
        two_sided_quantile(self.level, self.freedom)
    }
}

/// Returns the t with P(|T| ≤ t) = `level`, for Student's T with `freedom` degrees of freedom, or for a normal T if None.
fn two_sided_quantile(level: f64, freedom: Option<f64>) -> f64 {
    let inside = |t: f64| match freedom {
        None => normal_inside(t),
        Some(nu) => student_inside(t, nu),
    };
    // The probability grows with t: double until it exceeds the level, then bisect to rounding.
    let mut high = 1.0;
    while inside(high) < level && high < 1e30 {
        high *= 2.0;
    }
    let mut low = 0.0;
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        match inside(middle) < level {
            true => low = middle,
            false => high = middle,
        }
    }
    0.5 * (low + high)
}

/// Returns P(|Z| ≤ t) for a standard normal Z.
fn normal_inside(t: f64) -> f64 {
    // The regularised incomplete gamma function P(½, x) at x = t²/2, by its series of positive terms
    // x^½ e^(−x)/Γ(3/2) Σ xⁿ/((3/2)(5/2)…(n + ½)).
    let x = 0.5 * t * t;
    if x > 40.0 {
        return 1.0;
    }
    let (mut term, mut sum, mut n) = (1.0, 1.0, 0.5);
    while term > f64::EPSILON * sum {
        n += 1.0;
        term *= x / n;
        sum += term;
    }
    x.sqrt() * (-x).exp() * sum * 2.0 / std::f64::consts::PI.sqrt()
}

/// Returns P(|T| ≤ t) for Student's T with ν degrees of freedom.
fn student_inside(t: f64, nu: f64) -> f64 {
    // P(|T| > t) = I_x(ν/2, ½) with x = ν/(ν + t²).
    let x = nu / (nu + t * t);
    1.0 - incomplete_beta(x, 0.5 * nu, 0.5)
}

/// Returns the regularised incomplete beta function I_x(a, b).
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return if x <= 0.0 { 0.0 } else { 1.0 };
    }
    // The continued fraction converges fast for x < (a + 1)/(a + b + 2). Elsewhere I_x(a, b) = 1 − I_{1−x}(b, a).
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(1.0 - x, b, a);
    }
    let front = a * x.ln() + b * (-x).ln_1p() + ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b);
    front.exp() / a * beta_fraction(x, a, b)
}

/// Returns the continued fraction of the incomplete beta function, by the modified method of Lentz (1976).
fn beta_fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let guard = |v: f64| if v.abs() < TINY { TINY } else { v };
    let (mut c, mut d) = (1.0, guard(1.0 - (a + b) * x / (a + 1.0)).recip());
    let mut fraction = d;
    for m in (1..=10_000).map(f64::from) {
        // The even and the odd coefficient of step m.
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for coefficient in [even, odd] {
            d = guard(1.0 + coefficient * d).recip();
            c = guard(1.0 + coefficient / c);
            change = c * d;
            fraction *= change;
        }
        if (change - 1.0).abs() < 4.0 * f64::EPSILON {
            break;
        }
    }
    fraction
}

/// Returns ln Γ(x) for x > 0.
fn ln_gamma(x: f64) -> f64 {
    // Γ(x) = Γ(x + n)/(x(x + 1)…(x + n − 1)) moves x to where Stirling's series has an error below rounding.
    let (mut x, mut product) = (x, 1.0);
    while x < 10.0 {
        product *= x;
        x += 1.0;
    }
    let y = (x * x).recip();
    let series =
        (1.0 / 12.0 - y * (1.0 / 360.0 - y * (1.0 / 1260.0 - y * (1.0 / 1680.0 - y / 1188.0)))) / x;
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - product.ln()
}

#[cfg(test)]
mod tests {
    use super::two_sided_quantile;

    /// Values of standard tables.
    #[test]
    fn quantiles_are_those_of_tables() {
        for (level, freedom, expected) in [
            (0.95, None, 1.959_963_984_540_054),
            (0.682_689_492_137_086, None, 1.0),
            (0.99, None, 2.575_829_303_548_901),
            (0.95, Some(1.0), 12.706_204_736_174_7),
            (0.95, Some(2.0), 4.302_652_729_696_14),
            (0.95, Some(12.0), 2.178_812_829_667_23),
            (0.99, Some(30.0), 2.749_995_653_567_23),
            (0.95, Some(1e6), 1.959_966_356),
            (0.5, Some(3.0), 0.764_892_328_404_345),
        ] {
            let found: f64 = two_sided_quantile(level, freedom);
            assert!(
                (found - expected).abs() < 1e-9 * expected,
                "{level} {freedom:?}: {found}"
            );
        }
    }
}
