//! A fit over all years, a sequence of fits over a growing window, and a page about the last one.

use std::path::Path;

use pullback::continuation::GrowingWindow;
use pullback::descent::Tolerances;
use pullback::evolution::Evolution;
use pullback::loss::L2Misfit;
use pullback::posterior::{Estimates, Variance};
use pullback::{Descent, Error, Report, Result};

use crate::problem::{FIRST, Logarithms, NAMES, TRANSFORMS, YEARS, data, years};

/// Last years of the windows before the one with all years, counted from the first.
const ENDS: [f64; 3] = [4.0, 9.0, 14.0];

/// Result of a fit over the first years.
pub struct Window {
    pub years: usize,
    pub report: Report,
    pub estimates: Estimates,
}

/// The descent for a part of the record.
fn descent<'a>(model: &'a Evolution<Logarithms>, loss: &'a L2Misfit) -> Descent<'a> {
    let tolerances = Tolerances {
        iterations: 100,
        ..Tolerances::default()
    };
    Descent::new(model, loss)
        .transforms(&TRANSFORMS)
        .tolerances(tolerances)
}

/// Fits all years at once.
pub fn fit_all(start: &[f64]) -> Result<Report> {
    descent(&years()?, &L2Misfit::euclidean(data())?).run(start, |_| ())
}

/// Fits the first years, then more and more of them, each time from the last optimum.
///
/// Over a short time all solutions look alike, and the loss has few optima. A fit over this time gives rates that are good
/// enough for the next window.
pub fn grow(start: &[f64]) -> Result<Vec<Window>> {
    let (model, data) = (years()?, data());
    let mut windows = Vec::new();
    let path = GrowingWindow::new(&model, &ENDS)?.run(
        start,
        |window, start| {
            let loss = L2Misfit::euclidean(window.part(&data)?)?;
            let descent = descent(window.model(), &loss);
            let report = descent.run(start, |_| ())?;
            // The residual tells the size of the errors.
            let estimates = report.estimates(&descent, Variance::Estimated)?;
            windows.push(Window {
                years: window.entries().len() / 2,
                report: report.clone(),
                estimates: estimates.named(&NAMES)?,
            });
            Ok(report)
        },
        |_| (),
    )?;
    windows.retain(|window| window.report.converged());
    match path.reached() {
        true => Ok(windows),
        false => Err(Error::custom(path.to_string())),
    }
}

/// Writes a page about the fit over all years.
pub fn write_page(last: &Window, picture: &str, path: &Path) -> Result<()> {
    let (model, loss) = (years()?, L2Misfit::euclidean(data())?);
    let observed = (0..YEARS).flat_map(|year| [FIRST + year as f64; 2]);
    let page = last.report.page(&descent(&model, &loss))?;
    page.title("Hares and lynx, 1900 to 1920")
        .estimates(&last.estimates)
        .against("year", observed.collect())
        .picture("Counts, fit, and 95 % bands", picture)
        .setting("model", "Lotka and Volterra, observed by logarithms")
        .setting("transforms", "logarithms of all parameters")
        .write(path)
}
