//! Saved runs with noise levels, and with a step rule and a direction of one's own.

use pullback::automatic::{Curve, Formula, Scalar};
use pullback::descent::SaveError;
use pullback::direction::{Finder, Local, Path, Proposal};
use pullback::loss::{Datum, Family, Likelihood, NoiseLevel};
use pullback::step::{Judge, Remembered, Trial, Verdict};
use pullback::{Descent, Direction, Report, Result, StepRule, Transform, random};

use crate::support::runs::misfit;
use crate::support::saves::{check, leak, limit, text};

/// Means a e^(−bt) and a noise level.
struct Decay;

const DATA: usize = 20;

impl Formula for Decay {
    fn dims(&self) -> (usize, usize) {
        (DATA + 1, 3)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        for (k, mean) in out[..DATA].iter_mut().enumerate() {
            *mean = theta[0] * (theta[1] * (-(k as f64) / 10.0)).exp();
        }
        out[DATA] = theta[2];
    }
}

#[test]
fn a_likelihood_with_a_noise_level() {
    let noise = random::normal(DATA, 3, 0);
    let datum = |mean: usize| Datum {
        mean,
        noise: NoiseLevel::Entry(DATA),
        value: 2.0 * (-(mean as f64) / 7.0).exp() + 0.1 * noise[mean],
        family: Family::Gaussian,
    };
    let loss = Likelihood::new(DATA + 1, (0..DATA).map(datum)).unwrap();
    let (model, loss) = (leak(Curve::new(Decay)), leak(loss));
    let transforms = leak([Transform::Log; 3]);
    let descent = || {
        let descent = Descent::new(model, loss).transforms(transforms);
        descent.tolerances(limit())
    };
    check("noise level", descent, &[1.0, 1.0, 1e-3]);
}

/// Takes any decrease, and begins with half the last scale.
struct Halving {
    remembers: bool,
}

struct LastScale {
    scale: f64,
    remembers: bool,
}

impl StepRule for Halving {
    fn begin(&self) -> Box<dyn Judge + '_> {
        Box::new(LastScale {
            scale: 1.0,
            remembers: self.remembers,
        })
    }
}

impl Judge for LastScale {
    fn first(&self) -> (f64, f64) {
        (self.scale, 0.0)
    }
    fn judge(&mut self, trial: &Trial) -> Verdict {
        self.scale = (0.9 * trial.scale).max(0.1);
        match trial.trial_loss < trial.loss {
            true => Verdict::Accept,
            false if trial.attempt < 30 => Verdict::Scale(0.5 * trial.scale),
            false => Verdict::GiveUp,
        }
    }
    fn memory(&self) -> Result<Remembered> {
        match self.remembers {
            true => Remembered::new(&self.scale),
            false => Remembered::nothing(),
        }
    }
    fn recall(&mut self, memory: &Remembered) -> Result<()> {
        if self.remembers {
            self.scale = memory.get()?;
        }
        Ok(())
    }
}

#[test]
fn a_rule_of_ones_own_that_forgets_is_an_error() {
    let (model, loss, start) = misfit();
    let (model, loss) = (leak(model), leak(loss));
    let remembering = leak(Halving { remembers: true });
    let descent = || {
        Descent::new(model, loss)
            .step(remembering)
            .tolerances(limit())
    };
    check("own rule", descent, &start);
    let forgetful = Halving { remembers: false };
    let descent = Descent::new(model, loss).step(&forgetful);
    let mut run = descent.begin(&start).unwrap();
    run.step().unwrap();
    let error = descent.resume(&run.saved().unwrap()).map(drop).unwrap_err();
    assert!(
        matches!(error.of(), Some(SaveError::Forgotten { .. })),
        "{error}"
    );
    assert!(error.to_string().contains("Halving"), "{error}");
}

/// The mean of all gradients of the run, downhill.
struct Momentum;

#[derive(Default)]
struct Mean {
    sum: Vec<f64>,
    points: usize,
}

impl Direction for Momentum {
    fn begin(&self) -> Box<dyn Finder + '_> {
        Box::new(Mean::default())
    }
    fn needs_metric(&self) -> bool {
        false
    }
    fn name(&self) -> &'static str {
        "momentum"
    }
}

impl Finder for Mean {
    fn prepare<'a>(&'a mut self, at: &Local<'a>) -> Result<Box<dyn Path + 'a>> {
        self.sum.resize(at.grad.len(), 0.0);
        self.points += 1;
        self.sum.iter_mut().zip(at.grad).for_each(|(s, g)| *s += g);
        let eta = self.sum.iter().map(|s| -s / self.points as f64);
        Ok(Box::new(Along(eta.collect())))
    }
    fn memory(&self) -> Result<Remembered> {
        Remembered::new(&(&self.sum, self.points))
    }
    fn recall(&mut self, memory: &Remembered) -> Result<()> {
        (self.sum, self.points) = memory.get()?;
        Ok(())
    }
}

struct Along(Vec<f64>);

impl Path for Along {
    fn at(&mut self, _: f64) -> Result<Proposal> {
        Ok(Proposal {
            predicted: 0.5 * self.0.iter().map(|eta| eta * eta).sum::<f64>(),
            rank: self.0.len(),
            eta: self.0.clone(),
        })
    }
}

#[test]
fn a_direction_of_ones_own_with_a_memory() {
    let (model, loss, start) = misfit();
    let (model, loss) = (leak(model), leak(loss));
    let rule = leak(pullback::step::Armijo::default());
    let descent = || {
        let descent = Descent::new(model, loss).direction(&Momentum).step(rule);
        descent.tolerances(limit())
    };
    check("momentum", descent, &start);
}

#[test]
fn a_report_is_read_as_it_was_written() {
    let (model, loss, start) = misfit();
    let report = Descent::new(&model, &loss).run(&start, |_| ()).unwrap();
    let bytes = rmp_serde::to_vec(&report).unwrap();
    let back: Report = rmp_serde::from_slice(&bytes).unwrap();
    assert_eq!(text(&back), text(&report));
    assert_eq!(back.to_string(), report.to_string());
}
