//! Objective, gradient and step of every iterate.

use super::content::Content;
use super::figure::{SMALL, figure, number, row, seconds, short};
use super::markup::{Cell, Markup};
use super::summary::Step;
use crate::error::Result;
use crate::plot::{Chart, Marker, PALETTE, Stroke};

/// Most iterates that are marked one by one.
const MARKED: usize = 60;

/// Adds a curve over iterates, with markers if there are few.
pub(super) fn drawn(chart: Chart, points: &[[f64; 2]]) -> Chart {
    let chart = chart.whole_x();
    let chart = chart.line("", points, Stroke::solid(PALETTE[0]));
    match points.len() <= MARKED {
        true => chart.markers("", points, PALETTE[0], Marker::Dot),
        false => chart,
    }
}

/// Draws one quantity of the iterates, on a logarithmic axis if all its values are positive.
fn quantity(html: &mut Markup, steps: &[Step<'_>], of: (&str, fn(&Step<'_>) -> f64)) -> Result<()> {
    let (name, value) = of;
    let points = steps
        .iter()
        .enumerate()
        .map(|(k, step)| [k as f64, value(step)]);
    let points: Vec<[f64; 2]> = points.filter(|p| p[1].is_finite()).collect();
    if points.is_empty() {
        return Ok(());
    }
    let negative = points.iter().any(|p| p[1] < 0.0);
    let chart = Chart::new("").labels("iterate", name);
    let (chart, scale) = match negative || points.iter().all(|p| p[1] == 0.0) {
        true => (chart, ""),
        false => (chart.log_y(), ", logarithmic"),
    };
    let [first, last] = [points[0][1], points[points.len() - 1][1]].map(short);
    let caption = match points.len() {
        1 => format!("{name}: {first}"),
        _ => format!("{name}: from {first} to {last}{scale}"),
    };
    figure(html, drawn(chart, &points), SMALL, &caption)
}

/// Draws objective, gradient and step.
pub(super) fn charts(html: &mut Markup, content: &Content<'_>, all: bool) -> Result<()> {
    let steps = &content.summary.iterates;
    if steps.len() == 1 {
        html.line("p", "The run took no step.");
    }
    row(html, |html| {
        quantity(html, steps, ("objective", |step| step.loss))?;
        if all {
            quantity(html, steps, ("norm of the gradient", |step| step.gradient))?;
            quantity(html, steps, ("relative step", |step| step.step))?;
        }
        Ok(())
    })
}

/// Numbers of iterates at the beginning and at the end of a long table.
const ENDS: [usize; 2] = [10, 30];

/// Writes the table of iterates, which opens on demand.
pub(super) fn iterates(html: &mut Markup, content: &Content<'_>) {
    let steps = &content.summary.iterates;
    let [first, last] = ENDS;
    let shown = (0..steps.len()).filter(|k| *k < first || k + last >= steps.len());
    let rows: Vec<Vec<Cell>> = shown.map(|k| cells(k, &steps[k])).collect();
    let caption = match rows.len() == steps.len() {
        true => "Iterates".to_string(),
        false => format!(
            "The first {first} and the last {last} of {} iterates",
            steps.len()
        ),
    };
    let head = [
        "iterate",
        "objective",
        "gradient",
        "step",
        "damping",
        "trials",
        "seconds",
    ];
    html.tag("details", &[], |html| {
        html.line("summary", "Table of the iterates");
        html.table(&caption, &head, rows);
    });
}

fn cells(k: usize, step: &Step<'_>) -> Vec<Cell> {
    let trials = match step.trials.is_finite() {
        true => step.trials.to_string(),
        false => "–".to_string(),
    };
    vec![
        Cell::Head(k.to_string()),
        Cell::Number(number(step.loss)),
        Cell::Number(short(step.gradient)),
        Cell::Number(short(step.step)),
        Cell::Number(short(step.damping)),
        Cell::Number(trials),
        Cell::Seconds(seconds(step.seconds)),
    ]
}
