//! Directions and step rules by name.

use std::sync::LazyLock;

use pullback::direction::{
    Adam, Auto, Conjugacy, ConjugateGradient, Damping, DataSpace, Dual, Gradient, Information,
    Kfac, Lbfgs, LeastSquares, Momentum, Newton, NonlinearCg, Sketched,
};
use pullback::step::{Annealed, Armijo, Decaying, Fixed, Grid, StrongWolfe, TrustRatio};
use pullback::{Direction, StepRule};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::objective::unknown;
use crate::word::Word;

/// Names of the directions.
const DIRECTIONS: &str = "auto, conjugate_gradient, data_space, dual, gradient, information, least_squares, newton, sketched, lbfgs, \
     nonlinear_cg, momentum, nesterov, adam or kfac";

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
        "least_squares" => {
            let (damping, rest) = damping(word)?;
            let [cutoff] = rest.options("direction", ["cutoff"])?;
            let plain = LeastSquares::default();
            Box::new(LeastSquares {
                cutoff: cutoff.unwrap_or(plain.cutoff),
                damping,
                ..plain
            })
        }
        "information" => {
            let (damping, rest) = damping(word)?;
            let [] = rest.options("direction", [])?;
            Box::new(Information { damping })
        }
        name => match learning(word)? {
            Some(found) => found,
            None => {
                let found = simple(name).ok_or_else(|| unknown("direction", name, DIRECTIONS))?;
                let [] = word.options("direction", [])?;
                found
            }
        },
    })
}

/// Returns the matrix that damping is proportional to, and the word without it.
fn damping(word: &Word) -> PyResult<(Damping<'static>, Word)> {
    let (name, rest) = word.text("damping")?;
    let damping = match name.as_deref() {
        None | Some("diagonal") => Damping::Diagonal,
        Some("identity") => Damping::Identity,
        Some(other) => return Err(unknown("damping", other, "diagonal or identity")),
    };
    Ok((damping, rest))
}

/// Returns a direction that learns from the run.
fn learning(word: &Word) -> PyResult<Option<Box<dyn Direction + Send>>> {
    Ok(Some(match word.name() {
        "lbfgs" => {
            let [memory, by_prior] = word.options("direction", ["memory", "by_prior"])?;
            let plain = Lbfgs::default();
            Box::new(Lbfgs {
                memory: word.whole_or("memory", memory, plain.memory)?,
                by_prior: by_prior.map_or(plain.by_prior, |given| given != 0.0),
            })
        }
        "nonlinear_cg" => conjugate(word)?,
        "momentum" | "nesterov" => {
            let (name, rest) = word.text("inner")?;
            let [beta] = rest.options("direction", ["beta"])?;
            let plain = Momentum::new(inner(name.as_deref())?);
            Box::new(Momentum {
                beta: beta.unwrap_or(plain.beta),
                nesterov: word.name() == "nesterov",
                ..plain
            })
        }
        "adam" => {
            let names = ["beta1", "beta2", "epsilon"];
            let [beta1, beta2, epsilon] = word.options("direction", names)?;
            let plain = Adam::default();
            Box::new(Adam {
                beta1: beta1.unwrap_or(plain.beta1),
                beta2: beta2.unwrap_or(plain.beta2),
                epsilon: epsilon.unwrap_or(plain.epsilon),
            })
        }
        "kfac" => {
            let names = ["damping", "memory", "draws", "seed"];
            let [damping, memory, draws, seed] = word.options("direction", names)?;
            let plain = Kfac::default();
            Box::new(Kfac {
                damping: damping.unwrap_or(plain.damping),
                memory: memory.unwrap_or(plain.memory),
                draws: word.whole_or("draws", draws, plain.draws)?,
                seed: word.whole_or("seed", seed, plain.seed as usize)? as u64,
            })
        }
        _ => return Ok(None),
    }))
}

/// Returns a direction without options.
fn simple(name: &str) -> Option<Box<dyn Direction + Send>> {
    Some(match name {
        "auto" => Box::new(Auto::default()),
        "data_space" => Box::new(DataSpace),
        "dual" => Box::new(Dual),
        "gradient" => Box::new(Gradient),
        _ => return None,
    })
}

/// Returns the direction of nonlinear conjugate gradients.
fn conjugate(word: &Word) -> PyResult<Box<dyn Direction + Send>> {
    let (formula, rest) = word.text("formula")?;
    let (name, rest) = rest.text("inner")?;
    let [] = rest.options("direction", [])?;
    let formula = match formula.as_deref() {
        None | Some("polak_ribiere") => Conjugacy::PolakRibiere,
        Some("hestenes_stiefel") => Conjugacy::HestenesStiefel,
        Some("fletcher_reeves") => Conjugacy::FletcherReeves,
        Some(other) => {
            let choices = "polak_ribiere, hestenes_stiefel or fletcher_reeves";
            return Err(unknown("the formula of 'nonlinear_cg'", other, choices));
        }
    };
    Ok(Box::new(NonlinearCg {
        formula,
        inner: inner(name.as_deref())?,
    }))
}

