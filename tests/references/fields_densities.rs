//! Densities that flows carry along: their mass, their moments, their limits and their sensitivities.

use crate::support::{gap, identity, reference_solve};
use pullback::automatic::{Curve, Formula, Scalar};
use pullback::evolution::{Dynamics, Evolution, Method};
use pullback::faer::Mat;
use pullback::loss::L2Misfit;
use pullback::metric::{Blocks, Wasserstein2};
use pullback::models::fields::FokkerPlanck;
use pullback::models::flow::{ArctanLorenz, Flow, Lorenz, VanDerPol};
use pullback::models::{Flux, InvariantMeasure};
use pullback::{Cpu, Descent, Grid, Operator, Side, random, verify};

/// v = (−a x, −b (y − c)) with θ = (a, b, c).
struct OrnsteinUhlenbeck;

impl Flow for OrnsteinUhlenbeck {
    fn dim(&self) -> usize {
        2
    }

    fn param_dim(&self) -> usize {
        3
    }

    fn velocity(&self, x: &[f64; 3], theta: &[f64]) -> [f64; 3] {
        [-theta[0] * x[0], -theta[1] * (x[1] - theta[2]), 0.0]
    }

    fn param_derivative(&self, x: &[f64; 3], theta: &[f64], out: &mut [[f64; 3]]) {
        out[0] = [-x[0], 0.0, 0.0];
        out[1] = [0.0, theta[2] - x[1], 0.0];
        out[2] = [0.0, theta[1], 0.0];
    }

    fn second_derivative(&self, _: &[f64; 3], _: &[f64], d: &[f64], out: &mut [[f64; 3]]) -> bool {
        // Only the product b c bends.
        out.copy_from_slice(&[[0.0; 3], [0.0, d[2], 0.0], [0.0, d[1], 0.0]]);
        true
    }
}

/// Box for the Van der Pol oscillator, whose faces avoid the axes where velocities vanish for every θ.
fn plane(n: usize) -> Grid {
    Grid::new(&[(-3.0, 3.1, n), (-4.1, 4.0, n)]).unwrap()
}

fn space(n: usize) -> Grid {
    let [x, y, z] = ArctanLorenz::BOX;
    Grid::new(&[(x.0, x.1, n), (y.0, y.1, n), (z.0, z.1, n)]).unwrap()
}

fn bump(grid: &Grid) -> Vec<f64> {
    let square = |axis: &pullback::grid::Axis, x: f64| {
        let middle = 0.4 * axis.lower + 0.6 * axis.upper;
        (4.0 * (x - middle) / (axis.upper - axis.lower)).powi(2)
    };
    grid.sample(|x| {
        let squares = grid.axes().iter().zip(x).map(|(axis, x)| square(axis, *x));
        (-squares.sum::<f64>()).exp()
    })
}

/// Flows in the plane and in space, with their parameters.
fn densities<'f>() -> Vec<(FokkerPlanck<'f>, Vec<f64>)> {
    let [plane, space] = [plane(8), space(4)];
    let oscillator = InvariantMeasure::new(&plane, VanDerPol).unwrap();
    let oscillator = oscillator.diffusion(0.05).unwrap();
    let smooth = InvariantMeasure::new(&space, ArctanLorenz).unwrap();
    let smooth = smooth.flux(Flux::Smooth { width: 2.0 }).unwrap();
    let smooth = smooth.teleportation(0.3).unwrap();
    vec![
        (
            FokkerPlanck::new(oscillator, bump(&plane)).unwrap(),
            vec![0.8],
        ),
        (
            FokkerPlanck::new(smooth, bump(&space)).unwrap(),
            ArctanLorenz::CLASSIC.to_vec(),
        ),
    ]
}

fn rate<D: Dynamics>(dynamics: &D, rho: &[f64], theta: &[f64]) -> Vec<f64> {
    let mut out = vec![f64::NAN; rho.len()];
    dynamics.rate(0.0, rho, theta, &mut out);
    out
}

#[test]
fn the_rate_is_the_generator_of_the_invariant_measure() {
    for (density, theta) in densities() {
        let n = density.measure().grid().cells();
        let rho = random::uniform(n, (0.0, 1.0), 1);
        let uniform = density
            .measure()
            .grid()
            .integrate(&vec![1.0; n])
            .unwrap()
            .recip();
        let generator = Operator::stencil(density.measure().generator(&theta));
        let moved = generator.apply_to(Side::Plain, &rho).unwrap();
        let alpha = if theta.len() == 3 { 0.3 } else { 0.0 };
        let exact = moved
            .iter()
            .zip(&rho)
            .map(|(m, r)| alpha * (uniform - r) - m);
        let off = gap(&rate(&density, &rho, &theta), &exact.collect::<Vec<_>>());
        assert!(off < 1e-14, "{off:e}");
    }
}

