//! The Lorenz equations from one coordinate alone, without a model.

use pullback::correction::{Corrected, Options, Regression, Replicates, Simulator};
use pullback::metric::Observed;
use pullback::models::Occupations;
use pullback::models::flow::{Flow, Lorenz};
use pullback::models::trajectory::{Delay, Sampling};
use pullback::{Bounds, Grid, Operator};

const DELAY: Delay = Delay {
    coordinate: 0,
    lag: 16,
    copies: 3,
};

fn sampling(duration: f64) -> Sampling {
    Sampling {
        duration,
        interval: 0.01,
        tolerance: 1e-7,
        ..Sampling::default()
    }
}

fn grid(cells: usize) -> Grid {
    Grid::new(&[(-25.0, 25.0, cells); 3]).unwrap()
}

/// The histogram without stored points is that of the stored points, and of their mirror images.
#[test]
fn delays_of_a_stream_are_those_of_a_trajectory() {
    let (grid, sampling) = (grid(8), sampling(50.0));
    let streamed = sampling
        .delay_occupation(&Lorenz, &Lorenz::CLASSIC, &grid, &DELAY)
        .unwrap();
    let trajectory = sampling.run(&Lorenz, &Lorenz::CLASSIC, |_| ()).unwrap();
    let delayed = trajectory.delayed(&DELAY).unwrap();
    assert_eq!(delayed.points.len(), trajectory.points.len() - 32);
    for (k, point) in delayed.points.iter().enumerate() {
        let back = |lag: usize| trajectory.points[k + 32 - lag][0];
        assert_eq!(*point, [back(0), back(16), back(32)]);
    }
    let stored = delayed.histogram(&grid, Some([-1.0; 3])).unwrap();
    assert_eq!(streamed, stored);
    // Lorenz mirrors x and y, and leaves z alone.
    assert_eq!(Lorenz.symmetry(), Some([-1.0, -1.0, 1.0]));
    let heights = Delay {
        coordinate: 2,
        ..DELAY
    };
    let above = Grid::new(&[(0.0, 60.0, 8); 3]).unwrap();
    let streamed = sampling
        .delay_occupation(&Lorenz, &Lorenz::CLASSIC, &above, &heights)
        .unwrap();
    let stored = trajectory
        .delayed(&heights)
        .unwrap()
        .histogram(&above, None)
        .unwrap();
    assert_eq!(streamed, stored);
}

/// A histogram is zero where no sample fell; a single sample there must not outweigh the others.
#[test]
fn the_metric_of_delays_is_not_dominated_by_cells_without_samples() {
    let grid = grid(8);
    let of_points = Occupations::new(&grid, &Lorenz, sampling(50.0));
    assert_eq!(of_points.metric().floor, 1e-11);
    let of_delays = of_points.delayed(DELAY);
    assert_eq!(of_delays.metric().floor, 1e-3);
}

/// Largest relative errors of a parameter of the fit in a diagonal metric, and in that of the covariance.
fn fitted(seed: u64) -> [f64; 2] {
    let grid = grid(8);
    let simulator = Occupations::new(&grid, &Lorenz, sampling(500.0)).delayed(DELAY);
    let data = simulator
        .simulate(&Lorenz::CLASSIC, seed)
        .unwrap()
        .data()
        .unwrap();
    let bounds = Bounds::new(vec![1.0, 2.8, 0.26], vec![40.0, 112.0, 10.6]).unwrap();
    let options = Options {
        seed: 1000 + seed,
        ..Options::default()
    };
    let metric = simulator.metric();
    let first = Corrected::without_model(&simulator, &data, &metric)
        .bounds(&bounds)
        .options(options.clone())
        .run(&[&[9.0, 25.0, 2.2]], |_| ())
        .unwrap();
    let replicates =
        Replicates::simulate(&simulator, &first.theta, (150, 77 + seed), |_| ()).unwrap();
    let (noise, identity) = (
        replicates.noise(0.01).unwrap(),
        Operator::identity(data.len()),
    );
    let metric = Observed::new(&identity, &noise).unwrap();
    let second = Corrected::without_model(&simulator, &data, &metric)
        .regression(Regression {
            displacement: 0.03,
            ..Regression::default()
        })
        .bounds(&bounds)
        .options(options)
        .run(&[&first.theta], |_| ())
        .unwrap();
    assert!(second.converged(), "seed {seed}: {second}");
    let worst = |theta: &[f64]| {
        let pairs = theta.iter().zip(Lorenz::CLASSIC);
        pairs.map(|(t, s)| (t / s - 1.0).abs()).fold(0.0, f64::max)
    };
    [worst(&first.theta), worst(&second.theta)]
}

#[test]
fn one_coordinate_determines_all_parameters_and_the_covariance_sharpens_them() {
    let mut errors: Vec<[f64; 2]> = (0..3).map(fitted).collect();
    println!("largest errors of a parameter: {errors:.4?}");
    errors.sort_by(|a, b| a[1].total_cmp(&b[1]));
    assert!(errors[1][1] < 5e-3 && errors[2][1] < 1e-2, "{errors:?}");
    assert!(
        errors.iter().all(|[first, second]| second < first),
        "{errors:?}"
    );
}
