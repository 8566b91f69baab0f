//! Stochastic descents against plain loops and against descents on all data.

use crate::support::{Reaction, gap};
use pullback::automatic::{Curve, Formula, Scalar};
use pullback::descent::Control;
use pullback::direction::{
    Finder, Gradient, Information, Kfac, LeastSquares, Local, Path, Proposal,
};
use pullback::loss::{L2Misfit, Observations};
use pullback::metric::{Root, Rows};
use pullback::models::{Activation, Labelled, Network};
use pullback::prior::Tikhonov;
use pullback::step::{Armijo, Fixed, TrustRatio};
use pullback::stochastic::{Ending, Experiments, Items, Measured, Stochastic};
use pullback::{Backend, Descent, Direction, Metric, Noise, Result, StepRule, random};
use rayon::ThreadPoolBuilder;

/// y = a + b t + c t² at many times.
pub(crate) struct Parabola {
    times: Vec<f64>,
    /// Whether values can be computed one by one.
    by_rows: bool,
}

impl Formula for Parabola {
    fn dims(&self) -> (usize, usize) {
        (self.times.len(), 3)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        for (y, &t) in out.iter_mut().zip(&self.times) {
            *y = theta[0] + theta[1] * t + theta[2] * (t * t);
        }
    }

    fn rows<S: Scalar>(&self, theta: &[S], first: usize, out: &mut [S]) -> bool {
        for (y, &t) in out.iter_mut().zip(&self.times[first..]) {
            *y = theta[0] + theta[1] * t + theta[2] * (t * t);
        }
        self.by_rows
    }
}

pub(crate) fn parabola(count: usize, by_rows: bool) -> (Parabola, Vec<f64>, Noise) {
    let times: Vec<f64> = (0..count)
        .map(|i| 2.0 * i as f64 / count as f64 - 1.0)
        .collect();
    let noise = random::normal(count, 7, 0);
    let pairs = times.iter().zip(&noise);
    let data = pairs
        .map(|(t, e)| 1.0 - 2.0 * t + 0.5 * t * t + 0.1 * e)
        .collect();
    let deviations = (0..count).map(|i| 0.1 + 0.05 * (i % 3) as f64).collect();
    let formula = Parabola { times, by_rows };
    (formula, data, Noise::deviations(deviations).unwrap())
}

/// Batches of one item, in the order in which a descent took them, from the steps that it made.
#[test]
fn gradient_descent_on_batches_is_the_plain_loop() {
    let (formula, data, noise) = parabola(12, true);
    let items = Measured::new(&formula, data.clone(), &noise).unwrap();
    let step = Fixed { scale: 1e-4 };
    let descent = Stochastic::new(&items, 1)
        .direction(&Gradient)
        .step(&step)
        .seed(3);
    let mut paths = vec![];
    let report = descent
        .clone()
        .epochs(4)
        .run(&[0.0; 3], |epoch| paths.push(epoch.theta.clone()));
    // Each step of a batch of one item moves θ along (1, t, t²) of that item, so that the set of items of an epoch is a
    // permutation. Gradients of single items commute up to second order in the scale; the loop below knows the order.
    let report = report.unwrap();
    assert_eq!((report.history.len(), report.history[3].steps), (4, 48));
    let orders = orders(&items, 3, 4);
    let deviation = |i: usize| 0.1 + 0.05 * (i % 3) as f64;
    let mut theta = [0.0; 3];
    for (epoch, order) in orders.iter().enumerate() {
        for &i in order {
            let t = formula.times[i];
            let row = [1.0, t, t * t];
            let residual = theta.iter().zip(&row).map(|(a, b)| a * b).sum::<f64>() - data[i];
            let slope = 12.0 * residual / deviation(i).powi(2);
            (0..3).for_each(|k| theta[k] -= 1e-4 * slope * row[k]);
        }
        assert!(gap(&paths[epoch], &theta) < 1e-13, "epoch {epoch}");
    }
}

/// Orders of single items in the epochs of a run with this seed, seen by items that write them down.
fn orders(items: &dyn Items, seed: u64, epochs: usize) -> Vec<Vec<usize>> {
    struct Watched<'i>(&'i dyn Items, std::sync::Mutex<Vec<usize>>);
    impl Items for Watched<'_> {
        fn count(&self) -> usize {
            self.0.count()
        }
        fn param_dim(&self) -> usize {
            self.0.param_dim()
        }
        fn batch<'a>(&'a self, chosen: &[usize]) -> Result<pullback::stochastic::MiniBatch<'a>> {
            self.1.lock().unwrap().extend(chosen);
            self.0.batch(chosen)
        }
    }
    let watched = Watched(items, std::sync::Mutex::new(Vec::new()));
    let step = Fixed { scale: 1e-6 };
    let descent = Stochastic::new(&watched, 1)
        .direction(&Gradient)
        .step(&step)
        .seed(seed);
    descent.epochs(epochs).run(&[0.0; 3], |_| ()).unwrap();
    let all = watched.1.into_inner().unwrap();
    let orders: Vec<Vec<usize>> = all.chunks(items.count()).map(<[usize]>::to_vec).collect();
    for order in &orders {
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert!(sorted.iter().copied().eq(0..items.count()));
    }
    assert_ne!(orders[0], orders[1]);
    orders
}

