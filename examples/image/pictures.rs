//! Pictures: the loss against the work, for both networks.

use std::path::Path;

use pullback::Result;
use pullback::plot::{Chart, Corner, PALETTE, Page, Point, Stroke};

use crate::method::Fit;
use crate::output::Fits;

/// Writes the picture.
pub fn draw(fits: &Fits, out: &Path) -> Result<()> {
    Page::new(2)
        .title("Cross entropy of a network, fitted in several ways")
        .chart(chart("outputs as they are", &fits.plain))
        .chart(chart("outputs in units from 1e-6 to 10", &fits.scaled))
        .chart_size(620, 460)
        .save(&out.join("losses"))?;
    Ok(())
}

fn chart(title: &str, fits: &[Fit]) -> Chart {
    let mut chart = Chart::new(title)
        .labels("passes with all samples", "mean cross entropy")
        .log_x()
        .log_y()
        .legend(Corner::LowerLeft);
    for (fit, colour) in fits.iter().zip(PALETTE) {
        // The start has taken no pass, and a perfect fit has no loss: neither has a logarithm.
        let drawn = |point: &&Point| point[0] > 0.0 && point[1] > 0.0;
        let line: Vec<Point> = fit.path.iter().filter(drawn).copied().collect();
        chart = chart.line(fit.method, &line, Stroke::solid(colour));
    }
    chart
}
