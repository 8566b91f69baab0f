//! Trajectories as NumPy arrays, in versions 1 to 3 of the `.npy` format.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::Trajectory;
use super::file::{Rows, wrong};
use crate::error::Result;

const MAGIC: &[u8] = b"\x93NUMPY";

/// Faults in words, to which the path is added later.
type Parsed<T> = std::result::Result<T, String>;

impl Trajectory {
    /// Reads a `.npy` file that holds an array of points × coordinates, `dim` columns, or one more with the time first.
    ///
    /// Numbers are `<f8` or `<f4`, in C or Fortran order.
    ///
    /// # Errors
    /// [`Error::File`](crate::Error::File) with the fault and the remedy.
    pub fn read_npy(path: impl AsRef<Path>, dim: usize) -> Result<Self> {
        let path = path.as_ref();
        let mut rows = Rows::new(dim)?;
        let bytes = fs::read(path).map_err(|e| wrong(path, "opening it", e))?;
        let (header, data) = split(&bytes).map_err(|m| wrong(path, "header", m))?;
        let header = Header::parse(header).map_err(|m| wrong(path, "header", m))?;
        header.check(data).map_err(|m| wrong(path, "data", m))?;
        // Before memory is taken for a row: a shape without points agrees with no data whatever its columns.
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

    /// Writes a `.npy` file of points × coordinates as `<f8`, with the time first where the interval is known.
    ///
    /// # Errors
    /// [`Error::File`](crate::Error::File) when it cannot be written; no points, points that are not finite, and an
    /// interval that the file would not give back.
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
        // Magic, version and length take ten bytes; the data start at a multiple of 64, after a line's end.
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

/// The header's text and the data.
fn split(bytes: &[u8]) -> Parsed<(&str, &[u8])> {
    let rest = bytes.strip_prefix(MAGIC);
    let rest = rest.ok_or("it is no .npy file; write it with numpy.save, or read it as text")?;
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

/// What the header says.
struct Header {
    rows: usize,
    columns: usize,
    fortran: bool,
    /// Bytes of a number.
    width: usize,
}

impl Header {
    fn parse(text: &str) -> Parsed<Self> {
        let fortran = value(text, "fortran_order")?.starts_with("True");
        let descr = value(text, "descr")?;
        let width = match descr.get(..5) {
            Some("'<f8'" | "\"<f8\"") => 8,
            Some("'<f4'" | "\"<f4\"") => 4,
            _ => {
                return Err(format!(
                    "its numbers are {}; save a.astype('<f8') instead",
                    first(descr)
                ));
            }
        };
        let shape = value(text, "shape")?;
        let inside = shape.strip_prefix('(').and_then(|s| s.split_once(')'));
        let sizes = inside.map_or("", |(s, _)| s).split(',').map(str::trim);
        let sizes: Vec<Option<usize>> = sizes
            .filter(|s| !s.is_empty())
            .map(|s| s.parse().ok())
            .collect();
        let [Some(rows), Some(columns)] = sizes[..] else {
            let found = inside.map_or(shape, |(s, _)| s);
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

    fn check(&self, data: &[u8]) -> Parsed<()> {
        let needed = self.rows.checked_mul(self.columns);
        let needed = needed.and_then(|n| n.checked_mul(self.width));
        if needed == Some(data.len()) {
            return Ok(());
        }
        let shape = format!("({}, {})", self.rows, self.columns);
        let found = data.len();
        Err(format!(
            "{found} bytes do not make the shape {shape} that the header names; save it again"
        ))
    }

    /// The number in this row and column; the data are known to be long enough.
    fn number(&self, data: &[u8], row: usize, column: usize) -> f64 {
        let place = if self.fortran {
            column * self.rows + row
        } else {
            row * self.columns + column
        };
        let bytes = &data[place * self.width..][..self.width];
        let mut eight = [0; 8];
        if let Ok(four) = bytes.try_into() {
            return f64::from(f32::from_le_bytes(four));
        }
        eight.copy_from_slice(bytes);
        f64::from_le_bytes(eight)
    }
}

/// What follows a key of the header's dictionary.
fn value<'a>(text: &'a str, key: &str) -> Parsed<&'a str> {
    let quoted = [format!("'{key}'"), format!("\"{key}\"")];
    let after = quoted.iter().find_map(|k| text.split_once(k.as_str()));
    let after = after.and_then(|(_, rest)| rest.trim_start().strip_prefix(':'));
    let missing = || format!("it has no `{key}`; save it with numpy.save");
    after.map(str::trim_start).ok_or_else(missing)
}

/// The text before the next comma.
fn first(text: &str) -> &str {
    text.split(',').next().unwrap_or(text)
}