#[test]
fn a_batch_of_all_items_makes_the_steps_of_a_descent() {
    let inputs = random::normal_matrix(3, 40, 1);
    let network = Network::new(&inputs, &[4, 3], Activation::Tanh).unwrap();
    let labels: Vec<usize> = (0..40).map(|n| (n * n) % 3).collect();
    let items = Labelled::new(&network, labels).unwrap();
    let theta = network.initial(2);
    let prior = Tikhonov::new(
        vec![0.0; theta.len()],
        Noise::uniform(theta.len(), 3.0).unwrap(),
    );
    let prior = prior.unwrap();
    let directions: [&dyn Direction; 4] = [
        &LeastSquares::default(),
        &Information::default(),
        &Kfac::default(),
        &Gradient,
    ];
    let rules: [&dyn StepRule; 3] = [
        &TrustRatio::default(),
        &Armijo::default(),
        &Fixed { scale: 0.2 },
    ];
    for direction in directions {
        for rule in rules {
            let mut run = Descent::new(&network, items.loss())
                .direction(direction)
                .step(rule)
                .prior(&prior)
                .begin(&theta)
                .unwrap();
            let stochastic = Stochastic::new(&items, 40)
                .direction(direction)
                .step(rule)
                .prior(&prior)
                .epochs(8)
                .evaluate();
            let report = stochastic.run(&theta, |_| ()).unwrap();
            let name = direction.name();
            for epoch in &report.history {
                assert_eq!(run.step().unwrap(), None, "{name}");
                assert_eq!(
                    epoch.theta,
                    run.theta(),
                    "{name}, {}, {}",
                    rule.name(),
                    epoch.epoch
                );
                assert_eq!(epoch.objective, Some(run.loss()));
            }
            // One evaluation more at the start of every step, and no other cost.
            let (ours, theirs) = (report.counts, run.report().counts);
            assert_eq!(ours.adjoint_solves, theirs.adjoint_solves, "{name}");
            assert_eq!(ours.tangent_solves, theirs.tangent_solves, "{name}");
            assert_eq!(ours.model_solves, theirs.model_solves + 7, "{name}");
        }
    }
}

#[test]
fn runs_do_not_depend_on_threads_and_depend_on_the_seed() {
    // 283 weights at 500 samples are work that threads share, in four blocks of samples.
    let inputs = random::normal_matrix(3, 1000, 1);
    let network = Network::new(&inputs, &[40, 3], Activation::Softplus).unwrap();
    let items = Labelled::new(&network, (0..1000).map(|n| (n * n) % 3).collect()).unwrap();
    let step = Fixed { scale: 0.5 };
    let run = |seed, threads, direction: &dyn Direction| {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let descent = Stochastic::new(&items, 500)
            .step(&step)
            .direction(direction);
        let descent = descent.seed(seed).epochs(2);
        pool.install(|| descent.run(&network.initial(1), |_| ()).unwrap().theta)
    };
    let directions: [&dyn Direction; 3] = [&Gradient, &Kfac::default(), &Information::default()];
    for direction in directions {
        let alone = run(1, 1, direction);
        for threads in [2, 4] {
            assert_eq!(run(1, threads, direction), alone, "{}", direction.name());
        }
        assert_ne!(run(2, 1, direction), alone);
    }
}

