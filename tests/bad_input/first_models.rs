//! Mistakes in a first model lead to messages that name the mistake, whichever function meets it first.

use crate::support::bad::{check, row};
use pullback::automatic::{Automatic, Curve, Equation, Formula, Scalar};
use pullback::loss::{Divergence, L2Misfit, Observations, SobolevMisfit};
use pullback::model::{Equations, Newton};
use pullback::{Cpu, Descent, Error, Grid, Loss, Model, Noise, Operator, Result, verify};

/// Mistake in the equations u + u³ = e^θ for three entries of u.
#[derive(Clone, Copy)]
enum Mistake {
    Forgets,
    Adds,
    AddsNumber,
    ReadsValue,
    RootOfZero,
    RootOfState,
}

use Mistake::{Adds, AddsNumber, Forgets, ReadsValue, RootOfState, RootOfZero};

impl Equation for Mistake {
    fn dims(&self) -> (usize, usize) {
        (3, 2)
    }

    fn residual<S: Scalar>(&self, u: &[S], theta: &[S], g: &mut [S]) {
        for i in 0..2 {
            g[i] = u[i] + u[i].powi(3) - theta[i].exp();
        }
        match self {
            Forgets => {}
            Adds => g[2] += u[2] - theta[0],
            AddsNumber => g[2] = g[2] * u[2] - 1.0,
            ReadsValue => g[2] = u[2] - S::from(theta[0].value().sin()),
            RootOfZero => g[2] = u[2] - theta[0] - (theta[1] - 1.0).sqrt(),
            RootOfState => g[2] = u[2].sqrt() + u[2] - theta[0] * 0.0,
        }
    }
}

/// Returns the message of an error, or of a report.
fn text(outcome: Result<impl ToString>) -> String {
    outcome.map_or_else(|error| error.to_string(), |report| report.to_string())
}

