//! Description of a chart: labels, ranges and layers.

use crate::axis::Axis;
use crate::colour::{Colour, Palette};
use crate::error::Fault;
use crate::field::{Field2, Levels};
use crate::layer::{Bars, Layer, Marker, Point, Stroke};

/// Position of the legend of a chart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Corner {
    /// Legend inside the plot, upper right.
    #[default]
    UpperRight,
    /// Legend inside the plot, upper left.
    UpperLeft,
    /// Legend inside the plot, lower right.
    LowerRight,
    /// Legend inside the plot, lower left.
    LowerLeft,
    /// Legend to the right of the plot.
    Outside,
    /// No legend.
    None,
}

/// Pair of axes with its layers, described in builder style and drawn by a [`Page`](crate::Page).
///
/// A range that is not set follows the data with a small margin. If the chart has a field, the window of the
/// field is the range. Points that are not finite are omitted, and non-positive points on a logarithmic axis.
/// All layers are clipped to the ranges. Heat maps and maps of categories are drawn first, then all other
/// layers in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    pub(crate) title: String,
    pub(crate) labels: [String; 2],
    pub(crate) colour_label: String,
    pub(crate) colour_range: Option<[f64; 2]>,
    pub(crate) ranges: [Option<[f64; 2]>; 2],
    pub(crate) log: [bool; 2],
    pub(crate) whole_x: bool,
    pub(crate) equal: bool,
    pub(crate) legend: Corner,
    pub(crate) layers: Vec<Layer>,
}

impl Chart {
    /// Creates an empty chart. The title may be empty or have several lines.
    pub fn new(title: &str) -> Chart {
        Chart {
            title: title.to_string(),
            ..Chart::default()
        }
    }

    /// Sets the labels of both axes.
    pub fn labels(mut self, x: &str, y: &str) -> Chart {
        self.labels = [x.to_string(), y.to_string()];
        self
    }

    /// Sets the label of the colour bar.
    pub fn colour_label(mut self, label: &str) -> Chart {
        self.colour_label = label.to_string();
        self
    }

    /// Sets the range of values that the colours of heat maps span, so that several charts can share one colour scale.
    ///
    /// Values outside the range get the colour of the nearer end. A diverging map stays symmetric about zero. A range
    /// that is not finite is ignored.
    pub fn colour_range(mut self, from: f64, to: f64) -> Chart {
        let range = if from <= to { [from, to] } else { [to, from] };
        self.colour_range = Some(range);
        self
    }

    /// Sets the range of the x axis.
    pub fn x_range(mut self, from: f64, to: f64) -> Chart {
        self.ranges[0] = Some([from, to]);
        self
    }

    /// Sets the range of the y axis.
    pub fn y_range(mut self, from: f64, to: f64) -> Chart {
        self.ranges[1] = Some([from, to]);
        self
    }

    /// Makes the x axis logarithmic.
    pub fn log_x(mut self) -> Chart {
        self.log[0] = true;
        self
    }

    /// Makes the y axis logarithmic.
    pub fn log_y(mut self) -> Chart {
        self.log[1] = true;
        self
    }

    /// Puts the ticks of the x axis at whole numbers only, such as those of iterations.
    pub fn whole_x(mut self) -> Chart {
        self.whole_x = true;
        self
    }

    /// Gives one unit the same length on both axes (one decade, if both are logarithmic).
    pub fn equal_axes(mut self) -> Chart {
        self.equal = true;
        self
    }

    /// Sets the position of the legend, the upper right by default.
    pub fn legend(mut self, corner: Corner) -> Chart {
        self.legend = corner;
        self
    }

    /// Adds a line through the points. A layer with an empty label does not appear in the legend.
    pub fn line(self, label: &str, points: &[Point], stroke: Stroke) -> Chart {
        self.with(Layer::Line(label.to_string(), points.to_vec(), stroke))
    }

    /// Adds a trajectory: a line with dots at the points, a hollow diamond at the start and a large dot at the end.
    pub fn path(self, label: &str, points: &[Point], colour: Colour) -> Chart {
        self.with(Layer::Path(label.to_string(), points.to_vec(), colour))
    }

