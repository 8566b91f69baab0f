//! The laws of Z = ∂ρ/∂θ: tangents and adjoints are transposes of each other and derivatives of the state.

use crate::support::singular::{means_singular, singular};
use crate::support::{Reaction, column, gap, matrix_gap};
use pullback::faer::{Mat, mat};
use pullback::models::{GaussianMixture, Parameter};
use pullback::{Cpu, Error, Grid, Linearisation, Model, Operator, random};

/// g = Aρ − Cθ.
struct Linear {
    a: Mat<f64>,
    c: Mat<f64>,
}

impl Model for Linear {
    fn state_dim(&self) -> usize {
        self.a.nrows()
    }
    fn param_dim(&self) -> usize {
        self.c.ncols()
    }
    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        let g = &self.a * column(rho) - &self.c * column(theta);
        out.copy_from_slice(g.col_as_slice(0));
    }
    fn state_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        self.a.as_ref().into()
    }
    fn param_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::dense(-&self.c)
    }
}

#[test]
fn a_singular_model_is_caught_although_its_right_hand_sides_have_solutions() {
    for (name, a) in singular() {
        let k = a.nrows();
        let range = Mat::from_fn(k, 1, |i, _| (0..k).map(|j| a[(i, j)]).sum());
        let model = Linear { a, c: range };
        let (rho, theta, cpu) = (vec![1.0; k], [1.0], Cpu::default());
        let tangent = Linearisation::new(&model, &rho, &theta, &cpu)
            .and_then(|z| z.tangent(mat![[1.0]].as_ref()));
        let pulled = model.a.transpose() * column(&rho);
        let adjoint = Linearisation::new(&model, &rho, &theta, &cpu)
            .and_then(|z| z.pull_back(pulled.col_as_slice(0)));
        assert!(
            tangent.as_ref().is_err_and(means_singular),
            "{name}: {tangent:?}"
        );
        assert!(
            adjoint.as_ref().is_err_and(means_singular),
            "{name}: {adjoint:?}"
        );
    }
}

/// The tangents of one model with its equations in units that spread over so many decades, against decades 0.
fn tangents_in_units(decades: f64) -> pullback::Result<f64> {
    let (k, p, cpu) = (12, 3, Cpu::default());
    let (a, c) = (
        Reaction::new(k, p, 1).coupling,
        random::normal_matrix(k, p, 2),
    );
    let (rho, theta) = (vec![1.0; k], vec![1.0; p]);
    let scaled = |decades: f64| {
        let unit = |i: usize| 10_f64.powf(decades * (i as f64 / (k - 1) as f64 - 0.5));
        Linear {
            a: Mat::from_fn(k, k, |i, j| unit(i) * a[(i, j)]),
            c: Mat::from_fn(k, p, |i, j| unit(i) * c[(i, j)]),
        }
    };
    let tangent = |model: &Linear| {
        Linearisation::new(model, &rho, &theta, &cpu)?
            .matrix()
            .cloned()
    };
    let plain = tangent(&scaled(0.0))?;
    Ok(matrix_gap(
        tangent(&scaled(decades))?.as_ref(),
        plain.as_ref(),
    ))
}

#[test]
fn the_units_of_the_equations_do_not_matter() {
    for decades in [4.0, 8.0, 12.0] {
        let off = tangents_in_units(decades);
        assert!(
            off.as_ref().is_ok_and(|off| *off < 1e-12),
            "{decades} decades: {off:?}"
        );
    }
}

#[test]
fn very_different_units_do_not_matter_either() {
    for decades in [16.0, 20.0] {
        let off = tangents_in_units(decades);
        assert!(
            off.as_ref().is_ok_and(|off| *off < 1e-12),
            "{decades} decades: {off:?}"
        );
    }
}

