//! Division of the space of a chart among plot, labels, colour bar and legend.

use crate::axis::Axis;
use crate::chart::{Chart, Corner};
use crate::clip::Area;
use crate::colour::Palette;
use crate::font::{self, Block};
use crate::layer::{Layer, Point};
use crate::legend::Legend;
use crate::ticks::{Extent, TICK_SIZE, Ticks};

/// Size of axis labels in pixels.
const LABEL_SIZE: f64 = 16.0;
/// Size of chart titles in pixels.
const TITLE_SIZE: f64 = 18.0;
/// Length of a tick mark in pixels.
pub(crate) const TICK_LENGTH: f64 = 5.0;
/// Gap between a tick mark and its label in pixels.
pub(crate) const TICK_GAP: f64 = 4.0;
/// Margin around a chart in pixels.
const MARGIN: f64 = 9.0;
/// Gap between plot and colour bar, and width of the bar, in pixels.
const BAR: [f64; 2] = [14.0, 13.0];
/// Smallest side of the plot, kept on pages that are too small for their labels.
const MIN_SIDE: f64 = 40.0;
/// Largest absolute value of pixel coordinates.
///
/// This limit lies far off every page, and at every scale of a canvas the device coordinates still fit into `i32`.
const MAX_COORDINATE: f64 = 1e7;

/// Plot rectangle with its axes.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) area: Area,
    pub(crate) axes: [Axis; 2],
}

impl Frame {
    /// Returns the position of a data point on the page, or `None` if the point cannot be drawn.
    pub(crate) fn place(&self, [x, y]: Point) -> Option<Point> {
        let across = self.area.left + self.axes[0].fraction(x) * self.area.width();
        let up = self.area.bottom - self.axes[1].fraction(y) * self.area.height();
        let drawable = across.is_finite() && up.is_finite();
        drawable.then(|| {
            [
                across.clamp(-MAX_COORDINATE, MAX_COORDINATE),
                up.clamp(-MAX_COORDINATE, MAX_COORDINATE),
            ]
        })
    }

    /// Shrinks the plot until one unit has the same length on both axes.
    ///
    /// No side shrinks below `MIN_SHARE` of its length. The axis of such a side is widened instead.
    fn equalise(&mut self) {
        const MIN_SHARE: f64 = 0.3;
        let [x, y] = self.axes;
        let (width, height) = (self.area.width(), self.area.height());
        // The axis with more units per pixel keeps its length. With that many units per pixel the other one needs
        // span/unit pixels. If it gets more, its span grows by the factor pixels · unit / span.
        let unit = (x.span() / width).max(y.span() / height);
        let fit = |axis: Axis, length: f64| {
            let pixels = (axis.span() / unit).max(MIN_SHARE * length);
            (pixels, axis.stretched(pixels * unit / axis.span()))
        };
        let (fit_width, x) = fit(x, width);
        let (fit_height, y) = fit(y, height);
        self.axes = [x, y];
        let (dx, dy) = (0.5 * (width - fit_width), 0.5 * (height - fit_height));
        self.area = Area {
            left: self.area.left + dx,
            top: self.area.top + dy,
            right: self.area.right - dx,
            bottom: self.area.bottom - dy,
        };
    }
}

/// Colour bar beside the plot.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    pub(crate) area: Area,
    pub(crate) palette: Palette,
    pub(crate) ticks: Ticks,
    pub(crate) label: Block,
}

/// Positions and sizes of all parts of a chart.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) size: [f64; 2],
    pub(crate) frame: Frame,
    pub(crate) title: Block,
    pub(crate) labels: [Block; 2],
    pub(crate) ticks: [Ticks; 2],
    pub(crate) bar: Option<Bar>,
    /// Left edge of a legend outside the plot.
    pub(crate) legend_left: f64,
}

impl Layout {
    /// Computes the layout of a chart of a given size.
    pub(crate) fn of(chart: &Chart, legend: &Legend, size: [f64; 2]) -> Layout {
        let title = Block::fit(&chart.title, 0.94 * size[0] - MARGIN, TITLE_SIZE);
        let axes = chart.axes();
        let mut area = rough_area(chart, &axes[0], &title, size);
        area.left += Ticks::of(&axes[1], vertical(&area)).width();
        area.right -= bar(chart, &area).as_ref().map_or(0.0, bar_width);
        if chart.legend == Corner::Outside {
            let [width, _] = legend.fitted([0.45 * size[0], area.height()]).size();
            area.right -= width + MARGIN;
        }
        area.right = area.right.max(area.left + MIN_SIDE);
        let mut frame = Frame { area, axes };
        if chart.equal {
            frame.equalise();
        }
        Layout::around(frame, chart, title, size)
    }

