//! Writer of HTML that is well-formed XML as well. It is the only place that writes text into a page, and escapes it.

/// Cell of a table.
pub(super) enum Cell {
    /// Name of the row.
    Head(String),
    /// Words.
    Text(String),
    /// Number, aligned to the right.
    Number(String),
    /// Time, which differs between runs that are equal otherwise.
    Seconds(String),
}

/// HTML text that is being written.
#[derive(Default)]
pub(super) struct Markup(String);

impl Markup {
    /// Returns the text.
    pub(super) fn finish(self) -> String {
        self.0
    }

    /// Writes an element with attributes and content.
    pub(super) fn tag(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        content: impl FnOnce(&mut Self),
    ) {
        self.open(name, attributes);
        self.0.push('>');
        content(self);
        self.0 += &format!("</{name}>\n");
    }

    /// Writes an element without content, such as `meta`.
    pub(super) fn void(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.open(name, attributes);
        self.0 += "/>\n";
    }

    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.0 += &format!("<{name}");
        for (name, value) in attributes {
            self.0 += &format!(" {name}=\"{}\"", escaped(value));
        }
    }

    /// Writes an element that holds a text.
    pub(super) fn line(&mut self, name: &str, text: &str) {
        self.tag(name, &[], |html| html.text(text));
    }

    /// Writes a text.
    pub(super) fn text(&mut self, text: &str) {
        self.0 += &escaped(text);
    }

    /// Writes a finished part: a picture of the plotting library, or the style sheet.
    pub(super) fn finished(&mut self, part: &str) {
        self.0 += part;
    }

    /// Writes a table with a caption, in a box that scrolls if the table is too wide.
    pub(super) fn table(&mut self, caption: &str, head: &[&str], rows: Vec<Vec<Cell>>) {
        let region = [
            ("class", "scroll"),
            ("tabindex", "0"),
            ("role", "region"),
            ("aria-label", caption),
        ];
        self.tag("div", &region, |html| {
            html.tag("table", &[], |html| {
                html.line("caption", caption);
                html.tag("thead", &[], |html| {
                    html.tag("tr", &[], |html| {
                        for name in head {
                            html.tag("th", &[("scope", "col")], |html| html.text(name));
                        }
                    });
                });
                html.tag("tbody", &[], |html| {
                    rows.into_iter().for_each(|row| html.row(row));
                });
            });
        });
    }

    fn row(&mut self, cells: Vec<Cell>) {
        self.tag("tr", &[], |html| {
            for cell in cells {
                let (name, attributes, text) = match &cell {
                    Cell::Head(text) => ("th", [("scope", "row")], text),
                    Cell::Text(text) => ("td", [("class", "words")], text),
                    Cell::Number(text) => ("td", [("class", "number")], text),
                    Cell::Seconds(text) => ("td", [("class", "number seconds")], text),
                };
                html.tag(name, &attributes, |html| html.text(text));
            }
        });
    }

    /// Writes a list of sentences, unless there are none.
    pub(super) fn list(&mut self, class: &str, sentences: &[String]) {
        if !sentences.is_empty() {
            self.tag("ul", &[("class", class)], |html| {
                sentences.iter().for_each(|text| html.line("li", text));
            });
        }
    }
}

/// Replaces what has a meaning in HTML, and characters that no page may hold.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\'' => safe += "&#39;",
            c => safe.push(printable(c)),
        }
    }
    safe
}

/// Returns the character, or the replacement character for one that XML excludes.
fn printable(c: char) -> char {
    let excluded =
        (c.is_control() && c != '\n' && c != '\t') || matches!(c, '\u{fffe}' | '\u{ffff}');
    if excluded {
        char::REPLACEMENT_CHARACTER
    } else {
        c
    }
}

/// Returns a text for a picture, without characters that a page excludes.
pub(super) fn drawable(text: &str) -> String {
    text.chars().map(printable).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_everywhere() {
        let mut html = Markup::default();
        let hostile = "<b onload='x'>&\"\u{0}";
        html.tag("p", &[("title", hostile)], |html| html.text(hostile));
        let safe = "&lt;b onload=&#39;x&#39;&gt;&amp;&quot;\u{fffd}";
        assert_eq!(html.finish(), format!("<p title=\"{safe}\">{safe}</p>\n"));
    }
}