/// Returns what every function says about the mistake at θ.
fn told(mistake: Mistake, theta: [f64; 2]) -> [(&'static str, String); 3] {
    let loss = L2Misfit::euclidean(vec![1.0; 3]).unwrap();
    let (cpu, newton) = (Cpu::default(), Newton::default());
    let verified = verify::model(&Automatic::new(mistake), &theta, 1);
    let solved = newton.solve(&Automatic::new(mistake), &theta, &mut [0.0; 3], &cpu);
    let fitted = Descent::new(&Automatic::new(mistake), &loss).run(&theta, |_| ());
    [
        ("verify", text(verified)),
        ("Newton", text(solved.map(|()| "solved"))),
        ("Descent", text(fitted)),
    ]
}

#[test]
fn every_function_names_the_mistake_in_a_residual() {
    for (mistake, says) in [
        (Forgets, "entry 2 of the output is not written"),
        (Adds, "`out[2] = …` before `out[2] += …`"),
        (AddsNumber, "`out[2] = …` before `out[2] += …`"),
        (ReadsValue, "with respect to θ[0] is lost"),
        (RootOfZero, "with respect to θ[1] is -inf at 1"),
        (RootOfState, "with respect to ρ[2] is inf at 0"),
    ] {
        for (function, text) in told(mistake, [0.5, 1.0]) {
            // Newton's method needs no derivative by θ.
            let unseen = matches!(mistake, ReadsValue | RootOfZero) && function == "Newton";
            assert!(
                unseen || text.contains(says),
                "{function}: {says}, but {text}"
            );
        }
    }
}

/// Three values, of which one is added to, or is the root of zero.
struct Values {
    adds: bool,
}

impl Formula for Values {
    fn dims(&self) -> (usize, usize) {
        (3, 2)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out[0] = theta[0];
        out[1] = theta[0] * theta[1];
        match self.adds {
            true => out[2] += theta[1],
            false => out[2] = (theta[0] * theta[1]).sqrt(),
        }
    }
}

#[test]
fn every_function_names_the_mistake_in_a_formula() {
    let curve = |adds| Curve::new(Values { adds });
    let loss = L2Misfit::euclidean(vec![1.0; 3]).unwrap();
    let assign = "`out[2] = …` before `out[2] += …`";
    check(vec![
        row("predict", "ReadUnwritten", assign, || {
            curve(true).predict(&[1.0, 0.0])
        }),
        row("verify", "ReadUnwritten", assign, || {
            verify::model(&curve(true), &[1.0, 0.0], 1)
        }),
        row("fit", "ReadUnwritten", assign, || {
            Descent::new(&curve(true), &loss).run(&[1.0, 0.0], |_| ())
        }),
        row("√0", "NotFinite", "with respect to θ[0] is NaN", || {
            verify::model(&curve(false), &[1.0, 0.0], 1)
        }),
    ]);
}

/// Equations without a solution to be found from the default guess.
enum Unsolvable {
    SquareOf,
    SquareOfMinus,
    Dependent,
    Conserved,
    UpToAConstant,
}

impl Equation for Unsolvable {
    fn dims(&self) -> (usize, usize) {
        match self {
            Self::SquareOf | Self::SquareOfMinus => (1, 1),
            _ => (3, 1),
        }
    }

    fn residual<S: Scalar>(&self, u: &[S], theta: &[S], g: &mut [S]) {
        let source = theta[0].exp();
        let exchange = |i: usize, j: usize| u[i] * (1.0 + i as f64) - u[j] * (1.0 + j as f64);
        match self {
            Self::SquareOf => g[0] = u[0] * u[0] - source,
            Self::SquareOfMinus => g[0] = u[0] * u[0] + source,
            Self::Dependent => {
                g[0] = u[0] + u[1] * 2.0 - source;
                g[1] = u[2] - source;
                g[2] = g[0] * 2.0 + g[1] + 1.0;
            }
            Self::Conserved => {
                g[0] = exchange(0, 1) - source;
                g[1] = -exchange(0, 1) + exchange(1, 2);
                g[2] = -exchange(1, 2) + source;
            }
            Self::UpToAConstant => {
                g[0] = u[0] - u[1] - source;
                g[1] = (u[1] - u[2]) * 2.0;
                g[2] = (u[2] - u[0]) * 3.0 - source;
            }
        }
    }
}

#[test]
fn a_singular_jacobian_says_where_and_names_the_guess() {
    let solved = |equation| {
        let model = Automatic::new(equation);
        let mut rho = vec![0.0; model.state_dim()];
        model.solve(&[0.3], &mut rho, &Cpu::default())
    };
    let zero =
        "the guess ρ = [0]: no unknown changes equation 0 there; start elsewhere with a `guess`";
    let kind = "SingularJacobian";
    check(vec![
        row("a square", kind, zero, || solved(Unsolvable::SquareOf)),
        row("no solution", kind, "have a solution", || {
            solved(Unsolvable::SquareOfMinus)
        }),
        row(
            "dependent rows",
            kind,
            "its rows depend on each other",
            || solved(Unsolvable::Dependent),
        ),
        row("conserved", kind, "the total mass", || {
            solved(Unsolvable::Conserved)
        }),
        row("a constant", kind, "a constant added to ρ", || {
            solved(Unsolvable::UpToAConstant)
        }),
    ]);
    for equation in [Unsolvable::SquareOf, Unsolvable::Dependent] {
        let text = solved(equation).unwrap_err().to_string();
        assert!(!text.contains("mass"), "{text}");
    }
}

#[test]
fn a_failure_of_newton_helps_with_both_kinds_of_jacobians() {
    let model = Equations::new(
        (1, 1),
        |u, theta, g| g[0] = u[0] * u[0] + theta[0],
        |u, _| Operator::diagonal(vec![2.0 * u[0]]),
        |_, _| Operator::diagonal(vec![1.0]),
    )
    .guess(|_| vec![0.7]);
    let error = model
        .solve(&[1.0], &mut [0.0], &Cpu::default())
        .unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Newton { .. }), "{text}");
    for said in ["`guess`", "have a solution", "written by hand"] {
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn data_that_do_not_fit_the_state_are_told_as_the_users_data() {
    let grid = Grid::new(&[(0.0, 1.0, 4)]).unwrap();
    let counts = "one for each entry of the model's state: expected 5, got 4";
    let kind = "Dimension";
    check(vec![
        row("L²", kind, counts, || {
            L2Misfit::euclidean(vec![1.0; 4])?.check(&[1.0; 5])
        }),
        row("Sobolev", kind, counts, || {
            SobolevMisfit::new(&grid, -1.0, vec![1.0; 4])?.check(&[1.0; 5])
        }),
        row("divergence", kind, counts, || {
            Divergence::hellinger(&grid, vec![1.0; 4])?.check(&[1.0; 5])
        }),
        row("observations", kind, "expected 5, got 4", || {
            let noise = Noise::uniform(4, 0.1)?;
            Observations::new(Operator::identity(4), vec![1.0; 4], noise)?.check(&[1.0; 5])
        }),
        row("NaN", "NotFinite", "`Observations::present`", || {
            L2Misfit::euclidean(vec![1.0, f64::NAN])
        }),
    ]);
}

/// |θ − 1.5|^1.5 beside linear values: at 1.5 its first derivative is 0, and its second one infinite.
struct Power;

impl Equation for Power {
    fn dims(&self) -> (usize, usize) {
        (3, 1)
    }

    fn residual<S: Scalar>(&self, u: &[S], theta: &[S], g: &mut [S]) {
        g[0] = u[0] - theta[0];
        g[1] = u[1] - (theta[0] - 1.5).abs().powf(1.5);
        g[2] = u[2] - theta[0] * 2.0;
    }
}

#[test]
fn a_second_derivative_that_is_not_finite_takes_one_line() {
    let text = text(verify::model(&Automatic::new(Power), &[1.5], 1));
    assert!(text.contains("inf in equation 1"), "{text}");
    assert!(!text.contains("claimed"), "{text}");
}

/// Values 1/θ and 2/θ, which reach the data 0 only for θ → ∞.
struct Reciprocal;

impl Formula for Reciprocal {
    fn dims(&self) -> (usize, usize) {
        (2, 1)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out[0] = theta[0].recip();
        out[1] = theta[0].recip() * 2.0;
    }
}

#[test]
fn a_parameter_that_runs_away_is_named() {
    let loss = L2Misfit::euclidean(vec![0.0, 0.0]).unwrap();
    let curve = Curve::new(Reciprocal);
    let tolerances = pullback::descent::Tolerances {
        decrease: 0.0,
        step: 0.0,
        loss: 0.0,
        iterations: 30,
        ..Default::default()
    };
    let report = Descent::new(&curve, &loss).tolerances(tolerances);
    let text = report.run(&[1.0], |_| ()).unwrap().to_string();
    assert!(text.contains("θ0 has grown by a factor of"), "{text}");
    assert!(text.contains("towards ±∞"), "{text}");
}
