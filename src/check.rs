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

/// Checks that there are chosen items, and that each is one of `count`.
pub(crate) fn chosen(chosen: &[usize], count: usize) -> Result<()> {
    let (number, some) = (chosen.len() as f64, !chosen.is_empty());
    option(
        "the number of chosen items",
        number,
        some,
        "choose at least one",
    )?;
    let remedy = "give an index below the number of items";
    let mut chosen = chosen.iter();
    chosen.try_for_each(|&i| option("a chosen item", i as f64, i < count, remedy))
}

/// Returns the index of the first value that is NaN or infinite.
pub(crate) fn first_not_finite(values: &[f64]) -> Option<usize> {
    // 0·x is 0, or NaN if x is NaN or infinite. A sum without a branch for every value is several times as fast as a search,
    // which only a failed check needs.
    let mut sums = [0.0; 8];
    let (eights, rest) = values.as_chunks::<8>();
    for eight in eights {
        (0..8).for_each(|lane| sums[lane] += 0.0 * eight[lane]);
    }
    if sums == [0.0; 8] && rest.iter().all(|v| v.is_finite()) {
        return None;
    }
    values.iter().position(|v| !v.is_finite())
}

/// Checks that no value is NaN or infinite.
pub(crate) fn finite(what: &'static str, values: &[f64]) -> Result<()> {
    match first_not_finite(values) {
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
