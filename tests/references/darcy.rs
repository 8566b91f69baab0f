//! Darcy flow against smooth and layered solutions, and against matrices put together entry by entry.

use std::f64::consts::PI;

use crate::support::{column, dot, gap, grids, largest_of, matrix_gap, reference_vector};
use pullback::faer::Mat;
use pullback::models::{Darcy, End};
use pullback::{Cpu, Grid, Linearisation, Model, Operator, Side, random, verify};

/// What is known on the sides of an axis.
#[derive(Clone, Copy)]
enum Known {
    Pressure(f64),
    Inflow(f64),
}
use Known::{Inflow, Pressure};

/// All kinds of sides, the first of fixed pressure.
const SIDES: [[Known; 2]; 3] = [
    [Pressure(1.5), Inflow(0.7)],
    [Inflow(-0.2), Pressure(-0.4)],
    [Inflow(0.0), Inflow(0.3)],
];

fn with_sides(grid: &Grid, sides: &[[Known; 2]]) -> Darcy {
    let mut darcy = Darcy::new(grid).unwrap();
    for (axis, ends) in sides.iter().enumerate().take(grid.dim()) {
        for (known, end) in ends.iter().zip([End::Lower, End::Upper]) {
            darcy = match *known {
                Pressure(value) => darcy.pressure(axis, end, value).unwrap(),
                Inflow(flux) => darcy.inflow(axis, end, flux).unwrap(),
            };
        }
    }
    darcy
}

/// Two experiments with rough sources on all grids, and a rough θ.
fn rough() -> Vec<(Darcy, Vec<f64>)> {
    let build = |grid: Grid| {
        let n = grid.cells();
        let darcy = with_sides(&grid, &SIDES)
            .source(random::normal(n, 1, 0))
            .and_then(|d| d.source(random::normal(n, 2, 0)));
        (darcy.unwrap(), random::normal(n, 3, 0))
    };
    grids().into_iter().map(build).collect()
}

/// Indices of a cell along the axes.
fn place(grid: &Grid, mut cell: usize) -> Vec<usize> {
    let mut at = Vec::new();
    for axis in grid.axes().iter().rev() {
        at.insert(0, cell % axis.cells);
        cell /= axis.cells;
    }
    at
}

/// The axis along which two cells are neighbours.
fn adjacent(grid: &Grid, i: usize, j: usize) -> Option<usize> {
    let (a, b) = (place(grid, i), place(grid, j));
    let steps: Vec<usize> = a.iter().zip(&b).map(|(a, b)| a.abs_diff(*b)).collect();
    (steps.iter().sum::<usize>() == 1).then(|| steps.iter().position(|s| *s == 1).unwrap())
}

/// Calls `f(cell, area, spacing, known)` for every face on a side.
fn on_sides(grid: &Grid, mut f: impl FnMut(usize, f64, f64, Known)) {
    for cell in 0..grid.cells() {
        for (d, (i, axis)) in place(grid, cell).iter().zip(grid.axes()).enumerate() {
            let area = grid.volume() / axis.spacing();
            for (index, known) in [0, axis.cells - 1].into_iter().zip(SIDES[d]) {
                if *i == index {
                    f(cell, area, axis.spacing(), known);
                }
            }
        }
    }
}

/// K, b and ∂g/∂θ by the formulas, for one source f and one state u.
fn by_formula(grid: &Grid, theta: &[f64], f: &[f64], u: &[f64]) -> (Mat<f64>, Vec<f64>, Mat<f64>) {
    let n = grid.cells();
    let (mut k, mut c) = (Mat::zeros(n, n), Mat::zeros(n, n));
    let mut b: Vec<f64> = f.iter().map(|f| grid.volume() * f).collect();
    for i in 0..n {
        for j in 0..n {
            let Some(d) = adjacent(grid, i, j) else {
                continue;
            };
            let h = grid.axes()[d].spacing();
            let (area, sum) = (grid.volume() / h, (-theta[i]).exp() + (-theta[j]).exp());
            let t = area / h * 2.0 / sum;
            k[(i, i)] += t;
            k[(i, j)] -= t;
            c[(i, i)] += t * (-theta[i]).exp() / sum * (u[i] - u[j]);
            c[(i, j)] += t * (-theta[j]).exp() / sum * (u[i] - u[j]);
        }
    }
    on_sides(grid, |i, area, h, known| match known {
        Pressure(value) => {
            let t = 2.0 * area * theta[i].exp() / h;
            k[(i, i)] += t;
            b[i] += t * value;
            c[(i, i)] += t * (u[i] - value);
        }
        Inflow(flux) => b[i] += area * flux,
    });
    (k, b, c)
}

