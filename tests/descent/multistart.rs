//! Searches from many starts: the optima that they find, the runs that fail, and what is the same on any number of threads.

use crate::support::gap;
use pullback::automatic::{Curve, Formula, Scalar};
use pullback::descent::Tolerances;
use pullback::loss::L2Misfit;
use pullback::multistart::{Merging, MultiStart, Summary};
use pullback::posterior::Variance;
use pullback::{Bounds, Descent, Error, Transform};

/// (θ₀² − 1, θ₁² − 4), with four perfect fits (±1, ±2).
struct Squares;

impl Formula for Squares {
    fn dims(&self) -> (usize, usize) {
        (2, 2)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out[0] = theta[0] * theta[0] - 1.0;
        out[1] = theta[1] * theta[1] - 4.0;
    }
}

/// (θ² − 1, 0.3 (θ − 1)), with a perfect fit at 1 and a local minimum near −0.98.
struct Wells;

impl Formula for Wells {
    fn dims(&self) -> (usize, usize) {
        (2, 1)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out[0] = theta[0] * theta[0] - 1.0;
        out[1] = (theta[0] - 1.0) * 0.3;
    }
}

/// ln θ, which fails for negative θ.
pub(crate) struct Logarithm;

impl Formula for Logarithm {
    fn dims(&self) -> (usize, usize) {
        (1, 1)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out[0] = theta[0].ln();
    }
}

/// θ₀ + θ₁ at two points, which determine only the sum.
struct Sum;

impl Formula for Sum {
    fn dims(&self) -> (usize, usize) {
        (2, 2)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out.fill(theta[0] + theta[1]);
    }
}

fn square_box() -> Bounds {
    Bounds::new(vec![-5.0; 2], vec![5.0; 2]).unwrap()
}

fn zeros(n: usize) -> L2Misfit {
    L2Misfit::euclidean(vec![0.0; n]).unwrap()
}

