//! Step rules, averages and endings of stochastic descents.

use crate::stochastic::parabola;
use crate::support::gap;
use pullback::automatic::{Curve, Formula, Scalar};
use pullback::descent::Control;
use pullback::direction::{Adam, Gradient, Momentum};
use pullback::loss::Observations;
use pullback::prior::Tikhonov;
use pullback::step::{Decaying, Fixed, Judge, Trial, TrustRatio, Verdict};
use pullback::stochastic::{Ending, Epoch, Items, Measured, Stochastic};
use pullback::{Descent, Direction, Noise, StepRule, random};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Returns the minimum of the objective of all data.
fn minimum(count: usize) -> Vec<f64> {
    let (formula, data, noise) = parabola(count, true);
    let loss = Observations::present(&data, &noise).unwrap();
    let curve = Curve::new(&formula);
    let report = Descent::new(&curve, &loss).run(&[0.0; 3], |_| ());
    report.unwrap().theta
}

#[test]
fn steps_of_the_default_rule_settle_on_noisy_data() {
    let (formula, data, noise) = parabola(1000, true);
    let items = Measured::new(&formula, data, &noise).unwrap();
    let best = minimum(1000);
    // Distances from the minimum, in the root of the mean square over seeds.
    let distances = |step: Option<&dyn StepRule>| {
        let mut squares = [0.0; 3];
        for seed in 0..6 {
            let mut descent = Stochastic::new(&items, 50).epochs(64).seed(seed);
            if let Some(step) = step {
                descent = descent.step(step);
            }
            let report = descent.run(&[0.0; 3], |_| ()).unwrap();
            for (square, epoch) in squares.iter_mut().zip([0, 7, 63]) {
                *square += gap(&report.history[epoch].theta, &best).powi(2) / 6.0;
            }
        }
        squares.map(f64::sqrt)
    };
    // Steps of scale s keep the share s/(2 − s) of the variance of one batch: 0.7, 0.24 and 0.04 after these epochs.
    let settled = distances(None);
    assert!(settled[1] < 0.8 * settled[0], "{settled:?}");
    assert!(settled[2] < 0.5 * settled[1], "{settled:?}");
    // Judged by their own batch alone, steps of full length follow its noise for ever.
    let restless = distances(Some(&TrustRatio::default()));
    assert!(restless[2] > 0.5 * restless[0], "{restless:?}");
    assert!(restless[2] > 3.0 * settled[2], "{restless:?}, {settled:?}");
}

#[test]
fn moments_and_momentum_fit_noisy_data_on_batches() {
    let (formula, data, noise) = parabola(600, true);
    let items = Measured::new(&formula, data, &noise).unwrap();
    let best = minimum(600);
    let momentum = Momentum::new(&Gradient);
    let rules: [(&dyn Direction, [f64; 2]); 2] =
        [(&Adam::default(), [0.1, 60.0]), (&momentum, [3e-6, 300.0])];
    for (direction, [scale, steps]) in rules {
        let step = Decaying {
            scale,
            steps,
            power: 1.0,
        };
        let descent = Stochastic::new(&items, 20)
            .direction(direction)
            .step(&step)
            .epochs(60);
        let report = descent.run(&[0.0; 3], |_| ()).unwrap();
        let off = gap(&report.theta, &best);
        assert!(off < 0.02, "{}: {off}", direction.name());
        assert!(report.to_string().starts_with(direction.name()), "{report}");
    }
}

/// A rule that counts the slopes that it receives.
#[derive(Default)]
struct Counting(AtomicUsize);

impl StepRule for Counting {
    fn begin(&self) -> Box<dyn Judge + '_> {
        Box::new(self)
    }
}

