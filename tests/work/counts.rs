//! What a descent costs, counted exactly: factorisations, tangent, adjoint and metric solves at every step.

use crate::support;
use crate::support::evolutions::evolutions;
use crate::support::{Explicit, Reaction, density};
use pullback::descent::{Counts, Stop, Tolerances};
use pullback::direction::{Gradient, Information};
use pullback::loss::{Divergence, L2Misfit};
use pullback::metric::{FisherRao, HellingerKantorovich, L2, Sobolev, Wasserstein2};
use pullback::models::{GaussianMixture, Parameter};
use pullback::step::{Armijo, Fixed};
use pullback::{Backend, Descent, Direction, Grid, Loss, Metric, Model, Operator, Result};

/// Counts at every iterate of three short steps, none of which is shortened.
fn counts(descent: Descent<'_>, start: &[f64]) -> Vec<Counts> {
    let tolerances = Tolerances {
        gradient: 0.0,
        decrease: 0.0,
        step: 0.0,
        loss: 0.0,
        target: None,
        iterations: 3,
    };
    let report = descent.tolerances(tolerances).run(start, |_| ()).unwrap();
    assert_eq!(report.iterations(), 3, "{report}");
    assert!(
        report.history[1..]
            .iter()
            .all(|it| it.step.unwrap().trials == 1)
    );
    report.history.iter().map(|it| it.counts).collect()
}

/// (model, newton, factorisations, tangents, adjoints, metric factorisations, metric solves).
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

struct Mixture {
    model: GaussianMixture,
    loss: L2Misfit,
    start: [f64; 3],
}

fn mixture() -> Mixture {
    let grid = Grid::new(&[(-5.0, 6.0, 40)]).unwrap();
    let model = GaussianMixture::new(&grid)
        .component(0.4, &[-1.0], 1.0)
        .component(0.6, &[2.0], 1.5)
        .free(&[
            Parameter::Weight(0),
            Parameter::Mean(0, 0),
            Parameter::Variance(1),
        ])
        .unwrap();
    let loss = L2Misfit::new(&grid, model.density(&[0.4, -1.0, 1.5]).unwrap()).unwrap();
    Mixture {
        model,
        loss,
        start: [0.45, -0.8, 1.4],
    }
}

/// Expected counts at iterate n: those at the start plus n times those of a step.
fn check(what: &str, found: &[Counts], start: [usize; 7], step: [usize; 7]) {
    for (n, counts) in found.iter().enumerate() {
        let expected: Vec<usize> = (0..7).map(|i| start[i] + n * step[i]).collect();
        assert_eq!(numbers(counts).to_vec(), expected, "{what}, iterate {n}");
    }
}

/// Explicit models solve nothing, and metrics only what their roots need: p columns for L Z, one batch a step.
#[test]
fn explicit_models_cost_what_their_metric_costs() {
    let Mixture { model, loss, start } = mixture();
    let grid = model.grid().clone();
    let free: [(&str, Box<dyn Metric>); 4] = [
        ("L2", Box::new(L2::new(&grid))),
        ("Fisher-Rao", Box::new(FisherRao::new(&grid))),
        ("H-1", Box::new(Sobolev::new(&grid, -1.0).unwrap())),
        ("H1", Box::new(Sobolev::new(&grid, 1.0).unwrap())),
    ];
    for (name, metric) in free {
        let rule = Fixed { scale: 0.1 };
        let found = counts(
            Descent::new(&model, &loss)
                .metric(metric.as_ref())
                .step(&rule),
            &start,
        );
        check(name, &found, [1, 0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0]);
    }
    let transport: [(&str, Box<dyn Metric>); 2] = [
        ("W2", Box::new(Wasserstein2::new(&grid))),
        ("HK", Box::new(HellingerKantorovich::new(&grid))),
    ];
    for (name, metric) in transport {
        let rule = Fixed { scale: 0.1 };
        let found = counts(
            Descent::new(&model, &loss)
                .metric(metric.as_ref())
                .step(&rule),
            &start,
        );
        // A factorisation at every point, the start's included; three solves when a direction is asked for.
        check(name, &found, [1, 0, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, 1, 3]);
    }
}

/// g = Kρ − Fθ with a dense K: Newton takes one solve to the answer and none to see that it is one.
struct LinearModel(Reaction);

impl Model for LinearModel {
    fn state_dim(&self) -> usize {
        self.0.coupling.nrows()
    }
    fn param_dim(&self) -> usize {
        self.0.forcing.ncols()
    }
    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        let g = &self.0.coupling * support::column(rho) - &self.0.forcing * support::column(theta);
        out.copy_from_slice(g.col_as_slice(0));
    }
    fn state_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        self.0.coupling.as_ref().into()
    }
    fn param_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::dense(-&self.0.forcing)
    }
}

/// The same with a direct solve of its own that asks the backend for nothing.
struct Closed(LinearModel);

