//! Sketch and solve on the Lorenz twin problem: how many steps a few random adjoints need.

use pullback::descent::{Control, Tolerances};
use pullback::direction::{Estimator, LeastSquares, Sketched};
use pullback::loss::L2Misfit;
use pullback::models::InvariantMeasure;
use pullback::models::flow::Lorenz;
use pullback::step::Armijo;
use pullback::{Cpu, Descent, Direction, Grid};

const TRUTH: [f64; 3] = Lorenz::CLASSIC;

/// Steps until ‖θ − θ*‖/‖θ*‖ is 1e-6.
fn steps(
    model: &InvariantMeasure<'_>,
    loss: &L2Misfit,
    direction: &dyn Direction,
) -> Option<usize> {
    let size = TRUTH.iter().map(|t| t * t).sum::<f64>().sqrt();
    let mut reached = None;
    let limit = Tolerances {
        iterations: 20,
        ..Tolerances::default()
    };
    let search = Armijo::default();
    let descent = Descent::new(model, loss)
        .direction(direction)
        .step(&search)
        .tolerances(limit);
    let report = descent.run(&[8.0, 22.0, 1.5], |it| {
        let off = it.theta.iter().zip(TRUTH).map(|(a, b)| (a - b) * (a - b));
        if reached.is_none() && off.sum::<f64>().sqrt() <= 1e-6 * size {
            reached = Some(it.iteration);
            return Control::Stop;
        }
        Control::Continue
    });
    assert!(report.is_ok(), "{report:?}");
    reached
}

#[test]
fn a_few_probes_recover_the_lorenz_parameters() {
    let grid = Grid::new(&Lorenz::BOX.map(|(a, b)| (a, b, 16))).unwrap();
    let model = InvariantMeasure::new(&grid, Lorenz).unwrap();
    let data = model.density(&TRUTH, &Cpu::default()).unwrap();
    let loss = L2Misfit::new(&grid, data).unwrap();
    let exact = steps(&model, &loss, &LeastSquares::default()).unwrap();
    assert!((4..=5).contains(&exact), "{exact}");
    for (probes, typical) in [(3, 11), (4, 8), (16, exact + 1)] {
        let run = |seed: u64| {
            let direction = Sketched {
                estimator: Estimator::Solve,
                probes,
                seed: 1000 * seed,
                ..Sketched::default()
            };
            steps(&model, &loss, &direction)
        };
        let mut found: Vec<usize> = (0..5).map(|seed| run(seed).unwrap()).collect();
        found.sort_unstable();
        println!("m = {probes}: {found:?} steps, {exact} with all of Z");
        assert!(found[2] <= typical, "m = {probes}: {found:?}");
    }
}
