//! Momentum and Adam beside plain loops, and the ends of runs that do not fall step by step.

use pullback::descent::{Stop, Tolerances};
use pullback::direction::{Adam, LeastSquares, Momentum};
use pullback::step::{Decaying, Fixed};
use pullback::{Bounds, Descent, Direction, StepRule};

use crate::quasi_newton::quadratic;
use crate::support::gap;
use crate::support::runs::{misfit, only};

const STEPS: usize = 12;

/// The points of a run on a problem with a nonlinear model.
fn points(direction: &dyn Direction, rule: &dyn StepRule) -> Vec<Vec<f64>> {
    let (model, loss, start) = misfit();
    let descent = Descent::new(&model, &loss).direction(direction).step(rule);
    let report = descent.tolerances(only(STEPS)).run(&start, |_| ()).unwrap();
    report.history.iter().map(|i| i.theta.clone()).collect()
}

/// A loop of the step `advance(gradient, number)`, which returns the change of θ.
fn plain(mut advance: impl FnMut(&[f64], usize) -> Vec<f64>) -> Vec<Vec<f64>> {
    let (model, loss, start) = misfit();
    let descent = Descent::new(&model, &loss);
    let mut theta = start.to_vec();
    let mut points = vec![theta.clone()];
    for number in 0..STEPS {
        let gradient = descent.gradient(&theta).unwrap().gradient;
        let change = advance(&gradient, number);
        theta.iter_mut().zip(change).for_each(|(t, c)| *t += c);
        points.push(theta.clone());
    }
    points
}

fn agree(found: &[Vec<f64>], expected: &[Vec<f64>], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (number, (found, expected)) in found.iter().zip(expected).enumerate() {
        let off = gap(found, expected);
        assert!(off < 1e-11, "{what}, step {number}: {off:e}");
    }
}

#[test]
fn the_heavy_ball_is_its_loop() {
    let (rate, beta) = (0.2, 0.8);
    let momentum = Momentum {
        beta,
        ..Momentum::default()
    };
    let mut last = vec![0.0; 3];
    let expected = plain(|gradient, _| {
        // θ″ = θ′ − α∇f + β(θ′ − θ).
        let pairs = gradient.iter().zip(&last);
        last = pairs.map(|(g, l)| -rate * g + beta * l).collect();
        last.clone()
    });
    agree(
        &points(&momentum, &Fixed { scale: rate }),
        &expected,
        "heavy ball",
    );
}

#[test]
fn nesterov_is_its_loop_over_two_sequences() {
    let (rate, beta) = (0.2, 0.8);
    let momentum = Momentum {
        beta,
        nesterov: true,
        ..Momentum::default()
    };
    // x′ = y − α∇f(y), y′ = x′ + β(x′ − x), with the gradients at y. Δ is y − x.
    let mut delta = vec![0.0; 3];
    let expected = plain(|gradient, _| {
        let moved: Vec<f64> = gradient
            .iter()
            .zip(&delta)
            .map(|(g, d)| d - rate * g)
            .collect();
        let change = moved.iter().zip(&delta).map(|(m, d)| (1.0 + beta) * m - d);
        let change: Vec<f64> = change.collect();
        delta = moved.iter().map(|m| beta * m).collect();
        change
    });
    agree(
        &points(&momentum, &Fixed { scale: rate }),
        &expected,
        "Nesterov",
    );
}

#[test]
fn adam_is_its_loop_with_both_rules() {
    let decaying = Decaying {
        scale: 0.05,
        steps: 4.0,
        power: 0.5,
    };
    let rules: [(&dyn StepRule, [f64; 2]); 2] = [
        (&Fixed { scale: 0.05 }, [f64::INFINITY, 1.0]),
        (&decaying, [4.0, 0.5]),
    ];
    for (rule, [steps, power]) in rules {
        let (mut m, mut v) = ([0.0; 3], [0.0; 3]);
        let expected = plain(|gradient, number| {
            let change = |i: usize| {
                m[i] = 0.9 * m[i] + 0.1 * gradient[i];
                v[i] = 0.999 * v[i] + 0.001 * gradient[i] * gradient[i];
                let count = number as i32 + 1;
                let mean = m[i] / (1.0 - 0.9_f64.powi(count));
                let square: f64 = v[i] / (1.0 - 0.999_f64.powi(count));
                let rate = 0.05 / (1.0 + number as f64 / steps).powf(power);
                -rate * mean / (square.sqrt() + 1e-8)
            };
            (0..3).map(change).collect()
        });
        agree(&points(&Adam::default(), rule), &expected, rule.name());
    }
}

