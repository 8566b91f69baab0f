//! Newton's method: its order of convergence, saddles, and agreement with Gauss-Newton at a perfect fit.

use crate::support::{Reaction, gap};
use pullback::automatic::{Automatic, Curve, Equation, Formula, Scalar};
use pullback::descent::Tolerances;
use pullback::direction::{ConjugateGradient, Forcing, LeastSquares, Newton};
use pullback::loss::{L2Misfit, Sum};
use pullback::prior::{Matern, Tikhonov};
use pullback::step::{Armijo, Fixed};
use pullback::{
    Bounds, Cpu, Descent, Direction, Grid, Model, Noise, Operator, StepRule, Transform,
};

/// Points on a paraboloid.
pub(crate) struct Paraboloid;

impl Formula for Paraboloid {
    fn dims(&self) -> (usize, usize) {
        (3, 2)
    }

    fn values<S: Scalar>(&self, t: &[S], out: &mut [S]) {
        out[0] = t[0];
        out[1] = t[1];
        out[2] = t[0] * t[0] + t[1] * t[1];
    }
}

/// A point far off the paraboloid, on its outer side: at the minimum H is nearly twice the Gauss-Newton Hessian.
pub(crate) fn far_off() -> L2Misfit {
    L2Misfit::euclidean(vec![0.2, -0.1, -0.45]).unwrap()
}

pub(crate) const START: [f64; 2] = [0.5, 0.4];

pub(crate) fn exact() -> Newton {
    Newton {
        forcing: Forcing::Fixed(1e-12),
        ..Newton::default()
    }
}

pub(crate) fn tight(iterations: usize) -> Tolerances {
    Tolerances {
        decrease: 0.0,
        step: 0.0,
        loss: 0.0,
        iterations,
        ..Tolerances::default()
    }
}

/// Distances of all iterates of a run with full steps to the minimum.
fn errors(direction: &dyn Direction, iterations: usize) -> Vec<f64> {
    let (curve, loss, rule) = (Curve::new(Paraboloid), far_off(), Fixed::default());
    let mut path: Vec<Vec<f64>> = Vec::new();
    let descent = Descent::new(&curve, &loss).direction(direction).step(&rule);
    let descent = descent.tolerances(tight(iterations));
    let report = descent
        .run(&START, |s| path.push(s.theta.to_vec()))
        .unwrap();
    assert!(report.iterations() > 3, "{report}");
    let minimum = minimum();
    path.iter().map(|theta| gap(theta, &minimum)).collect()
}

/// The minimum (2, −1) t, at which the derivative along (2, −1), 5t − 0.5 + 10t (5t² + 0.45), vanishes.
fn minimum() -> Vec<f64> {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..200 {
        let t = 0.5 * (low + high);
        match 5.0 * t + 10.0 * t * (5.0 * t * t + 0.45) < 0.5 {
            true => low = t,
            false => high = t,
        }
    }
    vec![2.0 * low, -low]
}

#[test]
fn newton_converges_quadratically_where_gauss_newton_is_linear() {
    let newton = errors(&exact(), 8);
    let gauss_newton = errors(&LeastSquares::default(), 400);
    println!("{newton:?}");
    // The number of correct digits doubles.
    for pair in newton.windows(2).filter(|e| e[0] < 0.3) {
        assert!(pair[1] <= 3.0 * pair[0] * pair[0] + 1e-14, "{newton:?}");
    }
    let steps = |errors: &[f64]| errors.iter().position(|e| *e < 1e-10);
    let (few, many) = (steps(&newton).unwrap(), steps(&gauss_newton).unwrap());
    println!("steps to 1e-10: Newton {few}, Gauss-Newton {many}");
    assert!(few <= 6 && many >= 100, "{few} {many}");
    // By Gauss-Newton every step leaves the same fraction of the error.
    let ratio = |i: usize| gauss_newton[i + 1] / gauss_newton[i];
    assert!((ratio(150) - ratio(200)).abs() < 1e-3 && ratio(150) > 0.8);
}

