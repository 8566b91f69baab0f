//! Descents and corrections, and what is kept of them.

use std::time::Instant;

use pullback::correction::{Corrected, Options as Correcting, Simulator};
use pullback::descent::{Counts, Tolerances};
use pullback::direction::Gradient;
use pullback::models::Occupations;
use pullback::step::Armijo;
use pullback::{Descent, Report};

use crate::Failure;
use crate::problem::Problem;
use crate::progress::bar;
use crate::setting::{LossKind, MetricKind};

/// θ and the loss there, or the distance of a correction.
pub type Row = (Vec<f64>, f64);

/// A fit, by descent or by correction.
pub struct Fit {
    pub loss: LossKind,
    pub metric: MetricKind,
    /// Whether the residual came from a simulator.
    pub corrected: bool,
    /// θ and the loss (or distance) at every iterate.
    pub path: Vec<Row>,
    pub theta: Vec<f64>,
    pub rho: Vec<f64>,
    pub standard_errors: Option<Vec<f64>>,
    pub converged: bool,
    /// What the library says of how it ended.
    pub ending: String,
    pub counts: Option<Counts>,
    pub simulations: usize,
    pub seconds: f64,
}

impl Fit {
    pub fn label(&self) -> String {
        match self.corrected {
            true => format!("{} corrected", self.loss.label()),
            false => format!("{} / {}", self.loss.label(), self.metric.label()),
        }
    }

    /// Steps taken.
    pub fn iterations(&self) -> usize {
        self.path.len() - 1
    }

    /// The first iterate from which on the relative error is at most this.
    pub fn iterations_to(&self, problem: &Problem, error: f64) -> Option<usize> {
        let far = |(theta, _): &Row| problem.error(theta).is_none_or(|e| e > error);
        let first = self.path.iter().rposition(far).map_or(0, |last| last + 1);
        (first < self.path.len()).then_some(first)
    }

    /// The names of the parameters that ended at a bound.
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

    fn of_report(loss: LossKind, metric: MetricKind, report: Report) -> Self {
        let row = |i: &pullback::descent::Iterate| (i.theta.clone(), i.loss);
        Self {
            loss,
            metric,
            corrected: false,
            path: report.history.iter().map(row).collect(),
            converged: report.converged(),
            ending: report.to_string(),
            counts: Some(report.counts),
            simulations: 0,
            seconds: report.history.last().map_or(0.0, |i| i.seconds),
            standard_errors: None,
            theta: report.theta,
            rho: report.rho,
        }
    }
}

/// Steps that a natural descent and plain gradient descent may take.
const NATURAL_STEPS: usize = 40;
const PLAIN_STEPS: usize = 50;

/// Descends from the problem's start; `row` gets every iterate as text.
pub fn descend(
    problem: &Problem,
    (loss, metric): (LossKind, MetricKind),
    first: Option<MetricKind>,
    mut row: impl FnMut(String),
) -> Result<Fit, Failure> {
    let objective = loss.build(&problem.grid, &problem.data.density)?;
    let own = metric.build(&problem.grid)?;
    let first = match first {
        Some(first) => first.build(&problem.grid)?,
        None => None,
    };
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
            // The loss of a fit to a trajectory has kinks, and more digits of a biased answer are worth nothing.
            loss: if problem.data.sampling.is_some() {
                1e-6
            } else {
                1e-13
            },
            ..Tolerances::default()
        });
    descent = match &own {
        // What matches the loss is what it names itself, its factor included.
        Some(_) if metric == loss.matched() => descent,
        Some(metric) => descent.metric(metric.as_ref()),
        None => descent.direction(&Gradient).step(&plain_step),
    };
    if let Some(first) = &first {
        descent = descent.first_metric(first.as_ref(), 0.1);
    }
    let bar = bar(
        steps,
        &format!("{} from {} data", loss.name(), problem.data.name),
    );
    let report = descent.run(&problem.start, |it| {
        bar.set_position(it.iteration as u64);
        row(it.to_string());
    })?;
    bar.finish_and_clear();
    Ok(Fit::of_report(loss, metric, report))
}

/// Removes the model's bias from a fit to a trajectory; `row` gets every step as text.
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
    let simulator = Occupations::new(&problem.grid, problem.system.flow(), *sampling);
    let metric = simulator.metric();
    let bar = bar(options.iterations, "correcting by simulation");
    let mut starts: Vec<&[f64]> = vec![&raw.theta];
    starts.extend(problem.data.weak.as_deref());
    starts.push(&problem.start);
    let estimate = Corrected::new(&problem.model, &simulator, &problem.data.density, &metric)
        .bounds(&problem.bounds)
        .backend(problem.backend)
        .options(options)
        .run(&starts, |step| {
            bar.set_position(step.iteration as u64);
            row(step.to_string());
        })?;
    bar.finish_and_clear();
    let mut path: Vec<Row> = estimate
        .history
        .iter()
        .map(|c| (c.theta.clone(), c.distance))
        .collect();
    path.push((estimate.theta.clone(), f64::NAN));
    Ok(Some(Fit {
        loss: raw.loss,
        metric: MetricKind::FisherRao,
        corrected: true,
        path,
        converged: estimate.converged(),
        ending: estimate.to_string(),
        counts: None,
        simulations: estimate.simulations,
        seconds: started.elapsed().as_secs_f64(),
        standard_errors: estimate.standard_errors,
        // What the corrected parameters show is a simulation; the model's own density is the biased one.
        rho: simulator.simulate(&estimate.theta, sampling.seed)?,
        theta: estimate.theta,
    }))
}
