//! The problem, what it costs to look at it, and what is known at a point.

use std::cell::{Cell, OnceCell, Ref, RefCell};
use std::sync::Arc;

use super::Setting;
use super::here::{Here, pull_back_both, rounding};
use super::iterate::Counts;
use super::report::Solvers;
use crate::check;
use crate::coordinates::Chart;
use crate::error::{Error, Result};
use crate::linalg::{Backend, Factor, Reuse, Tally, WarmStart, merge_solved};
use crate::metric::Metric;
use crate::model::adjoint::Linearisation;
use crate::model::solve_near;
use crate::prior::PriorTerms;
use crate::vector::norm;

/// A point θ with its state and objective.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) theta: Vec<f64>,
    pub(super) rho: Vec<f64>,
    /// The objective f(ρ) + R(θ).
    pub(super) loss: f64,
    /// R(θ) alone.
    pub(super) penalty: f64,
}

/// What is to be minimised, and a tally of what was spent on it.
pub(super) struct Problem<'a> {
    pub(super) setting: Setting<'a>,
    forward: Tally<'a>,
    sensitivity: WarmStart<Tally<'a>>,
    geometry: WarmStart<Tally<'a>>,
    /// Whether the metric is the loss's own.
    matched: bool,
    /// Whether a step had about the right length.
    sized: Cell<bool>,
    /// For systems in the parameters: precisions of priors, and those that directions set up.
    systems: &'a Tally<'a>,
    /// The precision of an affine prior.
    precision: OnceCell<Box<dyn Factor + 'a>>,
    /// The metric of the first phase, while that lasts.
    first_metric: Cell<Option<&'a dyn Metric>>,
    model_solves: Cell<usize>,
    tangents: Cell<usize>,
    adjoints: Cell<usize>,
    /// Why the last trial that failed did so.
    failure: RefCell<Option<String>>,
    /// The largest norm that the column of every parameter had so far.
    widest: RefCell<Vec<f64>>,
    /// The largest |θᵢ| so far.
    sizes: RefCell<Vec<f64>>,
    /// Steps taken.
    steps: Cell<usize>,
    /// ‖∇‖ at the start.
    first_gradient: OnceCell<f64>,
    /// What the directions had to say, once each, with the step before which they said it.
    remarks: RefCell<Vec<Remark>>,
}

/// What a direction had to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The iterate at which it was first said.
    pub iteration: usize,
    /// What it was.
    pub text: String,
}

impl<'a> Problem<'a> {
    pub(super) fn new(
        mut setting: Setting<'a>,
        backend: &'a dyn Backend,
        own: Option<&'a dyn Metric>,
        systems: &'a Tally<'a>,
    ) -> Self {
        let parameters = setting.model.param_dim();
        let matched = setting.metric.is_none();
        setting.metric = setting.metric.or(own);
        let factors = Arc::new(Reuse::new(backend));
        Self {
            first_metric: Cell::new(setting.first_metric.map(|first| first.metric)),
            setting,
            forward: Tally::new(backend).sharing(factors.clone()),
            sensitivity: WarmStart::new(Tally::new(backend).sharing(factors)),
            geometry: WarmStart::new(Tally::new(backend)),
            matched,
            sized: Cell::new(false),
            systems,
            precision: OnceCell::new(),
            model_solves: Cell::new(0),
            tangents: Cell::new(0),
            adjoints: Cell::new(0),
            failure: RefCell::new(None),
            widest: RefCell::new(vec![0.0; parameters]),
            sizes: RefCell::new(vec![0.0; parameters]),
            steps: Cell::new(0),
            first_gradient: OnceCell::new(),
            remarks: RefCell::default(),
        }
    }

    /// The first point, where nothing may be wrong.
    pub(super) fn start(&self, theta: &[f64]) -> Result<Point> {
        let nothing = vec![0.0; self.setting.model.state_dim()];
        let point = self.evaluate(theta.to_vec(), nothing)?;
        if point.loss.is_finite() {
            Ok(point)
        } else {
            Err(Error::InfiniteStart { value: point.loss })
        }
    }

    /// ρ(θ), from a state near by, and the objective.
    fn evaluate(&self, theta: Vec<f64>, near: Vec<f64>) -> Result<Point> {
        self.model_solves.set(self.model_solves.get() + 1);
        let rho = solve_near(self.setting.model, &theta, near, &self.forward)?;
        self.setting.loss.check(&rho)?;
        let mut penalty = 0.0;
        for prior in &self.setting.priors {
            penalty += prior.value(&theta)?;
        }
        Ok(Point {
            loss: self.setting.loss.value(&rho) + penalty,
            penalty,
            rho,
            theta,
        })
    }

