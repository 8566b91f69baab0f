//! Models from a residual alone: the derivatives of every kind of pattern, exact, verified and cheap.

use crate::support::{column, gap, matrix_gap};
use pullback::automatic::{Automatic, Curve, Equation, Formula, Scalar};
use pullback::faer::Mat;
use pullback::linalg::{Method, View};
use pullback::{Backend, Cpu, Linearisation, Model, Operator, Side, random, verify};
use rayon::ThreadPoolBuilder;
use std::sync::atomic::{AtomicUsize, Ordering};

/// g = 3ρ + B sin ρ + cubic terms − θ-terms, where B has given entries.
struct Patterned {
    k: usize,
    p: usize,
    entries: Vec<(usize, usize)>,
    calls: AtomicUsize,
}

impl Patterned {
    fn new(k: usize, p: usize, entries: impl IntoIterator<Item = (usize, usize)>) -> Self {
        Self {
            k,
            p,
            entries: entries.into_iter().collect(),
            calls: AtomicUsize::new(0),
        }
    }

    fn coefficient(&self, i: usize, j: usize) -> f64 {
        0.3 * ((3 * i + 7 * j) as f64).sin() / (1.0 + self.entries.len() as f64 / self.k as f64)
    }

    /// ∂g/∂ρ by hand.
    fn by_hand(&self, rho: &[f64]) -> Mat<f64> {
        let mut a = Mat::from_fn(self.k, self.k, |i, j| match i == j {
            true => 3.0 + 3.0 * rho[i] * rho[i],
            false => 0.0,
        });
        for &(i, j) in &self.entries {
            a[(i, j)] += self.coefficient(i, j) * rho[j].cos();
        }
        a
    }
}

impl Equation for Patterned {
    fn dims(&self) -> (usize, usize) {
        (self.k, self.p)
    }

    fn residual<S: Scalar>(&self, rho: &[S], theta: &[S], out: &mut [S]) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        for (i, g) in out.iter_mut().enumerate() {
            *g = rho[i] * 3.0 + rho[i].powi(3) - theta[i % self.p].exp();
        }
        for &(i, j) in &self.entries {
            out[i] += rho[j].sin() * self.coefficient(i, j);
        }
    }
}

/// Dense, banded, stencil, arrow, block and diagonal patterns.
fn patterns() -> Vec<(&'static str, Patterned)> {
    let square = |n: usize| (0..n * n).map(move |e| (e / n, e % n));
    let band =
        (0..60_usize).flat_map(|i| (i.saturating_sub(2)..(i + 3).min(60)).map(move |j| (i, j)));
    let grid = (0..144_usize).flat_map(|i| {
        let (x, y) = (i / 12, i % 12);
        let beside = [
            (x.wrapping_sub(1), y),
            (x + 1, y),
            (x, y.wrapping_sub(1)),
            (x, y + 1),
        ];
        let inside = beside.into_iter().filter(|(x, y)| *x < 12 && *y < 12);
        inside
            .map(move |(x, y)| (i, 12 * x + y))
            .collect::<Vec<_>>()
    });
    let arrow = (0..200).map(|j| (0, j)).chain((0..200).map(|i| (i, 0)));
    let blocks = (0..20_usize).flat_map(|b| (0..9).map(move |e| (3 * b + e / 3, 3 * b + e % 3)));
    vec![
        ("dense", Patterned::new(9, 3, square(9))),
        ("band", Patterned::new(60, 2, band)),
        ("stencil", Patterned::new(144, 4, grid)),
        ("arrow", Patterned::new(200, 1, arrow)),
        ("blocks", Patterned::new(60, 60, blocks)),
        ("diagonal", Patterned::new(30, 30, [])),
    ]
}

#[test]
fn jacobians_of_all_patterns_equal_those_by_hand() {
    for (name, equation) in patterns() {
        let (k, p) = equation.dims();
        let rho: Vec<f64> = random::normal(k, 3, 0);
        let theta = random::normal(p, 4, 0);
        let exact = equation.by_hand(&rho);
        let model = Automatic::new(equation);
        let a = model.state_jacobian(&rho, &theta).to_dense();
        assert!(matrix_gap(a.as_ref(), exact.as_ref()) < 1e-15, "{name}");
        let c = model.param_jacobian(&rho, &theta).to_dense();
        let by_hand = Mat::from_fn(k, p, |i, j| if i % p == j { -theta[j].exp() } else { 0.0 });
        assert!(matrix_gap(c.as_ref(), by_hand.as_ref()) < 1e-15, "{name}");
        let report = verify::model(&model, &theta, 1).unwrap();
        assert!(report.passed(), "{name}: {report}");
    }
}

