//! Pictures: the fit with its bands, and the fits over growing windows.

use std::path::Path;

use pullback::plot::{Chart, Colour, Corner, Marker, PALETTE, Page, Point, Stroke};
use pullback::{Noise, Report, Result};

use crate::fit::Window;
use crate::problem::{FIRST, PELTS, YEARS, model};

const SPECIES: [&str; 2] = ["hares", "lynx"];

/// Writes both pictures.
pub fn draw(direct: &Report, windows: &[Window], out: &Path) -> Result<()> {
    if let Some(last) = windows.last() {
        draw_fit(last)?.save(&out.join("fit"))?;
    }
    let mut page = Page::new(2)
        .title("Hares: fits over the first years, continued over all years")
        .chart_size(560, 340);
    for window in windows {
        page = page.chart(draw_window(direct, window)?);
    }
    page.save(&out.join("windows"))?;
    Ok(())
}

/// Times between the first and the last year.
fn fine() -> Vec<f64> {
    let steps = 20 * (YEARS - 1);
    (0..=steps).map(|i| i as f64 / 20.0).collect()
}

/// Draws data, curve and 95 % bands of both species.
pub fn draw_fit(window: &Window) -> Result<Page> {
    let (times, smooth) = (fine(), model(fine())?);
    let values = smooth.predict(&window.report.theta)?;
    let band = window.estimates.band(&smooth)?;
    let noise = Noise::uniform(values.len(), 1.0)?; // the loss has no noise of its own
    let new = window.estimates.prediction_band(&smooth, &noise)?;
    let rows = |band: &[(f64, f64)], species: usize| -> Vec<[f64; 3]> {
        let pairs = band.iter().skip(species).step_by(2).zip(&times);
        pairs
            .map(|((low, high), t)| [FIRST + t, low.exp(), high.exp()])
            .collect()
    };
    let mut page = Page::new(1).chart_size(900, 320);
    for (species, name) in SPECIES.into_iter().enumerate() {
        let chart = Chart::new(name)
            .labels("year", "thousand pelts")
            .band("95 % of new counts", &rows(&new, species), PALETTE[2])
            .band("95 % band", &rows(&band, species), PALETTE[0])
            .line(
                "fit",
                &curve(&times, &values, species),
                Stroke::solid(PALETTE[0]),
            )
            .markers(
                "counts",
                &counts(species, 0..YEARS),
                PALETTE[1],
                Marker::Circle,
            )
            .legend(Corner::UpperRight);
        page = page.chart(chart);
    }
    Ok(page)
}

/// Draws the hares of one window, and those of the fit over all years from the bad start.
fn draw_window(direct: &Report, window: &Window) -> Result<Chart> {
    let (times, smooth) = (fine(), model(fine())?);
    let line =
        |theta: &[f64]| -> Result<Vec<Point>> { Ok(curve(&times, &smooth.predict(theta)?, 0)) };
    let rest = counts(0, window.years..YEARS);
    let title = match rest.is_empty() {
        true => "all years; dashed: fitted at once".to_string(),
        false => format!("the first {} years", window.years),
    };
    let chart = Chart::new(&title)
        .labels("year", "thousand pelts")
        .log_y()
        .y_range(3.0, 300.0)
        .line("", &line(&window.report.theta)?, Stroke::solid(PALETTE[0]))
        .markers(
            "fitted",
            &counts(0, 0..window.years),
            PALETTE[1],
            Marker::Circle,
        );
    let chart = match rest.is_empty() {
        true => chart.line("", &line(&direct.theta)?, Stroke::dashed(Colour::GREY)),
        false => chart.markers("not yet", &rest, Colour::GREY, Marker::Circle),
    };
    Ok(chart.legend(Corner::UpperRight))
}

/// The curve of one species, from logarithms of both.
fn curve(times: &[f64], logarithms: &[f64], species: usize) -> Vec<Point> {
    let pairs = times.iter().zip(logarithms.iter().skip(species).step_by(2));
    pairs.map(|(t, x)| [FIRST + t, x.exp()]).collect()
}

/// The counts of one species in some years.
fn counts(species: usize, years: std::ops::Range<usize>) -> Vec<Point> {
    years
        .map(|year| [FIRST + year as f64, PELTS[year][species]])
        .collect()
}
