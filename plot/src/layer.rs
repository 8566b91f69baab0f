//! Layers of a chart: curves, markers, bands, bars and fields.

use crate::colour::{Colour, Palette};
use crate::error::Fault;
use crate::field::{Field2, Levels};

/// Point, given by its coordinates x and y.
pub type Point = [f64; 2];

/// Style of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stroke {
    /// Colour of the line.
    pub colour: Colour,
    /// Width of the line in nominal pixels.
    pub width: f64,
    /// Whether the line is dashed.
    pub dash: bool,
}

impl Stroke {
    /// Returns the style of a solid line of the default width.
    pub const fn solid(colour: Colour) -> Stroke {
        Stroke {
            colour,
            width: 1.8,
            dash: false,
        }
    }

    /// Returns the style of a dashed line of the default width.
    pub const fn dashed(colour: Colour) -> Stroke {
        Stroke {
            colour,
            width: 1.8,
            dash: true,
        }
    }

    /// Sets the width of the line in nominal pixels.
    pub const fn width(self, width: f64) -> Stroke {
        Stroke { width, ..self }
    }
}

/// Shape of a marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// Filled disc.
    Dot,
    /// Diagonal cross.
    Cross,
    /// Filled five-pointed star.
    Star,
    /// Hollow circle.
    Circle,
    /// Filled square.
    Square,
}

/// Element of a chart: its label, its data and its style.
#[derive(Clone, Debug)]
pub(crate) enum Layer {
    Line(String, Vec<Point>, Stroke),
    Path(String, Vec<Point>, Colour),
    Markers(String, Vec<Point>, Colour, Marker),
    Band(String, Vec<[f64; 3]>, Colour),
    Bars(String, Bars),
    Heat(Field2, Palette),
    Contours(Field2, Levels),
    Categories(String, Field2, Vec<(Colour, String)>),
}

/// Histogram bars between consecutive edges.
#[derive(Clone, Debug)]
pub(crate) struct Bars {
    pub(crate) edges: Vec<f64>,
    pub(crate) heights: Vec<f64>,
    pub(crate) colour: Colour,
}

impl Layer {
    /// Returns the field of the layer, if the layer has a field.
    pub(crate) fn field(&self) -> Option<&Field2> {
        match self {
            Layer::Heat(field, _) | Layer::Contours(field, _) => Some(field),
            Layer::Categories(_, field, _) => Some(field),
            _ => None,
        }
    }

    /// Returns whether the layer fills its window and is therefore drawn beneath the curves.
    pub(crate) fn covers(&self) -> bool {
        matches!(self, Layer::Heat(..) | Layer::Categories(..))
    }

    /// Returns the points of the layer that the automatic ranges contain.
    pub(crate) fn points(&self) -> Vec<Point> {
        match self {
            Layer::Line(_, points, _) | Layer::Path(_, points, _) => points.clone(),
            Layer::Markers(_, points, ..) => points.clone(),
            Layer::Band(_, rows, _) => rows
                .iter()
                .flat_map(|[x, low, high]| [[*x, *low], [*x, *high]])
                .collect(),
            Layer::Bars(_, bars) => bars.points(),
            Layer::Heat(..) | Layer::Contours(..) | Layer::Categories(..) => Vec::new(),
        }
    }

    /// Returns the contradiction in the layer, if there is one.
    pub(crate) fn fault(&self) -> Option<Fault> {
        let Layer::Bars(_, all) = self else {
            return self.field().and_then(Field2::fault);
        };
        let (bars, edges) = (all.heights.len(), all.edges.len());
        (edges != bars + 1).then_some(Fault::Bars { bars, edges })
    }
}

impl Bars {
    /// Returns the corners of the bars.
    fn points(&self) -> Vec<Point> {
        let pairs = self.edges.windows(2).zip(&self.heights);
        pairs
            .flat_map(|(pair, height)| {
                let (left, right) = (pair[0], pair[1]);
                [[left, 0.0], [left, *height], [right, *height]]
            })
            .collect()
    }
}
