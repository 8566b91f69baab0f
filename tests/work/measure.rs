//! What a step of a recovery from an invariant measure costs, counted exactly.

use pullback::correction::{Corrected, Simulated, Simulator};
use pullback::descent::{Counts, Tolerances};
use pullback::loss::{Divergence, L2Misfit};
use pullback::metric::{FisherRao, Wasserstein2};
use pullback::models::InvariantMeasure;
use pullback::models::flow::Lorenz;
use pullback::step::Fixed;
use pullback::{Cpu, Descent, Grid, Loss, Metric, Result};

fn lorenz() -> (Grid, InvariantMeasure<'static>) {
    let grid = Grid::new(&Lorenz::BOX.map(|(a, b)| (a, b, 10))).unwrap();
    let model = InvariantMeasure::new(&grid, Lorenz).unwrap();
    (grid, model)
}

/// Counts at every iterate of three short steps.
fn counts(descent: Descent<'_>) -> Vec<Counts> {
    let three = Tolerances {
        gradient: 0.0,
        decrease: 0.0,
        step: 0.0,
        loss: 0.0,
        target: None,
        iterations: 3,
    };
    let report = descent
        .tolerances(three)
        .run(&[9.0, 26.0, 2.4], |_| ())
        .unwrap();
    report.history.iter().map(|it| it.counts).collect()
}

fn numbers(c: &Counts) -> [usize; 7] {
    [
        c.model_solves,
        c.newton_solves,
        c.factorisations,
        c.tangent_solves,
        c.adjoint_solves,
        c.metric_factorisations,
        c.metric_solves,
    ]
}

/// A density is one solve with a matrix of its own; the linearisation there has another, for one adjoint, or two
/// where the metric projects, and three tangents; W₂ has one of its own, and lifts three columns.
#[test]
fn a_step_costs_what_the_mathematics_says() {
    let (grid, model) = lorenz();
    let data = model.density(&Lorenz::CLASSIC, &Cpu::default()).unwrap();
    let kl = Divergence::kullback_leibler(&grid, data.clone()).unwrap();
    let l2 = L2Misfit::new(&grid, data).unwrap();
    let w2 = Wasserstein2::new(&grid);
    type Row<'a> = (
        &'a str,
        &'a dyn Loss,
        Option<&'a dyn Metric>,
        [usize; 7],
        [usize; 7],
    );
    let table: [Row<'_>; 3] = [
        (
            "KL",
            &kl,
            None,
            [1, 1, 1, 0, 1, 0, 0],
            [1, 1, 1, 3, 1, 0, 0],
        ),
        (
            "L2",
            &l2,
            None,
            [1, 1, 1, 0, 1, 0, 0],
            [1, 1, 1, 3, 1, 0, 0],
        ),
        (
            "W2 on L2",
            &l2,
            Some(&w2),
            [1, 1, 1, 0, 2, 1, 0],
            [1, 1, 1, 3, 2, 1, 3],
        ),
    ];
    for (name, loss, metric, start, step) in table {
        let short = Fixed { scale: 0.1 };
        let mut descent = Descent::new(&model, loss).step(&short);
        if let Some(metric) = metric {
            descent = descent.metric(metric);
        }
        for (n, c) in counts(descent).iter().enumerate() {
            let found = numbers(c);
            let expected: Vec<usize> = (0..7).map(|i| start[i] + n * step[i]).collect();
            assert_eq!(found.to_vec(), expected, "{name}, iterate {n}");
            // One batch for the density, one or two for the linearisation, each of tens of iterations.
            let most = 200 * (n + 1);
            assert!(
                (1..=most).contains(&c.solver_iterations),
                "{name}: {}",
                c.solver_iterations
            );
        }
    }
}

/// A simulator that is the model itself, so that corrections end at once.
struct Twin(InvariantMeasure<'static>);

impl Simulator for Twin {
    fn simulate(&self, theta: &[f64], _: u64) -> Result<Simulated> {
        Ok(self.0.density(theta, &Cpu::default())?.into())
    }
}

#[test]
fn a_correction_simulates_once_a_step() {
    let (grid, model) = lorenz();
    let twin = Twin(lorenz().1);
    let data = twin.simulate(&Lorenz::CLASSIC, 0).unwrap().data().unwrap();
    let metric = FisherRao::new(&grid);
    let report = Corrected::new(&model, &twin, &data, &metric)
        .run(&[&[9.5, 27.0, 2.5]], |_| ())
        .unwrap();
    assert!(report.converged(), "{report}");
    assert_eq!(report.simulations, report.history.len() + 1);
    assert!(report.history.len() <= 6, "{}", report.history.len());
}
