//! Continuation over a growing window of time.

use super::{Continuation, End, Path, Progress, Rejection};
use crate::check;
use crate::descent::{Counts, Report, Stop};
use crate::error::Result;
use crate::evolution::{Dynamics, Evolution, Window};

/// Fits of an [`Evolution`] over longer and longer windows of time, each from the result of the last.
///
/// Over a short time all solutions look alike, and the loss has few optima. Over many periods it has many, and a fit from afar
/// ends in a wrong one. A fit over a short window gives parameters that are good enough for the next.
///
/// If a fit fails or does not converge, a window about half-way to it is tried, as [`Continuation`] does. First windows that end
/// before anything depends on some parameter, such as the time of a later event or the initial value of a later experiment, are
/// left out, and are among the [rejections](Path::rejected) of the path. To use them for the other parameters, add a prior in
/// them.
///
/// ```
/// use pullback::continuation::GrowingWindow;
/// use pullback::evolution::Evolution;
/// use pullback::models::dynamics::LotkaVolterra;
/// use pullback::{Descent, loss::L2Misfit};
///
/// let times = (1..=100).map(|i| 0.1 * f64::from(i)).collect();
/// let model = Evolution::new(LotkaVolterra::new([1.0, 1.0])?, times)?;
/// let data = model.predict(&[1.5, 1.0, 1.0, 3.0])?;
/// let start = [0.5; 4];
///
/// let whole = L2Misfit::euclidean(data.clone())?;
/// assert!(Descent::new(&model, &whole).run(&start, |_| ())?.loss > 10.0);
///
/// let windows = GrowingWindow::new(&model, &[1.0, 2.0, 5.0])?;
/// let path = windows.run(
///     &start,
///     |window, start| {
///         let loss = L2Misfit::euclidean(window.part(&data)?)?;
///         Descent::new(window.model(), &loss).run(start, |_| ())
///     },
///     |progress| println!("up to t = {}", progress.value),
/// )?;
/// assert!(path.reached(), "{path}");
/// assert!((path.last().report.theta[3] - 3.0).abs() < 1e-6);
/// # Ok::<(), pullback::Error>(())
/// ```
pub struct GrowingWindow<'m, D> {
    model: &'m Evolution<D>,
    /// Times of observation of all experiments.
    times: Vec<f64>,
    /// Numbers of these times in the windows.
    counts: Vec<f64>,
}

/// First window on which all parameters have an effect, with its fit, and the windows before it.
struct Begin {
    place: f64,
    outcome: Result<Report>,
    /// Windows on which some parameter has no effect.
    blind: Vec<Rejection>,
    /// Cost of the fits of these windows.
    counts: Counts,
}

impl<'m, D: Dynamics> GrowingWindow<'m, D> {
    /// Creates the windows with these ends, and after them the one with all observations.
    ///
    /// # Errors
    /// Fails if the ends do not increase, or if the first window holds no observation.
    pub fn new(model: &'m Evolution<D>, ends: &[f64]) -> Result<Self> {
        let all = model.experiments().iter().flat_map(|e| e.times().to_vec());
        let mut times: Vec<f64> = all.collect();
        times.sort_by(f64::total_cmp);
        times.dedup();
        let mut before = f64::NEG_INFINITY;
        for &end in ends {
            let remedy = "give ends in increasing order";
            check::option("the end of a window", end, end > before, remedy)?;
            before = end;
        }
        if let Some(&first) = ends.first() {
            let remedy = "let the first include at least one time of observation";
            check::option("the end of a window", first, first >= times[0], remedy)?;
        }
        let count = |end: &f64| times.partition_point(|time| time <= end) as f64;
        let mut counts: Vec<f64> = ends.iter().map(count).collect();
        counts.push(times.len() as f64);
        // Windows without a further observation are the same.
        counts.dedup();
        Ok(Self {
            model,
            times,
            counts,
        })
    }

