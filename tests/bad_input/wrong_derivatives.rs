//! Runs with a wrong ∂g/∂θ come to rest where their gradient vanishes and the true one does not. They must not pass for
//! converged unnoticed, and runs with right derivatives must not be suspected.

use crate::support::altered::altered;
use crate::support::{Reaction, density};
use pullback::faer::Mat;
use pullback::loss::L2Misfit;
use pullback::{Descent, Grid, Operator, Report};

fn run(seed: u64, factor: f64) -> Report {
    let grid = Grid::new(&[(0.0, 1.0, 15)]).unwrap();
    let loss = L2Misfit::new(&grid, density(&grid, seed + 100)).unwrap();
    // Some entries of ∂g/∂θ are multiplied by the factor.
    let mistaken = move |mut c: Mat<f64>| {
        for j in 0..c.ncols() {
            let column = c.col_as_slice_mut(j).iter_mut();
            column.skip(j).step_by(3).for_each(|c| *c *= factor);
        }
        Operator::dense(c)
    };
    let reaction = Reaction::new(15, 3, seed);
    let model = altered(&reaction, Operator::dense, mistaken);
    let descent = Descent::new(&model, &loss);
    descent.run(&[0.5, -0.5, 0.5], |_| ()).unwrap()
}

fn is_suspected(report: &Report) -> bool {
    report
        .remarks
        .iter()
        .any(|r| r.text.contains("verify::gradient"))
}

#[test]
fn wrong_derivatives_do_not_converge_unnoticed() {
    let (mut claimed, mut noticed) = (0, 0);
    for factor in [0.0, 0.5, -1.0, 0.9, 0.99, 0.999, 1.01, 2.0] {
        for seed in 0..40 {
            let report = run(seed, factor);
            claimed += usize::from(report.converged());
            noticed += usize::from(report.converged() && is_suspected(&report));
        }
    }
    assert!(
        claimed == noticed && claimed <= 10,
        "{claimed} of 320 runs claim to have converged, {noticed} are suspected"
    );
}

#[test]
fn right_derivatives_are_not_suspected() {
    for seed in 0..100 {
        let report = run(seed, 1.0);
        assert!(
            report.converged() && !is_suspected(&report),
            "{seed}: {report}"
        );
    }
}
