//! Transport of an unknown initial field against closed forms, and its posterior against dense algebra.

use std::f64::consts::PI;

use crate::support::{column, gap, identity, reference_solve};
use pullback::evolution::{Evolution, Method};
use pullback::faer::Mat;
use pullback::loss::Observations;
use pullback::models::fields::{AdvectionDiffusion, Scheme};
use pullback::posterior::Rank;
use pullback::prior::{Matern, PriorTerms};
use pullback::{Descent, Grid, Noise, Operator, Prior, random, verify};

const SCHEMES: [Scheme; 2] = [Scheme::Upwind, Scheme::Central];

/// Transport by a rough velocity, in a box of one, two or three dimensions.
fn rough(cells: &[usize], scheme: Scheme) -> AdvectionDiffusion {
    let axes: Vec<_> = cells.iter().map(|n| (0.0, 1.0, *n)).collect();
    let grid = Grid::new(&axes).unwrap();
    let speeds = random::normal(grid.faces(), 1, 0);
    let transport = AdvectionDiffusion::new(&grid, 0.02).unwrap();
    transport.scheme(scheme).face_velocities(speeds).unwrap()
}

#[test]
fn solutions_superpose_and_keep_their_mass() {
    for scheme in SCHEMES {
        for cells in [vec![13], vec![5, 4], vec![3, 2, 4]] {
            let model = Evolution::new(rough(&cells, scheme), vec![0.3, 1.0]).unwrap();
            let model = model.every(0.01).unwrap();
            let grid = model.dynamics().grid().clone();
            let n = grid.cells();
            let [a, b] = [1, 2].map(|seed| random::uniform(n, (0.0, 1.0), seed));
            let sum: Vec<f64> = a.iter().zip(&b).map(|(a, b)| 2.0 * a - 0.5 * b).collect();
            let [seen_a, seen_b, seen] = [&a, &b, &sum].map(|x| model.predict(x).unwrap());
            let exact = seen_a.iter().zip(&seen_b).map(|(a, b)| 2.0 * a - 0.5 * b);
            assert!(gap(&seen, &exact.collect::<Vec<_>>()) < 1e-13);
            let mass = grid.integrate(&a).unwrap();
            for field in seen_a.chunks(n) {
                let off = (grid.integrate(field).unwrap() / mass - 1.0).abs();
                assert!(off < 1e-13, "{scheme:?}, {cells:?}: {off:e}");
                let least = field.iter().copied().fold(f64::INFINITY, f64::min);
                assert!(scheme == Scheme::Central || least >= 0.0, "{least}");
            }
        }
    }
}

