//! Newton's method: its order of convergence, saddles, and agreement with Gauss-Newton at a perfect fit.

use crate::support::{Reaction, gap};
use pullback::automatic::{Automatic, Curve, Equation, Formula, Scalar};
use pullback::descent::Tolerances;
use pullback::direction::{Forcing, LeastSquares, Newton};
use pullback::loss::L2Misfit;
use pullback::prior::Tikhonov;
use pullback::step::{Armijo, Fixed};
use pullback::{Cpu, Descent, Direction, Model, Noise, Operator, Report, StepRule};

/// Exponentials that decay, whose data do not: the residual stays large.
struct Decays;

const TIMES: usize = 12;

impl Formula for Decays {
    fn dims(&self) -> (usize, usize) {
        (TIMES, 2)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        for (i, y) in out.iter_mut().enumerate() {
            *y = theta[0] * (theta[1] * (-0.25 * i as f64)).exp();
        }
    }
}

/// The data oscillate about a decay.
fn oscillating() -> L2Misfit {
    let y = |i: usize| (-0.2 * i as f64).exp() + if i % 2 == 0 { 1.6 } else { -1.2 };
    L2Misfit::euclidean((0..TIMES).map(y).collect()).unwrap()
}

fn exact() -> Newton {
    Newton {
        forcing: Forcing::Fixed(1e-12),
        ..Newton::default()
    }
}

fn tight(iterations: usize) -> Tolerances {
    Tolerances {
        decrease: 0.0,
        step: 0.0,
        loss: 0.0,
        iterations,
        ..Tolerances::default()
    }
}

/// Distances of all iterates to the last one.
fn errors(direction: &dyn Direction, rule: &dyn StepRule, iterations: usize) -> Vec<f64> {
    let (curve, loss) = (Curve::new(Decays), oscillating());
    let mut path: Vec<Vec<f64>> = Vec::new();
    let descent = Descent::new(&curve, &loss).direction(direction).step(rule);
    let start = [1.0, 0.9];
    descent
        .tolerances(tight(iterations))
        .run(&start, |s| path.push(s.theta.to_vec()))
        .unwrap();
    let minimum = minimum();
    path.iter().map(|theta| gap(theta, &minimum)).collect()
}

fn minimum() -> Vec<f64> {
    let (curve, loss) = (Curve::new(Decays), oscillating());
    let newton = exact();
    let report = Descent::new(&curve, &loss)
        .direction(&newton)
        .run(&[1.0, 0.9], |_| ())
        .unwrap();
    assert!(report.converged(), "{report}");
    report.theta
}

#[test]
fn newton_converges_quadratically_where_gauss_newton_is_linear() {
    let whole = Fixed::default();
    let newton = errors(&exact(), &whole, 12);
    let gauss_newton = errors(&LeastSquares::default(), &whole, 40);
    // The number of correct digits doubles.
    let quadratic = newton.windows(2).filter(|e| e[0] < 0.03 && e[0] > 1e-7);
    for pair in quadratic {
        assert!(pair[1] <= 30.0 * pair[0] * pair[0] + 1e-14, "{newton:?}");
    }
    let steps = |errors: &[f64], tolerance: f64| {
        errors
            .iter()
            .position(|e| *e < tolerance)
            .unwrap_or(usize::MAX)
    };
    let (few, many) = (steps(&newton, 1e-10), steps(&gauss_newton, 1e-10));
    println!("steps to 1e-10: Newton {few}, Gauss-Newton {many}");
    println!("{newton:?}\n{gauss_newton:?}");
    assert!(few <= 8 && many >= 2 * few, "{few} {many}");
}

#[test]
fn newton_with_default_options_needs_few_steps() {
    let (curve, loss) = (Curve::new(Decays), oscillating());
    let newton = Newton::default();
    let run = |direction: &dyn Direction| -> Report {
        let report = Descent::new(&curve, &loss)
            .direction(direction)
            .run(&[1.0, 0.9], |_| ())
            .unwrap();
        assert!(report.converged(), "{report}");
        report
    };
    let (by_newton, by_gauss_newton) = (run(&newton), run(&LeastSquares::default()));
    println!(
        "{} {}",
        by_newton.iterations(),
        by_gauss_newton.iterations()
    );
    assert!(gap(&by_newton.theta, &by_gauss_newton.theta) < 1e-6);
    assert!(by_newton.iterations() < by_gauss_newton.iterations());
}

