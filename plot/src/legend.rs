//! Legend: entries, size and drawing.

use crate::canvas::{Canvas, Drawn, Ink};
use crate::chart::{Chart, Corner};
use crate::clip::Area;
use crate::colour::Colour;
use crate::frame::Layout;
use crate::layer::{Layer, Marker, Point, Stroke};
use crate::text::Setting;
use crate::{draw, font};
use plotters::backend::DrawingBackend;
use plotters::style::text_anchor::HPos;

/// Size of legend text at scale 1.
const TEXT: f64 = 14.5;
/// Height of a legend entry at scale 1.
const ROW: f64 = 20.0;
/// Width of the sample and gap between sample and text, at scale 1.
const SAMPLE: [f64; 2] = [30.0, 8.0];
/// Safety factor on the width of the text, for SVG viewers with a wider font.
const SAFETY: f64 = 1.07;
/// Padding inside the legend box.
const PAD: f64 = 7.0;
/// Distance of the legend box from the axes.
const INSET: f64 = 9.0;

/// Symbol beside a legend text.
#[derive(Clone, Copy, Debug)]
enum Sample {
    Line(Stroke),
    Path(Colour),
    Marker(Colour, Marker),
    Patch(Ink),
    Heading,
}

/// Entries of a legend and the scale at which they are drawn.
#[derive(Clone, Debug)]
pub(crate) struct Legend {
    entries: Vec<(String, Sample)>,
    scale: f64,
}

impl Legend {
    /// Collects the entries of all labelled layers.
    pub(crate) fn of(chart: &Chart) -> Legend {
        let entries = match chart.legend {
            Corner::None => Vec::new(),
            _ => chart.layers.iter().flat_map(entries).collect(),
        };
        Legend {
            entries,
            scale: 1.0,
        }
    }

    /// Reduces the scale until the legend fits a width and a height.
    pub(crate) fn fitted(&self, [width, height]: [f64; 2]) -> Legend {
        let [full_width, full_height] = Legend {
            scale: 1.0,
            ..self.clone()
        }
        .size();
        let share = |available: f64, full: f64| if full > 0.0 { available / full } else { 1.0 };
        let scale = share(width, full_width).min(share(height, full_height));
        Legend {
            scale: scale.clamp(0.05, 1.0),
            ..self.clone()
        }
    }

    /// Returns the width and height of the legend box, or zero without entries.
    pub(crate) fn size(&self) -> [f64; 2] {
        if self.entries.is_empty() {
            return [0.0, 0.0];
        }
        let widths = self
            .entries
            .iter()
            .map(|(label, sample)| sample.indent() + font::width(label, TEXT));
        let width = widths.fold(0.0, f64::max) * SAFETY + 2.0 * PAD;
        // The outer rows overlap the padding by two pixels each.
        let height = ROW * self.entries.len() as f64 + 2.0 * PAD - 4.0;
        [width * self.scale, height * self.scale]
    }

    /// Draws the legend at a corner, reduced in size if it does not fit.
    pub(crate) fn draw<B: DrawingBackend>(
        &self,
        canvas: &mut Canvas<B>,
        corner: Corner,
        layout: &Layout,
    ) -> Drawn {
        if self.entries.is_empty() {
            return Ok(());
        }
        let (frame, size) = (&layout.frame.area, layout.size);
        let available = match corner {
            Corner::Outside => [size[0] - layout.legend_left, size[1] - frame.top],
            _ => [frame.width() - 2.0 * INSET, frame.height() - 2.0 * INSET],
        };
        let legend = self.fitted(available);
        let area = legend.area(corner, layout);
        if corner != Corner::Outside {
            canvas.rect(&area, Ink(Colour::WHITE, 0.88))?;
            canvas.outline(&area.corners(), Colour(205, 205, 205), 0.8)?;
        }
        legend.rows(canvas, &area)
    }