/// Momentum overshoots: the objective rises on the way, and the run still ends at the minimum and says that it converged.
#[test]
fn runs_whose_objective_rises_on_the_way_converge() {
    let (model, loss, _) = quadratic(12, 4);
    let exact = Descent::new(&model, &loss).run(&[2.0; 4], |_| ()).unwrap();
    let natural = LeastSquares::default();
    for nesterov in [false, true] {
        for (inner, scale) in [(None, 0.02), (Some(&natural as &dyn Direction), 0.3)] {
            let momentum = Momentum {
                beta: 0.8,
                nesterov,
                ..inner.map_or_else(Momentum::default, Momentum::new)
            };
            let rate = Fixed { scale };
            let tolerances = Tolerances {
                decrease: 1e-12,
                ..Tolerances::default()
            };
            let descent = Descent::new(&model, &loss).direction(&momentum).step(&rate);
            let report = descent
                .tolerances(tolerances)
                .run(&[2.0; 4], |_| ())
                .unwrap();
            let rises = report.history.windows(2).any(|w| w[1].loss > w[0].loss);
            assert!(
                report.converged() && gap(&report.theta, &exact.theta) < 1e-5,
                "{report}"
            );
            assert!(rises || nesterov, "{report}");
        }
    }
}

/// With a constant rate Adam does not settle. The run ends at its limit with the best point, or by the gradient.
#[test]
fn adam_reports_its_best_point() {
    let (model, loss, _) = quadratic(12, 4);
    let tolerances = Tolerances {
        iterations: 400,
        ..Tolerances::default()
    };
    let (adam, rate) = (Adam::default(), Fixed { scale: 0.3 });
    let descent = || Descent::new(&model, &loss).direction(&adam);
    let report = descent()
        .step(&rate)
        .tolerances(tolerances)
        .run(&[2.0; 4], |_| ())
        .unwrap();
    let best = report
        .history
        .iter()
        .fold(f64::INFINITY, |b, i| b.min(i.loss));
    assert!(!report.converged(), "{report}");
    assert!(report.loss <= best, "{report}");
    let decaying = Decaying {
        scale: 0.3,
        steps: 50.0,
        power: 1.0,
    };
    let tolerances = Tolerances {
        gradient: 1e-3,
        ..tolerances
    };
    let descent = descent().step(&decaying).tolerances(tolerances);
    let report = descent.run(&[2.0; 4], |_| ()).unwrap();
    assert!(matches!(report.stop, Stop::Gradient { .. }), "{report}");
}

/// Parameters that a bound holds gather no momentum beyond it.
#[test]
fn minima_in_a_box() {
    let (model, loss, _) = quadratic(12, 4);
    let bounds = Bounds::new(vec![-0.05; 4], vec![0.1; 4]).unwrap();
    let exact = Descent::new(&model, &loss).bounds(&bounds);
    let exact = exact.run(&[0.02; 4], |_| ()).unwrap();
    let nesterov = Momentum {
        beta: 0.5,
        nesterov: true,
        ..Momentum::default()
    };
    let heavy = Momentum {
        beta: 0.5,
        ..Momentum::default()
    };
    let (rate, small) = (
        Fixed { scale: 0.02 },
        Decaying {
            scale: 0.01,
            steps: 20.0,
            power: 1.0,
        },
    );
    let rows: [(&dyn Direction, &dyn StepRule, f64); 3] = [
        (&nesterov, &rate, 1e-5),
        (&heavy, &rate, 1e-5),
        (&Adam::default(), &small, 2e-2),
    ];
    for (direction, rule, tolerance) in rows {
        let descent = Descent::new(&model, &loss).bounds(&bounds);
        let descent = descent.direction(direction).step(rule);
        let report = descent.run(&[0.02; 4], |_| ()).unwrap();
        let off = gap(&report.theta, &exact.theta);
        assert!(off < tolerance, "{}: {off:e}\n{report}", direction.name());
    }
}
