//! Experiments that are solved side by side: results, counts and warm starts.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::runs::only;
use crate::support::saves::{check, leak, limit};
use crate::support::{Reaction, column, gap};
use pullback::automatic::{Curve, Formula, Scalar};
use pullback::direction::Gradient;
use pullback::faer::{Mat, MatMut, MatRef};
use pullback::loss::{L2Misfit, Observations, Penalty, Robust, Sum};
use pullback::step::Fixed;
use pullback::stochastic::{Experiments, Items, MiniBatch, Report, Stochastic};
use pullback::{Backend, Cpu, Descent, Error, Model, Noise, Operator, Result, Side, random};
use rayon::ThreadPoolBuilder;

/// A ρ = B (θ + 0.1 θ³), where A does not depend on θ.
struct Linear {
    matrix: Mat<f64>,
    forcing: Mat<f64>,
    /// Whether solvers know A by its products only.
    free: bool,
}

impl Linear {
    fn new(k: usize, seed: u64, free: bool) -> Self {
        Self {
            matrix: crate::support::definite(k, seed),
            forcing: random::normal_matrix(k, 3, seed + 1),
            free,
        }
    }
}

impl Model for Linear {
    fn state_dim(&self) -> usize {
        self.matrix.nrows()
    }
    fn param_dim(&self) -> usize {
        self.forcing.ncols()
    }
    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        let moved: Vec<f64> = theta.iter().map(|t| t + 0.1 * t.powi(3)).collect();
        let difference = &self.matrix * column(rho) - &self.forcing * column(&moved);
        out.copy_from_slice(difference.col_as_slice(0));
    }
    fn state_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        let k = self.matrix.nrows();
        if !self.free {
            return Operator::dense(self.matrix.clone());
        }
        // A is symmetric.
        let product = move |_: Side, x: MatRef<'_, f64>, mut out: MatMut<'_, f64>| {
            out.copy_from(&self.matrix * x);
        };
        Operator::free(k, k, Box::new(product))
    }
    fn param_jacobian<'a>(&'a self, _: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        let (k, p) = self.forcing.shape();
        let slope = |j: usize| 1.0 + 0.3 * theta[j] * theta[j];
        Operator::dense(Mat::from_fn(k, p, |i, j| -self.forcing[(i, j)] * slope(j)))
    }
}

const START: [f64; 3] = [0.1, 0.1, 0.2];

/// Adds an experiment whose data lie off its model by a tenth.
fn add(all: Experiments<'static>, model: impl Model + 'static) -> Experiments<'static> {
    let (k, theta) = (model.state_dim(), [0.3, -0.2, 0.4]);
    let mut rho = vec![0.0; k];
    model.solve(&theta, &mut rho, Cpu::shared()).unwrap();
    let noise = random::normal(k, all.count() as u64, 0);
    rho.iter_mut().zip(noise).for_each(|(r, e)| *r += 0.1 * e);
    all.add(model, L2Misfit::euclidean(rho).unwrap())
}

/// Nonlinear and linear experiments, with direct and with iterative solvers.
fn mixed() -> Experiments<'static> {
    let all = add(Experiments::new(), Reaction::new(5, 3, 1));
    let all = add(all, Linear::new(40, 2, true));
    let all = add(all, Linear::new(6, 3, false));
    let all = add(all, Linear::new(40, 4, true));
    let all = add(all, Reaction::new(7, 3, 5));
    add(all, Linear::new(6, 6, false))
}

/// A report without its seconds, as text in which every float has all its digits.
fn text(mut report: Report) -> String {
    report.history.iter_mut().for_each(|e| e.seconds = 0.0);
    format!("{report:?}")
}

#[test]
fn no_bit_and_no_count_depends_on_threads() {
    let items = mixed();
    for size in [2, 4, 6] {
        let run = |threads| {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build();
            let descent = Stochastic::new(&items, size).epochs(4).evaluate();
            let report = pool
                .unwrap()
                .install(|| descent.run(&START, |_| ()).unwrap());
            assert!(report.counts.solver_iterations > 0, "{report}");
            text(report)
        };
        let alone = run(1);
        for threads in [2, 4, 4] {
            assert_eq!(run(threads), alone, "{threads} threads, batches of {size}");
        }
    }
}

