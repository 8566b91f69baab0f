//! One page of pictures: truth, data, estimate and uncertainty.

use std::path::{Path, PathBuf};

use pullback::Report;
use pullback::plot::{Chart, Field2, Marker, PALETTE, Page, Palette, Stroke};

use crate::problem::Problem;
use crate::support::command::Failure;

pub struct Found<'a> {
    pub report: &'a Report,
    pub deviations: &'a [f64],
    pub sample: &'a [f64],
    pub eigenvalues: &'a [f64],
}

/// Draws the page and returns the path of the PNG file.
pub fn draw(problem: &Problem, found: &Found<'_>, folder: &Path) -> Result<PathBuf, Failure> {
    let map = |title: &str, values: &[f64], palette: Palette| {
        let field = Field2 {
            x: [0.0, 1.0],
            y: [0.0, 1.0],
            shape: [0, 1].map(|d| problem.grid.axes()[d].cells),
            values: values.to_vec(),
        };
        let chart = Chart::new(title).labels("x", "y").equal_axes();
        chart.heat(field, palette)
    };
    // Truth, estimate and sample share one colour scale, so that equal colours mean equal values.
    let fields = [&problem.truth, &found.report.theta, found.sample];
    let sizes = fields.into_iter().flatten().map(|x| x.abs());
    let largest = sizes.fold(0.0, f64::max);
    let log_map = |title: &str, values: &[f64]| {
        map(title, values, Palette::Diverging)
            .colour_label("log-permeability")
            .colour_range(-largest, largest)
    };
    let pressure = map(
        "true pressure, wells",
        &problem.pressure,
        Palette::Sequential,
    )
    .colour_label("pressure")
    .markers("", &problem.wells, PALETTE[1], Marker::Circle);
    let deviations = map("uncertainty", found.deviations, Palette::Sequential)
        .colour_label("standard deviation");
    let (unknowns, pressures) = (problem.truth.len(), problem.observations);
    let page = Page::new(3)
        .title(&format!("{unknowns} unknowns from {pressures} pressures"))
        .chart_size(440, 360)
        .chart(log_map("truth", &problem.truth))
        .chart(pressure)
        .chart(log_map("most probable field", &found.report.theta))
        .chart(deviations)
        .chart(log_map("sample of the posterior", found.sample))
        .chart(eigenvalues(found.eigenvalues));
    let [png, _] = page.save(&folder.join("darcy"))?;
    Ok(png)
}

/// Draws the information of the data relative to that of the prior.
fn eigenvalues(values: &[f64]) -> Chart {
    let ratios = values.iter().enumerate();
    let ratios: Vec<[f64; 2]> = ratios.map(|(i, v)| [i as f64 + 1.0, *v]).collect();
    let one = [[1.0, 1.0], [values.len() as f64, 1.0]];
    Chart::new("information along independent directions")
        .labels("index of the direction", "data / prior")
        .log_y()
        .line("data relative to prior", &ratios, Stroke::solid(PALETTE[0]))
        .line("equal information", &one, Stroke::dashed(PALETTE[1]))
}
