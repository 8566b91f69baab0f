//! A stochastic run that was saved and resumed is the run that was never interrupted, bit for bit.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::stochastic::parabola;
use crate::support::Reaction;
use pullback::descent::Control;
use pullback::direction::{Adam, Gradient, Kfac, Momentum};
use pullback::loss::L2Misfit;
use pullback::models::{Activation, Labelled, Network};
use pullback::step::{Annealed, Armijo, Decaying, Fixed, TrustRatio};
use pullback::stochastic::{
    Ending, Epoch, Experiments, Items, Measured, MiniBatch, Report, Saved, Stochastic,
};
use pullback::{Bounds, Direction, Error, Result, StepRule, random};

/// A report without its seconds, as text in which every float has all its digits.
fn text(report: &Report) -> String {
    let mut report = report.clone();
    let seconds: Vec<f64> = report.history.iter().map(|e| e.seconds).collect();
    assert!(seconds.is_sorted() && seconds[0] >= 0.0, "{seconds:?}");
    report.history.iter_mut().for_each(|e| e.seconds = 0.0);
    format!("{report:?}")
}

/// Checks that runs which are saved after some epochs, and resumed from bytes, end as the whole run does.
fn check(name: &str, descent: &Stochastic<'_>, start: &[f64]) {
    let whole = descent.run(start, |_| ()).unwrap();
    for epochs in 0..=5 {
        let mut run = descent.begin(start).unwrap();
        for _ in 0..epochs {
            run.epoch().unwrap();
        }
        let bytes = run.saved().unwrap().to_bytes().unwrap();
        let saved = Saved::from_bytes(&bytes).unwrap();
        assert_eq!(saved.theta(), run.theta());
        drop(run);
        let resumed = descent.resume(&saved).unwrap().finish(|_| ()).unwrap();
        assert_eq!(text(&resumed), text(&whole), "{name} after {epochs} epochs");
    }
}

fn network() -> Network {
    let inputs = random::normal_matrix(3, 50, 1);
    Network::new(&inputs, &[4, 3], Activation::Tanh).unwrap()
}

fn labelled(network: &Network) -> Labelled<'_> {
    Labelled::new(network, (0..50).map(|n| (n * n) % 3).collect()).unwrap()
}

#[test]
fn every_memory_of_directions_and_rules() {
    let network = network();
    let items = labelled(&network);
    let start = network.initial(2);
    let momentum = Momentum::new(&Gradient);
    let adam = Adam::default();
    let over = Momentum::new(&adam);
    let directions: [&dyn Direction; 5] = [&Gradient, &adam, &momentum, &over, &Kfac::default()];
    let decaying = Decaying {
        scale: 0.1,
        steps: 3.0,
        power: 1.0,
    };
    let rules: [&dyn StepRule; 5] = [
        &decaying,
        &Fixed { scale: 0.05 },
        &TrustRatio::default(),
        &Armijo::growing(0.1, 3.0),
        &Annealed::default(),
    ];
    for direction in directions {
        let needed = direction.needs_schedule();
        let fits = |rule: &&dyn StepRule| !needed || rule.begin().is_scheduled();
        for rule in rules.into_iter().filter(fits) {
            let name = format!("{} with {}", direction.name(), rule.name());
            let descent = Stochastic::new(&items, 17).direction(direction).step(rule);
            let descent = descent.epochs(5).seed(4).average(3).evaluate();
            check(&name, &descent, &start);
        }
    }
    // The memory matters: a new run from the parameters after an epoch goes elsewhere than a resumed one.
    let descent = Stochastic::new(&items, 50).direction(&adam).step(&decaying);
    let mut run = descent.begin(&start).unwrap();
    run.epoch().unwrap();
    let mut resumed = descent.resume(&run.saved().unwrap()).unwrap();
    let mut fresh = descent.begin(run.theta()).unwrap();
    resumed.epoch().unwrap();
    fresh.epoch().unwrap();
    assert_ne!(resumed.theta(), fresh.theta());
}

#[test]
fn least_squares_on_batches_of_observations() {
    let (formula, data, noise) = parabola(40, true);
    let items = Measured::new(&formula, data, &noise).unwrap();
    let rules: [&dyn StepRule; 3] = [
        &Decaying::default(),
        &TrustRatio::default(),
        &Annealed::default(),
    ];
    for rule in rules {
        let descent = Stochastic::new(&items, 7).step(rule).epochs(5).average(2);
        check(rule.name(), &descent, &[0.0; 3]);
    }
}

