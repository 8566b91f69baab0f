//! Directions with a memory in stochastic descents.

use crate::stochastic::Up;
use crate::support::gap;
use pullback::direction::{Finder, Kfac, Local, Path};
use pullback::faer::Mat;
use pullback::loss::Softmax;
use pullback::models::{Activation, Labelled, Network};
use pullback::step::Fixed;
use pullback::stochastic::Stochastic;
use pullback::{Bounds, Descent, Direction, Result, random};

/// Adam (Kingma and Ba 2015) as a direction with a memory, written with the public interface only.
struct Adam;

struct Moments {
    first: Vec<f64>,
    second: Vec<f64>,
    points: i32,
}

impl Direction for Adam {
    fn begin(&self) -> Box<dyn Finder + '_> {
        let (first, second) = (Vec::new(), Vec::new());
        Box::new(Moments {
            first,
            second,
            points: 0,
        })
    }
    fn needs_metric(&self) -> bool {
        false
    }
    fn name(&self) -> &'static str {
        "Adam"
    }
}

impl Finder for Moments {
    fn prepare<'a>(&'a mut self, at: &Local<'a>) -> Result<Box<dyn Path + 'a>> {
        self.first.resize(at.grad.len(), 0.0);
        self.second.resize(at.grad.len(), 0.0);
        self.points += 1;
        let mut eta = vec![0.0; at.grad.len()];
        for (i, g) in at.grad.iter().enumerate() {
            self.first[i] += 0.1 * (g - self.first[i]);
            self.second[i] += 0.001 * (g * g - self.second[i]);
            let m = self.first[i] / (1.0 - 0.9_f64.powi(self.points));
            let v = self.second[i] / (1.0 - 0.999_f64.powi(self.points));
            eta[i] = -m / (v.sqrt() + 1e-8);
        }
        Ok(Box::new(Up(eta)))
    }
}

#[test]
fn a_direction_with_a_memory_keeps_it_from_batch_to_batch() {
    let inputs = Mat::from_fn(2, 200, |d, n| (1.0 + d as f64 + 0.7 * n as f64).sin());
    let labels = (0..200)
        .map(|n| usize::from(inputs[(0, n)] * inputs[(1, n)] > 0.0))
        .collect();
    let network = Network::new(&inputs, &[12, 2], Activation::Tanh).unwrap();
    let items = Labelled::new(&network, labels).unwrap();
    let step = Fixed { scale: 0.01 };
    let descent = Stochastic::new(&items, 20)
        .direction(&Adam)
        .step(&step)
        .epochs(60);
    let report = descent.run(&network.initial(1), |_| ()).unwrap();
    let rho = network.predict(&report.theta).unwrap();
    assert!(items.loss().accuracy(&rho).unwrap() > 0.97, "{report}");
    assert!(report.history[59].mean < 0.1 * report.history[0].mean);
}

#[test]
fn a_saved_run_by_kronecker_factors_resumes_with_their_averages() {
    let inputs = random::normal_matrix(3, 40, 1);
    let network = Network::new(&inputs, &[4, 3], Activation::Tanh).unwrap();
    let labels = (0..40).map(|n| (n * n) % 3).collect();
    let loss = Softmax::new(3, labels).unwrap().mean();
    let (kfac, step) = (Kfac::default(), Fixed { scale: 0.5 });
    let descent = Descent::new(&network, &loss).direction(&kfac).step(&step);
    let mut run = descent.begin(&network.initial(1)).unwrap();
    for _ in 0..4 {
        run.step().unwrap();
    }
    let mut resumed = descent.resume(&run.saved().unwrap()).unwrap();
    // A finder without the averages would go elsewhere.
    let forgetful = descent.propose(run.theta(), 0.0).unwrap();
    let pairs = run.theta().iter().zip(&forgetful.eta);
    let fresh: Vec<f64> = pairs.map(|(t, e)| t + 0.5 * e).collect();
    for k in 0..4 {
        run.step().unwrap();
        resumed.step().unwrap();
        assert_eq!(run.theta(), resumed.theta());
        assert!(k > 0 || gap(&fresh, run.theta()) > 1e-6);
    }
}

#[test]
fn kronecker_factors_descend_along_bounds_that_hold_parameters() {
    let inputs = random::normal_matrix(3, 60, 1);
    let network = Network::new(&inputs, &[6, 3], Activation::Tanh).unwrap();
    let sign = |n: usize| usize::from(inputs[(0, n)] > 0.0) + usize::from(inputs[(1, n)] > 0.0);
    let loss = Softmax::new(3, (0..60).map(sign).collect()).unwrap().mean();
    let start = network.initial(1);
    // Every third weight may only grow.
    let count = start.len();
    let lower = (0..count).map(|i| if i % 3 == 0 { start[i] } else { -50.0 });
    let bounds = Bounds::new(lower.collect(), vec![50.0; count]).unwrap();
    let (kfac, step) = (Kfac::default(), Fixed { scale: 0.5 });
    let descent = Descent::new(&network, &loss)
        .direction(&kfac)
        .step(&step)
        .bounds(&bounds);
    let mut run = descent.begin(&start).unwrap();
    let first = run.loss();
    for _ in 0..40 {
        run.step().unwrap();
    }
    let held = (0..count).filter(|&i| i % 3 == 0 && run.theta()[i] == start[i]);
    let held = held.count();
    assert!(held > 0 && held < count / 3, "{held}");
    assert!(run.loss() < 0.2 * first, "{first} to {}", run.loss());
}
