//! Corrections without a model, replicates and delay coordinates, given what makes no sense.

use pullback::correction::{Corrected, Options, Regression, Replicates, Simulated, Simulator};
use pullback::metric::{FisherRao, L2};
use pullback::models::flow::{Lorenz, VanDerPol};
use pullback::models::trajectory::{Delay, Sampling, Trajectory};
use pullback::{Grid, Result, random};

/// Three numbers, with noise if any.
struct Three {
    noise: f64,
}

impl Simulator for Three {
    fn simulate(&self, theta: &[f64], seed: u64) -> Result<Simulated> {
        if theta[0] > 50.0 {
            return Ok(Simulated::Rejected("too much".into()));
        }
        let e = random::normal(3, seed, 0);
        // Not a number beyond 9, and one number too few below -9.
        let x = if theta[0] > 9.0 { f64::NAN } else { theta[0] };
        let mut data = vec![
            x + self.noise * e[0],
            2.0 * x + self.noise * e[1],
            self.noise * e[2],
        ];
        if theta[0] < -9.0 {
            data.pop();
        }
        Ok(data.into())
    }
}

/// Kind and text of the error of a correction without a model.
fn refused(regression: Regression, data: &[f64], start: &[&[f64]]) -> (&'static str, String) {
    let metric = L2 { volume: 1.0 };
    let options = Options {
        restarts: 0,
        ..Options::default()
    };
    let error = Corrected::without_model(&Three { noise: 0.0 }, data, &metric)
        .regression(regression)
        .options(options)
        .run(start, |_| ())
        .unwrap_err();
    (error.kind(), error.to_string())
}

#[test]
fn regressions_check_their_options() {
    let (start, data): (&[&[f64]], _) = (&[&[0.5]], [1.0, 2.0, 0.0]);
    for displacement in [0.0, -0.1, f64::NAN, f64::INFINITY] {
        let regression = Regression {
            displacement,
            ..Regression::default()
        };
        let (kind, text) = refused(regression, &data, start);
        assert!(kind == "Option" && text.contains("displacement"), "{text}");
    }
    for memory in [0, 2] {
        let regression = Regression {
            memory,
            ..Regression::default()
        };
        let (kind, text) = refused(regression, &data, start);
        assert!(kind == "Option" && text.contains("two more than"), "{text}");
    }
}

#[test]
fn corrections_without_a_model_check_their_input() {
    let (data, nan) = ([1.0, 2.0, 0.0], [1.0, f64::NAN, 0.0]);
    let good: &[&[f64]] = &[&[0.5]];
    type Row<'a> = (&'a [f64], &'a [&'a [f64]], &'a str, &'a str);
    let table: &[Row<'_>] = &[
        (&data, &[], "Option", "starting points"),
        (&data, &[&[]], "Option", "at least one parameter"),
        (&data, &[&[0.5], &[0.5, 1.0]], "Dimension", "starting point"),
        (&data, &[&[f64::NAN]], "NotFinite", "starting point"),
        (&[], good, "Option", "number of data"),
        (&data[1..], good, "Dimension", "a simulation"),
        (&nan, good, "NotFinite", "the data"),
        (&data, &[&[10.0]], "NotFinite", "a simulation"),
        (&data, &[&[-10.0]], "Dimension", "a simulation"),
        (&data, &[&[60.0]], "NoStart", "too much"),
    ];
    for (data, start, kind, words) in table {
        let (found, text) = refused(Regression::default(), data, start);
        assert!(found == *kind && text.contains(words), "{kind}: {text}");
    }
    // Data that are no density have no Fisher-Rao metric.
    let metric = FisherRao::new(&Grid::new(&[(0.0, 1.0, 3)]).unwrap());
    let run = Corrected::without_model(&Three { noise: 0.0 }, &[-1.0, 2.0, 0.0], &metric)
        .run(&[&[0.5]], |_| ());
    assert_eq!(run.unwrap_err().kind(), "Negative");
}

#[test]
fn a_simulator_without_effect_moves_nothing() {
    struct Deaf;
    impl Simulator for Deaf {
        fn simulate(&self, _: &[f64], _: u64) -> Result<Simulated> {
            Ok(vec![1.0, 2.0].into())
        }
    }
    let metric = L2 { volume: 1.0 };
    let report = Corrected::without_model(&Deaf, &[0.0, 0.0], &metric).run(&[&[0.5, 0.5]], |_| ());
    assert_eq!(report.unwrap().theta, [0.5, 0.5]);
}

#[test]
fn replicates_check_their_input() {
    let of = |noise: f64, theta: &[f64], runs: usize| {
        Replicates::simulate(&Three { noise }, theta, (runs, 1), |_| ())
    };
    for (theta, runs, kind) in [
        (&[0.5][..], 1, "Option"),
        (&[f64::NAN], 9, "NotFinite"),
        (&[10.0], 9, "NotFinite"),
        (&[60.0], 9, "Model"),
    ] {
        assert_eq!(of(0.1, theta, runs).unwrap_err().kind(), kind, "{theta:?}");
    }
    let replicates = of(0.1, &[0.5], 9).unwrap();
    for shrinkage in [0.0, -0.1, 1.1, f64::NAN] {
        let error = replicates.noise(shrinkage).unwrap_err().to_string();
        assert!(error.contains("shrinkage"), "{error}");
    }
    // Whatever the rounding of their mean, equal simulations have no spread.
    for theta in [0.1, 0.3, 0.5, 0.7] {
        let ensemble = of(0.0, &[theta], 7).unwrap();
        let error = ensemble.noise(0.1).unwrap_err().to_string();
        assert!(error.contains("spread of the simulations"), "{error}");
    }
}

