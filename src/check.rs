//! Guards at the crate's edge: each names the argument that is wrong.

use crate::error::{Error, Result};

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

/// A density: finite, nowhere negative, with some mass.
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
