//! Output of a page as PNG, supersampled and averaged, and as SVG.

use crate::canvas::{Canvas, Drawn, Ink};
use crate::clip::Area;
use crate::colour::Colour;
use crate::error::{Error, Result};
use crate::page::Sheet;
use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use std::io;
use std::path::Path;

/// Number of pixels of the PNG per nominal pixel, along each axis.
const PNG_SCALE: u32 = 2;
/// Number of drawn pixels per pixel of the PNG, along each axis, before averaging.
const SUPERSAMPLING: u32 = 2;
/// Number of units of the SVG per nominal pixel.
const SVG_SCALE: u32 = 10;

/// Image as red, green and blue bytes, row by row.
struct Bitmap {
    width: usize,
    height: usize,
    bytes: Vec<u8>,
}

impl Bitmap {
    /// Creates a white bitmap with `scale` pixels per nominal pixel.
    fn white([width, height]: [u32; 2], scale: u32) -> Bitmap {
        let (width, height) = ((width * scale) as usize, (height * scale) as usize);
        Bitmap {
            width,
            height,
            bytes: vec![255; 3 * width * height],
        }
    }

    /// Draws on a white supersampled bitmap and returns the average at the resolution of the PNG.
    fn drawn(
        size: [u32; 2],
        draw: impl FnOnce(&mut Canvas<BitMapBackend>) -> Drawn,
    ) -> std::result::Result<Bitmap, String> {
        let mut fine = Bitmap::white(size, PNG_SCALE * SUPERSAMPLING);
        if fine.bytes.is_empty() {
            return Ok(fine);
        }
        let raster = (fine.width as u32, fine.height as u32);
        let mut backend = BitMapBackend::with_buffer(&mut fine.bytes, raster);
        draw(&mut Canvas {
            backend: &mut backend,
            origin: [0.0, 0.0],
            scale: f64::from(PNG_SCALE * SUPERSAMPLING),
            vector: false,
            text_widths: Vec::new(),
            images: Vec::new(),
        })?;
        drop(backend);
        Ok(fine.averaged(size))
    }

    /// Averages blocks of drawn pixels to the resolution of the PNG.
    fn averaged(&self, size: [u32; 2]) -> Bitmap {
        let mut coarse = Bitmap::white(size, PNG_SCALE);
        let block = SUPERSAMPLING as usize;
        let rows = coarse.bytes.chunks_exact_mut(3 * coarse.width.max(1));
        let fine = self
            .bytes
            .chunks_exact(3 * block * block * coarse.width.max(1));
        let mut sums = vec![0_u16; 3 * coarse.width];
        for (coarse, fine) in rows.zip(fine) {
            sums.fill(0);
            for pixels in fine.chunks_exact(block * sums.len()) {
                for (sum, pixels) in sums.chunks_exact_mut(3).zip(pixels.chunks_exact(3 * block)) {
                    for pixel in pixels.chunks_exact(3) {
                        (0..3).for_each(|channel| sum[channel] += u16::from(pixel[channel]));
                    }
                }
            }
            // Half of the divisor is added to round to the nearest integer.
            let count = (block * block) as u16;
            let means = sums.iter().map(|sum| (sum + count / 2) / count);
            coarse
                .iter_mut()
                .zip(means)
                .for_each(|(byte, mean)| *byte = mean as u8);
        }
        coarse
    }

    /// Copies a smaller bitmap into this one, at its upper left corner in pixels.
    fn paste(&mut self, part: &Bitmap, [left, top]: [u32; 2]) {
        let (left, top) = (left as usize, top as usize);
        let rows = part.bytes.chunks_exact(3 * part.width.max(1));
        for (row, bytes) in rows.enumerate() {
            let start = 3 * ((top + row) * self.width + left);
            self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
        }
    }
}

/// Writes the page as a PNG.
pub(crate) fn png(sheet: &Sheet, path: &Path) -> Result<()> {
    let page = raster(sheet).map_err(|reason| backend_error(path, reason))?;
    replace(path, |partial| encode(&page, partial))
}

/// Draws the title and every chart, each on a bitmap of its own, which keeps the supersampled bitmaps small.
fn raster(sheet: &Sheet) -> std::result::Result<Bitmap, String> {
    let mut page = Bitmap::white(sheet.size, PNG_SCALE);
    let title = Bitmap::drawn(sheet.title_size(), |canvas| sheet.draw_title(canvas))?;
    page.paste(&title, [0, 0]);
    for (corner, chart) in sheet.places() {
        let part = Bitmap::drawn(sheet.chart_size, |canvas| sheet.draw_chart(canvas, chart))?;
        page.paste(&part, corner.map(|side| side * PNG_SCALE));
    }
    Ok(page)
}

/// Encodes a bitmap as a PNG file.
fn encode(page: &Bitmap, path: &Path) -> io::Result<()> {
    let size = (page.width as u32, page.height as u32);
    let mut file = BitMapBackend::new(path, size);
    let copied = file.blit_bitmap((0, 0), size, &page.bytes);
    copied.map_err(|e| io::Error::other(e.to_string()))?;
    // The encoder hides the error of the operating system. Writing the bytes unencoded fails for the same reason and
    // returns it.
    file.present().map_err(|e| {
        let unencoded = std::fs::write(path, &page.bytes);
        unencoded.err().unwrap_or(io::Error::other(e.to_string()))
    })
}

