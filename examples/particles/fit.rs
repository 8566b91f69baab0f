//! Descents of all methods to the floor of the sample.

use pullback::descent::Tolerances;
use pullback::direction::{Adam, Gradient, Lbfgs};
use pullback::metric::{Blocks, Kernels, Particles, SampledWasserstein};
use pullback::step::{Armijo, Decaying, StrongWolfe};
use pullback::{Descent, Metric, Result};

use crate::problem::{Problem, TIMES};

/// A method of descent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The natural gradient in the metric that the loss names as its own.
    Own,
    /// The natural gradient in the Wasserstein metric of the sample.
    Sampled,
    /// The natural gradient in the metric of labelled particles.
    Labelled,
    /// L-BFGS with a line search.
    Lbfgs,
    /// Adam with a rate that decays.
    Adam,
    /// Gradient descent with a line search.
    Gradient,
}

/// All methods, a row of the table each.
pub const METHODS: [Method; 6] = [
    Method::Own,
    Method::Sampled,
    Method::Labelled,
    Method::Lbfgs,
    Method::Adam,
    Method::Gradient,
];

/// First rate of Adam, which changes every parameter by about this much.
const RATE: f64 = 0.1;

/// Largest number of steps of a method.
pub const MOST: usize = 200;

impl Method {
    pub fn label(self) -> &'static str {
        match self {
            Self::Own => "own metric",
            Self::Sampled => "sampled W2",
            Self::Labelled => "particles",
            Self::Lbfgs => "L-BFGS",
            Self::Adam => "Adam",
            Self::Gradient => "gradient",
        }
    }
}

/// The way of one method.
pub struct Track {
    pub method: Method,
    /// Steps, loss and seconds.
    pub points: Vec<(usize, f64, f64)>,
    /// Whether the loss fell to the floor.
    pub reached: bool,
    pub theta: Vec<f64>,
}

/// The metric of a method, if it has one.
pub fn metric(problem: &Problem, method: Method) -> Option<Box<dyn Metric + '_>> {
    let (d, times) = (problem.space, TIMES.len());
    match method {
        Method::Own => problem.loss.metric(),
        Method::Sampled => {
            let quadratics = SampledWasserstein::new(d);
            let metric = match problem.kernels {
                true => quadratics.kernels(Kernels::default()),
                false => quadratics,
            };
            Some(Box::new(Blocks::new(metric, times)))
        }
        Method::Labelled => Some(Box::new(Blocks::new(Particles::new(d), times))),
        Method::Lbfgs | Method::Adam | Method::Gradient => None,
    }
}

/// Runs a method from the start of the problem until the loss is that of the truth.
pub fn descend(
    problem: &Problem,
    method: Method,
    floor: f64,
    finished: &(dyn Fn() + Sync),
) -> Result<Track> {
    let tolerances = Tolerances {
        target: Some(floor),
        iterations: MOST,
        ..Tolerances::default()
    };
    let (metric, mut points) = (metric(problem, method), Vec::new());
    let (lbfgs, adam) = (Lbfgs::default(), Adam::default());
    let (wolfe, growing) = (StrongWolfe::default(), Armijo::growing(0.1, 4.0));
    let decaying = Decaying {
        scale: RATE,
        ..Decaying::default()
    };
    let descent = Descent::new(problem.model.as_ref(), problem.loss.as_ref());
    let mut descent = descent.tolerances(tolerances).bounds(&problem.bounds);
    if let Some(metric) = &metric {
        descent = descent.metric(metric.as_ref());
    }
    descent = match method {
        Method::Own | Method::Sampled | Method::Labelled => descent,
        Method::Lbfgs => descent.direction(&lbfgs).step(&wolfe),
        Method::Adam => descent.direction(&adam).step(&decaying),
        Method::Gradient => descent.direction(&Gradient).step(&growing),
    };
    let report = descent.run(&problem.start, |at| {
        finished();
        points.push((at.iteration, at.loss, at.seconds));
    })?;
    Ok(Track {
        method,
        reached: report.loss <= floor,
        points,
        theta: report.theta,
    })
}