#[test]
fn all_experiments_in_one_batch_make_the_steps_of_a_descent() {
    let items = add(Experiments::new(), Reaction::new(5, 3, 1));
    let items = add(items, Linear::new(6, 3, false));
    let items = add(items, Reaction::new(7, 3, 5));
    let batch = items.batch(&[0, 1, 2]).unwrap();
    let descent = Descent::new(batch.model(), batch.loss()).tolerances(only(6));
    let mut run = descent.begin(&START).unwrap();
    let mut stochastic = Stochastic::new(&items, 3).begin(&START).unwrap();
    for epoch in 0..6 {
        run.step().unwrap();
        stochastic.epoch().unwrap();
        // Newton's method may move a solution from which it starts by last digits.
        let gap = gap(run.theta(), stochastic.theta());
        assert!(gap < 1e-13, "{gap:e} in epoch {epoch}");
    }
}

#[test]
fn every_experiment_keeps_its_factor() {
    let linear = |all, seed| add(all, Linear::new(6, seed, false));
    let items = (1..=3).fold(Experiments::new(), linear);
    let batch = items.batch(&[0, 1, 2]).unwrap();
    let descent = Descent::new(batch.model(), batch.loss()).tolerances(only(6));
    let report = descent.run(&START, |_| ()).unwrap();
    assert!(report.iterations() > 2, "{report}");
    assert_eq!(report.counts.factorisations, 3, "{report}");
}

#[test]
fn descents_on_experiments_are_saved_with_their_lanes() {
    let items = leak(mixed());
    let batch = leak(items.batch(&[0, 1, 2, 3, 4, 5]).unwrap());
    let descent = || Descent::new(batch.model(), batch.loss()).tolerances(limit());
    check("experiments", descent, &START);
}

/// Reactions one by one, whose solves start from earlier states or not.
struct Reactions {
    count: usize,
    warm: bool,
}

impl Items for Reactions {
    fn count(&self) -> usize {
        self.count
    }
    fn param_dim(&self) -> usize {
        3
    }
    fn batch<'a>(&'a self, chosen: &[usize]) -> Result<MiniBatch<'a>> {
        let model = Reaction::new(5, 3, chosen[0] as u64);
        let loss = Sum::default().add(self.count as f64, L2Misfit::euclidean(vec![0.4; 5])?)?;
        let batch = MiniBatch::new(model, loss);
        Ok(match self.warm {
            true => batch.warm_starts(vec![5]),
            false => batch,
        })
    }
}

#[test]
fn solves_start_from_the_last_visit_of_their_item() {
    let step = Fixed { scale: 1e-6 };
    let run = |warm| {
        let items = Reactions { count: 5, warm };
        let descent = Stochastic::new(&items, 1).direction(&Gradient).step(&step);
        let report = descent.epochs(6).run(&START, |_| ()).unwrap();
        (report.theta, report.counts)
    };
    let ((theta, counts), (warm_theta, warm_counts)) = (run(false), run(true));
    assert!(gap(&warm_theta, &theta) < 1e-8, "{warm_theta:?} {theta:?}");
    let (cold, warm) = (counts.newton_solves, warm_counts.newton_solves);
    assert!(4 * warm < 3 * cold, "{warm} of {cold}");
}

/// A model that cannot be solved.
struct Unsolvable(usize);

impl Model for Unsolvable {
    fn state_dim(&self) -> usize {
        2
    }
    fn param_dim(&self) -> usize {
        3
    }
    fn residual(&self, _: &[f64], _: &[f64], out: &mut [f64]) {
        out.fill(1.0);
    }
    fn state_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::identity(2)
    }
    fn param_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::dense(Mat::zeros(2, 3))
    }
    fn solve(&self, _: &[f64], _: &mut [f64], _: &dyn Backend) -> Result<()> {
        // The last one fails first.
        std::thread::sleep(Duration::from_millis(20 - 5 * self.0 as u64));
        Err(Error::OutOfMemory {
            what: "an experiment",
            size: self.0,
            needed: None,
            limit: None,
        })
    }
}

