//! Second derivatives of models and losses: products against differences of first derivatives, and their symmetry.

use crate::support::{Reaction, column, density, dot, gap, grids, matrix_gap};
use pullback::automatic::{Automatic, Curve, Equation, Formula, Scalar};
use pullback::faer::{Mat, mat};
use pullback::loss::{Divergence, L2Misfit, Observations, Penalty, Robust, SobolevMisfit, Sum};
use pullback::model::{Equations, Variation};
use pullback::{Cpu, Grid, Linearisation, Loss, Model, Noise, Operator, random, verify};

/// Mixed terms in ρ and θ, a full row, and a branch: upwind advection with a mass constraint.
pub(crate) struct Mixed(pub(crate) usize);

impl Equation for Mixed {
    fn dims(&self) -> (usize, usize) {
        (self.0, 3)
    }

    fn residual<S: Scalar>(&self, u: &[S], theta: &[S], out: &mut [S]) {
        let n = self.0;
        for i in 1..n {
            let right = if i + 1 < n { u[i + 1] } else { u[0] };
            let speed = theta[0] * u[i] + theta[1];
            let slope = if speed > 0.0 {
                u[i] - u[i - 1]
            } else {
                right - u[i]
            };
            out[i] = speed * slope * 0.3 + u[i] * 2.0 + (theta[2] * u[i]).sin()
                - u[i - 1] * u[i] * 0.2
                - 1.0 / (i as f64);
        }
        // More than 32 + 8·mean entries: differentiated in reverse.
        out[0] = u.iter().map(|u| *u * *u).sum::<S>() + u[0] * 3.0 - theta[1].exp();
    }

    fn guess(&self, _: &[f64]) -> Vec<f64> {
        vec![0.1; self.0]
    }
}

/// Functions of every kind, so that each has its second derivative tested.
pub(crate) struct Zoo;

impl Formula for Zoo {
    fn dims(&self) -> (usize, usize) {
        (9, 4)
    }

    fn values<S: Scalar>(&self, t: &[S], out: &mut [S]) {
        out[0] = (t[0] * t[1]).exp() + t[2].sin() * t[3].cos();
        out[1] = (t[0] * t[0] + t[1] * t[1] + 1.0).sqrt() / (t[3] + 3.0);
        out[2] = (t[2] + 4.0).ln() * t[0].tanh() + (t[1] + 2.0).powf(1.7);
        out[3] = t[3].atan2(t[0] + 2.0) + (t[1] * 0.3).asin() + (t[2] * 0.2).acos();
        out[4] = (t[0] + 3.0).pow(t[1]) + t[2].powi(5) + (t[3] + 5.0).cbrt();
        out[5] = t[0].max(t[1]) * t[2].min(t[3]) + (t[1] - 0.4).abs() * t[0];
        out[6] = (t[2] * t[3]).lookup(|x| [x.powi(4), 4.0 * x.powi(3), 12.0 * x * x]);
        out[7] = t[0].sinh() * t[1].cosh() + (t[3] * t[3]).ln_1p() * t[2].exp_m1() + t[0].tan();
        out[8] = (t[1] + 6.0).recip() + t[2].atan() * t[0] - t[3].abs();
    }
}

/// ρ₀ = θ₀ρ₁ + 1, ρ₁ = θ₁ρ₀² + ½, by closures.
fn closures() -> impl Model {
    Equations::new(
        (2, 2),
        |r, t, g| {
            g[0] = r[0] - t[0] * r[1] - 1.0;
            g[1] = r[1] - t[1] * r[0] * r[0] - 0.5;
        },
        |r, t| Operator::dense(mat![[1.0, -t[0]], [-2.0 * t[1] * r[0], 1.0]]),
        |r, _| Operator::dense(mat![[-r[1], 0.0], [0.0, -r[0] * r[0]]]),
    )
    .second_derivative(|r, t, along| {
        let (l, u, v) = (along.lambda, along.rho, along.theta);
        let columns = u.ncols();
        let by_state = Mat::from_fn(2, columns, |i, c| match i {
            0 => -l[1] * (2.0 * t[1] * u[(0, c)] + 2.0 * r[0] * v[(1, c)]),
            _ => -l[0] * v[(0, c)],
        });
        let by_param = Mat::from_fn(2, columns, |j, c| match j {
            0 => -l[0] * u[(1, c)],
            _ => -l[1] * 2.0 * r[0] * u[(0, c)],
        });
        [by_state, by_param]
    })
}

