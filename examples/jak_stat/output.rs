//! Text and JSON.

use std::fmt::Write as _;

use pullback::models::dynamics::JakStat;
use pullback::multistart::Summary;
use pullback::profile::Profiles;
use serde_json::{Value, json};

use crate::fit::Best;
use crate::options::Options;

pub const INTRODUCTION: &str = "\
The proteins STAT5A and STAT5B after a stimulus by the hormone Epo (Boehm et al. 2014)

  Epo phosphorylates A and B, which then form pairs AA, AB and BB. Pairs enter the nucleus, lose their phosphate and leave.
  Measured are three percentages at 16 times: the phosphorylated shares of A and of B, and the share of A in both.

Nine numbers are unknown: six rates and the standard deviations of the three kinds of measurement. A fit maximises the
logarithm of the likelihood of all 48 measurements. Its steps change logarithms, because rates may have any magnitude.
";

/// Largest distance from the best log-likelihood that counts as the same fit.
const SAME: f64 = 0.01;

/// Number of starts that ended at the best log-likelihood.
pub fn at_the_best(summary: &Summary) -> usize {
    let best = summary.best().loss;
    let runs = summary.fits().iter();
    runs.filter(|fit| fit.report.loss < best + SAME).count()
}

/// The table of the optima.
pub fn search(summary: &Summary) -> String {
    format!(
        "1. Fits from many starts (the objective is the negative log-likelihood)\n\n{summary}\n\n   {} of {} full runs ended within {SAME} of the \
         best log-likelihood {:.4}; published is {:.4}\n",
        at_the_best(summary),
        summary.fits().len(),
        -summary.best().loss,
        JakStat::BEST_LOG_LIKELIHOOD
    )
}

/// The table of the estimates, and their correlations.
pub fn best(best: &Best) -> String {
    let mut text = format!(
        "2. The best fit, log-likelihood {:.5}, with intervals from the Fisher information\n\n{}\n\n   \
         correlation of the estimates, in the order of the table (– where a bound holds one)\n",
        -best.report.loss, best.estimates
    );
    let uncertainty = best.estimates.uncertainty();
    for (i, name) in JakStat::NAMES.into_iter().enumerate() {
        let _ = write!(text, "   {name:15}");
        for j in 0..i {
            match uncertainty.correlation(i, j) {
                r if r.is_finite() => _ = write!(text, "  {r:6.3}"),
                _ => text += "       –",
            }
        }
        text.push('\n');
    }
    text
}

/// The table of the profiles.
pub fn profiles(profiles: &Profiles) -> String {
    format!(
        "3. Profile likelihoods: how far each parameter can move while all others follow\n\n{profiles}\n"
    )
}

/// All results as one JSON object.
pub fn json(options: &Options, summary: &Summary, (best, profiles): (&Best, &Profiles)) -> Value {
    let runs = summary.fits().iter().map(|fit| {
        json!({
            "start": fit.start,
            "log_likelihood": -fit.report.loss,
            "theta": fit.report.theta,
            "stop": fit.report.stop.name(),
        })
    });
    let intervals = profiles.profiles.iter().map(|profile| {
        json!({
            "name": profiles.names[profile.parameter],
            "interval": [profile.interval.0, profile.interval.1],
            "rejected": profile.rejected.len(),
        })
    });
    let uncertainty = best.estimates.uncertainty();
    let row = |i: usize| (0..i).map(|j| uncertainty.correlation(i, j)).collect();
    let correlations: Vec<Vec<f64>> = (0..best.report.theta.len()).map(row).collect();
    json!({
        "starts": options.starts,
        "full_runs": summary.fits().len(),
        "seed": options.seed,
        "at_the_best": at_the_best(summary),
        "log_likelihood": -best.report.loss,
        "theta": best.report.theta,
        "standard_errors": uncertainty.standard_errors,
        "correlations": correlations,
        "profiles": intervals.collect::<Vec<_>>(),
        "runs": runs.collect::<Vec<_>>(),
    })
}
