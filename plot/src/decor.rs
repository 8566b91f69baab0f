//! Decoration of a chart: grid lines, box, ticks, labels, title and colour bar.

use crate::canvas::{Canvas, Drawn, Ink};
use crate::clip::Area;
use crate::colour::Colour;
use crate::font::{Block, LEADING};
use crate::frame::{Bar, Layout, TICK_GAP, TICK_LENGTH};
use crate::layer::Point;
use crate::text::Setting;
use crate::ticks::TICK_SIZE;
use plotters::backend::DrawingBackend;
use plotters::style::text_anchor::HPos;

/// Colour of the box and of the tick marks.
const EDGE: Colour = Colour(60, 60, 60);
/// Colour of grid lines.
const GRID: Colour = Colour(230, 230, 230);
/// Line width of the box, the grid and the tick marks.
const THIN: f64 = 1.0;

/// Draws faint grid lines at the labelled ticks.
pub(crate) fn grid<B: DrawingBackend>(canvas: &mut Canvas<B>, layout: &Layout) -> Drawn {
    let area = &layout.frame.area;
    for tick in &layout.ticks[0].major {
        let x = area.left + tick.at * area.width();
        canvas.stroke(&[[x, area.top], [x, area.bottom]], GRID, THIN)?;
    }
    for tick in &layout.ticks[1].major {
        let y = area.bottom - tick.at * area.height();
        canvas.stroke(&[[area.left, y], [area.right, y]], GRID, THIN)?;
    }
    Ok(())
}

/// Draws box, ticks, labels, colour bar and title.
pub(crate) fn surround<B: DrawingBackend>(canvas: &mut Canvas<B>, layout: &Layout) -> Drawn {
    let area = layout.frame.area;
    canvas.outline(&area.corners(), EDGE, THIN)?;
    x_ticks(canvas, layout)?;
    y_ticks(canvas, layout)?;
    labels(canvas, layout)?;
    if let Some(bar) = &layout.bar {
        colour_bar(canvas, bar, layout.factor_height())?;
    }
    let half = 0.5 * layout.title.width();
    let middle = area.centre()[0];
    // The title is centred above the plot, and shifted if it would leave the page.
    let middle = middle.min(layout.size[0] - half).max(half);
    lines(canvas, &layout.title, [middle, layout.title_bottom()])
}

/// Writes centred lines of text, the last one just above a point.
pub(crate) fn lines<B: DrawingBackend>(
    canvas: &mut Canvas<B>,
    block: &Block,
    [x, bottom]: Point,
) -> Drawn {
    for (above, line) in block.lines.iter().rev().enumerate() {
        let y = bottom - (above as f64 + 0.5) * block.size * LEADING;
        canvas.text(line, [x, y], Setting::new(block.size, HPos::Center))?;
    }
    Ok(())
}

/// Draws the ticks of the x axis with their labels and power of ten.
fn x_ticks<B: DrawingBackend>(canvas: &mut Canvas<B>, layout: &Layout) -> Drawn {
    let area = &layout.frame.area;
    let ticks = &layout.ticks[0];
    let x = |at: f64| area.left + at * area.width();
    let mark = |canvas: &mut Canvas<B>, at: f64, length: f64| {
        let top = [x(at), area.bottom];
        canvas.stroke(&[top, [top[0], top[1] + length]], EDGE, THIN)
    };
    for at in &ticks.minor {
        mark(canvas, *at, 0.6 * TICK_LENGTH)?;
    }
    let height = area.bottom + TICK_LENGTH + TICK_GAP + 0.5 * TICK_SIZE;
    for tick in &ticks.major {
        mark(canvas, tick.at, TICK_LENGTH)?;
        let setting = Setting::new(TICK_SIZE, HPos::Center);
        canvas.text(&tick.label, [x(tick.at), height], setting)?;
    }
    let setting = Setting::new(TICK_SIZE, HPos::Right);
    let below = height + 1.3 * TICK_SIZE;
    canvas.text(&ticks.factor, [area.right, below], setting)
}

