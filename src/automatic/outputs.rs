//! Outputs that are not written, or that are read before they are written.

use super::error::{Error, Outcome};
use super::jacobian::Map;
use super::tape::Tape;

/// Checks that no output is NaN only because the map leaves it out, or reads it before it has written it.
pub(super) fn check_outputs<M: Map>(map: &M, x: &[f64]) -> Outcome<()> {
    let filled = |fill: f64| {
        let mut out = vec![fill; map.rows()];
        map.at(x, &mut out);
        out
    };
    let values = filled(f64::NAN);
    if !values.iter().any(|y| y.is_nan()) {
        return Ok(());
    }
    let tape = Tape::record(x, map.rows(), |x, out| map.at(x, out));
    if let Some(row) = tape.unwritten() {
        return Err(Error::Unwritten { row });
    }
    // A value that does not depend on the contents of `out` is NaN with any contents.
    let mut pairs = values.iter().zip(filled(0.0));
    match pairs.position(|(nan, zero)| nan.is_nan() && !zero.is_nan()) {
        Some(row) => Err(Error::ReadUnwritten { row }),
        None => Ok(()),
    }
}
