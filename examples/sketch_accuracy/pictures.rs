//! Pictures of error and length over the number of probes.

use pullback::Result;
use pullback::plot::{Chart, Colour, Corner, Marker, PALETTE, Page, Point, Stroke};

use crate::measure::{COUNTS, Curves};
use crate::method::{Matrix, Method};
use crate::options::Options;

/// Range of m with a margin; lengths exist for m > p.
const SPAN: [f64; 2] = [0.85, 300.0];
const LENGTH_SPAN: [f64; 2] = [3.6, 300.0];

/// Writes both pictures, with one row per metric.
pub fn draw(options: &Options, results: &[Curves]) -> Result<()> {
    let page = |what: &str| {
        let n = options.cells;
        let title = format!("Lorenz, {n}×{n}×{n} cells, p = 3 – {what}");
        Page::new(2).title(&title).chart_size(800, 440)
    };
    let mut errors = page("median error of sketches with m probes");
    let mut lengths = page("mean length of sketched steps with m probes");
    for curves in results {
        errors = errors
            .chart(direction_errors(curves))
            .chart(matrix_errors(curves));
        lengths = lengths
            .chart(all_lengths(curves))
            .chart(lengths_near_one(curves));
    }
    errors.save(&options.out.join("error"))?;
    lengths.save(&options.out.join("length"))?;
    Ok(())
}

fn base(curves: &Curves, what: &str, (y, span): (&str, [f64; 2])) -> Chart {
    let (metric, k) = (curves.view.metric.label(), curves.view.dim());
    Chart::new(&format!("{metric}, k = {k}: {what}"))
        .labels("number of probes m", y)
        .log_x()
        .x_range(span[0], span[1])
        .legend(Corner::Outside)
}

fn colour(method: Method) -> Colour {
    match method {
        Method::SolveExplained => PALETTE[5],
        Method::Solve => PALETTE[0],
        Method::Raw => PALETTE[4],
        Method::Natural => PALETTE[7],
        Method::Literal => PALETTE[1],
        Method::Corrected => PALETTE[3],
        Method::SpanningSolve => PALETTE[2],
        Method::SpanningNatural => PALETTE[6],
    }
}

/// Line style of a method; biased methods are dashed.
fn stroke(method: Method) -> Stroke {
    match method {
        Method::Raw | Method::Literal => Stroke::dashed(colour(method)).width(2.4),
        _ => Stroke::solid(colour(method)).width(2.0),
    }
}

/// Adds a curve with dots at the measurements.
fn curve(chart: Chart, label: &str, values: &[Option<f64>], stroke: Stroke) -> Chart {
    let found = COUNTS.iter().zip(values);
    let points: Vec<Point> = found
        .filter_map(|(&m, y)| y.map(|y| [m as f64, y]))
        .collect();
    chart
        .line(label, &points, stroke)
        .markers("", &points, stroke.colour, Marker::Dot)
}

fn direction_errors(curves: &Curves) -> Chart {
    let chart = base(curves, "steps", ("‖η − η*‖ / ‖η*‖", SPAN)).log_y();
    let mut chart = root_line(chart.y_range(3e-4, 6.0), curves);
    for (method, found) in &curves.directions {
        chart = curve(chart, method.label(), &found.error, stroke(*method));
    }
    chart
}

fn matrix_errors(curves: &Curves) -> Chart {
    let chart = base(curves, "information matrices", ("‖Ĝ − G‖ / ‖G‖", SPAN)).log_y();
    let mut chart = root_line(chart, curves);
    for (matrix, found) in &curves.matrices {
        let stroke = match matrix {
            Matrix::Plain => Stroke::solid(PALETTE[0]),
            Matrix::Spanning => Stroke::solid(PALETTE[2]),
            Matrix::PublishedSquare => Stroke::dashed(PALETTE[1]),
        };
        chart = curve(chart, matrix.label(), &found.error, stroke.width(2.0));
    }
    chart
}

fn root_line(chart: Chart, curves: &Curves) -> Chart {
    let p = curves.view.params() as f64;
    let line = SPAN.map(|m| [m, (p / m).sqrt()]);
    chart.line("√(p/m)", &line, Stroke::dashed(Colour::GREY).width(1.4))
}

const LENGTH: (&str, [f64; 2]) = ("length along the exact step", LENGTH_SPAN);

/// Draws all lengths on logarithmic axes; its legend names only the biased methods.
fn all_lengths(curves: &Curves) -> Chart {
    let chart = base(curves, "all lengths", LENGTH);
    let mut chart = exact(chart.log_y(), "exact: 1").legend(Corner::LowerRight);
    for (method, found) in &curves.directions {
        let label = match method {
            Method::Literal | Method::Raw => method.label(),
            _ => "",
        };
        chart = curve(chart, label, &means(&found.length), stroke(*method));
    }
    let k = curves.view.dim() as f64;
    let [from, to] = LENGTH_SPAN;
    let steps = (0..=60).map(|i| from * (to / from).powf(f64::from(i) / 60.0));
    let short: Vec<Point> = steps.map(|m| [m, m / (m + k)]).collect();
    let thin = Stroke::dashed(Colour::BLACK).width(1.2);
    chart.line("m/(m + k)", &short, thin)
}

/// Draws the lengths near 1, with bands of two standard errors.
fn lengths_near_one(curves: &Curves) -> Chart {
    let chart = base(curves, "lengths near 1, ± 2 standard errors", LENGTH);
    let mut chart = exact(chart.y_range(0.6, 1.6), "");
    let near = || {
        curves
            .directions
            .iter()
            .filter(|(m, _)| *m != Method::Literal)
    };
    for (method, found) in near() {
        let rows = COUNTS.iter().zip(&found.length).filter_map(|(&m, l)| {
            l.map(|[mean, error]| [m as f64, mean - 2.0 * error, mean + 2.0 * error])
        });
        chart = chart.band("", &rows.collect::<Vec<_>>(), colour(*method));
    }
    for (method, found) in near() {
        chart = curve(
            chart,
            method.label(),
            &means(&found.length),
            stroke(*method),
        );
    }
    chart
}

fn exact(chart: Chart, label: &str) -> Chart {
    let one = LENGTH_SPAN.map(|m| [m, 1.0]);
    chart.line(label, &one, Stroke::solid(Colour::GREY).width(1.2))
}

fn means(lengths: &[Option<[f64; 2]>]) -> Vec<Option<f64>> {
    lengths.iter().map(|l| l.map(|[mean, _]| mean)).collect()
}
