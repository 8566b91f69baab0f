//! Checks of arguments. Each error names the argument at fault.

use crate::error::{Error, Result};

/// Checks that the length `found` equals `expected`.
pub(crate) fn length(what: &'static str, found: usize, expected: usize) -> Result<()> {
    if found == expected {
        Ok(())
    } else {
        Err(Error::Dimension {
            what,
            expected,
            found,
        })
    }
}

/// Checks that no value is NaN or infinite.
pub(crate) fn finite(what: &'static str, values: &[f64]) -> Result<()> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(index) => Err(Error::NotFinite {
            what,
            index,
            value: values[index],
        }),
    }
}

/// Checks that all values are finite and positive.
pub(crate) fn positive(what: &'static str, values: &[f64]) -> Result<()> {
    finite(what, values)?;
    match values.iter().position(|&v| v <= 0.0) {
        None => Ok(()),
        Some(index) => Err(Error::NotPositive {
            what,
            index,
            value: values[index],
        }),
    }
}

/// Checks that the values are a density: finite, non-negative and not all zero.
pub(crate) fn density(what: &'static str, values: &[f64]) -> Result<()> {
    finite(what, values)?;
    if let Some(index) = values.iter().position(|&v| v < 0.0) {
        return Err(Error::Negative {
            what,
            index,
            value: values[index],
        });
    }
    let mass: f64 = values.iter().sum();
    if mass > 0.0 {
        Ok(())
    } else {
        Err(Error::NoMass { what, mass })
    }
}

/// Returns an error about the option `what` unless the caller found it `sound`.
pub(crate) fn option(
    what: &'static str,
    value: f64,
    sound: bool,
    remedy: &'static str,
) -> Result<()> {
    if sound {
        Ok(())
    } else {
        Err(Error::Option {
            what,
            value,
            remedy,
        })
    }
}
