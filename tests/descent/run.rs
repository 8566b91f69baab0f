//! The descent loop: how fast, when it stops and with which numbers, what it hands back, what it survives.

use crate::support;
use crate::support::runs::{line, misfit, only, run};
use crate::support::{Explicit, gap};
use pullback::descent::{Control, Snapshot, Stop, Tolerances};
use pullback::faer::{Mat, mat};
use pullback::loss::L2Misfit;
use pullback::metric::{L2, Scaled};
use pullback::step::{Armijo, Fixed, Judge, Trial, TrustRatio, Verdict};
use pullback::{Backend, Descent, Error, Loss, Model, Operator, Report, Result, StepRule, random};

/// Levenberg-Marquardt that neither stretches nor, at first, damps.
fn plain_trust() -> TrustRatio {
    let mut rule = TrustRatio::default();
    (rule.damping, rule.stretch) = (0.0, 1.0);
    rule
}

#[test]
fn a_quadratic_takes_one_step_in_the_metric_of_its_loss() {
    let (model, truth) = (Explicit(random::normal_matrix(8, 3, 1)), [1.0, -2.0, 3.0]);
    let target = (&model.0 * support::column(&truth))
        .col_as_slice(0)
        .to_vec();
    let loss = L2Misfit::new(&line(8), target).unwrap();
    let rules: [(&str, Box<dyn StepRule>); 3] = [
        ("trust ratio", Box::new(plain_trust())),
        ("Armijo", Box::new(Armijo::default())),
        ("fixed", Box::new(Fixed::default())),
    ];
    for (name, mut rule) in rules {
        let descent = Descent::new(&model, &loss).step(rule.as_mut());
        let report = descent.run(&[50.0, 0.0, -9.0], |_| ()).unwrap();
        let off = gap(&report.theta, &truth);
        assert!(
            report.converged() && report.iterations() <= 2 && off < 1e-12,
            "{name}: {report}"
        );
        assert_eq!(report.history[1].step.unwrap().trials, 1, "{name}");
    }
    // The default damps by 10⁻³ at first, and so takes a few steps more.
    let report = Descent::new(&model, &loss)
        .run(&[50.0, 0.0, -9.0], |_| ())
        .unwrap();
    assert!(
        report.iterations() <= 5 && gap(&report.theta, &truth) < 1e-9,
        "{report}"
    );
}

#[test]
fn what_is_left_is_what_an_undamped_step_from_there_would_bring() {
    let (model, misfit, _) = misfit();
    let left = |report: &Report| {
        let descent = Descent::new(&model, &misfit);
        let proposal = descent.propose(&report.theta, 0.0).unwrap();
        let size = |j: usize| {
            let sizes = report.history.iter().map(|it| it.theta[j].abs());
            sizes.fold(0.0, f64::max)
        };
        let changes = proposal.eta.iter().enumerate();
        let change = changes
            .map(|(j, eta)| eta.abs() / size(j))
            .fold(0.0, f64::max);
        (proposal.predicted / report.loss, change)
    };
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-6 * b;
    let decrease = run(Tolerances {
        decrease: 1e-6,
        ..only(50)
    });
    let Stop::Decrease { ratio } = decrease.stop else {
        panic!("{decrease}");
    };
    assert!(near(ratio, left(&decrease).0) && ratio <= 1e-6 && decrease.converged());

    let step = run(Tolerances {
        step: 1e-3,
        ..only(50)
    });
    let Stop::Step { ratio } = step.stop else {
        panic!("{step}");
    };
    assert!(near(ratio, left(&step).1) && ratio <= 1e-3 && step.converged());
}

#[test]
fn every_test_stops_with_the_number_it_names() {
    let gradient = run(Tolerances {
        gradient: 1e-6,
        ..only(50)
    });
    let (first, last) = (&gradient.history[0], gradient.history.last().unwrap());
    let ratio = last.gradient / first.gradient;
    assert_eq!(gradient.stop, Stop::Gradient { ratio });
    assert!(ratio <= 1e-6 && gradient.converged());

    let loss = run(Tolerances {
        loss: 1e-4,
        ..only(50)
    });
    let [.., before, last] = loss.history.as_slice() else {
        panic!("too short: {loss}");
    };
    let ratio = (before.loss - last.loss) / before.loss;
    assert_eq!(loss.stop, Stop::Loss { ratio });
    assert!((0.0..=1e-4).contains(&ratio) && loss.converged());

    let start = run(only(0)).loss;
    let target = run(Tolerances {
        target: Some(0.9 * start),
        ..only(50)
    });
    assert_eq!(target.stop, Stop::Target { loss: target.loss });
    assert!(target.loss <= 0.9 * start && target.converged());

    for taken in [0, 1, 3] {
        let limited = run(only(taken));
        assert_eq!(limited.stop, Stop::Iterations { taken });
        assert_eq!(limited.iterations(), taken);
        assert!(!limited.converged());
    }
}

#[test]
fn the_observer_sees_every_iterate_and_may_stop() {
    let (model, loss, start) = misfit();
    let mut seen = Vec::new();
    let watch = |it: Snapshot<'_>| {
        seen.push(it.iteration);
        if it.iteration == 2 {
            Control::Stop
        } else {
            Control::Continue
        }
    };
    let report = Descent::new(&model, &loss)
        .tolerances(only(9))
        .run(&start, watch)
        .unwrap();
    assert_eq!((report.stop, report.history.len()), (Stop::Observer, 3));
    assert_eq!(seen, [0, 1, 2]);
    let counts: Vec<_> = report
        .history
        .iter()
        .map(|it| it.counts.adjoint_solves)
        .collect();
    assert_eq!(counts, [1, 2, 3]);
}

