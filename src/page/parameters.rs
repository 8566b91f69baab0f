//! Parameters with their errors, as a table, as a curve and as a map.

use super::content::Content;
use super::figure::{SMALL, SQUARE, figure, number, row};
use super::markup::{Cell, Markup};
use crate::error::Result;
use crate::plot::{Chart, Field2, Marker, PALETTE, Palette, Stroke};
use crate::posterior::{plain, with_error};

/// Largest number of parameters whose table is complete.
const LISTED: usize = 100;

/// Number of parameters in the table of the largest ones.
const LARGEST: usize = 20;

/// Number of parameters from which on they are drawn against their index.
const DRAWN: usize = 13;

/// Writes the parameters: all, or a summary and the largest ones.
pub(super) fn table(html: &mut Markup, content: &Content<'_>, most: usize) {
    let theta = content.summary.theta;
    if theta.len() <= most.min(LISTED) {
        let all: Vec<usize> = (0..theta.len()).collect();
        return rows(html, content, "Parameters at the best point", &all);
    }
    statistics(html, content);
    let mut largest: Vec<usize> = (0..theta.len()).collect();
    largest.sort_by(|&i, &j| theta[j].abs().total_cmp(&theta[i].abs()).then(i.cmp(&j)));
    largest.truncate(LARGEST.min(most));
    let caption = format!(
        "The {} parameters of largest size, of {}",
        largest.len(),
        theta.len()
    );
    rows(html, content, &caption, &largest);
}

fn rows(html: &mut Markup, content: &Content<'_>, caption: &str, shown: &[usize]) {
    let start = content.summary.iterates.first().map(|first| first.theta);
    let level = content.accuracy.as_ref().map(|accuracy| accuracy.level);
    let interval = level.map_or(String::new(), |l| {
        format!("{} % interval", number(100.0 * l))
    });
    let mut head = vec!["parameter", "start"];
    match level {
        Ok(_) => head.extend(["value ± standard error", interval.as_str()]),
        Err(_) => head.push("value"),
    }
    let cells = shown.iter().map(|&i| {
        let begun = start.map_or(f64::NAN, |start| start[i]);
        let head = [
            Cell::Head(content.names[i].clone()),
            Cell::Number(number(begun)),
        ];
        head.into_iter().chain(estimate(content, i)).collect()
    });
    html.table(caption, &head, cells.collect());
}

/// Returns the value with its error, and the interval or why there is none.
fn estimate(content: &Content<'_>, i: usize) -> Vec<Cell> {
    let value = content.summary.theta[i];
    let Ok(accuracy) = &content.accuracy else {
        return vec![Cell::Number(number(value))];
    };
    let (low, high) = accuracy.intervals[i];
    let [value, interval] = match content.error(i) {
        Some(error) if value.is_finite() => [
            Cell::Number(with_error(value, error)),
            Cell::Number(format!("[{}, {}]", plain(low, error), plain(high, error))),
        ],
        _ => {
            let reason = match accuracy.errors[i] {
                _ if accuracy.held.contains(&i) => "held by its bound",
                f64::INFINITY => "undetermined",
                _ => "–",
            };
            [Cell::Number(number(value)), Cell::Text(reason.to_string())]
        }
    };
    vec![value, interval]
}

/// Writes extremes and mean of many parameters.
fn statistics(html: &mut Markup, content: &Content<'_>) {
    let mut sorted: Vec<f64> = content.summary.theta.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len() - 1;
    let mean = sorted.iter().sum::<f64>() / sorted.len() as f64;
    let [low, middle, high] = [0, last / 2, last].map(|i| sorted[i]);
    let start = content.summary.iterates.first().map(|first| first.theta);
    let squares = |start: &[f64]| {
        let pairs = start.iter().zip(content.summary.theta);
        pairs.map(|(a, b)| (b - a) * (b - a)).sum::<f64>()
    };
    let moved = start.map_or(f64::NAN, |s| (squares(s) / sorted.len() as f64).sqrt());
    let all = [
        ("smallest", low),
        ("median", middle),
        ("mean", mean),
        ("largest", high),
        ("distance from the start (root mean square)", moved),
    ];
    let cells = all.map(|(name, value)| vec![Cell::Head(name.into()), Cell::Number(number(value))]);
    let caption = format!("All {} parameters", sorted.len());
    html.table(&caption, &["statistic", "value"], cells.into());
}

/// Draws many parameters: as a field on their grid, or against their index.
pub(super) fn pictures(html: &mut Markup, content: &Content<'_>) -> Result<()> {
    let theta = content.summary.theta;
    let sides: Vec<usize> = content.shape.iter().copied().filter(|n| *n > 1).collect();
    if let [nx, ny, rest @ ..] = sides.as_slice() {
        return row(html, |html| map(html, content, [*nx, *ny], rest));
    }
    if theta.len() < DRAWN {
        return Ok(());
    }
    row(html, |html| curve(html, content))
}

