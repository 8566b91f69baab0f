//! Fits of few parameters to many data, against closed forms and against the same formula without blocks.

use pullback::automatic::{Curve, Error, Formula, Scalar};
use pullback::faer::{Mat, MatRef};
use pullback::fits::FitMany;
use pullback::loss::L2Misfit;
use pullback::{Bounds, Descent, Result, random};
use rayon::ThreadPoolBuilder;

/// How a formula computes a part of its values.
#[derive(Clone, Copy, PartialEq)]
enum Parts {
    None,
    Right,
    /// Forgets where a part begins.
    Wrong,
}

/// y = a exp(−b t) + c at this number of times from 0 to 4, where y does not fall below 0.5.
#[derive(Clone, Copy)]
struct Decay(usize, Parts);

impl Formula for Decay {
    fn dims(&self) -> (usize, usize) {
        (self.0, 3)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        Self(self.0, Parts::Right).rows(theta, 0, out);
    }

    fn rows<S: Scalar>(&self, theta: &[S], first: usize, out: &mut [S]) -> bool {
        let first = if self.1 == Parts::Wrong { 0 } else { first };
        for (i, y) in out.iter_mut().enumerate() {
            let t = 4.0 * (first + i) as f64 / self.0 as f64;
            let value = theta[0] * (theta[1] * -t).exp() + theta[2];
            *y = if value < 0.5 { S::from(0.5) } else { value };
        }
        self.1 != Parts::None
    }
}

const START: [f64; 3] = [1.0, 1.3, 0.2];

fn data(k: usize) -> Vec<f64> {
    let mut data = vec![0.0; k];
    Decay(k, Parts::None).values(&[2.0, 0.8, 0.5], &mut data);
    let noise = random::normal(k, 1, 0);
    data.iter_mut().zip(noise).for_each(|(y, e)| *y += 0.1 * e);
    data
}

fn on<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    pool.unwrap().install(work)
}

#[test]
fn blocks_and_threads_change_no_bit_of_a_fit() {
    let data = data(70_001);
    let column = MatRef::from_column_major_slice(&data, data.len(), 1);
    let fit = |parts| {
        let decay = Decay(data.len(), parts);
        let fits = FitMany::new(&decay).run(column, &START).unwrap();
        assert!(fits.all_converged(), "{fits}");
        (fits.theta, fits.standard_errors, fits.losses)
    };
    let descent = |parts| {
        let curve = Curve::new(Decay(data.len(), parts));
        let loss = L2Misfit::euclidean(data.clone()).unwrap();
        let report = Descent::new(&curve, &loss).run(&START, |_| ()).unwrap();
        assert!(report.converged(), "{report}");
        report.theta
    };
    let (fitted, descended) = on(1, || (fit(Parts::None), descent(Parts::None)));
    let theta = fitted.0.col_as_slice(0);
    let near = theta.iter().zip(&descended);
    assert!(near.clone().all(|(a, b)| (a - b).abs() < 1e-6), "{near:?}");
    for threads in [1, 2, 4] {
        let (again, anew) = on(threads, || (fit(Parts::Right), descent(Parts::Right)));
        assert_eq!(again, fitted, "{threads} threads");
        assert_eq!(anew, descended, "{threads} threads");
    }
}

#[test]
fn parts_that_contradict_the_values_are_an_error() {
    let data = data(5000);
    let column = MatRef::from_column_major_slice(&data, data.len(), 1);
    let decay = Decay(data.len(), Parts::Wrong);
    let fitted = FitMany::new(&decay).run(column, &START).map(|_| ());
    let curve = Curve::new(decay);
    let loss = L2Misfit::euclidean(data.clone()).unwrap();
    let descended = Descent::new(&curve, &loss).run(&START, |_| ()).map(|_| ());
    for outcome in [fitted, descended] {
        let error = outcome.unwrap_err();
        assert!(
            matches!(error.of::<Error>(), Some(Error::Rows { row: 1.. })),
            "{error}"
        );
        assert!(error.to_string().contains("let `values` call `rows`"));
    }
}

