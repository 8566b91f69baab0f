//! Step rules, directions, losses and sensitivities from outside that return what makes no sense.

use crate::support::bad::{check, row};
use crate::support::{Explicit, Reaction};
use pullback::direction::{Finder, Gradient, Local, Path, Proposal};
use pullback::faer::{Mat, MatRef};
use pullback::linalg::Batch;
use pullback::loss::{L2Misfit, Misfit, gradient_of, value_of};
use pullback::model::adjoint::{Sensitivity, explicit_jacobian};
use pullback::step::{Judge, Trial, Verdict};
use pullback::{
    Backend, Descent, Direction, Error, Loss, Report, Result, StepRule, random, verify,
};

/// Scale and damping, reach, and the answer to the first trial.
struct Rule((f64, f64), f64, Verdict);

impl StepRule for Rule {
    fn begin(&self) -> Box<dyn Judge + '_> {
        Box::new(self)
    }
}

impl Judge for &Rule {
    fn first(&self) -> (f64, f64) {
        self.0
    }
    fn reach(&self) -> f64 {
        self.1
    }
    fn judge(&mut self, _: &Trial) -> Verdict {
        self.2
    }
}

/// Moves along these numbers, whatever the gradient.
struct Along(Vec<f64>);

impl Direction for Along {
    fn begin(&self) -> Box<dyn Finder + '_> {
        Box::new(self)
    }
    fn needs_metric(&self) -> bool {
        false
    }
    fn name(&self) -> &'static str {
        "along"
    }
}

impl Finder for &Along {
    fn prepare<'a>(&'a mut self, _: &Local<'a>) -> Result<Box<dyn Path + 'a>> {
        Ok(Box::new(Along(self.0.clone())))
    }
}

impl Path for Along {
    fn at(&mut self, _: f64) -> Result<Proposal> {
        Ok(Proposal {
            eta: self.0.clone(),
            predicted: 1.0,
            rank: 1,
        })
    }
}

fn run(adapt: impl Fn(Descent<'_>) -> Result<Report>) -> Result<Report> {
    let model = Reaction::new(8, 2, 1);
    let loss = L2Misfit::euclidean(random::uniform(8, (0.2, 0.8), 4)).unwrap();
    adapt(Descent::new(&model, &loss))
}

#[test]
fn step_rules() {
    let (no, far) = (Verdict::GiveUp, f64::INFINITY);
    let with = |rule: Rule| run(|d| d.step(&rule).run(&[0.5, 0.5], |_| ()));
    let scale = "the scale of a step rule";
    check(vec![
        row("no scale", "Option", scale, || {
            with(Rule((0.0, 0.0), far, no))
        }),
        row("uphill", "Option", scale, || {
            with(Rule((-1.0, 0.0), far, no))
        }),
        row("NaN", "Option", scale, || {
            with(Rule((f64::NAN, 0.0), far, no))
        }),
        row(
            "negative damping",
            "Option",
            "the damping of a step rule",
            || with(Rule((1.0, -1.0), far, no)),
        ),
        row("no reach", "Option", "the reach of the step rule", || {
            with(Rule((1.0, 0.0), 0.0, no))
        }),
        row("a verdict of no scale", "Option", scale, || {
            with(Rule((1.0, 0.0), far, Verdict::Scale(f64::NAN)))
        }),
        row(
            "a verdict of infinite damping",
            "Option",
            "the damping",
            || with(Rule((1.0, 0.0), far, Verdict::Damp(far))),
        ),
    ]);
}

#[test]
fn directions() {
    let with = |eta: Vec<f64>| {
        let direction = Along(eta);
        run(|d| d.direction(&direction).run(&[0.5, 0.5], |_| ()))
    };
    let what = "the step η of a direction";
    check(vec![
        row("too short", "Dimension", what, || with(vec![1.0])),
        row("too long", "Dimension", what, || with(vec![1.0; 3])),
        row("NaN", "NotFinite", what, || with(vec![1.0, f64::NAN])),
    ]);
}

/// A loss whose preparation, or whose covector, fails.
struct Failing(bool);

struct NoCovector;

impl Loss for Failing {
    fn value(&self, rho: &[f64]) -> f64 {
        value_of(self, rho)
    }
    fn gradient(&self, rho: &[f64], out: &mut [f64]) {
        gradient_of(self, rho, out);
    }
    fn at<'a>(&'a self, _: &[f64], _: &dyn Backend) -> Result<Box<dyn Misfit + 'a>> {
        match self.0 {
            true => Err(Error::model("no preparation")),
            false => Ok(Box::new(NoCovector)),
        }
    }
}

impl Misfit for NoCovector {
    fn value(&self) -> f64 {
        1.0
    }
    fn covector(&self, _: &dyn Backend) -> Result<Vec<f64>> {
        Err(Error::model("no covector"))
    }
}

#[test]
fn losses_say_why_they_fail_also_when_they_are_verified() {
    let model = Explicit(random::normal_matrix(3, 1, 1));
    let descend = |fails| {
        let loss = Failing(fails);
        let descent = Descent::new(&model, &loss).direction(&Gradient);
        descent.run(&[1.0], |_| ())
    };
    check(vec![
        row("preparation", "Model", "no preparation", || descend(true)),
        row("covector", "Model", "no covector", || descend(false)),
        row("verified", "Model", "no preparation", || {
            verify::loss(&Failing(true), &[1.0; 3], 1)
        }),
        row("verified covector", "Model", "no covector", || {
            verify::loss(&Failing(false), &[1.0; 3], 1)
        }),
    ]);
}

/// Products with a row too many.
struct Long;

impl Sensitivity for Long {
    fn state_dim(&self) -> usize {
        3
    }
    fn param_dim(&self) -> usize {
        1
    }
    fn tangent(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        Ok(Mat::zeros(4, v.ncols()))
    }
    fn adjoint(&self, w: Batch) -> Result<Mat<f64>> {
        Ok(Mat::zeros(2, w.ncols()))
    }
}

#[test]
fn products_of_the_wrong_shape_become_nan_in_an_operator() {
    let c = explicit_jacobian(Box::new(Long));
    let dense = c.to_dense();
    assert!((0..3).all(|i| dense[(i, 0)].is_nan()));
}
