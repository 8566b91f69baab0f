//! The checks that are shipped to users: right models and gradients pass; each kind of mistake is found where it
//! was made, and nowhere else.

use pullback::faer::Mat;
use pullback::grid::Face;
use pullback::loss::{Divergence, L2Misfit, SobolevMisfit};
use pullback::models::{GaussianMixture, Parameter};
use pullback::verify::{self, Outcome, Verification};
use pullback::{Backend, Error, Grid, Loss, Model, Operator, Result, Side};

/// Something a model's author may get wrong.
#[derive(Clone, Copy, PartialEq)]
enum Slip {
    None,
    ParamFactor,
    StateEntry,
    StateTranspose,
    ParamTranspose,
    Unsolved,
    /// Solved for parameters rounded to four digits: right here, but not a smooth function.
    Jumps,
    NanJacobian,
    NanProduct,
    SilentResidual,
}

/// −D u″ + κu + u³ = 1 on n cells with no flux through the ends, θ = (D, κ).
struct Reaction {
    n: usize,
    slip: Slip,
}

fn reaction(slip: Slip) -> Reaction {
    Reaction { n: 12, slip }
}

impl Reaction {
    /// u″ on a grid of width 1/n, with u = 0 beyond the left end so that the solution is not constant.
    fn second(&self, u: &[f64], i: usize) -> f64 {
        let left = if i > 0 { u[i - 1] } else { -u[0] };
        let right = if i + 1 < self.n { u[i + 1] } else { u[i] };
        (left - 2.0 * u[i] + right) * (self.n * self.n) as f64
    }

    fn state_matrix(&self, u: &[f64], theta: &[f64]) -> Mat<f64> {
        let mut a = Mat::from_fn(self.n, self.n, |i, j| {
            let mut e = vec![0.0; self.n];
            e[j] = 1.0;
            e[i] * (theta[1] + 3.0 * u[i] * u[i]) - theta[0] * self.second(&e, i)
        });
        match self.slip {
            Slip::StateEntry => a[(5, 4)] *= 1.01,
            Slip::NanJacobian => a[(3, 3)] = f64::NAN,
            _ => {}
        }
        a
    }

    fn param_matrix(&self, u: &[f64]) -> Mat<f64> {
        let factor = 1.0 + f64::from(self.slip == Slip::ParamFactor);
        let entry = |i: usize, j: usize| if j == 0 { -self.second(u, i) } else { u[i] };
        Mat::from_fn(self.n, 2, |i, j| factor * entry(i, j))
    }
}

/// Products with `matrix`, the transposed ones with `transposed` instead of its transpose.
fn free(matrix: Mat<f64>, transposed: Mat<f64>) -> Operator<'static> {
    let (rows, cols) = matrix.shape();
    Operator::free(
        rows,
        cols,
        Box::new(move |side, x, mut out| match side {
            Side::Plain => out.copy_from(&matrix * x),
            Side::Transpose => out.copy_from(&transposed * x),
        }),
    )
}

impl Model for Reaction {
    fn state_dim(&self) -> usize {
        self.n
    }

    fn param_dim(&self) -> usize {
        2
    }

    fn residual(&self, u: &[f64], theta: &[f64], out: &mut [f64]) {
        for i in 0..self.n {
            out[i] = theta[1] * u[i] + u[i].powi(3) - 1.0 - theta[0] * self.second(u, i);
        }
        if self.slip == Slip::SilentResidual && theta[0] != 0.25 {
            out[4] = f64::NAN;
        }
    }

    fn state_jacobian<'a>(&'a self, u: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        let a = self.state_matrix(u, theta);
        match self.slip {
            Slip::StateTranspose => {
                let mut transposed = a.transpose().to_owned();
                transposed[(2, 3)] *= 1.01;
                free(a, transposed)
            }
            Slip::NanProduct => {
                let nan = Mat::from_fn(self.n, self.n, |_, _| f64::NAN);
                free(nan.clone(), nan)
            }
            _ => Operator::dense(a),
        }
    }

    fn param_jacobian<'a>(&'a self, u: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        let c = self.param_matrix(u);
        match self.slip {
            Slip::ParamTranspose => {
                let mut transposed = c.transpose().to_owned();
                transposed[(1, 3)] = 0.0;
                free(c, transposed)
            }
            _ => Operator::dense(c),
        }
    }

    fn solve(&self, theta: &[f64], u: &mut [f64], backend: &dyn Backend) -> Result<()> {
        u.fill(0.5);
        if self.slip == Slip::Unsolved {
            return Ok(());
        }
        // A wrong Jacobian must not stand in the way of the solution.
        let right = reaction(Slip::None);
        let mut theta = theta.to_vec();
        if self.slip == Slip::Jumps {
            theta.iter_mut().for_each(|t| *t = (*t * 1e4).round() / 1e4);
        }
        pullback::model::Newton::default().solve(&right, &theta, u, backend)
    }
}

