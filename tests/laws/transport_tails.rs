//! Transport losses of densities whose tails leave the range of numbers, and of densities far apart.

use pullback::loss::{Sinkhorn, Transport, UnbalancedTransport};
use pullback::{Cpu, Grid, Loss};

fn gradient(loss: &dyn Loss, rho: &[f64]) -> Vec<f64> {
    let mut u = vec![f64::NAN; rho.len()];
    loss.gradient(rho, &mut u);
    u
}

/// Normal density of a mass.
fn bump(grid: &Grid, mass: f64, mean: f64, deviation: f64) -> Vec<f64> {
    let scale = mass / (deviation * std::f64::consts::TAU.sqrt());
    grid.sample(|x| scale * (-0.5 * ((x[0] - mean) / deviation).powi(2)).exp())
}

#[test]
fn tails_of_subnormal_numbers_count_as_empty() {
    let tail = f64::from_bits(1);
    let grid = Grid::new(&[(0.0, 3.0, 3)]).unwrap();
    // Shares of the mass along the line, and of their mirrored images.
    let rows = [
        [tail, 1.0, 0.0],
        [tail, 0.5, 0.5],
        [0.0, tail, 1.0],
        [tail, tail, 1.0],
    ];
    let states = [
        [0.2, 0.3, 0.5],
        [0.0, 0.0, 1.0],
        [tail, 0.5, 0.5],
        [tail, 1.0, 0.0],
    ];
    let cleared = |row: [f64; 3]| row.map(|r| if r == tail { 0.0 } else { r });
    for (target, state) in rows
        .iter()
        .flat_map(|r| states.iter().map(move |s| (*r, *s)))
    {
        for make in [Transport::new, |g: &Grid, q| Transport::sliced(g, q, 2)] {
            let loss = make(&grid, target.to_vec()).unwrap();
            let expected = make(&grid, cleared(target).to_vec())
                .unwrap()
                .value(&cleared(state));
            let mirror = |row: [f64; 3]| row.iter().rev().copied().collect::<Vec<_>>();
            let mirrored = make(&grid, mirror(target)).unwrap();
            assert!(
                (loss.value(&state) - expected).abs() < 1e-14,
                "{target:?} {state:?}"
            );
            assert!(
                (mirrored.value(&mirror(state)) - expected).abs() < 1e-14,
                "{target:?} {state:?}"
            );
            assert!(
                gradient(&loss, &state).iter().all(|g| g.is_finite()),
                "{target:?} {state:?}"
            );
        }
    }
}

#[test]
fn bumps_with_tails_below_all_numbers_move_to_each_other() {
    let grid = Grid::new(&[(-60.0, 60.0, 1200)]).unwrap();
    for (from, to) in [(20.0, -15.0), (-15.0, 20.0), (38.0, -1.0), (0.0, 0.5)] {
        let (a, b) = (bump(&grid, 1.0, from, 1.0), bump(&grid, 1.0, to, 1.0));
        let loss = Transport::new(&grid, b).unwrap();
        let exact = 0.5 * (from - to) * (from - to);
        assert!(
            (loss.value(&a) - exact).abs() < 1e-9 * exact.max(1.0),
            "{from} {to}: {}",
            loss.value(&a)
        );
        // The derivative by the mean.
        let h = grid.volume();
        let moved: Vec<f64> = a
            .iter()
            .zip(grid.axes()[0].centres())
            .map(|(r, x)| r * (x - from))
            .collect();
        let slope: f64 = gradient(&loss, &a)
            .iter()
            .zip(&moved)
            .map(|(g, m)| g * m)
            .sum();
        assert!(
            (slope - (from - to)).abs() < 1e-6,
            "{from} {to}: {slope} {h}"
        );
    }
}

#[test]
fn gradients_of_the_unbalanced_cost_are_right_far_from_the_target() {
    let grid = Grid::new(&[(-30.0, 30.0, 300)]).unwrap();
    let model = |t: [f64; 3]| bump(&grid, t[0], t[1], t[2]);
    for lambda in [0.5, 1.0, 10.0, 100.0] {
        let loss =
            UnbalancedTransport::new(&grid, model([2.0, -8.0, 1.5]), lambda, &Sinkhorn::default())
                .unwrap();
        for theta in [
            [0.5, 0.0, 1.0],
            [0.5, 5.0, 1.0],
            [0.5, -2.0, 1.0],
            [10.0, 20.0, 3.0],
            [2.0, -7.0, 1.5],
        ] {
            let slopes = gradient(&loss, &model(theta));
            assert!(
                slopes.iter().all(|u| u.abs() < 1e14 * lambda),
                "{lambda} {theta:?}"
            );
            for j in 0..3 {
                let at = |s: f64| {
                    let mut moved = theta;
                    moved[j] += s;
                    moved
                };
                let central = |h: f64, f: &dyn Fn(f64) -> f64| {
                    (8.0 * (f(h) - f(-h)) - (f(2.0 * h) - f(-2.0 * h))) / (12.0 * h)
                };
                let difference = central(1e-2, &|s| loss.value(&model(at(s))));
                let claimed: f64 = (0..grid.cells())
                    .map(|i| slopes[i] * central(1e-3, &|s| model(at(s))[i]))
                    .sum();
                let off = (claimed - difference).abs();
                println!("{lambda} {theta:?} {j}: {claimed:.6e} {difference:.6e}");
                assert!(
                    off <= 1e-5 * difference.abs() + 1e-7 * lambda,
                    "{lambda} {theta:?} {j}: {claimed} {difference}"
                );
            }
        }
    }
}

#[test]
fn unbalanced_transport_converges_between_bumps_far_apart() {
    let grid = Grid::new(&[(-50.0, 50.0, 500)]).unwrap();
    let (a, b) = (bump(&grid, 1.0, -30.0, 1.0), bump(&grid, 1.0, 30.0, 1.0));
    let mut last = 0.0;
    for lambda in [1.0, 10.0, 1e2, 1e3, 1e4, 1e5, 1e7, 1e9] {
        let loss =
            UnbalancedTransport::new(&grid, b.clone(), lambda, &Sinkhorn::default()).unwrap();
        let misfit = loss
            .at(&a, Cpu::shared())
            .unwrap_or_else(|e| panic!("{lambda}: {e}"));
        // Points at the distance d cost min ½ηd² + λ(η ln η − η + 1) at ε = 0, and the best share to move is η = e^{−d²/(2λ)}. The
        // blur, λ/16 or 2h² = .08 for small λ, takes a fraction of ε/(2λ). The width of the bumps counts in d⁴/λ, and not in d².
        let points = -lambda * (-3600.0 / (2.0 * lambda)).exp_m1();
        println!("{lambda:e}: {} {points}", misfit.value());
        assert!(misfit.value() > last);
        last = misfit.value();
        let bound = if lambda < 1e7 {
            0.005 + 0.045 / lambda
        } else {
            1e-6
        };
        assert!(
            (misfit.value() - points).abs() < bound * points,
            "{lambda}: {} {points}",
            misfit.value()
        );
    }
}
