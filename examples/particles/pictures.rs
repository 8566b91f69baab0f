//! Pictures: the ways of all methods, and clouds of data and model.

use std::path::Path;

use pullback::Result;
use pullback::plot::{Chart, Colour, Corner, Marker, PALETTE, Page, Point, Stroke};

use crate::Study;
use crate::problem::TIMES;

/// Points of a cloud that are drawn.
const DRAWN: usize = 200;

/// Bars of a histogram.
const BARS: usize = 40;

/// Ends of the histograms.
const ENDS: (f64, f64) = (-3.0, 3.0);

pub fn draw(studies: &[Study], out: &Path) -> Result<()> {
    let mut page = Page::new(studies.len()).chart_size(600, 360);
    for study in studies {
        page = page.chart(ways(study));
    }
    page.save(&out.join("ways"))?;
    let mut page = Page::new(TIMES.len()).chart_size(360, 300);
    for study in studies {
        let model = study.problem.clouds(&study.intervals.theta)?;
        let size = model.len() / TIMES.len();
        let clouds = model.chunks_exact(size).zip(&study.problem.data);
        for ((model, data), time) in clouds.zip(TIMES) {
            let title = format!("{}, t = {time}", study.problem.name);
            page = page.chart(match study.problem.space {
                1 => histograms(&title, data, model),
                d => scatter(&title, (data, model), d),
            });
        }
    }
    page.save(&out.join("clouds"))?;
    Ok(())
}

/// Draws the loss relative to the floor against the steps.
fn ways(study: &Study) -> Chart {
    let chart = Chart::new(study.problem.name);
    let mut chart = chart.labels("1 + step", "loss / loss at the truth").log_y();
    let mut last = 1.0_f64;
    for (track, colour) in study.tracks.iter().zip(PALETTE) {
        let points = track.points.iter();
        let line: Vec<Point> = points
            .map(|(step, loss, _)| [(*step + 1) as f64, loss / study.floor])
            .collect();
        last = line.last().map_or(last, |point| last.max(point[0]));
        chart = chart.line(track.method.label(), &line, Stroke::solid(colour));
    }
    let floor = [[1.0, 1.0], [last, 1.0]];
    let chart = chart.line("", &floor, Stroke::dashed(Colour::GREY)).log_x();
    chart.legend(Corner::Outside)
}

/// Draws the first two coordinates.
fn scatter(title: &str, (data, model): (&[f64], &[f64]), d: usize) -> Chart {
    let points = |cloud: &[f64]| -> Vec<Point> {
        let points = cloud.chunks_exact(d).take(DRAWN);
        points.map(|x| [x[0], x[1]]).collect()
    };
    Chart::new(title)
        .labels("x₁", "x₂")
        .markers("data", &points(data), PALETTE[0], Marker::Dot)
        .markers("fit", &points(model), PALETTE[1], Marker::Circle)
        .legend(Corner::UpperRight)
}

/// Draws the densities of data and model.
fn histograms(title: &str, data: &[f64], model: &[f64]) -> Chart {
    let width = (ENDS.1 - ENDS.0) / BARS as f64;
    let density = |cloud: &[f64]| {
        let mut heights = vec![0.0; BARS];
        for x in cloud {
            let bar = ((x - ENDS.0) / width).floor();
            if (0.0..BARS as f64).contains(&bar) {
                heights[bar as usize] += 1.0 / (width * cloud.len() as f64);
            }
        }
        heights
    };
    let edges: Vec<f64> = (0..=BARS).map(|i| ENDS.0 + i as f64 * width).collect();
    let heights = density(model).into_iter().enumerate();
    let line: Vec<Point> = heights
        .map(|(i, height)| [ENDS.0 + (i as f64 + 0.5) * width, height])
        .collect();
    Chart::new(title)
        .labels("x", "density")
        .bars("data", &edges, &density(data), PALETTE[0])
        .line("fit", &line, Stroke::solid(PALETTE[1]))
        .legend(Corner::UpperLeft)
}
