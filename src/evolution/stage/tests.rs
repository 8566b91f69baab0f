//! All storages against dense references.

use std::sync::Arc;

use super::shape::Shape;
use super::solver::Solver;
use super::{Derivatives, Structure, System};
use crate::automatic::Scalar;
use crate::evolution::dynamics::{At, Dynamics, Function};
use crate::linalg::Side;
use crate::random;

/// Rates fᵢ = Σ w sin(zⱼ), where z holds x and then θ. Algebraic equations come in pairs i and i + 1, each with the other
/// component, so that their rows of D − aJ have no diagonal.
struct Network {
    dims: (usize, usize),
    /// Row, column and weight.
    terms: Vec<(usize, usize, f64)>,
}

fn is_algebraic(i: usize) -> bool {
    i % 7 == 2 || i % 7 == 3
}

impl Network {
    /// Connects these rows and columns, with random weights.
    fn new(dims: (usize, usize), mut pairs: Vec<(usize, usize)>) -> Self {
        let n = dims.0;
        pairs.retain(|&(i, j)| !(i == j && is_algebraic(i)));
        for i in (2..n.saturating_sub(1)).step_by(7) {
            pairs.extend([(i, i + 1), (i + 1, i)]);
        }
        pairs.sort_unstable();
        pairs.dedup();
        let weights = random::normal(pairs.len(), 5, n as u64);
        let terms = pairs.into_iter().zip(weights);
        // Large weights within a pair of algebraic equations.
        let weight = |i: usize, j: usize, w: f64| match is_algebraic(i) && i.abs_diff(j) == 1 {
            true => w + 4.0_f64.copysign(w),
            false => w,
        };
        let terms = terms.map(|((i, j), w)| (i, j, weight(i, j, w))).collect();
        Self { dims, terms }
    }

    fn point(&self) -> Vec<f64> {
        random::normal(self.dims.0 + self.dims.1, 7, 1)
    }

    /// Returns [J F], row by row.
    fn slopes(&self, z: &[f64]) -> Vec<Vec<f64>> {
        let mut out = vec![vec![0.0; z.len()]; self.dims.0];
        for &(i, j, w) in &self.terms {
            out[i][j] += w * z[j].cos();
        }
        out
    }
}

impl Dynamics for Network {
    fn dims(&self) -> (usize, usize) {
        self.dims
    }

    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out.fill(S::from(0.0));
        for &(i, j, w) in &self.terms {
            let z = if j < x.len() {
                x[j]
            } else {
                theta[j - x.len()]
            };
            out[i] += z.sin() * w;
        }
    }

    fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
        out.fill(S::from(0.0));
    }

    fn is_algebraic(&self, i: usize) -> bool {
        is_algebraic(i) && (i % 7 == 3 || i + 1 < self.dims.0)
    }
}

/// Every component with `above` after it and `below` before it, where the components are renumbered by `name`.
fn band(
    n: usize,
    [below, above]: [usize; 2],
    name: impl Fn(usize) -> usize,
) -> Vec<(usize, usize)> {
    let row = |i: usize| (i.saturating_sub(below)..(i + above + 1).min(n)).map(move |j| (i, j));
    (0..n)
        .flat_map(row)
        .map(|(i, j)| (name(i), name(j)))
        .collect()
}

/// Networks for all storages, with the name of the solver that each should get.
fn networks() -> Vec<(&'static str, Network)> {
    let with_parameters = |n: usize, p: usize, mut pairs: Vec<(usize, usize)>| {
        pairs.extend((0..p).map(|k| ((3 * k) % n, n + k)));
        // The last parameter occurs in every rate.
        pairs.extend((0..n).map(|i| (i, n + p - 1)));
        Network::new((n, p), pairs)
    };
    let all = |n: usize| band(n, [n, n], |i| i);
    let numbers = random::normal(2 * 300, 3, 3);
    let scattered = |n: usize| {
        let at = |x: f64| ((x.abs() * 1e6) as usize) % n;
        let pairs = numbers.chunks(2).map(|x| (at(x[0]), at(x[1])));
        pairs.chain((0..n).map(|i| (i, i))).collect::<Vec<_>>()
    };
    // A row that is differentiated in reverse.
    let mut full_row = scattered(150);
    full_row.extend((0..150).map(|j| (4, j)));
    vec![
        ("dense", with_parameters(1, 1, all(1))),
        ("dense", with_parameters(2, 3, all(2))),
        ("dense", with_parameters(5, 2, all(5))),
        ("dense", with_parameters(23, 4, band(23, [2, 3], |i| i))),
        ("dense", with_parameters(45, 3, all(45))),
        ("banded", with_parameters(60, 60, band(60, [1, 1], |i| i))),
        ("banded", with_parameters(61, 9, band(61, [2, 4], |i| i))),
        ("banded", with_parameters(80, 5, band(80, [5, 1], |i| i))),
        (
            "reordered",
            with_parameters(101, 4, band(101, [1, 1], |i| 37 * i % 101)),
        ),
        ("sparse", with_parameters(160, 6, scattered(160))),
        ("sparse", with_parameters(150, 2, full_row)),
        ("dense", with_parameters(50, 7, scattered(50))),
    ]
}

