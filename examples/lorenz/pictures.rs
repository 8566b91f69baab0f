//! Pictures of the fits to one data set.

use std::path::Path;

use pullback::plot::{
    Chart, Colour, Corner, Field2, Marker, PALETTE, Page, Palette, Point, Stroke,
};

use crate::fit::{Fit, Row};
use crate::problem::Problem;
use crate::support::command::Failure;
use crate::support::geometry::Geometry;

const COORDINATES: [&str; 3] = ["x", "y", "z"];

/// Writes all pictures to a folder.
pub fn draw(problem: &Problem, fits: &[Fit], folder: &Path) -> Result<(), Failure> {
    let densities = densities(problem, fits)?;
    projections(problem, &densities, &folder.join("measure"))?;
    marginals(problem, &densities, &folder.join("marginals"))?;
    convergence(problem, fits, &folder.join("convergence"))?;
    if problem.start.len() > 1 {
        paths(problem, fits, &folder.join("paths"))?;
    }
    Ok(())
}

/// Densities to compare, with their names.
fn densities(problem: &Problem, fits: &[Fit]) -> Result<Vec<(String, Vec<f64>)>, Failure> {
    let mut all = vec![
        ("data".to_string(), problem.data.density.clone()),
        (
            "start".to_string(),
            problem.model.density(&problem.start, problem.backend)?,
        ),
    ];
    let own = fits
        .iter()
        .enumerate()
        .filter(|(i, fit)| *i == 0 || fit.corrected);
    all.extend(own.map(|(i, fit)| {
        let name = match (i, fit.corrected, fits.iter().any(|f| f.corrected)) {
            (_, true, _) => "corrected fit (simulated)",
            (_, _, true) => "plain fit (model)",
            _ => "fit",
        };
        (name.to_string(), fit.rho.clone())
    }));
    Ok(all)
}

fn title(problem: &Problem, what: &str) -> String {
    let source = if problem.data.sampling.is_some() {
        "trajectory data"
    } else {
        "twin data"
    };
    format!("{}, {source} – {what}", problem.system.name)
}

/// Draws the marginal densities of all pairs of coordinates, in one row per density.
fn projections(
    problem: &Problem,
    densities: &[(String, Vec<f64>)],
    stem: &Path,
) -> Result<(), Failure> {
    let dim = problem.grid.dim();
    let pairs: Vec<[usize; 2]> = match dim {
        2 => vec![[0, 1]],
        _ => vec![[0, 1], [0, 2], [1, 2]],
    };
    let columns = if dim == 2 { densities.len() } else { 3 };
    let mut page = Page::new(columns)
        .title(&title(problem, "joint densities of two coordinates"))
        .chart_size(440, 340);
    // The charts of one pair share a colour scale, so that equal colours mean equal densities.
    let mut largest = vec![0.0; pairs.len()];
    for (_, rho) in densities {
        for (largest, pair) in largest.iter_mut().zip(&pairs) {
            let marginal = problem.grid.marginal(rho, pair)?;
            *largest = marginal.into_iter().fold(*largest, f64::max);
        }
    }
    for (name, rho) in densities {
        for ([i, j], largest) in pairs.iter().zip(&largest) {
            let [x, y] = [*i, *j].map(|d| problem.grid.axes()[d]);
            let field = Field2 {
                x: [x.lower, x.upper],
                y: [y.lower, y.upper],
                shape: [x.cells, y.cells],
                values: problem.grid.marginal(rho, &[*i, *j])?,
            };
            let chart = Chart::new(name)
                .labels(COORDINATES[*i], COORDINATES[*j])
                .colour_label("density")
                .heat(field, Palette::Sequential)
                .colour_range(0.0, *largest);
            page = page.chart(chart);
        }
    }
    page.save(stem)?;
    Ok(())
}

