//! Where iterations start: at what was solved for one step before, in a descent that comes near its end.

use crate::support::altered::{altered, products};
use crate::support::stencils::cpu;
use crate::support::watched::Watched;
use crate::support::{Reaction, density, gap};
use pullback::descent::Tolerances;
use pullback::direction::{DataSpace, LeastSquares, Sketched};
use pullback::faer::{Mat, MatMut, MatRef};
use pullback::linalg::{Factor, SolveStats, StencilSolver};
use pullback::loss::L2Misfit;
use pullback::metric::Wasserstein2;
use pullback::models::flow::Lorenz;
use pullback::models::{Darcy, End, GaussianMixture, InvariantMeasure, Parameter};
use pullback::{
    Backend, Bounds, Cpu, Descent, Direction, Grid, Model, Operator, Report, Result, Side,
    Transform,
};

/// Data that the model cannot explain, so that the covector does not vanish at the end.
fn problem() -> (Reaction, L2Misfit) {
    let grid = Grid::new(&[(0.0, 1.0, 24)]).unwrap();
    let loss = L2Misfit::new(&grid, density(&grid, 1)).unwrap();
    (Reaction::new(24, 3, 1), loss)
}

fn ten() -> Tolerances {
    Tolerances {
        gradient: 1e-9,
        step: 0.0,
        loss: 0.0,
        ..Tolerances::default()
    }
}

/// The first batch is cold; those at the end start from all but the solution.
fn assert_warming(what: &str, starts: &[Option<f64>]) {
    assert!(
        starts.len() > 3 && starts[0].is_none(),
        "{what}: {starts:?}"
    );
    let off: Vec<f64> = starts[1..].iter().map(|s| s.unwrap()).collect();
    assert!(off[off.len() - 1] < 1e-3, "{what}: {off:?}");
    assert!(off.iter().all(|x| x.is_finite()), "{what}: {off:?}");
}

#[test]
fn tangents_and_the_gradient_start_from_those_of_the_step_before() {
    let ((model, loss), watched) = (problem(), Watched::iterating());
    let descent = Descent::new(&model, &loss).backend(&watched);
    let report = descent.tolerances(ten()).run(&[0.5; 3], |_| ()).unwrap();
    assert!(report.converged(), "{report}");
    assert_warming("Z", &watched.starts(Side::Plain, 3));
    // Beside the covector stands the random column that detects singularity.
    assert_warming("λ", &watched.starts(Side::Transpose, 2));
    // The same numbers as without.
    let plain = Descent::new(&model, &loss).tolerances(ten());
    let plain = plain.run(&[0.5; 3], |_| ()).unwrap();
    assert_eq!(report.theta, plain.theta);
    assert_eq!(report.counts.tangent_solves, plain.counts.tangent_solves);
    assert_eq!(report.counts.adjoint_solves, plain.counts.adjoint_solves);
}

#[test]
fn a_covector_that_falls_takes_its_solution_with_it() {
    // Data of the model itself: the covector is smaller by orders of magnitude at every step.
    let (model, _) = problem();
    let mut rho = vec![0.0; 24];
    model
        .solve(&[0.3, -0.2, 0.4], &mut rho, &Cpu::default())
        .unwrap();
    let loss = L2Misfit::euclidean(rho).unwrap();
    let watched = Watched::iterating();
    let descent = Descent::new(&model, &loss).backend(&watched);
    let report = descent.run(&[0.5; 3], |_| ()).unwrap();
    assert!(report.converged(), "{report}");
    let batches = watched.batches.lock().unwrap();
    let adjoints = batches.iter().filter(|b| b.side == Side::Transpose).skip(1);
    for batch in adjoints {
        let off = batch.off.as_ref().unwrap();
        assert!(off[0] < 1.1, "worse than nothing: {off:?}");
    }
}

#[test]
fn factorisations_are_told_of_nothing_and_nothing_is_kept_for_them() {
    let ((model, loss), watched) = (problem(), Watched::default());
    let descent = Descent::new(&model, &loss).backend(&watched);
    let report = descent.tolerances(ten()).run(&[0.5; 3], |_| ()).unwrap();
    assert!(report.converged(), "{report}");
    let batches = watched.batches.lock().unwrap();
    assert!(
        batches.len() > 8 && batches.iter().all(|b| b.off.is_none()),
        "{batches:?}"
    );
}

