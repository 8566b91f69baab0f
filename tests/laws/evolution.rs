//! The laws of sensitivities, for evolutions in time with kept steps.

use crate::support::evolutions::{eventful, evolutions};
use crate::support::{dot, gap, matrix_gap};
use pullback::faer::Mat;
use pullback::{Cpu, Linearisation, Model, random};
use rayon::ThreadPoolBuilder;

fn state(model: &dyn Model, theta: &[f64]) -> Vec<f64> {
    let mut rho = vec![0.0; model.state_dim()];
    model.solve(theta, &mut rho, Cpu::shared()).unwrap();
    rho
}

fn moved(theta: &[f64], h: f64, v: &[f64]) -> Vec<f64> {
    theta.iter().zip(v).map(|(t, v)| t + h * v).collect()
}

fn norm(x: &[f64]) -> f64 {
    dot(x, x).sqrt()
}

/// Tangents, adjoints and curvatures of many columns at θ.
struct Found {
    rho: Vec<f64>,
    tangents: Mat<f64>,
    adjoints: Mat<f64>,
    curved: Option<Mat<f64>>,
}

impl Found {
    fn new(model: &dyn Model, theta: &[f64]) -> Self {
        let (k, p) = (model.state_dim(), model.param_dim());
        let rho = state(model, theta);
        let z = Linearisation::new(model, &rho, theta, Cpu::shared()).unwrap();
        let [v, w] = columns(k, p);
        let curvature = z.curvature(&random::normal(k, 5, 0)).unwrap();
        Self {
            tangents: z.tangent(v.as_ref()).unwrap(),
            adjoints: z.adjoint(w.as_ref()).unwrap(),
            curved: curvature.map(|c| c.product(v.as_ref()).unwrap()),
            rho: rho.clone(),
        }
    }
}

/// Eleven directions and as many covectors, which fill one batch of eight and a part of another.
fn columns(k: usize, p: usize) -> [Mat<f64>; 2] {
    [
        random::normal_matrix(p, 11, 3),
        random::normal_matrix(k, 11, 4),
    ]
}

#[test]
fn adjoints_are_transposes() {
    for (name, model, theta) in evolutions(None).into_iter().chain(eventful(None)) {
        let [v, w] = columns(model.state_dim(), model.param_dim());
        let found = Found::new(model.as_ref(), &theta);
        for i in 0..11 {
            for j in 0..11 {
                let (zv, zw) = (
                    found.tangents.col_as_slice(i),
                    found.adjoints.col_as_slice(j),
                );
                let (v, w) = (v.col_as_slice(i), w.col_as_slice(j));
                let error = (dot(zv, w) - dot(v, zw)).abs() / (norm(zv) * norm(w));
                assert!(error < 1e-13, "{name}: {error:.1e}");
            }
        }
    }
}

/// ‖ρ(θ + hv) − ρ(θ) − hZv‖ falls like h² until rounding is all that is left of it.
#[test]
fn remainders_are_of_second_order_down_to_rounding() {
    for (name, model, theta) in evolutions(None).into_iter().chain(eventful(None)) {
        let model = model.as_ref();
        let v: Vec<f64> = random::normal(theta.len(), 8, 0);
        let rho = state(model, &theta);
        let z = Linearisation::new(model, &rho, &theta, Cpu::shared()).unwrap();
        let direction = Mat::from_fn(theta.len(), 1, |i, _| v[i]);
        let zv = z.tangent(direction.as_ref()).unwrap();
        let remainder = |h: f64| {
            let predicted = moved(&rho, h, zv.col_as_slice(0));
            let rho = state(model, &moved(&theta, h, &v));
            let rest: Vec<f64> = rho.iter().zip(predicted).map(|(a, b)| a - b).collect();
            norm(&rest) / norm(&rho)
        };
        let scan: Vec<f64> = (0..30).map(|k| remainder(1e-3 * 0.5_f64.powi(k))).collect();
        let clear: Vec<&[f64]> = scan.windows(2).take_while(|pair| pair[1] > 1e-12).collect();
        for pair in &clear {
            let order = (pair[0] / pair[1]).log2();
            assert!(
                (order - 2.0).abs() < 0.05,
                "{name}: order {order:.3} in {scan:?}"
            );
        }
        assert!(clear.len() >= 6, "{name}: {scan:?}");
        let rest = scan[clear.len() + 3..].iter();
        let rounding = rest.fold(0.0_f64, |largest, r| largest.max(*r));
        assert!(rounding < 1e-13, "{name}: {rounding:.1e} in {scan:?}");
    }
}

#[test]
fn curvatures_are_symmetric_and_equal_differences_of_adjoints() {
    for (name, model, theta) in evolutions(None) {
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
        let curved = z.curvature(&w).unwrap().unwrap();
        let hessian = curved.product(Mat::<f64>::identity(p, p).as_ref()).unwrap();
        let error = matrix_gap(hessian.as_ref(), hessian.transpose());
        assert!(error < 1e-12, "{name}: {error:.1e}");
        for j in 0..p {
            // Central differences at h and h/2, extrapolated: errors of fourth order, and rounding over h.
            let e: Vec<f64> = (0..p).map(|i| f64::from(u8::from(i == j))).collect();
            let slopes = |h: f64| -> Vec<f64> {
                let [plus, minus] = [h, -h].map(|h| pulled(&moved(&theta, h, &e)));
                plus.iter()
                    .zip(minus)
                    .map(|(a, b)| (a - b) / (2.0 * h))
                    .collect()
            };
            let [coarse, fine] = [2e-3, 1e-3].map(slopes);
            let pairs = coarse.iter().zip(&fine);
            let expected: Vec<f64> = pairs.map(|(c, f)| (4.0 * f - c) / 3.0).collect();
            let error = gap(hessian.col_as_slice(j), &expected);
            assert!(error < 1e-8, "{name}, column {j}: {error:.1e}");
        }
    }
}

#[test]
fn bits_are_the_same_on_any_number_of_threads() {
    let pools = [1, 3].map(|n| ThreadPoolBuilder::new().num_threads(n).build().unwrap());
    for (name, model, theta) in evolutions(None) {
        let [one, three] = pools
            .each_ref()
            .map(|pool| pool.install(|| Found::new(model.as_ref(), &theta)));
        assert_eq!(one.rho, three.rho, "{name}");
        assert_eq!(one.tangents, three.tangents, "{name}");
        assert_eq!(one.adjoints, three.adjoints, "{name}");
        assert_eq!(one.curved, three.curved, "{name}");
    }
}

/// Two states and a few more are all that fits into these bytes, so that every sweep takes steps again.
#[test]
fn bits_are_the_same_stored_and_with_checkpoints() {
    for bytes in [0, 600] {
        let rows = |memory| evolutions(memory).into_iter().chain(eventful(memory));
        for (stored, again) in rows(None).zip(rows(Some(bytes))) {
            let (name, theta) = (stored.0, stored.2);
            let [stored, again] =
                [stored.1, again.1].map(|model| Found::new(model.as_ref(), &theta));
            let curved = !name.contains("events");
            assert_eq!(stored.curved.is_some(), curved, "{name}");
            assert!(again.curved.is_none(), "{name}");
            assert_eq!(stored.rho, again.rho, "{name}");
            assert_eq!(stored.tangents, again.tangents, "{name}");
            assert_eq!(stored.adjoints, again.adjoints, "{name}");
        }
    }
}