#[test]
fn densities_tend_to_the_invariant_measure_and_keep_their_mass() {
    for (density, theta) in densities() {
        let grid = density.measure().grid().clone();
        let stationary = density.measure().density(&theta, &Cpu::default()).unwrap();
        let model = Evolution::new(density, vec![0.5, 3.0, 300.0]).unwrap();
        let model = model.method(Method::Implicit);
        let rho = model.predict(&theta).unwrap();
        let n = grid.cells();
        for field in rho.chunks(n) {
            let off = grid.integrate(field).unwrap() - 1.0;
            assert!(off.abs() < 1e-13, "{off:e}");
        }
        let off = gap(&rho[2 * n..], &stationary);
        assert!(off < 1e-7, "{off:e}");
        assert!(gap(&rho[..n], &stationary) > 0.1);
    }
}

/// Mean and variance of every coordinate.
fn moments(grid: &Grid, rho: &[f64]) -> [[f64; 2]; 2] {
    [0, 1].map(|d| {
        let moment = |f: &dyn Fn(f64) -> f64| {
            let weighted = grid.sample(|x| f(x[d])).into_iter().zip(rho);
            grid.integrate(&weighted.map(|(f, r)| f * r).collect::<Vec<_>>())
                .unwrap()
        };
        let mean = moment(&|x| x);
        [mean, moment(&|x| (x - mean) * (x - mean))]
    })
}

/// A Gaussian stays one, with mean c + (m − c) e^(−at) and variance D/a + (s² − D/a) e^(−2at).
#[test]
fn moments_of_a_linear_flow_agree_with_the_closed_form() {
    let (theta, diffusion, t) = ([1.1, 0.7, 0.3], 0.12, 0.6);
    let start = [[0.8, 0.05], [-0.4, 0.08]];
    let found = |n: usize| {
        let grid = Grid::new(&[(-2.0, 2.5, n), (-2.5, 2.0, n)]).unwrap();
        let measure = InvariantMeasure::new(&grid, OrnsteinUhlenbeck).unwrap();
        let measure = measure.diffusion(diffusion).unwrap();
        let gaussian = grid.sample(|x| {
            let parts = start
                .iter()
                .zip(x)
                .map(|([m, s], x)| (x - m) * (x - m) / (2.0 * s));
            (-parts.sum::<f64>()).exp()
        });
        let density = FokkerPlanck::new(measure, gaussian).unwrap();
        let model = Evolution::new(density, vec![t]).unwrap();
        let model = model.accuracy(1e-6, &[1e-8]).unwrap();
        moments(&grid, &model.predict(&theta).unwrap())
    };
    // The upwind fluxes are of first order: the error halves with h, and extrapolation removes it.
    let [middle, fine] = [32, 64].map(found);
    for (d, [a, c]) in [[theta[0], 0.0], [theta[1], theta[2]]]
        .into_iter()
        .enumerate()
    {
        let [m, s] = start[d];
        let rest = diffusion / a;
        let exact = [
            c + (m - c) * (-a * t).exp(),
            rest + (s - rest) * (-2.0 * a * t).exp(),
        ];
        for (k, exact) in exact.into_iter().enumerate() {
            let [middle, fine] = [middle, fine].map(|found| found[d][k]);
            let order = ((middle - exact) / (fine - exact)).log2();
            assert!((order - 1.0).abs() < 0.15, "{d}, {k}: order {order}");
            let off = (2.0 * fine - middle - exact).abs();
            assert!(off < 1e-3, "{d}, {k}: {off:e}");
        }
    }
}

/// I − hA has no positive entry beside its diagonal, and columns that add up to 1: its inverse is positive for every h.
#[test]
fn implicit_euler_steps_of_any_length_keep_densities_positive() {
    for (density, theta) in densities() {
        let n = density.measure().grid().cells();
        let zero = rate(&density, &vec![0.0; n], &theta);
        let unit = |j: usize| -> Vec<f64> { (0..n).map(|i| f64::from(u8::from(i == j))).collect() };
        let columns: Vec<Vec<f64>> = (0..n).map(|j| rate(&density, &unit(j), &theta)).collect();
        let start = unit(n / 3);
        for h in [1e-3, 0.1, 10.0, 1e4] {
            let entry = |i: usize, j: usize| columns[j][i] - zero[i];
            let matrix = identity(n) - Mat::from_fn(n, n, |i, j| h * entry(i, j));
            for j in 0..n {
                assert!((0..n).all(|i| i == j || matrix[(i, j)] <= 0.0));
            }
            let known = Mat::from_fn(n, 1, |i, _| start[i] + h * zero[i]);
            let next = reference_solve(matrix.as_ref(), known.as_ref());
            let least = (0..n).map(|i| next[(i, 0)]).fold(f64::INFINITY, f64::min);
            assert!(least > -1e-15, "{h}: {least:e}");
        }
    }
}

