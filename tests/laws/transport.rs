//! Transport losses against closed forms and each other.

use crate::support::{dot, gap};
use pullback::loss::{Sinkhorn, Transport, UnbalancedTransport};
use pullback::models::{GaussianMixture, Parameter};
use pullback::{Cpu, Descent, Grid, Loss};

/// Gaussian density of mass one on a grid.
fn gaussian(grid: &Grid, mean: &[f64], deviation: &[f64]) -> Vec<f64> {
    let rho = grid.sample(|x| {
        let z = x.iter().zip(mean.iter().zip(deviation));
        z.map(|(x, (m, s))| (-0.5 * ((x - m) / s).powi(2)).exp())
            .product()
    });
    normalised(grid, rho)
}

fn normalised(grid: &Grid, rho: Vec<f64>) -> Vec<f64> {
    let mass = grid.integrate(&rho).unwrap();
    rho.iter().map(|r| r / mass).collect()
}

fn gradient(loss: &dyn Loss, rho: &[f64]) -> Vec<f64> {
    let mut u = vec![f64::NAN; rho.len()];
    loss.gradient(rho, &mut u);
    u
}

/// The Gaussians N([1, 3], .7²) and N([3, 2], 1.1²) in the plane, with W₂² = 5.32.
fn plane(cells: usize) -> (Grid, [Vec<f64>; 2]) {
    let grid = Grid::new(&[(-4.0, 9.0, cells), (-4.0, 9.0, cells)]).unwrap();
    let a = gaussian(&grid, &[1.0, 3.0], &[0.7; 2]);
    let b = gaussian(&grid, &[3.0, 2.0], &[1.1; 2]);
    (grid, [a, b])
}

/// Relative error of a gradient in L²(ρ) against Brenier's potential of the Gaussians, up to constants.
fn gradient_error(grid: &Grid, loss: &dyn Loss, rho: &[f64]) -> f64 {
    // The map T(x) = m + (s'/s)(x − m) stretches the first to the second, and φ′ = x − T(x).
    let stretch = 1.1 / 0.7;
    let exact = grid.sample(|x| {
        let axes = [(x[0], 1.0, 3.0), (x[1], 3.0, 2.0)];
        let part = |(x, m, to): (f64, f64, f64)| {
            0.5 * (1.0 - stretch) * (x - m).powi(2) + (m - to) * (x - m)
        };
        grid.volume() * axes.map(part).iter().sum::<f64>()
    });
    let total: f64 = rho.iter().sum();
    let centred = |u: &[f64]| -> Vec<f64> {
        let mean = dot(u, rho) / total;
        u.iter().map(|u| u - mean).collect()
    };
    let norm = |u: &[f64]| {
        u.iter()
            .zip(rho)
            .map(|(u, r)| r * u * u)
            .sum::<f64>()
            .sqrt()
    };
    let (found, exact) = (centred(&gradient(loss, rho)), centred(&exact));
    let off: Vec<f64> = found.iter().zip(&exact).map(|(a, b)| a - b).collect();
    norm(&off) / norm(&exact)
}

#[test]
fn gaussians_in_the_plane_have_their_distance_and_potential() {
    let (grid, [a, b]) = plane(64);
    for (epsilon, extrapolate, value, slope) in [
        (1.0, false, 1.6e-2, 1.3e-2),
        (0.25, false, 1.1e-3, 1e-3),
        (0.25, true, 3e-5, 4e-5),
    ] {
        let options = Sinkhorn {
            epsilon: Some(epsilon),
            extrapolate,
            ..Sinkhorn::default()
        };
        let loss = Transport::sinkhorn(&grid, b.clone(), &options).unwrap();
        let off = (2.0 * loss.value(&a) - 5.32).abs();
        let tilt = gradient_error(&grid, &loss, &a);
        println!("ε = {epsilon}, {extrapolate}: {off:.2e}, {tilt:.2e}");
        assert!(
            off < value && tilt < slope,
            "ε = {epsilon}: {off:e}, {tilt:e}"
        );
    }
    let loss = Transport::new(&grid, b).unwrap();
    let (off, tilt) = (
        (2.0 * loss.value(&a) - 5.32).abs(),
        gradient_error(&grid, &loss, &a),
    );
    println!("default: {off:.2e}, {tilt:.2e}");
    assert!(off < 5e-4 && tilt < 5e-4, "by default: {off:e}, {tilt:e}");
    let loss = Transport::marginals(&grid, plane(64).1[1].clone()).unwrap();
    // Of products of one-dimensional measures the distance is the sum of those of the marginals.
    let (off, tilt) = (
        (2.0 * loss.value(&a) - 5.32).abs(),
        gradient_error(&grid, &loss, &a),
    );
    println!("marginals: {off:.2e}, {tilt:.2e}");
    assert!(off < 2e-2 && tilt < 1e-2, "marginals: {off:e}, {tilt:e}");
}

