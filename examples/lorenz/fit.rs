//! Fits by descent and by bias correction.

use std::time::Instant;

use pullback::correction::{Corrected, Options as Correcting, Simulator};
use pullback::descent::{Counts, Tolerances};
use pullback::direction::Gradient;
use pullback::models::Occupations;
use pullback::step::Armijo;
use pullback::{Descent, Report};

use crate::problem::Problem;
use crate::support::command::Failure;
use crate::support::geometry::{Geometry, LossKind};
use crate::support::output::bar;

/// θ and the loss, or the distance that a correction reduces.
pub type Row = (Vec<f64>, f64);

/// A fit, by descent or by correction.
pub struct Fit {
    pub loss: LossKind,
    pub metric: Geometry,
    /// Whether the residual comes from simulated trajectories.
    pub corrected: bool,
    /// All iterates.
    pub path: Vec<Row>,
    pub theta: Vec<f64>,
    pub rho: Vec<f64>,
    pub standard_errors: Option<Vec<f64>>,
    pub converged: bool,
    /// Text of the report.
    pub outcome: String,
    pub counts: Option<Counts>,
    pub simulations: usize,
    pub seconds: f64,
}

impl Fit {
    pub fn label(&self) -> String {
        match self.corrected {
            true => format!("{} bias-corrected", self.loss.label()),
            false => format!("{} / {}", self.loss.label(), self.metric.label()),
        }
    }

    /// Number of steps.
    pub fn iterations(&self) -> usize {
        self.path.len() - 1
    }

    /// First iteration from which the relative error stays below a bound.
    pub fn iterations_to(&self, problem: &Problem, error: f64) -> Option<usize> {
        let far = |(theta, _): &Row| problem.error(theta).is_none_or(|e| e > error);
        let first = self.path.iter().rposition(far).map_or(0, |last| last + 1);
        (first < self.path.len()).then_some(first)
    }

    /// Names of the parameters that end at a bound.
    pub fn at_bounds(&self, problem: &Problem) -> Vec<String> {
        let limits = problem
            .system
            .bounds()
            .into_iter()
            .zip(problem.system.names());
        let ended = self.theta.iter().zip(limits);
        let there = ended.filter(|(t, ((a, b), _))| *t <= a || *t >= b);
        there.map(|(_, (_, name))| name).collect()
    }

    fn of_report(loss: LossKind, metric: Geometry, report: Report) -> Self {
        let row = |i: &pullback::descent::Iterate| (i.theta.clone(), i.loss);
        Self {
            loss,
            metric,
            corrected: false,
            path: report.history.iter().map(row).collect(),
            converged: report.converged(),
            outcome: report.to_string(),
            counts: Some(report.counts),
            simulations: 0,
            seconds: report.history.last().map_or(0.0, |i| i.seconds),
            standard_errors: None,
            theta: report.theta,
            rho: report.rho,
        }
    }
}

/// Limits on the number of steps, with a metric and for plain gradient descent.
const NATURAL_STEPS: usize = 40;
const PLAIN_STEPS: usize = 50;

/// Minimises a loss from the initial parameters; `row` receives every iterate as text.
pub fn descend(
    problem: &Problem,
    (loss, metric): (LossKind, Geometry),
    first: Option<Geometry>,
    mut row: impl FnMut(String),
) -> Result<Fit, Failure> {
    let objective = loss.build(&problem.grid, problem.data.density.clone())?;
    let own = metric.metric(&problem.grid)?;
    let first = first.map(|first| first.metric(&problem.grid));
    let first = first.transpose()?.flatten();
    let plain_step = Armijo::growing(1.0, 4.0);
    let steps = if own.is_none() {
        PLAIN_STEPS
    } else {
        NATURAL_STEPS
    };
    let mut descent = Descent::new(&problem.model, objective.as_ref())
        .bounds(&problem.bounds)
        .backend(problem.backend)
        .tolerances(Tolerances {
            iterations: steps,
            // The loss of a fit to a trajectory has kinks, and its minimum is biased: more digits are of no use.
            loss: if problem.data.sampling.is_some() {
                1e-6
            } else {
                1e-13
            },
            ..Tolerances::default()
        });
    descent = match &own {
        // By default a descent takes the metric of the loss, with the right factor.
        Some(_) if loss.matched() == Some(metric) => descent,
        Some(metric) => descent.metric(metric.as_ref()),
        None => descent.direction(&Gradient).step(&plain_step),
    };
    if let Some(first) = &first {
        descent = descent.first_metric(first.as_ref(), 0.1);
    }
    let bar = bar(steps, &format!("fitting with loss {}", loss.label()));
    let report = descent.run(&problem.start, |it| {
        bar.set_position(it.iteration as u64);
        row(it.to_string());
    })?;
    bar.finish_and_clear();
    Ok(Fit::of_report(loss, metric, report))
}

/// Removes the bias of the model from a fit to a trajectory; `row` receives every step as text.
pub fn correct(
    problem: &Problem,
    raw: &Fit,
    mut row: impl FnMut(String),
) -> Result<Option<Fit>, Failure> {
    let Some(sampling) = &problem.data.sampling else {
        return Ok(None);
    };
    let started = Instant::now();
    let options = Correcting {
        seed: sampling.seed,
        ..Correcting::default()
    };
    let simulator = Occupations::new(&problem.grid, problem.system.flow, *sampling);
    let metric = simulator.metric();
    let bar = bar(options.iterations, "correcting the bias by simulation");
    let mut starts: Vec<&[f64]> = vec![&raw.theta];
    starts.extend(problem.data.weak.as_deref());
    starts.push(&problem.start);
    let report = Corrected::new(&problem.model, &simulator, &problem.data.density, &metric)
        .bounds(&problem.bounds)
        .backend(problem.backend)
        .options(options)
        .run(&starts, |iterate| {
            bar.set_position(iterate.iteration as u64);
            row(iterate.to_string());
        })?;
    bar.finish_and_clear();
    let mut path: Vec<Row> = report
        .history
        .iter()
        .map(|i| (i.theta.clone(), i.distance))
        .collect();
    path.push((report.theta.clone(), f64::NAN));
    Ok(Some(Fit {
        loss: raw.loss,
        metric: Geometry::FisherRao,
        corrected: true,
        path,
        converged: report.converged(),
        outcome: report.to_string(),
        counts: None,
        simulations: report.simulations,
        seconds: started.elapsed().as_secs_f64(),
        standard_errors: report.standard_errors,
        // A simulation, because the density of the model is biased.
        rho: simulator.simulate(&report.theta, sampling.seed)?.data()?,
        theta: report.theta,
    }))
}
