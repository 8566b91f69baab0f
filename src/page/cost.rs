//! Cost of a run, and the settings with which it can be repeated.

use super::content::Content;
use super::markup::{Cell, Markup};

/// Writes solves, factorisations and seconds.
pub(super) fn cost(html: &mut Markup, content: &Content<'_>) {
    let summary = &content.summary;
    let counted = summary.counts.iter().filter(|(_, count)| *count > 0);
    let rows: Vec<Vec<Cell>> = counted
        .map(|(name, count)| {
            vec![
                Cell::Head(name.replace('_', " ")),
                Cell::Number(count.to_string()),
            ]
        })
        .collect();
    match rows.is_empty() {
        true => html.line("p", "Nothing was counted."),
        false => html.table("Solves and factorisations", &["kind", "number"], rows),
    }
    if !summary.solvers.is_empty() {
        html.line("p", "Right-hand sides of linear systems, by method:");
        html.list("solvers", &summary.solvers);
    }
}

/// Most entries of the start that are written out.
const WRITTEN: usize = 1000;

/// Writes the settings and the start.
pub(super) fn settings(html: &mut Markup, content: &Content<'_>) {
    let rows = content.settings.iter();
    let rows = rows.map(|(name, value)| vec![Cell::Head(name.clone()), Cell::Text(value.clone())]);
    html.table("Settings of the run", &["setting", "value"], rows.collect());
    let Some(first) = content.summary.iterates.first() else {
        return;
    };
    html.tag("details", &[], |html| {
        html.line("summary", "Start");
        let shown = first.theta.iter().take(WRITTEN).map(f64::to_string);
        let mut text = shown.collect::<Vec<_>>().join(", ");
        if first.theta.len() > WRITTEN {
            text += &format!(", … ({} entries)", first.theta.len());
        }
        html.tag("pre", &[("class", "wrap")], |html| html.text(&text));
    });
}