/// Three observations: one of 0.1 that never varies, though 0.1 has rounding errors in every mean, and two that do.
#[test]
fn an_observation_that_never_varies_has_no_spread() {
    struct Constant;
    impl Simulator for Constant {
        fn simulate(&self, theta: &[f64], seed: u64) -> Result<Simulated> {
            let e = random::normal(2, seed, 0);
            Ok(vec![0.1, theta[0] + 0.1 * e[0], 3.0 + 0.2 * e[1]].into())
        }
    }
    for runs in [3, 7, 300] {
        let found = Replicates::simulate(&Constant, &[1.0], (runs, 1), |_| ()).unwrap();
        let c = &found.covariance;
        assert!(
            (0..3).all(|i| c[(i, 0)] == 0.0 && c[(0, i)] == 0.0),
            "{c:?}"
        );
        assert_eq!(found.mean[0], 0.1);
        assert!(c[(1, 1)] > 0.0 && c[(2, 2)] > 0.0);
    }
}

#[test]
fn replicates_are_compared_with_data_by_the_fit() {
    struct Settling;
    impl Simulator for Settling {
        fn simulate(&self, theta: &[f64], seed: u64) -> Result<Simulated> {
            Ok(vec![theta[0] + random::normal(1, seed, 0)[0]].into())
        }
        fn objection(&self, simulated: &[f64], data: &[f64]) -> Option<String> {
            let settled = simulated[0] < 0.0 && data[0] > 0.0;
            settled.then(|| format!("{} is settled", simulated[0]))
        }
    }
    let (data, metric) = ([5.0], L2 { volume: 1.0 });
    let fit = Corrected::without_model(&Settling, &data, &metric);
    assert!(fit.replicates(&[9.0], (50, 1), |_| ()).is_ok());
    // The first failure in the order of the seeds is told, on any number of threads.
    let error = || {
        fit.replicates(&[1.5], (600, 1), |_| ())
            .unwrap_err()
            .to_string()
    };
    let first = error();
    assert!(first.contains("is settled"), "{first}");
    assert!((0..5).all(|_| error() == first));
    let short = Corrected::without_model(&Settling, &[1.0, 2.0], &metric);
    let error = short.replicates(&[9.0], (50, 1), |_| ()).unwrap_err();
    assert_eq!(error.kind(), "Dimension");
}

/// Delay coordinates of an observed coordinate, lag and number.
fn delay(coordinate: usize, lag: usize, copies: usize) -> Delay {
    Delay {
        coordinate,
        lag,
        copies,
    }
}

#[test]
fn delay_coordinates_check_their_input() {
    let (good, series) = (delay(0, 2, 3), [1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(good.embed(&series, None).unwrap().points, [[5.0, 3.0, 1.0]]);
    let nan = [1.0, 2.0, f64::NAN, 4.0, 5.0];
    let table: &[(Delay, &[f64], &str, &str)] = &[
        (delay(0, 0, 3), &series, "Option", "lag"),
        (delay(0, 2, 1), &series, "Option", "two or three"),
        (delay(0, 2, 4), &series, "Option", "two or three"),
        (delay(0, usize::MAX, 3), &series, "Option", "shorter lag"),
        (good, &series[1..], "Option", "shorter lag"),
        (good, &[], "Option", "shorter lag"),
        (good, &nan, "NotFinite", "the series"),
    ];
    for (delay, series, kind, words) in table {
        let error = delay.embed(series, None).unwrap_err();
        let text = error.to_string();
        assert!(error.kind() == *kind && text.contains(words), "{text}");
    }
    let plane = Trajectory {
        points: vec![[1.0, 2.0, 0.0]; 9],
        dim: 2,
        interval: None,
    };
    let wrong = plane.delayed(&delay(2, 2, 3)).unwrap_err().to_string();
    assert!(wrong.contains("observed coordinate"), "{wrong}");
}

#[test]
fn measures_in_delay_coordinates_check_their_input() {
    let sampling = Sampling {
        duration: 1.0,
        interval: 0.1,
        ..Sampling::default()
    };
    let grid = Grid::new(&[(-30.0, 30.0, 4); 3]).unwrap();
    let occupy = |delay: Delay| {
        let found = sampling.delay_occupation(&Lorenz, &Lorenz::CLASSIC, &grid, &delay);
        found.unwrap_err().to_string()
    };
    assert!(occupy(delay(0, 2, 2)).contains("axes"));
    assert!(occupy(delay(3, 2, 3)).contains("observed coordinate"));
    // The longest delays overflow, and need no simulation to be refused.
    for lag in [5, 8, usize::MAX / 2, usize::MAX] {
        let text = occupy(delay(0, lag, 3));
        assert!(
            text.contains("number of samples") && text.contains("shorter lag"),
            "{text}"
        );
    }
    // Three delays of a flow in the plane are possible.
    let mixed = sampling.delay_occupation(&VanDerPol, &[1.0], &grid, &delay(0, 2, 3));
    assert!(mixed.is_ok());
}
