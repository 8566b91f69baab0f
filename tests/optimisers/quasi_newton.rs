//! L-BFGS beside dense matrices, conjugate gradients and bounded minima.

use pullback::descent::{Report, Tolerances};
use pullback::direction::{ConjugateGradient, Lbfgs};
use pullback::faer::Mat;
use pullback::loss::{L2Misfit, Observations};
use pullback::models::{Darcy, End};
use pullback::prior::{Matern, Tikhonov};
use pullback::step::{Armijo, Judge, StrongWolfe, Trial, TrustRatio, Verdict};
use pullback::{
    Bounds, Descent, Direction, Grid, Model, Noise, Operator, Prior, Side, StepRule, Transform,
    random,
};

use crate::support::runs::{line, only};
use crate::support::{
    Explicit, Reaction, column, definite, density, dot, gap, identity, reference_solve,
    reference_vector,
};

/// Accepts every step of this scale and damping.
pub(crate) struct Constant(pub(crate) f64, pub(crate) f64);

impl StepRule for Constant {
    fn begin(&self) -> Box<dyn Judge + '_> {
        Box::new(Self(self.0, self.1))
    }
}

impl Judge for Constant {
    fn first(&self) -> (f64, f64) {
        (self.0, self.1)
    }
    fn judge(&mut self, _: &Trial) -> Verdict {
        Verdict::Accept
    }
}

/// Points and gradients of a run.
struct Course {
    points: Vec<Vec<f64>>,
    gradients: Vec<Vec<f64>>,
}

impl Course {
    fn of(descent: &Descent<'_>, report: &Report) -> Self {
        let points: Vec<_> = report.history.iter().map(|i| i.theta.clone()).collect();
        let gradient = |theta: &Vec<f64>| descent.gradient(theta).unwrap().gradient;
        Self {
            gradients: points.iter().map(gradient).collect(),
            points,
        }
    }

    /// Changes of the parameters and of the gradient in step `i`.
    fn pair(&self, i: usize) -> [Vec<f64>; 2] {
        [&self.points, &self.gradients].map(|x| {
            let both = x[i + 1].iter().zip(&x[i]);
            both.map(|(a, b)| a - b).collect()
        })
    }
}

fn outer(a: &[f64], b: &[f64]) -> Mat<f64> {
    column(a) * column(b).transpose()
}

/// η and the predicted decrease by dense BFGS updates of (1 + λ)C/γ with the pairs (s, y + λ C s/γ). Without a matrix C is I, and
/// γ that of the last pair.
fn dense(
    pairs: &[[Vec<f64>; 2]],
    g: &[f64],
    (c, lambda): (Option<&Mat<f64>>, f64),
) -> (Vec<f64>, f64) {
    let [s, y] = pairs.last().unwrap();
    let (gamma, c) = match c {
        None => (dot(s, y) / dot(y, y), identity(g.len())),
        Some(c) => (1.0, c.clone()),
    };
    let c = &c;
    let shift = c * pullback::faer::Scale(lambda / gamma);
    let mut b = c * pullback::faer::Scale((1.0 + lambda) / gamma);
    for [s, y] in pairs {
        let product = &shift * column(s);
        let y: Vec<f64> = y
            .iter()
            .zip(product.col_as_slice(0))
            .map(|(a, b)| a + b)
            .collect();
        let bs = (&b * column(s)).col_as_slice(0).to_vec();
        b += outer(&y, &y) * pullback::faer::Scale(1.0 / dot(&y, s))
            - outer(&bs, &bs) * pullback::faer::Scale(1.0 / dot(&bs, s));
    }
    let eta: Vec<f64> = reference_vector(b.as_ref(), g).iter().map(|x| -x).collect();
    let curved = (&b - &shift) * column(&eta);
    let predicted = -dot(g, &eta) - 0.5 * dot(curved.col_as_slice(0), &eta);
    (eta, predicted)
}