    /// Adds a marker at each point.
    pub fn markers(self, label: &str, points: &[Point], colour: Colour, shape: Marker) -> Chart {
        let label = label.to_string();
        self.with(Layer::Markers(label, points.to_vec(), colour, shape))
    }

    /// Adds a translucent band between two curves, such as an uncertainty. Each row holds x, lower and upper.
    pub fn band(self, label: &str, rows: &[[f64; 3]], colour: Colour) -> Chart {
        self.with(Layer::Band(label.to_string(), rows.to_vec(), colour))
    }

    /// Adds histogram bars: n heights between n + 1 edges.
    pub fn bars(self, label: &str, edges: &[f64], heights: &[f64], colour: Colour) -> Chart {
        let bars = Bars {
            edges: edges.to_vec(),
            heights: heights.to_vec(),
            colour,
        };
        self.with(Layer::Bars(label.to_string(), bars))
    }

    /// Adds a heat map with a colour bar.
    pub fn heat(self, field: Field2, palette: Palette) -> Chart {
        self.with(Layer::Heat(field, palette))
    }

    /// Adds thin grey level lines of a field.
    pub fn contours(self, field: Field2, levels: Levels) -> Chart {
        self.with(Layer::Contours(field, levels))
    }

    /// Adds a map that colours every cell by its category.
    ///
    /// Each value is an index into `kinds`, which the legend lists under the label. A cell with any other value stays
    /// empty.
    pub fn categories(self, label: &str, field: Field2, kinds: &[(Colour, &str)]) -> Chart {
        let kinds = kinds
            .iter()
            .map(|(colour, name)| (*colour, (*name).to_string()));
        self.with(Layer::Categories(label.to_string(), field, kinds.collect()))
    }

    /// Appends a layer to the chart.
    fn with(mut self, layer: Layer) -> Chart {
        self.layers.push(layer);
        self
    }

    /// Returns the values at the two ends of the colour scale of a heat map.
    pub(crate) fn colour_span(&self, field: &Field2, palette: Palette) -> [f64; 2] {
        let finite = |range: &[f64; 2]| range.iter().all(|v| v.is_finite());
        let given = self.colour_range.filter(finite);
        let [low, high] = given.or(field.extremes()).unwrap_or([0.0, 1.0]);
        palette.span(low, high)
    }

    /// Returns the first contradiction in a layer, if there is one.
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.layers.iter().find_map(Layer::fault)
    }

    /// Returns both axes, each with the range that was set, else the window of the fields, else a range around the
    /// points.
    pub(crate) fn axes(&self) -> [Axis; 2] {
        let points: Vec<Point> = self.layers.iter().flat_map(Layer::points).collect();
        let fields: Vec<&Field2> = self.layers.iter().filter_map(Layer::field).collect();
        [0, 1].map(|d| {
            let log = self.log[d];
            let sides = fields.iter().map(|f| if d == 0 { f.x } else { f.y });
            let window = sides.reduce(|a, b| [a[0].min(b[0]), a[1].max(b[1])]);
            // The cell centres replace an edge of the window that a logarithmic axis cannot show.
            let centres = fields.iter().flat_map(|f| centres(f, d));
            let data = Axis::around(points.iter().map(|p| p[d]).chain(centres), log);
            let data = match self.layers.iter().any(|l| matches!(l, Layer::Bars(..))) && d == 1 {
                true => data.standing_on_zero(points.iter().map(|p| p[d])),
                false => data,
            };
            let window = window.map_or(data, |window| Axis::exactly(window, data));
            let axis = self.ranges[d].map_or(window, |range| Axis::exactly(range, window));
            Axis {
                whole: d == 0 && self.whole_x,
                ..axis
            }
        })
    }
}

/// Returns the coordinates of the cell centres of a field along one axis.
fn centres(field: &Field2, axis: usize) -> Vec<f64> {
    let at = |k: usize| match axis {
        0 => field.centre(k, 0)[0],
        _ => field.centre(0, k)[1],
    };
    (0..field.shape[axis]).map(at).collect()
}