    /// Draws the samples and texts of all entries.
    fn rows<B: DrawingBackend>(&self, canvas: &mut Canvas<B>, area: &Area) -> Drawn {
        let left = area.left + PAD * self.scale;
        let setting = Setting::new(TEXT * self.scale, HPos::Left);
        for (row, (label, sample)) in self.entries.iter().enumerate() {
            let middle = area.top + (PAD - 2.0 + (row as f64 + 0.5) * ROW) * self.scale;
            sample.draw(canvas, [left, middle], self.scale)?;
            let indent = sample.indent() * self.scale;
            canvas.text(label, [left + indent, middle], setting)?;
        }
        Ok(())
    }

    /// Returns the rectangle of the legend box.
    fn area(&self, corner: Corner, layout: &Layout) -> Area {
        let frame = &layout.frame.area;
        let [width, height] = self.size();
        let left = match corner {
            Corner::Outside => layout.legend_left,
            Corner::UpperLeft | Corner::LowerLeft => frame.left + INSET,
            _ => frame.right - INSET - width,
        };
        let top = match corner {
            Corner::Outside => frame.top,
            Corner::LowerLeft | Corner::LowerRight => frame.bottom - INSET - height,
            _ => frame.top + INSET,
        };
        Area {
            left,
            top,
            right: left + width,
            bottom: top + height,
        }
    }
}

/// Returns the legend entries of one layer.
fn entries(layer: &Layer) -> Vec<(String, Sample)> {
    let named = |label: &String, sample| match label.is_empty() {
        true => Vec::new(),
        false => vec![(label.clone(), sample)],
    };
    match layer {
        Layer::Line(label, _, stroke) => named(label, Sample::Line(*stroke)),
        Layer::Path(label, _, colour) => named(label, Sample::Path(*colour)),
        Layer::Markers(label, _, colour, marker) => named(label, Sample::Marker(*colour, *marker)),
        Layer::Band(label, _, colour) => named(label, Sample::Patch(Ink(*colour, draw::BAND))),
        Layer::Bars(label, bars) => named(label, Sample::Patch(Ink(bars.colour, draw::BARS))),
        Layer::Heat(..) | Layer::Contours(..) => Vec::new(),
        Layer::Categories(label, _, kinds) => {
            let patch = |(colour, name): &(Colour, String)| {
                (name.clone(), Sample::Patch(Ink(*colour, 1.0)))
            };
            let mut all = named(label, Sample::Heading);
            all.extend(kinds.iter().map(patch));
            all
        }
    }
}

impl Sample {
    /// Returns the distance from the left edge of the sample to the text, at scale 1.
    fn indent(self) -> f64 {
        match self {
            Sample::Heading => 0.0,
            _ => SAMPLE[0] + SAMPLE[1],
        }
    }

    /// Draws the sample with the middle of its left edge at `at`.
    fn draw<B: DrawingBackend>(self, canvas: &mut Canvas<B>, at: Point, scale: f64) -> Drawn {
        let [left, middle] = at;
        let width = SAMPLE[0] * scale;
        let centre = [left + 0.5 * width, middle];
        let ends = [at, [left + width, middle]];
        match self {
            Sample::Heading => Ok(()),
            Sample::Line(stroke) => draw::curve(canvas, &ends, stroke),
            Sample::Marker(colour, shape) => draw::marker(canvas, centre, colour, shape),
            Sample::Path(colour) => {
                let tips = [
                    [left + 5.0 * scale, middle],
                    [left + width - 5.0 * scale, middle],
                ];
                canvas.stroke(&tips, colour, draw::PATH_WIDTH)?;
                draw::start(canvas, tips[0], colour)?;
                draw::end(canvas, tips[1], colour)
            }
            Sample::Patch(ink) => {
                let patch = Area::about(centre, 0.35 * width, 0.27 * ROW * scale);
                canvas.rect(&patch, ink)?;
                canvas.outline(&patch.corners(), Colour::GREY, 0.6)
            }
        }
    }
}
