//! Drawing of fields: heat maps, maps of categories and level lines.

use crate::canvas::{Canvas, Drawn, Ink};
use crate::clip::Area;
use crate::colour::{Colour, Palette};
use crate::contour::contour;
use crate::draw;
use crate::field::{Field2, Levels};
use crate::frame::Frame;
use crate::image::Image;
use plotters::backend::DrawingBackend;

/// Colour and width of level lines.
const LEVEL: (Colour, f64) = (Colour(104, 104, 104), 0.8);

/// Number of shades of a heat map. Adjacent cells of one shade are drawn as one rectangle.
const SHADES: f64 = 160.0;

/// Largest number of cells drawn along an axis. More cells would be finer than the pixels of the picture.
const MAX_CELLS: usize = 360;

/// Largest number of cells that an SVG holds as rectangles. Finer fields become an image in it.
const MAX_RECTANGLES: usize = 4096;

/// Draws a heat map whose colours span the values from `low` to `high`.
pub(crate) fn heat<B: DrawingBackend>(
    canvas: &mut Canvas<B>,
    frame: &Frame,
    field: &Field2,
    (palette, [low, high]): (Palette, [f64; 2]),
) -> Drawn {
    let colour = |value: f64| {
        let share = (value - low) / (high - low);
        let shade = (share * SHADES).round() / SHADES;
        value.is_finite().then(|| palette.at(shade))
    };
    cells(canvas, frame, field, &colour)
}

/// Draws a map that colours every cell by its category.
pub(crate) fn categories<B: DrawingBackend>(
    canvas: &mut Canvas<B>,
    frame: &Frame,
    field: &Field2,
    kinds: &[(Colour, String)],
) -> Drawn {
    let colour = |value: f64| {
        let kind = value.round();
        let valid = kind >= 0.0 && kind < kinds.len() as f64;
        valid.then(|| kinds[kind as usize].0)
    };
    cells(canvas, frame, field, &colour)
}

/// Fills the cells of a field column by column, merging vertical runs of one colour.
fn cells<B: DrawingBackend>(
    canvas: &mut Canvas<B>,
    frame: &Frame,
    field: &Field2,
    colour: &dyn Fn(f64) -> Option<Colour>,
) -> Drawn {
    if canvas.vector && field.values.len() > MAX_RECTANGLES {
        return image(canvas, frame, field, colour);
    }
    let [columns, rows] = field.shape.map(drawn_edges);
    for x in columns.windows(2) {
        let shade = |y: &[usize]| colour(field.value((x[0] + x[1]) / 2, (y[0] + y[1]) / 2));
        let shades: Vec<Option<Colour>> = rows.windows(2).map(shade).collect();
        let mut first = 0;
        for run in shades.chunk_by(|a, b| a == b) {
            let (from, to) = (rows[first], rows[first + run.len()]);
            first += run.len();
            let area = block(frame, field, [x[0], x[1]], [from, to]);
            if let (Some(colour), Some(area)) = (run[0], area) {
                canvas.rect(&area, Ink(colour, 1.0))?;
            }
        }
    }
    Ok(())
}

/// Adds the visible cells of a field as an image, with at most one pixel per cell.
fn image<B: DrawingBackend>(
    canvas: &mut Canvas<B>,
    frame: &Frame,
    field: &Field2,
    colour: &dyn Fn(f64) -> Option<Colour>,
) -> Drawn {
    let [nx, ny] = field.shape;
    let Some(area) = block(frame, field, [0, nx], [0, ny]) else {
        return Ok(());
    };
    let size = field.shape.map(|cells| cells.min(2 * MAX_CELLS));
    // Pixel k of n along an axis shows the cell at its centre, the fraction (k + ½)/n from one end of the visible area.
    let cell = |axis: usize, place: f64| {
        let ([from, to], count) = ([field.x, field.y][axis], field.shape[axis]);
        let along = (frame.axes[axis].value(place) - from) / (to - from);
        ((along * count as f64) as usize).min(count - 1)
    };
    let across = |k: usize| {
        let x = area.left + (k as f64 + 0.5) / size[0] as f64 * area.width();
        cell(0, (x - frame.area.left) / frame.area.width())
    };
    let down = |k: usize| {
        let y = area.top + (k as f64 + 0.5) / size[1] as f64 * area.height();
        cell(1, (frame.area.bottom - y) / frame.area.height())
    };
    let columns: Vec<usize> = (0..size[0]).map(across).collect();
    let rows = (0..size[1]).map(down);
    let pixels = rows.flat_map(|j| columns.iter().map(move |&i| colour(field.value(i, j))));
    let image = Image::new(size, pixels)?;
    let [from, to] = [[area.left, area.top], [area.right, area.bottom]].map(|p| canvas.pixel(p));
    canvas.images.push(image.element(from, to));
    Ok(())
}

/// Returns the indices of the drawn cell edges: all edges, or evenly spaced edges if there are more than `MAX_CELLS`
/// cells.
fn drawn_edges(count: usize) -> Vec<usize> {
    let parts = count.min(MAX_CELLS);
    (0..=parts).map(|k| k * count / parts.max(1)).collect()
}

/// Returns the visible rectangle of a block of cells, given by two edges in each direction.
fn block(frame: &Frame, field: &Field2, i: [usize; 2], j: [usize; 2]) -> Option<Area> {
    // An edge at or below zero has no position (NaN) on a logarithmic axis. Such an edge lies below the window, at the
    // fraction 0.
    let x = i.map(|i| frame.axes[0].fraction(field.x_edge(i)));
    let y = j.map(|j| frame.axes[1].fraction(field.y_edge(j)));
    let clamped = |v: f64| if v.is_nan() { 0.0 } else { v.clamp(0.0, 1.0) };
    let area = &frame.area;
    let across = |v: f64| area.left + clamped(v) * area.width();
    let up = |v: f64| area.bottom - clamped(v) * area.height();
    area.intersection(&Area {
        left: across(x[0]),
        top: up(y[1]),
        right: across(x[1]),
        bottom: up(y[0]),
    })
}

/// Draws the level lines of a field.
pub(crate) fn contours<B: DrawingBackend>(
    canvas: &mut Canvas<B>,
    frame: &Frame,
    field: &Field2,
    levels: &Levels,
) -> Drawn {
    let (colour, width) = LEVEL;
    for level in levels.of(field) {
        for curve in contour(field, level) {
            for piece in draw::visible(frame, &curve) {
                canvas.stroke(&piece, colour, width)?;
            }
        }
    }
    Ok(())
}