/// The pattern decides the storage, and with it the solver.
#[test]
fn patterns_are_stored_as_what_they_are() {
    for (name, equation) in patterns() {
        let (k, p) = equation.dims();
        let model = Automatic::new(equation);
        let (rho, theta) = (vec![0.5; k], vec![0.1; p]);
        let a = model.state_jacobian(&rho, &theta);
        let found = match a.view() {
            View::Diagonal(_) => "diagonal",
            View::Dense(_) => "dense",
            View::Sparse(_) => "sparse",
            _ => "else",
        };
        let expected = match name {
            "dense" | "diagonal" => name,
            _ => "sparse",
        };
        assert_eq!(found, expected, "{name}");
    }
}

/// One evaluation with derivatives for so many colours, besides one lane that checks the pattern.
#[test]
fn a_jacobian_costs_as_many_evaluations_as_its_colours_need() {
    for (name, equation) in patterns() {
        let (k, p) = equation.dims();
        let model = Automatic::new(equation);
        let (rho, theta) = (random::normal(k, 3, 0), random::normal(p, 4, 0));
        let calls = || model.equation().calls.swap(0, Ordering::Relaxed);
        model.state_jacobian(&rho, &theta);
        calls();
        model.state_jacobian(&rho, &theta);
        let expected = match name {
            // 9 colours, 5 + 1, at most 7 + 1, 2 + 1 and a tape for the full row, 3 + 1, 1 + 1.
            "arrow" => 2,
            _ => 1,
        };
        let found = calls();
        assert!(found <= expected, "{name}: {found}");
    }
}

/// One-sided differences, chosen by the sign of the velocity, which is a state.
struct Upwind(usize);

impl Equation for Upwind {
    fn dims(&self) -> (usize, usize) {
        (self.0, 1)
    }

    fn residual<S: Scalar>(&self, u: &[S], theta: &[S], out: &mut [S]) {
        let n = self.0;
        for i in 0..n {
            let (below, above) = (u[(i + n - 1) % n], u[(i + 1) % n]);
            let slope = if u[i] > 0.0 {
                u[i] - below
            } else {
                above - u[i]
            };
            out[i] = u[i] * slope + u[i] - theta[0];
        }
    }
}

#[test]
fn entries_behind_a_branch_are_found_where_it_is_taken() {
    let n = 40;
    let model = Automatic::new(Upwind(n));
    let signs = |flip: f64| -> Vec<f64> {
        (0..n)
            .map(|i| flip * (1.0 + 0.1 * (i as f64).sin()))
            .collect()
    };
    for flip in [1.0, -1.0, 1.0] {
        let u = signs(flip);
        let a = model.state_jacobian(&u, &[0.5]).to_dense();
        let exact = Mat::from_fn(n, n, |i, j| {
            let (below, above) = ((i + n - 1) % n, (i + 1) % n);
            let mut entry = 0.0;
            if i == j {
                let slope = if flip > 0.0 {
                    u[i] - u[below]
                } else {
                    u[above] - u[i]
                };
                entry += slope + flip * u[i] + 1.0;
            }
            if j == below && flip > 0.0 {
                entry -= u[i];
            }
            if j == above && flip < 0.0 {
                entry += u[i];
            }
            entry
        });
        assert!(matrix_gap(a.as_ref(), exact.as_ref()) < 1e-14, "{flip}");
    }
}

/// Kinks, loops and constants.
struct Pieces;

impl Formula for Pieces {
    fn dims(&self) -> (usize, usize) {
        (6, 3)
    }

    fn values<S: Scalar>(&self, t: &[S], out: &mut [S]) {
        out[0] = t[0].max(t[1]) * 2.0;
        out[1] = t[0].min(S::from(0.5)) + t[2];
        out[2] = (t[1] - 1.0).abs();
        out[3] = (0..4).fold(S::from(1.0), |product, _| product * t[2]);
        out[4] = S::from(7.0);
        out[5] = if t[0] < t[2] { t[0] * t[2] } else { t[1] };
    }
}