fn models() -> Vec<(&'static str, Box<dyn Model>, Vec<f64>)> {
    vec![
        (
            "by hand",
            Box::new(Reaction::new(12, 4, 3)),
            vec![0.4, -0.7, 1.1, 0.2],
        ),
        ("closures", Box::new(closures()), vec![0.3, 0.2]),
        (
            "automatic, upwind",
            Box::new(Automatic::new(Mixed(60))),
            vec![0.5, 0.7, 0.4],
        ),
        (
            "automatic, downwind",
            Box::new(Automatic::new(Mixed(60))),
            vec![-0.5, -0.7, 0.4],
        ),
        (
            "curve",
            Box::new(Curve::new(Zoo)),
            vec![0.3, -0.7, 0.9, -0.4],
        ),
    ]
}

fn state(model: &dyn Model, theta: &[f64]) -> Vec<f64> {
    let mut rho = vec![0.0; model.state_dim()];
    model.solve(theta, &mut rho, Cpu::shared()).unwrap();
    rho
}

fn moved(x: &[f64], v: &[f64], h: f64) -> Vec<f64> {
    x.iter().zip(v).map(|(x, v)| x + h * v).collect()
}

/// Central difference of a vector-valued function along v.
fn difference(f: impl Fn(&[f64]) -> Vec<f64>, x: &[f64], v: &[f64]) -> Vec<f64> {
    let h = 1e-5;
    let (plus, minus) = (f(&moved(x, v, h)), f(&moved(x, v, -h)));
    plus.iter()
        .zip(&minus)
        .map(|(a, b)| (a - b) / (2.0 * h))
        .collect()
}

#[test]
fn curvatures_of_the_state_equal_differences_of_adjoints() {
    for (name, model, theta) in models() {
        let model = model.as_ref();
        let (k, p) = (model.state_dim(), model.param_dim());
        let w = random::normal(k, 5, 0);
        let pulled = |theta: &[f64]| {
            let rho = state(model, theta);
            let z = Linearisation::new(model, &rho, theta, Cpu::shared()).unwrap();
            z.pull_back(&w).unwrap()
        };
        let rho = state(model, &theta);
        let z = Linearisation::new(model, &rho, &theta, Cpu::shared()).unwrap();
        let v = random::normal_matrix(p, 6, 9);
        let product = z
            .curvature(&w)
            .unwrap()
            .unwrap()
            .product(v.as_ref())
            .unwrap();
        for j in 0..v.ncols() {
            let expected = difference(pulled, &theta, v.col_as_slice(j));
            let error = gap(product.col_as_slice(j), &expected);
            assert!(error < 1e-6, "{name}: {error:.1e}");
        }
    }
}

#[test]
fn curvatures_of_the_state_are_symmetric() {
    for (name, model, theta) in models() {
        let model = model.as_ref();
        let (k, p) = (model.state_dim(), model.param_dim());
        let rho = state(model, &theta);
        let z = Linearisation::new(model, &rho, &theta, Cpu::shared()).unwrap();
        let curved = z.curvature(&random::normal(k, 5, 0)).unwrap().unwrap();
        let h = curved.product(Mat::<f64>::identity(p, p).as_ref()).unwrap();
        let error = matrix_gap(h.as_ref(), h.transpose());
        assert!(error < 1e-12, "{name}: {error:.1e}");
    }
}

