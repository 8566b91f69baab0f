//! Searches whose full runs begin at the most promising of many starts.

use std::sync::Mutex;

use super::multistart::Logarithm;
use pullback::automatic::{Curve, Formula, Scalar};
use pullback::descent::Stop;
use pullback::loss::L2Misfit;
use pullback::multistart::{MultiStart, Summary};
use pullback::{Bounds, Descent};

/// sin(ωt) at 40 times, whose misfit has a local minimum in every interval of about π/10 of ω.
struct Wave;

impl Formula for Wave {
    fn dims(&self) -> (usize, usize) {
        (40, 1)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        for (k, y) in out.iter_mut().enumerate() {
            *y = (theta[0] * (0.25 * k as f64)).sin();
        }
    }
}

/// The starts from which so many steps reach the lowest objectives, by runs that are stopped by hand.
fn lowest_after(
    descent: &Descent<'_>,
    starts: &[Vec<f64>],
    (steps, count): (usize, usize),
) -> Vec<usize> {
    let reached = |theta: &Vec<f64>| {
        let mut run = descent.begin(theta).unwrap();
        (0..steps).for_each(|_| _ = run.step().unwrap());
        run.loss()
    };
    let reached: Vec<f64> = starts.iter().map(reached).collect();
    let mut order: Vec<usize> = (0..starts.len()).collect();
    order.sort_by(|&i, &j| reached[i].total_cmp(&reached[j]));
    order.truncate(count);
    order.sort_unstable();
    order
}

/// Share of the full runs that found a perfect fit.
fn share(found: &Summary) -> f64 {
    let runs = found.fits().iter();
    runs.filter(|f| f.report.loss < 1e-12).count() as f64 / found.fits().len() as f64
}

#[test]
fn full_runs_begin_at_the_starts_whose_short_runs_ended_lowest() {
    let wave = Curve::new(Wave);
    let loss = L2Misfit::euclidean(wave.predict(&[3.0]).unwrap()).unwrap();
    let descent = Descent::new(&wave, &loss);
    let range = Bounds::new(vec![0.5], vec![6.0]).unwrap();
    let search = || MultiStart::new(&descent).within(&range, 60);
    let all = search().run(|_| ()).unwrap();
    let found = Mutex::new(Vec::new());
    let chosen = search()
        .shortlist(8, 3)
        .run(|progress| {
            let stop = progress.outcome.map(|report| report.stop).unwrap();
            let mut found = found.lock().unwrap();
            found.push((progress.start, progress.total, stop));
        })
        .unwrap();

    let best = lowest_after(&descent, &search().starts().unwrap(), (3, 8));
    let starts: Vec<usize> = chosen.fits().iter().map(|fit| fit.start).collect();
    assert_eq!(starts, best, "{chosen}");
    assert_eq!(
        (chosen.starts(), chosen.dropped(), all.dropped()),
        (60, 52, 0)
    );
    // A full run is the same with and without a shortlist, and the short runs are paid for.
    let mut cost = 0;
    for fit in chosen.fits() {
        let whole = &all.fits()[fit.start];
        assert_eq!(fit.report.theta, whole.report.theta);
        assert_eq!(fit.report.history.len(), whole.report.history.len());
        cost += fit.report.counts.model_solves;
    }
    assert!(chosen.counts().model_solves >= cost + 60 * 3);
    assert!(chosen.counts().model_solves < all.counts().model_solves);
    // Three of four full runs find the global minimum, where one start in fifteen lies in its valley.
    assert!(share(&chosen) >= 4.0 * share(&all), "{all}\n{chosen}");
    let found = found.into_inner().unwrap();
    assert_eq!(found.len(), 68);
    assert!(found.iter().all(|(_, total, _)| *total == 68));
    let unfinished = found.iter().filter(|(.., stop)| *stop == Stop::Unfinished);
    assert!(unfinished.count() > 40);
    let text = chosen.to_string();
    assert!(
        text.starts_with("52 of 60 starts had only a short run\n8 starts:"),
        "{text}"
    );
}

#[test]
fn starts_that_fail_are_reported_and_do_not_take_a_place() {
    let (curve, loss) = (
        Curve::new(Logarithm),
        L2Misfit::euclidean(vec![0.0]).unwrap(),
    );
    let descent = Descent::new(&curve, &loss);
    let search = MultiStart::new(&descent).at(&[[-1.0], [2.0], [-3.0], [5.0], [0.5]]);
    let summary = search.clone().shortlist(2, 1).run(|_| ()).unwrap();
    let failed: Vec<usize> = summary.failures().iter().map(|f| f.start).collect();
    assert_eq!(
        (failed, summary.fits().len(), summary.dropped()),
        (vec![0, 2], 2, 1)
    );
    // A shortlist longer than the list changes nothing.
    let summary = search.shortlist(10, 1).run(|_| ()).unwrap();
    assert_eq!(
        (summary.fits().len(), summary.dropped(), summary.starts()),
        (3, 0, 5)
    );
}