#[test]
fn columns_follow_their_parameters_through_bounds_and_transforms() {
    let ((model, loss), watched) = (problem(), Watched::iterating());
    let free = Descent::new(&model, &loss).tolerances(ten());
    let theta = free.run(&[0.5; 3], |_| ()).unwrap().theta;
    let box_ = [theta[0] - 2.0, theta[1] + 0.1, theta[2] - 2.0];
    let bounds = Bounds::new(
        box_.to_vec(),
        vec![theta[0] + 3.0, theta[1] + 3.0, theta[2] + 3.0],
    );
    let bounds = bounds.unwrap();
    let transforms = [
        Transform::Identity,
        Transform::Identity,
        Transform::Logit {
            lower: theta[2] - 3.0,
            upper: theta[2] + 4.0,
        },
    ];
    let start = [theta[0] + 0.3, theta[1] + 0.3, theta[2] - 0.4];
    let run = |backend: &dyn Backend| -> Report {
        let descent = Descent::new(&model, &loss)
            .bounds(&bounds)
            .transforms(&transforms);
        let descent = descent.tolerances(ten()).backend(backend);
        descent.run(&start, |_| ()).unwrap()
    };
    let (warm, cold) = (run(&watched), run(&Cpu::default()));
    assert!(
        warm.converged() && (warm.theta[1] - box_[1]).abs() < 1e-12,
        "{warm}"
    );
    assert_eq!(warm.theta, cold.theta);
    // All three parameters at first, then those that the bound leaves free.
    let (three, two) = (
        watched.starts(Side::Plain, 3),
        watched.starts(Side::Plain, 2),
    );
    assert!(!three.is_empty() && !two.is_empty(), "{three:?} {two:?}");
    assert!(two.last().unwrap().unwrap() < 1e-3, "{two:?}");
    assert!(two[0].unwrap() < 1.0, "{two:?}");
}

#[test]
fn linear_states_start_from_the_state_before() {
    let grid = Grid::new(&[(0.0, 1.0, 6), (0.0, 1.0, 6)]).unwrap();
    let darcy = Darcy::new(&grid).unwrap();
    let darcy = darcy.pressure(0, End::Lower, 1.0).unwrap();
    let darcy = darcy.source(vec![1.0; 36]).unwrap();
    let truth = grid.sample(|x| x[0] * x[1]);
    let loss = L2Misfit::euclidean(darcy.pressures(&truth).unwrap()).unwrap();
    let box_ = Grid::new(&Lorenz::BOX.map(|(a, b)| (a, b, 6))).unwrap();
    let measure = InvariantMeasure::new(&box_, Lorenz).unwrap();
    let data = measure.density(&Lorenz::CLASSIC, &Cpu::default()).unwrap();
    let l2 = L2Misfit::new(&box_, data).unwrap();
    let flat = vec![0.4; 36];
    // Factorised, so that only states start from anywhere.
    let direct = || Watched {
        cpu: cpu(StencilSolver::Direct),
        ..Watched::default()
    };
    let watched = [direct(), direct()];
    let cases: [(&str, Descent<'_>, &[f64]); 2] = [
        (
            "Darcy",
            Descent::new(&darcy, &loss).direction(&DataSpace),
            &flat,
        ),
        ("Lorenz", Descent::new(&measure, &l2), &[9.8, 27.0, 2.6]),
    ];
    for ((what, descent, start), watched) in cases.into_iter().zip(&watched) {
        // To the last step, before which the state hardly changes any more.
        let fine = Tolerances {
            step: 1e-11,
            ..Tolerances::default()
        };
        let descent = descent.backend(watched).tolerances(fine);
        let report = descent.run(start, |_| ()).unwrap();
        assert!(report.converged(), "{what}: {report}");
        let batches = watched.batches.lock().unwrap();
        let off = batches.iter().filter_map(|b| b.off.as_ref());
        let off: Vec<f64> = off.map(|off| off[0]).collect();
        assert_eq!(off.len() + 1, report.counts.model_solves, "{what}");
        let falls = off.windows(2).all(|w| w[1] < w[0]);
        assert!(falls && off[off.len() - 1] < 1e-3, "{what}: {off:?}");
    }
}

/// A mixture is explicit: all that is solved for is what the metric lifts.
#[test]
fn lifts_start_from_those_of_the_step_before() {
    let grid = Grid::new(&[(-5.0, 6.0, 40)]).unwrap();
    let model = GaussianMixture::new(&grid).component(1.0, &[0.5], 1.2);
    let free = [Parameter::Mean(0, 0), Parameter::Variance(0)];
    let model = model.free(&free).unwrap();
    let loss = L2Misfit::new(&grid, model.density(&[0.0, 1.0]).unwrap()).unwrap();
    let metric = Wasserstein2::new(&grid);
    let run = |watched: &Watched, direction: &dyn Direction| {
        let descent = Descent::new(&model, &loss).metric(&metric).backend(watched);
        let report = descent
            .direction(direction)
            .run(&[0.5, 1.2], |_| ())
            .unwrap();
        assert!(report.converged(), "{report}");
        report.theta
    };
    let (iterating, direct) = (Watched::iterating(), Watched::default());
    let squares = LeastSquares::default();
    assert_eq!(run(&iterating, &squares), run(&direct, &squares));
    assert_warming("Φ", &iterating.starts(Side::Plain, 2));
    assert!(direct.starts(Side::Plain, 2).iter().all(Option::is_none));
    // Probes are new at every step: all but a few that are alike by chance start from zero, and none is off by more.
    let (sketching, sketch) = (Watched::iterating(), Sketched::default());
    run(&sketching, &sketch);
    let starts = sketching.starts(Side::Plain, sketch.probes);
    assert!(starts.iter().filter(|off| off.is_none()).count() > 4 * starts.len() / 5);
    assert!(starts.iter().flatten().all(|off| *off <= 1.0), "{starts:?}");
}

/// The processor without the means to start anywhere.
struct Cold(Cpu);

struct ColdFactor<'a>(Box<dyn Factor + 'a>);