impl Model for Closed {
    fn state_dim(&self) -> usize {
        self.0.state_dim()
    }
    fn param_dim(&self) -> usize {
        self.0.param_dim()
    }
    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        self.0.residual(rho, theta, out);
    }
    fn state_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        self.0.state_jacobian(rho, theta)
    }
    fn param_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        self.0.param_jacobian(rho, theta)
    }
    fn solve(&self, theta: &[f64], rho: &mut [f64], _: &dyn Backend) -> Result<()> {
        let right = &self.0.0.forcing * support::column(theta);
        let x = support::reference_vector(self.0.0.coupling.as_ref(), right.col_as_slice(0));
        rho.copy_from_slice(&x);
        Ok(())
    }
}

/// p = 4 parameters; every iterate is linearised, every step asks for the tangents once. K is the same everywhere: what
/// the first state solve, or the first linearisation, factorised serves all states and all linearisations.
#[test]
fn linear_models_cost_one_factorisation_and_p_tangents_and_one_adjoint_a_step() {
    let grid = Grid::new(&[(0.0, 1.0, 12)]).unwrap();
    let loss = L2Misfit::new(&grid, density(&grid, 1)).unwrap();
    let linear = || LinearModel(Reaction::new(12, 4, 1));
    let (newton, closed) = (linear(), Closed(linear()));
    let (squares, information) = (Default::default(), Information::default());
    let exact: [&dyn Direction; 2] = [&squares as &pullback::direction::LeastSquares, &information];
    let run = |model: &dyn Model, direction: &dyn Direction, scale: f64| {
        let rule = Fixed { scale };
        counts(
            Descent::new(model, &loss).direction(direction).step(&rule),
            &[1.0; 4],
        )
    };
    for direction in exact {
        let name = direction.name();
        check(
            name,
            &run(&closed, direction, 0.1),
            [1, 0, 1, 0, 1, 0, 0],
            [1, 0, 0, 4, 1, 0, 0],
        );
        check(
            name,
            &run(&newton, direction, 0.1),
            [1, 1, 1, 0, 1, 0, 0],
            [1, 1, 0, 4, 1, 0, 0],
        );
    }
    // Gradient descent needs no tangent.
    let plain = run(&closed, &Gradient, 1e-3);
    check(
        "gradient",
        &plain,
        [1, 0, 1, 0, 1, 0, 0],
        [1, 0, 0, 0, 1, 0, 0],
    );
}

/// Trials cost model solves and nothing else: no tangent, no adjoint, no factorisation for the metric.
#[test]
fn trials_cost_model_solves_alone() {
    let model = Explicit(pullback::random::normal_matrix(10, 2, 1));
    let grid = Grid::new(&[(0.0, 1.0, 10)]).unwrap();
    let loss = Divergence::hellinger(&grid, density(&grid, 1)).unwrap();
    let (metric, rule) = (L2::new(&grid), Armijo::growing(1e3, 1.0));
    let once = Tolerances {
        iterations: 1,
        ..Tolerances::default()
    };
    // The first trials leave the positive densities.
    let positive = pullback::faer::Mat::from_fn(10, 2, |i, j| model.0[(i, j)].abs() + 0.1);
    let model = Explicit(positive);
    let descent = Descent::new(&model, &loss)
        .metric(&metric)
        .step(&rule)
        .tolerances(once);
    let report = descent.run(&[1.0, 1.0], |_| ()).unwrap();
    let trials = report.history[1].step.unwrap().trials;
    assert!(
        trials > 1 && loss.value(&report.rho).is_finite(),
        "{report}"
    );
    assert_eq!(numbers(&report.counts), [1 + trials, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn a_report_counts_what_its_last_iterate_counted() {
    let grid = Grid::new(&[(0.0, 1.0, 12)]).unwrap();
    let loss = L2Misfit::new(&grid, density(&grid, 1)).unwrap();
    // Without the test of the last decrease, which needs no direction.
    let tolerances = Tolerances {
        loss: 0.0,
        ..Tolerances::default()
    };
    let report = Descent::new(&Reaction::new(12, 4, 1), &loss)
        .tolerances(tolerances)
        .run(&[1.0; 4], |_| ())
        .unwrap();
    let last = report.history.last().unwrap().counts;
    // The last direction, which found nothing left to gain, took four tangents.
    assert!(matches!(report.stop, Stop::Decrease { .. }), "{report}");
    let mut expected = numbers(&last);
    expected[3] += 4;
    assert_eq!(numbers(&report.counts), expected);
}

/// Steps in time are no solves of a backend: an evolution costs one integration a trial, and for every step one sweep forward
/// for each parameter and one back.
#[test]
fn evolutions_cost_p_tangents_and_one_adjoint_a_step() {
    for (name, model, theta) in evolutions(None) {
        let mut target = vec![0.0; model.state_dim()];
        let cpu = pullback::Cpu::default();
        model.solve(&theta, &mut target, &cpu).unwrap();
        let loss = L2Misfit::euclidean(target).unwrap();
        let start: Vec<f64> = theta.iter().map(|t| t + 0.02).collect();
        let rule = Fixed { scale: 0.1 };
        let found = counts(Descent::new(model.as_ref(), &loss).step(&rule), &start);
        let p = theta.len();
        check(name, &found, [1, 0, 0, 0, 1, 0, 0], [1, 0, 0, p, 1, 0, 0]);
    }
}