fn mixture() -> GaussianMixture {
    GaussianMixture::new(&Grid::new(&[(-3.0, 5.0, 12), (-3.0, 4.0, 9)]).unwrap())
        .component(0.4, &[0.0, 1.0], 1.5)
        .diagonal_component(0.6, &[2.0, 0.5], &[1.0, 2.0])
        .free(&[
            Parameter::Weight(0),
            Parameter::Mean(1, 1),
            Parameter::Variance(0),
            Parameter::AxisVariance(1, 0),
        ])
        .unwrap()
}

#[test]
fn tangents_are_derivatives_and_adjoints_their_transposes() {
    let cpu = Cpu::default();
    let reaction = Reaction::new(20, 4, 3);
    let mixture = mixture();
    let start = mixture.parameters();
    let models: [(&dyn Model, &[f64]); 2] =
        [(&reaction, &[0.3, -0.2, 0.1, 0.4]), (&mixture, &start)];
    for (model, theta) in models {
        let solve = |theta: &[f64]| {
            let mut rho = vec![0.0; model.state_dim()];
            model.solve(theta, &mut rho, &cpu).unwrap();
            rho
        };
        let rho = solve(theta);
        let z = Linearisation::new(model, &rho, theta, &cpu).unwrap();
        let matrix = z.matrix().unwrap();
        let w = random::normal_matrix(model.state_dim(), 11, 4);
        let off = matrix_gap(
            z.adjoint(w.as_ref()).unwrap().as_ref(),
            (matrix.transpose() * &w).as_ref(),
        );
        assert!(off < 1e-13, "adjoint off by {off:e}");
        for j in 0..theta.len() {
            // Fourth-order differences at h = 1e-3 err by about 1e-12 in both ways.
            let at = |h: f64| {
                let mut moved = theta.to_vec();
                moved[j] += h;
                solve(&moved)
            };
            let h = 1e-3;
            let (a, b, c, d) = (at(-2.0 * h), at(-h), at(h), at(2.0 * h));
            let slope = |i: usize| (a[i] - 8.0 * b[i] + 8.0 * c[i] - d[i]) / (12.0 * h);
            let slopes: Vec<f64> = (0..rho.len()).map(slope).collect();
            let off = gap(matrix.col_as_slice(j), &slopes);
            assert!(off < 1e-9, "derivative {j} off by {off:e}");
        }
    }
}

#[test]
fn solves_are_counted_and_explicit_models_need_none() {
    let (mixture, cpu) = (mixture(), Cpu::default());
    let theta = mixture.parameters();
    let rho = mixture.density(&theta).unwrap();
    let z = Linearisation::new(&mixture, &rho, &theta, &cpu).unwrap();
    z.matrix().unwrap();
    z.pull_back(&rho).unwrap();
    assert!(!z.takes_solves());
    assert_eq!(z.solves(), (0, 0));

    let reaction = Reaction::new(6, 2, 5);
    let (rho, theta) = ([1.0; 6], [0.1, 0.2]);
    let z = Linearisation::new(&reaction, &rho, &theta, &cpu).unwrap();
    z.matrix().unwrap();
    z.matrix().unwrap();
    z.adjoint(Mat::zeros(6, 3).as_ref()).unwrap();
    assert!(z.takes_solves());
    assert_eq!(z.solves(), (2, 3));
}

#[test]
fn batches_that_do_not_fit_are_errors() {
    let (reaction, cpu) = (Reaction::new(6, 2, 5), Cpu::default());
    let (rho, theta) = ([1.0; 6], [0.1, 0.2]);
    let z = Linearisation::new(&reaction, &rho, &theta, &cpu).unwrap();
    let tangent = z.tangent(Mat::zeros(6, 1).as_ref());
    let adjoint = z.adjoint(Mat::zeros(2, 1).as_ref());
    for (found, expected) in [(tangent, (2, 6)), (adjoint, (6, 2))] {
        let Err(Error::Dimension {
            expected: e,
            found: f,
            ..
        }) = found
        else {
            panic!("{found:?}");
        };
        assert_eq!((e, f), expected);
    }
}