/// Draws the ticks of the y axis with their labels and power of ten.
fn y_ticks<B: DrawingBackend>(canvas: &mut Canvas<B>, layout: &Layout) -> Drawn {
    let area = &layout.frame.area;
    let ticks = &layout.ticks[1];
    let y = |at: f64| area.bottom - at * area.height();
    let mark = |canvas: &mut Canvas<B>, at: f64, length: f64| {
        let height = y(at);
        let ends = [[area.left - length, height], [area.left, height]];
        canvas.stroke(&ends, EDGE, THIN)
    };
    for at in &ticks.minor {
        mark(canvas, *at, 0.6 * TICK_LENGTH)?;
    }
    let right = area.left - TICK_LENGTH - TICK_GAP;
    for tick in &ticks.major {
        mark(canvas, tick.at, TICK_LENGTH)?;
        let setting = Setting::new(TICK_SIZE, HPos::Right);
        canvas.text(&tick.label, [right, y(tick.at)], setting)?;
    }
    let corner = [area.left, layout.factor_height()];
    canvas.text(&ticks.factor, corner, Setting::new(TICK_SIZE, HPos::Left))
}

/// Writes the labels of both axes.
fn labels<B: DrawingBackend>(canvas: &mut Canvas<B>, layout: &Layout) -> Drawn {
    let area = &layout.frame.area;
    let [x_label, y_label] = &layout.labels;
    let [across, middle] = area.centre();
    for line in &x_label.lines {
        let below = TICK_LENGTH + TICK_GAP + 1.8 * TICK_SIZE;
        let setting = Setting::new(x_label.size, HPos::Center);
        canvas.text(line, [across, area.bottom + below], setting)?;
    }
    for line in &y_label.lines {
        let beside = TICK_LENGTH + TICK_GAP + layout.ticks[1].width() + y_label.size;
        upwards(canvas, line, [area.left - beside, middle], y_label.size)?;
    }
    Ok(())
}

/// Writes a line of text that runs upwards.
fn upwards<B: DrawingBackend>(canvas: &mut Canvas<B>, line: &str, at: Point, size: f64) -> Drawn {
    let setting = Setting {
        upwards: true,
        ..Setting::new(size, HPos::Center)
    };
    canvas.text(line, at, setting)
}

/// Draws the colour bar with its ticks and label.
fn colour_bar<B: DrawingBackend>(canvas: &mut Canvas<B>, bar: &Bar, factor_height: f64) -> Drawn {
    shades(canvas, bar)?;
    let area = &bar.area;
    canvas.outline(&area.corners(), EDGE, THIN)?;
    let setting = Setting::new(TICK_SIZE, HPos::Left);
    let text = area.right + TICK_LENGTH + TICK_GAP;
    for tick in &bar.ticks.major {
        let y = area.bottom - tick.at * area.height();
        let ends = [[area.right, y], [area.right + TICK_LENGTH, y]];
        canvas.stroke(&ends, EDGE, THIN)?;
        canvas.text(&tick.label, [text, y], setting)?;
    }
    canvas.text(&bar.ticks.factor, [area.left, factor_height], setting)?;
    let mut beside = text + bar.ticks.width() + 0.7 * bar.label.size;
    for line in &bar.label.lines {
        upwards(canvas, line, [beside, area.centre()[1]], bar.label.size)?;
        beside += bar.label.size * LEADING;
    }
    Ok(())
}

/// Fills the colour bar, with the smallest value at the bottom.
fn shades<B: DrawingBackend>(canvas: &mut Canvas<B>, bar: &Bar) -> Drawn {
    const STEPS: usize = 100;
    let height = |share: f64| bar.area.bottom - share * bar.area.height();
    for k in 0..STEPS {
        let [low, high] = [k, k + 1].map(|k| k as f64 / STEPS as f64);
        let step = Area {
            top: height(high),
            bottom: height(low),
            ..bar.area
        };
        let colour = bar.palette.at(0.5 * (low + high));
        canvas.rect(&step, Ink(colour, 1.0))?;
    }
    Ok(())
}