/// Draws the marginal density of every coordinate.
fn marginals(
    problem: &Problem,
    densities: &[(String, Vec<f64>)],
    stem: &Path,
) -> Result<(), Failure> {
    let mut page = Page::new(problem.grid.dim())
        .title(&title(problem, "densities of one coordinate"))
        .chart_size(480, 380);
    for (d, axis) in problem.grid.axes().iter().enumerate() {
        // One legend beside the last chart serves all and hides no peak.
        let corner = if d + 1 == problem.grid.dim() {
            Corner::Outside
        } else {
            Corner::None
        };
        let mut chart = Chart::new("")
            .labels(COORDINATES[d], "density")
            .legend(corner);
        for (i, (name, rho)) in densities.iter().enumerate() {
            let marginal = problem.grid.marginal(rho, &[d])?;
            let points: Vec<Point> = axis
                .centres()
                .into_iter()
                .zip(marginal)
                .map(|(x, y)| [x, y])
                .collect();
            let stroke = match i {
                0 => Stroke::solid(Colour(150, 150, 150)).width(5.0),
                1 => Stroke::dashed(PALETTE[1]).width(2.0),
                i => Stroke::solid(PALETTE[i]).width(2.0),
            };
            chart = chart.line(name, &points, stroke);
        }
        page = page.chart(chart);
    }
    page.save(stem)?;
    Ok(())
}

/// Line style of a fit, used in all pictures.
fn stroke(index: usize, fit: &Fit) -> Stroke {
    let colour = PALETTE[index % PALETTE.len()];
    if fit.metric == Geometry::Standard {
        Stroke::dashed(colour).width(2.5)
    } else {
        Stroke::solid(colour).width(2.0)
    }
}

/// Draws loss and error over the number of steps.
fn convergence(problem: &Problem, fits: &[Fit], stem: &Path) -> Result<(), Failure> {
    let chart = |title: &str, y: &str| {
        Chart::new(title)
            .labels("step", y)
            .log_y()
            .legend(Corner::Outside)
    };
    let mut loss = chart("loss", "loss / initial loss");
    let mut error = chart("relative error", "‖θ − θ*‖ / ‖θ*‖");
    for (i, fit) in fits.iter().enumerate() {
        let curve = |value: &dyn Fn(&Row) -> f64| -> Vec<Point> {
            let rows = fit.path.iter().enumerate();
            rows.map(|(i, row)| [i as f64, value(row)]).collect()
        };
        let first = fit.path[0].1;
        if !fit.corrected {
            loss = loss.line(
                &fit.label(),
                &curve(&|(_, f)| (f / first).max(1e-30)),
                stroke(i, fit),
            );
        }
        let off = |(theta, _): &Row| problem.error(theta).unwrap_or(f64::NAN).max(1e-16);
        error = error.line(&fit.label(), &curve(&off), stroke(i, fit));
    }
    let mut page = Page::new(2)
        .title(&title(problem, "convergence"))
        .chart_size(720, 460)
        .chart(loss);
    if problem.data.truth.is_some() {
        page = page.chart(error);
    }
    page.save(stem)?;
    Ok(())
}

/// Draws the iterates in the plane of every pair of parameters.
fn paths(problem: &Problem, fits: &[Fit], stem: &Path) -> Result<(), Failure> {
    let (names, p) = (problem.system.names(), problem.start.len());
    let pairs: Vec<[usize; 2]> = (0..p)
        .flat_map(|i| (i + 1..p).map(move |j| [i, j]))
        .collect();
    let mut page = Page::new(pairs.len().min(3))
        .title(&title(problem, "iterates of the parameters"))
        .chart_size(520, 420);
    let last = pairs.len() - 1;
    for (k, [i, j]) in pairs.into_iter().enumerate() {
        let corner = if k == last {
            Corner::Outside
        } else {
            Corner::None
        };
        let mut chart = Chart::new("").labels(&names[i], &names[j]).legend(corner);
        for (index, fit) in fits.iter().enumerate() {
            let points: Vec<Point> = fit.path.iter().map(|(t, _)| [t[i], t[j]]).collect();
            chart = chart.path(&fit.label(), &points, PALETTE[index % PALETTE.len()]);
        }
        if let Some(truth) = &problem.data.truth {
            chart = chart.markers(
                "truth",
                &[[truth[i], truth[j]]],
                Colour::BLACK,
                Marker::Star,
            );
        }
        page = page.chart(chart);
    }
    page.save(stem)?;
    Ok(())
}