/// Batches of 4 and single columns are recorded on tapes of their own.
#[test]
fn columns_of_a_batch_equal_single_products() {
    for (name, model, theta) in models() {
        let model = model.as_ref();
        let (k, p) = (model.state_dim(), model.param_dim());
        let (rho, lambda) = (state(model, &theta), random::normal(k, 2, 0));
        let (u, v) = (
            random::normal_matrix(k, 7, 3),
            random::normal_matrix(p, 7, 4),
        );
        let product = |first: usize, count: usize| {
            let along = Variation {
                lambda: &lambda,
                rho: u.subcols(first, count),
                theta: v.subcols(first, count),
            };
            model.second_derivative(&rho, &theta, &along).unwrap()
        };
        let all = product(0, 7);
        for j in 0..7 {
            for (whole, one) in all.iter().zip(product(j, 1)) {
                assert_eq!(whole.subcols(j, 1), one, "{name}");
            }
        }
        assert_eq!(product(0, 0).map(|part| part.ncols()), [0, 0], "{name}");
    }
}

/// Away from solutions, and for the part by ρ as well as that by θ.
#[test]
fn second_derivatives_equal_differences_of_transposed_jacobians() {
    for (name, model, theta) in models() {
        let model = model.as_ref();
        let (k, p) = (model.state_dim(), model.param_dim());
        let rho: Vec<f64> = random::uniform(k, (0.1, 0.9), 7);
        let (lambda, v) = (random::normal(k, 2, 0), random::normal(k + p, 8, 0));
        let gradient = |x: &[f64]| {
            let (rho, theta) = x.split_at(k);
            let [a, c] = [
                model.state_jacobian(rho, theta),
                model.param_jacobian(rho, theta),
            ];
            let parts = [a, c].map(|j| j.apply_to(pullback::Side::Transpose, &lambda).unwrap());
            parts.concat()
        };
        let expected = difference(gradient, &[rho.clone(), theta.clone()].concat(), &v);
        let along = Variation {
            lambda: &lambda,
            rho: column(&v[..k]),
            theta: column(&v[k..]),
        };
        let [by_state, by_param] = model.second_derivative(&rho, &theta, &along).unwrap();
        let found = [by_state.col_as_slice(0), by_param.col_as_slice(0)].concat();
        assert!(
            gap(&found, &expected) < 1e-7,
            "{name}: {:.1e}",
            gap(&found, &expected)
        );
    }
}

#[test]
fn verification_compares_second_derivatives_with_first_ones() {
    let named = |report: &verify::Verification| report.to_string().contains("∂²g");
    for (name, model, theta) in models() {
        let report = verify::model(model.as_ref(), &theta, 1).unwrap();
        assert!(report.passed() && named(&report), "{name}: {report}");
    }
    // ρ = θ², with 1 where the second derivative of −θ² is −2.
    let wrong = Equations::new(
        (1, 1),
        |r, t, g| g[0] = r[0] - t[0] * t[0],
        |_, _| Operator::identity(1),
        |_, t| Operator::dense(mat![[-2.0 * t[0]]]),
    )
    .second_derivative(|_, _, along| [0.0 * along.rho, along.lambda[0] * along.theta]);
    let report = verify::model(&wrong, &[1.5], 1).unwrap();
    assert!(!report.passed() && named(&report), "{report}");
}

/// One adjoint for the multipliers, then one tangent and one adjoint a column. Explicit models solve nothing.
#[test]
fn a_product_takes_one_tangent_and_one_adjoint() {
    for (name, model, theta) in models() {
        let model = model.as_ref();
        let (k, p) = (model.state_dim(), model.param_dim());
        let rho = state(model, &theta);
        let z = Linearisation::new(model, &rho, &theta, Cpu::shared()).unwrap();
        let implicit = usize::from(name != "curve");
        let curved = z.curvature(&vec![1.0; k]).unwrap().unwrap();
        assert_eq!(z.solves(), (0, implicit), "{name}");
        curved
            .product(random::normal_matrix(p, 5, 1).as_ref())
            .unwrap();
        assert_eq!(z.solves(), (5 * implicit, 6 * implicit), "{name}");
    }
}

