//! Searches and runs that used to end too early: hidden and infinite trials, bounds against momentum, rates that decay.

use std::sync::Mutex;

use pullback::descent::{Saved, Stop, Tolerances};
use pullback::direction::{Adam, Conjugacy, Gradient, LeastSquares, Momentum, NonlinearCg};
use pullback::faer::mat;
use pullback::loss::Observations;
use pullback::step::{Decaying, Fixed, Judge, StrongWolfe, Trial, Verdict};
use pullback::{Bounds, Descent, Direction, Noise, Operator, StepRule, Transform};

use crate::quasi_newton::quadratic;
use crate::support::Explicit;
use crate::support::runs::only;

/// The scale at which a search along φ ends, where φ returns value and slope, and the number of its trials.
fn search(rule: &StrongWolfe, phi: impl Fn(f64) -> (f64, f64)) -> Option<(f64, usize)> {
    let ((loss, slope), mut judge) = (phi(0.0), rule.begin());
    let (mut scale, mut kept) = (judge.first().0, None);
    for attempt in 0..100 {
        let (trial_loss, end) = phi(scale);
        let mut trial = Trial {
            scale,
            loss,
            trial_loss,
            slope,
            predicted: -0.5 * slope,
            promised: -0.5 * slope,
            rounding: f64::EPSILON * loss,
            attempt,
            ..Trial::default()
        };
        let mut verdict = judge.judge(&trial);
        if verdict == Verdict::Slope {
            trial.end_slope = Some(end);
            verdict = judge.judge(&trial);
        }
        match verdict {
            Verdict::Accept => return Some((scale, attempt + 1)),
            Verdict::AcceptKept => return kept.map(|kept| (kept, attempt + 1)),
            Verdict::Keep(next) => (kept, scale) = (Some(scale), next),
            Verdict::Scale(next) => scale = next,
            _ => return None,
        }
    }
    None
}

#[test]
fn searches_leave_regions_without_a_value() {
    let rule = StrongWolfe::default();
    for wall in [1e-1, 1e-6, 1e-12] {
        // A parabola with its minimum at half the way to a wall.
        let phi = |t: f64| match t < wall {
            true => (1.0 - t + t * t / wall, -1.0 + 2.0 * t / wall),
            false => (f64::INFINITY, f64::NAN),
        };
        let (scale, trials) = search(&rule, phi).unwrap();
        assert!(scale < wall && trials < 20, "{wall:e}: {scale:e}, {trials}");
    }
}

/// Where the slope is wrong no scale has both conditions, and the search ends with the best trial once the interval has collapsed.
#[test]
fn searches_with_wrong_slopes_end() {
    let rule = StrongWolfe {
        trials: 40,
        ..StrongWolfe::default()
    };
    let kink = |t: f64| match t < 0.3 {
        true => (1.0 - t, -1.0),
        false => (0.7 + 2.0 * (t - 0.3), 2.0),
    };
    let (scale, trials) = search(&rule, kink).unwrap();
    assert!(
        (scale - 0.3).abs() < 1e-5 && trials <= 40,
        "{scale}, {trials}"
    );
}

/// A judge after these trials (scale, value, slope), from the value 1 and the slope −1.
fn verdict(rule: &StrongWolfe, trials: &[(f64, f64, Option<f64>)]) -> Verdict {
    let (mut judge, mut verdict) = (rule.begin(), Verdict::GiveUp);
    for (attempt, &(scale, value, slope)) in trials.iter().enumerate() {
        verdict = judge.judge(&Trial {
            scale,
            loss: 1.0,
            trial_loss: value,
            slope: -1.0,
            predicted: 0.5,
            promised: 0.5,
            rounding: 1e-6,
            attempt,
            end_slope: slope,
            ..Trial::default()
        });
    }
    verdict
}

#[test]
fn hidden_trials_replace_no_lower_one() {
    let rule = StrongWolfe::default();
    let hidden = verdict(&rule, &[(1.0, 1.0, None)]);
    assert_eq!(hidden, Verdict::Slope);
    let found = verdict(&rule, &[(1.0, 0.5, Some(-0.95)), (4.0, 1.0, None)]);
    assert!(
        matches!(found, Verdict::Scale(scale) if scale < 4.0),
        "{found:?}"
    );
    // The slope at the end of the parabola with the decrease c₁ is 1 − 2c₁ at most.
    let strict = StrongWolfe {
        decrease: 0.4,
        ..rule
    };
    assert_eq!(verdict(&rule, &[(1.0, 1.0, Some(0.5))]), Verdict::Accept);
    let found = verdict(&strict, &[(1.0, 1.0, Some(0.5))]);
    assert!(matches!(found, Verdict::Keep(_)), "{found:?}");
}

/// ½(x − data)² as a model with one parameter.
fn parabola(data: f64) -> (Explicit, Observations) {
    let noise = Noise::uniform(1, 1.0).unwrap();
    let loss = Observations::new(Operator::identity(1), vec![data], noise).unwrap();
    (Explicit(mat![[1.0]]), loss)
}

