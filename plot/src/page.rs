//! Pages: charts in a grid, written as PNG and SVG.

use crate::canvas::{Canvas, Drawn};
use crate::chart::Chart;
use crate::error::{Error, Result};
use crate::font::Block;
use crate::layer::Point;
use crate::{decor, draw, output};
use plotters::backend::DrawingBackend;
use std::path::{Path, PathBuf};

/// Size of page titles in pixels.
const TITLE_SIZE: f64 = 22.0;
/// Smallest and largest side of a chart in nominal pixels.
const SIDES: [u32; 2] = [120, 4000];

/// Charts in a grid with a fixed number of columns, filled row by row.
///
/// ```
/// use pullback_plot::{Chart, Field2, Levels, Page, Palette, PALETTE};
///
/// let cost = |x: f64, y: f64| (1.0 - x).powi(2) + 20.0 * (y - x * x).powi(2);
/// let field = Field2::sample([-1.5, 1.5], [-0.5, 1.5], [60, 40], cost);
/// let steps = [[-1.2, 1.0], [-1.0, 1.1], [0.2, -0.1], [0.8, 0.6], [1.0, 1.0]];
/// let chart = Chart::new("Descent in a curved valley")
///     .labels("θ₁", "θ₂")
///     .heat(field.clone(), Palette::Sequential)
///     .contours(field, Levels::Log(6))
///     .path("Gauss-Newton", &steps, PALETTE[1]);
/// let folder = std::env::temp_dir().join(format!("pullback-valley-{}", std::process::id()));
/// let [png, svg] = Page::new(1).chart(chart).chart_size(320, 260).save(&folder.join("valley"))?;
/// assert!(png.exists() && svg.exists());
/// # std::fs::remove_dir_all(folder).ok();
/// # Ok::<(), pullback_plot::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Page {
    columns: usize,
    title: String,
    description: String,
    lettered: bool,
    charts: Vec<Chart>,
    chart_size: [u32; 2],
}

impl Page {
    /// Creates an empty page with the given number of columns, where 0 counts as 1.
    pub fn new(columns: usize) -> Page {
        Page {
            columns: columns.max(1),
            title: String::new(),
            description: String::new(),
            lettered: false,
            charts: Vec::new(),
            chart_size: [640, 520],
        }
    }

    /// Returns whether the page has no chart.
    pub fn is_empty(&self) -> bool {
        self.charts.is_empty()
    }

    /// Sets a title above all charts.
    pub fn title(mut self, title: &str) -> Page {
        self.title = title.to_string();
        self
    }

    /// Sets the text that screen readers say in place of an SVG, and that browsers show where the pointer rests. By default
    /// there is none.
    pub fn description(mut self, description: &str) -> Page {
        self.description = description.to_string();
        self
    }

    /// Adds a chart at the next position of the grid.
    pub fn chart(mut self, chart: Chart) -> Page {
        self.charts.push(chart);
        self
    }

    /// Sets width and height of each chart in nominal pixels, 640 × 520 by default.
    ///
    /// Width and height are clamped to 120..=4000. The PNG has twice as many pixels in each direction.
    pub fn chart_size(mut self, width: u32, height: u32) -> Page {
        self.chart_size = [width, height].map(|side| side.clamp(SIDES[0], SIDES[1]));
        self
    }

    /// Puts (a), (b), … before the titles of the first 26 charts.
    pub fn lettered(mut self) -> Page {
        self.lettered = true;
        self
    }

    /// Writes `stem.png` and `stem.svg`, creating their folder if necessary, and returns both paths.
    ///
    /// # Errors
    /// Fails with [`Error::Layer`] if a layer contradicts itself: a field whose values do not match its shape, or bars
    /// whose edges do not match their heights. Fails with [`Error::Write`] if a file or its folder cannot be written,
    /// and with [`Error::Backend`] if the drawing library fails.
    pub fn save(&self, stem: &Path) -> Result<[PathBuf; 2]> {
        self.check(stem)?;
        if let Some(folder) = stem.parent() {
            std::fs::create_dir_all(folder).map_err(|source| Error::Write {
                path: folder.to_path_buf(),
                source,
            })?;
        }
        // The extension is appended, because `Path::with_extension` would cut a stem such as `alpha0.5` at
        // its dot.
        let [png, svg] = [".png", ".svg"].map(|ending| {
            let mut name = stem.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        });
        let sheet = Sheet::of(self);
        output::png(&sheet, &png)?;
        output::svg(&sheet, &svg)?;
        Ok([png, svg])
    }
}