    /// Gradient, metric and linearisation: one factorisation and one adjoint solve, or two in one batch where the
    /// metric projects.
    pub(super) fn linearise<'p>(&'p self, point: &'p Point) -> Result<Here<'p>> {
        let (rho, theta) = (&point.rho, &point.theta);
        self.measure(theta);
        let mut z = Linearisation::new(self.setting.model, rho, theta, &self.sensitivity)?;
        let chart = self.chart(theta);
        z.set_chart(chart.clone());
        let metric = self.metric()?;
        let root = match metric {
            Some(metric) => Some(metric.at(rho, &self.geometry)?),
            None => None,
        };
        let mut whole = vec![0.0; rho.len()];
        self.setting.loss.gradient(rho, &mut whole);
        check::finite("the gradient of the loss", &whole)?;
        let mut covector = whole.clone();
        if let Some(root) = &root {
            root.project(&mut covector);
        }
        let [mut grad, mut exact] = pull_back_both(&z, &covector, &whole)?;
        let mut prior = None;
        if !self.setting.priors.is_empty() {
            let terms = PriorTerms::at(&self.setting.priors, &point.theta, chart.clone())?;
            let penalty = terms.gradient();
            for gradient in [&mut grad, &mut exact] {
                gradient.iter_mut().zip(&penalty).for_each(|(g, r)| *g += r);
            }
            prior = Some(terms);
        }
        let mut here = Here {
            point,
            z,
            root,
            metric: metric.map_or("none", |m| m.name()),
            rounding: rounding(self.setting.loss, point.loss, &whole, rho),
            covector,
            prior,
            grad,
            iteration: self.steps.get(),
            progress: self.progress(norm(&exact)),
            systems: self.systems,
            exact,
            chart,
        };
        let blocked: Vec<f64> = here.exact.iter().map(|g| -g).collect();
        self.hold_blocked(&mut here, &blocked);
        Ok(here)
    }

    /// The metric, where the direction needs one.
    fn metric(&self) -> Result<Option<&dyn Metric>> {
        if !self.setting.direction.needs_metric() {
            return Ok(None);
        }
        let metric = self.first_metric.get().or(self.setting.metric);
        metric.ok_or(Error::NoMetric).map(Some)
    }

    /// Whether steps are measured in the geometry that the loss names.
    pub(super) fn is_matched(&self) -> bool {
        let own = self.matched && self.first_metric.get().is_none();
        own && self.setting.direction.needs_metric()
    }

    /// Whether the length of steps is known to be about right: by the geometry, or from a step.
    pub(super) fn is_sized(&self) -> bool {
        self.is_matched() || self.sized.get()
    }

    /// Remembers that the length of a step was about right.
    pub(super) fn size_known(&self, settled: bool) {
        self.sized.set(self.sized.get() || settled);
    }

    /// Ends the phase of the first metric, if it lasts still, and forgets the norms that were measured with it.
    pub(super) fn end_first_phase(&self) -> bool {
        self.widest.borrow_mut().fill(0.0);
        self.first_metric.take().is_some()
    }

    /// The decrease below which the first phase ends, while it lasts.
    pub(super) fn first_phase(&self) -> Option<f64> {
        let lasts = self.first_metric.get().is_some();
        self.setting
            .first_metric
            .filter(|_| lasts)
            .map(|f| f.progress)
    }

    /// Takes out of the problem what `direction` would push through a bound.
    pub(super) fn hold_blocked(&self, here: &mut Here<'_>, direction: &[f64]) {
        let Some(bounds) = self.setting.bounds else {
            return;
        };
        let theta = &here.point.theta;
        let keep: Vec<usize> = (0..here.chart.free.len())
            .filter(|&j| {
                let i = here.chart.free[j];
                !bounds.blocks(i, theta[i], direction[j])
            })
            .collect();
        if keep.len() < here.chart.free.len() {
            here.keep(&keep);
        }
    }

    fn chart(&self, theta: &[f64]) -> Chart {
        let slope = |i: usize| {
            self.setting
                .transforms
                .map_or(1.0, |t| t[i].slope(theta[i]))
        };
        Chart {
            free: (0..theta.len()).collect(),
            scale: (0..theta.len()).map(slope).collect(),
        }
    }

    /// What was spent so far; the linearisation in hand is counted as well.
    pub(super) fn counts(&self, here: &Here<'_>) -> Counts {
        let mut counts = self.counts_now();
        let (tangents, adjoints) = here.z.solves();
        counts.tangent_solves += tangents;
        counts.adjoint_solves += adjoints;
        counts
    }