/// Writes a temporary file in the same folder and renames it when it is complete, so that a failure leaves no partial
/// file.
fn replace(path: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> Result<()> {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    let partial = path.with_extension(format!("{}.{ending}", std::process::id()));
    let written = write(&partial).and_then(|()| std::fs::rename(&partial, path));
    written.map_err(|source| {
        // The first error is reported. The temporary file may not exist.
        let _ = std::fs::remove_file(&partial);
        let path = path.to_path_buf();
        Error::Write { path, source }
    })
}

/// Returns the error of the drawing backend for a file.
pub(crate) fn backend_error(path: &Path, reason: String) -> Error {
    let path = path.to_path_buf();
    Error::Backend { path, reason }
}

/// Writes the page as an SVG.
pub(crate) fn svg(sheet: &Sheet, path: &Path) -> Result<()> {
    let text = vector(sheet).map_err(|reason| backend_error(path, reason))?;
    replace(path, |partial| std::fs::write(partial, text))
}

/// Draws the title and every chart as the text of an SVG.
pub(crate) fn vector(sheet: &Sheet) -> std::result::Result<String, String> {
    let [width, height] = sheet.size;
    let mut text = String::new();
    let mut backend = SVGBackend::with_string(&mut text, (width * SVG_SCALE, height * SVG_SCALE));
    let mut canvas = Canvas {
        backend: &mut backend,
        origin: [0.0, 0.0],
        scale: f64::from(SVG_SCALE),
        vector: true,
        text_widths: Vec::new(),
        images: Vec::new(),
    };
    canvas.rect(&page_area(sheet), Ink(Colour::WHITE, 1.0))?;
    sheet.draw_title(&mut canvas)?;
    for (place, chart) in sheet.places() {
        canvas.origin = place.map(f64::from);
        sheet.draw_chart(&mut canvas, chart)?;
    }
    let widths = std::mem::take(&mut canvas.text_widths);
    let images = std::mem::take(&mut canvas.images).concat();
    backend.present().map_err(|e| e.to_string())?;
    drop(backend);
    // The first shape is the background, on which the images lie.
    let text = text.replacen("/>\n", &format!("/>\n{images}"), 1);
    Ok(described(
        &completed(&text, sheet.size, &widths),
        &sheet.description,
    ))
}

/// Returns the rectangle of the whole page.
fn page_area(sheet: &Sheet) -> Area {
    let [right, bottom] = sheet.size.map(f64::from);
    Area {
        left: 0.0,
        top: 0.0,
        right,
        bottom,
    }
}

/// Adds what the backend omits: the nominal size, round joints, cells without seams, and the width of every text.
///
/// With its width given, a text in a substitute font occupies the same space.
fn completed(svg: &str, [width, height]: [u32; 2], text_widths: &[f64]) -> String {
    let drawn = format!(
        "width=\"{}\" height=\"{}\"",
        width * SVG_SCALE,
        height * SVG_SCALE
    );
    let nominal = format!(
        "width=\"{width}\" height=\"{height}\" class=\"pullback-plot\" stroke-linejoin=\"round\""
    );
    let svg = svg
        .replacen(&drawn, &nominal, 1)
        .replacen(
            '\n',
            "\n<style>.pullback-plot rect { shape-rendering: crispEdges }</style>\n",
            1,
        )
        .replace(" stroke=\"none\"", "")
        .replace(" opacity=\"1\"", "");
    let mut parts = svg.split("<text ");
    let mut text = parts.next().unwrap_or_default().to_string();
    for (part, width) in parts.zip(text_widths) {
        let fixed = format!("<text textLength=\"{width:.1}\" lengthAdjust=\"spacingAndGlyphs\" ");
        text.push_str(&fixed);
        text.push_str(part);
    }
    text
}

/// Adds the text that stands for the picture where it cannot be seen.
fn described(svg: &str, description: &str) -> String {
    if description.is_empty() {
        return svg.to_string();
    }
    let mut text = String::new();
    for c in description.chars() {
        match c {
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '&' => text.push_str("&amp;"),
            c if c.is_control() => text.push(' '),
            c => text.push(c),
        }
    }
    svg.replacen("<svg ", "<svg role=\"img\" ", 1).replacen(
        '\n',
        &format!("\n<title>{text}</title>\n"),
        1,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_of_the_svg_gets_its_width() {
        let raw =
            "<svg width=\"20\" height=\"10\"><text x=\"1\">a</text><text x=\"2\">b</text></svg>";
        let svg = completed(raw, [2, 1], &[3.0, 4.5]);
        assert!(svg.starts_with("<svg width=\"2\" height=\"1\" class=\"pullback-plot\""));
        assert!(svg.contains("<text textLength=\"4.5\"") && svg.ends_with("b</text></svg>"));
    }

    #[test]
    fn a_description_is_the_first_element_and_escaped() {
        let svg = described("<svg width=\"1\">\n<rect/></svg>", "a <b> & c");
        let expected =
            "<svg role=\"img\" width=\"1\">\n<title>a &lt;b&gt; &amp; c</title>\n<rect/></svg>";
        assert_eq!(svg, expected);
    }

    #[test]
    fn averaging_halves_each_side() {
        let fine = Bitmap::white([3, 2], PNG_SCALE * SUPERSAMPLING);
        let coarse = fine.averaged([3, 2]);
        assert_eq!((coarse.width, coarse.height), (6, 4));
        assert!(coarse.bytes.iter().all(|b| *b == 255));
    }
}
