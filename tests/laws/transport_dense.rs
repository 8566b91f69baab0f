//! Entropic transport losses against iterations with the whole matrix of costs.

use crate::support::{density, dot, gap};
use pullback::loss::{Sinkhorn, Transport, UnbalancedTransport};
use pullback::{Grid, Loss};

fn gradient(loss: &dyn Loss, rho: &[f64]) -> Vec<f64> {
    let mut u = vec![f64::NAN; rho.len()];
    loss.gradient(rho, &mut u);
    u
}

/// |x − y|²/ε between all cells.
fn costs(grid: &Grid, epsilon: f64) -> Vec<f64> {
    let n = grid.cells();
    let cost = |i: usize, j: usize| -> f64 {
        let (x, y) = (grid.centre(i), grid.centre(j));
        (0..3).map(|d| (x[d] - y[d]).powi(2)).sum()
    };
    (0..n * n).map(|k| cost(k / n, k % n) / epsilon).collect()
}

/// −ln Σ_j m_j e^{g_j − c_ij}.
fn soft(costs: &[f64], m: &[f64], g: &[f64]) -> Vec<f64> {
    let n = m.len();
    let at = |i: usize| {
        let term = |j: usize| m[j].ln() + g[j] - costs[i * n + j];
        let top = (0..n).map(term).fold(f64::NEG_INFINITY, f64::max);
        -(top + (0..n).map(|j| (term(j) - top).exp()).sum::<f64>().ln())
    };
    (0..n).map(at).collect()
}

/// S_ε and its derivative by Sinkhorn's iteration with the whole matrix of costs, in logarithms.
fn dense(grid: &Grid, a: &[f64], b: &[f64], epsilon: f64) -> (f64, Vec<f64>) {
    let n = grid.cells();
    let shares = |r: &[f64]| {
        let total: f64 = r.iter().sum();
        r.iter().map(|r| r / total).collect::<Vec<f64>>()
    };
    let (a, b) = (shares(a), shares(b));
    let costs = costs(grid, epsilon);
    let soft = |m: &[f64], g: &[f64]| soft(&costs, m, g);
    let solve = |a: &[f64], b: &[f64]| {
        let mut g = vec![0.0; n];
        for _ in 0..20_000 {
            let f = soft(b, &g);
            let next = soft(a, &f);
            let off = gap(&next, &g);
            g = next;
            if off < 1e-14 {
                break;
            }
        }
        [soft(b, &g), g]
    };
    let [f, g] = solve(&a, &b);
    let own = |m: &[f64]| {
        // A symmetric pair of potentials of a measure with itself.
        let [f, g] = solve(m, m);
        let pairs = f.iter().zip(&g);
        pairs.map(|(f, g)| 0.5 * (f + g)).collect::<Vec<f64>>()
    };
    let (p, q) = (own(&a), own(&b));
    let value = dot(&a, &f) + dot(&b, &g) - dot(&a, &p) - dot(&b, &q);
    let slope = f.iter().zip(&p).map(|(f, p)| epsilon * (f - p)).collect();
    (epsilon * value, slope)
}

#[test]
fn the_entropic_cost_is_that_of_the_whole_matrix() {
    let axes: [&[(f64, f64, usize)]; 3] = [
        &[(-2.0, 3.0, 17)],
        &[(0.0, 1.5, 7), (-1.0, 1.0, 8)],
        &[(0.0, 1.0, 4), (-1.0, 0.5, 3), (0.0, 1.5, 5)],
    ];
    for (axes, seed) in axes.iter().zip(1..) {
        let grid = Grid::new(axes).unwrap();
        let (a, b) = (density(&grid, seed), density(&grid, seed + 10));
        let epsilon = 0.5;
        let options = Sinkhorn {
            epsilon: Some(epsilon),
            ..Sinkhorn::default()
        };
        let loss = Transport::sinkhorn(&grid, b.clone(), &options).unwrap();
        let (value, slope) = dense(&grid, &a, &b, epsilon);
        let off = (2.0 * loss.value(&a) / value - 1.0).abs();
        // ∂f/∂ρ = ½ (φ − ⟨φ⟩) vol for densities of mass one.
        let total: f64 = a.iter().sum();
        let mean = dot(&slope, &a) / total;
        let expected: Vec<f64> = slope
            .iter()
            .map(|s| 0.5 * grid.volume() * (s - mean))
            .collect();
        let tilt = gap(&gradient(&loss, &a), &expected);
        println!("{}-D: {off:.1e}, {tilt:.1e}", grid.dim());
        assert!(
            off < 1e-10 && tilt < 1e-9,
            "{}-D: {off:e}, {tilt:e}",
            grid.dim()
        );
    }
}