/// Tries ever shorter steps and likes none.
struct Picky;

impl StepRule for Picky {
    fn begin(&self) -> Box<dyn Judge + '_> {
        Box::new(Self)
    }
}

impl Judge for Picky {
    fn first(&self) -> (f64, f64) {
        (1.0, 0.0)
    }
    fn judge(&mut self, trial: &Trial) -> Verdict {
        match trial.attempt {
            4 => Verdict::GiveUp,
            _ => Verdict::Scale(0.5 * trial.scale),
        }
    }
}

#[test]
fn a_search_that_finds_nothing_stalls_and_says_so() {
    let model = Explicit(mat![[1.0]]);
    let loss = L2Misfit::new(&line(1), vec![0.0]).unwrap();
    let descent = Descent::new(&model, &loss).step(&Picky).run(&[2.0], |_| ());
    let report = descent.unwrap();
    // Four trials after the first; the slope is −ρ² at ρ = 2.
    assert_eq!(
        report.stop,
        Stop::Stalled {
            trials: 5,
            slope: -4.0
        }
    );
    assert_eq!((report.theta[0], report.counts.model_solves), (2.0, 6));
    assert!(!report.converged() && report.to_string().contains("stalled"));
}

/// A loss whose gradient points the wrong way.
struct Liar;

impl Loss for Liar {
    fn value(&self, rho: &[f64]) -> f64 {
        0.5 * rho[0] * rho[0]
    }
    fn gradient(&self, rho: &[f64], out: &mut [f64]) {
        out[0] = -rho[0];
    }
}

#[test]
fn a_wrong_gradient_is_no_convergence() {
    let (model, metric) = (Explicit(mat![[1.0]]), L2::default());
    let rules: [Box<dyn StepRule>; 2] =
        [Box::new(Armijo::default()), Box::new(TrustRatio::default())];
    for mut rule in rules {
        let descent = Descent::new(&model, &Liar)
            .metric(&metric)
            .step(rule.as_mut());
        let report = descent.run(&[2.0], |_| ()).unwrap();
        assert!(matches!(report.stop, Stop::Stalled { .. }), "{report}");
    }
}

/// 0 turns a test off, also where nothing moves any more.
#[test]
fn tests_that_are_off_do_not_stop() {
    let model = Explicit(mat![[1.0], [1.0]]);
    let loss = L2Misfit::new(&line(2), vec![1.0, 3.0]).unwrap();
    let descent = Descent::new(&model, &loss).tolerances(only(40));
    let report = descent.run(&[0.0], |_| ()).unwrap();
    assert!(
        matches!(
            report.stop,
            Stop::Iterations { .. } | Stop::Gradient { ratio: 0.0 }
        ),
        "{report}"
    );
}

/// ρ = θ, but only up to 2.
struct Fragile;

impl Model for Fragile {
    fn state_dim(&self) -> usize {
        1
    }
    fn param_dim(&self) -> usize {
        1
    }
    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        out[0] = rho[0] - theta[0];
    }
    fn state_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::identity(1)
    }
    fn param_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::dense(mat![[-1.0]])
    }
    fn solve(&self, theta: &[f64], rho: &mut [f64], _: &dyn Backend) -> Result<()> {
        rho[0] = theta[0];
        if theta[0] > 2.0 {
            Err(Error::model("too hot"))
        } else {
            Ok(())
        }
    }
}

#[test]
fn a_model_that_fails_at_a_trial_shortens_the_step() {
    let loss = L2Misfit::new(&line(1), vec![1.9]).unwrap();
    let far = Armijo::growing(4.0, 2.0);
    // In a metric that is 20 times too small steps are 20 times too long.
    let small = Scaled {
        metric: L2::default(),
        factor: 0.05,
    };
    let (trust, natural) = (plain_trust(), L2::default());
    let runs = [
        Descent::new(&Fragile, &loss).metric(&natural).step(&far),
        Descent::new(&Fragile, &loss).metric(&small).step(&trust),
    ];
    for run in runs {
        let report = run.run(&[0.0], |_| ()).unwrap();
        assert!(report.history[1].step.unwrap().trials > 1, "{report}");
        assert!(
            report.converged() && (report.theta[0] - 1.9).abs() < 1e-6,
            "{report}"
        );
    }
    let error = Descent::new(&Fragile, &loss)
        .run(&[3.0], |_| ())
        .unwrap_err();
    assert!(
        matches!(&error, Error::Model(_)) && error.to_string().contains("too hot"),
        "{error}"
    );
}

#[test]
fn a_start_at_the_optimum_takes_no_step() {
    let model = Explicit(Mat::identity(3, 3));
    let loss = L2Misfit::new(&line(3), vec![1.0, 2.0, 3.0]).unwrap();
    let report = Descent::new(&model, &loss)
        .run(&[1.0, 2.0, 3.0], |_| ())
        .unwrap();
    assert_eq!(
        (report.stop, report.iterations()),
        (Stop::Gradient { ratio: 0.0 }, 0)
    );
}
