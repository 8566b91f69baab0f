//! Combinations of the parameters that the data see.

use super::content::Content;
use super::figure::{SMALL, SQUARE, figure, number, row, short};
use super::markup::{Cell, Markup};
use crate::curvature::{Combinations, Sight};
use crate::error::Result;
use crate::plot::{Chart, Field2, Marker, PALETTE, Palette};

/// Largest number of combinations that are written out.
const WRITTEN: usize = 20;

/// Largest number of parameters whose shares are drawn.
const DRAWN: usize = 60;

/// Writes the combinations, the best known first, as a table and in pictures.
pub(super) fn section(html: &mut Markup, content: &Content<'_>) -> Result<()> {
    let Some(seen) = &content.combinations else {
        return Ok(());
    };
    // The page names the parameters.
    let seen = &seen.clone().named(&content.names)?;
    html.line("h3", "What the data see");
    let text = seen.to_string();
    html.line(
        "p",
        &format!("Taken one by one, {}.", text.lines().next().unwrap_or("")),
    );
    table(html, seen);
    row(html, |html| {
        errors(html, seen)?;
        shares(html, seen)
    })
}

fn table(html: &mut Markup, seen: &Combinations) {
    let count = seen.information().len();
    let errors = seen.errors();
    let rows = (0..count.min(WRITTEN)).map(|k| {
        let sight = match seen.sight(k) {
            Sight::Determined => "determined",
            Sight::Weak => "hardly seen",
            Sight::Unseen => "unseen: a small change along it changes no data",
        };
        vec![
            Cell::Head((k + 1).to_string()),
            Cell::Text(seen.words(k)),
            Cell::Number(short(errors[k])),
            Cell::Text(sight.to_string()),
        ]
    });
    let caption = match count > WRITTEN {
        true => format!("The first {WRITTEN} of {count} independent combinations"),
        false => "Independent combinations of the parameters".to_string(),
    };
    let head = ["number", "combination", "error in units", "sight"];
    html.table(&caption, &head, rows.collect());
}

/// Draws the standard errors of the combinations, in units.
fn errors(html: &mut Markup, seen: &Combinations) -> Result<()> {
    let pairs = seen.errors().into_iter().enumerate();
    let points: Vec<[f64; 2]> = pairs
        .filter(|(_, error)| error.is_finite())
        .map(|(k, error)| [(k + 1) as f64, error])
        .collect();
    if points.is_empty() {
        return Ok(());
    }
    let unseen = seen.count(Sight::Unseen);
    let mut caption =
        "Standard errors of the combinations in units; below 1 the data determine them".to_string();
    if unseen > 0 {
        caption += &format!("; {} unseen ones are left out", number(unseen as f64));
    }
    let chart = Chart::new("")
        .labels("combination", "standard error in units")
        .log_y()
        .whole_x()
        .markers("", &points, PALETTE[0], Marker::Dot);
    figure(html, chart, SMALL, &caption)
}

/// Draws the shares of the parameters in the combinations.
fn shares(html: &mut Markup, seen: &Combinations) -> Result<()> {
    let n = seen.information().len();
    if !(2..=DRAWN).contains(&n) {
        return Ok(());
    }
    let relative = |k: usize| {
        let shares = seen.shares(k);
        let largest = shares.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        shares.iter().map(|x| x / largest).collect::<Vec<_>>()
    };
    let columns: Vec<Vec<f64>> = (0..n).map(relative).collect();
    let range = [0.5, n as f64 + 0.5];
    let parameters = [-0.5, n as f64 - 0.5];
    let field = Field2 {
        x: range,
        y: parameters,
        shape: [n, n],
        values: columns.into_iter().flatten().collect(),
    };
    let chart = Chart::new("")
        .labels("combination", "index of the parameter")
        .colour_label("share, relative to the largest")
        .whole_x()
        .heat(field, Palette::Diverging)
        .colour_range(-1.0, 1.0);
    figure(
        html,
        chart,
        SQUARE,
        "Shares of the parameters in the combinations",
    )
}