fn losses(grid: &Grid) -> Vec<(&'static str, Box<dyn Loss>)> {
    let n = grid.cells();
    let target = density(grid, 2);
    let sensors = Operator::dense(random::normal_matrix(4, n, 8));
    let noise = Noise::full(crate::support::definite(4, 3)).unwrap();
    let observations = Observations::new(sensors, vec![0.3; 4], noise).unwrap();
    let l2 = || L2Misfit::new(grid, target.clone()).unwrap();
    let hellinger = || Divergence::hellinger(grid, target.clone()).unwrap();
    let sum = Sum::default()
        .add(0.3, l2())
        .unwrap()
        .add(2.0, hellinger())
        .unwrap();
    let robust = |penalty| {
        let sensors = Operator::dense(random::normal_matrix(4, n, 8));
        let noise = Noise::deviations(vec![0.3, 1.0, 2.0, 0.7]).unwrap();
        let all = Observations::new(sensors, vec![0.3; 4], noise).unwrap();
        Box::new(Robust::new(all, penalty).unwrap())
    };
    vec![
        ("L2", Box::new(l2())),
        ("soft L1", robust(Penalty::SoftL1)),
        ("Cauchy", robust(Penalty::Cauchy)),
        ("Tukey", robust(Penalty::Tukey)),
        (
            "H⁻¹",
            Box::new(SobolevMisfit::new(grid, -1.0, target.clone()).unwrap()),
        ),
        (
            "H^0.7",
            Box::new(SobolevMisfit::new(grid, 0.7, target.clone()).unwrap()),
        ),
        ("observations", Box::new(observations)),
        (
            "KL",
            Box::new(Divergence::kullback_leibler(grid, target.clone()).unwrap()),
        ),
        (
            "reverse KL",
            Box::new(Divergence::reverse_kullback_leibler(grid, target.clone()).unwrap()),
        ),
        ("Hellinger", Box::new(hellinger())),
        (
            "χ²",
            Box::new(Divergence::chi_squared(grid, target.clone()).unwrap()),
        ),
        ("sum", Box::new(sum)),
    ]
}

#[test]
fn hessians_of_losses_equal_differences_of_gradients_and_are_symmetric() {
    for grid in grids() {
        let n = grid.cells();
        let rho = density(&grid, 5);
        for (name, loss) in losses(&grid) {
            let gradient = |rho: &[f64]| {
                let mut out = vec![0.0; n];
                loss.gradient(rho, &mut out);
                out
            };
            let misfit = loss.at(&rho, Cpu::shared()).unwrap();
            let product =
                |v: &Mat<f64>| misfit.hessian(v.as_ref(), Cpu::shared()).unwrap().unwrap();
            // In proportion to ρ, so that differences stay within its domain.
            let rough = random::normal_matrix(n, 2, 6);
            let v = Mat::from_fn(n, 2, |i, j| rho[i] * rough[(i, j)]);
            let found = product(&v);
            for j in 0..2 {
                let expected = difference(gradient, &rho, v.col_as_slice(j));
                assert!(gap(found.col_as_slice(j), &expected) < 1e-6, "{name}");
            }
            let [a, b] = [
                dot(v.col_as_slice(0), found.col_as_slice(1)),
                dot(v.col_as_slice(1), found.col_as_slice(0)),
            ];
            // The Hessian of a misfit with outliers may be indefinite.
            let along = |j: usize| dot(v.col_as_slice(j), found.col_as_slice(j)).abs();
            let size = along(0) + along(1) + a.abs();
            assert!((a - b).abs() < 1e-12 * size, "{name}: {a} {b}");
            let direct = loss.hessian(&rho, v.as_ref()).unwrap().unwrap();
            assert!(
                matrix_gap(direct.as_ref(), found.as_ref()) < 1e-14,
                "{name}"
            );
        }
    }
}

/// A cell without data adds a multiple of ρ to the divergence, also where ρ is zero.
#[test]
fn divergences_have_no_curvature_where_there_are_no_data() {
    let grid = Grid::new(&[(0.0, 1.0, 3)]).unwrap();
    let target = vec![0.0, 1.0, 2.0];
    let ones = Mat::from_fn(3, 1, |_, _| 1.0);
    for loss in [
        Divergence::kullback_leibler(&grid, target.clone()).unwrap(),
        Divergence::hellinger(&grid, target.clone()).unwrap(),
    ] {
        for empty in [0.0, 0.5] {
            let product = loss
                .hessian(&[empty, 1.0, 1.0], ones.as_ref())
                .unwrap()
                .unwrap();
            assert_eq!(product[(0, 0)], 0.0);
            assert!(product[(1, 0)] > 0.0);
        }
    }
}
