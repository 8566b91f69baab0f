//! Pattern of a Jacobian at one point, with the checks of a function that is seen for the first time.

use super::dual::Lanes;
use super::error::{Error, Outcome, Variable};
use super::jacobian::{Map, weights};
use super::tape::Tape;

/// Relative difference of two evaluations at the same point above which they differ by more than the order of operations.
const STEADY: f64 = 1e-12;

/// Steps of the differences that a lost derivative is compared with, relative to the size of x.
const STEPS: [f64; 3] = [1e-4, 1e-5, 1e-6];

/// Relative error of a derivative that differences at all steps show, and rounding or curvature do not.
const LOST: f64 = 1e-2;

/// Returns the variables that every output depends on at x.
///
/// # Errors
/// Fails if the map does not write an output, does not return the same outputs twice, or loses a derivative by reading a
/// value.
pub(super) fn trace<M: Map>(
    map: &M,
    x: &[f64],
    variable: fn(usize) -> Variable,
) -> Result<Vec<Vec<usize>>, Error> {
    let tape = Tape::record(x, map.rows(), |x, out| map.at(x, out));
    if let Some(row) = tape.unwritten() {
        return Err(Error::Unwritten { row });
    }
    let values = evaluate(map, x);
    let size = values.iter().fold(0.0_f64, |size, y| size.max(y.abs()));
    let mut pairs = tape.values.iter().zip(&values);
    let changed = pairs.position(|(a, b)| (a - b).abs() > STEADY * size);
    if let Some(row) = changed {
        return Err(Error::Unsteady { row });
    }
    if tape.values_read {
        check_derivatives(map, x, variable)?;
    }
    Ok(tape.pattern())
}

fn evaluate<M: Map>(map: &M, x: &[f64]) -> Vec<f64> {
    let mut out = vec![f64::NAN; map.rows()];
    map.at(x, &mut out);
    out
}

/// Compares derivatives with differences, first along all variables, then along those of the first wrong row.
fn check_derivatives<M: Map>(map: &M, x: &[f64], variable: fn(usize) -> Variable) -> Outcome<()> {
    let weights = weights(x);
    let Some(row) = contradictions(map, x, &weights).position(|wrong| wrong) else {
        return Ok(());
    };
    let alone = |j: usize| {
        let mut direction = vec![0.0; x.len()];
        direction[j] = weights[j];
        direction
    };
    let is_wrong = |j: &usize| contradictions(map, x, &alone(*j)).nth(row) == Some(true);
    let column = (0..x.len()).find(is_wrong);
    Err(Error::Lost {
        row,
        variable: variable(column.unwrap_or(0)),
    })
}

/// Returns for every row whether the differences at every step contradict its derivative along v.
fn contradictions<M: Map>(map: &M, x: &[f64], v: &[f64]) -> impl Iterator<Item = bool> {
    let claims = derivative(map, x, v);
    let moved = |h: f64| -> Vec<f64> { x.iter().zip(v).map(|(x, v)| x + h * v).collect() };
    let samples = STEPS.map(|h| [h, -h].map(|h| evaluate(map, &moved(h))));
    claims.into_iter().enumerate().map(move |(row, claim)| {
        let mut steps = STEPS.iter().zip(&samples);
        steps.all(|(h, [plus, minus])| {
            let (plus, minus) = (plus[row], minus[row]);
            let difference = (plus - minus) / (2.0 * h);
            let rounding = f64::EPSILON * plus.abs().max(minus.abs()) / h;
            let scale = difference.abs().max(claim.abs());
            (difference - claim).abs() > LOST * scale + 10.0 * rounding
        })
    })
}

/// Returns J v by one evaluation with a derivative.
fn derivative<M: Map>(map: &M, x: &[f64], v: &[f64]) -> Vec<f64> {
    let number = |(&value, &v): (&f64, &f64)| Lanes::<f64, 1> {
        value,
        tangent: [v],
    };
    let input: Vec<Lanes<f64, 1>> = x.iter().zip(v).map(number).collect();
    let mut out = vec![Lanes::from(f64::NAN); map.rows()];
    map.at(&input, &mut out);
    out.iter().map(|y| y.tangent[0]).collect()
}
