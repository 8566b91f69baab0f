//! Pattern of a Jacobian at one point, with the checks of a function that is seen for the first time.

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
        check_derivatives(map, x, &tape, variable)?;
    }
    Ok(tape.pattern())
}

fn evaluate<M: Map>(map: &M, x: &[f64]) -> Vec<f64> {
    let mut out = vec![f64::NAN; map.rows()];
    map.at(x, &mut out);
    out
}

/// Compares derivatives on the tape with differences, first along all variables, then along those of the first wrong row.
fn check_derivatives<M: Map>(
    map: &M,
    x: &[f64],
    tape: &Tape,
    variable: fn(usize) -> Variable,
) -> Outcome<()> {
    let weights = weights(x);
    let gradients = Differences { map, x, tape };
    let Some(row) = gradients.first_wrong_row(&weights) else {
        return Ok(());
    };
    let alone = |j: usize| {
        let mut direction = vec![0.0; x.len()];
        direction[j] = weights[j];
        direction
    };
    let column = (0..x.len()).find(|&j| gradients.is_wrong(row, &alone(j)));
    Err(Error::Lost {
        row,
        variable: variable(column.unwrap_or(0)),
    })
}

struct Differences<'a, M> {
    map: &'a M,
    x: &'a [f64],
    tape: &'a Tape,
}

impl<M: Map> Differences<'_, M> {
    fn first_wrong_row(&self, direction: &[f64]) -> Option<usize> {
        let samples = self.samples(direction);
        (0..self.map.rows()).find(|&row| self.contradicts(row, direction, &samples))
    }

    fn is_wrong(&self, row: usize, direction: &[f64]) -> bool {
        self.contradicts(row, direction, &self.samples(direction))
    }

    /// Returns f(x ± h v) for all steps h.
    fn samples(&self, v: &[f64]) -> Vec<[Vec<f64>; 2]> {
        let moved = |h: f64| -> Vec<f64> {
            let pairs = self.x.iter().zip(v);
            pairs.map(|(x, v)| x + h * v).collect()
        };
        let both = |h: f64| [h, -h].map(|h| evaluate(self.map, &moved(h)));
        STEPS.into_iter().map(both).collect()
    }

    /// Whether the differences at every step contradict the derivative of a row along v.
    fn contradicts(&self, row: usize, v: &[f64], samples: &[[Vec<f64>; 2]]) -> bool {
        let gradient = self.tape.gradient(row);
        let claim: f64 = gradient.iter().zip(v).map(|(g, v)| g * v).sum();
        let mut steps = STEPS.iter().zip(samples);
        steps.all(|(h, [plus, minus])| {
            let (plus, minus) = (plus[row], minus[row]);
            let difference = (plus - minus) / (2.0 * h);
            let rounding = f64::EPSILON * plus.abs().max(minus.abs()) / h;
            let scale = difference.abs().max(claim.abs());
            (difference - claim).abs() > LOST * scale + 10.0 * rounding
        })
    }
}
