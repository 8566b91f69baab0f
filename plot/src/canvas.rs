//! Shapes on a drawing surface, in nominal pixels.
//!
//! The backends round to whole device pixels, so both get a finer raster with `scale` device pixels per nominal pixel.
//! Bitmaps are averaged afterwards, which smooths every edge.

use crate::clip::Area;
use crate::colour::Colour;
use crate::layer::Point;
use plotters::backend::DrawingBackend;
use plotters::style::{Color, RGBAColor, RGBColor, ShapeStyle};

/// Result of drawing. The error is the message of the backend.
pub(crate) type Drawn = std::result::Result<(), String>;

/// Colour with an opacity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ink(pub(crate) Colour, pub(crate) f64);

/// Drawing surface with an origin and a scale.
pub(crate) struct Canvas<'a, B: DrawingBackend> {
    pub(crate) backend: &'a mut B,
    pub(crate) origin: Point,
    pub(crate) scale: f64,
    /// Whether the backend stores shapes instead of pixels.
    pub(crate) vector: bool,
    /// Widths of all texts in device pixels, in the order of drawing.
    pub(crate) text_widths: Vec<f64>,
    /// Elements of an SVG that lie beneath all shapes.
    pub(crate) images: Vec<String>,
}

impl<B: DrawingBackend> Canvas<'_, B> {
    /// Converts a point to device coordinates.
    fn device(&self, [x, y]: Point) -> Point {
        let [x0, y0] = self.origin;
        [(x0 + x) * self.scale, (y0 + y) * self.scale]
    }

    /// Rounds a point to the nearest device pixel.
    pub(crate) fn pixel(&self, point: Point) -> (i32, i32) {
        let [x, y] = self.device(point);
        (x.round() as i32, y.round() as i32)
    }

    /// Fills a rectangle.
    pub(crate) fn rect(&mut self, area: &Area, ink: Ink) -> Drawn {
        let from = self.pixel([area.left, area.top]);
        let to = self.pixel([area.right, area.bottom]);
        if from.0 >= to.0 || from.1 >= to.1 {
            return Ok(());
        }
        let drawn = self.backend.draw_rect(from, to, &style(ink, 1), true);
        drawn.map_err(|e| e.to_string())
    }

    /// Fills a polygon.
    pub(crate) fn fill(&mut self, polygon: &[Point], ink: Ink) -> Drawn {
        if self.vector {
            let corners: Vec<_> = polygon.iter().map(|p| self.pixel(*p)).collect();
            let drawn = self.backend.fill_polygon(corners, &style(ink, 1));
            return drawn.map_err(|e| e.to_string());
        }
        // Filling row by row within the height of the page bounds the cost of a huge polygon by that of the
        // page.
        let corners: Vec<Point> = polygon.iter().map(|p| self.device(*p)).collect();
        let (_, height) = self.backend.get_size();
        for (row, from, to) in rows(&corners, f64::from(height)) {
            let drawn = self
                .backend
                .draw_rect((from, row), (to, row + 1), &style(ink, 1), true);
            drawn.map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    /// Draws a curve of a given width with round joints.
    pub(crate) fn stroke(&mut self, curve: &[Point], colour: Colour, width: f64) -> Drawn {
        if !self.vector {
            return self.stroke_by_segments(curve, Ink(colour, 1.0), 0.5 * width);
        }
        let mut path: Vec<_> = curve.iter().map(|p| self.pixel(*p)).collect();
        path.dedup();
        if path.len() < 2 {
            return Ok(());
        }
        let width = (width * self.scale).round().max(1.0) as u32;
        let drawn = self
            .backend
            .draw_path(path, &style(Ink(colour, 1.0), width));
        drawn.map_err(|e| e.to_string())
    }

    /// Fills one rectangle per segment and one disc per joint.
    ///
    /// A single polygon around a wide curve would have holes where the curve crosses itself.
    fn stroke_by_segments(&mut self, curve: &[Point], ink: Ink, half: f64) -> Drawn {
        let mut previous: Option<Point> = None;
        for &b in curve {
            let Some(a) = previous else {
                previous = Some(b);
                continue;
            };
            let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
            let length = dx.hypot(dy);
            // Segments shorter than a quarter of a pixel are merged with the next one.
            if length < 0.25 {
                continue;
            }
            // (−dy, dx)/length is the unit normal. The long sides of the rectangle lie at a distance of half
            // a width on either side of the segment.
            let (nx, ny) = (-dy / length * half, dx / length * half);
            let corners = [
                [a[0] + nx, a[1] + ny],
                [b[0] + nx, b[1] + ny],
                [b[0] - nx, b[1] - ny],
                [a[0] - nx, a[1] - ny],
            ];
            self.fill(&corners, ink)?;
            if half > 0.4 {
                self.fill(&ngon(b, half, 12), ink)?;
            }
            previous = Some(b);
        }
        Ok(())
    }

    /// Fills a disc.
    pub(crate) fn disc(&mut self, centre: Point, radius: f64, colour: Colour) -> Drawn {
        if !self.vector {
            return self.fill(&ngon(centre, radius, 40), Ink(colour, 1.0));
        }
        let device_radius = (radius * self.scale).round().max(1.0) as u32;
        let (centre, ink) = (self.pixel(centre), style(Ink(colour, 1.0), 1));
        let drawn = self.backend.draw_circle(centre, device_radius, &ink, true);
        drawn.map_err(|e| e.to_string())
    }

    /// Draws the outline of a polygon.
    pub(crate) fn outline(&mut self, polygon: &[Point], colour: Colour, width: f64) -> Drawn {
        // The second point is repeated as well, so that the last corner gets a joint.
        let closed: Vec<Point> = polygon
            .iter()
            .chain(polygon.iter().take(2))
            .copied()
            .collect();
        self.stroke(&closed, colour, width)
    }
}

/// Converts a colour to the type of the backend.
pub(crate) fn rgb(colour: Colour) -> RGBColor {
    RGBColor(colour.0, colour.1, colour.2)
}

/// Returns the style of filled shapes with a colour and a line width.
fn style(Ink(colour, opacity): Ink, width: u32) -> ShapeStyle {
    let color: RGBAColor = rgb(colour).mix(opacity);
    ShapeStyle {
        color,
        filled: true,
        stroke_width: width,
    }
}

/// Returns the corners of a regular polygon, clockwise from the top.
pub(crate) fn ngon([x, y]: Point, radius: f64, corners: usize) -> Vec<Point> {
    let turn = std::f64::consts::TAU / corners as f64;
    let corner = |k: usize| {
        let (sin, cos) = (k as f64 * turn).sin_cos();
        [x + radius * sin, y - radius * cos]
    };
    (0..corners).map(corner).collect()
}

/// Returns the pixels whose centres lie inside a polygon and on a page of a given height.
///
/// Each entry holds a row, its first column and the column past its last column.
fn rows(polygon: &[Point], height: f64) -> Vec<(i32, i32, i32)> {
    let low = polygon.iter().fold(f64::INFINITY, |m, p| m.min(p[1]));
    let high = polygon.iter().fold(f64::NEG_INFINITY, |m, p| m.max(p[1]));
    let (low, high) = (low.max(0.0), high.min(height));
    let mut rows = Vec::new();
    for row in (low - 0.5).ceil() as i32..(high + 0.5).floor() as i32 {
        // The horizontal through the pixel centres crosses the edge from a to b if exactly one end has a y coordinate
        // of at most y. This half-open test counts a corner once, so that the sorted crossings pair up as entry and
        // exit (even-odd rule). The crossing lies the fraction (y − a_y)/(b_y − a_y) along the edge.
        let y = f64::from(row) + 0.5;
        let mut crossings: Vec<f64> = (0..polygon.len())
            .map(|k| (polygon[k], polygon[(k + 1) % polygon.len()]))
            .filter(|(a, b)| (a[1] <= y) != (b[1] <= y))
            .map(|(a, b)| a[0] + (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0]))
            .collect();
        crossings.sort_by(f64::total_cmp);
        for pair in crossings.chunks_exact(2) {
            let (from, to) = (pair[0].round() as i32, pair[1].round() as i32);
            if from < to {
                rows.push((row, from, to));
            }
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_a_disc_have_its_area() {
        let disc = ngon([50.0, 50.0], 20.0, 60);
        let area: i32 = rows(&disc, 100.0)
            .iter()
            .map(|(_, from, to)| to - from)
            .sum();
        let exact = std::f64::consts::PI * 400.0;
        assert!((f64::from(area) / exact - 1.0).abs() < 0.01);
    }

    #[test]
    fn rows_off_the_page_are_never_listed() {
        let wide = ngon([50.0, 50.0], 1e12, 40);
        let rows: Vec<i32> = rows(&wide, 100.0).into_iter().map(|row| row.0).collect();
        assert_eq!(rows, Vec::from_iter(0..100));
    }

    #[test]
    fn a_rectangle_covers_whole_pixels() {
        let area = Area {
            left: 1.0,
            top: 2.0,
            right: 4.0,
            bottom: 4.0,
        };
        assert_eq!(rows(&area.corners(), 10.0), [(2, 1, 4), (3, 1, 4)]);
        assert!(rows(&[], 10.0).is_empty());
    }
}
