//! Models with second derivatives: by hand, by closures, automatic and ready ones.

use crate::support::Reaction;
use pullback::automatic::{Automatic, Curve, Equation, Formula, Scalar};
use pullback::faer::{Mat, mat};
use pullback::model::Equations;
use pullback::models::flow::{ArctanLorenz, Flow, Lorenz, Rossler, VanDerPol};
use pullback::models::{Darcy, End, Flux, GaussianMixture, InvariantMeasure, Parameter};
use pullback::{Grid, Model, Operator, random};

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

/// A mixture with every kind of parameter, also of the last component.
fn mixture() -> (GaussianMixture, Vec<f64>) {
    let grid = Grid::new(&[(-3.0, 3.0, 24), (-4.0, 3.0, 20)]).unwrap();
    let mixture = GaussianMixture::new(&grid)
        .component(0.3, &[-1.0, 0.5], 0.7)
        .diagonal_component(0.2, &[0.6, -0.4], &[0.5, 0.9])
        .component(0.5, &[1.0, -1.2], 0.6)
        .free(&[
            Parameter::Weight(0),
            Parameter::Mean(0, 0),
            Parameter::Variance(0),
            Parameter::Weight(1),
            Parameter::Mean(1, 1),
            Parameter::AxisVariance(1, 0),
            Parameter::AxisVariance(1, 1),
            Parameter::Mean(2, 0),
            Parameter::Mean(2, 1),
            Parameter::Variance(2),
        ])
        .unwrap();
    let theta = mixture.parameters();
    (mixture, theta)
}

/// Two experiments with all kinds of sides.
fn darcy(axes: &[(f64, f64, usize)]) -> (Darcy, Vec<f64>) {
    let grid = Grid::new(axes).unwrap();
    let n = grid.cells();
    let darcy = Darcy::new(&grid)
        .unwrap()
        .pressure(0, End::Lower, 1.5)
        .unwrap()
        .inflow(0, End::Upper, -0.4)
        .unwrap()
        .pressure(1, End::Upper, -0.3)
        .unwrap()
        .source(random::normal(n, 1, 0))
        .unwrap()
        .source(random::normal(n, 2, 0))
        .unwrap();
    (darcy, random::normal(n, 3, 0))
}

/// The invariant measure of a flow on a coarse grid.
fn measure(flow: impl Flow + 'static, sides: &[(f64, f64)], flux: Flux) -> impl Model {
    let axes: Vec<_> = sides
        .iter()
        .zip([6, 5, 4])
        .map(|(s, n)| (s.0, s.1, n))
        .collect();
    let model = InvariantMeasure::new(&Grid::new(&axes).unwrap(), flow).unwrap();
    let model = model.flux(flux).unwrap().teleportation(0.1).unwrap();
    model.diffusion(0.5).unwrap()
}

fn ready() -> Vec<(&'static str, Box<dyn Model>, Vec<f64>)> {
    let (mixture, mixed) = mixture();
    let (plane, in_plane) = darcy(&[(0.0, 1.0, 5), (0.0, 2.0, 4)]);
    let (space, in_space) = darcy(&[(0.0, 1.0, 3), (0.0, 2.0, 4), (0.0, 1.0, 2)]);
    let smooth = || Flux::Smooth { width: 30.0 };
    vec![
        ("mixture", Box::new(mixture), mixed),
        ("Darcy in the plane", Box::new(plane), in_plane),
        ("Darcy in space", Box::new(space), in_space),
        (
            "measure, smooth",
            Box::new(measure(Lorenz, &Lorenz::BOX, smooth())),
            Lorenz::CLASSIC.to_vec(),
        ),
        (
            "measure, nonlinear",
            Box::new(measure(ArctanLorenz, &ArctanLorenz::BOX, smooth())),
            ArctanLorenz::CLASSIC.to_vec(),
        ),
        (
            "measure, averaged",
            Box::new(measure(Rossler, &Rossler::BOX, Flux::FaceAveraged)),
            Rossler::CLASSIC.to_vec(),
        ),
        (
            "measure, points",
            Box::new(measure(VanDerPol, &VanDerPol::BOX, Flux::Point)),
            vec![1.1],
        ),
    ]
}

/// Models with second derivatives, each with a θ.
pub(crate) fn models() -> Vec<(&'static str, Box<dyn Model>, Vec<f64>)> {
    let mut all: Vec<(&'static str, Box<dyn Model>, Vec<f64>)> = vec![
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
    ];
    all.extend(ready());
    all
}
