//! Pattern of a Jacobian at one point, with the checks of a function that is seen for the first time.

use super::blocks;
use super::error::{Error, Outcome};
use super::jacobian::{Map, evaluate};
use super::tape::Tape;

/// Relative difference of two evaluations at the same point above which they differ by more than the order of operations.
const STEADY: f64 = 1e-12;

/// Returns the variables that every output depends on at x.
///
/// # Errors
/// Fails if the map does not write an output, does not return the same outputs twice, or computes on other threads.
pub(super) fn trace<M: Map>(map: &M, x: &[f64]) -> Outcome<Vec<Vec<usize>>> {
    let tape = Tape::record(x, map.rows(), |x, out| map.at(x, out));
    if let Some(row) = tape.unwritten() {
        return Err(Error::Unwritten { row });
    }
    if let Some(row) = tape.foreign() {
        return Err(Error::Foreign { row });
    }
    let values = evaluate(map, x);
    let size = values.iter().fold(0.0_f64, |size, y| size.max(y.abs()));
    let mut pairs = tape.values.iter().zip(&values);
    let changed = pairs.position(|(a, b)| (a - b).abs() > STEADY * size);
    if let Some(row) = changed {
        return Err(Error::Unsteady { row });
    }
    if blocks::has_blocks(map, x) {
        let mut parts = vec![f64::NAN; map.rows()];
        blocks::values(map, x, &mut parts);
        let same = |a: f64, b: f64| (a - b).abs() <= STEADY * size || a.is_nan() || a == b;
        let mut pairs = values.iter().zip(&parts);
        if let Some(row) = pairs.position(|(a, b)| !same(*a, *b)) {
            return Err(Error::Rows { row });
        }
    }
    Ok(tape.pattern())
}
