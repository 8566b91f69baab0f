//! Losses by optimal transport, with their options.

use pullback::loss::{Sinkhorn, Transport, UnbalancedTransport};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::error::raise;
use crate::objective::{Loss, LossSettings};
use crate::word::Word;

/// Number of frames of a sliced loss.
const FRAMES: f64 = 8.0;

/// Returns a transport loss, or None if there is none of this name.
pub(crate) fn transport(
    word: &Word,
    settings: &LossSettings<'_>,
    target: Vec<f64>,
) -> PyResult<Option<Loss>> {
    let kind = word.name();
    let grid = || settings.grid(kind);
    Ok(Some(match kind {
        "transport" => {
            let names = ["epsilon", "extrapolate", "tolerance", "iterations"];
            let options = word.options("loss", names)?;
            let [epsilon, extrapolate, tolerance, iterations] = options;
            let loss = match options.iter().all(Option::is_none) {
                true => Transport::new(grid()?, target),
                false => {
                    let options = Sinkhorn {
                        extrapolate: extrapolate.is_some_and(|given| given != 0.0),
                        ..sinkhorn(word, [epsilon, tolerance, iterations])?
                    };
                    Transport::sinkhorn(grid()?, target, &options)
                }
            };
            Loss::distance(kind, loss.map_err(raise)?)
        }
        "marginal_transport" => {
            let [] = word.options("loss", [])?;
            Loss::distance(kind, Transport::marginals(grid()?, target).map_err(raise)?)
        }
        "sliced_transport" => {
            let [frames] = word.options("loss", ["frames"])?;
            let frames = word.whole("frames", frames.unwrap_or(FRAMES))?;
            let loss = Transport::sliced(grid()?, target, frames);
            Loss::distance(kind, loss.map_err(raise)?)
        }
        "unbalanced_transport" => {
            let names = ["lambda", "epsilon", "tolerance", "iterations"];
            let [lambda, epsilon, tolerance, iterations] = word.options("loss", names)?;
            let missing = "loss='unbalanced_transport' moves mass over distances up to about √λ, and makes it beyond them: \
                           give ('unbalanced_transport', λ)";
            let lambda = lambda.ok_or_else(|| PyValueError::new_err(missing))?;
            let options = sinkhorn(word, [epsilon, tolerance, iterations])?;
            let loss = UnbalancedTransport::new(grid()?, target, lambda, &options);
            Loss::distance(kind, loss.map_err(raise)?)
        }
        _ => return Ok(None),
    }))
}

/// Returns the options of Sinkhorn's iteration: ε, the tolerance and the number of iterations.
fn sinkhorn(word: &Word, options: [Option<f64>; 3]) -> PyResult<Sinkhorn> {
    let [epsilon, tolerance, iterations] = options;
    let plain = Sinkhorn::default();
    Ok(Sinkhorn {
        epsilon,
        tolerance: tolerance.unwrap_or(plain.tolerance),
        iterations: word.whole_or("iterations", iterations, plain.iterations)?,
        ..plain
    })
}
