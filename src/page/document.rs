//! Order of the sections, and the frame around them.

use super::content::Content;
use super::markup::Markup;
use super::{combinations, convergence, cost, outcome, parameters, residuals, uncertainty};
use crate::error::Result;

const STYLE: &str = include_str!("style.css");

type Writer = fn(&mut Markup, &Content<'_>) -> Result<()>;

/// Identifier, heading and content of every section.
const SECTIONS: [(&str, &str, Writer); 7] = [
    ("outcome", "Outcome", |html, content| {
        outcome::tests(html, content);
        Ok(())
    }),
    ("parameters", "Parameters", parameters_section),
    ("residuals", "Residuals", residuals::section),
    ("convergence", "Convergence", convergence_section),
    ("pictures", "Pictures", pictures_section),
    ("cost", "Cost", |html, content| {
        cost::cost(html, content);
        Ok(())
    }),
    ("settings", "Settings", |html, content| {
        cost::settings(html, content);
        Ok(())
    }),
];

fn parameters_section(html: &mut Markup, content: &Content<'_>) -> Result<()> {
    parameters::pictures(html, content)?;
    parameters::table(html, content, usize::MAX);
    uncertainty::notes(html, content);
    if content.accuracy.is_ok() {
        html.line("h3", "What is undetermined");
        uncertainty::undetermined(html, content);
    }
    combinations::section(html, content)?;
    uncertainty::correlations(html, content)
}

fn convergence_section(html: &mut Markup, content: &Content<'_>) -> Result<()> {
    convergence::charts(html, content, true)?;
    if content.summary.iterates.len() > 1 {
        html.line("h3", "Paths of the parameters");
        parameters::paths(html, content)?;
    }
    convergence::iterates(html, content);
    Ok(())
}

fn pictures_section(html: &mut Markup, content: &Content<'_>) -> Result<()> {
    for (title, svg) in &content.pictures {
        html.tag("figure", &[("class", "picture")], |html| {
            let region = [
                ("class", "scroll"),
                ("tabindex", "0"),
                ("role", "region"),
                ("aria-label", title),
            ];
            html.tag("div", &region, |html| {
                // As an image, a picture from elsewhere can neither run scripts nor change the rest of the page.
                html.void("img", &[("alt", title), ("src", &address(svg))]);
            });
            html.line("figcaption", title);
        });
    }
    Ok(())
}

/// Returns an SVG as the address of an image (RFC 3986, section 2.1).
fn address(svg: &str) -> String {
    let mut text = "data:image/svg+xml;charset=utf-8,".to_string();
    for byte in svg.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'/' | b',' => {
                text.push(char::from(byte));
            }
            _ => text += &format!("%{byte:02X}"),
        }
    }
    text
}

/// Writes a page that stands alone.
pub(super) fn whole(content: &Content<'_>) -> Result<String> {
    let sections = SECTIONS.iter();
    let sections: Vec<_> = sections
        .filter(|(id, ..)| match *id {
            "pictures" => !content.pictures.is_empty(),
            "residuals" => content.residuals.is_some(),
            _ => true,
        })
        .collect();
    let mut written = Ok(());
    let mut html = Markup::default();
    html.finished("<!DOCTYPE html>\n");
    html.tag("html", &[("lang", "en")], |html| {
        html.tag("head", &[], |html| head(html, &content.title));
        html.tag("body", &[("class", "pullback whole")], |html| {
            html.tag("header", &[], |html| {
                html.line("h1", &content.title);
                outcome::verdict(html, content);
                outcome::key_numbers(html, content);
                html.tag("nav", &[("aria-label", "Sections")], |html| {
                    for (id, heading, _) in &sections {
                        let link = [("href", format!("#{id}"))];
                        html.tag("a", &[(link[0].0, &link[0].1)], |html| html.text(heading));
                    }
                });
            });
            html.tag("main", &[], |html| {
                written = sections
                    .iter()
                    .try_for_each(|section| write(html, content, section));
            });
        });
    });
    written.map(|()| html.finish())
}

fn write(
    html: &mut Markup,
    content: &Content<'_>,
    (id, heading, writer): &(&str, &str, Writer),
) -> Result<()> {
    let mut written = Ok(());
    html.tag("section", &[("id", id)], |html| {
        html.line("h2", heading);
        written = writer(html, content);
    });
    written
}

fn head(html: &mut Markup, title: &str) {
    html.void("meta", &[("charset", "utf-8")]);
    let viewport = "width=device-width, initial-scale=1";
    html.void("meta", &[("name", "viewport"), ("content", viewport)]);
    html.void(
        "meta",
        &[("name", "color-scheme"), ("content", "light dark")],
    );
    html.line("title", title);
    html.tag("style", &[], |html| html.finished(STYLE));
}

/// Most parameters in the table of the short form.
const FEW: usize = 20;

/// Writes the short form, a part of another page: outcome, parameters and the course of the objective.
pub(super) fn short(content: &Content<'_>) -> Result<String> {
    let mut written = Ok(());
    let mut html = Markup::default();
    html.tag("div", &[("class", "pullback short")], |html| {
        html.tag("style", &[], |html| html.finished(STYLE));
        outcome::verdict(html, content);
        outcome::key_numbers(html, content);
        html.list("remarks", &content.summary.remarks);
        parameters::table(html, content, FEW);
        uncertainty::notes(html, content);
        if content.accuracy.is_ok() {
            uncertainty::undetermined(html, content);
        }
        written = convergence::charts(html, content, false);
    });
    written.map(|()| html.finish())
}
