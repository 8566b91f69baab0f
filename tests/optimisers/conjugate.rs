//! Nonlinear conjugate gradients: quadratics, bounds, preconditioning.

use pullback::Descent;
use pullback::descent::Tolerances;
use pullback::direction::{Conjugacy, Lbfgs, LeastSquares, NonlinearCg};
use pullback::step::StrongWolfe;

use crate::quasi_newton::{exact, finds_minima, is_conjugate, quadratic, rules};

const FORMULAS: [Conjugacy; 3] = [
    Conjugacy::PolakRibiere,
    Conjugacy::HestenesStiefel,
    Conjugacy::FletcherReeves,
];

fn conjugate(formula: Conjugacy) -> NonlinearCg<'static> {
    NonlinearCg {
        formula,
        ..NonlinearCg::default()
    }
}

#[test]
fn with_exact_steps_all_formulas_end_a_quadratic_in_as_many_steps_as_parameters() {
    for formula in FORMULAS {
        is_conjugate(&conjugate(formula));
        let (model, loss, _) = quadratic(12, 7);
        let (direction, rule) = (conjugate(formula), exact());
        let descent = Descent::new(&model, &loss).direction(&direction);
        let tolerances = Tolerances {
            iterations: 7,
            ..Tolerances::default()
        };
        let descent = descent.step(&rule).tolerances(tolerances);
        let report = descent.run(&[0.0; 7], |_| ()).unwrap();
        let (first, last) = (report.history[0].gradient, report.history[7].gradient);
        assert!(last < 1e-7 * first, "{formula:?}: {report}");
    }
}

#[test]
fn minima_in_boxes_and_in_logarithms() {
    for formula in FORMULAS {
        finds_minima(&conjugate(formula), &rules()[..2]);
    }
    // Shortened steps along conjugate directions find the minimum too, in more of them.
    finds_minima(&conjugate(Conjugacy::PolakRibiere), &rules()[2..3]);
}

/// The step of least squares is the minimum of a quadratic, so that one step suffices; with a quasi-Newton direction inside,
/// restarts and lengths are those of the inner direction.
#[test]
fn an_inner_direction_preconditions() {
    let (model, loss, _) = quadratic(12, 7);
    let (newton, lbfgs, rule) = (
        LeastSquares::default(),
        Lbfgs::default(),
        StrongWolfe::close(),
    );
    let natural = NonlinearCg::new(&newton);
    let descent = Descent::new(&model, &loss).step(&rule);
    let report = descent.direction(&natural).run(&[0.4; 7], |_| ()).unwrap();
    assert!(report.converged() && report.iterations() <= 3, "{report}");
    let inside = NonlinearCg::new(&lbfgs);
    let descent = Descent::new(&model, &loss).step(&rule);
    let report = descent.direction(&inside).run(&[0.4; 7], |_| ()).unwrap();
    assert!(report.converged() && report.iterations() <= 20, "{report}");
}
