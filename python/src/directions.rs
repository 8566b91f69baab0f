//! Directions and step rules by name.

use pullback::direction::{
    Auto, ConjugateGradient, DataSpace, Dual, Gradient, Information, LeastSquares, Newton, Sketched,
};
use pullback::step::{Armijo, Fixed, TrustRatio};
use pullback::{Direction, StepRule};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::objective::unknown;
use crate::word::Word;

/// Names of the directions.
const DIRECTIONS: &str = "auto, conjugate_gradient, data_space, dual, gradient, information, least_squares, newton or sketched";

/// Returns a direction by its name.
pub(crate) fn direction(word: &Word) -> PyResult<Box<dyn Direction + Send>> {
    let whole = |option, value, standard| word.whole_or(option, value, standard);
    Ok(match word.name() {
        "conjugate_gradient" => {
            let [iterations] = word.options("direction", ["iterations"])?;
            let plain = ConjugateGradient::default();
            Box::new(ConjugateGradient {
                iterations: whole("iterations", iterations, plain.iterations)?,
                ..plain
            })
        }
        "newton" => {
            let [iterations, escape] = word.options("direction", ["iterations", "escape"])?;
            let plain = Newton::default();
            Box::new(Newton {
                iterations: whole("iterations", iterations, plain.iterations)?,
                escape: whole("escape", escape, plain.escape)?,
                ..plain
            })
        }
        "sketched" => {
            let [probes, seed] = word.options("direction", ["probes", "seed"])?;
            let plain = Sketched::default();
            Box::new(Sketched {
                probes: whole("probes", probes, plain.probes)?,
                seed: whole("seed", seed, plain.seed as usize)? as u64,
                ..plain
            })
        }
        name => {
            let found = simple(name).ok_or_else(|| unknown("direction", name, DIRECTIONS))?;
            let [] = word.options("direction", [])?;
            found
        }
    })
}

/// Returns a direction without options.
fn simple(name: &str) -> Option<Box<dyn Direction + Send>> {
    Some(match name {
        "auto" => Box::new(Auto::default()),
        "data_space" => Box::new(DataSpace),
        "dual" => Box::new(Dual),
        "gradient" => Box::new(Gradient),
        "information" => Box::new(Information::default()),
        "least_squares" => Box::new(LeastSquares::default()),
        _ => return None,
    })
}

/// Names of the step rules.
const RULES: &str = "trust_ratio, armijo or fixed";

/// Returns a step rule by its name.
pub(crate) fn step(word: &Word) -> PyResult<Box<dyn StepRule + Send>> {
    Ok(match word.name() {
        "trust_ratio" => {
            let names = ["damping", "accept", "stretch"];
            let [damping, accept, stretch] = word.options("step", names)?;
            let plain = TrustRatio::default();
            Box::new(TrustRatio {
                damping: damping.unwrap_or(plain.damping),
                accept: accept.unwrap_or(plain.accept),
                stretch: stretch.unwrap_or(plain.stretch),
            })
        }
        "armijo" => {
            let names = ["first", "decrease", "growth", "damping"];
            let [first, decrease, growth, damping] = word.options("step", names)?;
            let plain = Armijo::default();
            Box::new(Armijo {
                first: first.unwrap_or(plain.first),
                decrease: decrease.unwrap_or(plain.decrease),
                growth: growth.or(plain.growth),
                damping: damping.unwrap_or(plain.damping),
            })
        }
        "fixed" => {
            let [rate] = word.options("step", ["rate"])?;
            Box::new(Fixed {
                scale: rate.ok_or_else(|| without_rate("fixed"))?,
            })
        }
        other => return Err(unknown("step", other, RULES)),
    })
}

/// Returns the error of a rule without its rate.
fn without_rate(name: &str) -> PyErr {
    PyValueError::new_err(format!(
        "step='{name}' needs a rate, the multiple of the direction that a step takes: give ('{name}', rate)"
    ))
}