fn name(structure: &Structure) -> &'static str {
    match structure.solver() {
        Solver::Dense(_) => "dense",
        Solver::Banded(banded) if banded.order.is_some() => "reordered",
        Solver::Banded(_) => "banded",
        Solver::Sparse(_) => "sparse",
    }
}

/// Entries of J or of [J F].
type Part = fn(&Structure) -> &Shape;

fn of_state(structure: &Structure) -> &Shape {
    structure.state()
}

fn of_both(structure: &Structure) -> &Shape {
    structure.both()
}

fn evaluate(network: &Network, structure: &Structure, part: Part) -> Vec<f64> {
    let mut values = vec![f64::NAN; part(structure).len()];
    let function = Function::Rate(0.0);
    let rate = At {
        dynamics: network,
        function,
    };
    let mut derivatives = Derivatives::new(part(structure), network.point().len());
    let more = derivatives
        .at(&rate, &network.point(), &mut values)
        .unwrap();
    assert!(more.is_ok());
    values
}

fn columns(n: usize, seed: u64) -> Vec<[f64; 8]> {
    let numbers = random::normal(8 * n, seed, n as u64);
    numbers.as_chunks().0.to_vec()
}

/// Returns the entry of a matrix or its transpose.
fn entry(a: &[Vec<f64>], side: Side, i: usize, j: usize) -> f64 {
    match side {
        Side::Plain => a[i][j],
        Side::Transpose => a[j][i],
    }
}

/// Asserts that `found` is `before` + A x for a dense matrix A, to rounding.
fn assert_product(a: &[Vec<f64>], x: &[[f64; 8]], before: &[[f64; 8]], found: &[[f64; 8]]) {
    for (i, (found, before)) in found.iter().zip(before).enumerate() {
        for lane in 0..8 {
            let terms = a[i].iter().zip(x).map(|(a, x)| a * x[lane]);
            let (sum, size) = terms.fold((before[lane], before[lane].abs()), |(sum, size), t| {
                (sum + t, size + t.abs())
            });
            assert!((found[lane] - sum).abs() <= 1e-14 * size, "row {i}");
        }
    }
}

fn transpose(a: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let columns = a.first().map_or(0, Vec::len);
    let column = |j: usize| a.iter().map(|row| row[j]).collect();
    (0..columns).map(column).collect()
}

#[test]
fn products_agree_with_dense_ones_on_both_sides() {
    for (expected, network) in networks() {
        let (z, (n, p)) = (network.point(), network.dims);
        let structure = Structure::find(&network, 0.0, &z).unwrap();
        assert_eq!(name(&structure), expected, "n = {n}");
        let values = evaluate(&network, &structure, of_both);
        let state = evaluate(&network, &structure, of_state);
        assert_eq!(state, values[..state.len()]);
        let all = network.slopes(&z);
        let part = |from: usize, to: usize| -> Vec<Vec<f64>> {
            let row = |row: &Vec<f64>| row[from..to].iter().map(|j| -0.7 * j).collect();
            all.iter().map(row).collect()
        };
        let (j, f) = (part(0, n), part(n, n + p));
        let (x, v, a) = (columns(n, 1), columns(p, 2), -0.7);
        let mut out = columns(n, 3);
        structure.both().add(0..n, (&values, a), &x, &mut out);
        assert_product(&j, &x, &columns(n, 3), &out);
        let mut out = columns(n, 3);
        structure
            .both()
            .add_transposed(0..n, (&values, a), &x, &mut out);
        assert_product(&transpose(&j), &x, &columns(n, 3), &out);
        let mut out = columns(n, 3);
        structure.both().add(n..n + p, (&values, a), &v, &mut out);
        assert_product(&f, &v, &columns(n, 3), &out);
        let mut out = columns(p, 4);
        structure
            .both()
            .add_transposed(n..n + p, (&values, a), &x, &mut out);
        assert_product(&transpose(&f), &x, &columns(p, 4), &out);
    }
}

/// Asserts that A x = b for a dense matrix A or its transpose, to rounding.
fn assert_solves(a: &[Vec<f64>], side: Side, x: &[[f64; 8]], b: &[[f64; 8]]) {
    for lane in 0..8 {
        let size = x.iter().fold(0.0_f64, |size, x| size.max(x[lane].abs()));
        for (i, b) in b.iter().enumerate() {
            let terms = x
                .iter()
                .enumerate()
                .map(|(j, x)| entry(a, side, i, j) * x[lane]);
            let gap = (terms.sum::<f64>() - b[lane]).abs();
            assert!(gap <= 1e-12 * (size + b[lane].abs()), "{gap:e} in row {i}");
        }
    }
}