/// The stationary density of dx = −a x dt + √(2D) dW on a grid, θ = (a, D): implicit and linear.
struct Confined(Grid);

impl Confined {
    /// J = −a x ρ_face − D (ρ_upper − ρ_lower)/h.
    fn flux(face: &Face, theta: &[f64]) -> [f64; 2] {
        let (drift, diffusion) = (
            -0.5 * theta[0] * face.centre[face.axis],
            theta[1] / face.spacing,
        );
        [drift + diffusion, drift - diffusion]
    }
}

impl Model for Confined {
    fn state_dim(&self) -> usize {
        self.0.cells()
    }

    fn param_dim(&self) -> usize {
        2
    }

    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        let a = self.0.stationary_matrix(|face| Self::flux(face, theta));
        let product = a.apply_to(Side::Plain, rho).unwrap();
        out.copy_from_slice(&product);
        out[rho.len() - 1] -= 1.0;
    }

    fn state_jacobian<'a>(&'a self, _: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        self.0.stationary_matrix(|face| Self::flux(face, theta))
    }

    fn param_jacobian<'a>(&'a self, rho: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        self.0.stationary_columns(2, |face, out| {
            let (lower, upper) = (rho[face.lower], rho[face.upper]);
            out[0] = -0.5 * face.centre[face.axis] * (lower + upper);
            out[1] = (lower - upper) / face.spacing;
        })
    }
}

fn line() -> Grid {
    Grid::new(&[(-4.0, 5.0, 30)]).unwrap()
}

fn plane() -> Grid {
    Grid::new(&[(-4.0, 5.0, 10), (-3.0, 4.0, 8)]).unwrap()
}

fn assert_passes(what: &str, report: &Verification) {
    assert!(report.passed(), "{what}:\n{report}");
    assert_eq!(report.failures().count(), 0);
}

/// Exactly this check fails; others pass or, where they build on it, are skipped.
fn assert_fails_only(report: &Verification, name: &str) {
    assert!(!report.passed());
    let failed: Vec<&str> = report.failures().map(|c| c.name).collect();
    assert_eq!(failed, [name], "\n{report}");
}

#[test]
fn gaussian_mixtures_pass_in_all_dimensions() {
    use Parameter::{AxisVariance, Mean, Variance, Weight};
    for axes in 1..=3 {
        let grid = Grid::new(&[(-4.0, 5.0, 9); 3][..axes]).unwrap();
        let (a, b) = ([0.5, -0.2, 0.0], [1.5, 1.0, -1.0]);
        let mixture = GaussianMixture::new(&grid)
            .component(0.3, &a[..axes], 1.2)
            .component(0.7, &b[..axes], 0.8)
            .free(&[
                Weight(0),
                Mean(0, 0),
                Mean(1, axes - 1),
                Variance(0),
                AxisVariance(1, 0),
            ])
            .unwrap();
        let theta = mixture.parameters();
        for seed in 0..5 {
            assert_passes("mixture", &verify::model(&mixture, &theta, seed).unwrap());
        }
    }
}

#[test]
fn implicit_models_pass() {
    for seed in 0..5 {
        let report = verify::model(&reaction(Slip::None), &[0.3, 2.0], seed).unwrap();
        assert_passes("reaction", &report);
        let orders: Vec<_> = report.checks.iter().map(|c| c.order).collect();
        assert!(
            (orders[0].unwrap() - 2.0).abs() < 0.05,
            "g is cubic in ρ: {report}"
        );
        assert_eq!(orders[1], None, "g is linear in θ: {report}");
        assert!((orders[7].unwrap() - 2.0).abs() < 0.05, "{report}");
        for grid in [line(), plane()] {
            let report = verify::model(&Confined(grid), &[0.6, 0.8], seed).unwrap();
            assert_passes("confined", &report);
            assert_eq!(report.checks[0].order, None, "g is linear in ρ: {report}");
        }
    }
}

#[test]
fn gradients_of_the_whole_chain_pass() {
    let grid = line();
    let model = Confined(grid.clone());
    let target = grid.sample(|x| (-x[0] * x[0]).exp());
    let losses: [(&str, Box<dyn Loss>); 3] = [
        (
            "L2",
            Box::new(L2Misfit::new(&grid, target.clone()).unwrap()),
        ),
        (
            "H-1",
            Box::new(SobolevMisfit::new(&grid, -1.0, target.clone()).unwrap()),
        ),
        (
            "KL",
            Box::new(Divergence::kullback_leibler(&grid, target).unwrap()),
        ),
    ];
    for (name, loss) in losses {
        let report = verify::gradient(&model, loss.as_ref(), &[0.6, 0.8], 3).unwrap();
        assert_passes(name, &report);
        assert!(
            (report.checks[0].order.unwrap() - 1.0).abs() < 0.1,
            "{report}"
        );
        assert!(
            (report.checks[1].order.unwrap() - 2.0).abs() < 0.1,
            "{report}"
        );
    }
    // At the optimum the gradient is zero.
    let (mut rho, cpu) = (vec![0.0; grid.cells()], pullback::Cpu::default());
    model.solve(&[0.6, 0.8], &mut rho, &cpu).unwrap();
    let loss = L2Misfit::new(&grid, rho).unwrap();
    assert_passes(
        "optimum",
        &verify::gradient(&model, &loss, &[0.6, 0.8], 3).unwrap(),
    );
}

