//! Head of a page: how the run ended, its stopping tests and its remarks.

use super::content::Content;
use super::figure::{number, seconds};
use super::markup::{Cell, Markup};

/// Writes whether the run converged, and why.
pub(super) fn verdict(html: &mut Markup, content: &Content<'_>) {
    let summary = &content.summary;
    let (class, word) = match summary.converged {
        true => ("verdict good", "converged"),
        false => ("verdict bad", "not converged"),
    };
    html.tag("p", &[("class", class)], |html| {
        html.line("strong", word);
        // The sentence begins with the verdict, which stands in front of it already.
        let reason = summary.outcome.strip_prefix(word);
        let reason = reason.and_then(|rest| rest.strip_prefix(": "));
        html.text(reason.unwrap_or(&summary.outcome));
    });
}

/// Writes the most important numbers.
pub(super) fn key_numbers(html: &mut Markup, content: &Content<'_>) {
    let summary = &content.summary;
    let steps = summary.iterates.len().saturating_sub(1);
    let time = summary.iterates.last().map_or(f64::NAN, |i| i.seconds);
    html.tag("dl", &[("class", "key")], |html| {
        for (name, class, value) in [
            ("objective", "", number(summary.loss)),
            ("steps", "", steps.to_string()),
            ("parameters", "", summary.theta.len().to_string()),
            ("seconds", "seconds", seconds(time)),
        ] {
            html.tag("div", &[], |html| {
                html.line("dt", name);
                html.tag("dd", &[("class", class)], |html| html.text(&value));
            });
        }
    });
}

/// Writes remarks and stopping tests.
pub(super) fn tests(html: &mut Markup, content: &Content<'_>) {
    let summary = &content.summary;
    html.list("remarks", &summary.remarks);
    if summary.tests.is_empty() {
        return;
    }
    let rows = summary.tests.iter().map(|[name, value, limit]| {
        let limit = if limit == "0.00e0" { "off" } else { limit };
        let [value, limit] = [value, limit].map(|text| Cell::Number(text.to_string()));
        vec![Cell::Head(name.clone()), value, limit]
    });
    html.table(
        "Stopping tests at the last point",
        &["test", "value", "limit"],
        rows.collect(),
    );
}