#[test]
fn steps_are_those_of_dense_updates() {
    let (p, grid) = (6, line(15));
    let (model, loss) = (
        Reaction::new(15, p, 1),
        L2Misfit::new(&grid, density(&grid, 2)).unwrap(),
    );
    let covariance = definite(p, 7);
    let noise = Noise::full(covariance.clone()).unwrap();
    let prior = Tikhonov::new(vec![0.2; p], noise).unwrap();
    let precision = reference_solve(covariance.as_ref(), identity(p).as_ref());
    let start = [0.5, -0.5, 0.4, 0.2, -0.1, 0.3];
    for (memory, lambda) in [(2, 0.0), (10, 0.0), (3, 0.7), (10, 1e-2)] {
        for (c, prior) in [(None, None), (Some(&precision), Some(&prior))] {
            let lbfgs = Lbfgs {
                memory,
                by_prior: prior.is_some(),
            };
            let rule = Constant(0.6, lambda);
            let mut descent = Descent::new(&model, &loss).direction(&lbfgs).step(&rule);
            if let Some(prior) = prior {
                descent = descent.prior(prior as &dyn Prior);
            }
            let descent = descent.tolerances(only(7));
            let report = descent.run(&start, |_| ()).unwrap();
            let course = Course::of(&descent, &report);
            for i in 1..7_usize {
                let pairs: Vec<_> = (i.saturating_sub(memory)..i)
                    .map(|j| course.pair(j))
                    .collect();
                let (eta, predicted) = dense(&pairs, &course.gradients[i], (c, lambda));
                let [step, _] = course.pair(i);
                let found: Vec<f64> = step.iter().map(|s| s / 0.6).collect();
                let promise = report.history[i + 1].step.unwrap().predicted / 0.6;
                // Steps are differences of parameters of size 1, gradients of gradients that have fallen.
                let off = gap(&found, &eta).max(gap(&[promise], &[predicted]));
                assert!(off < 1e-7, "memory {memory}, λ {lambda}, step {i}: {off:e}");
            }
        }
    }
}

/// ½‖Fθ − d‖² by plain conjugate gradients.
fn conjugate_gradients(f: &Mat<f64>, d: &[f64], steps: usize) -> Vec<Vec<f64>> {
    let apply = |x: &[f64]| {
        let image = f * column(x);
        (f.transpose() * image).col_as_slice(0).to_vec()
    };
    let mut theta = vec![0.0; f.ncols()];
    let mut r = (f.transpose() * column(d)).col_as_slice(0).to_vec();
    let (mut direction, mut found) = (r.clone(), Vec::new());
    for _ in 0..steps {
        let image = apply(&direction);
        let square = dot(&r, &r);
        let alpha = square / dot(&direction, &image);
        theta
            .iter_mut()
            .zip(&direction)
            .for_each(|(t, d)| *t += alpha * d);
        r.iter_mut().zip(&image).for_each(|(r, a)| *r -= alpha * a);
        let beta = dot(&r, &r) / square;
        direction = r
            .iter()
            .zip(&direction)
            .map(|(r, d)| r + beta * d)
            .collect();
        found.push(theta.clone());
    }
    found
}

/// Line searches that end where the slope has vanished.
pub(crate) fn exact() -> StrongWolfe {
    StrongWolfe {
        decrease: 1e-10,
        curvature: 1e-9,
        trials: 30,
    }
}

pub(crate) fn quadratic(rows: usize, p: usize) -> (Explicit, Observations, Vec<f64>) {
    let data = random::normal(rows, 4, 0);
    let noise = Noise::uniform(rows, 1.0).unwrap();
    let loss = Observations::new(Operator::identity(rows), data.clone(), noise).unwrap();
    (Explicit(random::normal_matrix(rows, p, 3)), loss, data)
}

/// With exact steps on a parabola, L-BFGS with any memory is the method of conjugate gradients (Nazareth 1979).
pub(crate) fn is_conjugate(direction: &dyn Direction) {
    let p = 7;
    let (model, loss, data) = quadratic(12, p);
    let rule = exact();
    let descent = Descent::new(&model, &loss).direction(direction).step(&rule);
    let report = descent
        .tolerances(only(p))
        .run(&vec![0.0; p], |_| ())
        .unwrap();
    let expected = conjugate_gradients(&model.0, &data, p);
    for (found, expected) in report.history[1..].iter().zip(&expected) {
        let off = gap(&found.theta, expected);
        let number = found.iteration;
        // An error of 1e-9 in a step grows as directions lose conjugacy.
        assert!(off < 1e-6, "{} step {number}: {off:e}", direction.name());
    }
    assert_eq!(report.iterations(), p, "{report}");
}

#[test]
fn with_exact_steps_it_is_conjugate_gradients() {
    for memory in [1, 3, 10] {
        is_conjugate(&Lbfgs {
            memory,
            ..Lbfgs::default()
        });
    }
}

pub(crate) fn rules() -> Vec<Box<dyn StepRule>> {
    vec![
        Box::new(StrongWolfe::default()),
        Box::new(StrongWolfe::close()),
        Box::new(Armijo::default()),
        Box::new(TrustRatio::default()),
    ]
}

