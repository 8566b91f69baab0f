//! The pictures of one case.

use std::path::{Path, PathBuf};

use pullback::Result;
use pullback::plot::{
    Chart, Colour, Corner, Field2, Levels, Marker, PALETTE, Page, Palette, Point, Stroke,
};

use crate::output::Run;
use crate::problem::{Case, Geometry, Problem};

/// A colour for every geometry, the same in all pictures.
pub fn colour(geometry: Geometry) -> Colour {
    let index = Geometry::ALL.iter().position(|g| *g == geometry);
    PALETTE[index.unwrap_or(0)]
}

/// log₁₀ of the loss over the window of a case with two parameters.
pub fn landscape(problem: &Problem, case: Case, side: usize) -> Field2 {
    let [x, y] = case.window();
    Field2::sample(x, y, [side, side], |a, b| {
        problem.loss_at(&[a, b]).max(1e-12).log10()
    })
}

/// Levels with equal areas between them, so that a plateau shows its slopes too.
fn quantiles(field: &Field2) -> Levels {
    let mut values = field.values.clone();
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values[(share * (values.len() - 1) as f64) as usize];
    Levels::Values((1..16).map(|k| at(f64::from(k) / 16.0)).collect())
}

/// The paths over the loss, one chart a geometry.
pub fn paths(runs: &[Run], landscape: &Field2, stem: &Path) -> Result<[PathBuf; 2]> {
    let mut page = Page::new(3.min(runs.len()));
    for run in runs {
        let names = run.case.names();
        let chart = Chart::new(&heading(run))
            .labels(names[0], names[1])
            .colour_label("log₁₀ loss")
            .heat(landscape.clone(), Palette::Sequential)
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
    page.save(stem)
}

/// The paths of both means over the true density.
pub fn means(runs: &[Run], density: &Field2, stem: &Path) -> Result<[PathBuf; 2]> {
    let mut page = Page::new(3.min(runs.len()));
    for run in runs {
        let truths = [truth(run.case, [1, 2]), truth(run.case, [3, 4])];
        let own = colour(run.geometry);
        let chart = Chart::new(&heading(run))
            .labels("x₁", "x₂")
            .colour_label("true density")
            .x_range(-2.0, 6.0)
            .y_range(-2.0, 6.0)
            .heat(density.clone(), Palette::Sequential)
            .contours(density.clone(), Levels::Count(8))
            .path("μ₁", &points(run, [1, 2]), own)
            .path("μ₂", &points(run, [3, 4]), own.mix(Colour::BLACK, 0.5))
            .markers("truth", &truths, Colour::BLACK, Marker::Star);
        page = page.chart(chart);
    }
    page.save(stem)
}

/// Loss and error against iteration, all geometries together.
pub fn convergence(runs: &[Run], stem: &Path) -> Result<[PathBuf; 2]> {
    let mut loss = Chart::new("loss")
        .labels("iteration", "loss / loss at the start")
        .log_y()
        .legend(Corner::Outside);
    let mut error = Chart::new("distance to the truth")
        .labels("iteration", "‖θ − θ*‖")
        .log_y()
        .legend(Corner::Outside);
    for run in runs {
        let first = run.report.history[0].loss;
        let curve = |value: &dyn Fn(&pullback::Iterate) -> f64| -> Vec<Point> {
            let history = run.report.history.iter();
            history.map(|i| [i.iteration as f64, value(i)]).collect()
        };
        let stroke = Stroke::solid(colour(run.geometry)).width(2.0);
        let distance = |i: &pullback::Iterate| {
            let pairs = i.theta.iter().zip(run.case.truth());
            pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
        };
        loss = loss.line(run.geometry.label(), &curve(&|i| i.loss / first), stroke);
        error = error.line(run.geometry.label(), &curve(&distance), stroke);
    }
    Page::new(2)
        .chart(loss)
        .chart(error)
        .chart_size(720, 480)
        .save(stem)
}

/// Which starts reach the truth, one chart a geometry.
pub fn basins(case: Case, maps: &[(Geometry, Field2)], stem: &Path) -> Result<[PathBuf; 2]> {
    let pale = |k: usize| PALETTE[k].mix(Colour::WHITE, 0.45);
    let kinds = [
        (pale(2), "the truth"),
        (pale(1), "the edge of the box"),
        (pale(4), "neither in 150 steps"),
    ];
    let mut page = Page::new(3.min(maps.len()));
    for (geometry, field) in maps {
        let share = 100.0 * crate::basins::share(field);
        let title = format!(
            "{}: {share:.0} % of starts reach the truth",
            geometry.label()
        );
        let names = case.names();
        let chart = Chart::new(&title)
            .labels(names[0], names[1])
            .categories("start leads to", field.clone(), &kinds)
            .markers("truth", &[truth(case, [0, 1])], Colour::BLACK, Marker::Star)
            .legend(Corner::Outside);
        page = page.chart(chart);
    }
    page.chart_size(760, 480).save(stem)
}

fn heading(run: &Run) -> String {
    let outcome = if run.reached_truth() {
        ""
    } else {
        ", truth missed"
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