    /// Completes the layout around a plot rectangle.
    fn around(frame: Frame, chart: &Chart, title: Block, size: [f64; 2]) -> Layout {
        let ticks = [
            Ticks::of(&frame.axes[0], horizontal(frame.area.width())),
            Ticks::of(&frame.axes[1], vertical(&frame.area)),
        ];
        let bar = bar(chart, &frame.area);
        Layout {
            size,
            title,
            labels: labels(chart, &frame.area, &ticks[0], size),
            legend_left: frame.area.right + bar.as_ref().map_or(0.0, bar_width) + MARGIN,
            frame,
            ticks,
            bar,
        }
    }

    /// Returns the coordinate y of the powers of ten above the plot.
    pub(crate) fn factor_height(&self) -> f64 {
        self.frame.area.top - 0.75 * TICK_SIZE
    }

    /// Returns the lower edge of the title, above the powers of ten if there are any.
    pub(crate) fn title_bottom(&self) -> f64 {
        let bar = self.bar.as_ref();
        let factors = [Some(&self.ticks[1].factor), bar.map(|b| &b.ticks.factor)];
        match factors.into_iter().flatten().any(|f| !f.is_empty()) {
            true => self.frame.area.top - FACTOR_ROW,
            false => self.frame.area.top - 6.0,
        }
    }
}

/// Height reserved for powers of ten above the plot.
const FACTOR_ROW: f64 = 1.4 * TICK_SIZE;

/// Returns the extent of a horizontal axis of this length.
fn horizontal(length: f64) -> Extent {
    Extent {
        length,
        horizontal: true,
    }
}

/// Returns the extent of a vertical axis along a rectangle.
fn vertical(area: &Area) -> Extent {
    Extent {
        length: area.height(),
        horizontal: false,
    }
}

/// Returns the plot rectangle before the widths of tick labels, colour bar and legend are subtracted.
fn rough_area(chart: &Chart, x: &Axis, title: &Block, [width, height]: [f64; 2]) -> Area {
    let line = LABEL_SIZE * font::LEADING;
    let row = |text: &str| if text.is_empty() { 0.0 } else { line + 4.0 };
    let ticks = TICK_LENGTH + TICK_GAP;
    // The power of ten of the x axis shares the row of the label.
    let factor = Ticks::of(x, horizontal(0.7 * width)).factor;
    let label = format!("{}{factor}", chart.labels[0]);
    let area = Area {
        left: MARGIN + row(&chart.labels[1]) + ticks,
        top: MARGIN + title.height() + FACTOR_ROW,
        right: width - 2.0 * MARGIN,
        bottom: height - MARGIN - row(&label) - TICK_SIZE - ticks,
    };
    Area {
        right: area.right.max(area.left + MIN_SIDE),
        bottom: area.bottom.max(area.top + MIN_SIDE),
        ..area
    }
}

/// Returns the axis labels on one line each, reduced in size if they are too long.
fn labels(chart: &Chart, area: &Area, x_ticks: &Ticks, size: [f64; 2]) -> [Block; 2] {
    let aside = 2.0 * (font::width(&x_ticks.factor, TICK_SIZE) + MARGIN);
    let one_line = |text: &str, available: f64| {
        let wide = font::width(text, LABEL_SIZE).max(1.0);
        let shrink = (available / wide).min(1.0);
        Block::fit(text, available.max(wide) + 1.0, LABEL_SIZE * shrink)
    };
    let x_available = match x_ticks.factor.is_empty() {
        true => area.width() + MARGIN,
        false => area.width() - aside,
    };
    let y_available = (2.0 * area.centre()[1].min(size[1] - area.centre()[1])) - 2.0 * MARGIN;
    [
        one_line(&chart.labels[0], x_available),
        one_line(&chart.labels[1], y_available),
    ]
}

/// Returns the colour bar of the last heat map, to the right of a plot rectangle.
fn bar(chart: &Chart, area: &Area) -> Option<Bar> {
    let (field, palette) = chart.layers.iter().rev().find_map(|layer| match layer {
        Layer::Heat(field, palette) => Some((field, *palette)),
        _ => None,
    })?;
    let [lower, upper] = chart.colour_span(field, palette);
    let axis = Axis {
        lower,
        upper,
        log: false,
        whole: false,
    };
    let left = area.right + BAR[0];
    Some(Bar {
        area: Area {
            left,
            right: left + BAR[1],
            ..*area
        },
        palette,
        ticks: Ticks::of(&axis, vertical(area)),
        label: Block::fit(&chart.colour_label, area.height(), LABEL_SIZE),
    })
}

/// Returns the width of the colour bar with all its text.
fn bar_width(bar: &Bar) -> f64 {
    let factor = font::width(&bar.ticks.factor, TICK_SIZE) - BAR[1];
    let text = bar.ticks.width() + TICK_LENGTH + TICK_GAP;
    BAR[0] + BAR[1] + text.max(factor) + bar.label.height()
}
