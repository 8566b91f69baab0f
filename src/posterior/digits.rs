//! Numbers with as many digits as their errors give them.

/// Returns the decimal exponent of a number.
fn exponent(x: f64) -> i32 {
    if x == 0.0 {
        0
    } else {
        x.abs().log10().floor() as i32
    }
}

/// Formats a value and its error with two digits of the error.
pub(super) fn with_error(value: f64, error: f64) -> String {
    let size = exponent(value.abs().max(error));
    // Powers of ten outside this range are written once for value and error.
    if (-3..6).contains(&size) {
        let decimals = decimals(error, 0);
        return format!("{value:.decimals$} ± {error:.decimals$}");
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
    let size = exponent(value.abs().max(error));
    let error = if error > 0.0 {
        error
    } else {
        1e-4 * 10.0_f64.powi(size)
    };
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
    (1 - exponent(error) + size).clamp(0, 15) as usize
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
        ] {
            assert_eq!(with_error(value, error), expected);
        }
    }
}
