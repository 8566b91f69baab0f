//! Corrections without a model, ensembles and delay coordinates, given what makes no sense.

use pullback::correction::{Corrected, Ensemble, Options, Regression, Simulated, Simulator};
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

#[test]
fn corrections_without_a_model_check_their_input() {
    let metric = L2 { volume: 1.0 };
    let run = |regression: Regression, data: &[f64], start: &[&[f64]]| {
        let options = Options {
            restarts: 0,
            ..Options::default()
        };
        Corrected::without_model(&Three { noise: 0.0 }, data, &metric)
            .regression(regression)
            .options(options)
            .run(start, |_| ())
            .map(|_| ())
            .unwrap_err()
    };
    let displaced = |displacement: f64| Regression {
        displacement,
        ..Regression::default()
    };
    let remembering = |memory: usize| Regression {
        memory,
        ..Regression::default()
    };
    let (good, data) = (Regression::default(), [1.0, 2.0, 0.0]);
    let table: &[(Regression, &[f64], &[&[f64]], &str, &str)] = &[
        (displaced(0.0), &data, &[&[0.5]], "Option", "displacement"),
        (displaced(-0.1), &data, &[&[0.5]], "Option", "displacement"),
        (
            displaced(f64::NAN),
            &data,
            &[&[0.5]],
            "Option",
            "displacement",
        ),
        (
            displaced(f64::INFINITY),
            &data,
            &[&[0.5]],
            "Option",
            "displacement",
        ),
        (
            remembering(2),
            &data,
            &[&[0.5]],
            "Option",
            "two more than there are parameters",
        ),
        (
            remembering(0),
            &data,
            &[&[0.5]],
            "Option",
            "two more than there are parameters",
        ),
        (good, &data, &[], "Option", "starting points"),
        (good, &data, &[&[]], "Option", "at least one parameter"),
        (
            good,
            &data,
            &[&[0.5], &[0.5, 1.0]],
            "Dimension",
            "starting point",
        ),
        (good, &data, &[&[f64::NAN]], "NotFinite", "starting point"),
        (good, &[], &[&[0.5]], "Option", "number of data"),
        (good, &data[1..], &[&[0.5]], "Dimension", "a simulation"),
        (
            good,
            &[1.0, f64::NAN, 0.0],
            &[&[0.5]],
            "NotFinite",
            "the data",
        ),
        (good, &data, &[&[10.0]], "NotFinite", "a simulation"),
        (good, &data, &[&[-10.0]], "Dimension", "a simulation"),
        (good, &data, &[&[60.0]], "NoStart", "too much"),
    ];
    for (regression, data, start, kind, words) in table {
        let error = run(*regression, data, start);
        let text = error.to_string();
        assert!(
            error.kind() == *kind && text.contains(words),
            "{kind}, {words}: {text}"
        );
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
fn ensembles_check_their_input() {
    let of = |noise: f64, theta: &[f64], runs: usize| {
        Ensemble::simulate(&Three { noise }, theta, (runs, 1), |_| ())
    };
    for (theta, runs, kind) in [
        (&[0.5][..], 1, "Option"),
        (&[f64::NAN], 9, "NotFinite"),
        (&[10.0], 9, "NotFinite"),
        (&[60.0], 9, "Model"),
    ] {
        assert_eq!(of(0.1, theta, runs).unwrap_err().kind(), kind, "{theta:?}");
    }
    let ensemble = of(0.1, &[0.5], 9).unwrap();
    for shrinkage in [0.0, -0.1, 1.1, f64::NAN] {
        let error = ensemble.noise(shrinkage).unwrap_err().to_string();
        assert!(error.contains("shrinkage"), "{error}");
    }
    // Whatever the rounding of their mean, equal simulations have no spread.
    for theta in [0.1, 0.3, 0.5, 0.7] {
        let ensemble = of(0.0, &[theta], 7).unwrap();
        let error = ensemble.noise(0.1).unwrap_err().to_string();
        assert!(error.contains("spread of the simulations"), "{error}");
    }
}

#[test]
fn delay_coordinates_check_their_input() {
    let good = Delay {
        coordinate: 0,
        lag: 2,
        copies: 3,
    };
    let series = [1.0, 2.0, 3.0, 4.0, 5.0];
    assert_eq!(good.embed(&series, None).unwrap().points, [[5.0, 3.0, 1.0]]);
    let embed = |delay: Delay, series: &[f64]| delay.embed(series, None).unwrap_err();
    let table: &[(Delay, &[f64], &str, &str)] = &[
        (Delay { lag: 0, ..good }, &series, "Option", "lag"),
        (
            Delay { copies: 1, ..good },
            &series,
            "Option",
            "two or three",
        ),
        (
            Delay { copies: 4, ..good },
            &series,
            "Option",
            "two or three",
        ),
        (good, &series[1..], "Option", "shorter lag"),
        (
            Delay {
                lag: usize::MAX,
                ..good
            },
            &series,
            "Option",
            "shorter lag",
        ),
        (good, &[], "Option", "shorter lag"),
        (
            good,
            &[1.0, 2.0, f64::NAN, 4.0, 5.0],
            "NotFinite",
            "the series",
        ),
    ];
    for (delay, series, kind, words) in table {
        let error = embed(*delay, series);
        assert!(
            error.kind() == *kind && error.to_string().contains(words),
            "{error}"
        );
    }
    let plane = Trajectory {
        points: vec![[1.0, 2.0, 0.0]; 9],
        dim: 2,
        interval: None,
    };
    let wrong = plane
        .delayed(&Delay {
            coordinate: 2,
            ..good
        })
        .unwrap_err();
    assert!(wrong.to_string().contains("observed coordinate"), "{wrong}");
    let sampling = Sampling {
        duration: 1.0,
        interval: 0.1,
        ..Sampling::default()
    };
    let grid = Grid::new(&[(-30.0, 30.0, 4); 3]).unwrap();
    let occupy = |delay: Delay, grid: &Grid| {
        let found = sampling.delay_occupation(&Lorenz, &Lorenz::CLASSIC, (grid, &delay), |_| ());
        found.unwrap_err().to_string()
    };
    assert!(occupy(Delay { copies: 2, ..good }, &grid).contains("axes"));
    assert!(
        occupy(
            Delay {
                coordinate: 3,
                ..good
            },
            &grid
        )
        .contains("observed coordinate")
    );
    assert!(occupy(Delay { lag: 8, ..good }, &grid).contains("number of samples"));
    let mixed = sampling.delay_occupation(&VanDerPol, &[1.0], (&grid, &good), |_| ());
    assert!(mixed.is_ok(), "three delays of a flow in the plane");
}
