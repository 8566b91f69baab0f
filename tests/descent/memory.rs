//! What a run remembers belongs to it: directions and step rules begin anew with every run.

use std::sync::atomic::{AtomicUsize, Ordering};

use pullback::direction::{Finder, Local, Path, Proposal};
use pullback::loss::L2Misfit;
use pullback::step::{Armijo, Judge, Trial, TrustRatio, Verdict};
use pullback::{Descent, Direction, Report, Result, StepRule, random};

use crate::support::Reaction;

/// Barzilai-Borwein: η = −τ∇f with τ = ⟨s, s⟩/⟨s, y⟩ of the last two points, all of which it has to remember.
#[derive(Default)]
struct TwoPoints {
    begun: AtomicUsize,
}

#[derive(Default)]
struct Last(Option<(Vec<f64>, Vec<f64>)>);

struct Along {
    grad: Vec<f64>,
    tau: f64,
}

impl Direction for TwoPoints {
    fn begin(&self) -> Box<dyn Finder + '_> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        Box::new(Last::default())
    }
    fn needs_metric(&self) -> bool {
        false
    }
    fn name(&self) -> &'static str {
        "two points"
    }
}

impl Finder for Last {
    fn prepare<'a>(&'a mut self, at: &Local<'a>) -> Result<Box<dyn Path + 'a>> {
        let difference =
            |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a - b).collect() };
        let inner = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let tau = self.0.as_ref().map_or(1e-2, |(theta, grad)| {
            let (s, y) = (difference(at.coordinates, theta), difference(at.grad, grad));
            inner(&s, &s) / inner(&s, &y)
        });
        self.0 = Some((at.coordinates.to_vec(), at.grad.to_vec()));
        let tau = if tau.is_finite() && tau > 0.0 {
            tau
        } else {
            1e-2
        };
        Ok(Box::new(Along {
            grad: at.grad.to_vec(),
            tau,
        }))
    }
}

impl Path for Along {
    fn at(&mut self, damping: f64) -> Result<Proposal> {
        let t = self.tau / (1.0 + damping);
        let square = self.grad.iter().map(|g| g * g).sum::<f64>();
        Ok(Proposal {
            eta: self.grad.iter().map(|g| -t * g).collect(),
            predicted: 0.5 * t * square,
            rank: self.grad.len(),
        })
    }
}

fn same_path(a: &Report, b: &Report) {
    let path =
        |r: &Report| -> Vec<Vec<f64>> { r.history.iter().map(|i| i.theta.clone()).collect() };
    assert_eq!(path(a), path(b));
    assert_eq!(a.stop, b.stop);
}

#[test]
fn a_descent_runs_many_times_and_every_run_is_the_first() {
    let model = Reaction::new(14, 3, 1);
    let loss = L2Misfit::euclidean(random::uniform(14, (0.2, 0.8), 4)).unwrap();
    let (direction, armijo) = (TwoPoints::default(), Armijo::growing(1.0, 4.0));
    let descent = Descent::new(&model, &loss)
        .direction(&direction)
        .step(&armijo);
    let once = descent.run(&[0.4, -0.3, 0.2], |_| ()).unwrap();
    let far = descent.run(&[1.5, 1.0, -1.0], |_| ()).unwrap();
    let again = descent.run(&[0.4, -0.3, 0.2], |_| ()).unwrap();
    same_path(&once, &again);
    assert_eq!(direction.begun.load(Ordering::Relaxed), 3);
    // It is a descent, and more than a step of it.
    assert!(once.iterations() > 3 && far.loss < far.history[0].loss);
    // Two runs side by side know nothing of each other.
    let mut runs = [
        descent.begin(&[0.4, -0.3, 0.2]).unwrap(),
        descent.begin(&[1.5, 1.0, -1.0]).unwrap(),
    ];
    while runs.iter_mut().any(|run| run.step().unwrap().is_none()) {
        let _ = runs.iter_mut().map(|run| run.step().unwrap()).last();
    }
    let [one, other] = runs.map(|run| run.report());
    same_path(&one, &once);
    same_path(&other, &far);
}

#[test]
fn a_run_taken_step_by_step_is_that_of_the_loop() {
    let model = Reaction::new(14, 3, 1);
    let loss = L2Misfit::euclidean(random::uniform(14, (0.2, 0.8), 4)).unwrap();
    let descent = Descent::new(&model, &loss);
    let whole = descent.run(&[0.4, -0.3, 0.2], |_| ()).unwrap();
    let mut run = descent.begin(&[0.4, -0.3, 0.2]).unwrap();
    assert_eq!(run.theta(), [0.4, -0.3, 0.2]);
    let unfinished = run.report();
    assert!(!unfinished.converged());
    assert!(
        unfinished.to_string().contains("not finished"),
        "{unfinished}"
    );
    assert_eq!(unfinished.history.len(), 0);
    let mut steps = 0;
    while run.step().unwrap().is_none() {
        steps += 1;
        assert_eq!(run.history().len(), steps);
        assert!(run.loss().is_finite());
    }
    assert_eq!(run.stop(), Some(whole.stop));
    // A run that has ended stays so.
    let (before, counts) = (run.theta().to_vec(), run.report().counts);
    assert_eq!(run.step().unwrap(), Some(whole.stop));
    assert_eq!((run.theta(), run.report().counts), (&before[..], counts));
    let report = run.report();
    same_path(&report, &whole);
    assert_eq!(report.counts, whole.counts);
    let (by_run, by_report) = (
        run.covariance().unwrap(),
        whole.covariance(&descent).unwrap(),
    );
    assert_eq!(by_run.covariance, by_report.covariance);
    // A proposal is that of the descent, and takes no step.
    let mut fresh = descent.begin(&[0.4, -0.3, 0.2]).unwrap();
    let proposal = fresh.propose(0.5).unwrap();
    assert_eq!(proposal, descent.propose(&[0.4, -0.3, 0.2], 0.5).unwrap());
    assert_eq!(fresh.theta(), [0.4, -0.3, 0.2]);
    assert!(fresh.propose(-1.0).is_err() && fresh.propose(f64::NAN).is_err());
}

/// Accepts everything and notes how often it was asked, run by run.
struct Counting;

struct Asked(usize);

impl StepRule for Counting {
    fn begin(&self) -> Box<dyn Judge + '_> {
        Box::new(Asked(0))
    }
}

impl Judge for Asked {
    fn first(&self) -> (f64, f64) {
        // Ever shorter.
        (0.5_f64.powi(self.0 as i32), 0.0)
    }
    fn judge(&mut self, _: &Trial) -> Verdict {
        self.0 += 1;
        Verdict::Accept
    }
}

#[test]
fn step_rules_begin_anew_with_every_run() {
    let model = Reaction::new(14, 3, 1);
    let loss = L2Misfit::euclidean(random::uniform(14, (0.2, 0.8), 4)).unwrap();
    let trust = TrustRatio::default();
    for rule in [&Counting as &dyn StepRule, &trust] {
        let descent = Descent::new(&model, &loss).step(rule);
        let runs = [(); 2].map(|()| descent.run(&[1.0, 1.0, 1.0], |_| ()).unwrap());
        same_path(&runs[0], &runs[1]);
        assert_eq!(runs[0].history[1].step.unwrap().trials, 1);
    }
}