impl Page {
    /// Returns the page as the text of an SVG, to be written into an HTML page.
    ///
    /// ```
    /// use pullback_plot::{Chart, PALETTE, Page, Stroke};
    /// let chart = Chart::new("").line("", &[[0.0, 1.0], [1.0, 0.0]], Stroke::solid(PALETTE[0]));
    /// let svg = Page::new(1).chart(chart).description("A line that falls").svg()?;
    /// assert!(svg.starts_with("<svg") && svg.contains("<title>A line that falls</title>"));
    /// # Ok::<(), pullback_plot::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails as [`save`](Self::save) does, except for files.
    pub fn svg(&self) -> Result<String> {
        let place = Path::new("a picture");
        self.check(place)?;
        output::vector(&Sheet::of(self)).map_err(|reason| output::backend_error(place, reason))
    }

    /// Fails if a layer contradicts itself.
    fn check(&self, stem: &Path) -> Result<()> {
        for chart in &self.charts {
            if let Some(fault) = chart.fault() {
                let (path, chart) = (stem.to_path_buf(), chart.title.clone());
                return Err(Error::Layer { path, chart, fault });
            }
        }
        Ok(())
    }
}

/// Page with its size, and with its title broken into lines.
pub(crate) struct Sheet {
    pub(crate) size: [u32; 2],
    pub(crate) chart_size: [u32; 2],
    pub(crate) description: String,
    title: Block,
    charts: Vec<Chart>,
    columns: usize,
}

impl Sheet {
    /// Computes the size of a page, and letters its charts.
    fn of(page: &Page) -> Sheet {
        let columns = page.columns.min(page.charts.len()).max(1);
        let rows = page.charts.len().div_ceil(columns).max(1);
        let width = columns as u32 * page.chart_size[0];
        let title = Block::fit(&page.title, f64::from(width) - 24.0, TITLE_SIZE);
        let mut charts = page.charts.clone();
        for (chart, letter) in charts.iter_mut().zip('a'..='z').filter(|_| page.lettered) {
            chart.title = format!("({letter})  {}", chart.title);
        }
        let mut sheet = Sheet {
            size: [width, 0],
            chart_size: page.chart_size,
            description: page.description.clone(),
            title,
            charts,
            columns,
        };
        sheet.size[1] = sheet.head() + rows as u32 * page.chart_size[1];
        sheet
    }

    /// Returns the height of the title above the charts.
    fn head(&self) -> u32 {
        match self.title.lines.is_empty() {
            true => 0,
            false => (self.title.height() + 14.0).ceil() as u32,
        }
    }

    /// Returns the charts with their upper left corners in nominal pixels.
    pub(crate) fn places(&self) -> impl Iterator<Item = ([u32; 2], &Chart)> {
        self.charts.iter().enumerate().map(|(k, chart)| {
            let (row, column) = ((k / self.columns) as u32, (k % self.columns) as u32);
            let left = column * self.chart_size[0];
            ([left, self.head() + row * self.chart_size[1]], chart)
        })
    }

    /// Draws the title of the page.
    pub(crate) fn draw_title<B: DrawingBackend>(&self, canvas: &mut Canvas<B>) -> Drawn {
        let foot: Point = [0.5 * f64::from(self.size[0]), f64::from(self.head()) - 4.0];
        decor::lines(canvas, &self.title, foot)
    }

    /// Draws one chart at the origin of the canvas.
    pub(crate) fn draw_chart<B: DrawingBackend>(
        &self,
        canvas: &mut Canvas<B>,
        chart: &Chart,
    ) -> Drawn {
        draw::chart(canvas, chart, self.chart_size.map(f64::from))
    }

    /// Returns the size of the strip that holds the title.
    pub(crate) fn title_size(&self) -> [u32; 2] {
        [self.size[0], self.head()]
    }
}
