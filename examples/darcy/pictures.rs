//! One page: truth, data, the map, and what is known of its errors.

use std::path::{Path, PathBuf};

use pullback::Report;
use pullback::plot::{Chart, Field2, Marker, PALETTE, Page, Palette, Stroke};

use crate::Failure;
use crate::problem::Problem;

pub struct Found<'a> {
    pub report: &'a Report,
    pub deviations: &'a [f64],
    pub sample: &'a [f64],
    pub eigenvalues: &'a [f64],
}

/// Draws the page and says where it is.
pub fn draw(problem: &Problem, found: &Found<'_>, folder: &Path) -> Result<PathBuf, Failure> {
    let map = |title: &str, values: &[f64], palette: Palette, label: &str| {
        let axes = problem.grid.axes();
        let field = Field2 {
            x: [0.0, 1.0],
            y: [0.0, 1.0],
            shape: [axes[0].cells, axes[1].cells],
            values: values.to_vec(),
        };
        Chart::new(title)
            .labels("x", "y")
            .equal_axes()
            .heat(field, palette)
            .colour_label(label)
    };
    let wells = PALETTE[1];
    let measured = |chart: Chart| chart.markers("", &problem.wells, wells, Marker::Circle);
    let title = format!(
        "{} parameters from {} pressures",
        problem.truth.len(),
        problem.observations
    );
    let [files, _] = Page::new(3)
        .title(&title)
        .chart_size(440, 360)
        .chart(map(
            "truth",
            &problem.truth,
            Palette::Diverging,
            "log-permeability",
        ))
        .chart(measured(map(
            "pressure and wells",
            &problem.pressure,
            Palette::Sequential,
            "pressure",
        )))
        .chart(map(
            "most probable",
            &found.report.theta,
            Palette::Diverging,
            "log-permeability",
        ))
        .chart(map(
            "standard deviation",
            found.deviations,
            Palette::Sequential,
            "standard deviation",
        ))
        .chart(map(
            "a sample of the posterior",
            found.sample,
            Palette::Diverging,
            "log-permeability",
        ))
        .chart(eigenvalues(found.eigenvalues))
        .save(&folder.join("darcy"))?;
    Ok(files)
}

fn eigenvalues(values: &[f64]) -> Chart {
    let stroke = |colour, dash| Stroke {
        colour,
        width: 1.5,
        dash,
    };
    let points: Vec<[f64; 2]> = values
        .iter()
        .enumerate()
        .map(|(i, v)| [i as f64 + 1.0, *v])
        .collect();
    let one = [[1.0, 1.0], [values.len() as f64, 1.0]];
    Chart::new("what the data say, direction by direction")
        .labels("index", "eigenvalue")
        .log_y()
        .line("data against prior", &points, stroke(PALETTE[0], false))
        .line("as much as the prior", &one, stroke(PALETTE[1], true))
}