fn squares(search: impl Fn(MultiStart<'_>) -> MultiStart<'_>) -> Summary {
    let (curve, loss) = (Curve::new(Squares), zeros(2));
    let descent = Descent::new(&curve, &loss);
    search(MultiStart::new(&descent)).run(|_| ()).unwrap()
}

#[test]
fn all_four_perfect_fits_are_found_and_told_apart() {
    let summary = squares(|search| search.within(&square_box(), 40));
    assert_eq!((summary.starts(), summary.converged()), (40, 40));
    let mut found: Vec<Vec<i64>> = summary
        .optima()
        .iter()
        .map(|o| o.theta.iter().map(|t| (1e6 * t).round() as i64).collect())
        .collect();
    found.sort();
    let [a, b] = [1_000_000, 2_000_000];
    assert_eq!(found, [[-a, -b], [-a, b], [a, -b], [a, b]], "{summary}");
    let mut starts: Vec<usize> = summary
        .optima()
        .iter()
        .flat_map(|o| o.starts.clone())
        .collect();
    starts.sort_unstable();
    assert_eq!(starts, (0..40).collect::<Vec<_>>());
}

#[test]
fn a_representative_merges_optima_that_differ_by_a_symmetry() {
    let absolute = |theta: &[f64]| theta.iter().map(|t| t.abs()).collect();
    let (curve, loss) = (Curve::new(Squares), zeros(2));
    let descent = Descent::new(&curve, &loss);
    let search = MultiStart::new(&descent).within(&square_box(), 40);
    let summary = search.representative(&absolute).run(|_| ()).unwrap();
    let [optimum] = summary.optima() else {
        panic!("{summary}");
    };
    assert!(gap(&optimum.theta, &[1.0, 2.0]) < 1e-8 && optimum.starts.len() == 40);
}

#[test]
fn optima_are_sorted_and_the_table_names_them() {
    let (curve, loss) = (Curve::new(Wells), zeros(2));
    let descent = Descent::new(&curve, &loss);
    let search = MultiStart::new(&descent).at(&[[2.0], [-2.0], [3.0], [-0.5], [0.9]]);
    let summary = search.run(|_| ()).unwrap();
    let [best, other] = summary.optima() else {
        panic!("{summary}");
    };
    assert_eq!((&best.starts, &other.starts), (&vec![0, 2, 4], &vec![1, 3]));
    assert!((best.theta[0] - 1.0).abs() < 1e-8 && best.excess == 0.0);
    assert!(other.theta[0] < -0.9 && (other.excess - other.loss + best.loss).abs() < 1e-15);
    assert_eq!(summary.best().theta, best.theta);
    assert_eq!(summary.fits()[1].optimum, Some(1));
    let losses: Vec<f64> = summary.sorted().iter().map(|fit| fit.report.loss).collect();
    assert!(losses.is_sorted(), "{losses:?}");
    let total: usize = summary
        .fits()
        .iter()
        .map(|f| f.report.counts.model_solves)
        .sum();
    assert_eq!(summary.counts().model_solves, total);
    let text = summary.to_string();
    for part in [
        "5 starts: 5 converged to 2 distinct optima",
        "difference",
        " θ0\n",
        "model solves",
    ] {
        assert!(text.contains(part), "`{part}` is missing in\n{text}");
    }
}

#[test]
fn runs_that_fail_or_do_not_converge_are_counted_with_reasons() {
    let (curve, loss) = (Curve::new(Logarithm), zeros(1));
    let few = Tolerances {
        iterations: 3,
        ..Tolerances::default()
    };
    let descent = Descent::new(&curve, &loss).tolerances(few);
    let starts = [[1.0], [-1.0], [1e-9], [-2.0], [1.0 + 1e-9]];
    let summary = MultiStart::new(&descent).at(&starts).run(|_| ()).unwrap();
    let failed: Vec<usize> = summary.failures().iter().map(|f| f.start).collect();
    assert_eq!(failed, [1, 3]);
    assert_eq!(
        (summary.fits().len(), summary.converged()),
        (3, 2),
        "{summary}"
    );
    assert_eq!(summary.fits()[1].start, 2);
    assert_eq!(summary.fits()[1].optimum, None);
    let text = summary.to_string();
    for part in [
        "1 did not converge, 2 failed",
        "not converged: 1 × iteration limit",
        "failed: ",
    ] {
        assert!(text.contains(part), "`{part}` is missing in\n{text}");
    }
}

#[test]
fn without_any_convergence_the_lowest_run_is_the_best() {
    let (curve, loss) = (Curve::new(Wells), zeros(2));
    let few = Tolerances {
        iterations: 1,
        ..Tolerances::default()
    };
    let descent = Descent::new(&curve, &loss).tolerances(few);
    let search = MultiStart::new(&descent).at(&[[40.0], [2.0], [30.0]]);
    let summary = search.run(|_| ()).unwrap();
    assert_eq!((summary.converged(), summary.optima().len()), (0, 0));
    assert_eq!(summary.best().loss, summary.fits()[1].report.loss);
    assert_eq!(summary.lowest().start, 1);
    assert!(
        summary.to_string().contains("3 × iteration limit"),
        "{summary}"
    );
}

#[test]
fn a_search_that_fails_everywhere_is_an_error() {
    let (curve, loss) = (Curve::new(Logarithm), zeros(1));
    let descent = Descent::new(&curve, &loss);
    let search = MultiStart::new(&descent).at(&[[-1.0], [-1.0]]);
    let error = search.run(|_| ()).unwrap_err();
    assert!(matches!(error, Error::NoStart { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("every starting point was rejected") && text.contains("2 × "),
        "{text}"
    );
}

/// All that a search finds, as bits.
fn bits(summary: &Summary) -> Vec<u64> {
    let fits = summary.fits().iter().flat_map(|fit| {
        let numbers = [&fit.from[..], &fit.report.theta, &[fit.report.loss]].concat();
        let tail = [fit.start as u64, fit.optimum.map_or(99, |k| k as u64)];
        numbers.into_iter().map(f64::to_bits).chain(tail)
    });
    fits.collect()
}

#[test]
fn results_are_the_same_on_any_number_of_threads() {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let search = || {
            let summary = squares(|search| {
                let search = search.at(&[[0.5, 0.5]]).within(&square_box(), 20);
                search.around(&[1.0, 1.0], &[1.0, 0.0], 7).seed(3)
            });
            assert_eq!(summary.starts(), 28);
            (bits(&summary), summary.to_string())
        };
        pool.build().unwrap().install(search)
    };
    let one = run(1);
    assert!(one == run(2) && one == run(5));
}

#[test]
fn every_run_is_reported_once() {
    let (curve, loss) = (Curve::new(Squares), zeros(2));
    let descent = Descent::new(&curve, &loss);
    let seen = std::sync::Mutex::new(Vec::new());
    let search = MultiStart::new(&descent).within(&square_box(), 9);
    let observer = |p: pullback::multistart::Progress<'_>| {
        assert!(p.outcome.is_ok() && p.total == 9);
        seen.lock().unwrap().push([p.start, p.finished]);
    };
    let _ = search.run(observer).unwrap();
    let seen = seen.into_inner().unwrap();
    for (which, first) in [(0, 0), (1, 1)] {
        let mut column: Vec<usize> = seen.iter().map(|row| row[which]).collect();
        column.sort_unstable();
        assert_eq!(column, (first..first + 9).collect::<Vec<_>>());
    }
}

#[test]
fn starts_fill_the_box_evenly_in_the_coordinates_of_the_descent() {
    let (curve, loss) = (Curve::new(Squares), zeros(2));
    let transforms = [Transform::Log, Transform::Identity];
    let bounds = Bounds::new(vec![1e-4, -1.0], vec![1e4, 1.0]).unwrap();
    let descent = Descent::new(&curve, &loss).transforms(&transforms);
    let region = Bounds::new(vec![1e-4, 0.25], vec![1e4, 0.25]).unwrap();
    let search = MultiStart::new(&descent.bounds(&bounds))
        .within(&region, 8)
        .starts();
    let starts = search.unwrap();
    let mut decades: Vec<f64> = starts
        .iter()
        .map(|s| (s[0].log10() + 4.0).floor())
        .collect();
    decades.sort_by(f64::total_cmp);
    assert_eq!(decades, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    assert!(starts.iter().all(|s| s[1] == 0.25), "{starts:?}");
}

#[test]
fn seeds_and_groups_draw_different_points_and_scattered_ones_stay_in_the_bounds() {
    let (curve, loss) = (Curve::new(Squares), zeros(2));
    let bounds = Bounds::new(vec![0.0; 2], vec![1.0; 2]).unwrap();
    let descent = Descent::new(&curve, &loss).bounds(&bounds);
    let of = |seed| {
        let search = MultiStart::new(&descent).seed(seed);
        let search = search.around(&[0.5, 0.5], &[5.0, 0.1], 30);
        search
            .around(&[0.5, 0.5], &[5.0, 0.1], 30)
            .starts()
            .unwrap()
    };
    let starts = of(1);
    assert!(starts == of(1) && starts != of(2) && starts[..30] != starts[30..]);
    assert!(starts.iter().flatten().all(|t| (0.0..=1.0).contains(t)));
}

#[test]
fn scattered_points_follow_the_transforms() {
    let (curve, loss) = (Curve::new(Squares), zeros(2));
    let transforms = [Transform::Log, Transform::Identity];
    let descent = Descent::new(&curve, &loss).transforms(&transforms);
    let search = MultiStart::new(&descent).around(&[1e-3, -7.0], &[0.5, 0.0], 200);
    let starts = search.starts().unwrap();
    let logs: Vec<f64> = starts.iter().map(|s| (s[0] / 1e-3).ln() / 0.5).collect();
    let mean = logs.iter().sum::<f64>() / 200.0;
    let variance = logs.iter().map(|x| x * x).sum::<f64>() / 200.0;
    assert!(
        mean.abs() < 0.3 && (variance - 1.0).abs() < 0.4,
        "{mean} {variance}"
    );
    assert!(starts.iter().all(|s| s[1] == -7.0));
}

#[test]
fn standard_errors_merge_the_points_of_a_valley() {
    let (curve, loss) = (
        Curve::new(Sum),
        L2Misfit::euclidean(vec![1.0, 2.0]).unwrap(),
    );
    let descent = Descent::new(&curve, &loss);
    let search = MultiStart::new(&descent).within(&square_box(), 6);
    let plain = search.run(|_| ()).unwrap();
    assert_eq!(plain.optima().len(), 6, "{plain}");
    let search = search.standard_errors(Variance::Known);
    let merged = search.run(|_| ()).unwrap();
    let [valley] = merged.optima() else {
        panic!("{merged}");
    };
    assert_eq!(valley.starts.len(), 6);
    assert!(valley.standard_errors.as_ref().unwrap()[0].is_infinite());
    assert!(merged.to_string().contains("±inf"), "{merged}");
}

/// ((θ − 10⁵)² − 1, 0), with two optima at a distance of 2·10⁻⁵ of their size.
struct Offset;

impl Formula for Offset {
    fn dims(&self) -> (usize, usize) {
        (1, 1)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out[0] = (theta[0] - 1e5).powi(2) - 1.0;
    }
}

#[test]
fn a_common_offset_does_not_merge_optima() {
    let (curve, loss) = (Curve::new(Offset), zeros(1));
    let descent = Descent::new(&curve, &loss);
    let region = Bounds::new(vec![1e5 - 5.0], vec![1e5 + 5.0]).unwrap();
    let summary = MultiStart::new(&descent).within(&region, 20);
    let summary = summary.run(|_| ()).unwrap();
    assert_eq!(
        (summary.converged(), summary.optima().len()),
        (20, 2),
        "{summary}"
    );
    // Starts that do not differ say nothing of sizes.
    let summary = MultiStart::new(&descent).at(&[[1e5 + 2.0]; 3]);
    assert_eq!(summary.run(|_| ()).unwrap().optima().len(), 1);
}

#[test]
fn runs_that_end_at_their_target_are_no_optima() {
    let (curve, loss) = (Curve::new(Squares), zeros(2));
    let target = Tolerances {
        target: Some(1e-3),
        ..Tolerances::default()
    };
    let descent = Descent::new(&curve, &loss).tolerances(target);
    let search = MultiStart::new(&descent).within(&square_box(), 20);
    let summary = search.run(|_| ()).unwrap();
    assert_eq!(
        (summary.reached(), summary.converged()),
        (20, 0),
        "{summary}"
    );
    assert!(summary.optima().is_empty() && summary.best().loss <= 1e-3);
    let text = summary.to_string();
    assert!(
        text.contains("20 reached the target, 0 did not converge"),
        "{text}"
    );
    assert!(text.contains("which need not be an optimum"), "{text}");
}

#[test]
fn wider_tolerances_merge_more() {
    let wide = Merging {
        loss: 1.0,
        parameters: 3.0,
        ..Merging::default()
    };
    let summary = squares(|search| search.within(&square_box(), 20).merging(wide));
    assert_eq!(summary.optima().len(), 1, "{summary}");
}
