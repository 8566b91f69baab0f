//! A fit over all years, and a sequence of fits over a growing window.

use pullback::descent::Tolerances;
use pullback::posterior::{Estimates, Variance};
use pullback::{Descent, Report, Result};

use crate::problem::{NAMES, Record, TRANSFORMS, YEARS};

/// Numbers of years of the windows.
const WINDOWS: [usize; 4] = [5, 10, 15, YEARS];

/// Result of a fit over the first years.
pub struct Window {
    pub years: usize,
    pub report: Report,
    pub estimates: Estimates,
}

/// The descent for a record.
fn descent(record: &Record) -> Descent<'_> {
    let tolerances = Tolerances {
        iterations: 100,
        ..Tolerances::default()
    };
    Descent::new(&record.model, &record.loss)
        .transforms(&TRANSFORMS)
        .tolerances(tolerances)
}

/// Fits all years at once.
pub fn fit_all(start: &[f64]) -> Result<Report> {
    descent(&Record::first(YEARS)?).run(start, |_| ())
}

/// Fits the first years, then more and more of them, each time from the last optimum.
///
/// Over a short time all solutions look alike, and the loss has few optima. A fit over this time gives rates that are good
/// enough for the next window.
pub fn grow(start: &[f64]) -> Result<Vec<Window>> {
    let mut start = start.to_vec();
    let window = |years: usize| {
        let record = Record::first(years)?;
        let descent = descent(&record);
        let report = descent.run(&start, |_| ())?;
        start.clone_from(&report.theta);
        // The residual tells the size of the errors.
        let estimates = report.estimates(&descent, Variance::Estimated)?;
        Ok(Window {
            years,
            report,
            estimates: estimates.named(&NAMES)?,
        })
    };
    WINDOWS.into_iter().map(window).collect()
}
