//! Pictures within a page, and numbers as text.

use super::markup::Markup;
use crate::error::Result;
use crate::plot::{Chart, Page};
use crate::posterior::plain;

/// Width and height of a chart, narrow enough for a telephone.
pub(super) const SMALL: [u32; 2] = [328, 250];

/// Width and height of a map with its colour bar.
pub(super) const SQUARE: [u32; 2] = [480, 420];

/// Writes a chart with its caption, which also stands for the picture where it cannot be seen.
pub(super) fn figure(html: &mut Markup, chart: Chart, size: [u32; 2], caption: &str) -> Result<()> {
    let page = Page::new(1).chart(chart).chart_size(size[0], size[1]);
    let svg = page.description(caption).svg()?;
    html.tag("figure", &[("class", "chart")], |html| {
        html.finished(&svg);
        html.line("figcaption", caption);
    });
    Ok(())
}

/// Writes figures side by side.
pub(super) fn row(
    html: &mut Markup,
    content: impl FnOnce(&mut Markup) -> Result<()>,
) -> Result<()> {
    let mut written = Ok(());
    html.tag("div", &[("class", "charts")], |html| {
        written = content(html)
    });
    written
}

/// Formats a number to at most six digits.
pub(super) fn number(x: f64) -> String {
    match x {
        x if x.is_nan() => "–".to_string(),
        x if x.is_infinite() => (if x > 0.0 { "∞" } else { "−∞" }).to_string(),
        0.0 => "0".to_string(),
        x => trimmed(&plain(x, 0.0)),
    }
}

/// Removes zeros at the end of the decimals.
fn trimmed(text: &str) -> String {
    let (digits, power) = text.find('e').map_or((text, ""), |e| text.split_at(e));
    match digits.contains('.') {
        true => format!(
            "{}{power}",
            digits.trim_end_matches('0').trim_end_matches('.')
        ),
        false => text.to_string(),
    }
}

/// Formats a number to three digits.
pub(super) fn short(x: f64) -> String {
    match x.is_finite() {
        true => format!("{x:.2e}"),
        false => number(x),
    }
}

/// Formats a time in seconds.
pub(super) fn seconds(x: f64) -> String {
    match x.is_finite() {
        true => format!("{x:.3}"),
        false => number(x),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_needless_zeros() {
        for (x, text) in [
            (0.5, "0.5"),
            (100.0, "100"),
            (-0.0, "0"),
            (1.25e-9, "1.25e-9"),
            (3e7, "3e7"),
            (f64::NAN, "–"),
            (f64::NEG_INFINITY, "−∞"),
        ] {
            assert_eq!(number(x), text);
        }
    }
}
