//! HTML pages about runs: one file without scripts that needs no network.
//!
//! A [`Page`] shows how a run ended, the parameters with their errors and correlations, what the data leave undetermined,
//! residuals, convergence, cost, and the settings with which the run can be repeated. [`Report::page`] collects what the run
//! knows:
//!
//! ```
//! use pullback::automatic::{Curve, Formula, Scalar};
//! use pullback::posterior::Variance;
//! use pullback::{Descent, loss::L2Misfit};
//! /// y = a + b t.
//! struct Line;
//! impl Formula for Line {
//!     fn dims(&self) -> (usize, usize) { (5, 2) }
//!     fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
//!         for (t, y) in out.iter_mut().enumerate() { *y = theta[0] + theta[1] * t as f64; }
//!     }
//! }
//! let (curve, loss) = (Curve::new(Line), L2Misfit::euclidean(vec![1.1, 2.9, 5.2, 6.8, 9.1])?);
//! let descent = Descent::new(&curve, &loss);
//! let report = descent.run(&[0.0, 0.0], |_| ())?;
//! let table = report.estimates(&descent, Variance::Estimated)?.named(&["a", "b"])?;
//!
//! let file = std::env::temp_dir().join(format!("pullback-line-{}.html", std::process::id()));
//! report.page(&descent)?.title("A line").estimates(&table).write(&file)?;
//! assert!(std::fs::read_to_string(&file).is_ok_and(|page| page.contains("1.990 ± 0.060")));
//! # std::fs::remove_file(file).ok();
//! # Ok::<(), pullback::Error>(())
//! ```

mod combinations;
mod content;
mod convergence;
mod cost;
mod document;
mod error;
mod figure;
mod markup;
mod outcome;
mod parameters;
mod residuals;
mod summary;
mod uncertainty;

use std::path::Path;

use self::content::Content;
pub use self::error::PageError;
pub use self::summary::{Accuracy, Step, Summary};
use crate::check;
use crate::curvature::Combinations;
use crate::descent::{Descent, Report};
use crate::error::Result;
use crate::posterior::Estimates;

/// HTML page about a run, described in builder style. Every text is escaped.
///
/// Pages of equal runs have equal bytes, except for times. These are in elements of the class `seconds`.
#[must_use = "a page is not written by itself"]
#[derive(Clone, Debug)]
pub struct Page<'a>(Content<'a>);

impl Report {
    /// Returns a page about this run, with the residuals of the data if the loss compares single data. Pass the `descent` that
    /// produced this report. Add [estimates](Page::estimates) for standard errors.
    ///
    /// # Errors
    /// Fails if the loss cannot be computed at the best point.
    pub fn page(&self, descent: &Descent<'_>) -> Result<Page<'_>> {
        let mut page = Page::new(Summary::from(self));
        if let Some(residuals) = descent.loss().residuals(&self.rho)? {
            page = page.residuals(residuals);
        }
        let metric = self.history.first().map_or("none", |first| first.metric);
        let limits = &self.tolerances;
        let tests = [
            ("decrease", limits.decrease),
            ("step", limits.step),
            ("loss", limits.loss),
            ("gradient", limits.gradient),
        ];
        let tests = tests.into_iter().filter(|(_, limit)| *limit != 0.0);
        let tests = tests.chain(limits.target.map(|target| ("target", target)));
        let mut tests: Vec<String> = tests.map(|(name, x)| format!("{name} {x:e}")).collect();
        tests.push(format!("at most {} steps", limits.iterations));
        Ok(page
            .setting("metric", metric)
            .setting("direction", descent.direction_name())
            .setting("tolerances", &tests.join(", "))
            .environment())
    }
}

impl<'a> Page<'a> {
    /// Creates a page from a summary.
    pub fn new(summary: Summary<'a>) -> Self {
        Self(Content::new(summary))
    }

    /// Sets the title.
    pub fn title(mut self, title: &str) -> Self {
        self.0.title = title.to_string();
        self
    }

    /// Sets the names of the parameters.
    ///
    /// # Errors
    /// Fails if there is not one name per parameter.
    pub fn names(mut self, names: &[impl AsRef<str>]) -> Result<Self> {
        let count = self.0.summary.theta.len();
        check::length("the names of the parameters", names.len(), count)?;
        self.0.names = names.iter().map(|name| name.as_ref().to_string()).collect();
        Ok(self)
    }

    /// Adds the table of estimates, with its names of the parameters.
    pub fn estimates(self, estimates: &Estimates) -> Self {
        let mut page = self.accuracy(Ok(estimates.into()));
        page.0.names = estimates.names().to_vec();
        page
    }

    /// Adds the uncertainty of the parameters, or a sentence why there is none.
    pub fn accuracy(mut self, accuracy: std::result::Result<Accuracy, String>) -> Self {
        self.0.accuracy = accuracy;
        self
    }

    /// Adds which combinations of the parameters the data determine, and which they do not see.
    pub fn combinations(mut self, seen: &Combinations) -> Self {
        self.0.combinations = Some(seen.clone());
        self
    }

    /// Sets the residuals, in units of the noise in the loss. Those that are not finite are counted and left out.
    pub fn residuals(mut self, residuals: Vec<f64>) -> Self {
        self.0.residuals = Some(residuals);
        self
    }

    /// Draws the residuals against these values, such as times, in place of their index.
    pub fn against(mut self, label: &str, values: Vec<f64>) -> Self {
        self.0.abscissa = Some((label.to_string(), values));
        self
    }

    /// Draws the parameters as a field on a grid with these numbers of cells. The last axis is the fastest.
    pub fn field(mut self, shape: &[usize]) -> Self {
        self.0.shape = shape.to_vec();
        self
    }

    /// Adds a picture, given as the text of an SVG, such as [`plot::Page::svg`](crate::plot::Page::svg) returns.
    pub fn picture(mut self, title: &str, svg: &str) -> Self {
        self.0.pictures.push((title.to_string(), svg.to_string()));
        self
    }

    /// Adds a line to the table of settings.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.0.settings.push((name.to_string(), value.to_string()));
        self
    }

    /// Adds the version of the library, the system and the number of threads to the table of settings.
    pub fn environment(self) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
        self.setting("pullback", env!("CARGO_PKG_VERSION"))
            .setting("system", &system)
            .setting("threads", &threads.to_string())
    }

    /// Returns the page as a text.
    ///
    /// # Errors
    /// Fails if parts have different numbers of parameters or data, or if a picture cannot be drawn.
    pub fn html(&self) -> Result<String> {
        self.0.check()?;
        document::whole(&self.0)
    }

    /// Returns a short form for a cell of a notebook: outcome, parameters and the course of the objective.
    ///
    /// # Errors
    /// Fails as [`html`](Self::html) does.
    pub fn short(&self) -> Result<String> {
        self.0.check()?;
        document::short(&self.0)
    }

    /// Writes the page to a file, and replaces an earlier file only when the page is complete.
    ///
    /// # Errors
    /// Fails as [`html`](Self::html) does, and with [`PageError::Write`] if the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        let (text, path) = (self.html()?, path.as_ref());
        let mut partial = path.as_os_str().to_owned();
        partial.push(format!(".{}", std::process::id()));
        let written = std::fs::write(&partial, text).and_then(|()| std::fs::rename(&partial, path));
        written.map_err(|source| {
            // The first error is reported. The temporary file may not exist.
            let _ = std::fs::remove_file(&partial);
            let path = path.to_path_buf();
            PageError::Write { path, source }.into()
        })
    }
}