/// Largest error of a Gaussian cloud that moves by v t and widens to the variance s² + 2 D t.
fn cloud_error(n: usize, scheme: Scheme) -> f64 {
    let grid = Grid::new(&[(-1.0, 2.0, n)]).unwrap();
    let (v, diffusion, s, t) = (1.2, 0.05, 0.2_f64, 0.5);
    let cloud = |t: f64| {
        let variance = s * s + 2.0 * diffusion * t;
        let square = move |x: f64| (x - v * t) * (x - v * t) / (2.0 * variance);
        grid.sample(|x| (-square(x[0])).exp() / (2.0 * PI * variance).sqrt())
    };
    let transport = AdvectionDiffusion::new(&grid, diffusion).unwrap();
    let transport = transport
        .velocity(|_| [v, 0.0, 0.0])
        .unwrap()
        .scheme(scheme);
    let model = Evolution::new(transport, vec![t]).unwrap();
    let found = model.predict(&cloud(0.0)).unwrap();
    let pairs = found.iter().zip(cloud(t));
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn a_cloud_moves_and_widens_as_in_the_closed_form() {
    for (scheme, order, bound) in [(Scheme::Upwind, 1.0, 0.15), (Scheme::Central, 2.0, 0.01)] {
        let sizes = if scheme == Scheme::Upwind {
            [256, 512]
        } else {
            [64, 128]
        };
        let [coarse, fine] = sizes.map(|n| cloud_error(n, scheme));
        let found = (coarse / fine).log2();
        assert!((found - order).abs() < 0.12, "{scheme:?}: {found}");
        assert!(fine < bound, "{scheme:?}: {fine}");
    }
}

/// In two dimensions the cloud is a product of clouds in one.
#[test]
fn a_cloud_in_the_plane_is_a_product() {
    let line = |v: f64| {
        let grid = Grid::new(&[(0.0, 1.0, 10)]).unwrap();
        let transport = AdvectionDiffusion::new(&grid, 0.02).unwrap();
        transport.velocity(|_| [v, 0.0, 0.0]).unwrap()
    };
    let starts = [1, 2].map(|seed| random::uniform(10, (0.0, 1.0), seed));
    let speeds = [0.4, -0.7];
    let predict = |transport, start: &[f64]| {
        let model = Evolution::new(transport, vec![0.6]).unwrap();
        model.predict(start).unwrap()
    };
    let lines = [0, 1].map(|d| predict(line(speeds[d]), &starts[d]));
    let product = |[a, b]: &[Vec<f64>; 2]| -> Vec<f64> {
        a.iter()
            .flat_map(|a| b.iter().map(move |b| a * b))
            .collect()
    };
    let grid = Grid::new(&[(0.0, 1.0, 10), (0.0, 1.0, 10)]).unwrap();
    let plane = AdvectionDiffusion::new(&grid, 0.02).unwrap();
    let plane = plane.velocity(|_| [speeds[0], speeds[1], 0.0]).unwrap();
    let found = predict(plane, &product(&starts));
    assert!(gap(&found, &product(&lines)) < 1e-7);
}

#[test]
fn kept_steps_pass_verification() {
    for scheme in SCHEMES {
        for method in [Method::Explicit, Method::Implicit] {
            let dynamics = rough(&[3, 4], scheme);
            let theta = random::normal(12, 3, 0);
            let model = Evolution::new(dynamics, vec![0.1, 0.5]).unwrap();
            let model = model.method(method).keep_steps(&theta).unwrap();
            let checks = verify::model(&model, &theta, 1).unwrap();
            assert!(checks.passed(), "{method:?}: {checks}");
        }
    }
}

/// The problem is linear and Gaussian: Σ = (HᵀH/σ² + C⁻¹)⁻¹ and m + Σ Hᵀ(d − H m)/σ².
#[test]
fn the_low_rank_posterior_of_an_initial_field_is_the_dense_one() {
    const N: usize = 20;
    const NOISE: f64 = 0.02;
    let grid = Grid::new(&[(0.0, 1.0, N)]).unwrap();
    let transport = AdvectionDiffusion::new(&grid, 0.01).unwrap();
    let transport = transport.velocity(|_| [0.5, 0.0, 0.0]).unwrap();
    let transport = transport.sensors(&[[0.4], [0.63], [0.9]]).unwrap();
    let model = Evolution::new(transport, vec![0.1, 0.3, 0.6]).unwrap();
    let model = model.every(0.01).unwrap();
    // The columns of H are the responses to unit fields.
    let mut h = Mat::zeros(9, N);
    for j in 0..N {
        let unit: Vec<f64> = (0..N).map(|i| f64::from(u8::from(i == j))).collect();
        let seen = model.predict(&unit).unwrap();
        h.col_as_slice_mut(j).copy_from_slice(&seen);
    }
    let data = random::normal(9, 5, 0);
    let noise = Noise::uniform(9, NOISE).unwrap();
    let loss = Observations::new(Operator::identity(9), data.clone(), noise).unwrap();
    let mean = vec![0.3; N];
    let prior = Matern::new(&grid, 0.5, 0.3).unwrap().around(mean.clone());
    let prior = prior.unwrap();
    let root = PriorTerms::new(&[&prior as &dyn Prior], &mean).unwrap();
    let root = root.matrix().unwrap();
    let precision = root.transpose() * &root;
    let scale = pullback::faer::Scale(1.0 / (NOISE * NOISE));
    let total = (h.transpose() * &h) * scale + &precision;
    let covariance = reference_solve(total.as_ref(), identity(N).as_ref());
    let missing = Mat::from_fn(9, 1, |i, _| data[i]) - &h * column(&mean);
    let shift = (&covariance * (h.transpose() * &missing)) * scale;
    let best: Vec<f64> = (0..N).map(|i| mean[i] + shift[(i, 0)]).collect();

    let descent = Descent::new(&model, &loss).prior(&prior);
    let report = descent.run(&mean, |_| ()).unwrap();
    assert!(report.converged(), "{report}");
    assert!(gap(&report.theta, &best) < 1e-8, "{:?}", report.theta);
    let rank = Rank {
        rank: 9,
        ..Rank::default()
    };
    let posterior = descent.posterior(&report.theta, rank).unwrap();
    let exact: Vec<f64> = (0..N).map(|i| covariance[(i, i)]).collect();
    let off = gap(&posterior.variances().unwrap(), &exact);
    assert!(off < 1e-7, "{off:e}");
    assert!(
        exact
            .iter()
            .zip(posterior.prior_variances().unwrap())
            .any(|(a, b)| *a < 0.1 * b)
    );
}
