//! Round numbers and their text.

/// Rounds `step` up to 1, 2 or 5 times a power of ten.
pub(crate) fn nice(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let mantissa = step / power;
    let rounded = [1.0, 2.0, 5.0].into_iter().find(|m| mantissa <= m + 1e-9);
    rounded.unwrap_or(10.0) * power
}

/// Returns the multiples of `step` in the closed interval, at most twenty.
pub(crate) fn multiples([lower, upper]: [f64; 2], step: f64) -> Vec<f64> {
    // Rounding must not exclude an end that is a multiple.
    let tolerance = 1e-9 * (upper - lower);
    let first = ((lower - tolerance) / step).ceil();
    let all = (0..20).map(|k| (first + k as f64) * step);
    all.take_while(|v| *v <= upper + tolerance).collect()
}

/// Formats a number with a fixed number of decimals, a true minus sign and no negative zero.
pub(crate) fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.chars().all(|c| c == '0' || c == '.') => digits.to_string(),
        Some(digits) => format!("−{digits}"),
        None => text,
    }
}

/// Formats 10ⁿ with a raised exponent.
pub(crate) fn power_of_ten(power: i32) -> String {
    format!("10^{{{}}}", fixed(f64::from(power), 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_rounded_up() {
        let cases = [
            (0.3, 0.5),
            (1.0, 1.0),
            (1.2, 2.0),
            (7.0, 10.0),
            (0.002, 0.002),
        ];
        for (step, round) in cases {
            assert!((nice(step) / round - 1.0).abs() < 1e-9, "{step}");
        }
    }

    #[test]
    fn multiples_include_both_ends() {
        assert_eq!(multiples([-1.0, 1.0], 0.5), [-1.0, -0.5, 0.0, 0.5, 1.0]);
        assert!(multiples([0.1, 0.9], 1.0).is_empty());
    }

    #[test]
    fn negative_numbers_have_a_true_minus() {
        assert_eq!(fixed(-1.25, 1), "−1.2");
        assert_eq!(fixed(-0.001, 2), "0.00");
        assert_eq!(power_of_ten(-12), "10^{−12}");
    }
}