#[test]
fn matrices_and_solutions_are_those_of_the_formulas() {
    for (darcy, theta) in rough() {
        let (grid, n) = (darcy.grid(), darcy.param_dim());
        let u = darcy.pressures(&theta).unwrap();
        let a = darcy.state_jacobian(&u, &theta).to_dense();
        // Off the solution, so that nothing hides behind small flows.
        let rho = random::normal(2 * n, 4, 0);
        let c = darcy.param_jacobian(&rho, &theta).to_dense();
        let mut g = vec![0.0; 2 * n];
        darcy.residual(&rho, &theta, &mut g);
        for e in 0..2 {
            let part = e * n..(e + 1) * n;
            let f = random::normal(n, 1 + e as u64, 0);
            let (k, b, slopes) = by_formula(grid, &theta, &f, &rho[part.clone()]);
            let block = a.submatrix(e * n, e * n, n, n);
            assert!(matrix_gap(block, k.as_ref()) < 1e-14);
            assert!(matrix_gap(c.subrows(e * n, n), slopes.as_ref()) < 1e-14);
            let product = &k * column(&rho[part.clone()]);
            let expected: Vec<f64> = (0..n).map(|i| product[(i, 0)] - b[i]).collect();
            assert!(gap(&g[part.clone()], &expected) < 1e-14);
            let reference = reference_vector(k.as_ref(), &b);
            // Condition numbers are about 1e3.
            assert!(gap(&u[part], &reference) < 1e-12);
        }
    }
}

/// u = 1 + b x + sin(πx/2) Π cos(m_d π x_d/L_d), θ = 0.3 + (1 − x)(…): ∂ₓu = b and e^θ = e^0.3 at x = 1.
struct Smooth {
    lengths: Vec<f64>,
    /// m of the axes from the second on: 1 where both ends are closed, ½ where u = 1 at the upper end.
    waves: Vec<f64>,
    slope: f64,
}

impl Smooth {
    fn u(&self, x: &[f64]) -> f64 {
        let across = self.across(x).map(f64::cos);
        1.0 + self.slope * x[0] + (0.5 * PI * x[0]).sin() * across.product::<f64>()
    }