impl Backend for Cold {
    fn factor<'a>(&'a self, a: Operator<'a>) -> Result<Box<dyn Factor + 'a>> {
        Ok(Box::new(ColdFactor(self.0.factor(a)?)))
    }
}

impl Factor for ColdFactor<'_> {
    fn solve(
        &self,
        side: Side,
        _: Option<MatRef<'_, f64>>,
        batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        self.0.solve(side, None, batch)
    }
}

#[test]
fn iterations_are_saved_and_the_end_is_the_same() {
    let (model, loss) = problem();
    let model = altered(&model, products, Operator::dense);
    let box_ = Grid::new(&Lorenz::BOX.map(|(a, b)| (a, b, 12))).unwrap();
    let measure = InvariantMeasure::new(&box_, Lorenz).unwrap();
    let data = measure.density(&[10.0, 28.5, 2.7], &Cpu::default());
    let l2 = L2Misfit::new(&box_, data.unwrap()).unwrap();
    let w2 = Wasserstein2::new(&box_);
    // In this metric the loss falls slowly, step by step.
    let five = Tolerances {
        iterations: 5,
        ..Tolerances::default()
    };
    let iterated = || cpu(StencilSolver::Multigrid);
    let reaction = |backend: &dyn Backend| {
        let descent = Descent::new(&model, &loss).backend(backend);
        descent.tolerances(ten()).run(&[0.5; 3], |_| ()).unwrap()
    };
    let lorenz = |backend: &dyn Backend| {
        let descent = Descent::new(&measure, &l2).backend(backend);
        descent.run(&[9.8, 28.0, 2.6], |_| ()).unwrap()
    };
    let transport = |backend: &dyn Backend| {
        let descent = Descent::new(&measure, &l2).metric(&w2).backend(backend);
        let descent = descent.tolerances(five);
        descent.run(&[9.8, 28.0, 2.6], |_| ()).unwrap()
    };
    type Run<'r> = (&'r str, &'r dyn Fn(&dyn Backend) -> Report);
    let runs: [Run<'_>; 3] = [
        ("GMRES", &reaction),
        ("multigrid", &lorenz),
        ("transport", &transport),
    ];
    for (what, run) in runs {
        let (warm, again, cold) = (run(&iterated()), run(&iterated()), run(&Cold(iterated())));
        assert_eq!(warm.converged(), what != "transport", "{warm}");
        assert_eq!(warm.iterations(), cold.iterations(), "{warm}\n{cold}");
        assert_eq!(warm.theta, again.theta, "{what}");
        assert_eq!(warm.loss.to_bits(), again.loss.to_bits(), "{what}");
        assert!(gap(&warm.theta, &cold.theta) < 1e-6, "{what}");
        let (few, many) = (warm.counts, cold.counts);
        println!(
            "{what}: {} iterations, {} from zero",
            few.solver_iterations, many.solver_iterations
        );
        assert!(few.solver_iterations < many.solver_iterations, "{what}");
        assert_eq!(few.tangent_solves, many.tangent_solves, "{what}");
        assert_eq!(few.adjoint_solves, many.adjoint_solves, "{what}");
    }
}

#[test]
fn answers_are_as_good_from_anywhere() {
    let (model, _) = problem();
    let (rho, theta) = (vec![1.0; 24], [0.1; 3]);
    let cpu = Cpu::default();
    let dense = model.state_jacobian(&rho, &theta).to_dense();
    let repeated = Operator::repeated(products(dense.clone()), 2);
    let factor = cpu.factor(repeated).unwrap();
    let exact = pullback::random::normal_matrix(48, 3, 5);
    let whole = Mat::from_fn(48, 48, |i, j| match i / 24 == j / 24 {
        true => dense[(i % 24, j % 24)],
        false => 0.0,
    });
    let b = &whole * &exact;
    let far = Mat::from_fn(48, 3, |i, j| 1e9 * exact[((i + 5) % 48, j)]);
    let nan = Mat::from_fn(48, 3, |_, _| f64::NAN);
    for (what, near, idle) in [
        ("itself", &exact, true),
        ("far off", &far, false),
        ("NaN", &nan, false),
    ] {
        let mut x = b.clone();
        let stats = factor
            .solve(Side::Plain, Some(near.as_ref()), x.as_mut())
            .unwrap();
        assert_eq!(stats.iterations == 0, idle, "{what}: {stats:?}");
        for j in 0..3 {
            assert!(
                gap(x.col_as_slice(j), exact.col_as_slice(j)) < 1e-9,
                "{what}"
            );
        }
    }
    let narrow = exact.subcols(0, 2);
    assert!(
        factor
            .solve(Side::Plain, Some(narrow), b.clone().as_mut())
            .is_err()
    );
}