#[test]
fn a_linear_chain_passes_on_rounding_alone() {
    struct Total;
    impl Loss for Total {
        fn value(&self, rho: &[f64]) -> f64 {
            rho.iter().sum()
        }
        fn gradient(&self, _: &[f64], out: &mut [f64]) {
            out.fill(1.0);
        }
    }
    let mixture = GaussianMixture::new(&line())
        .component(0.4, &[0.0], 1.0)
        .component(0.6, &[2.0], 0.5)
        .free(&[Parameter::Weight(0)])
        .unwrap();
    let report = verify::gradient(&mixture, &Total, &[0.4], 1).unwrap();
    assert_passes("linear", &report);
    assert_eq!(report.checks[1].order, None);
}

#[test]
fn each_slip_in_a_model_fails_its_own_block() {
    let cases = [
        (
            Slip::ParamFactor,
            "∂g/∂θ v = (g(θ+hv) − g(θ−hv))/2h",
            "claimed is 2.0000 times",
        ),
        (
            Slip::StateEntry,
            "∂g/∂ρ v = (g(ρ+hv) − g(ρ−hv))/2h",
            "largest error in row 5",
        ),
        (Slip::StateTranspose, "A = ∂g/∂ρ: ⟨A v, w⟩ = ⟨v, Aᵀw⟩", ""),
        (Slip::ParamTranspose, "C = ∂g/∂θ: ⟨C v, w⟩ = ⟨v, Cᵀw⟩", ""),
        (Slip::Unsolved, "g(ρ(θ), θ) = 0", ""),
        (Slip::Jumps, "Z v = (ρ(θ+hv) − ρ(θ−hv))/2h", ""),
    ];
    for (slip, name, note) in cases {
        for seed in 0..5 {
            let report = verify::model(&reaction(slip), &[0.3, 2.0], seed).unwrap();
            assert_fails_only(&report, name);
            assert!(report.to_string().contains(note), "{report}");
        }
    }
}

#[test]
fn a_nan_never_passes() {
    let nan = verify::model(&reaction(Slip::NanJacobian), &[0.3, 2.0], 1);
    assert!(matches!(nan, Err(Error::NotFinite { .. })));
    for slip in [Slip::NanProduct, Slip::SilentResidual] {
        match verify::model(&reaction(slip), &[0.25, 2.0], 1) {
            Ok(report) => assert!(!report.passed(), "{report}"),
            Err(error) => assert!(matches!(error, Error::NotFinite { .. }), "{error}"),
        }
    }
}

#[test]
fn the_table_shows_what_failed_and_by_how_much() {
    let report = verify::model(&reaction(Slip::ParamFactor), &[0.3, 2.0], 7).unwrap();
    let text = report.to_string();
    println!("{text}");
    assert!(text.starts_with("model of 12 states and 2 parameters: 1 of 10 checks FAILED\n"));
    // g is linear in θ here, so that the error is the same at every step.
    let table: Vec<&str> = text.lines().skip(3).take(2).collect();
    assert_eq!(text.lines().count(), 11 + 2, "{text}");
    assert!(table[0].ends_with("h      error"), "{text}");
    assert!(
        table[1].contains("1e-1 … 1e-10") && table[1].contains("wrong by a fixed amount"),
        "{text}"
    );
    let skipped = report.checks.last().unwrap();
    assert_eq!(skipped.outcome, Outcome::Passed, "{report}");
    let tangent = &report.checks[7];
    assert_eq!(tangent.outcome, Outcome::Skipped, "{report}");
}

#[test]
fn the_same_seed_gives_the_same_report() {
    let report = |seed| {
        verify::model(&reaction(Slip::None), &[0.3, 2.0], seed)
            .unwrap()
            .to_string()
    };
    assert_eq!(report(5), report(5));
    let errors = |seed| -> Vec<f64> {
        let report = verify::model(&reaction(Slip::None), &[0.3, 2.0], seed).unwrap();
        report.checks.iter().map(|c| c.error).collect()
    };
    assert_ne!(errors(5), errors(6));
}