/// Straight line y = a + b t in parameters of these sizes.
struct Line {
    times: Vec<f64>,
    sizes: [f64; 2],
}

impl Formula for Line {
    fn dims(&self) -> (usize, usize) {
        (self.times.len(), 2)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        for (y, t) in out.iter_mut().zip(&self.times) {
            *y = theta[0] / self.sizes[0] + theta[1] / self.sizes[1] * *t;
        }
    }
}

/// Closed form of the regression: slope S_ty/S_tt, and the variances s²/S_tt and s²(1/n + t̄²/S_tt).
fn regression(times: &[f64], data: &[f64]) -> ([f64; 2], [f64; 2]) {
    let n = times.len() as f64;
    let mean = |x: &[f64]| x.iter().sum::<f64>() / n;
    let (t, y) = (mean(times), mean(data));
    let squares: f64 = times.iter().map(|s| (s - t).powi(2)).sum();
    let products = times.iter().zip(data).map(|(s, x)| (s - t) * (x - y));
    let slope = products.sum::<f64>() / squares;
    let level = y - slope * t;
    let residuals = times
        .iter()
        .zip(data)
        .map(|(s, x)| (x - level - slope * s).powi(2));
    let variance = residuals.sum::<f64>() / (n - 2.0);
    let errors = [variance * (1.0 / n + t * t / squares), variance / squares];
    ([level, slope], errors.map(f64::sqrt))
}

#[test]
fn lines_are_those_of_the_closed_form_for_any_number_of_data() -> Result<()> {
    // Numbers at which the blocks of the reduction end, and sizes whose squares leave the range of numbers.
    let sizes = [[1.0, 1.0], [1e180, 1e-180], [1e-3, 1e5]];
    for n in [3, 255, 256, 257, 1000, 32_768, 32_769, 70_000] {
        let times: Vec<f64> = (0..n).map(|i| 1.0 + 3.0 * i as f64 / n as f64).collect();
        let noise = random::normal(n, 2, 0);
        let pairs = times.iter().zip(&noise);
        let data: Vec<f64> = pairs.map(|(t, e)| 2.0 - 0.7 * t + 0.3 * e).collect();
        let (values, errors) = regression(&times, &data);
        for sizes in sizes {
            let line = Line {
                times: times.clone(),
                sizes,
            };
            let column = MatRef::from_column_major_slice(&data, n, 1);
            let fits = FitMany::new(&line).run(column, &[sizes[0], sizes[1]])?;
            assert!(fits.all_converged(), "{n}: {fits}");
            for (j, size) in sizes.into_iter().enumerate() {
                let theta = fits.theta[(j, 0)] / size;
                assert!((theta - values[j]).abs() < 1e-9, "{n}, {sizes:?}: {theta}");
                let error = fits.standard_errors[(j, 0)] / size;
                assert!(
                    (error / errors[j] - 1.0).abs() < 1e-9,
                    "{n}, {sizes:?}: {error}"
                );
            }
        }
    }
    Ok(())
}

#[test]
fn held_parameters_leave_no_system_and_many_data_are_no_obstacle() -> Result<()> {
    for n in [10, 1000] {
        let line = Line {
            times: (0..n).map(|i| i as f64 / n as f64).collect(),
            sizes: [1.0, 1.0],
        };
        let bounds = Bounds::new(vec![0.0; 2], vec![1.0; 2])?;
        let data = Mat::from_fn(n, 1, |i, _| 5.0 + i as f64);
        let fits = FitMany::new(&line)
            .bounds(&bounds)
            .run(data.as_ref(), &[0.5, 0.5])?;
        assert_eq!(fits.theta.col_as_slice(0), [1.0, 1.0], "{fits}");
    }
    Ok(())
}
