//! How the space of a chart is divided between plot, labels, colour bar and legend.

use crate::axis::Axis;
use crate::chart::{Chart, Corner};
use crate::clip::Area;
use crate::colour::Palette;
use crate::font;
use crate::font::Block;
use crate::layer::{Layer, Point};
use crate::legend::Legend;
use crate::ticks::{Room, TICK_SIZE, Ticks};

/// Height of axis labels in pixels.
const LABEL_SIZE: f64 = 16.0;
/// Height of chart titles in pixels.
const TITLE_SIZE: f64 = 18.0;
/// Length of a tick mark.
pub(crate) const TICK_LENGTH: f64 = 5.0;
/// Distance between a tick mark and its label.
pub(crate) const TICK_GAP: f64 = 4.0;
/// White space around the whole chart.
const RIM: f64 = 9.0;
/// Distance from the plot to the colour bar, and width of the bar.
const BAR: [f64; 2] = [14.0, 13.0];
/// A page too small for its labels keeps at least a stamp of a plot.
const SMALLEST: f64 = 40.0;
/// No curve needs coordinates beyond this to leave the page.
const FAR: f64 = 1e7;

/// The plot rectangle and its axes.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) area: Area,
    pub(crate) axes: [Axis; 2],
}

impl Frame {
    /// Where a data point lies on the page; none where it cannot be drawn.
    pub(crate) fn place(&self, [x, y]: Point) -> Option<Point> {
        let across = self.area.left + self.axes[0].fraction(x) * self.area.width();
        let up = self.area.bottom - self.axes[1].fraction(y) * self.area.height();
        let drawable = across.is_finite() && up.is_finite();
        drawable.then(|| [across.clamp(-FAR, FAR), up.clamp(-FAR, FAR)])
    }

    /// Shrinks the plot, or widens an axis where the plot would become a sliver, until one unit
    /// has the same length both ways.
    fn equalise(&mut self) {
        const SLIMMEST: f64 = 0.3;
        let [x, y] = self.axes;
        let (width, height) = (self.area.width(), self.area.height());
        let unit = (x.span() / width).max(y.span() / height);
        let fit = |axis: Axis, length: f64| {
            let ideal = (axis.span() / unit).max(SLIMMEST * length);
            (ideal, axis.stretched(ideal * unit / axis.span()))
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

/// The colour bar beside the plot.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    pub(crate) area: Area,
    pub(crate) palette: Palette,
    pub(crate) ticks: Ticks,
    pub(crate) label: Block,
}

/// Everything whose place and size follow from the chart and its size.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) size: [f64; 2],
    pub(crate) frame: Frame,
    pub(crate) title: Block,
    pub(crate) labels: [Block; 2],
    pub(crate) ticks: [Ticks; 2],
    pub(crate) bar: Option<Bar>,
    /// Left edge of the legend, where it stands outside.
    pub(crate) legend_left: f64,
}

impl Layout {
    pub(crate) fn of(chart: &Chart, legend: &Legend, size: [f64; 2]) -> Layout {
        let title = Block::fit(&chart.title, 0.94 * size[0] - RIM, TITLE_SIZE);
        let axes = chart.axes();
        let mut area = rough_area(chart, &axes[0], &title, size);
        area.left += Ticks::of(&axes[1], upright(&area)).width();
        area.right -= bar(chart, &area).as_ref().map_or(0.0, bar_width);
        if chart.legend == Corner::Outside {
            let [width, _] = legend.fitted([0.45 * size[0], area.height()]).size();
            area.right -= width + RIM;
        }
        area.right = area.right.max(area.left + SMALLEST);
        let mut frame = Frame { area, axes };
        if chart.equal {
            frame.equalise();
        }
        Layout::around(frame, chart, title, size)
    }

    /// The layout once the plot has its place.
    fn around(frame: Frame, chart: &Chart, title: Block, size: [f64; 2]) -> Layout {
        let ticks = [
            Ticks::of(&frame.axes[0], level(frame.area.width())),
            Ticks::of(&frame.axes[1], upright(&frame.area)),
        ];
        let bar = bar(chart, &frame.area);
        Layout {
            size,
            title,
            labels: labels(chart, &frame.area, &ticks[0], size),
            legend_left: frame.area.right + bar.as_ref().map_or(0.0, bar_width) + RIM,
            frame,
            ticks,
            bar,
        }
    }

    /// The line on which powers of ten stand, above the plot.
    pub(crate) fn factor_height(&self) -> f64 {
        self.frame.area.top - 0.75 * TICK_SIZE
    }

    /// Lower edge of the title.
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

fn level(length: f64) -> Room {
    Room {
        length,
        horizontal: true,
    }
}

fn upright(area: &Area) -> Room {
    Room {
        length: area.height(),
        horizontal: false,
    }
}

/// The plot rectangle as far as it is known without the widths of tick labels.
fn rough_area(chart: &Chart, x: &Axis, title: &Block, [width, height]: [f64; 2]) -> Area {
    let line = LABEL_SIZE * font::LEADING;
    let row = |text: &str| if text.is_empty() { 0.0 } else { line + 4.0 };
    let ticks = TICK_LENGTH + TICK_GAP;
    // The power of ten of the x axis shares the row of the label.
    let factor = Ticks::of(x, level(0.7 * width)).factor;
    let label = format!("{}{factor}", chart.labels[0]);
    let area = Area {
        left: RIM + row(&chart.labels[1]) + ticks,
        top: RIM + title.height() + FACTOR_ROW,
        right: width - 2.0 * RIM,
        bottom: height - RIM - row(&label) - TICK_SIZE - ticks,
    };
    Area {
        right: area.right.max(area.left + SMALLEST),
        bottom: area.bottom.max(area.top + SMALLEST),
        ..area
    }
}

/// Axis labels on one line each, made smaller where they are too long.
fn labels(chart: &Chart, area: &Area, x_ticks: &Ticks, size: [f64; 2]) -> [Block; 2] {
    let aside = 2.0 * (font::width(&x_ticks.factor, TICK_SIZE) + RIM);
    let one_line = |text: &str, room: f64| {
        let wide = font::width(text, LABEL_SIZE).max(1.0);
        let shrink = (room / wide).min(1.0);
        Block::fit(text, room.max(wide) + 1.0, LABEL_SIZE * shrink)
    };
    let x_room = match x_ticks.factor.is_empty() {
        true => area.width() + RIM,
        false => area.width() - aside,
    };
    let y_room = (2.0 * area.centre()[1].min(size[1] - area.centre()[1])) - 2.0 * RIM;
    [
        one_line(&chart.labels[0], x_room),
        one_line(&chart.labels[1], y_room),
    ]
}

/// The colour bar to the right of a plot rectangle, for the last heat map.
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
    };
    let left = area.right + BAR[0];
    Some(Bar {
        area: Area {
            left,
            right: left + BAR[1],
            ..*area
        },
        palette,
        ticks: Ticks::of(&axis, upright(area)),
        label: Block::fit(&chart.colour_label, area.height(), LABEL_SIZE),
    })
}

/// Width that the colour bar takes with all its text.
fn bar_width(bar: &Bar) -> f64 {
    let factor = font::width(&bar.ticks.factor, TICK_SIZE) - BAR[1];
    let text = bar.ticks.width() + TICK_LENGTH + TICK_GAP;
    BAR[0] + BAR[1] + text.max(factor) + bar.label.height()
}
