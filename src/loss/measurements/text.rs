//! Lines and cells of delimited text.

use crate::error::Result;
use crate::loss::Error;

/// Table with named columns, whose lines all have one cell per column.
pub(super) struct Table {
    header: Vec<String>,
    pub(super) lines: Vec<Line>,
}

/// Cells of a line, and its number in the text, from 1.
pub(super) struct Line {
    pub(super) number: usize,
    cells: Vec<String>,
}

/// Column of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column<'t> {
    pub(super) name: &'t str,
    index: usize,
}

impl Line {
    /// Returns the cell of a column.
    pub(super) fn cell(&self, column: Column<'_>) -> &str {
        &self.cells[column.index]
    }

    /// Returns an error about the cell of a column.
    pub(super) fn error(&self, column: Column<'_>, problem: &'static str) -> Error {
        Error::cell((self.number, column.name), self.cell(column), problem)
    }
}

/// Separators of cells that are recognised, the most telling one first.
const SEPARATORS: [char; 3] = ['\t', ';', ','];

impl Table {
    /// Splits text into cells. The header tells the separator. Empty lines and those that begin with `#` are left out.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut lines = (1..)
            .zip(text.lines())
            .filter(|(_, line)| !matches!(line.trim().chars().next(), None | Some('#')));
        let (number, first) = lines.next().unwrap_or((1, ""));
        let separator = SEPARATORS
            .into_iter()
            .find(|s| first.contains(*s))
            .unwrap_or(',');
        let header = cells(number, first, separator)?;
        let lines = lines.map(|(number, line)| {
            let cells = cells(number, line, separator)?;
            match cells.len() == header.len() {
                true => Ok(Line { number, cells }),
                false => Err(Error::Cells {
                    line: number,
                    found: cells.len(),
                    expected: header.len(),
                }
                .into()),
            }
        });
        Ok(Self {
            lines: lines.collect::<Result<_>>()?,
            header,
        })
    }

    /// Returns the column with one of these names, if there is one.
    pub(super) fn column(&self, names: &[&'static str]) -> Result<Option<Column<'_>>> {
        let known = |(_, name): &(usize, &String)| names.contains(&name.as_str());
        let mut found = self.header.iter().enumerate().filter(known);
        let column = found.next().map(|(index, name)| Column { name, index });
        match found.next() {
            None => Ok(column),
            Some((_, name)) => Err(Error::Column {
                problem: "is given twice",
                column: name.clone(),
                header: self.header.join(", "),
            }
            .into()),
        }
    }

    /// Returns the column with one of these names.
    pub(super) fn needed(&self, names: &[&'static str]) -> Result<Column<'_>> {
        let column = self.column(names)?;
        column.ok_or_else(|| {
            Error::Column {
                problem: "is missing",
                column: names.join("` or `"),
                header: self.header.join(", "),
            }
            .into()
        })
    }
}

/// Returns the cells of a line without the blanks around them. A cell in double quotes may contain separators, and quotes that
/// are doubled.
fn cells(number: usize, line: &str, separator: char) -> Result<Vec<String>> {
    let (mut cells, mut cell) = (Vec::new(), String::new());
    let (mut quoted, mut characters) = (false, line.chars().peekable());
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' if quoted || cell.trim().is_empty() => quoted = !quoted,
            _ if c == separator && !quoted => cells.push(std::mem::take(&mut cell)),
            _ => cell.push(c),
        }
    }
    if quoted {
        let place = (number, "in quotes");
        return Err(Error::cell(place, &cell, "has no closing quote; add one").into());
    }
    cells.push(cell);
    Ok(cells.iter().map(|cell| cell.trim().to_string()).collect())
}
