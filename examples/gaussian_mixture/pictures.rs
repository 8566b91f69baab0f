//! Pictures of one case.

use std::path::{Path, PathBuf};

use pullback::Result;
use pullback::plot::{
    Chart, Colour, Corner, Field2, Levels, Marker, PALETTE, Page, Palette, Point, Stroke,
};

use rayon::prelude::*;

use crate::basins::CELLS;
use crate::output::{Run, describe};
use crate::problem::{Case, Problem};
use crate::support::geometry::Geometry;

/// Colour of a geometry, used in all pictures.
pub fn colour(geometry: Geometry) -> Colour {
    let index = Geometry::ALL.iter().position(|g| *g == geometry);
    PALETTE[index.unwrap_or(0)]
}

/// Samples log₁₀ of the loss in the window of a case with two parameters.
pub fn landscape(problem: &Problem, case: Case, side: usize) -> Field2 {
    let [x, y] = case.window();
    sample([x, y], side, |[a, b]| {
        problem.loss_at(&[a, b]).max(1e-12).log10()
    })
}

/// Samples a function at the centres of `side`×`side` cells in a window, on all cores.
pub fn sample(
    [x, y]: [[f64; 2]; 2],
    side: usize,
    value: impl Fn([f64; 2]) -> f64 + Sync,
) -> Field2 {
    let mut field = Field2 {
        x,
        y,
        shape: [side, side],
        values: Vec::new(),
    };
    let cells = (0..side * side).into_par_iter();
    field.values = cells
        .map(|k| value(field.centre(k / side, k % side)))
        .collect();
    field
}

/// Starts a page whose title names the case and the loss.
fn page(runs: &[Run], columns: usize, what: &str) -> Page {
    let title = runs.first().map(|run| describe(run.case, run.loss));
    Page::new(columns).title(&format!("{} – {what}", title.unwrap_or_default()))
}

/// Number of columns of a page: as many as charts, at most three.
fn columns(runs: &[Run]) -> usize {
    runs.len().min(3)
}

/// Levels with equal areas between them, which reveal the slopes of a plateau too.
fn quantiles(field: &Field2) -> Levels {
    let mut values = field.values.clone();
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values[(share * (values.len() - 1) as f64) as usize];
    Levels::Values((1..16).map(|k| at(f64::from(k) / 16.0)).collect())
}

/// Draws the iterates on a map of the loss, in one chart per geometry.
pub fn paths(runs: &[Run], landscape: &Field2, stem: &Path) -> Result<[PathBuf; 2]> {
    let mut page = page(runs, columns(runs), "iterates on a map of the loss");
    for run in runs {
        let names = run.case.names();
        let chart = Chart::new(&heading(run))
            .labels(names[0], names[1])
            .colour_label("log₁₀ loss")
            .heat(landscape.clone(), Palette::Grey)
            .contours(landscape.clone(), quantiles(landscape))
            .path("descent", &points(run, [0, 1]), colour(run.geometry))
            .markers(
                "truth",
                &[truth(run.case, [0, 1])],
                Colour::BLACK,
                Marker::Star,
            );
        page = page.chart(chart);
    }
    Ok(page.save(stem)?)
}

/// Draws the iterates of both means on a map of the true density.
pub fn means(runs: &[Run], density: &Field2, stem: &Path) -> Result<[PathBuf; 2]> {
    let mut page = page(
        runs,
        columns(runs),
        "iterates of the means on a map of the true density",
    );
    for run in runs {
        let truths = [truth(run.case, [1, 2]), truth(run.case, [3, 4])];
        let own = colour(run.geometry);
        let chart = Chart::new(&heading(run))
            .labels("x₁", "x₂")
            .colour_label("true density")
            .x_range(-2.0, 6.0)
            .y_range(-2.0, 6.0)
            .heat(density.clone(), Palette::Grey)
            .contours(density.clone(), Levels::Count(8))
            .path("μ₁", &points(run, [1, 2]), own)
            .path("μ₂", &points(run, [3, 4]), own.mix(Colour::BLACK, 0.5))
            .markers("truth", &truths, Colour::BLACK, Marker::Star);
        page = page.chart(chart);
    }
    Ok(page.save(stem)?)
}

/// Draws loss and error over the iterations, for all geometries.
pub fn convergence(runs: &[Run], stem: &Path) -> Result<[PathBuf; 2]> {
    let mut loss = Chart::new("loss")
        .labels("iteration + 1", "loss / initial loss")
        .log_x()
        .log_y()
        .legend(Corner::Outside);
    let mut error = Chart::new("distance to the truth")
        .labels("iteration + 1", "‖θ − θ*‖")
        .log_x()
        .log_y()
        .legend(Corner::Outside);
    for run in runs.iter().rev() {
        let first = run.report.history[0].loss;
        let curve = |value: &dyn Fn(&pullback::descent::Iterate) -> f64| -> Vec<Point> {
            let history = run.report.history.iter();
            history
                .map(|i| [i.iteration as f64 + 1.0, value(i)])
                .collect()
        };
        let own = colour(run.geometry);
        // Dashes keep other curves visible where they coincide with gradient descent.
        let stroke = match run.geometry {
            Geometry::Standard => Stroke::dashed(own).width(2.5),
            _ => Stroke::solid(own).width(2.0),
        };
        let distance = |i: &pullback::descent::Iterate| run.case.distance(&i.theta);
        loss = loss.line(run.geometry.label(), &curve(&|i| i.loss / first), stroke);
        error = error.line(run.geometry.label(), &curve(&distance), stroke);
    }
    let page = page(runs, 2, "convergence").chart(loss).chart(error);
    Ok(page.chart_size(720, 480).save(stem)?)
}

/// Draws which starts lead to the truth, in one chart per geometry.
pub fn basins(runs: &[Run], maps: &[(Geometry, Field2)], stem: &Path) -> Result<[PathBuf; 2]> {
    // None of these is the colour of a geometry.
    let kinds = [
        (Colour(173, 196, 224), "the truth"),
        (Colour(110, 110, 116), "a bound"),
        (Colour(236, 228, 212), "neither within 150 steps"),
    ];
    let what = format!("result of a descent, by start (densities on {CELLS}×{CELLS} cells)");
    let mut page = page(runs, columns(runs), &what).chart_size(640, 480);
    for ((geometry, field), run) in maps.iter().zip(runs) {
        let share = 100.0 * crate::basins::share(field);
        let title = format!("{}: {share:.0} % find the truth", geometry.label());
        let names = run.case.names();
        let corner = if page.is_empty() {
            Corner::LowerRight
        } else {
            Corner::None
        };
        let chart = Chart::new(&title)
            .labels(names[0], names[1])
            .categories("start leads to", field.clone(), &kinds)
            .markers(
                "truth",
                &[truth(run.case, [0, 1])],
                Colour::BLACK,
                Marker::Star,
            )
            .legend(corner);
        page = page.chart(chart);
    }
    Ok(page.save(stem)?)
}

fn heading(run: &Run) -> String {
    let outcome = if run.reached_truth() {
        ""
    } else {
        ", truth not found"
    };
    format!(
        "{}: {} iterations{outcome}",
        run.geometry.label(),
        run.report.iterations()
    )
}

pub fn points(run: &Run, [i, j]: [usize; 2]) -> Vec<Point> {
    let history = run.report.history.iter();
    history.map(|it| [it.theta[i], it.theta[j]]).collect()
}

pub fn truth(case: Case, [i, j]: [usize; 2]) -> Point {
    [case.truth()[i], case.truth()[j]]
}