/// Draws a field with x as the slowest index. Of more than two axes the middle of all others is shown.
fn map(
    html: &mut Markup,
    content: &Content<'_>,
    [nx, ny]: [usize; 2],
    rest: &[usize],
) -> Result<()> {
    let inner: usize = rest.iter().product();
    // The flat index of the middle of the other axes.
    let middle = rest.iter().fold(0, |flat, n| flat * n + n / 2);
    let start = content.summary.iterates.first().map(|first| first.theta);
    let slice = |f: &dyn Fn(usize) -> f64| Field2 {
        x: [0.0, nx as f64],
        y: [0.0, ny as f64],
        shape: [nx, ny],
        values: (0..nx * ny).map(|cell| f(cell * inner + middle)).collect(),
    };
    let place = match rest {
        [] => String::new(),
        _ => " in the middle of the other axes".to_string(),
    };
    let mut draw = |what: &str, f: &dyn Fn(usize) -> f64, palette| {
        let chart =
            Chart::new("").labels("cell along the first axis", "cell along the second axis");
        figure(
            html,
            chart.heat(slice(f), palette),
            SQUARE,
            &format!("{what}{place}"),
        )
    };
    draw(
        "Field of the parameters",
        &|i| content.summary.theta[i],
        Palette::Sequential,
    )?;
    if let Some(start) = start {
        let change = |i: usize| content.summary.theta[i] - start[i];
        draw(
            "Change of the field from the start",
            &change,
            Palette::Diverging,
        )?;
    }
    if content.accuracy.is_ok() {
        let error = |i: usize| content.error(i).unwrap_or(f64::NAN);
        draw("Standard errors of the field", &error, Palette::Sequential)?;
    }
    Ok(())
}

/// Most points of a curve.
const POINTS: usize = 2000;

/// Draws the parameters against their index, with their intervals.
fn curve(html: &mut Markup, content: &Content<'_>) -> Result<()> {
    let theta = content.summary.theta;
    let every = theta.len().div_ceil(POINTS);
    let shown = || (0..theta.len()).step_by(every);
    let points: Vec<[f64; 2]> = shown().map(|i| [i as f64, theta[i]]).collect();
    let mut chart = Chart::new("").labels("index of the parameter", "value");
    let mut caption = "Parameters by their index".to_string();
    if let Ok(accuracy) = &content.accuracy {
        let bars = shown().filter(|i| content.error(*i).is_some());
        let rows: Vec<[f64; 3]> = bars
            .map(|i| [i as f64, accuracy.intervals[i].0, accuracy.intervals[i].1])
            .collect();
        if rows.len() > 1 {
            chart = chart.band("", &rows, PALETTE[0]);
            caption += &format!(
                ", with the band of their {} % intervals",
                100.0 * accuracy.level
            );
        }
    }
    if every > 1 {
        caption += &format!("; one of {every} is drawn");
    }
    chart = match theta.len() <= 60 {
        true => chart.markers("", &points, PALETTE[0], Marker::Dot),
        false => chart.line("", &points, Stroke::solid(PALETTE[0])),
    };
    figure(html, chart, SMALL, &caption)
}

/// Number of parameters whose paths are drawn.
const PATHS: usize = 9;

/// Draws the paths of the parameters that moved farthest: in standard errors, or relative to their size.
pub(super) fn paths(html: &mut Markup, content: &Content<'_>) -> Result<()> {
    let summary = &content.summary;
    let Some(first) = summary
        .iterates
        .first()
        .filter(|_| summary.iterates.len() > 1)
    else {
        return Ok(());
    };
    let distance = |i: usize| {
        let (a, b) = (first.theta[i], summary.theta[i]);
        let size = content.error(i).unwrap_or(a.abs().max(b.abs()));
        let change = (b - a).abs();
        // From a start at zero all relative changes are 1, and the absolute change decides.
        let relative = if size > 0.0 { change / size } else { 0.0 };
        (relative, change)
    };
    let count = summary.theta.len();
    let mut shown: Vec<((f64, f64), usize)> = (0..count).map(|i| (distance(i), i)).collect();
    if count > PATHS {
        shown
            .sort_by(|((r, a), i), ((s, b), j)| s.total_cmp(r).then(b.total_cmp(a)).then(i.cmp(j)));
        shown.truncate(PATHS);
        shown.sort_by_key(|(_, i)| *i);
        html.line(
            "p",
            &format!("Paths of the {PATHS} of {count} parameters that moved farthest:"),
        );
    }
    row(html, |html| {
        shown.iter().try_for_each(|&(_, i)| {
            let at = |(k, step): (usize, &super::summary::Step<'_>)| [k as f64, step.theta[i]];
            let points: Vec<[f64; 2]> = summary.iterates.iter().enumerate().map(at).collect();
            let chart = Chart::new("").labels("iterate", "");
            let chart = super::convergence::drawn(chart, &points);
            let caption = format!("Path of {}", content.names[i]);
            figure(html, chart, [244, 190], &caption)
        })
    })
}