/// Grids do not matter to the entropic cost once they resolve its kernel.
#[test]
fn the_entropic_cost_does_not_see_the_grid() {
    let options = Sinkhorn {
        epsilon: Some(0.25),
        ..Sinkhorn::default()
    };
    let value = |cells| {
        let (grid, [a, b]) = plane(cells);
        Transport::sinkhorn(&grid, b, &options).unwrap().value(&a)
    };
    let (coarse, fine) = (value(52), value(104));
    assert!((coarse - fine).abs() < 1e-7, "{coarse} and {fine}");
}

/// ½W₂² on a line by sums over many levels of the quantile functions.
fn by_levels(grid: &Grid, a: &[f64], b: &[f64]) -> f64 {
    let axis = grid.axes()[0];
    let quantile = |r: &[f64], t: f64| {
        let total: f64 = r.iter().sum();
        let (mut level, mut cell) = (0.0, 0);
        while cell + 1 < r.len() && level + r[cell] / total < t {
            level += r[cell] / total;
            cell += 1;
        }
        let inside = ((t - level) / (r[cell] / total)).clamp(0.0, 1.0);
        axis.lower + (cell as f64 + inside) * axis.spacing()
    };
    let count = 400_000;
    let levels = (0..count).map(|k| (k as f64 + 0.5) / count as f64);
    let squares = levels.map(|t| (quantile(a, t) - quantile(b, t)).powi(2));
    0.5 * squares.sum::<f64>() / count as f64
}

#[test]
fn the_distance_on_a_line_is_that_of_the_quantiles() {
    let grid = Grid::new(&[(-2.0, 3.0, 17)]).unwrap();
    let mut a = crate::support::density(&grid, 1);
    let mut b = crate::support::density(&grid, 2);
    let value = |a: &[f64], b: &[f64]| {
        let mass = |r: &[f64]| normalised(&grid, r.to_vec());
        Transport::new(&grid, mass(b)).unwrap().value(&mass(a))
    };
    assert!((value(&a, &b) / by_levels(&grid, &a, &b) - 1.0).abs() < 1e-6);
    // Cells without mass, at the ends and inside, in one or in both.
    a[..3].fill(0.0);
    a[8..10].fill(0.0);
    b[9..12].fill(0.0);
    b[16] = 0.0;
    let (found, expected) = (value(&a, &b), by_levels(&grid, &a, &b));
    assert!(
        (found / expected - 1.0).abs() < 1e-6,
        "{found} for {expected}"
    );
    // A box that moves by three cells.
    let mut moved = vec![0.0; 17];
    let mut still = vec![0.0; 17];
    still[2..6].fill(1.0);
    moved[5..9].fill(1.0);
    let expected = 0.5 * (3.0 * 5.0 / 17.0_f64).powi(2);
    assert!((value(&still, &moved) - expected).abs() < 1e-14);
}

/// Where both densities are empty nothing is asked for at the match, and elsewhere potentials stay finite.
#[test]
fn gradients_vanish_at_the_match_of_densities_with_gaps() {
    let grid = Grid::new(&[(-2.0, 3.0, 40)]).unwrap();
    let mut q = gaussian(&grid, &[0.5], &[0.4]);
    q[12..17].fill(0.0);
    q[..5].fill(0.0);
    let q = normalised(&grid, q);
    let loss = Transport::new(&grid, q.clone()).unwrap();
    assert_eq!(loss.value(&q), 0.0);
    assert_eq!(gradient(&loss, &q), vec![0.0; 40]);
    let rho = gaussian(&grid, &[1.0], &[0.2]);
    assert!(gradient(&loss, &rho).iter().all(|u| u.is_finite()));
}

