//! Correlations, and what the data do not determine.

use super::content::Content;
use super::figure::{SQUARE, figure, number, row};
use super::markup::{Cell, Markup};
use super::summary::Accuracy;
use crate::error::Result;
use crate::plot::{Chart, Field2, Palette};

/// Writes what the reader of the errors has to know, or why there are none.
pub(super) fn notes(html: &mut Markup, content: &Content<'_>) {
    match &content.accuracy {
        Ok(accuracy) => html.list("notes", &accuracy.notes),
        Err(reason) => html.line(
            "p",
            &format!("There are no standard errors: {reason}.").replace("..", "."),
        ),
    }
}

/// Largest number of parameters whose correlations are a table.
const TABULATED: usize = 12;

/// Writes the correlations: as a coloured table, or as a map.
pub(super) fn correlations(html: &mut Markup, content: &Content<'_>) -> Result<()> {
    let Ok(accuracy) = &content.accuracy else {
        return Ok(());
    };
    match accuracy.errors.len() {
        0 | 1 => Ok(()),
        p if p <= TABULATED => {
            tabulated(html, content, accuracy);
            Ok(())
        }
        p => row(html, |html| map(html, accuracy, p)),
    }
}

/// Returns the class that colours a cell, one of eleven from −1 to 1.
fn shade(correlation: f64) -> String {
    match correlation.is_finite() {
        true => format!(
            "shade{}",
            (5.0 * correlation.clamp(-1.0, 1.0)).round() as i32 + 5
        ),
        false => "shade".to_string(),
    }
}

fn tabulated(html: &mut Markup, content: &Content<'_>, accuracy: &Accuracy) {
    let caption = "Correlations of the parameters";
    let region = [
        ("class", "scroll"),
        ("tabindex", "0"),
        ("role", "region"),
        ("aria-label", caption),
    ];
    html.tag("div", &region, |html| {
        html.tag("table", &[("class", "correlations")], |html| {
            html.line("caption", caption);
            html.tag("thead", &[], |html| {
                html.tag("tr", &[], |html| {
                    html.tag("td", &[], |_| ());
                    for name in &content.names {
                        html.tag("th", &[("scope", "col")], |html| html.text(name));
                    }
                });
            });
            html.tag("tbody", &[], |html| {
                (0..content.names.len()).for_each(|i| correlation_row(html, content, accuracy, i));
            });
        });
    });
}

fn correlation_row(html: &mut Markup, content: &Content<'_>, accuracy: &Accuracy, i: usize) {
    html.tag("tr", &[], |html| {
        html.tag("th", &[("scope", "row")], |html| {
            html.text(&content.names[i])
        });
        for j in 0..content.names.len() {
            let value = accuracy.correlation(i, j);
            let text = match value.is_finite() {
                true => format!("{value:.2}")
                    .replace("-0.00", "0.00")
                    .replace('-', "−"),
                false => "–".to_string(),
            };
            html.tag("td", &[("class", &shade(value))], |html| html.text(&text));
        }
    });
}

fn map(html: &mut Markup, accuracy: &Accuracy, p: usize) -> Result<()> {
    let range = [-0.5, p as f64 - 0.5];
    let field = Field2::sample(range, range, [p, p], |x, y| {
        accuracy.correlation(x as usize, y as usize)
    });
    let chart = Chart::new("")
        .labels("index of the parameter", "index of the parameter")
        .colour_label("correlation")
        .heat(field, Palette::Diverging)
        .colour_range(-1.0, 1.0);
    figure(
        html,
        chart,
        SQUARE,
        "Correlations of the parameters; a parameter without a variance is white",
    )
}

/// Largest number of combinations, and of parameters in each, that are written out.
const WRITTEN: [usize; 2] = [10, 8];

/// Writes which parameters the data do not determine, and in which combinations.
pub(super) fn undetermined(html: &mut Markup, content: &Content<'_>) {
    let Ok(accuracy) = &content.accuracy else {
        return;
    };
    let named = |i: usize| content.names[i].as_str();
    if !accuracy.held.is_empty() {
        let held: Vec<&str> = accuracy.held.iter().map(|i| named(*i)).collect();
        html.line("p", &format!("Bounds hold {}.", listed(&held)));
    }
    let open = (0..accuracy.errors.len()).filter(|i| accuracy.errors[*i].is_infinite());
    let open: Vec<&str> = open.map(named).collect();
    if open.is_empty() {
        html.line(
            "p",
            "Data and priors determine all parameters that no bound holds.",
        );
        return;
    }
    html.line(
        "p",
        &format!("Neither data nor priors determine {}.", listed(&open)),
    );
    let columns = accuracy.null_space.ncols();
    let rows = (0..columns.min(WRITTEN[0])).map(|k| {
        let column = accuracy.null_space.col(k);
        let shares = (0..column.nrows()).map(|i| (i, column[i]));
        vec![
            Cell::Head((k + 1).to_string()),
            Cell::Text(combination(content, shares)),
        ]
    });
    let caption = match columns > WRITTEN[0] {
        true => format!(
            "The first {} of {columns} combinations that change nothing",
            WRITTEN[0]
        ),
        false => "Combinations of parameters that change nothing".to_string(),
    };
    if columns > 0 {
        html.table(&caption, &["number", "direction"], rows.collect());
    }
}

/// Writes a combination with its largest shares first.
fn combination(content: &Content<'_>, shares: impl Iterator<Item = (usize, f64)>) -> String {
    let mut shares: Vec<(usize, f64)> = shares.filter(|(_, x)| *x != 0.0).collect();
    shares.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0)));
    let more = shares.len().saturating_sub(WRITTEN[1]);
    let terms = shares.iter().take(WRITTEN[1]).map(|(i, x)| {
        let sign = if *x < 0.0 { "−" } else { "+" };
        format!("{sign} {} {}", number(x.abs()), content.names[*i])
    });
    let text = terms.collect::<Vec<_>>().join(" ");
    match more {
        0 => text,
        more => format!("{text} and {more} smaller terms"),
    }
}

/// Lists at most twenty names.
fn listed(names: &[&str]) -> String {
    const MOST: usize = 20;
    match names.len() {
        n if n > MOST => format!("{} and {} more", names[..MOST].join(", "), n - MOST),
        _ => names.join(", "),
    }
}