#[test]
fn momentum_at_a_bound_turns_round() {
    let (model, loss) = parabola(0.9);
    let bounds = Bounds::new(vec![-1.0], vec![1.0]).unwrap();
    let nesterov = Momentum {
        nesterov: true,
        beta: 0.95,
        ..Momentum::default()
    };
    let natural = LeastSquares::default();
    let rows: [(&dyn Direction, f64, f64); 4] = [
        (&Momentum::default(), 0.05, 1e-6),
        (&nesterov, 0.02, 1e-6),
        (&Momentum::new(&natural), 0.05, 1e-6),
        (&Adam::default(), 0.05, 1e-2),
    ];
    for (direction, scale, tolerance) in rows {
        let rate = Fixed { scale };
        let descent = Descent::new(&model, &loss).bounds(&bounds);
        let descent = descent.direction(direction).step(&rate);
        let report = descent.tolerances(only(400)).run(&[0.0], |_| ()).unwrap();
        let touched = report.history.iter().any(|i| i.theta[0] == 1.0);
        let off = (report.theta[0] - 0.9).abs();
        let rows = (touched, off < tolerance, report.iterations() > 40);
        assert_eq!(rows, (true, true, true), "{}: {report}", direction.name());
        assert!(!matches!(report.stop, Stop::Stalled { .. }), "{report}");
    }
}

#[test]
fn a_rate_that_decays_is_no_convergence() {
    let (model, loss, _) = quadratic(12, 4);
    let tolerances = Tolerances {
        decrease: 1e-6,
        step: 1e-4,
        loss: 1e-6,
        iterations: 30,
        ..Tolerances::default()
    };
    let natural = LeastSquares::default();
    let (fixed, decaying) = (
        Fixed { scale: 1e-8 },
        Decaying {
            scale: 0.02,
            steps: 1e-6,
            power: 1.0,
        },
    );
    let directions: [&dyn Direction; 4] = [
        &natural,
        &Gradient,
        &Momentum::new(&natural),
        &Adam::default(),
    ];
    for direction in directions {
        for rule in [&decaying as &dyn StepRule, &fixed] {
            // The unscaled gradient has no length but that of its rate.
            if direction.name() == "gradient" && rule.name() == "fixed" {
                continue;
            }
            let descent = Descent::new(&model, &loss).direction(direction).step(rule);
            let report = descent
                .tolerances(tolerances)
                .run(&[0.4; 4], |_| ())
                .unwrap();
            let last = report.history.last().unwrap();
            assert!(
                last.gradient > 1e-3 * report.history[0].gradient,
                "{report}"
            );
            assert!(!report.converged(), "{}: {report}", direction.name());
        }
    }
}

/// Accepts steps of this scale, and notes the slope at their ends.
struct Noted(f64, Mutex<Vec<f64>>);

impl StepRule for Noted {
    fn begin(&self) -> Box<dyn Judge + '_> {
        Box::new(self)
    }
}

impl Judge for &Noted {
    fn first(&self) -> (f64, f64) {
        (self.0, 0.0)
    }
    fn judge(&mut self, trial: &Trial) -> Verdict {
        let Some(slope) = trial.end_slope else {
            return Verdict::Slope;
        };
        self.1.lock().unwrap().push(slope);
        Verdict::Accept
    }
}

#[test]
fn slopes_leave_out_parameters_at_the_limit_of_a_step() {
    let (model, loss) = parabola(50.0);
    let logarithm = [Transform::Log];
    for scale in [1e-2, 1.0] {
        let rule = Noted(scale, Mutex::default());
        let descent = Descent::new(&model, &loss).direction(&Gradient).step(&rule);
        let descent = descent.transforms(&logarithm).tolerances(only(1));
        let _ = descent.run(&[1.0], |_| ()).unwrap();
        // In ξ = log θ the gradient is (θ − 50)θ, which is −49 at θ = 1. A step changes ξ by log 100 at most.
        let theta = (49.0 * scale).exp();
        let expected = match scale < 0.1 {
            true => 49.0 * (theta - 50.0) * theta,
            false => 0.0,
        };
        let found = rule.1.lock().unwrap()[0];
        let off = (found - expected).abs();
        assert!(
            off <= 1e-10 * expected.abs(),
            "{scale}: {found}, {expected}"
        );
    }
}

#[test]
fn resumed_runs_recognise_the_inner_direction() {
    let (model, loss, _) = quadratic(12, 4);
    let natural = LeastSquares::default();
    let hestenes = NonlinearCg {
        formula: Conjugacy::HestenesStiefel,
        ..NonlinearCg::default()
    };
    let rows: [[&dyn Direction; 2]; 3] = [
        [&Momentum::default(), &Momentum::new(&natural)],
        [&NonlinearCg::default(), &NonlinearCg::new(&natural)],
        [&NonlinearCg::default(), &hestenes],
    ];
    let rule = Fixed { scale: 0.01 };
    for [first, second] in rows {
        let descent = |direction| Descent::new(&model, &loss).direction(direction).step(&rule);
        let mut run = descent(first).begin(&[0.4; 4]).unwrap();
        run.step().unwrap();
        let saved = Saved::from_bytes(&run.saved().unwrap().to_bytes().unwrap()).unwrap();
        assert!(descent(first).resume(&saved).is_ok(), "{}", first.name());
        let error = descent(second)
            .resume(&saved)
            .map(drop)
            .unwrap_err()
            .to_string();
        assert!(error.contains("another inner direction"), "{error}");
    }
}
