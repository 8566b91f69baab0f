//! Strong Wolfe steps: their conditions, and the work of the directions that need them.

use pullback::Direction;
use pullback::descent::{Report, Tolerances};
use pullback::direction::{Lbfgs, NonlinearCg};
use pullback::step::StrongWolfe;

use crate::sums::{Row, rows};
use crate::support::dot;

/// Ends where the gradient has fallen by about as much as in the runs of SciPy. At 1e-8 the slopes of `gaussian` are rounding.
const END: f64 = 2e-8;

fn run(row: &Row, direction: &dyn Direction, rule: &StrongWolfe) -> Report {
    let tolerances = Tolerances {
        decrease: 0.0,
        step: 0.0,
        loss: 0.0,
        gradient: END,
        ..Tolerances::default()
    };
    let descent = row.descent().direction(direction).step(rule);
    let descent = descent.tolerances(tolerances);
    descent.run(&row.start, |_| ()).unwrap()
}

/// The steps of a run that break one of the conditions.
fn broken(row: &Row, rule: &StrongWolfe, report: &Report) -> Vec<String> {
    let at = |theta: &[f64]| row.descent().gradient(theta).unwrap();
    let mut broken = Vec::new();
    for pair in report.history.windows(2) {
        let (here, there) = (at(&pair[0].theta), at(&pair[1].theta));
        let step: Vec<f64> = (0..row.start.len())
            .map(|i| pair[1].theta[i] - pair[0].theta[i])
            .collect();
        let (first, last) = (dot(&here.gradient, &step), dot(&there.gradient, &step));
        let decrease = here.value - there.value;
        // Beside 1 + 1e-9 for the rounding of the products, values carry the rounding of sums of squares.
        let rounding = 1e-14 * (here.value + 1e-14);
        let low = decrease + rounding >= -rule.decrease * first;
        let curved = last.abs() <= (1.0 + 1e-9) * rule.curvature * first.abs();
        if !(low && curved && first < 0.0) {
            let number = pair[1].iteration;
            broken.push(format!("{number}: {decrease:e}, {first:e}, {last:e}"));
        }
    }
    broken
}

/// A method with its rule, and how many times the evaluations of the method of SciPy it may take.
fn check(direction: &dyn Direction, rule: &StrongWolfe, (method, factor): (&str, f64)) {
    let mut faults = Vec::new();
    for row in rows() {
        let report = run(&row, direction, rule);
        let (evaluations, value) = row.scipy(method);
        let steps = broken(&row, rule, &report);
        let found = report.counts.model_solves;
        println!(
            "{method} {}: {found} of {evaluations}, {:e} of {value:e}",
            row.name, report.loss
        );
        let within = found as f64 <= factor * evaluations as f64;
        // Where the value at the minimum is 0, both end close to it. Elsewhere the values agree.
        let there = report.loss - value <= 1e-6 * (1.0 + value);
        if !(steps.is_empty() && within && there && report.converged()) {
            faults.push(format!("{}: {steps:?}, {report}", row.name));
        }
    }
    assert!(faults.is_empty(), "{method}: {}", faults.join("\n"));
}

#[test]
fn lbfgs_takes_about_the_evaluations_of_scipy() {
    check(
        &Lbfgs::default(),
        &StrongWolfe::default(),
        ("L-BFGS-B", 1.5),
    );
}

#[test]
fn conjugate_gradients_take_about_the_evaluations_of_scipy() {
    let rule = StrongWolfe::close();
    check(&NonlinearCg::default(), &rule, ("CG", 1.5));
}
