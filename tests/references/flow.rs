//! The ready flows: derivatives by differences, symmetries, boxes around their attractors.

use pullback::models::flow::{ArctanLorenz, Chen, Flow, Lorenz, Rossler, VanDerPol};
use pullback::models::trajectory::Sampling;
use pullback::random;

/// A flow with its classic parameters, box and start.
struct Ready {
    name: &'static str,
    flow: Box<dyn Flow>,
    theta: Vec<f64>,
    sides: Vec<(f64, f64)>,
    start: [f64; 3],
}

macro_rules! ready {
    ($($flow:ident),*) => {
        vec![$(Ready {
            name: stringify!($flow),
            flow: Box::new($flow),
            theta: $flow::CLASSIC.to_vec(),
            sides: $flow::BOX.to_vec(),
            start: $flow::START,
        }),*]
    };
}

fn all() -> Vec<Ready> {
    ready![Lorenz, ArctanLorenz, Rossler, Chen, VanDerPol]
}

/// A point in the box and parameters near the classic ones.
fn somewhere(ready: &Ready, seed: u64) -> ([f64; 3], Vec<f64>) {
    let place = random::uniform(3, (0.0, 1.0), seed);
    let mut x = [0.0; 3];
    for (d, (lower, upper)) in ready.sides.iter().enumerate() {
        x[d] = lower + (upper - lower) * place[d];
    }
    let moves = random::uniform(ready.theta.len(), (0.7, 1.3), seed + 1000);
    let theta = ready.theta.iter().zip(moves).map(|(t, m)| t * m);
    (x, theta.collect())
}

#[test]
fn parameter_derivatives_agree_with_differences() {
    for ready in all() {
        for seed in 0..50 {
            let (x, theta) = somewhere(&ready, seed);
            let mut exact = vec![[f64::NAN; 3]; theta.len()];
            ready.flow.param_derivative(&x, &theta, &mut exact);
            for j in 0..theta.len() {
                let h = 1e-4 * (1.0 + theta[j].abs());
                let at = |t: f64| {
                    let mut moved = theta.clone();
                    moved[j] = t;
                    ready.flow.velocity(&x, &moved)
                };
                let (above, below) = (at(theta[j] + h), at(theta[j] - h));
                let size: f64 = above.iter().map(|v| v.abs()).sum();
                for d in 0..ready.flow.dim() {
                    let difference = (above[d] - below[d]) / (2.0 * h);
                    // Rounding of v leaves 1e-16·|v|/h; the third derivative of arctan is below 1e-3·|x|³.
                    let allowed = 1e-6 * exact[j][d].abs() + 1e-14 * size / h + 1e-7;
                    let off = (difference - exact[j][d]).abs();
                    assert!(off <= allowed, "{} ∂v{d}/∂θ{j}: off by {off:e}", ready.name);
                }
            }
        }
    }
}

#[test]
fn velocities_keep_the_declared_symmetry_exactly() {
    let with = all().into_iter().filter(|r| r.flow.symmetry().is_some());
    let names: Vec<&str> = with.map(|r| r.name).collect();
    assert_eq!(names, ["Lorenz", "ArctanLorenz", "Chen", "VanDerPol"]);
    for ready in all() {
        let Some(s) = ready.flow.symmetry() else {
            continue;
        };
        let image = |x: [f64; 3]| [s[0] * x[0], s[1] * x[1], s[2] * x[2]];
        for seed in 0..50 {
            let (x, theta) = somewhere(&ready, seed);
            let there = ready.flow.velocity(&image(x), &theta);
            let here = image(ready.flow.velocity(&x, &theta));
            let dim = ready.flow.dim();
            assert_eq!(there[..dim], here[..dim], "{}", ready.name);
        }
    }
}

/// Three runs of 1000 stay in the box with 2 % of its width to spare on every side, and none sits at a fixed point.
#[test]
fn boxes_hold_the_attractors_with_a_margin() {
    for ready in all() {
        assert_eq!(ready.sides.len(), ready.flow.dim());
        for seed in 0..3 {
            let sampling = Sampling {
                duration: 1000.0,
                burn_in: 200.0,
                interval: 0.01,
                start: ready.start,
                seed,
                ..Sampling::default()
            };
            let run = sampling.run(&ready.flow.as_ref(), &ready.theta, |_| ());
            let points = run.unwrap().points;
            for (d, &(lower, upper)) in ready.sides.iter().enumerate() {
                let least = points.iter().map(|x| x[d]).fold(f64::INFINITY, f64::min);
                let most = points.iter().map(|x| x[d]).fold(-f64::INFINITY, f64::max);
                let spare = (least - lower).min(upper - most) / (upper - lower);
                let filled = (most - least) / (upper - lower);
                let place = format!("{} axis {d}: [{least}, {most}]", ready.name);
                assert!(spare > 0.02 && filled > 0.5, "{place}");
            }
        }
    }
}

/// v = θ₁ (1, 1): a flow that declares nothing it need not.
struct Drift(usize);

impl Flow for Drift {
    fn param_dim(&self) -> usize {
        self.0
    }
    fn velocity(&self, _: &[f64; 3], theta: &[f64]) -> [f64; 3] {
        [theta[0], theta[0], 0.0]
    }
    fn param_derivative(&self, _: &[f64; 3], _: &[f64], out: &mut [[f64; 3]]) {
        out.fill([0.0; 3]);
        out[0] = [1.0, 1.0, 0.0];
    }
}

#[test]
fn names_and_defaults() {
    let drift = Drift(12);
    assert_eq!((drift.dim(), drift.symmetry()), (3, None));
    let names: Vec<String> = [0, 8, 9, 11].map(|j| drift.param_name(j)).to_vec();
    assert_eq!(names, ["θ₁", "θ₉", "θ₁₀", "θ₁₂"]);
    for ready in all() {
        let mut names: Vec<String> = Vec::new();
        for j in 0..ready.flow.param_dim() {
            names.push(ready.flow.param_name(j));
        }
        assert_eq!(ready.theta.len(), names.len());
        assert!(names.iter().all(|n| n.chars().count() == 1), "{names:?}");
    }
}

#[test]
fn a_reference_to_a_flow_is_the_flow() {
    let (flow, x) = (&VanDerPol, [0.5, 2.0, 0.0]);
    let by = |f: &dyn Flow| {
        let mut out = [[0.0; 3]];
        f.param_derivative(&x, &[1.0], &mut out);
        let v = f.velocity(&x, &[1.0]);
        (
            f.dim(),
            f.param_dim(),
            f.symmetry(),
            f.param_name(0),
            v,
            out,
        )
    };
    assert_eq!(by(&flow), by(&VanDerPol));
}