/// Runs in a box, with transforms and without, end at the minimum that least squares find.
pub(crate) fn finds_minima(direction: &dyn Direction, rules: &[Box<dyn StepRule>]) {
    let p = 6;
    let (model, loss, _) = quadratic(9, p);
    let box_ = Bounds::new(vec![-0.05; p], vec![0.1; p]).unwrap();
    let logarithms = [Transform::Log; 6];
    for rule in rules {
        for (bounds, transforms) in [(None, None), (Some(&box_), None), (None, Some(&logarithms))] {
            let mut descent = Descent::new(&model as &dyn Model, &loss);
            if let Some(bounds) = bounds {
                descent = descent.bounds(bounds);
            }
            let prior = Tikhonov::new(vec![0.5; p], Noise::uniform(p, 0.1).unwrap()).unwrap();
            if let Some(transforms) = transforms {
                descent = descent.transforms(transforms).prior(&prior);
            }
            let start = [0.04, 0.05, 0.03, 0.06, 0.02, 0.01];
            let exact = descent.run(&start, |_| ()).unwrap();
            let descent = descent.direction(direction).step(rule.as_ref());
            let report = descent.run(&start, |_| ()).unwrap();
            let off = gap(&report.theta, &exact.theta);
            let place = format!("{} with {}", direction.name(), rule.name());
            assert!(
                off < 1e-5 && report.converged(),
                "{place}: {off:e}\n{report}"
            );
            let held = report.theta.iter().filter(|t| **t == -0.05 || **t == 0.1);
            assert_eq!(held.count() > 0, bounds.is_some(), "{place}: {report}");
            println!(
                "{place}: {} steps, {} trials",
                report.iterations(),
                report.counts.model_solves
            );
        }
    }
}

#[test]
fn minima_in_boxes_and_in_logarithms() {
    finds_minima(&Lbfgs::default(), &rules());
}

/// Steps until the objective of a field of `cells`² conductivities, seen by 60 pressures, has fallen to a millionth of its
/// first distance from the minimum.
fn steps_of_darcy(cells: usize, noise: f64, by_prior: bool) -> usize {
    let grid = Grid::new(&[(0.0, 1.0, cells), (0.0, 1.0, cells)]).unwrap();
    let model = Darcy::new(&grid).unwrap();
    let model = model.pressure(0, End::Lower, 1.0).unwrap();
    let model = model.pressure(0, End::Upper, 0.0).unwrap();
    let place = |i: usize| [0.05 + 0.1 * (i % 10) as f64, 0.08 + 0.16 * (i / 10) as f64];
    let wells: Vec<[f64; 2]> = (0..60).map(place).collect();
    let observed = model.observe(&wells).unwrap();
    let truth = grid.sample(|x| (6.0 * x[0]).sin() * (5.0 * x[1]).cos());
    let pressures = model.pressures(&truth).unwrap();
    let mut data = observed.apply_to(Side::Plain, &pressures).unwrap();
    let errors = random::normal(60, 5, 0);
    data.iter_mut()
        .zip(errors)
        .for_each(|(d, e)| *d += noise * e);
    let loss = Observations::new(observed, data, Noise::uniform(60, noise).unwrap()).unwrap();
    let prior = Matern::new(&grid, 1.0, 0.3).unwrap();
    let (krylov, wolfe) = (ConjugateGradient::default(), StrongWolfe::default());
    let descent = || Descent::new(&model, &loss).prior(&prior);
    let start = vec![0.0; grid.cells()];
    let least = descent().direction(&krylov).run(&start, |_| ()).unwrap();
    let first = least.history[0].loss;
    let tolerances = Tolerances {
        target: Some(least.loss + 1e-6 * (first - least.loss)),
        ..only(2000)
    };
    let lbfgs = Lbfgs {
        by_prior,
        ..Lbfgs::default()
    };
    let descent = descent().direction(&lbfgs).step(&wolfe);
    let report = descent.tolerances(tolerances).run(&start, |_| ()).unwrap();
    assert!(report.converged(), "{report}");
    println!(
        "{cells}², noise {noise}, by the prior {by_prior}: {} steps, {} trials",
        report.iterations(),
        report.counts.model_solves
    );
    report.iterations()
}

/// C is the Hessian wherever the data see nothing, on every mesh. With a tenth of this noise the data decide more, and both take
/// about 100 steps.
#[test]
fn with_noisy_data_the_precision_of_the_prior_saves_steps_on_every_mesh() {
    let known = [12, 24].map(|cells| steps_of_darcy(cells, 0.1, true));
    let plain = [12, 24].map(|cells| steps_of_darcy(cells, 0.1, false));
    for (known, plain) in known.iter().zip(plain) {
        assert!(2 * known < plain, "{known} {plain}");
    }
    assert!(4 * known[1] < 5 * known[0], "{known:?}");
}
