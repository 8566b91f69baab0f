//! Push-forwards and ensembles: derivatives, draws, and the strong order of the schemes.

use crate::support::gaussians::{Gaussian, Shape};
use pullback::automatic::Scalar;
use pullback::loss::{KernelDiscrepancy, SlicedTransport};
use pullback::metric::{Kernels, SampledWasserstein};
use pullback::model::Variation;
use pullback::models::{Diffusion, Draws, Ensemble, Map, Paths, PushForward, Scheme};
use pullback::{Cpu, Linearisation, Loss, Metric, Model, random, verify};

#[test]
fn draws_are_white_to_rounding() {
    let draws = [
        Draws::normal(50, 7, 1).unwrap(),
        Draws::normal(14, 7, 1).unwrap(),
        Draws::antithetic(60, 5, 2).unwrap(),
    ];
    for draws in draws {
        let (count, dim) = (draws.count(), draws.dim());
        let mean = |f: &dyn Fn(&[f64]) -> f64| -> f64 {
            (0..count).map(|n| f(draws.of(n))).sum::<f64>() / count as f64
        };
        for i in 0..dim {
            assert!(mean(&|z| z[i]).abs() < 1e-14);
            for j in 0..dim {
                let expected = f64::from(u8::from(i == j));
                assert!((mean(&|z| z[i] * z[j]) - expected).abs() < 1e-13);
            }
        }
    }
    let pairs = Draws::antithetic(20, 3, 2).unwrap();
    let third: f64 = (0..20).map(|n| pairs.of(n)[0].powi(3)).sum();
    assert!(third.abs() < 1e-12);
    let raw = Draws::raw(20, 3, 2).unwrap();
    // Data made from the same seed are other numbers.
    assert_ne!(raw.of(0), &random::normal(60, 2, 0)[..3]);
}

/// A nonlinear map with two snapshots and a branch.
struct Bent;

impl Map for Bent {
    fn dims(&self) -> (usize, usize, usize) {
        (2, 2, 3)
    }

    fn map<S: Scalar>(&self, z: &[f64], theta: &[S], x: &mut [S]) {
        x[0] = theta[0] + (theta[1] * z[0]).tanh();
        x[1] = theta[2].exp() * z[1] * x[0];
        // A kink at z₀ = 0 that depends on the draw.
        let side = if z[0] > 0.0 { theta[1] } else { theta[2] };
        x[2] = x[0] * side;
        x[3] = (x[1] * 0.5).sin() + side * side;
    }

    fn snapshots(&self) -> usize {
        2
    }
}

/// dx = κ(m − x) dt + s x dW from x(0) = 1 + ¼z, θ = (κ, m, s).
struct Reverting;

impl Diffusion for Reverting {
    fn dims(&self) -> (usize, usize, usize) {
        (1, 1, 3)
    }

    fn start<S: Scalar>(&self, z: &[f64], theta: &[S], x: &mut [S]) {
        x[0] = theta[1] * (0.25 * z[0]) + 1.0;
    }

    fn drift<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out[0] = theta[0] * (theta[1] - x[0]);
    }

    fn noise<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out[0] = theta[2] * x[0];
    }
}

#[test]
fn models_pass_the_checks_of_models() {
    let bent = PushForward::new(Bent, Draws::normal(70, 2, 1).unwrap()).unwrap();
    let checks = verify::model(&bent, &[0.4, 0.8, -0.3], 1).unwrap();
    assert!(checks.passed(), "{checks}");
    for scheme in [Scheme::EulerMaruyama, Scheme::Milstein] {
        let paths = Paths::new(Reverting, &[0.0, 0.3, 1.0], 0.1).unwrap();
        let model = Ensemble::simulate(paths.scheme(scheme), 80, 1).unwrap();
        let checks = verify::model(&model, &[0.9, 1.3, 0.4], 1).unwrap();
        assert!(checks.passed(), "{checks}");
    }
}

#[test]
fn the_state_has_one_cloud_for_each_snapshot() {
    let draws = Draws::normal(70, 2, 1).unwrap();
    let model = PushForward::new(Bent, draws.clone()).unwrap();
    let theta = [0.4, 0.8, -0.3];
    let state = model.sample(&theta).unwrap();
    let (first, second) = state.split_at(140);
    let mut x = [0.0; 4];
    for n in 0..70 {
        Bent.map(draws.of(n), &theta, &mut x);
        assert_eq!(first[2 * n..][..2], x[..2]);
        assert_eq!(second[2 * n..][..2], x[2..]);
    }
}

/// Two geometric Brownian motions with two common noises, dxᵢ = aᵢxᵢ dt + xᵢ Σⱼ sᵢⱼ dWⱼ.
struct Geometric;

const RATES: [f64; 2] = [0.3, -0.2];
const NOISES: [[f64; 2]; 2] = [[0.8, 0.3], [-0.4, 0.6]];

impl Diffusion for Geometric {
    fn dims(&self) -> (usize, usize, usize) {
        (2, 2, 0)
    }

    fn start_dim(&self) -> usize {
        0
    }

    fn start<S: Scalar>(&self, _: &[f64], _: &[S], x: &mut [S]) {
        x.fill(1.0.into());
    }

    fn drift<S: Scalar>(&self, _: f64, x: &[S], _: &[S], out: &mut [S]) {
        for i in 0..2 {
            out[i] = x[i] * RATES[i];
        }
    }

    fn noise<S: Scalar>(&self, _: f64, x: &[S], _: &[S], out: &mut [S]) {
        for (j, column) in out.chunks_exact_mut(2).enumerate() {
            for i in 0..2 {
                column[i] = x[i] * NOISES[i][j];
            }
        }
    }
}