/// Inner directions of others, which live as long as the program.
static LEAST_SQUARES: LazyLock<LeastSquares<'static>> = LazyLock::new(LeastSquares::default);
static CONJUGATE_GRADIENT: LazyLock<ConjugateGradient<'static>> =
    LazyLock::new(ConjugateGradient::default);

/// Returns the direction that another one gathers or preconditions with: the gradient by default.
fn inner(name: Option<&str>) -> PyResult<&'static dyn Direction> {
    match name {
        None | Some("gradient") => Ok(&Gradient),
        Some("least_squares") => Ok(&*LEAST_SQUARES),
        Some("conjugate_gradient") => Ok(&*CONJUGATE_GRADIENT),
        Some(other) => {
            let choices = "gradient, least_squares or conjugate_gradient";
            Err(unknown("the inner direction", other, choices))
        }
    }
}

/// Returns the step rule of a descent, or None for that of the library: the one that is given, or the one that the direction needs.
pub(crate) fn rule(
    step: Option<&Word>,
    direction: &Word,
) -> PyResult<Option<Box<dyn StepRule + Send>>> {
    if let Some(word) = step {
        return self::step(word).map(Some);
    }
    Ok(match direction.name() {
        // These learn the curvature from changes of the slope.
        "lbfgs" => Some(Box::new(StrongWolfe::default())),
        "nonlinear_cg" => Some(Box::new(StrongWolfe::close())),
        "momentum" | "nesterov" => {
            let (inner, rest) = direction.text("inner")?;
            let [beta] = rest.options("direction", ["beta"])?;
            if inner.is_none_or(|inner| inner == "gradient") {
                return Err(needs_rate(direction.name(), "a multiple of the gradient"));
            }
            // Steps of a natural direction have the right length for a momentum that sums up to one of them.
            let scale = 1.0 - beta.unwrap_or(Momentum::default().beta);
            Some(Box::new(Fixed { scale }))
        }
        "adam" => return Err(needs_rate("adam", "the change of a parameter in a step")),
        _ => None,
    })
}

/// Returns the error of a direction that has no step of its own.
fn needs_rate(direction: &str, meaning: &str) -> PyErr {
    PyValueError::new_err(format!(
        "direction='{direction}' needs a rate, {meaning}: give step=('fixed', rate) or ('decaying', rate)"
    ))
}

/// Names of the step rules.
const RULES: &str = "trust_ratio, armijo, strong_wolfe, fixed, decaying, annealed or grid";

/// Returns a step rule by its name.
fn step(word: &Word) -> PyResult<Box<dyn StepRule + Send>> {
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
        "decaying" => match decay(word)? {
            (decay, true) => Box::new(decay),
            (_, false) => return Err(without_rate("decaying")),
        },
        "annealed" => Box::new(Annealed {
            decay: decay(word)?.0,
            ..Annealed::default()
        }),
        "strong_wolfe" => {
            let names = ["curvature", "decrease", "trials"];
            let [curvature, decrease, trials] = word.options("step", names)?;
            let plain = StrongWolfe::default();
            Box::new(StrongWolfe {
                curvature: curvature.unwrap_or(plain.curvature),
                decrease: decrease.unwrap_or(plain.decrease),
                trials: word.whole_or("trials", trials, plain.trials)?,
            })
        }
        "grid" => {
            let [first, ratio, count] = word.options("step", ["first", "ratio", "count"])?;
            let plain = Grid::default();
            Box::new(Grid {
                first: first.unwrap_or(plain.first),
                ratio: ratio.unwrap_or(plain.ratio),
                count: word.whole_or("count", count, plain.count)?,
            })
        }
        other => return Err(unknown("step", other, RULES)),
    })
}

/// Returns a schedule, and whether its rate is given.
fn decay(word: &Word) -> PyResult<(Decaying, bool)> {
    let [rate, steps, power] = word.options("step", ["rate", "steps", "power"])?;
    let plain = Decaying::default();
    let decay = Decaying {
        scale: rate.unwrap_or(plain.scale),
        steps: steps.unwrap_or(plain.steps),
        power: power.unwrap_or(plain.power),
    };
    Ok((decay, rate.is_some()))
}

/// Returns the error of a rule without its rate.
fn without_rate(name: &str) -> PyErr {
    PyValueError::new_err(format!(
        "step='{name}' needs a rate, the multiple of the direction that a step takes: give ('{name}', rate)"
    ))
}
