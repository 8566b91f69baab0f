//! Pictures: the waterfall of all runs, the map of the starts, and the best fits.

use std::path::Path;

use pullback::Result;
use pullback::multistart::{Fit, Optimum, Summary};
use pullback::plot::{Chart, Colour, Corner, Marker, PALETTE, Page, Point, Stroke};

use crate::problem::{PERIODS, Pressure, RANGE, curve, longer_first};

/// Number of optima with a colour of their own.
const COLOURED: usize = 6;

/// Number of fits that are drawn.
const FITS: usize = 3;

/// Writes both pictures.
pub fn draw(pressure: &Pressure, summary: &Summary, out: &Path) -> Result<()> {
    let title = format!(
        "Two periods of ENSO from {} starts: {} runs converged to {} distinct optima",
        summary.starts(),
        summary.converged(),
        summary.optima().len()
    );
    Page::new(2)
        .title(&title)
        .chart(waterfall(summary))
        .chart(map(summary))
        .chart_size(680, 520)
        .save(&out.join("waterfall"))?;
    let mut page = Page::new(1).chart_size(1100, 280);
    for (k, optimum) in summary.optima().iter().take(FITS).enumerate() {
        page = page.chart(fit(pressure, summary, (k, optimum)));
    }
    page.save(&out.join("fits"))?;
    Ok(())
}

/// Colour of an optimum: one of its own for the lowest, grey for the others.
fn colour(optimum: usize) -> Colour {
    match optimum {
        k if k < COLOURED => PALETTE[k],
        _ => Colour(170, 170, 176),
    }
}

fn periods(theta: &[f64]) -> [f64; 2] {
    let theta = longer_first(theta);
    PERIODS.map(|j| theta[j])
}

/// Name of an optimum in a legend.
fn label(k: usize, optimum: &Optimum) -> String {
    let [long, short] = periods(&optimum.theta);
    format!("{}: {long:.1} and {short:.1} months", k + 1)
}

/// Draws the final objectives of all runs in increasing order.
fn waterfall(summary: &Summary) -> Chart {
    let sorted = summary.sorted();
    let place = |(k, fit): (usize, &&Fit)| ([(k + 1) as f64, 2.0 * fit.report.loss], fit.optimum);
    let all: Vec<(Point, Option<usize>)> = sorted.iter().enumerate().map(place).collect();
    let of = |wanted: &dyn Fn(Option<usize>) -> bool| -> Vec<Point> {
        let found = all.iter().filter(|(_, optimum)| wanted(*optimum));
        found.map(|(point, _)| *point).collect()
    };
    let mut chart = Chart::new("final objectives of all runs, sorted")
        .labels("run", "sum of squares")
        .log_y()
        .legend(Corner::UpperLeft);
    for (k, optimum) in summary.optima().iter().enumerate().take(COLOURED) {
        let points = of(&|found| found == Some(k));
        let colour = colour(k);
        chart = chart.markers(&label(k, optimum), &points, colour, Marker::Dot);
    }
    let others = of(&|found| found.is_some_and(|k| k >= COLOURED));
    let loose = of(&|found| found.is_none());
    chart
        .markers("other optima", &others, colour(COLOURED), Marker::Dot)
        .markers("not converged", &loose, Colour::BLACK, Marker::Cross)
}

/// Draws the periods at the starts in the colours of the optima that they lead to.
fn map(summary: &Summary) -> Chart {
    let [from, to] = RANGE;
    let mut chart = Chart::new("periods at the start, and the optima")
        .labels("longer period (months)", "shorter period (months)")
        .log_x()
        .log_y()
        .x_range(from / 1.07, to * 1.07)
        .y_range(from / 1.07, to * 1.07)
        .legend(Corner::UpperLeft);
    let starts = |optimum: Option<usize>| -> Vec<Point> {
        let found = summary.fits().iter().filter(|fit| fit.optimum == optimum);
        found.map(|fit| periods(&fit.from)).collect()
    };
    for k in (0..summary.optima().len()).rev() {
        chart = chart.markers("", &starts(Some(k)), colour(k), Marker::Circle);
    }
    chart = chart.markers("", &starts(None), Colour::BLACK, Marker::Cross);
    for (k, optimum) in summary.optima().iter().enumerate().take(COLOURED) {
        let place = [periods(&optimum.theta)];
        chart = chart.markers(
            &format!("optimum {}", k + 1),
            &place,
            colour(k),
            Marker::Star,
        );
    }
    chart
}

/// Draws the data and the curve of one optimum.
fn fit(pressure: &Pressure, summary: &Summary, (k, optimum): (usize, &Optimum)) -> Chart {
    let months = pressure.data.len() as f64;
    let data: Vec<Point> = (1..)
        .map(f64::from)
        .zip(&pressure.data)
        .map(|(t, y)| [t, *y])
        .collect();
    let steps = (0..=1000).map(|i| 1.0 + (months - 1.0) * f64::from(i) / 1000.0);
    let line: Vec<Point> = steps.map(|t| [t, curve(&optimum.theta, t)]).collect();
    let title = format!(
        "{}; sum of squares {:.1}, found from {} of {} starts",
        label(k, optimum),
        2.0 * optimum.loss,
        optimum.starts.len(),
        summary.starts()
    );
    Chart::new(&title)
        .labels("month", "pressure difference")
        .line("", &data, Stroke::solid(Colour::GREY).width(0.8))
        .markers("data", &data, Colour::GREY, Marker::Dot)
        .line("fit", &line, Stroke::solid(colour(k)).width(2.2))
        .legend(Corner::Outside)
}
