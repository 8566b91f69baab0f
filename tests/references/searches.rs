//! Searches for the published fit of STAT5 from starts anywhere in the published bounds.

use pullback::descent::{Stop, Tolerances};
use pullback::evolution::{Evolution, Method};
use pullback::loss::{Datum, Family, Likelihood, NoiseLevel};
use pullback::models::dynamics::JakStat;
use pullback::multistart::{MultiStart, Summary};
use pullback::{Bounds, Descent, Transform};

/// Negative log-likelihood of the published fit (Hass et al. 2019), to the accuracy of the time steps here.
const PUBLISHED: f64 = -JakStat::BEST_LOG_LIKELIHOOD;

fn search(set: impl Fn(MultiStart<'_>) -> MultiStart<'_>) -> Summary {
    let values = JakStat::MEASUREMENTS.iter().flatten().enumerate();
    let data = values.map(|(index, &value)| {
        let mean = 6 * (index / 3) + index % 3;
        Datum {
            mean,
            noise: NoiseLevel::Entry(mean + 3),
            value,
            family: Family::Gaussian,
        }
    });
    let loss = Likelihood::new(96, data).unwrap();
    let model = Evolution::new(JakStat, JakStat::TIMES.to_vec()).unwrap();
    let model = model
        .method(Method::Implicit)
        .accuracy(1e-6, &[1e-6])
        .unwrap();
    let bounds = Bounds::new(vec![1e-5; 9], vec![1e5; 9]).unwrap();
    let descent = Descent::new(&model, &loss)
        .transforms(&[Transform::Log; 9])
        .bounds(&bounds)
        .tolerances(Tolerances {
            iterations: 300,
            ..Tolerances::default()
        });
    let starts = MultiStart::new(&descent).within(&bounds, 60);
    set(starts).run(|_| ()).unwrap()
}

/// A start with noise levels that are wrong by powers of ten costs tens of iterations, not hundreds.
#[test]
fn runs_from_any_noise_level_end_in_time() {
    let all = search(|starts| starts);
    let fits = all.fits().iter();
    let slow = fits.filter(|fit| matches!(fit.report.stop, Stop::Iterations { .. }));
    assert!(slow.count() <= 1 && all.failures().len() <= 1, "{all}");
    let mut steps: Vec<usize> = all.fits().iter().map(|f| f.report.iterations()).collect();
    steps.sort_unstable();
    assert!(steps[steps.len() / 2] <= 80, "{steps:?}");
}

#[test]
fn a_shortlist_finds_the_published_fit_repeatedly() {
    let found = search(|starts| starts.shortlist(12, 20));
    let runs = found.fits().iter();
    let best = runs.filter(|fit| (fit.report.loss - PUBLISHED).abs() < 1e-3);
    assert!(best.count() >= 3, "{found}");
    let below = found
        .fits()
        .iter()
        .filter(|f| f.report.loss < PUBLISHED - 1e-3);
    assert_eq!(below.count(), 0, "{found}");
}