#[test]
fn systems_solve_what_dense_products_give_with_the_same_bits_for_any_number_of_columns() {
    for (expected, network) in networks() {
        let (z, n) = (network.point(), network.dims.0);
        let structure = Arc::new(Structure::find(&network, 0.0, &z).unwrap());
        let values = evaluate(&network, &structure, of_state);
        let j = network.slopes(&z);
        let mut system = System::new(&structure);
        // The second factorisation replaces the first.
        for a in [40.0, -2.5] {
            assert!(system.set(a, &values), "{expected}, n = {n}");
            let mut matrix = vec![vec![0.0; n]; n];
            for (i, row) in matrix.iter_mut().enumerate() {
                row.iter_mut().zip(&j[i]).for_each(|(m, j)| *m = -a * j);
                row[i] += f64::from(u8::from(!network.is_algebraic(i)));
            }
            for side in [Side::Plain, Side::Transpose] {
                let b = columns(n, 9);
                let mut x = b.clone();
                system.solve(side, &mut x);
                assert_solves(&matrix, side, &x, &b);
                let mut four: Vec<[f64; 4]> = b.iter().map(|b| [b[6], b[1], b[0], b[3]]).collect();
                system.solve(side, &mut four);
                let mut one: Vec<[f64; 1]> = b.iter().map(|b| [b[6]]).collect();
                system.solve(side, &mut one);
                let mut quick: Vec<f64> = b.iter().map(|b| b[6]).collect();
                system.solve_one(side, &mut quick);
                for (i, x) in x.iter().enumerate() {
                    let bits = [x[6], x[1], x[0], x[3]].map(f64::to_bits);
                    assert_eq!(four[i].map(f64::to_bits), bits, "{expected}, n = {n}");
                    assert_eq!(one[i][0].to_bits(), bits[0], "{expected}, n = {n}");
                    assert!((quick[i] - x[6]).abs() <= 1e-11 * x[6].abs().max(1.0));
                }
            }
        }
    }
}

#[test]
fn singular_systems_are_reported() {
    for (expected, network) in networks() {
        let structure = Arc::new(Structure::find(&network, 0.0, &network.point()).unwrap());
        let mut values = evaluate(&network, &structure, of_state);
        let mut system = System::new(&structure);
        assert!(system.set(1.0, &values), "{expected}");
        // Without J nothing determines the algebraic components.
        if network.dims.0 > 4 {
            let none = vec![0.0; values.len()];
            assert!(!system.set(1.0, &none), "{expected}");
        }
        values[0] = f64::NAN;
        assert!(!system.set(1.0, &values), "{expected}");
    }
}

/// Neighbours in a ring, of which the second ones act only where a component is positive, and others only late.
struct Switch;

impl Dynamics for Switch {
    fn dims(&self) -> (usize, usize) {
        (40, 2)
    }

    fn rate<S: Scalar>(&self, t: f64, x: &[S], theta: &[S], out: &mut [S]) {
        for i in 0..40 {
            out[i] = theta[0] * x[i] * x[(i + 1) % 40];
            if x[i] > S::from(0.0) {
                out[i] += theta[1] * x[(i + 2) % 40];
            }
            if t > 5.0 {
                out[i] += x[(i + 30) % 40];
            }
        }
    }

    fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
        out.fill(S::from(0.0));
    }
}

#[test]
fn entries_behind_a_branch_are_noticed_and_then_known() {
    let function = Function::Rate(0.0);
    let rate = At {
        dynamics: &Switch,
        function,
    };
    for part in [of_state as Part, of_both] {
        let mut z = vec![-1.0; 42];
        let structure = Structure::find(&Switch, 0.0, &z).unwrap();
        let mut values = vec![0.0; part(&structure).len()];
        let mut derivatives = Derivatives::new(part(&structure), z.len());
        assert!(derivatives.at(&rate, &z, &mut values).unwrap().is_ok());
        z[3] = 2.0;
        let more = derivatives.at(&rate, &z, &mut values).unwrap();
        let wider = structure.extended(&more.expect_err("a branch that is not known"));
        assert_eq!(wider.state().len(), structure.state().len() + 1);
        let mut values = vec![0.0; part(&wider).len()];
        let mut derivatives = Derivatives::new(part(&wider), z.len());
        assert!(derivatives.at(&rate, &z, &mut values).unwrap().is_ok());
        let mut row = vec![[0.0]; 40];
        let mut x = vec![[0.0]; 40];
        x[5] = [1.0];
        wider.both().add(0..40, (&values, 1.0), &x, &mut row);
        assert_eq!(row[3], [z[41]]);
        let late = At {
            dynamics: &Switch,
            function: Function::Rate(6.0),
        };
        let more = derivatives.at(&late, &z, &mut values).unwrap();
        let widest = wider.extended(&more.expect_err("a branch that depends on time"));
        assert_eq!(widest.state().len(), wider.state().len() + 40);
    }
}