#[test]
fn bounds_and_experiments_given_by_equations() {
    let mut experiments = Experiments::new();
    for seed in 0..5 {
        let loss = L2Misfit::euclidean(vec![0.3; 5]).unwrap();
        experiments = experiments.add(Reaction::new(5, 3, seed), loss);
    }
    let bounds = Bounds::new(vec![-0.4; 3], vec![0.15; 3]).unwrap();
    let descent = Stochastic::new(&experiments, 2).bounds(&bounds).epochs(5);
    check("experiments", &descent, &[0.1, 0.1, 0.15]);
}

#[test]
fn files_are_written_after_epochs_and_at_the_end() {
    let (formula, data, noise) = parabola(40, true);
    let items = Measured::new(&formula, data, &noise).unwrap();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stochastic.pullback");
    std::fs::remove_file(&path).ok();
    let descent = Stochastic::new(&items, 10).epochs(5);
    let whole = descent.run(&[0.0; 3], |_| ()).unwrap();
    let saved = |every, last| {
        let descent = descent.clone().save_every(every, &path);
        let mut seen = Vec::new();
        let observer = |epoch: &Epoch| {
            seen.push(Saved::read(&path).map_or(0, |saved| saved.history().len()));
            match epoch.epoch == last {
                true => Control::Stop,
                false => Control::Continue,
            }
        };
        descent.run(&[0.0; 3], observer).unwrap();
        let saved = Saved::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        (seen, saved)
    };
    let (seen, last) = saved(2, 99);
    assert_eq!(seen, [0, 0, 2, 2, 4]);
    assert_eq!(last.ending(), Some(Ending::Epochs));
    let (seen, stopped) = saved(0, 3);
    assert_eq!(seen, [0, 0, 0]);
    assert_eq!(stopped.ending(), Some(Ending::Observer));
    // A run that its observer stopped goes on, and one that took all its epochs does so with more of them.
    let resumed = descent.resume(&stopped).unwrap().finish(|_| ()).unwrap();
    assert_eq!(text(&resumed), text(&whole));
    let mut ended = descent.resume(&last).unwrap();
    assert_eq!(ended.epoch().unwrap(), Some(Ending::Epochs));
    assert_eq!(ended.history().len(), 5);
    let longer = descent.clone().epochs(8);
    let resumed = longer.resume(&last).unwrap().finish(|_| ()).unwrap();
    assert_eq!(
        text(&resumed),
        text(&longer.run(&[0.0; 3], |_| ()).unwrap())
    );
    // Where a descent has fewer epochs, the run is over.
    let shorter = descent.epochs(2).resume(&stopped).unwrap();
    assert_eq!(shorter.ending(), Some(Ending::Epochs));
}

/// Items of which one batch cannot be prepared once.
struct Flaky<'i> {
    items: &'i dyn Items,
    /// Number of batches before the failure.
    left: AtomicUsize,
}

impl Items for Flaky<'_> {
    fn count(&self) -> usize {
        self.items.count()
    }
    fn param_dim(&self) -> usize {
        self.items.param_dim()
    }
    fn batch<'a>(&'a self, chosen: &[usize]) -> Result<MiniBatch<'a>> {
        match self.left.fetch_sub(1, Ordering::Relaxed) {
            1 => Err(Error::NoMetric),
            _ => self.items.batch(chosen),
        }
    }
}

#[test]
fn an_epoch_goes_on_from_the_batch_that_failed() {
    let network = network();
    let items = labelled(&network);
    let adam = Adam::default();
    let step = Fixed { scale: 0.05 };
    let on = |items| {
        let descent = Stochastic::new(items, 17).direction(&adam).step(&step);
        descent.epochs(4).average(2)
    };
    let start = network.initial(2);
    let whole = on(&items).run(&start, |_| ()).unwrap();
    // Three batches an epoch: the fifth is the second of the second epoch.
    let left = AtomicUsize::new(5);
    let flaky = Flaky {
        items: &items,
        left,
    };
    let descent = on(&flaky);
    let mut run = descent.begin(&start).unwrap();
    run.epoch().unwrap();
    assert!(run.epoch().is_err());
    assert_eq!(run.report().ending, Ending::Unfinished);
    let saved = run.saved().unwrap();
    assert_eq!(text(&run.finish(|_| ()).unwrap()), text(&whole));
    let resumed = on(&items).resume(&saved).unwrap().finish(|_| ()).unwrap();
    assert_eq!(text(&resumed), text(&whole));
}