/// Mean over paths of the error at t = 1 with so many steps, where the same Brownian paths are resolved by `fine` steps.
fn strong_error(scheme: Scheme, steps: usize, fine: usize) -> f64 {
    let paths = Paths::new(Geometric, &[1.0], 1.0 / steps as f64).unwrap();
    let paths = paths.scheme(scheme);
    assert_eq!(paths.steps(), steps);
    let (count, ratio) = (1500, fine / steps);
    let error = |path: u64| {
        let z = random::normal(2 * fine, 5, path);
        let coarse: Vec<f64> = (0..steps)
            .flat_map(|k| {
                let part = &z[2 * ratio * k..][..2 * ratio];
                [0, 1].map(|j| part.iter().skip(j).step_by(2).sum::<f64>() / (ratio as f64).sqrt())
            })
            .collect();
        let mut x = [0.0; 2];
        paths.map(&coarse, &[], &mut x);
        let w = [0, 1].map(|j| z.iter().skip(j).step_by(2).sum::<f64>() / (fine as f64).sqrt());
        let off = (0..2).map(|i| {
            let [a, b] = NOISES[i];
            let exponent = RATES[i] - 0.5 * (a * a + b * b) + a * w[0] + b * w[1];
            (x[i] - exponent.exp()).powi(2)
        });
        off.sum::<f64>().sqrt()
    };
    (0..count).map(error).sum::<f64>() / count as f64
}

#[test]
fn schemes_have_their_strong_orders() {
    for (scheme, order) in [(Scheme::EulerMaruyama, 0.5), (Scheme::Milstein, 1.0)] {
        let errors = [32, 128, 512].map(|steps| strong_error(scheme, steps, 512));
        let found = (errors[0] / errors[2]).ln() / 16.0_f64.ln();
        assert!(
            (found - order).abs() < 0.06,
            "{scheme:?}: {found}, {errors:?}"
        );
    }
}

/// With all numbers whitened together, moments of linear equations are those of the recursion, without sampling error.
#[test]
fn whitened_ensembles_have_no_sampling_error_in_linear_moments() {
    /// dx = −θx dt + ½dW from x(0) = 1 + z.
    struct Linear;
    impl Diffusion for Linear {
        fn dims(&self) -> (usize, usize, usize) {
            (1, 1, 1)
        }
        fn start<S: Scalar>(&self, z: &[f64], _: &[S], x: &mut [S]) {
            x[0] = (1.0 + z[0]).into();
        }
        fn drift<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
            out[0] = -theta[0] * x[0];
        }
        fn noise<S: Scalar>(&self, _: f64, _: &[S], _: &[S], out: &mut [S]) {
            out[0] = 0.5.into();
        }
    }
    let paths = || Paths::new(Linear, &[1.0], 0.1).unwrap();
    let model = Ensemble::simulate(paths(), 64, 3).unwrap();
    let cloud = model.sample(&[0.7]).unwrap();
    let (mut mean, mut variance) = (1.0, 1.0);
    for _ in 0..10 {
        mean *= 1.0 - 0.07;
        variance = variance * 0.93 * 0.93 + 0.25 * 0.1;
    }
    let found = cloud.iter().sum::<f64>() / 64.0;
    let spread = cloud.iter().map(|x| (x - found).powi(2)).sum::<f64>() / 64.0;
    assert!((found - mean).abs() < 1e-13 && (spread - variance).abs() < 1e-13);
    // Too few paths to whiten all numbers together: pairs have exact means of every odd moment all the same.
    let pairs = paths().antithetic(20, 3).unwrap();
    let cloud = Ensemble::new(paths(), pairs).unwrap();
    let cloud = cloud.sample(&[0.7]).unwrap();
    let third: f64 = cloud.iter().map(|x| (x - mean).powi(3)).sum();
    let found = cloud.iter().sum::<f64>() / 20.0;
    assert!((found - mean).abs() < 1e-13 && third.abs() < 1e-12);
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let family = Gaussian {
        d: 4,
        shape: Shape::Triangular,
    };
    let all = || {
        let model = PushForward::new(family, Draws::normal(1500, 4, 1).unwrap()).unwrap();
        let (theta, cpu) = (family.theta(1), Cpu::default());
        let rho = model.sample(&theta).unwrap();
        let data = random::normal(4 * 700, 3, 0);
        let sliced = SlicedTransport::new(4, data.clone()).unwrap();
        let energy = KernelDiscrepancy::energy(4, data).unwrap();
        let mut found = vec![sliced.value(&rho), energy.value(&rho)];
        for loss in [&sliced as &dyn Loss, &energy] {
            let mut u = vec![0.0; rho.len()];
            loss.gradient(&rho, &mut u);
            found.extend(u);
        }
        let (v, along) = (
            random::normal_matrix(rho.len(), 2, 7),
            random::normal_matrix(theta.len(), 2, 8),
        );
        let along = Variation {
            lambda: v.col_as_slice(0),
            rho: v.as_ref(),
            theta: along.as_ref(),
        };
        let mut parts = vec![energy.hessian(&rho, v.as_ref()).unwrap().unwrap()];
        parts.extend(model.second_derivative(&rho, &theta, &along).unwrap());
        let z = Linearisation::new(&model, &rho, &theta, &cpu).unwrap();
        let metric = SampledWasserstein::new(4).kernels(Kernels::default());
        let root = metric.at(&rho, &cpu).unwrap();
        parts.push(root.lift(z.matrix().unwrap().as_ref()).unwrap());
        parts.push(z.adjoint(v.as_ref()).unwrap());
        for part in parts {
            found.extend((0..part.ncols()).flat_map(|j| part.col_as_slice(j).to_vec()));
        }
        found
    };
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(all)
    };
    assert_eq!(on(1), on(3));
}