    /// The arguments of the cosines.
    fn across<'a>(&'a self, x: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
        let axes = x[1..].iter().zip(&self.lengths[1..]).zip(&self.waves);
        axes.map(|((x, l), m)| m * PI * x / l)
    }

    fn theta(&self, x: &[f64]) -> f64 {
        let across: f64 = x[1..].iter().map(|x| (2.0 * x).sin()).sum();
        0.3 + (1.0 - x[0]) * (0.8 + 0.5 * x[0] + across)
    }

    /// f = −e^θ(∇θ·∇u + Δu).
    fn source(&self, x: &[f64]) -> f64 {
        let (s, c) = (0.5 * PI * x[0]).sin_cos();
        let arguments: Vec<f64> = self.across(x).collect();
        let product: f64 = arguments.iter().map(|a| a.cos()).product();
        let bracket = (self.theta(x) - 0.3) / (1.0 - x[0]);
        let mut inner = (0.5 * (1.0 - x[0]) - bracket) * (self.slope + 0.5 * PI * c * product);
        inner -= 0.25 * PI * PI * s * product;
        for (d, a) in arguments.iter().enumerate() {
            let rate = self.waves[d] * PI / self.lengths[d + 1];
            let slope = 2.0 * (1.0 - x[0]) * (2.0 * x[d + 1]).cos();
            inner -= slope * s * rate * product * a.tan() + rate * rate * s * product;
        }
        -self.theta(x).exp() * inner
    }

    /// The largest error with n cells along the first axis, and a few more along the others.
    fn error(&self, n: usize) -> f64 {
        let axes = self.lengths.iter().enumerate();
        let axes: Vec<_> = axes.map(|(d, l)| (0.0, *l, n + d * n / 4)).collect();
        let grid = Grid::new(&axes).unwrap();
        let mut darcy = Darcy::new(&grid)
            .and_then(|d| d.pressure(0, End::Lower, 1.0))
            .and_then(|d| d.inflow(0, End::Upper, 0.3_f64.exp() * self.slope))
            .and_then(|d| d.source(grid.sample(|x| self.source(x))))
            .unwrap();
        for (d, m) in self.waves.iter().enumerate().filter(|(_, m)| **m != 1.0) {
            assert!(*m == 0.5 && self.slope == 0.0);
            darcy = darcy.pressure(d + 1, End::Upper, 1.0).unwrap();
        }
        let found = darcy.pressures(&grid.sample(|x| self.theta(x))).unwrap();
        let exact = grid.sample(|x| self.u(x));
        largest_of(
            &found
                .iter()
                .zip(&exact)
                .map(|(a, b)| a - b)
                .collect::<Vec<_>>(),
        )
    }
}

#[test]
fn smooth_solutions_are_met_to_second_order() {
    let cases: [(&[f64], &[f64], f64, usize); 5] = [
        (&[1.0], &[], 0.4, 16),
        (&[1.0, 1.5], &[1.0], 0.4, 16),
        (&[1.0, 1.5], &[0.5], 0.0, 16),
        (&[1.0, 1.5, 0.8], &[1.0, 1.0], 0.4, 8),
        (&[1.0, 1.5, 0.8], &[1.0, 0.5], 0.0, 8),
    ];
    for (lengths, waves, slope, n) in cases {
        let smooth = Smooth {
            lengths: lengths.to_vec(),
            waves: waves.to_vec(),
            slope,
        };
        let (coarse, fine) = (smooth.error(n), smooth.error(4 * n));
        let order = (coarse / fine).log2() / 2.0;
        println!("{lengths:?} {waves:?}: {coarse:.1e}, {fine:.1e}, order {order:.3}");
        // Errors at the largest of many cells, on grids that are not fine.
        assert!((order - 2.0).abs() < 0.15, "{lengths:?}: order {order}");
    }
}

#[test]
fn layers_across_a_line_are_exact() {
    let grid = Grid::new(&[(0.0, 2.0, 40)]).unwrap();
    let h = grid.volume();
    for contrast in [1.0, 3.0] {
        let theta: Vec<f64> = random::normal(40, 5, 0)
            .iter()
            .map(|t| contrast * t)
            .collect();
        let resistance: Vec<f64> = theta.iter().map(|t| h * (-t).exp()).collect();
        let flux = 3.0 / resistance.iter().sum::<f64>();
        let mut passed = 0.0;
        let exact: Vec<f64> = resistance
            .iter()
            .map(|r| {
                passed += r;
                3.0 - flux * (passed - 0.5 * r)
            })
            .collect();
        let line = || {
            Darcy::new(&grid)
                .unwrap()
                .pressure(0, End::Lower, 3.0)
                .unwrap()
        };
        let held = line().pressure(0, End::Upper, 0.0).unwrap();
        // Beside the largest conductance the smallest loses the digits of their contrast, e^4.5 and e^13.6.
        let tolerance = if contrast == 1.0 { 1e-13 } else { 1e-9 };
        assert!(gap(&held.pressures(&theta).unwrap(), &exact) < tolerance);
        let drained = line().inflow(0, End::Upper, -flux).unwrap();
        assert!(gap(&drained.pressures(&theta).unwrap(), &exact) < tolerance);
    }
}