#[test]
fn the_error_is_that_of_the_first_experiment() {
    let mut items = Experiments::new();
    for i in 1..4 {
        let loss = L2Misfit::euclidean(vec![0.0; 2]).unwrap();
        items = items.add(Unsolvable(i), loss);
    }
    let pool = ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let error = pool.install(|| Stochastic::new(&items, 3).run(&START, |_| ()).unwrap_err());
    assert!(format!("{error:?}").contains("1×1"), "{error:?}");
}

/// The state θ, which a first solve finds only while another one is under way.
struct Meeting(Arc<AtomicUsize>);

impl Model for Meeting {
    fn state_dim(&self) -> usize {
        3
    }
    fn param_dim(&self) -> usize {
        3
    }
    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        (0..3).for_each(|i| out[i] = rho[i] - theta[i]);
    }
    fn state_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::identity(3)
    }
    fn param_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::dense(-Mat::<f64>::identity(3, 3))
    }
    fn solve(&self, theta: &[f64], rho: &mut [f64], _: &dyn Backend) -> Result<()> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let before = Instant::now();
        while self.0.load(Ordering::SeqCst) < 2 {
            assert!(before.elapsed() < Duration::from_secs(20), "no other solve");
            std::thread::yield_now();
        }
        rho.copy_from_slice(theta);
        Ok(())
    }
}

#[test]
fn experiments_are_solved_at_the_same_time() {
    let solves = Arc::new(AtomicUsize::new(0));
    let loss = || L2Misfit::euclidean(vec![0.3; 3]).unwrap();
    let items = Experiments::new()
        .add(Meeting(Arc::clone(&solves)), loss())
        .add(Meeting(Arc::clone(&solves)), loss());
    let pool = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let report = pool.install(|| Stochastic::new(&items, 2).run(&START, |_| ()).unwrap());
    assert!(gap(&report.theta, &[0.3; 3]) < 1e-12, "{report}");
}

/// a e^(−b t) at some times.
struct Decay(Vec<f64>);

impl Formula for Decay {
    fn dims(&self) -> (usize, usize) {
        (self.0.len(), 2)
    }
    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        for (y, t) in out.iter_mut().zip(&self.0) {
            *y = theta[0] * (theta[1] * -t).exp();
        }
    }
}

/// Data of a decay at these of 24 times, every seventh of them an outlier, with a robust loss.
fn robust(chosen: Range<usize>) -> (Curve<Decay>, Robust) {
    let times: Vec<f64> = chosen.clone().map(|i| 0.2 * i as f64).collect();
    let errors = random::normal(24, 5, 0);
    let outlier = |i: usize| if i % 7 == 3 { 1.0 } else { 0.0 };
    let pairs = chosen.zip(&times);
    let data: Vec<f64> = pairs
        .map(|(i, t)| 2.0 * (-0.7 * t).exp() + 0.1 * errors[i] + outlier(i))
        .collect();
    let noise = Noise::uniform(data.len(), 0.1).unwrap();
    let loss = Robust::new(
        Observations::present(&data, &noise).unwrap(),
        Penalty::Huber,
    );
    (Curve::new(Decay(times)), loss.unwrap())
}

#[test]
fn robust_experiments_have_the_covariance_of_all_their_data() {
    let (curve, loss) = robust(0..24);
    let errors = |descent: Descent<'_>| {
        let report = descent.run(&[1.5, 0.5], |_| ()).unwrap();
        report.covariance(&descent).unwrap().standard_errors
    };
    let expected = errors(Descent::new(&curve, &loss));
    let ((one, its_loss), (other, other_loss)) = (robust(0..10), robust(10..24));
    let items = Experiments::new().add(one, its_loss).add(other, other_loss);
    let batch = items.batch(&[0, 1]).unwrap();
    let found = errors(Descent::new(batch.model(), batch.loss()));
    assert!(gap(&found, &expected) < 1e-6, "{found:?}, {expected:?}");
}