    /// What was spent so far.
    pub(super) fn counts_now(&self) -> Counts {
        Counts {
            model_solves: self.model_solves.get(),
            newton_solves: self.forward.solves(),
            factorisations: self.forward.factorisations()
                + self.sensitivity.backend.factorisations(),
            tangent_solves: self.tangents.get(),
            adjoint_solves: self.adjoints.get(),
            metric_factorisations: self.geometry.backend.factorisations(),
            metric_solves: self.geometry.backend.solves(),
            system_factorisations: self.systems.factorisations(),
            system_solves: self.systems.solves(),
            solver_iterations: self.forward.iterations()
                + self.sensitivity.backend.iterations()
                + self.geometry.backend.iterations()
                + self.systems.iterations(),
        }
    }

    /// How the linear systems of all these were solved, by what they were for.
    pub(super) fn solvers(&self) -> Solvers {
        let of = |tallies: &[&Tally<'_>]| merge_solved(tallies.iter().flat_map(|t| t.solved()));
        Solvers {
            model: of(&[&self.forward, &self.sensitivity.backend]),
            metric: of(&[&self.geometry.backend]),
            parameters: of(&[self.systems]),
        }
    }

    /// The objective at a trial point near `from`. Whatever goes wrong there makes it a bad trial and no more.
    pub(super) fn attempt(&self, theta: Vec<f64>, from: &Point) -> Option<Point> {
        match self.evaluate(theta, from.rho.clone()) {
            Ok(point) if point.loss.is_finite() => Some(point),
            Ok(point) => {
                *self.failure.borrow_mut() = Some(format!("the objective is {}", point.loss));
                None
            }
            Err(error) => {
                *self.failure.borrow_mut() = Some(error.to_string());
                None
            }
        }
    }

    /// Why the last trial that failed did so.
    pub(super) fn last_failure(&self) -> Option<String> {
        self.failure.borrow().clone()
    }

    /// The widest columns of the free parameters so far.
    pub(super) fn widest(&self, here: &Here<'_>) -> Vec<f64> {
        let widest = self.widest.borrow();
        here.chart.free.iter().map(|&i| widest[i]).collect()
    }

    /// Remembers the norms of the columns of the free parameters.
    pub(super) fn widen(&self, here: &Here<'_>, norms: &[f64]) {
        let mut widest = self.widest.borrow_mut();
        for (&i, norm) in here.chart.free.iter().zip(norms) {
            widest[i] = widest[i].max(*norm);
        }
    }

    /// The largest |θᵢ| so far.
    pub(super) fn sizes(&self) -> Ref<'_, Vec<f64>> {
        self.sizes.borrow()
    }

    fn measure(&self, theta: &[f64]) {
        let mut sizes = self.sizes.borrow_mut();
        let pairs = sizes.iter_mut().zip(theta);
        pairs.for_each(|(size, t)| *size = size.max(t.abs()));
    }

    /// ‖∇‖ relative to the start.
    fn progress(&self, gradient: f64) -> f64 {
        let first = *self.first_gradient.get_or_init(|| gradient);
        if first > 0.0 { gradient / first } else { 0.0 }
    }

    /// Counts a step.
    pub(super) fn stepped(&self) {
        self.steps.set(self.steps.get() + 1);
    }

    /// Makes the precision of the priors ready where the direction will ask for it: once for all points if it is the
    /// same everywhere.
    pub(super) fn factorise_priors<'p>(&'p self, here: &mut Here<'p>) -> Result<()> {
        let parameters = here.chart.free.len();
        let needed = self.setting.direction.needs_precision(parameters);
        let Some(terms) = here.prior.as_mut().filter(|t| needed && !t.is_factorised()) else {
            return Ok(());
        };
        match self.setting.priors.as_slice() {
            [prior] if prior.is_affine() && terms.only().is_some() => {
                if self.precision.get().is_none() {
                    let made = prior.precision(&here.point.theta, self.systems)?;
                    self.precision.get_or_init(|| made);
                }
                if let Some(kept) = self.precision.get() {
                    terms.keep(&**kept);
                }
                Ok(())
            }
            _ => terms.factorise(self.systems),
        }
    }

    /// Notes what a direction has to say, unless it said so before.
    pub(super) fn note(&self, remark: Option<String>) {
        let iteration = self.steps.get();
        let mut remarks = self.remarks.borrow_mut();
        if let Some(text) = remark.filter(|text| remarks.iter().all(|r| r.text != *text)) {
            remarks.push(Remark { iteration, text });
        }
    }

    pub(super) fn remarks(&self) -> Vec<Remark> {
        self.remarks.borrow().clone()
    }

    /// Books the solves of a linearisation that is done with.
    pub(super) fn book(&self, here: &Here<'_>) {
        let (tangents, adjoints) = here.z.solves();
        self.tangents.set(self.tangents.get() + tangents);
        self.adjoints.set(self.adjoints.get() + adjoints);
    }
}