#[test]
fn what_flows_in_flows_out() {
    for (darcy, theta) in rough() {
        let (grid, n) = (darcy.grid(), darcy.param_dim());
        let u = darcy.pressures(&theta).unwrap();
        for e in 0..2 {
            let f = random::normal(n, 1 + e as u64, 0);
            let mut flows: Vec<f64> = f.iter().map(|f| grid.volume() * f).collect();
            on_sides(grid, |i, area, h, known| {
                flows.push(match known {
                    Pressure(v) => 2.0 * area / h * theta[i].exp() * (v - u[e * n + i]),
                    Inflow(flux) => area * flux,
                });
            });
            let (sum, size) = (
                flows.iter().sum::<f64>(),
                flows.iter().map(|q| q.abs()).sum::<f64>(),
            );
            // The residual of the solve, summed over the cells.
            assert!(sum.abs() < 1e-12 * size, "{sum:e} of {size:e}");
        }
    }
}

#[test]
fn the_checks_of_models_pass() {
    for (darcy, theta) in rough() {
        let checks = verify::model(&darcy, &theta, 1).unwrap();
        assert!(checks.passed(), "{checks}");
    }
}

#[test]
fn tangents_and_adjoints_are_transposes() {
    let cpu = Cpu::default();
    for (darcy, theta) in rough() {
        let u = darcy.pressures(&theta).unwrap();
        let z = Linearisation::new(&darcy, &u, &theta, &cpu).unwrap();
        let (v, w) = (
            random::normal(theta.len(), 6, 0),
            random::normal(u.len(), 6, 1),
        );
        let tangent = z.tangent(column(&v)).unwrap();
        let (left, right) = (
            dot(tangent.col_as_slice(0), &w),
            dot(&v, &z.pull_back(&w).unwrap()),
        );
        let size: f64 = tangent
            .col_as_slice(0)
            .iter()
            .zip(&w)
            .map(|(a, b)| (a * b).abs())
            .sum();
        assert!((left - right).abs() < 1e-12 * size, "{left} and {right}");
    }
}

/// Central differences of g: second order until rounding, ε/h.
#[test]
fn the_sensitivities_are_the_differences_of_the_balances() {
    for (darcy, theta) in rough() {
        let rho = random::normal(darcy.state_dim(), 7, 0);
        let v = random::normal(theta.len(), 7, 1);
        let claim = darcy
            .param_jacobian(&rho, &theta)
            .apply_to(Side::Plain, &v)
            .unwrap();
        let error = |h: f64| {
            let at = |h: f64| {
                let moved: Vec<f64> = theta.iter().zip(&v).map(|(t, v)| t + h * v).collect();
                let mut g = vec![0.0; rho.len()];
                darcy.residual(&rho, &moved, &mut g);
                g
            };
            let (plus, minus) = (at(h), at(-h));
            let slope: Vec<f64> = plus
                .iter()
                .zip(minus)
                .map(|(a, b)| (a - b) / (2.0 * h))
                .collect();
            gap(&slope, &claim)
        };
        let order = (error(1e-2) / error(1e-3)).log10();
        assert!((order - 2.0).abs() < 0.05, "order {order}");
        let least = [1e-4, 1e-5, 1e-6]
            .map(error)
            .into_iter()
            .fold(1.0, f64::min);
        assert!(least < 1e-9, "no closer than {least:e}");
    }
}

/// Entries that are stored, zero or not.
fn pattern(c: &Operator<'_>) -> (Vec<usize>, Vec<usize>) {
    match c.view() {
        pullback::linalg::View::Sparse(m) => (
            m.symbolic().col_ptr().to_vec(),
            m.symbolic().row_idx().to_vec(),
        ),
        _ => panic!("not sparse"),
    }
}

#[test]
fn the_pattern_of_the_sensitivities_never_changes() {
    for (darcy, theta) in rough() {
        let n = theta.len();
        let flat = vec![0.0; n];
        let (zero, rho) = (vec![0.0; 2 * n], random::normal(2 * n, 8, 0));
        let first = pattern(&darcy.param_jacobian(&rho, &theta));
        assert_eq!(first, pattern(&darcy.param_jacobian(&zero, &flat)));
        assert_eq!(first.1.len(), 2 * (n + 2 * darcy.grid().faces()));
    }
}