#[test]
fn kinks_loops_and_constants_have_the_derivatives_of_their_side() {
    let curve = Curve::new(Pieces);
    let t = [0.3, -0.7, 1.5];
    let c = curve.param_jacobian(&[0.0; 6], &t).to_dense();
    let exact = pullback::faer::mat![
        [2.0, 0.0, 0.0],
        [1.0, 0.0, 1.0],
        [0.0, -1.0, 0.0],
        [0.0, 0.0, 4.0 * 1.5_f64.powi(3)],
        [0.0, 0.0, 0.0],
        [1.5, 0.0, 0.3]
    ];
    assert!(matrix_gap((-c).as_ref(), exact.as_ref()) < 1e-15);
    let other = curve.param_jacobian(&[0.0; 6], &[2.0, 3.0, 1.0]).to_dense();
    assert_eq!(
        (other[(0, 1)], other[(1, 0)], other[(5, 1)]),
        (-2.0, 0.0, -1.0)
    );
}

/// Few averages of many parameters are differentiated in reverse.
struct Averages(usize);

impl Formula for Averages {
    fn dims(&self) -> (usize, usize) {
        (2, self.0)
    }

    fn values<S: Scalar>(&self, t: &[S], out: &mut [S]) {
        out[0] = t.iter().map(|t| *t * *t).sum::<S>() / self.0 as f64;
        out[1] = t.iter().map(|t| t.exp()).sum::<S>().ln();
    }
}

#[test]
fn few_rows_of_many_entries_cost_one_tape() {
    let n = 500;
    let curve = Curve::new(Averages(n));
    let t = random::normal(n, 1, 0);
    let c = curve.param_jacobian(&[0.0; 2], &t).to_dense();
    let sum: f64 = t.iter().map(|t| t.exp()).sum();
    let exact = Mat::from_fn(2, n, |i, j| match i {
        0 => -2.0 * t[j] / n as f64,
        _ => -t[j].exp() / sum,
    });
    assert!(matrix_gap(c.as_ref(), exact.as_ref()) < 1e-14);
}

/// Threads that meet an unknown pattern together, and one that comes later, all get the same bits.
#[test]
fn patterns_are_shared_between_threads() {
    let (k, p) = (144, 4);
    let rho = random::normal(k, 3, 0);
    let theta = random::normal(p, 4, 0);
    let make = || Automatic::new(patterns().remove(2).1);
    let alone = make().state_jacobian(&rho, &theta).to_dense();
    let model = make();
    let pool = ThreadPoolBuilder::new().num_threads(4).build().unwrap();
    let found: Vec<Mat<f64>> = pool.install(|| {
        use rayon::prelude::*;
        let each = |_| model.state_jacobian(&rho, &theta).to_dense();
        (0..32).into_par_iter().map(each).collect()
    });
    assert!(found.iter().all(|a| *a == alone));
}

/// The chain from a residual to a gradient, against differences of whole solves.
#[test]
fn adjoints_through_automatic_jacobians_pass_verification() {
    for (name, equation) in patterns() {
        let (_, p) = equation.dims();
        let model = Automatic::new(equation);
        let theta = vec![0.2; p];
        let cpu = Cpu::default();
        let mut rho = vec![0.0; model.state_dim()];
        model.solve(&theta, &mut rho, &cpu).unwrap();
        let z = Linearisation::new(&model, &rho, &theta, &cpu).unwrap();
        let v = random::normal(p, 9, 0);
        let tangent = z.tangent(column(&v)).unwrap();
        let h = 1e-5;
        let moved = |sign: f64| {
            let theta: Vec<f64> = theta
                .iter()
                .zip(&v)
                .map(|(t, v)| t + sign * h * v)
                .collect();
            let mut rho = rho.clone();
            model.solve(&theta, &mut rho, &cpu).unwrap();
            rho
        };
        let difference: Vec<f64> = moved(1.0)
            .iter()
            .zip(moved(-1.0))
            .map(|(a, b)| (a - b) / (2.0 * h))
            .collect();
        assert!(gap(tangent.col_as_slice(0), &difference) < 1e-8, "{name}");
    }
}

/// An operator that the library solves as it is.
#[test]
fn diagonal_equations_are_solved_by_division() {
    let model = Automatic::new(Patterned::new(30, 30, []));
    let a: Operator<'_> = model.state_jacobian(&[0.5; 30], &[0.1; 30]);
    assert!(matches!(a.view(), View::Diagonal(_)));
    let mut x = Mat::from_fn(30, 1, |i, _| 1.0 + i as f64);
    let cpu = Cpu::default();
    let factor = cpu.factor(a).unwrap();
    let stats = factor.solve(Side::Plain, None, x.as_mut()).unwrap();
    assert_eq!(stats.method, Method::Diagonal);
}
