//! Slopes at trials, and trials that are kept, cost what they must: the next step begins with what its trial found.

use std::sync::atomic::{AtomicUsize, Ordering};

use pullback::descent::Counts;
use pullback::direction::{Gradient, Lbfgs, LeastSquares, NonlinearCg};
use pullback::metric::{FisherRao, L2};
use pullback::model::adjoint::Sensitivity;
use pullback::step::{Fixed, Judge, StrongWolfe, Trial, Verdict};
use pullback::{Backend, Descent, Direction, Metric, Model, Operator, Report, Result, StepRule};

use crate::support::runs::{line, misfit, only};
use crate::support::{Reaction, gap};

const STEPS: usize = 5;

/// Accepts steps of the scale 0.3, after it has asked for the slope or has tried a shorter step.
#[derive(Clone, Copy, PartialEq)]
enum Curious {
    Slope,
    Keep,
}

impl StepRule for Curious {
    fn begin(&self) -> Box<dyn Judge + '_> {
        Box::new(*self)
    }
}

impl Judge for Curious {
    fn first(&self) -> (f64, f64) {
        (0.3, 0.0)
    }
    fn judge(&mut self, trial: &Trial) -> Verdict {
        match (*self, trial.attempt) {
            (Self::Slope, _) if trial.end_slope.is_none() => Verdict::Slope,
            (Self::Slope, _) => Verdict::Accept,
            (Self::Keep, 0) => Verdict::Keep(0.1),
            (Self::Keep, _) => Verdict::AcceptKept,
        }
    }
}

fn run(direction: &dyn Direction, rule: &dyn StepRule, metric: Option<&dyn Metric>) -> Report {
    let (model, loss, start) = misfit();
    let mut descent = Descent::new(&model, &loss).direction(direction).step(rule);
    if let Some(metric) = metric {
        descent = descent.metric(metric);
    }
    descent.tolerances(only(STEPS)).run(&start, |_| ()).unwrap()
}

/// Model, tangent and adjoint solves, and factorisations.
fn numbers(counts: &Counts) -> [usize; 4] {
    [
        counts.model_solves,
        counts.tangent_solves,
        counts.adjoint_solves,
        counts.factorisations,
    ]
}

#[test]
fn slopes_and_kept_trials_are_not_computed_again() {
    let grid = line(15);
    let (plain, conserving) = (L2::new(&grid), FisherRao::new(&grid));
    let metrics: [Option<&dyn Metric>; 3] = [None, Some(&plain), Some(&conserving)];
    let (least_squares, lbfgs) = (LeastSquares::default(), Lbfgs::default());
    let directions: [&dyn Direction; 3] = [&Gradient, &lbfgs, &least_squares];
    for direction in directions {
        for metric in metrics {
            let fixed = run(direction, &Fixed { scale: 0.3 }, metric);
            let asked = run(direction, &Curious::Slope, metric);
            let kept = run(direction, &Curious::Keep, metric);
            let name = (direction.name(), metric.map(|m| m.name()));
            assert_eq!(numbers(&asked.counts), numbers(&fixed.counts), "{name:?}");
            // Columns may round otherwise one by one than in a batch.
            assert!(gap(&asked.theta, &fixed.theta) < 1e-12, "{name:?}");
            // The shorter trials cost a state each, and the kept ones nothing more.
            assert_eq!(kept.theta, fixed.theta, "{name:?}");
            let [models, tangents, adjoints, _] = numbers(&fixed.counts);
            let found = numbers(&kept.counts);
            assert_eq!(found[..3], [models + STEPS, tangents, adjoints], "{name:?}");
        }
    }
}

/// A model that counts its linearisations.
struct Counted<'m>(&'m Reaction, AtomicUsize);

impl Model for Counted<'_> {
    fn state_dim(&self) -> usize {
        self.0.state_dim()
    }
    fn param_dim(&self) -> usize {
        self.0.param_dim()
    }
    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        self.0.residual(rho, theta, out);
    }
    fn state_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        self.0.state_jacobian(rho, theta)
    }
    fn param_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        self.0.param_jacobian(rho, theta)
    }
    fn linearise<'a>(
        &'a self,
        rho: &'a [f64],
        theta: &'a [f64],
        backend: &'a dyn Backend,
    ) -> Result<Box<dyn Sensitivity + 'a>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.linearise(rho, theta, backend)
    }
}

/// The slope at a trial is the gradient of the next point, for which the model is not linearised again.
#[test]
fn models_are_linearised_once_a_point() {
    let (model, loss, start) = misfit();
    let rule = StrongWolfe::default();
    let directions: [&dyn Direction; 3] = [&Gradient, &Lbfgs::default(), &NonlinearCg::default()];
    for direction in directions {
        let counted = Counted(&model, AtomicUsize::new(0));
        let descent = Descent::new(&counted, &loss)
            .direction(direction)
            .step(&rule);
        let report = descent.tolerances(only(STEPS)).run(&start, |_| ()).unwrap();
        let count = counted.1.load(Ordering::Relaxed);
        assert_eq!(count, report.counts.adjoint_solves, "{report}");
    }
}

/// One adjoint solve for every point of the run, and one for the slope of every trial that is low enough and not accepted.
#[test]
fn strong_wolfe_steps_take_an_adjoint_a_point() {
    let report = run(&Lbfgs::default(), &StrongWolfe::default(), None);
    let steps = report.history[1..].iter().map(|i| i.step.unwrap());
    let trials: usize = steps.map(|step| step.trials).sum();
    let counts = &report.counts;
    assert_eq!(counts.model_solves, 1 + trials, "{report}");
    assert_eq!(counts.tangent_solves, 0, "{report}");
    let rejected = trials - STEPS;
    let adjoints = STEPS + 1..=STEPS + 1 + rejected;
    assert!(adjoints.contains(&counts.adjoint_solves), "{report}");
}
