//! Numbers with as many digits as their errors give them.

/// Returns the decimal exponent of a number that is rounded to this many significant digits.
fn exponent(x: f64, digits: usize) -> i32 {
    let text = format!("{x:.0$e}", digits.saturating_sub(1));
    let exponent = text.split_once('e').and_then(|(_, e)| e.parse().ok());
    exponent.unwrap_or(0)
}

/// Returns the decimal exponent of a number that is rounded to the second digit of its error.
fn rounded_size(x: f64, error: f64) -> i32 {
    // 9.9996 with three decimals is 10.000.
    let size = exponent(x, 17);
    exponent(x, decimals(error, size) + 1)
}

/// Number of decades by which an error may exceed its value before both are printed with powers of ten of their own.
const APART: i32 = 2;

/// Formats a value and its error with two digits of the error.
///
/// ```
/// use pullback::posterior::with_error;
/// assert_eq!(with_error(5.501_564_3e-4, 7.266_87e-6), "(5.502 ± 0.073)e-4");
/// ```
pub fn with_error(value: f64, error: f64) -> String {
    let size = rounded_size(value.abs().max(error), error);
    // Powers of ten outside this range are written once for value and error.
    if (-3..6).contains(&size) {
        let decimals = decimals(error, 0);
        return format!("{value:.decimals$} ± {error:.decimals$}");
    }
    if value != 0.0 && exponent(error, 2) > exponent(value, 2) + APART {
        return format!("{} ± {error:.1e}", plain(value, 0.0));
    }
    let (scale, decimals) = (10.0_f64.powi(size), decimals(error, size));
    format!(
        "({:.decimals$} ± {:.decimals$})e{size}",
        value / scale,
        error / scale
    )
}

/// Formats a number to the digit at which its error has its second digit, or to six digits without an error.
pub(crate) fn plain(value: f64, error: f64) -> String {
    let uncertain = error > 0.0;
    if value == 0.0 && !uncertain {
        return "0".to_string();
    }
    let error = if uncertain {
        error
    } else {
        1e-4 * 10.0_f64.powi(exponent(value, 6))
    };
    let size = rounded_size(value.abs().max(error), error);
    if (-3..6).contains(&size) {
        return format!("{value:.0$}", decimals(error, 0));
    }
    format!(
        "{:.1$}e{size}",
        value / 10.0_f64.powi(size),
        decimals(error, size)
    )
}

/// Returns the number of decimals that show two digits of an error, in units of 10^`size`.
fn decimals(error: f64, size: i32) -> usize {
    (1 - exponent(error, 2) + size).clamp(0, 15) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_rounded_by_their_errors() {
        for (value, error, expected) in [
            (238.942_129, 2.707_007, "238.9 ± 2.7"),
            (5.501_564_3e-4, 7.266_87e-6, "(5.502 ± 0.073)e-4"),
            (-0.000_12, 3.4, "-0.0 ± 3.4"),
            (1.5e12, 2.5e9, "(1.5000 ± 0.0025)e12"),
            (12.0, 120.0, "12 ± 120"),
            (0.0, 0.0123, "0.000 ± 0.012"),
            (-79.4, 3.5e17, "-79.4000 ± 3.5e17"),
            (9.999_57e-4, 2e-6, "0.0010000 ± 0.0000020"),
            (9.999_57e-5, 2e-7, "(1.0000 ± 0.0020)e-4"),
            (5.0, 0.0996, "5.00 ± 0.10"),
        ] {
            assert_eq!(with_error(value, error), expected);
        }
        assert_eq!(plain(9.999_999_7e-4, 0.0), "0.00100000");
        assert_eq!(plain(-79.4, 0.0), "-79.4000");
    }
}