/// The loss of mass m is m times that of mass one, and its gradient has no component that only scales.
#[test]
fn masses_scale_the_loss_and_not_the_gradient() {
    let (grid, [a, b]) = plane(32);
    let times = |r: &[f64], m: f64| r.iter().map(|r| m * r).collect::<Vec<_>>();
    let make: [&dyn Fn(Vec<f64>) -> Transport; 2] =
        [&|q| Transport::new(&grid, q).unwrap(), &|q| {
            Transport::marginals(&grid, q).unwrap()
        }];
    for make in make {
        let (one, ten) = (make(b.clone()), make(times(&b, 10.0)));
        let many = times(&a, 10.0);
        assert!((ten.value(&many) / one.value(&a) - 10.0).abs() < 1e-9);
        // Iterations end with larger errors where there is hardly any mass.
        let paired = |u: &[f64]| u.iter().zip(&a).map(|(u, r)| u * r).collect::<Vec<_>>();
        let off = gap(
            &paired(&gradient(&ten, &many)),
            &paired(&gradient(&one, &a)),
        );
        assert!(off < 1e-9, "{off:e}");
        let scaled = dot(&gradient(&one, &a), &a).abs();
        assert!(scaled < 1e-12, "{scaled:e}");
        // Little mass is lost at the edge of the box.
        assert!((one.value(&times(&a, 0.995)) / one.value(&a) - 1.0).abs() < 1e-9);
    }
}

/// The exact second derivative against differences of the gradient, with another target and with masses that change.
#[test]
fn second_derivatives_on_axes_are_those_of_the_gradient() {
    let axes: [&[(f64, f64, usize)]; 2] = [&[(-2.0, 3.0, 13)], &[(0.0, 1.5, 7), (-1.0, 1.0, 5)]];
    for (axes, seed) in axes.iter().zip(1..) {
        let grid = Grid::new(axes).unwrap();
        let (q, rho) = (
            crate::support::density(&grid, seed),
            crate::support::density(&grid, seed + 10),
        );
        let loss = Transport::marginals(&grid, q).unwrap();
        let v: Vec<f64> = (rho
            .iter()
            .zip(&pullback::random::uniform(rho.len(), (-1.0, 1.0), 7)))
        .map(|(r, z)| r * z)
        .collect();
        let product = loss
            .hessian(&rho, crate::support::column(&v))
            .unwrap()
            .unwrap();
        let prepared = loss.at(&rho, Cpu::shared()).unwrap();
        let same = prepared.hessian(crate::support::column(&v), Cpu::shared());
        assert_eq!(same.unwrap().unwrap(), product);
        let off = (6..16).map(|i| {
            let h = 0.5_f64.powi(i);
            let at = |s: f64| {
                let moved: Vec<f64> = rho.iter().zip(&v).map(|(r, v)| r + s * v).collect();
                gradient(&loss, &moved)
            };
            let quotient: Vec<f64> = (at(h).iter().zip(&at(-h)))
                .map(|(a, b)| (a - b) / (2.0 * h))
                .collect();
            gap(&quotient, product.col_as_slice(0))
        });
        let off = off.fold(f64::INFINITY, f64::min);
        assert!(off < 1e-8, "{}-D: {off:e}", grid.dim());
    }
}

/// For large λ mass is only moved, and at the same place it is only changed.
#[test]
fn the_unbalanced_cost_has_its_limits() {
    let (grid, [a, b]) = plane(32);
    let options = Sinkhorn {
        epsilon: Some(0.4),
        ..Sinkhorn::default()
    };
    let value = |q: &[f64], lambda: f64, rho: &[f64]| {
        UnbalancedTransport::new(&grid, q.to_vec(), lambda, &options).map(|l| l.value(rho))
    };
    let moved = Transport::sinkhorn(&grid, b.clone(), &options)
        .unwrap()
        .value(&a);
    // The difference is of the order of 1/λ.
    let off = |lambda| moved - value(&b, lambda, &a).unwrap();
    let (near, far) = (off(1e4), off(1e5));
    assert!(
        near > 0.0 && far < 2e-4 && (near / far - 10.0).abs() < 0.05,
        "{near:e}, {far:e}"
    );
    // λ (√s − 1)² a unit of mass for a change by the factor s, up to a fraction of the order of ε/λ.
    let louder: Vec<f64> = a.iter().map(|r| 1.2 * r).collect();
    for lambda in [20.0, 200.0] {
        let changed = 2.0 * value(&a, lambda, &louder).unwrap();
        let off = changed / (lambda * (1.2_f64.sqrt() - 1.0).powi(2)) - 1.0;
        println!("λ = {lambda}: {off:.1e}");
        assert!(off.abs() < 0.3 / lambda, "λ = {lambda}: {off:e}");
    }
}

