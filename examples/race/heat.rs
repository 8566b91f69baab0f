//! One loss of a problem: the optimum, and runs of entrants until it is near or the time is over.

use std::time::Instant;

use pullback::descent::{Control, Counts, Iterate, Stop, Tolerances};
use pullback::direction::Gradient;
use pullback::step::Armijo;
use pullback::{Descent, Error, Report, Result};

use crate::entrants::{Entrant, Rule};
use crate::output::{GOALS, Lap, Reached};
use crate::problems::Problem;

/// One loss of a problem, and where its optimum is.
pub struct Heat<'p> {
    pub problem: &'p Problem,
    loss: usize,
    optimum: Vec<f64>,
    limits: Limits,
}

/// Limits of every run.
#[derive(Clone, Copy)]
pub struct Limits {
    pub seconds: f64,
    pub steps: usize,
}

impl<'p> Heat<'p> {
    /// Finds the optimum of a loss, by a fit from close to it.
    pub fn new(problem: &'p Problem, loss: usize, limits: Limits) -> Result<Self> {
        let mut heat = Self {
            problem,
            loss,
            optimum: Vec::new(),
            limits,
        };
        let report = heat.descent().run(&problem.near, |_| ())?;
        if !report.converged() {
            let message = format!("no optimum of `{}` was found: {report}", problem.name);
            return Err(Error::custom(message));
        }
        heat.optimum = report.theta;
        Ok(heat)
    }

    /// Returns the descent with the defaults of the library.
    fn descent(&self) -> Descent<'p> {
        let problem = self.problem;
        let loss = problem.losses[self.loss].1.as_ref();
        let mut descent = Descent::new(problem.model.as_ref(), loss);
        if let Some(prior) = &problem.prior {
            descent = descent.prior(prior.as_ref());
        }
        if let Some(bounds) = &problem.bounds {
            descent = descent.bounds(bounds);
        }
        if let Some(transforms) = &problem.transforms {
            descent = descent.transforms(transforms);
        }
        descent
    }

    /// Returns the name of the metric of the loss.
    pub fn own_metric(&self) -> Option<&'static str> {
        let loss = &self.problem.losses[self.loss].1;
        loss.metric().map(|metric| metric.name())
    }

    /// Returns the label of the metric of the loss.
    pub fn own_metric_label(&self) -> &'static str {
        let own = self.own_metric();
        let mut metrics = self.problem.metrics.iter();
        let listed = metrics.find(|(_, metric)| Some(metric.name()) == own);
        listed.map_or("own", |(label, _)| label)
    }

    /// Returns a rate for gradient descent: the largest scale of a line search in the first steps.
    pub fn rate(&self) -> Result<f64> {
        let search = Armijo::growing(1e-3, 100.0);
        let tolerances = Tolerances {
            iterations: 12,
            ..Tolerances::default()
        };
        let descent = self.descent().direction(&Gradient).step(&search);
        let report = descent
            .tolerances(tolerances)
            .run(&self.problem.start, |_| ())?;
        let scales = report.history.iter().filter_map(|i| i.step);
        Ok(scales.map(|step| step.scale).fold(0.0, f64::max))
    }

    /// Runs an entrant with each of its step rules, and returns its best run.
    pub fn best(&self, entrant: &Entrant<'_>) -> Lap {
        let rules = entrant.rules.iter();
        let laps = rules.map(|rule| self.lap(entrant, rule));
        let solves = |lap: &Lap, goal: usize| lap.reached[goal].map_or(usize::MAX, |r| r.solves);
        let rank = |lap: &Lap| (solves(lap, 1), solves(lap, 0));
        let better = |a: Lap, b: Lap| {
            let order = rank(&a).cmp(&rank(&b));
            match order.then(a.error.total_cmp(&b.error)) {
                std::cmp::Ordering::Greater => b,
                _ => a,
            }
        };
        laps.reduce(better).unwrap_or_default()
    }

    /// Runs an entrant with one of its step rules.
    fn lap(&self, entrant: &Entrant<'_>, rule: &Rule) -> Lap {
        let problem = self.problem;
        let mut descent = self
            .descent()
            .direction(entrant.direction.as_ref())
            .step(rule.step.as_ref())
            .tolerances(Tolerances {
                // Only the goals and the limits end a run, and rest where steps achieve nothing any more.
                decrease: 0.0,
                step: 0.0,
                loss: 0.0,
                iterations: self.limits.steps,
                ..Tolerances::default()
            });
        if let Some(metric) = entrant.metric {
            descent = descent.metric(problem.metrics[metric].1.as_ref());
        }
        let started = Instant::now();
        let outcome = descent.run(&problem.start, |now| {
            let over = started.elapsed().as_secs_f64() > self.limits.seconds;
            let there = problem.error(&now.theta, &self.optimum) <= GOALS[1];
            match over || there {
                true => Control::Stop,
                false => Control::Continue,
            }
        });
        let lap = Lap {
            problem: problem.name,
            loss: problem.losses[self.loss].0,
            method: entrant.method,
            metric: entrant.metric_name(self),
            rate: rule.rate,
            error: f64::NAN,
            ..Lap::default()
        };
        match outcome {
            Ok(report) => self.measured(&report, lap),
            Err(error) => Lap {
                outcome: error.to_string(),
                ..lap
            },
        }
    }

    /// Reads errors and costs off the history of a run.
    fn measured(&self, report: &Report, lap: Lap) -> Lap {
        let error = |i: &Iterate| self.problem.error(&i.theta, &self.optimum);
        let row = |i: &Iterate| (work(&i.counts), error(i));
        let path: Vec<(usize, f64)> = report.history.iter().map(row).collect();
        let reached = GOALS.map(|goal| {
            let first = path.iter().position(|(_, error)| *error <= goal)?;
            let at = &report.history[first];
            Some(Reached {
                steps: at.iteration,
                solves: work(&at.counts),
                metric_solves: at.counts.metric_solves,
                seconds: at.seconds,
            })
        });
        Lap {
            reached,
            error: path.last().map_or(f64::NAN, |last| last.1),
            path,
            outcome: match (report.stop, reached[GOALS.len() - 1]) {
                (_, Some(_)) => "reached".into(),
                (Stop::Observer, None) => "out of time".into(),
                (stop, None) => stop.name().into(),
            },
            ..lap
        }
    }
}

/// Number of solves of the model: for states, tangents and adjoints. Explicit models solve nothing for the last two.
fn work(counts: &Counts) -> usize {
    let states = counts.model_solves.max(counts.newton_solves);
    states + counts.tangent_solves + counts.adjoint_solves
}