    /// Runs the fits, the first from `theta`. `fit` fits a window from a start, and the observer is called after each fit.
    ///
    /// Values along the path are the ends of the windows. A path that ends early, at [`End::Stuck`], names the time to the next
    /// observation as its step.
    ///
    /// # Errors
    /// Fails if the first fit fails, with [`Error::NoStart`](crate::Error::NoStart) if it does not converge.
    pub fn run(
        &self,
        theta: &[f64],
        mut fit: impl FnMut(&Window<D>, &[f64]) -> Result<Report>,
        mut observer: impl FnMut(Progress<'_>),
    ) -> Result<Path> {
        // The continuation walks from window to window, at the places 0, 1, … A step that is shorter than half an observation
        // adds none.
        let pairs = self.counts.windows(2).map(|pair| pair[1] - pair[0]);
        let longest = pairs.fold(1.0, f64::max);
        let last = (self.counts.len() - 1) as f64;
        let mut problem =
            |place: f64, start: &[f64]| fit(&self.model.until(self.end(place))?, start);
        let mut observe = |progress: Progress<'_>| {
            let value = self.end(progress.value);
            observer(Progress { value, ..progress });
        };
        let begin = self.begin(theta, &mut problem, &mut observe);
        let places = Continuation::new(begin.place, last)
            .step(1.0)
            .smallest_step(0.5 / longest);
        let mut ready = Some(begin.outcome);
        let problem = |place: f64, start: &[f64]| match ready.take() {
            Some(first) => first,
            None => problem(place, start),
        };
        let mut path = places.run(theta, problem, observe)?;
        path.counts += begin.counts;
        path.rejected.splice(0..0, begin.blind);
        if let End::Stuck { step } = &mut path.end {
            let count = self.count(path.points[path.points.len() - 1].value);
            *step = self.times[count] - self.times[count - 1];
        }
        let named = path.points.iter_mut().map(|point| &mut point.value);
        let rejected = path.rejected.iter_mut().map(|run| &mut run.value);
        named
            .chain(rejected)
            .for_each(|value| *value = self.end(*value));
        Ok(path)
    }

    /// Fits the first windows, up to the first on which all parameters have an effect.
    fn begin(
        &self,
        theta: &[f64],
        problem: &mut dyn FnMut(f64, &[f64]) -> Result<Report>,
        observe: &mut dyn FnMut(Progress<'_>),
    ) -> Begin {
        let last = (self.counts.len() - 1) as f64;
        let (mut place, mut blind, mut counts) = (0.0, Vec::new(), Counts::default());
        loop {
            let outcome = problem(place, theta);
            let parameter = match &outcome {
                Ok(report) if place < last => unseen(report, theta),
                _ => None,
            };
            let (Some(parameter), Ok(report)) = (parameter, &outcome) else {
                return Begin {
                    place,
                    outcome,
                    blind,
                    counts,
                };
            };
            observe(Progress {
                value: place,
                fraction: 0.0,
                outcome: Ok(report),
            });
            counts += report.counts;
            blind.push(Rejection {
                value: place,
                reason: format!(
                    "nothing in this window depends on θ{parameter}; begin with a later window, or add a prior in this one"
                ),
            });
            place += 1.0;
        }
    }

    /// Returns the number of times in the window at a place, which may lie between two windows.
    fn count(&self, place: f64) -> usize {
        let below = (place.floor() as usize).min(self.counts.len() - 1);
        let above = (below + 1).min(self.counts.len() - 1);
        let share = place - below as f64;
        let (low, high) = (self.counts[below], self.counts[above]);
        (low + share * (high - low)).ceil() as usize
    }

    /// Returns the end of the window at a place.
    fn end(&self, place: f64) -> f64 {
        self.times[self.count(place) - 1]
    }
}

/// Largest relative change of a parameter that counts as none.
//
// The coordinate of a parameter with a transform is rounded.
const NO_CHANGE: f64 = 1e-9;

/// Returns the parameter without effect at which a run ended, if it is where the run began, so that it never had an effect. One
/// that has run away had.
fn unseen(report: &Report, start: &[f64]) -> Option<usize> {
    let Stop::Lost { parameter } = report.stop else {
        return None;
    };
    let (from, to) = (*start.get(parameter)?, report.theta[parameter]);
    ((to - from).abs() <= NO_CHANGE * from.abs()).then_some(parameter)
}
