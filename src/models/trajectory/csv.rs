//! Trajectories as text files, with one point per line.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::Trajectory;
use super::file::{Rows, wrong};
use crate::error::Result;

impl Trajectory {
    /// Reads one point per line of a text file whose columns are separated by semicolons, commas or blanks.
    ///
    /// The file has `dim` columns with the coordinates, or one more column with the time first. Times must be
    /// equally spaced and give the interval. The first line is a header if none of its fields begins like a number.
    /// Empty lines are skipped.
    ///
    /// # Errors
    /// Fails with [`Error::File`](crate::models::Error::File), which names the line, the fault and the remedy.
    pub fn read_csv(path: impl AsRef<Path>, dim: usize) -> Result<Self> {
        let path = path.as_ref();
        let mut rows = Rows::new(dim)?;
        let text = fs::read(path).map_err(|e| wrong(path, "opening it", e))?;
        let text = String::from_utf8(text).map_err(|_| {
            wrong(
                path,
                "its encoding",
                "it is not UTF-8 text; read a .npy file with `read_npy`",
            )
        })?;
        let lines = text.trim_start_matches('\u{feff}').lines().enumerate();
        let lines = lines.filter(|(_, line)| !line.trim().is_empty());
        let (mut first, mut row) = (true, Vec::with_capacity(dim + 1));
        for (number, line) in lines {
            let header = first && !fields(line).any(like_a_number);
            first = false;
            if header {
                continue;
            }
            let parsed = parse(line, &mut row).and_then(|()| rows.push(&row));
            parsed.map_err(|m| wrong(path, format!("line {}", number + 1), m))?;
        }
        rows.finish(path)
    }

    /// Writes a header and one line per point, with columns separated by commas.
    ///
    /// The first column is the time if the interval is known. Reading the file reproduces the coordinates
    /// exactly.
    ///
    /// # Errors
    /// Fails with [`Error::File`](crate::models::Error::File) if the file cannot be written. Fails if there are no points, if a
    /// point is not finite, or if the interval cannot be recovered from the file.
    pub fn write_csv(&self, path: impl AsRef<Path>) -> Result<()> {
        self.check_writable()?;
        let path = path.as_ref();
        self.write_lines(path)
            .map_err(|e| wrong(path, "writing it", e))
    }

    fn write_lines(&self, path: &Path) -> io::Result<()> {
        let mut out = BufWriter::new(File::create(path)?);
        let time = if self.interval.is_some() { "t," } else { "" };
        let names = ["x", "y", "z"];
        writeln!(out, "{time}{}", names[..self.dim].join(","))?;
        for row in self.rows() {
            for (i, x) in row.enumerate() {
                let comma = if i > 0 { "," } else { "" };
                write!(out, "{comma}{x}")?;
            }
            writeln!(out)?;
        }
        out.flush()
    }
}

/// Splits a line at its semicolons, else at its commas, else at its blanks.
fn fields(line: &str) -> Box<dyn Iterator<Item = &str> + '_> {
    // Semicolons take precedence, since files with decimal commas use them. `parse` then rejects "1,5" with a remedy.
    match [';', ','].into_iter().find(|&c| line.contains(c)) {
        Some(separator) => Box::new(line.split(separator).map(str::trim)),
        None => Box::new(line.split_whitespace()),
    }
}

/// Returns whether a field is a number or begins like one. A line with such a field is data, possibly with a
/// typing error.
fn like_a_number(field: &str) -> bool {
    field.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
        || field.parse::<f64>().is_ok()
}

/// Parses the numbers of a line into `row`.
fn parse(line: &str, row: &mut Vec<f64>) -> std::result::Result<(), String> {
    row.clear();
    for field in fields(line) {
        let number = field.parse().map_err(|_| {
            format!(
                "`{field}` is not a number; write numbers like -1.5e-3, with a decimal point, and at most one header \
                 line"
            )
        })?;
        row.push(number);
    }
    Ok(())
}