/// The unbalanced S_ε and its derivative by an iteration with the whole matrix of costs, for masses relative to that of b.
fn dense_unbalanced(
    grid: &Grid,
    [a, b]: [&[f64]; 2],
    epsilon: f64,
    lambda: f64,
) -> (f64, Vec<f64>) {
    let total: f64 = b.iter().sum();
    let [a, b] = [a, b].map(|r| r.iter().map(|r| r / total).collect::<Vec<f64>>());
    let (costs, n) = (costs(grid, epsilon), grid.cells());
    let damped = |m: &[f64], g: &[f64]| -> Vec<f64> {
        let damping = lambda / (lambda + epsilon);
        soft(&costs, m, g).iter().map(|f| damping * f).collect()
    };
    // The primal cost of the plan, with relative entropies to both marginals and to their product.
    let entropy = |p: f64, m: f64| p * (p / m).ln() - p + m;
    let solve = |a: &[f64], b: &[f64]| {
        let mut g = vec![0.0; n];
        for _ in 0..5000 {
            g = damped(a, &damped(b, &g));
        }
        let f = damped(b, &g);
        let plan = |i: usize, j: usize| a[i] * b[j] * (f[i] + g[j] - costs[i * n + j]).exp();
        let cells = || (0..n * n).map(|k| (k / n, k % n));
        let moved: f64 = cells().map(|(i, j)| plan(i, j) * costs[i * n + j]).sum();
        let joint: f64 = cells().map(|(i, j)| entropy(plan(i, j), a[i] * b[j])).sum();
        let rows = (0..n).map(|i| entropy((0..n).map(|j| plan(i, j)).sum(), a[i]));
        let columns = (0..n).map(|j| entropy((0..n).map(|i| plan(i, j)).sum(), b[j]));
        let marginals = rows.sum::<f64>() + columns.sum::<f64>();
        (epsilon * (moved + joint) + lambda * marginals, f)
    };
    let ((ab, f), (aa, p), (bb, _)) = (solve(&a, &b), solve(&a, &a), solve(&b, &b));
    let gap = a.iter().sum::<f64>() - b.iter().sum::<f64>();
    let weight = |f: &f64| (-epsilon * f / lambda).exp();
    let slopes = f.iter().zip(&p);
    let slopes = slopes.map(|(f, p)| (lambda + epsilon) * (weight(p) - weight(f)));
    (
        ab - 0.5 * aa - 0.5 * bb + 0.5 * epsilon * gap * gap,
        slopes.collect(),
    )
}

#[test]
fn the_unbalanced_cost_is_that_of_the_whole_matrix() {
    let axes: [&[(f64, f64, usize)]; 2] = [&[(-2.0, 3.0, 17)], &[(0.0, 1.5, 7), (-1.0, 1.0, 8)]];
    for (axes, seed) in axes.iter().zip(1..) {
        let grid = Grid::new(axes).unwrap();
        let (a, b) = (density(&grid, seed), density(&grid, seed + 10));
        let a: Vec<f64> = a.iter().map(|r| 1.6 * r).collect();
        for lambda in [0.5, 6.0] {
            let options = Sinkhorn {
                epsilon: Some(0.5),
                ..Sinkhorn::default()
            };
            let loss = UnbalancedTransport::new(&grid, b.clone(), lambda, &options).unwrap();
            let (value, slope) = dense_unbalanced(&grid, [&a, &b], 0.5, lambda);
            let off = (2.0 * loss.value(&a) / value - 1.0).abs();
            let expected: Vec<f64> = slope.iter().map(|s| 0.5 * grid.volume() * s).collect();
            let tilt = gap(&gradient(&loss, &a), &expected);
            println!("λ = {lambda}: {off:.1e}, {tilt:.1e}");
            assert!(
                off < 1e-10 && tilt < 1e-8,
                "λ = {lambda}: {off:e}, {tilt:e}"
            );
        }
    }
}

/// Masses far from one, of the target and of the state beside it.
#[test]
fn gradients_at_extreme_masses_are_those_of_the_whole_matrix() {
    let grid = Grid::new(&[(-2.0, 3.0, 17)]).unwrap();
    let times = |r: &[f64], m: f64| r.iter().map(|r| m * r).collect::<Vec<f64>>();
    let options = Sinkhorn {
        epsilon: Some(0.5),
        ..Sinkhorn::default()
    };
    for (state, target) in [(1e-6, 1.0), (1e4, 1.0), (1.3e-6, 1e-6), (0.8e4, 1e4)] {
        let a = times(&density(&grid, 1), state);
        let b = times(&density(&grid, 11), target);
        for lambda in [0.5, 6.0] {
            let loss = UnbalancedTransport::new(&grid, b.clone(), lambda, &options).unwrap();
            let (value, slope) = dense_unbalanced(&grid, [&a, &b], 0.5, lambda);
            let off = (2.0 * loss.value(&a) / (target * value) - 1.0).abs();
            let expected: Vec<f64> = slope.iter().map(|s| 0.5 * grid.volume() * s).collect();
            let tilt = gap(&gradient(&loss, &a), &expected);
            println!("{state:e} for {target:e}, λ = {lambda}: {off:.1e}, {tilt:.1e}");
            assert!(
                off < 1e-9 && tilt < 1e-8,
                "{state:e} for {target:e}, λ = {lambda}: {off:e}, {tilt:e}"
            );
        }
    }
}