impl Judge for &Counting {
    fn first(&self) -> (f64, f64) {
        (0.5, 0.0)
    }
    fn judge(&mut self, _: &Trial) -> Verdict {
        Verdict::Accept
    }
    fn arrive(&mut self, _: &Trial, _: f64) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn judges_see_slopes_of_one_objective_only() {
    let (formula, data, noise) = parabola(20, true);
    let items = Measured::new(&formula, data, &noise).unwrap();
    let arrivals = |size, epochs| {
        let rule = Counting::default();
        let descent = Stochastic::new(&items, size).step(&rule).epochs(epochs);
        let report = descent.run(&[0.0; 3], |_| ()).unwrap();
        (rule.0.into_inner(), report.history[epochs - 1].steps)
    };
    assert_eq!(arrivals(20, 4), (3, 4));
    // The two batches of an epoch differ.
    assert_eq!(arrivals(10, 1), (0, 2));
}

#[test]
fn averages_are_those_of_the_last_epochs_of_the_run() {
    let (formula, data, noise) = parabola(20, true);
    let items = Measured::new(&formula, data, &noise).unwrap();
    let step = Fixed { scale: 1e-4 };
    let descent = Stochastic::new(&items, 20).direction(&Gradient).step(&step);
    let stop = |epoch: &Epoch| match epoch.epoch {
        5 => Control::Stop,
        _ => Control::Continue,
    };
    for averaged in [1, 3, 10] {
        let descent = descent.clone().epochs(40).average(averaged);
        let report = descent.run(&[0.0; 3], stop).unwrap();
        assert_eq!(report.ending, Ending::Observer);
        // A batch of all items makes one step an epoch.
        let last = &report.history[5 - averaged.min(5)..];
        let mean = |i: usize| last.iter().map(|e| e.theta[i]).sum::<f64>() / last.len() as f64;
        let expected = [mean(0), mean(1), mean(2)];
        assert!(gap(&report.average.unwrap(), &expected) < 1e-15);
    }
}

#[test]
fn a_perfect_fit_ends_as_one() {
    let (formula, _, _) = parabola(30, true);
    let theta = [1.0, -2.0, 0.5];
    let data = Curve::new(&formula).predict(&theta).unwrap();
    let items = Measured::new(&formula, data, &Noise::uniform(30, 0.1).unwrap()).unwrap();
    for (size, start) in [(10, theta), (30, theta)] {
        let descent = Stochastic::new(&items, size).epochs(50).average(2);
        let report = descent.run(&start, |_| ()).unwrap();
        assert_eq!(report.ending, Ending::Converged, "{report}");
        assert!(report.last_stop.unwrap().converged());
        assert_eq!((report.history.len(), report.average), (1, None));
    }
}

#[test]
fn gradients_of_small_batches_have_the_whole_gradient_as_their_mean() {
    // The count is no multiple of the size, and the prior counts in full on every batch.
    let (formula, data, noise) = parabola(23, true);
    let items = Measured::new(&formula, data.clone(), &noise).unwrap();
    let loss = Observations::present(&data, &noise).unwrap();
    let curve = Curve::new(&formula);
    let prior = Tikhonov::new(vec![0.5; 3], Noise::uniform(3, 0.2).unwrap()).unwrap();
    let theta = [0.3, -0.1, 0.7];
    let whole = Descent::new(&curve, &loss).prior(&prior);
    let whole = whole.gradient(&theta).unwrap().gradient;
    let mut mean = [0.0; 3];
    for chosen in [0..8, 8..16, 16..23] {
        let chosen: Vec<usize> = chosen.collect();
        let batch = items.batch(&chosen).unwrap();
        let descent = Descent::new(batch.model(), batch.loss()).prior(&prior);
        let gradient = descent.gradient(&theta).unwrap().gradient;
        let share = chosen.len() as f64 / 23.0;
        mean.iter_mut()
            .zip(&gradient)
            .for_each(|(m, g)| *m += share * g);
    }
    assert!(gap(&mean, &whole) < 1e-12, "{mean:?}, {whole:?}");
}

/// Two exponentials at many times.
struct Decays {
    times: Vec<f64>,
    /// Whether `rows` takes the wrong times.
    shifted: bool,
}

impl Formula for Decays {
    fn dims(&self) -> (usize, usize) {
        (self.times.len(), 4)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        self.from(theta, 0, out);
    }

    fn rows<S: Scalar>(&self, theta: &[S], first: usize, out: &mut [S]) -> bool {
        self.from(theta, if self.shifted { 0 } else { first }, out);
        true
    }
}

impl Decays {
    fn new(count: usize, shifted: bool) -> Self {
        let times = (0..count).map(|i| 5.0 * i as f64 / count as f64);
        Self {
            times: times.collect(),
            shifted,
        }
    }

    fn from<S: Scalar>(&self, theta: &[S], first: usize, out: &mut [S]) {
        for (y, t) in out.iter_mut().zip(&self.times[first..]) {
            *y = theta[0] * (theta[1] * -t).exp() + theta[2] * (theta[3] * -t).exp();
        }
    }

    /// Noisy values of the truth.
    fn data(&self) -> (Vec<f64>, Noise) {
        let count = self.times.len();
        let mut data = vec![0.0; count];
        self.from(&[1.0, 0.3, 2.0, 2.0], 0, &mut data);
        let errors = random::normal(count, 1, 0);
        data.iter_mut().zip(errors).for_each(|(d, e)| *d += 0.1 * e);
        (data, Noise::uniform(count, 0.1).unwrap())
    }
}

#[test]
fn default_steps_lead_to_the_minimum_from_afar_with_every_seed() {
    let decays = Decays::new(10_000, false);
    let (data, noise) = decays.data();
    let items = Measured::new(&decays, data, &noise).unwrap();
    for (size, epochs) in [(100, 2), (1000, 10), (5000, 40)] {
        for seed in 0..8 {
            let stochastic = Stochastic::new(&items, size).epochs(epochs).seed(seed);
            let report = stochastic.evaluate().run(&[0.5, 0.1, 1.0, 1.0], |_| ());
            let report = report.unwrap();
            let objective = report.history.last().unwrap().objective.unwrap();
            // The minimum is 5.094e3.
            assert!(objective < 5.2e3, "{size}, {seed}: {objective:e}");
        }
    }
}

#[test]
fn rows_that_are_not_the_values_are_found() {
    let decays = Decays::new(50, true);
    let (data, noise) = decays.data();
    let items = Measured::new(&decays, data, &noise).unwrap();
    let error = Stochastic::new(&items, 10).run(&[0.5, 0.1, 1.0, 1.0], |_| ());
    let text = error.unwrap_err().to_string();
    assert!(text.contains("`rows` and `values` disagree"), "{text}");
}

#[test]
fn means_of_epochs_count_every_item_once() {
    let (formula, data, noise) = parabola(11, true);
    let items = Measured::new(&formula, data, &noise).unwrap();
    let still = Fixed { scale: 1e-300 };
    let stochastic = Stochastic::new(&items, 4).direction(&Gradient).step(&still);
    let report = stochastic.clone().epochs(3).run(&[0.0; 3], |_| ()).unwrap();
    let expected = stochastic.objective(&[0.0; 3]).unwrap();
    for epoch in &report.history {
        assert!((epoch.mean / expected - 1.0).abs() < 1e-12, "{epoch}");
    }
}
