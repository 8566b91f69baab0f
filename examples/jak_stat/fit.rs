//! The search from many starts, the best fit, and its profiles.

use pullback::models::dynamics::JakStat;
use pullback::multistart::{MultiStart, Summary};
use pullback::posterior::{Estimates, Variance};
use pullback::profile::{ProfileLikelihood, Profiles};
use pullback::{Report, Result};

use crate::options::Options;
use crate::problem::Problem;

/// Number of sides of all profiles, an estimate of the work.
pub const SIDES: usize = 18;

/// The best fit.
pub struct Best {
    pub report: Report,
    pub estimates: Estimates,
}

/// Number of iterations that choose the starts of full runs.
const SHORT: usize = 20;

/// Runs a descent from the most promising starts.
pub fn search(
    problem: &Problem,
    options: &Options,
    finished: &(dyn Fn() + Sync),
) -> Result<Summary> {
    let descent = problem.descent();
    MultiStart::new(&descent)
        .within(&problem.bounds, options.starts)
        .seed(options.seed)
        .shortlist(options.runs, SHORT)
        .named(&JakStat::NAMES)
        .standard_errors(Variance::Known)
        .run(|_| finished())
}

/// Ends the best run of the search with more accurate time steps.
pub fn finish(problem: &Problem, theta: &[f64]) -> Result<Best> {
    let descent = problem.descent();
    let report = descent.run(theta, |_| ())?;
    let estimates = report.estimates(&descent, Variance::Known)?;
    Ok(Best {
        estimates: estimates.named(&JakStat::NAMES)?,
        report,
    })
}

/// Profile likelihoods of all parameters.
pub fn profiles(
    problem: &Problem,
    theta: &[f64],
    finished: &(dyn Fn() + Sync),
) -> Result<Profiles> {
    let descent = problem.descent();
    ProfileLikelihood::new(&descent)
        .named(&JakStat::NAMES)
        .run(theta, |_| finished())
}