/// ρ = (θ₀² − 1, θ₁) with data 0: minima at θ₀ = ±1, a saddle at 0.
struct Wells;

impl Formula for Wells {
    fn dims(&self) -> (usize, usize) {
        (2, 2)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out[0] = theta[0] * theta[0] - 1.0;
        out[1] = theta[1];
    }
}

#[test]
fn newton_leaves_a_saddle_along_negative_curvature() {
    let (curve, loss) = (
        Curve::new(Wells),
        L2Misfit::euclidean(vec![0.0; 2]).unwrap(),
    );
    let newton = Newton::default();
    let (trust, search) = (pullback::step::TrustRatio::default(), Armijo::default());
    for rule in [&trust as &dyn StepRule, &search] {
        for start in [[1e-8, 1.0], [1e-5, 0.3], [-1e-6, 0.0], [0.2, -2.0]] {
            let descent = Descent::new(&curve, &loss).direction(&newton).step(rule);
            let report = descent.run(&start, |_| ()).unwrap();
            assert!(report.converged(), "{start:?}: {report}");
            assert!(
                (report.theta[0].abs() - 1.0).abs() < 1e-6,
                "{start:?}: {report}"
            );
            assert!(report.iterations() <= 16, "{start:?}: {report}");
            if start[0].abs() < 1e-4 {
                assert!(
                    report.to_string().contains("negative curvature"),
                    "{report}"
                );
            }
        }
    }
}

/// Priors precondition, and the step stays a descent direction where the data bend the other way.
#[test]
fn a_prior_preconditions_newton_across_negative_curvature() {
    let (curve, loss) = (
        Curve::new(Wells),
        L2Misfit::euclidean(vec![0.0; 2]).unwrap(),
    );
    let prior = Tikhonov::new(vec![0.5, 0.0], Noise::uniform(2, 3.0).unwrap()).unwrap();
    let newton = Newton::default();
    let report = Descent::new(&curve, &loss)
        .prior(&prior)
        .direction(&newton)
        .run(&[0.05, 0.7], |_| ())
        .unwrap();
    assert!(report.converged(), "{report}");
    // 2 θ (θ² − 1) + (θ − ½)/9 = 0 near 1.
    let t = report.theta[0];
    assert!(
        (2.0 * t * (t * t - 1.0) + (t - 0.5) / 9.0).abs() < 1e-7 && t > 0.9,
        "{report}"
    );
}

#[test]
fn at_a_perfect_fit_newton_takes_the_steps_of_least_squares() {
    let model = Reaction::new(12, 4, 3);
    let theta = [0.4, 0.7, 1.1, 0.2];
    let mut rho = vec![0.0; 12];
    model.solve(&theta, &mut rho, Cpu::shared()).unwrap();
    let loss = L2Misfit::euclidean(rho).unwrap();
    let (newton, least_squares) = (exact(), LeastSquares::default());
    let near: Vec<f64> = theta.iter().map(|t| t + 1e-6).collect();
    let step = |direction: &dyn Direction| {
        Descent::new(&model, &loss)
            .direction(direction)
            .propose(&near, 0.0)
            .unwrap()
    };
    let (a, b) = (step(&newton), step(&least_squares));
    assert!(gap(&a.eta, &b.eta) < 1e-4, "{a:?} {b:?}");
    assert!((a.predicted / b.predicted - 1.0).abs() < 1e-4);
    for direction in [&newton as &dyn Direction, &least_squares] {
        let report = Descent::new(&model, &loss)
            .direction(direction)
            .run(&[0.0; 4], |_| ())
            .unwrap();
        assert!(
            report.converged() && gap(&report.theta, &theta) < 1e-7,
            "{report}"
        );
    }
}

