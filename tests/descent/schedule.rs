//! Descents that begin with one metric and end with another.

use crate::support::gap;
use pullback::descent::Stop;
use pullback::loss::L2Misfit;
use pullback::metric::{L2, Sobolev, Wasserstein2};
use pullback::models::{GaussianMixture, Parameter};
use pullback::step::Fixed;
use pullback::{Descent, Error, Grid, Metric, Report};

const TRUTH: [f64; 2] = [2.0, 1.5];

fn problem() -> (GaussianMixture, L2Misfit) {
    let grid = Grid::new(&[(-8.0, 8.0, 64)]).unwrap();
    let model = GaussianMixture::new(&grid)
        .component(1.0, &[0.0], 1.0)
        .free(&[Parameter::Mean(0, 0), Parameter::Variance(0)])
        .unwrap();
    let loss = L2Misfit::new(&grid, model.density(&TRUTH).unwrap()).unwrap();
    (model, loss)
}

fn metrics(report: &Report) -> Vec<&'static str> {
    let mut names: Vec<_> = report.history.iter().map(|i| i.metric).collect();
    names.dedup();
    names
}

#[test]
fn the_first_metric_gives_way_when_its_steps_gain_little() {
    let (model, loss) = problem();
    let first = Wasserstein2::new(model.grid());
    let report = Descent::new(&model, &loss)
        .first_metric(&first, 0.9)
        .run(&[0.0, 1.0], |_| ())
        .unwrap();
    assert!(
        report.converged() && gap(&report.theta, &TRUTH) < 1e-8,
        "{report}"
    );
    assert_eq!(metrics(&report), ["W2", "L2"]);
    let at = report
        .history
        .iter()
        .position(|i| i.metric == "L2")
        .unwrap();
    let gain = |i: usize| 1.0 - report.history[i].loss / report.history[i - 1].loss;
    assert!(
        at > 1 && gain(at) < 0.9,
        "switched at {at}, where a step gained {}",
        gain(at)
    );
    // Every linearised point is in the table once.
    let numbers: Vec<usize> = report.history.iter().map(|i| i.iteration).collect();
    assert_eq!(numbers, (0..report.history.len()).collect::<Vec<_>>());
}

#[test]
fn a_first_metric_that_never_slows_stays_to_the_end() {
    let (model, loss) = problem();
    let first = L2::new(model.grid());
    let report = Descent::new(&model, &loss)
        .first_metric(&first, 0.0)
        .metric(&Sobolev::new(model.grid(), 1.0).unwrap())
        .run(&[1.8, 1.4], |_| ())
        .unwrap();
    assert!(report.converged(), "{report}");
    assert_eq!(metrics(&report)[0], "L2");
}

/// Steps far too long for the first metric are not accepted; the second takes over at the same point.
#[test]
fn a_first_metric_that_is_stuck_is_no_end() {
    let (model, loss) = problem();
    let step = pullback::step::Armijo::default();
    let nothing = Nothing;
    let report = Descent::new(&model, &loss)
        .first_metric(&nothing, 0.1)
        .step(&step)
        .run(&[1.0, 1.2], |_| ())
        .unwrap();
    assert_eq!(report.history[0].metric, "nothing");
    assert!(report.history[1..].iter().all(|i| i.metric == "L2"));
    assert!(gap(&report.theta, &TRUTH) < 1e-7, "{report}");
    assert!(!matches!(report.stop, Stop::Stalled { .. }));
}

/// A geometry that sees nothing, so that no direction descends.
struct Nothing;

impl Metric for Nothing {
    fn at<'a>(
        &'a self,
        rho: &'a [f64],
        _: &'a dyn pullback::Backend,
    ) -> pullback::Result<Box<dyn pullback::metric::Root + 'a>> {
        Ok(Box::new(Blind(rho.len())))
    }
    fn name(&self) -> &'static str {
        "nothing"
    }
}

struct Blind(usize);

impl pullback::metric::Root for Blind {
    fn dim(&self) -> usize {
        self.0
    }
    fn lift(
        &self,
        z: pullback::faer::MatRef<'_, f64>,
    ) -> pullback::Result<pullback::faer::Mat<f64>> {
        Ok(pullback::faer::Mat::zeros(z.nrows(), z.ncols()))
    }
    fn lower(
        &self,
        y: pullback::faer::MatRef<'_, f64>,
    ) -> pullback::Result<pullback::faer::Mat<f64>> {
        Ok(pullback::faer::Mat::zeros(y.nrows(), y.ncols()))
    }
    fn dual(&self, c: &[f64]) -> pullback::Result<Vec<f64>> {
        Ok(vec![0.0; c.len()])
    }
    fn project(&self, c: &mut [f64]) {
        c.fill(0.0);
    }
}

#[test]
fn a_progress_that_is_no_fraction_is_refused() {
    let (model, loss) = problem();
    let first = L2::new(model.grid());
    for progress in [-0.1, 1.0, f64::NAN] {
        let run = Descent::new(&model, &loss)
            .first_metric(&first, progress)
            .step(&Fixed::default())
            .run(&[0.0, 1.0], |_| ());
        assert!(matches!(run, Err(Error::Option { .. })), "{progress}");
    }
}

#[test]
fn a_descent_into_a_kink_comes_to_rest_and_says_so() {
    let model = Kink;
    let loss = L2Misfit::euclidean(vec![-1.0]).unwrap();
    let report = Descent::new(&model, &loss).run(&[3.0], |_| ()).unwrap();
    assert!((report.theta[0] - 1.0).abs() < 1e-6, "{report}");
    assert!(matches!(report.stop, Stop::Rest { .. }), "{report}");
    assert!(!report.converged() && report.to_string().contains("kink"));
    assert!(report.iterations() < 60, "{report}");
}

/// ρ = |x| + x²/10 with x = θ − 1, which never reaches −1.
struct Kink;

impl pullback::Model for Kink {
    fn state_dim(&self) -> usize {
        1
    }
    fn param_dim(&self) -> usize {
        1
    }
    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        let x = theta[0] - 1.0;
        out[0] = rho[0] - x.abs() - 0.1 * x * x;
    }
    fn state_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> pullback::Operator<'a> {
        pullback::Operator::identity(1)
    }
    fn param_jacobian<'a>(&'a self, _: &'a [f64], theta: &'a [f64]) -> pullback::Operator<'a> {
        let x = theta[0] - 1.0;
        let slope = x.signum() + 0.2 * x;
        pullback::Operator::dense(pullback::faer::mat![[-slope]])
    }
}
