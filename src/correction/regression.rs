//! Setting of the regression that takes the place of a model.

use crate::check;
use crate::error::Result;

/// Geometry from the simulations themselves, for simulators without a model.
///
/// Z is the derivative of a smoothing spline through the simulations of the run, so that simulations serve twice: for the
/// residual and for the derivative. The run begins with p simulations around the starting point, each with one parameter
/// displaced. How much the spline smooths is estimated at every step, by the likelihood of the simulations so far. For a
/// deterministic simulator the spline interpolates, and the iteration converges superlinearly, as with Broyden's method. For a
/// random one, all simulations are averaged, and fluctuating iterates do not destroy Z, as they do in Broyden's method.
///
/// A simulator that seems random is run once more with the same parameters and another seed. If it is random, and more than a quarter of
/// the effect of some combination of the parameters is noise, 2p simulations take the place of those before. They lie around the
/// iterates, to both sides along the principal directions of ZᵀMZ, and so far that their effects are twice the noise: parameters with
/// nearly the same effect are displaced against each other by far more than together. That is done up to four times, and up to four more
/// times where the mean of six iterates comes to rest out of reach of the latest displacements. Combinations whose effect is still
/// mostly noise are left where they are, and named in the [report](super::Report::undetermined).
///
/// The steps of a deterministic simulator may cease to contract without a fluctuation: by errors of Z, or because it rounds or jumps.
/// Z is then found anew by central differences, up to four times, and steps that lead away from the data are halved. Nothing is
/// averaged.
///
/// Every simulation has a seed of its own. With a seed in common, the noise of all simulations would cancel in Z, but not in h − q:
/// the estimate would carry the noise of that one seed, where the mean of n iterates carries 1/n of its variance, and would come
/// without standard errors. A simulator that ignores its seed has this behaviour, and converges like a deterministic one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Regression {
    /// Displacement of a parameter in the first simulations, relative to its size (see
    /// [`Options::scale`](super::Options::scale)): 0.1 by default.
    ///
    /// Choose it as large as the simulator is smooth: the noise in Z falls in proportion. Its effect on the data should exceed the
    /// noise.
    pub displacement: f64,
    /// Largest number of simulations in the regression, at least 2p + 2: 100 by default. The latest are kept, and those of the
    /// latest survey: around the starting point, or where the iterates came to rest.
    pub memory: usize,
}

impl Default for Regression {
    fn default() -> Self {
        Self {
            displacement: 0.1,
            // A step takes about 10·memory³ operations, some milliseconds, and 2·memory numbers per observation.
            memory: 100,
        }
    }
}

impl Regression {
    /// Checks the options for `p` parameters.
    pub(super) fn check(&self, p: usize) -> Result<()> {
        let Self {
            displacement,
            memory,
        } = *self;
        check::option(
            "the displacement of the parameters in a regression",
            displacement,
            displacement > 0.0 && displacement.is_finite(),
            "give a fraction such as 0.1",
        )?;
        check::option(
            "the number of parameters of a regression",
            p as f64,
            p > 0,
            "give starting points with at least one parameter",
        )?;
        check::option(
            "the number of simulations in a regression",
            memory as f64,
            memory >= 2 * p + 2,
            "keep at least two more than twice the number of parameters, as many as a survey takes",
        )
    }
}
