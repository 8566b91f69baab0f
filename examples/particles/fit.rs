//! Descents of all methods to the floor of the sample.

use pullback::descent::Tolerances;
use pullback::direction::Gradient;
use pullback::metric::{Blocks, Kernels, Particles, SampledWasserstein};
use pullback::step::Armijo;
use pullback::{Descent, Metric, Result};

use crate::problem::{Problem, TIMES};

/// A method of descent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The natural gradient in the Wasserstein metric of the sample.
    Sampled,
    /// The natural gradient in the metric of labelled particles.
    Labelled,
    /// Gradient descent with a line search.
    Gradient,
}

/// All methods, a row of the table each.
pub const METHODS: [Method; 3] = [Method::Sampled, Method::Labelled, Method::Gradient];

/// Largest number of steps of a method.
pub const MOST: usize = 200;

impl Method {
    pub fn label(self) -> &'static str {
        match self {
            Self::Sampled => "sampled W2",
            Self::Labelled => "particles",
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

/// The metric of a method; None for the gradient.
pub fn metric(problem: &Problem, method: Method) -> Option<Box<dyn Metric + '_>> {
    let (d, times) = (problem.space, TIMES.len());
    match method {
        Method::Sampled if problem.kernels => {
            let metric = SampledWasserstein::new(d).kernels(Kernels::default());
            Some(Box::new(Blocks::new(metric, times)))
        }
        Method::Sampled => problem.loss.metric(),
        Method::Labelled => Some(Box::new(Blocks::new(Particles::new(d), times))),
        Method::Gradient => None,
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
    let growing = Armijo::growing(0.1, 4.0);
    let descent = Descent::new(problem.model.as_ref(), problem.loss.as_ref());
    let mut descent = descent.tolerances(tolerances);
    match &metric {
        Some(metric) => descent = descent.metric(metric.as_ref()),
        None => descent = descent.direction(&Gradient).step(&growing),
    }
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