/// Mean over sixteen directions of twice ½W₂² between correlated Gaussians, whose marginals along θ have the variances θᵀΣθ.
#[test]
fn slices_have_the_distance_of_the_marginals_along_their_lines() {
    let grid = Grid::new(&[(-6.0, 6.0, 120), (-5.0, 7.0, 100)]).unwrap();
    let gaussian = |m: [f64; 2], [a, b, c]: [f64; 3]| {
        let det = a * c - b * b;
        let rho = grid.sample(|x| {
            let (u, v) = (x[0] - m[0], x[1] - m[1]);
            (-0.5 * (c * u * u - 2.0 * b * u * v + a * v * v) / det).exp()
        });
        normalised(&grid, rho)
    };
    let (one, two) = ([1.0, 0.6, 0.8], [0.7, -0.3, 1.2]);
    let (m, n) = ([0.2, 0.9], [-0.5, 1.3]);
    let loss = Transport::sliced(&grid, gaussian(n, two), 8).unwrap();
    let directions = (0..16).map(|k| std::f64::consts::PI * f64::from(k) / 16.0);
    let squared = directions.map(|angle| {
        let (s, c) = angle.sin_cos();
        let deviation = |[a, b, d]: [f64; 3]| (a * c * c + 2.0 * b * s * c + d * s * s).sqrt();
        let shift = c * (m[0] - n[0]) + s * (m[1] - n[1]);
        shift * shift + (deviation(one) - deviation(two)).powi(2)
    });
    let exact = 0.5 * squared.sum::<f64>() / 8.0;
    let found = loss.value(&gaussian(m, one));
    println!("{:.1e}", found / exact - 1.0);
    assert!((found / exact - 1.0).abs() < 2e-3, "{found} for {exact}");
    // Of a translation it is ½|s|², and on one frame that of the marginals.
    let moved = loss.value(&gaussian([n[0] + 0.8, n[1] - 0.6], two));
    assert!((moved / 0.5 - 1.0).abs() < 1e-3, "{moved}");
    let single = Transport::sliced(&grid, gaussian(n, two), 1).unwrap();
    let marginals = Transport::marginals(&grid, gaussian(n, two)).unwrap();
    let state = gaussian(m, one);
    assert_eq!(single.value(&state), marginals.value(&state));
}

/// In space the frames are random: ½|s|² for every translation, and correlations that the marginals do not see.
#[test]
fn slices_in_space_see_correlations() {
    let grid = Grid::new(&[(-4.0, 4.0, 20), (-4.0, 4.0, 24), (-4.0, 4.0, 22)]).unwrap();
    let tilted = |r: f64, m: f64| {
        let rho = grid.sample(|x| {
            let (u, v, w) = (x[0] - m, x[1] + m, x[2] - 0.5 * m);
            (-0.5 * (u * u - 2.0 * r * u * v + v * v) / (1.0 - r * r) - 0.5 * w * w).exp()
        });
        normalised(&grid, rho)
    };
    let loss = Transport::sliced(&grid, tilted(0.5, 0.0), 6).unwrap();
    let moved = loss.value(&tilted(0.5, 0.4));
    assert!((moved / (0.5 * 0.36) - 1.0).abs() < 2e-2, "{moved}");
    let blind = Transport::marginals(&grid, tilted(0.5, 0.0)).unwrap();
    let (seen, unseen) = (
        loss.value(&tilted(-0.5, 0.0)),
        blind.value(&tilted(-0.5, 0.0)),
    );
    assert!(seen > 0.02 && unseen < 1e-4, "{seen}, {unseen}");
}

/// A descent with the loss's own metric, from which the covector of the loss is represented without a solve.
#[test]
fn descents_by_slices_find_a_correlation() {
    let grid = Grid::new(&[(-6.0, 6.0, 60), (-6.0, 6.0, 60)]).unwrap();
    // Two bumps on the diagonal have marginals of two on the other one.
    let mixture = GaussianMixture::new(&grid)
        .component(0.5, &[1.5, 1.5], 0.6)
        .component(0.5, &[-1.5, -1.5], 0.6)
        .free(&[
            Parameter::Mean(0, 0),
            Parameter::Mean(0, 1),
            Parameter::Mean(1, 0),
            Parameter::Mean(1, 1),
        ])
        .unwrap();
    let target = [1.5, 1.5, -1.5, -1.5];
    let loss = Transport::sliced(&grid, mixture.density(&target).unwrap(), 6).unwrap();
    let report = Descent::new(&mixture, &loss)
        .run(&[2.5, -0.3, -1.0, 0.8], |_| ())
        .unwrap();
    assert!(report.converged(), "{report}");
    assert!(gap(&report.theta, &target) < 1e-6, "{:?}", report.theta);
}
