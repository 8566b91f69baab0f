//! Second derivatives of models and losses: products against differences of first derivatives, and their symmetry.

use crate::second_order_models::models;
use crate::support::{column, density, dot, gap, grids, matrix_gap};
use pullback::faer::{Mat, mat};
use pullback::loss::{Divergence, L2Misfit, Observations, Penalty, Robust, SobolevMisfit, Sum};
use pullback::model::{Equations, Variation};
use pullback::models::InvariantMeasure;
use pullback::models::flow::{ArctanLorenz, Chen, Flow, Lorenz, Rossler, VanDerPol};
use pullback::{Cpu, Grid, Linearisation, Loss, Model, Noise, Operator, random, verify};

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
        let errors = [
            gap(by_state.col_as_slice(0), &expected[..k]),
            gap(by_param.col_as_slice(0), &expected[k..]),
        ];
        assert!(errors.iter().all(|e| *e < 1e-7), "{name}: {errors:?}");
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

/// A flow of the plane without second derivatives.
struct Unknown;

impl Flow for Unknown {
    fn dim(&self) -> usize {
        2
    }

    fn param_dim(&self) -> usize {
        1
    }

    fn velocity(&self, x: &[f64; 3], theta: &[f64]) -> [f64; 3] {
        VanDerPol.velocity(x, theta)
    }

    fn param_derivative(&self, x: &[f64; 3], theta: &[f64], out: &mut [[f64; 3]]) {
        VanDerPol.param_derivative(x, theta, out);
    }
}

#[test]
fn an_invariant_measure_has_second_derivatives_only_if_its_flow_has() {
    let grid = Grid::new(&[(-3.0, 3.0, 8), (-4.0, 4.0, 8)]).unwrap();
    let empty = Mat::zeros(64, 0);
    let along = Variation {
        lambda: &[1.0; 64],
        rho: empty.as_ref(),
        theta: empty.subrows(0, 1),
    };
    for (flow, known) in [(&Unknown as &dyn Flow, false), (&VanDerPol, true)] {
        let model = InvariantMeasure::new(&grid, flow).unwrap();
        let found = model.second_derivative(&[1.0; 64], &[1.0], &along);
        assert_eq!(found.is_some(), known);
    }
}

#[test]
fn second_derivatives_of_flows_equal_differences_of_first_ones() {
    let flows: [(&dyn Flow, &[f64]); 5] = [
        (&Lorenz, &Lorenz::CLASSIC),
        (&ArctanLorenz, &ArctanLorenz::CLASSIC),
        (&Chen, &Chen::CLASSIC),
        (&Rossler, &Rossler::CLASSIC),
        (&VanDerPol, &VanDerPol::CLASSIC),
    ];
    let (x, d) = ([3.0, -7.0, 12.0], [0.4, -0.9, 0.2]);
    for (flow, theta) in flows {
        let (p, d) = (theta.len(), &d[..theta.len()]);
        let slopes = |theta: &[f64]| {
            let mut out = vec![[0.0; 3]; p];
            flow.param_derivative(&x, theta, &mut out);
            out.concat()
        };
        let mut found = vec![[1.0; 3]; p];
        assert!(flow.second_derivative(&x, theta, d, &mut found));
        let expected = difference(slopes, theta, d);
        let error = gap(&found.concat(), &expected);
        assert!(error < 1e-7, "{}: {error:.1e}", flow.param_name(0));
    }
}

/// One adjoint for the multipliers, then one tangent and one adjoint a column. Explicit models solve nothing.
#[test]
fn a_product_takes_one_tangent_and_one_adjoint() {
    for (name, model, theta) in models() {
        let model = model.as_ref();
        let (k, p) = (model.state_dim(), model.param_dim());
        let rho = state(model, &theta);
        let z = Linearisation::new(model, &rho, &theta, Cpu::shared()).unwrap();
        let implicit = usize::from(!["curve", "mixture"].contains(&name));
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