#[test]
fn kept_steps_pass_verification() {
    for method in [Method::Explicit, Method::Implicit] {
        let small = |flow: Box<dyn Flow>, grid: &Grid, flux| {
            let measure = InvariantMeasure::new(grid, Owned(flow)).unwrap();
            let measure = measure.flux(flux).unwrap().diffusion(0.05).unwrap();
            FokkerPlanck::new(measure, bump(grid)).unwrap()
        };
        let smooth = Flux::Smooth { width: 0.5 };
        for (density, theta, t) in [
            (
                small(Box::new(VanDerPol), &plane(5), Flux::FaceAveraged),
                vec![0.8],
                0.5,
            ),
            (
                small(Box::new(VanDerPol), &plane(4), smooth),
                vec![0.8],
                0.5,
            ),
            (
                small(Box::new(OrnsteinUhlenbeck), &plane(4), smooth),
                vec![1.1, 0.7, 0.3],
                0.5,
            ),
            (
                small(Box::new(ArctanLorenz), &space(4), smooth),
                Lorenz::CLASSIC.to_vec(),
                0.05,
            ),
        ] {
            let model = Evolution::new(density, vec![0.5 * t, t]).unwrap();
            let model = model.method(method).accuracy(1e-5, &[1e-7]).unwrap();
            let model = model.keep_steps(&theta).unwrap();
            let checks = verify::model(&model, &theta, 1).unwrap();
            assert!(checks.passed(), "{method:?}: {checks}");
        }
    }
}

/// Rate as a function of ρ and θ together.
struct Rate<'f>(FokkerPlanck<'f>);

impl Formula for Rate<'_> {
    fn dims(&self) -> (usize, usize) {
        let (n, p) = self.0.dims();
        (n, n + p)
    }

    fn values<S: Scalar>(&self, both: &[S], out: &mut [S]) {
        let (rho, theta) = both.split_at(out.len());
        self.0.rate(0.0, rho, theta, out);
    }
}

#[test]
fn rates_have_the_first_and_second_derivatives_of_their_flow() {
    let (density, theta) = densities().remove(1);
    let both = [random::uniform(64, (0.0, 1.0), 1), theta].concat();
    let checks = verify::model(&Curve::new(Rate(density)), &both, 1).unwrap();
    assert!(checks.passed(), "{checks}");
    assert!(checks.to_string().contains("∂²g"), "{checks}");
}

/// Flow behind a pointer.
struct Owned(Box<dyn Flow>);

impl Flow for Owned {
    fn dim(&self) -> usize {
        self.0.dim()
    }

    fn param_dim(&self) -> usize {
        self.0.param_dim()
    }

    fn velocity(&self, x: &[f64; 3], theta: &[f64]) -> [f64; 3] {
        self.0.velocity(x, theta)
    }

    fn param_derivative(&self, x: &[f64; 3], theta: &[f64], out: &mut [[f64; 3]]) {
        self.0.param_derivative(x, theta, out);
    }

    fn second_derivative(
        &self,
        x: &[f64; 3],
        theta: &[f64],
        d: &[f64],
        out: &mut [[f64; 3]],
    ) -> bool {
        self.0.second_derivative(x, theta, d, out)
    }
}

/// Densities at three times, fitted by their Wasserstein distances.
#[test]
fn densities_at_several_times_are_fitted() {
    let grid = plane(10);
    let exact = [1.1, 0.7, 0.3];
    let density = || {
        let measure = InvariantMeasure::new(&grid, OrnsteinUhlenbeck).unwrap();
        let measure = measure.diffusion(0.1).unwrap();
        FokkerPlanck::new(measure, bump(&grid)).unwrap()
    };
    let model = Evolution::new(density(), vec![0.3, 0.8, 2.0]).unwrap();
    let model = model.accuracy(1e-7, &[1e-9]).unwrap();
    let model = model.keep_steps(&exact).unwrap();
    let loss = L2Misfit::euclidean(model.predict(&exact).unwrap()).unwrap();
    let metric = Blocks::new(Wasserstein2::new(&grid), 3);
    let descent = Descent::new(&model, &loss).metric(&metric);
    let report = descent.run(&[0.8, 1.0, 0.1], |_| ()).unwrap();
    assert!(report.converged(), "{report}");
    for (found, exact) in report.theta.iter().zip(exact) {
        assert!((found - exact).abs() < 1e-5, "{:?}", report.theta);
    }
}
