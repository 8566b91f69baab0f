//! Problems for the laws of directions, and a way to look at the start of a descent.

use std::sync::Mutex;

use pullback::descent::Tolerances;
use pullback::direction::{
    Damping, Finder, Gradient, Information, LeastSquares, Local, Path, Proposal,
};
use pullback::loss::L2Misfit;
use pullback::metric::{FisherRao, HellingerKantorovich, L2, Sobolev, Wasserstein2};
use pullback::models::{GaussianMixture, Parameter};
use pullback::{Descent, Direction, Grid, Loss, Metric, Model, Prior, Result};

use super::{Reaction, density};

/// A direction that shows what is known at the start to someone, and leads nowhere.
struct Show<F>(F);

impl<F: Fn(&Local<'_>) + Sync> Direction for Show<F> {
    fn begin(&self) -> Box<dyn Finder + '_> {
        Box::new(Showing(&self.0, &Gradient))
    }

    fn needs_precision(&self, _: usize) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        "show"
    }
}

struct Showing<'s, F>(&'s F, &'s Gradient);

impl<F: Fn(&Local<'_>)> Finder for Showing<'_, F> {
    fn prepare<'a>(&'a mut self, at: &Local<'a>) -> Result<Box<dyn Path + 'a>> {
        (self.0)(at);
        self.1.prepare(at)
    }
}

/// A descent that is about to begin.
pub(crate) struct Start<'a> {
    pub(crate) model: &'a dyn Model,
    pub(crate) loss: &'a dyn Loss,
    pub(crate) metric: Option<&'a dyn Metric>,
    pub(crate) prior: Option<&'a dyn Prior>,
    pub(crate) theta: &'a [f64],
}

impl Start<'_> {
    /// What `look` sees there.
    pub(crate) fn look<T: Send>(&self, look: impl Fn(&Local<'_>) -> T + Sync) -> T {
        let seen = Mutex::new(None);
        let show = Show(|at: &Local<'_>| *seen.lock().unwrap() = Some(look(at)));
        let mut descent = Descent::new(self.model, self.loss).direction(&show);
        if let Some(metric) = self.metric {
            descent = descent.metric(metric);
        }
        if let Some(prior) = self.prior {
            descent = descent.prior(prior);
        }
        let once = Tolerances {
            iterations: 1,
            ..Tolerances::default()
        };
        let report = descent.tolerances(once).run(self.theta, |_| ());
        assert!(report.is_ok(), "{report:?}");
        seen.into_inner().unwrap().unwrap()
    }
}

/// A model with a loss far from its match, so that nothing vanishes.
pub(crate) struct Problem {
    pub(crate) name: &'static str,
    pub(crate) grid: Grid,
    pub(crate) model: Box<dyn Model>,
    pub(crate) loss: L2Misfit,
    pub(crate) theta: Vec<f64>,
}

impl Problem {
    pub(crate) fn start<'a>(&'a self, metric: &'a dyn Metric) -> Start<'a> {
        Start {
            model: self.model.as_ref(),
            loss: &self.loss,
            metric: Some(metric),
            prior: None,
            theta: &self.theta,
        }
    }
}

pub(crate) fn problems() -> [Problem; 2] {
    let line = Grid::new(&[(0.0, 1.0, 20)]).unwrap();
    let plane = Grid::new(&[(-3.0, 5.0, 12), (-3.0, 4.0, 9)]).unwrap();
    let mixture = GaussianMixture::new(&plane)
        .component(0.4, &[0.0, 1.0], 1.5)
        .component(0.6, &[2.0, 0.5], 1.0)
        .free(&[
            Parameter::Weight(0),
            Parameter::Mean(0, 0),
            Parameter::Mean(1, 1),
            Parameter::Variance(1),
        ])
        .unwrap();
    [
        Problem {
            name: "implicit",
            loss: L2Misfit::new(&line, density(&line, 3)).unwrap(),
            grid: line,
            model: Box::new(Reaction::new(20, 4, 1)),
            theta: vec![0.3, -0.2, 0.1, 0.4],
        },
        Problem {
            name: "mixture",
            loss: L2Misfit::new(&plane, density(&plane, 4)).unwrap(),
            theta: mixture.parameters(),
            grid: plane,
            model: Box::new(mixture),
        },
    ]
}

pub(crate) fn metrics(grid: &Grid) -> Vec<Box<dyn Metric>> {
    vec![
        Box::new(L2::new(grid)),
        Box::new(FisherRao::new(grid)),
        Box::new(Sobolev::new(grid, -1.0).unwrap()),
        Box::new(Sobolev::homogeneous(grid, 1.0).unwrap()),
        Box::new(Wasserstein2::new(grid)),
        Box::new(HellingerKantorovich::new(grid)),
    ]
}

pub(crate) fn proposal(direction: &dyn Direction, at: &Local<'_>, lambda: f64) -> Result<Proposal> {
    let mut finder = direction.begin();
    finder.prepare(at)?.at(lambda)
}

pub(crate) fn exact_directions(damping: Damping<'_>) -> [Box<dyn Direction + '_>; 2] {
    let squares = LeastSquares {
        damping,
        ..LeastSquares::default()
    };
    [Box::new(squares), Box::new(Information { damping })]
}
