//! Drawing of a chart and its curves.

use crate::canvas::{Canvas, Drawn, Ink, ngon};
use crate::chart::Chart;
use crate::clip::{Area, dashes, pieces, polygon_within};
use crate::colour::Colour;
use crate::frame::{Frame, Layout};
use crate::layer::{Bars, Layer, Marker, Point, Stroke};
use crate::legend::Legend;
use crate::{cells, decor};
use plotters::backend::DrawingBackend;

/// Opacity with which bands are filled.
pub(crate) const BAND: f64 = 0.22;
/// Opacity with which histogram bars are filled.
pub(crate) const BARS: f64 = 0.55;
/// Line width of trajectories.
pub(crate) const PATH_WIDTH: f64 = 1.7;

/// Draws a chart of the given size in nominal pixels, with its upper left corner at the origin of the canvas.
pub(crate) fn chart<B: DrawingBackend>(
    canvas: &mut Canvas<B>,
    chart: &Chart,
    size: [f64; 2],
) -> Drawn {
    let legend = Legend::of(chart);
    let layout = Layout::of(chart, &legend, size);
    let covered = chart.layers.iter().any(Layer::covers);
    if !covered {
        decor::grid(canvas, &layout)?;
    }
    let beneath = chart.layers.iter().filter(|l| l.covers());
    let above = chart.layers.iter().filter(|l| !l.covers());
    for each in beneath.chain(above) {
        layer(canvas, chart, &layout.frame, each)?;
    }
    decor::surround(canvas, &layout)?;
    legend.draw(canvas, chart.legend, &layout)
}

/// Draws one layer of a chart, clipped to the frame.
fn layer<B: DrawingBackend>(
    canvas: &mut Canvas<B>,
    chart: &Chart,
    frame: &Frame,
    layer: &Layer,
) -> Drawn {
    match layer {
        Layer::Line(_, points, stroke) => visible(frame, points)
            .iter()
            .try_for_each(|piece| curve(canvas, piece, *stroke)),
        Layer::Path(_, points, colour) => path(canvas, frame, points, *colour),
        Layer::Markers(_, points, colour, shape) => inside(frame, points)
            .into_iter()
            .try_for_each(|at| marker(canvas, at, *colour, *shape)),
        Layer::Band(_, rows, colour) => band(canvas, frame, rows, *colour),
        Layer::Bars(_, all) => bars(canvas, frame, all),
        Layer::Heat(field, palette) => {
            let span = chart.colour_span(field, *palette);
            cells::heat(canvas, frame, field, (*palette, span))
        }
        Layer::Contours(field, levels) => cells::contours(canvas, frame, field, levels),
        Layer::Categories(_, field, kinds) => cells::categories(canvas, frame, field, kinds),
    }
}

/// Returns the pieces of a data curve inside the frame, in pixels.
pub(crate) fn visible(frame: &Frame, points: &[Point]) -> Vec<Vec<Point>> {
    let placed: Vec<_> = points.iter().map(|p| frame.place(*p)).collect();
    pieces(&placed, &frame.area)
}

/// Returns the data points inside the frame, in pixels.
fn inside(frame: &Frame, points: &[Point]) -> Vec<Point> {
    let placed = points.iter().filter_map(|p| frame.place(*p));
    placed.filter(|p| frame.area.holds(*p)).collect()
}

/// Draws a curve given in pixels, solid or dashed.
pub(crate) fn curve<B: DrawingBackend>(
    canvas: &mut Canvas<B>,
    points: &[Point],
    stroke: Stroke,
) -> Drawn {
    if !stroke.dash {
        return canvas.stroke(points, stroke.colour, stroke.width);
    }
    let unit = stroke.width.max(1.0);
    for dash in dashes(points, 3.6 * unit, 2.6 * unit) {
        canvas.stroke(&dash, stroke.colour, stroke.width)?;
    }
    Ok(())
}

/// Draws a trajectory: its line, its points, its start and its end.
fn path<B: DrawingBackend>(
    canvas: &mut Canvas<B>,
    frame: &Frame,
    points: &[Point],
    colour: Colour,
) -> Drawn {
    let pieces = visible(frame, points);
    // A white rim separates a trajectory from others and from dark fields.
    for piece in &pieces {
        canvas.stroke(piece, Colour::WHITE, PATH_WIDTH + 1.6)?;
    }
    for piece in &pieces {
        canvas.stroke(piece, colour, PATH_WIDTH)?;
    }
    for at in thinned(&inside(frame, points), 2.5) {
        canvas.disc(at, 2.4, colour)?;
    }
    let shown = |p: &Point| frame.place(*p).filter(|at| frame.area.holds(*at));
    if let Some(at) = points.last().and_then(shown) {
        end(canvas, at, colour)?;
    }
    match points.first().and_then(shown) {
        Some(at) => start(canvas, at, colour),
        None => Ok(()),
    }
}

