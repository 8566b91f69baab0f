//! Trajectories as NumPy arrays in the `.npy` format, versions 1 to 3.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::Trajectory;
use super::file::{Rows, wrong};
use crate::error::Result;

/// First bytes of every `.npy` file.
const MAGIC: &[u8] = b"\x93NUMPY";

/// Result whose error describes the fault. The caller adds the path of the file.
type Parsed<T> = std::result::Result<T, String>;

impl Trajectory {
    /// Reads a `.npy` file with an array of points × coordinates.
    ///
    /// The array has `dim` columns, or one more with the time first. The numbers are `<f8` or `<f4`, in C or Fortran
    /// order.
    ///
    /// # Errors
    /// Fails with [`Error::File`](crate::models::Error::File), which names the fault and the remedy.
    pub fn read_npy(path: impl AsRef<Path>, dim: usize) -> Result<Self> {
        let path = path.as_ref();
        let mut rows = Rows::new(dim)?;
        let bytes = fs::read(path).map_err(|e| wrong(path, "opening it", e))?;
        let (header, data) = split(&bytes).map_err(|m| wrong(path, "header", m))?;
        let header = Header::parse(header).map_err(|m| wrong(path, "header", m))?;
        header.check(data).map_err(|m| wrong(path, "data", m))?;
        // Checks the width before a row is allocated: a shape (0, columns) agrees with empty data for any width.
        rows.check_width(header.columns)
            .map_err(|m| wrong(path, "header", m))?;
        let mut row = vec![0.0; header.columns];
        for i in 0..header.rows {
            for (j, x) in row.iter_mut().enumerate() {
                *x = header.number(data, i, j);
            }
            rows.push(&row)
                .map_err(|m| wrong(path, format!("row {i}"), m))?;
        }
        rows.finish(path)
    }

    /// Writes a `.npy` file of points × coordinates as `<f8`, with the time first if the interval is known.
    ///
    /// # Errors
    /// Fails with [`Error::File`](crate::models::Error::File) if the file cannot be written. Fails if there are no points, if a
    /// point is not finite, or if the interval cannot be recovered from the file.
    pub fn write_npy(&self, path: impl AsRef<Path>) -> Result<()> {
        self.check_writable()?;
        let path = path.as_ref();
        self.write_array(path)
            .map_err(|e| wrong(path, "writing it", e))
    }

    fn write_array(&self, path: &Path) -> io::Result<()> {
        let columns = self.dim + usize::from(self.interval.is_some());
        let shape = format!("({}, {columns})", self.points.len());
        let mut header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}");
        // The format requires the header to end with a newline and the data to start at a multiple of 64
        // bytes. The magic (6), the version (2) and the header's length (2) take ten bytes, and the newline
        // one: hence 63.
        let padding = 63 - (header.len() + 10) % 64;
        header.push_str(&" ".repeat(padding));
        header.push('\n');
        let mut out = BufWriter::new(File::create(path)?);
        out.write_all(MAGIC)?;
        out.write_all(&[1, 0])?;
        out.write_all(&(header.len() as u16).to_le_bytes())?;
        out.write_all(header.as_bytes())?;
        for x in self.rows().flatten() {
            out.write_all(&x.to_le_bytes())?;
        }
        out.flush()
    }
}

/// Splits a file into the text of its header and its data.
fn split(bytes: &[u8]) -> Parsed<(&str, &[u8])> {
    let rest = bytes.strip_prefix(MAGIC);
    let rest =
        rest.ok_or("it is not a .npy file; write it with numpy.save, or read it with `read_csv`")?;
    // Version 1 has a header length of two bytes, versions 2 and 3 of four.
    let (length, rest) = match rest {
        [1, _, a, b, rest @ ..] => (usize::from(u16::from_le_bytes([*a, *b])), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
        [version, ..] if *version > 3 => {
            return Err(format!(
                "version {version} is unknown; save it with numpy.save"
            ));
        }
        _ => return Err("the file is cut short; save it again".into()),
    };
    let cut = "the file is cut short; save it again";
    let (header, data) = rest.split_at_checked(length).ok_or(cut)?;
    let header = std::str::from_utf8(header).map_err(|_| "it is not text; save it again")?;
    Ok((header, data))
}

/// Contents of the header of a `.npy` file.
struct Header {
    rows: usize,
    columns: usize,
    /// Whether the data are stored column by column.
    fortran: bool,
    /// Number of bytes per entry of the array.
    width: usize,
}

impl Header {
    /// Parses the Python dictionary of a header.
    fn parse(text: &str) -> Parsed<Self> {
        let fortran = value(text, "fortran_order")?.starts_with("True");
        let descr = value(text, "descr")?;
        let width = match descr.get(..5) {
            Some("'<f8'" | "\"<f8\"") => 8,
            Some("'<f4'" | "\"<f4\"") => 4,
            _ => {
                return Err(format!(
                    "its numbers have the type {}; save a.astype('<f8') instead",
                    first(descr)
                ));
            }
        };
        let shape = value(text, "shape")?;
        let tuple = shape.strip_prefix('(').and_then(|s| s.split_once(')'));
        let sizes = tuple.map_or("", |(s, _)| s).split(',').map(str::trim);
        let sizes: Vec<Option<usize>> = sizes
            .filter(|s| !s.is_empty())
            .map(|s| s.parse().ok())
            .collect();
        let [Some(rows), Some(columns)] = sizes[..] else {
            let found = tuple.map_or(shape, |(s, _)| s);
            return Err(format!(
                "its shape is ({found}); save an array of points × coordinates"
            ));
        };
        Ok(Self {
            rows,
            columns,
            fortran,
            width,
        })
    }

    /// Checks that the length of the data matches the shape.
    fn check(&self, data: &[u8]) -> Parsed<()> {
        let needed = self.rows.checked_mul(self.columns);
        let needed = needed.and_then(|n| n.checked_mul(self.width));
        if needed == Some(data.len()) {
            return Ok(());
        }
        let shape = format!("({}, {})", self.rows, self.columns);
        let found = data.len();
        Err(format!(
            "the shape {shape} in the header does not match {found} bytes of data; save it again"
        ))
    }

    /// Returns the entry in a row and column, after [`check`](Header::check) has passed.
    fn number(&self, data: &[u8], row: usize, column: usize) -> f64 {
        let index = if self.fortran {
            column * self.rows + row
        } else {
            row * self.columns + column
        };
        let bytes = &data[index * self.width..][..self.width];
        // The conversion to an array of four bytes succeeds only for `<f4`.
        let mut eight = [0; 8];
        if let Ok(four) = bytes.try_into() {
            return f64::from(f32::from_le_bytes(four));
        }
        eight.copy_from_slice(bytes);
        f64::from_le_bytes(eight)
    }
}

/// Returns the text that follows a key of the header's dictionary.
fn value<'a>(text: &'a str, key: &str) -> Parsed<&'a str> {
    let quoted = [format!("'{key}'"), format!("\"{key}\"")];
    let after = quoted.iter().find_map(|k| text.split_once(k.as_str()));
    let after = after.and_then(|(_, rest)| rest.trim_start().strip_prefix(':'));
    let missing = || format!("it has no `{key}`; save it with numpy.save");
    after.map(str::trim_start).ok_or_else(missing)
}

/// Returns the text before the first comma.
fn first(text: &str) -> &str {
    text.split(',').next().unwrap_or(text)
}