#[test]
fn formulas_with_and_without_rows_make_the_same_steps() {
    let step = Fixed { scale: 1e-4 };
    let run = |by_rows| {
        let (formula, data, noise) = parabola(30, by_rows);
        let items = Measured::new(&formula, data, &noise).unwrap();
        let descent = Stochastic::new(&items, 7).direction(&Gradient).step(&step);
        descent.run(&[0.0; 3], |_| ()).unwrap().theta
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn experiments_together_are_one_descent_on_their_sum() {
    let theta = [0.3, -0.2, 0.1];
    let mut experiments = Experiments::new();
    for model in (0..4).map(|seed| Reaction::new(5, 3, seed)) {
        let mut rho = vec![0.0; 5];
        pullback::Model::solve(&model, &theta, &mut rho, &pullback::Cpu::default()).unwrap();
        experiments = experiments.add(model, L2Misfit::euclidean(rho).unwrap());
    }
    let batch = experiments.batch(&[1, 3]).unwrap();
    let start = [0.1, 0.1, 0.2];
    let checks = pullback::verify::model(batch.model(), &start, 1).unwrap();
    assert!(checks.passed(), "{checks}");
    let rho = random::normal(10, 4, 0);
    let checks = pullback::verify::loss(batch.loss(), &rho, 1).unwrap();
    assert!(checks.passed(), "{checks}");
    for direction in [
        &LeastSquares::default() as &dyn Direction,
        &pullback::direction::Newton::default(),
    ] {
        let descent = Stochastic::new(&experiments, 2)
            .direction(direction)
            .epochs(12);
        let report = descent.run(&start, |_| ()).unwrap();
        assert!(gap(&report.theta, &theta) < 1e-6, "{report}");
    }
    // The objective of two of four counts twice.
    let whole = Stochastic::new(&experiments, 4).objective(&start).unwrap();
    let pairs = [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]];
    let mean = pairs.map(|pair| {
        let batch = experiments.batch(&pair).unwrap();
        Descent::new(batch.model(), batch.loss())
            .objective(&start)
            .unwrap()
            / 6.0
    });
    assert!((mean.iter().sum::<f64>() / whole - 1.0).abs() < 1e-12);
}

#[test]
fn averages_are_closer_to_the_minimum_than_the_last_step() {
    let (formula, data, noise) = parabola(600, true);
    let items = Measured::new(&formula, data.clone(), &noise).unwrap();
    let loss = Observations::present(&data, &noise).unwrap();
    let curve = Curve::new(&formula);
    let best = Descent::new(&curve, &loss)
        .run(&[0.0; 3], |_| ())
        .unwrap()
        .theta;
    let step = Fixed { scale: 1e-5 };
    let distances = |seed| {
        let descent = Stochastic::new(&items, 5).direction(&Gradient).step(&step);
        let report = descent
            .seed(seed)
            .epochs(40)
            .average(30)
            .run(&[0.0; 3], |_| ());
        let report = report.unwrap();
        [
            gap(&report.theta, &best),
            gap(&report.average.unwrap(), &best),
        ]
    };
    let all: Vec<[f64; 2]> = (0..8).map(distances).collect();
    let mean = |which: usize| all.iter().map(|d| d[which]).sum::<f64>() / 8.0;
    assert!(mean(1) < 0.5 * mean(0), "{all:?}");
}

#[test]
fn an_observer_ends_a_run_and_rejected_steps_end_it_too() {
    let (formula, data, noise) = parabola(20, true);
    let items = Measured::new(&formula, data, &noise).unwrap();
    let step = Fixed { scale: 1e-4 };
    let descent = Stochastic::new(&items, 5).direction(&Gradient).step(&step);
    let stop = |epoch: &pullback::stochastic::Epoch| match epoch.epoch {
        3 => Control::Stop,
        _ => Control::Continue,
    };
    let report = descent.run(&[0.0; 3], stop).unwrap();
    assert_eq!((report.history.len(), report.ending), (3, Ending::Observer));
    // A direction uphill, which a line search gives up.
    let armijo = Armijo::default();
    let report = descent
        .direction(&Uphill)
        .step(&armijo)
        .run(&[0.0; 3], |_| ())
        .unwrap();
    assert_eq!(
        (report.theta, report.ending),
        (vec![0.0; 3], Ending::Rejected)
    );
    assert_eq!(
        (report.history[0].steps, report.history[0].rejected),
        (0, 4)
    );
}

struct Uphill;

impl Direction for Uphill {
    fn begin(&self) -> Box<dyn Finder + '_> {
        Box::new(self)
    }
    fn needs_metric(&self) -> bool {
        false
    }
    fn name(&self) -> &'static str {
        "uphill"
    }
}

impl Finder for &Uphill {
    fn prepare<'a>(&'a mut self, at: &Local<'a>) -> Result<Box<dyn Path + 'a>> {
        Ok(Box::new(Up(at.grad.to_vec())))
    }
}

/// Path that proposes one step, whatever the damping.
pub(crate) struct Up(pub(crate) Vec<f64>);

impl Path for Up {
    fn at(&mut self, _: f64) -> Result<Proposal> {
        Ok(Proposal {
            eta: self.0.clone(),
            predicted: 1.0,
            rank: 3,
        })
    }
}

/// The metric 4I, four times that of a sum of squares.
struct Quadruple;

impl Metric for Quadruple {
    fn at<'a>(&'a self, rho: &'a [f64], _: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        let rows: Vec<_> = (0..rho.len()).map(|i| vec![(i, 2.0)]).collect();
        Ok(Box::new(Rows::new(rho.len(), &rows)?))
    }
    fn name(&self) -> &'static str {
        "quadruple"
    }
}

#[test]
fn experiments_may_have_metrics_of_their_own() {
    let loss = || L2Misfit::euclidean(vec![0.3; 5]).unwrap();
    let (mut plain, mut quadruple) = (Experiments::new(), Experiments::new());
    for seed in 0..4 {
        plain = plain.add(Reaction::new(5, 3, seed), loss());
        let model = Reaction::new(5, 3, seed);
        quadruple = quadruple.add_with_metric(model, loss(), Quadruple);
    }
    // Four times the metric makes a quarter of the step.
    let run = |items: &dyn Items, scale| {
        let step = Fixed { scale };
        let descent = Stochastic::new(items, 2).step(&step).epochs(3);
        descent.run(&[0.1, 0.1, 0.2], |_| ()).unwrap().theta
    };
    let [found, expected] = [run(&quadruple, 1.0), run(&plain, 0.25)];
    assert!(
        gap(&found, &expected) < 1e-10,
        "{:e}",
        gap(&found, &expected)
    );
    assert!(gap(&found, &run(&plain, 1.0)) > 1e-3);
}