/// −u″ + e^θ u³ = 1, one parameter per cell.
struct Reactions(usize);

impl Equation for Reactions {
    fn dims(&self) -> (usize, usize) {
        (self.0, self.0)
    }

    fn residual<S: Scalar>(&self, u: &[S], theta: &[S], out: &mut [S]) {
        let n = self.0;
        let zero = S::from(0.0);
        for i in 0..n {
            let left = if i > 0 { u[i - 1] } else { zero };
            let right = if i + 1 < n { u[i + 1] } else { zero };
            out[i] = (u[i] * 2.0 - left - right) * 40.0 + theta[i].exp() * u[i].powi(3) - 1.0;
        }
    }
}

/// Every iteration takes one tangent and one adjoint, a step two adjoints more: for the gradient and for the multipliers.
#[test]
fn a_step_takes_two_solves_an_iteration_and_two_more() {
    let n = 30;
    let model = Automatic::new(Reactions(n));
    let loss = L2Misfit::euclidean((0..n).map(|i| 0.2 + 0.3 * (i as f64).cos()).collect()).unwrap();
    let prior = Tikhonov::new(vec![0.0; n], Noise::uniform(n, 0.5).unwrap()).unwrap();
    let newton = Newton::default();
    let tolerances = tight(3);
    let descent = Descent::new(&model, &loss)
        .prior(&prior)
        .direction(&newton)
        .tolerances(tolerances);
    let report = descent.run(&vec![0.0; n], |_| ()).unwrap();
    let counts = report.counts;
    // The last point has a gradient, but no step.
    assert_eq!(
        counts.adjoint_solves,
        counts.tangent_solves + 2 * 3 + 1,
        "{report}"
    );
    let finished = Descent::new(&model, &loss)
        .prior(&prior)
        .direction(&newton)
        .run(&vec![0.0; n], |_| ())
        .unwrap();
    assert!(finished.converged(), "{finished}");
}

/// Bounds hold a parameter, and the rest converges in its subspace.
#[test]
fn newton_keeps_to_bounds_and_transforms() {
    let (curve, loss) = (Curve::new(Decays), oscillating());
    let newton = Newton::default();
    let free = minimum();
    let bounds = pullback::Bounds::new(vec![-10.0, free[1] + 0.3], vec![10.0, 10.0]).unwrap();
    let report = Descent::new(&curve, &loss)
        .bounds(&bounds)
        .direction(&newton)
        .run(&[1.0, 2.0], |_| ())
        .unwrap();
    assert!(
        report.converged() && report.theta[1] == free[1] + 0.3,
        "{report}"
    );
    let logs = [pullback::Transform::Log, pullback::Transform::Log];
    if free.iter().all(|t| *t > 0.0) {
        let report = Descent::new(&curve, &loss)
            .transforms(&logs)
            .direction(&newton)
            .run(&[1.0, 0.9], |_| ())
            .unwrap();
        assert!(
            report.converged() && gap(&report.theta, &free) < 1e-6,
            "{report}"
        );
    }
}

#[test]
fn the_multiplier_of_an_identity_is_the_covector() {
    let loss = L2Misfit::euclidean(vec![1.0]).unwrap();
    let model = pullback::model::Equations::new(
        (1, 1),
        |r, t, g| g[0] = r[0] - t[0] * t[0],
        |_, _| Operator::identity(1),
        |_, t| Operator::dense(pullback::faer::mat![[-2.0 * t[0]]]),
    )
    .second_derivative(|_, _, along| [0.0 * along.rho, -2.0 * along.lambda[0] * along.theta]);
    // f = ½(θ² − 1)²: f′ = 2θ(θ² − 1), f″ = 6θ² − 2.
    let newton = exact();
    let proposal = Descent::new(&model, &loss)
        .direction(&newton)
        .propose(&[2.0], 0.0)
        .unwrap();
    assert!(
        (proposal.eta[0] + 12.0 / 22.0).abs() < 1e-12,
        "{proposal:?}"
    );
}
