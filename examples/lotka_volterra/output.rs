//! Text and JSON.

use std::fmt::Write as _;

use pullback::Report;
use serde_json::{Value, json};

use crate::fit::Window;
use crate::problem::{PELTS, START, YEARS};

pub const INTRODUCTION: &str = "\
Hares x and lynx y from 1900 to 1920, in thousands of pelts that the Hudson's Bay Company bought each year.

  dx/dt = α x − β x y      hares multiply, and are eaten
  dy/dt = γ x y − δ y      lynx multiply if they eat, and die

Six numbers are unknown: α, β, γ, δ, and x and y in 1900. A fit compares the logarithms of 21 + 21
counts, because counts are uncertain by a factor rather than by a number. Its result is a sum of squares: the smaller, the better.
";

/// The fit over all years at once.
pub fn direct(report: &Report) -> String {
    format!(
        "1. All 21 years at once, from α = β = γ = δ = {}\n   sum of squares {:.2} after {} iterations, with α = {:.1e}: hares \
         do not multiply, and nothing oscillates\n   (two constants instead of the equations would reach {:.2})\n",
        START[0],
        squares(report),
        report.iterations(),
        report.theta[0],
        squares_of_constants()
    )
}

/// The sequence of fits.
pub fn windows(windows: &[Window]) -> String {
    let mut text = String::from(
        "2. From the same start, a window that grows: each fit starts from the optimum of the one before\n   \
         years  iterations  sum of squares       α       β       γ       δ\n",
    );
    for window in windows {
        let (report, years) = (&window.report, window.years);
        let (iterations, squares) = (report.iterations(), squares(report));
        let _ = write!(text, "   {years:5}  {iterations:10}  {squares:14.4}");
        for rate in &report.theta[..4] {
            let _ = write!(text, "  {rate:6.4}");
        }
        text.push('\n');
    }
    text
}

/// The table of the last window.
pub fn estimates(window: &Window) -> String {
    let deviation = window.estimates.uncertainty().variance().sqrt();
    format!(
        "3. Estimates from all years, by the growing window\n{}\n\nA count deviates from the curve by a factor of {:.2} (one \
         standard deviation).",
        window.estimates,
        deviation.exp()
    )
}

/// All results as one JSON object.
pub fn json(direct: &Report, windows: &[Window]) -> Value {
    let windows = windows.iter().map(|window| {
        json!({
            "years": window.years,
            "sum_of_squares": squares(&window.report),
            "theta": window.report.theta,
            "standard_errors": window.estimates.uncertainty().standard_errors,
        })
    });
    json!({
        "direct": { "sum_of_squares": squares(direct), "theta": direct.theta },
        "windows": windows.collect::<Vec<_>>(),
    })
}

fn squares(report: &Report) -> f64 {
    2.0 * report.loss
}

/// Sum of squares of the logarithms around their means, one of each species.
fn squares_of_constants() -> f64 {
    let of = |species: usize| {
        let logarithms = PELTS.map(|pelts| pelts[species].ln());
        let mean = logarithms.iter().sum::<f64>() / YEARS as f64;
        logarithms.map(|x| (x - mean).powi(2)).iter().sum::<f64>()
    };
    of(0) + of(1)
}