#[test]
fn newton_with_default_options_needs_few_steps() {
    let (curve, loss) = (Curve::new(Paraboloid), far_off());
    let newton = Newton::default();
    let steps = |direction: &dyn Direction| {
        let descent = Descent::new(&curve, &loss).direction(direction);
        let report = descent.run(&START, |_| ()).unwrap();
        println!("{report}");
        assert!(report.converged(), "{report}");
        assert!(gap(&report.theta, &minimum()) < 1e-6, "{report}");
        report.iterations()
    };
    let (by_newton, by_gauss_newton) = (steps(&newton), steps(&LeastSquares::default()));
    assert!(
        by_newton <= 8 && by_gauss_newton > 2 * by_newton,
        "{by_newton} {by_gauss_newton}"
    );
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

/// −(e^θ u′)′ + 20 u³ = 10 on a unit interval, with a parameter per cell.
struct Diffusion(usize);

impl Equation for Diffusion {
    fn dims(&self) -> (usize, usize) {
        (self.0, self.0)
    }

    fn residual<S: Scalar>(&self, u: &[S], t: &[S], g: &mut [S]) {
        let n = self.0;
        let flux = |i: usize, j: usize| (u[i] - u[j]) * ((t[i] + t[j]) * 0.5).exp();
        let boundary = |i: usize| u[i] * 2.0 * t[i].exp();
        for i in 0..n {
            let left = if i > 0 { flux(i, i - 1) } else { boundary(0) };
            let right = if i + 1 < n {
                flux(i, i + 1)
            } else {
                boundary(i)
            };
            g[i] = (left + right) * (n * n) as f64 + u[i].powi(3) * 20.0 - 10.0;
        }
    }
}

#[test]
fn a_field_with_a_large_residual_takes_newton_less_than_half_of_the_solves() {
    let n = 200;
    let model = Automatic::new(Diffusion(n));
    let grid = Grid::new(&[(0.0, 1.0, n)]).unwrap();
    let target = |i: usize| {
        let (x, rough) = ((i as f64 + 0.5) / n as f64, [0.5, -0.5][i % 2]);
        0.6 * x * (1.0 - x) * (1.0 + 2.0 * (9.0 * x).sin()) + rough
    };
    let misfit = L2Misfit::new(&grid, (0..n).map(target).collect()).unwrap();
    let loss = Sum::default().add(100.0, misfit).unwrap();
    let prior = Matern::new(&grid, 1.0, 0.3).unwrap();
    let solves = |direction: &dyn Direction| {
        let descent = Descent::new(&model, &loss)
            .prior(&prior)
            .direction(direction);
        let report = descent.run(&vec![0.0; n], |_| ()).unwrap();
        assert!(report.converged(), "{report}");
        println!("{report}");
        (
            report.counts.tangent_solves + report.counts.adjoint_solves,
            report.loss,
        )
    };
    let steps_alone = Newton {
        escape: 0,
        ..Newton::default()
    };
    let (newton, lowest) = solves(&steps_alone);
    let (gauss_newton, loss) = solves(&ConjugateGradient::default());
    assert!((lowest / loss - 1.0).abs() < 1e-9);
    assert!(2 * newton < gauss_newton, "{newton} {gauss_newton}");
    // The search for negative curvature at the end takes a few iterations.
    let (all, _) = solves(&Newton::default());
    assert!((newton + 1..=newton + 11).contains(&all), "{newton} {all}");
}

/// Bounds hold a parameter, and the rest converges in its subspace.
#[test]
fn newton_keeps_to_bounds_and_transforms() {
    let (curve, loss) = (Curve::new(Paraboloid), far_off());
    let newton = Newton::default();
    let bounds = Bounds::new(vec![-1.0, 0.3], vec![1.0, 1.0]).unwrap();
    let descent = || Descent::new(&curve, &loss).direction(&newton);
    let report = descent().bounds(&bounds).run(&START, |_| ()).unwrap();
    assert!(report.converged() && report.theta[1] == 0.3, "{report}");
    let logit = |lower, upper| Transform::Logit { lower, upper };
    let transforms = [Transform::Log, logit(-1.0, 1.0)];
    let report = descent()
        .transforms(&transforms)
        .run(&START, |_| ())
        .unwrap();
    assert!(
        report.converged() && gap(&report.theta, &minimum()) < 1e-6,
        "{report}"
    );
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