/// Drops points that are closer than `gap` to the last point that was kept.
fn thinned(points: &[Point], gap: f64) -> Vec<Point> {
    let mut kept: Vec<Point> = Vec::new();
    for p in points {
        let close = |q: &Point| (p[0] - q[0]).hypot(p[1] - q[1]) < gap;
        if !kept.last().is_some_and(close) {
            kept.push(*p);
        }
    }
    kept
}

/// Draws the symbol at the start of a trajectory, a hollow diamond.
pub(crate) fn start<B: DrawingBackend>(canvas: &mut Canvas<B>, at: Point, colour: Colour) -> Drawn {
    let diamond = ngon(at, 6.0, 4);
    canvas.fill(&diamond, Ink(Colour::WHITE, 1.0))?;
    canvas.outline(&diamond, colour, 1.7)
}

/// Draws the symbol at the end of a trajectory, a large dot.
pub(crate) fn end<B: DrawingBackend>(canvas: &mut Canvas<B>, at: Point, colour: Colour) -> Drawn {
    canvas.disc(at, 6.0, Colour::WHITE)?;
    canvas.disc(at, 4.8, colour)
}

/// Draws one marker at a point.
pub(crate) fn marker<B: DrawingBackend>(
    canvas: &mut Canvas<B>,
    at: Point,
    colour: Colour,
    shape: Marker,
) -> Drawn {
    let [x, y] = at;
    let arm = 4.2;
    let ink = Ink(colour, 1.0);
    match shape {
        Marker::Dot => canvas.disc(at, 3.8, colour),
        Marker::Cross => {
            canvas.stroke(&[[x - arm, y - arm], [x + arm, y + arm]], colour, 1.9)?;
            canvas.stroke(&[[x - arm, y + arm], [x + arm, y - arm]], colour, 1.9)
        }
        Marker::Star => {
            canvas.outline(&star(at, 7.5), Colour::WHITE, 1.6)?;
            canvas.fill(&star(at, 7.5), ink)
        }
        Marker::Circle => canvas.outline(&ngon(at, 4.4, 32), colour, 1.6),
        Marker::Square => canvas.fill(&Area::about(at, 3.9, 3.9).corners(), ink),
    }
}

/// Returns the corners of a five-pointed star.
fn star(at: Point, radius: f64) -> Vec<Point> {
    let tips = ngon(at, radius, 10);
    // Moves every second corner of a decagon inwards.
    let corner = |(k, [x, y]): (usize, Point)| match k % 2 {
        0 => [x, y],
        _ => [at[0] + 0.42 * (x - at[0]), at[1] + 0.42 * (y - at[1])],
    };
    tips.into_iter().enumerate().map(corner).collect()
}

/// Fills a band, interrupted at rows that cannot be drawn.
fn band<B: DrawingBackend>(
    canvas: &mut Canvas<B>,
    frame: &Frame,
    rows: &[[f64; 3]],
    colour: Colour,
) -> Drawn {
    let ends = |[x, low, high]: &[f64; 3]| {
        let low = frame.place([*x, *low])?;
        Some([low, frame.place([*x, *high])?])
    };
    let placed: Vec<Option<[Point; 2]>> = rows.iter().map(ends).collect();
    for run in placed.split(Option::is_none) {
        let lows = run.iter().flatten().map(|[low, _]| *low);
        let highs = run.iter().flatten().map(|[_, high]| *high);
        let ring: Vec<Point> = lows.chain(highs.rev()).collect();
        let seen = polygon_within(&ring, &frame.area);
        if seen.len() > 2 {
            canvas.fill(&seen, Ink(colour, BAND))?;
        }
    }
    Ok(())
}

/// Draws histogram bars clipped to the frame.
fn bars<B: DrawingBackend>(canvas: &mut Canvas<B>, frame: &Frame, bars: &Bars) -> Drawn {
    // A logarithmic axis has no zero, so bars stand on its lower end.
    let floor = |x: f64| match frame.axes[1].log {
        true => frame.place([x, 1.0]).map(|[px, _]| [px, frame.area.bottom]),
        false => frame.place([x, 0.0]),
    };
    for (edges, height) in bars.edges.windows(2).zip(&bars.heights) {
        let (Some([x0, y0]), Some([x1, y1])) = (floor(edges[0]), frame.place([edges[1], *height]))
        else {
            continue;
        };
        let bar = Area {
            left: x0.min(x1),
            top: y0.min(y1),
            right: x0.max(x1),
            bottom: y0.max(y1),
        };
        let Some(seen) = bar.intersection(&frame.area) else {
            continue;
        };
        canvas.rect(&seen, Ink(bars.colour, BARS))?;
        canvas.outline(&seen.corners(), bars.colour, 0.8)?;
    }
    Ok(())
}
