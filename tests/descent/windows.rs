//! Growing windows of time: windows are parts of the whole, and their sequence reaches optima that a single fit misses.

use crate::support::gap;
use pullback::automatic::Scalar;
use pullback::continuation::{End, GrowingWindow, Path};
use pullback::evolution::{Dynamics, Evolution, Experiment, Method, Window};
use pullback::loss::{Datum, Family, L2Misfit, Likelihood, NoiseLevel, Observations};
use pullback::models::dynamics::LotkaVolterra;
use pullback::prior::Tikhonov;
use pullback::{Descent, Error, Loss, Model, Noise, Report, Result, Transform, random};

const TRUTH: [f64; 4] = [1.5, 1.0, 1.0, 3.0];

fn prey(times: impl Iterator<Item = f64>) -> Evolution<LotkaVolterra> {
    let dynamics = LotkaVolterra::new([1.0, 1.0]).unwrap();
    Evolution::new(dynamics, times.collect()).unwrap()
}

/// The noise level of every datum is 1 % of its mean. A single fit over three periods ends 10³ times as high as the best.
#[test]
fn a_growing_window_rescues_prey_and_predators() {
    let model = prey((1..=100).map(|i| 0.1 * f64::from(i)));
    let mean = model.predict(&TRUTH).unwrap();
    let sigma: Vec<f64> = mean.iter().map(|x| 0.01 * x).collect();
    let errors = random::normal(mean.len(), 1, 0);
    let pairs = mean.iter().zip(&sigma).zip(&errors);
    let data: Vec<f64> = pairs.map(|((x, s), e)| x + s * e).collect();
    let loss = |part: &dyn Fn(&[f64]) -> Result<Vec<f64>>| {
        let noise = Noise::deviations(part(&sigma)?)?;
        Observations::present(&part(&data)?, &noise)
    };
    let whole = loss(&|x| Ok(x.to_vec())).unwrap();
    let start = [0.5; 4];
    let direct = Descent::new(&model, &whole).run(&start, |_| ()).unwrap();
    let best = Descent::new(&model, &whole).run(&TRUTH, |_| ()).unwrap();
    assert!(best.converged() && best.loss < 130.0, "{best}");
    assert!(direct.loss > 1e3 * best.loss, "{direct}");

    let windows = GrowingWindow::new(&model, &[1.0, 2.0, 4.0, 7.0]).unwrap();
    let fit = |window: &Window<LotkaVolterra>, start: &[f64]| {
        let loss = loss(&|x| window.part(x))?;
        Descent::new(window.model(), &loss).run(start, |_| ())
    };
    let path = windows.run(&start, fit, |_| ()).unwrap();
    println!("{path}");
    assert!(path.reached(), "{path}");
    let last = &path.last().report;
    assert!(gap(&last.theta, &best.theta) < 1e-7, "{last}");
    assert!((last.loss / best.loss - 1.0).abs() < 1e-10, "{last}");
}

/// ẋ = u − θ₀x from x = θ₁, with an input u.
struct Tank;

impl Dynamics for Tank {
    fn dims(&self) -> (usize, usize) {
        (1, 3)
    }

    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out[0] = theta[2] - theta[0] * x[0];
    }

    fn initial<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        out[0] = theta[1];
    }

    fn outputs(&self) -> usize {
        2
    }

    fn observe<S: Scalar>(&self, t: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out[0] = x[0];
        out[1] = theta[0] * x[0] + (1.0 + t).recip();
    }
}

/// Three experiments: one with inputs that change, one that settles, and one that begins late with its own initial value.
fn tanks() -> Evolution<Tank> {
    let pulsed = Experiment::new(vec![0.5, 1.0, 2.0, 3.0, 4.5])
        .given(2, 1.0)
        .from(1.5, &[(2, 0.0)])
        .from(3.0, &[(2, 2.0)]);
    let settled = Experiment::new(vec![1.0, 2.5, f64::INFINITY])
        .given(2, 0.3)
        .rested(&[(2, 0.1)]);
    let late = Experiment::new(vec![3.5, 5.0])
        .start(3.2)
        .own(1, 2)
        .given(2, 0.2);
    let model = Evolution::over(Tank, vec![pulsed, settled, late]).unwrap();
    model.method(Method::Implicit)
}

#[test]
fn a_window_is_a_part_of_the_whole() {
    let theta = [0.7, 1.3, 0.4];
    let equal = tanks().every(0.1).unwrap();
    let kept = tanks().keep_steps(&[0.6, 1.0, 0.5]).unwrap();
    let chosen = tanks();
    for (t, length) in [
        (0.7, 2),
        (1.0, 6),
        (1.5, 6),
        (2.0, 8),
        (2.9, 10),
        (3.0, 12),
        (3.3, 12),
        (4.0, 14),
        (9.0, 18),
        (f64::INFINITY, 20),
    ] {
        for (model, bits) in [(&equal, true), (&kept, true), (&chosen, false)] {
            let window = model.until(t).unwrap();
            assert_eq!(window.entries().len(), length);
            assert_eq!(window.model().param_dim(), 3);
            let found = window.model().predict(&theta).unwrap();
            let expected = window.part(&model.predict(&theta).unwrap()).unwrap();
            if bits {
                assert_eq!(found, expected, "up to {t}");
            } else {
                assert!(gap(&found, &expected) < 1e-7, "up to {t}");
            }
        }
    }
    let late = tanks().until(4.0).unwrap();
    let entries: Vec<usize> = [0..8, 10..14, 16..18].into_iter().flatten().collect();
    assert_eq!((late.entries(), late.end()), (&entries[..], 4.0));
}

/// The initial value of the late experiment has no influence in the first windows. A prior holds it, which the last window does
/// without.
#[test]
fn parameters_of_later_experiments_wait() {
    let (model, truth) = (tanks(), [0.7, 1.3, 0.4]);
    let data = model.predict(&truth).unwrap();
    let prior = Tikhonov::new(vec![0.4, 1.0, 0.9], Noise::uniform(3, 1e3).unwrap()).unwrap();
    let windows = GrowingWindow::new(&model, &[1.0, 3.0]).unwrap();
    let start = [0.4, 1.0, 0.9];
    let fit = |held: bool| {
        let fit = |window: &Window<Tank>, start: &[f64]| {
            let loss = L2Misfit::euclidean(window.part(&data)?)?;
            let descent = Descent::new(window.model(), &loss);
            let open = held && window.end() < 4.0;
            let descent = if open { descent.prior(&prior) } else { descent };
            descent.run(start, |_| ())
        };
        windows.run(&start, fit, |_| ())
    };
    let path = fit(true).unwrap();
    assert!(path.reached(), "{path}");
    assert_eq!(ends(&path), [1.0, 3.0, f64::INFINITY]);
    let waiting = path.points()[1].report.theta[2];
    assert!((waiting - 0.9).abs() < 1e-9, "{waiting}");
    assert!(gap(&path.last().report.theta, &truth) < 1e-6, "{path}");
    // Without a prior the windows before the late experiment are left out.
    let path = fit(false).unwrap();
    assert!(path.reached() && path.points().len() == 1, "{path}");
    assert!(gap(&path.last().report.theta, &truth) < 1e-6, "{path}");
    let left: Vec<f64> = path.rejected().iter().map(|run| run.value).collect();
    assert_eq!(left, [1.0, 3.0]);
}

/// ẋ = −θ₀x from 1, with a dose of 2 at the unknown time θ₁.
struct Dosed;

impl Dynamics for Dosed {
    fn dims(&self) -> (usize, usize) {
        (1, 2)
    }

    fn rate<S: Scalar>(&self, _: f64, x: &[S], theta: &[S], out: &mut [S]) {
        out[0] = -theta[0] * x[0];
    }

    fn initial<S: Scalar>(&self, _: &[S], out: &mut [S]) {
        out[0] = S::from(1.0);
    }

    fn events(&self) -> usize {
        1
    }

    fn event<S: Scalar>(&self, _: usize, t: f64, _: &[S], theta: &[S]) -> S {
        -theta[1] + t
    }

    fn jump<S: Scalar>(&self, _: usize, _: f64, x: &mut [S], _: &[S]) {
        x[0] += 2.0;
    }
}

#[test]
fn windows_before_the_event_at_an_unknown_time_are_left_out() {
    let times: Vec<f64> = (1..=12).map(|i| 0.5 * f64::from(i)).collect();
    let model = Evolution::new(Dosed, times.clone()).unwrap();
    // x = e^(−0.4 t), and 2 e^(−0.4 (t − 3.3)) more after the dose, with errors of 0.01.
    let closed = |t: f64| {
        let dose = if t > 3.3 {
            2.0 * (-0.4 * (t - 3.3)).exp()
        } else {
            0.0
        };
        (-0.4 * t).exp() + dose + 0.01 * (7.0 * t).sin()
    };
    let data: Vec<f64> = times.iter().map(|t| closed(*t)).collect();
    let windows = GrowingWindow::new(&model, &[1.0, 2.0, 4.0]).unwrap();
    let (mut seen, mut solves) = (Vec::new(), 0);
    let fit = |window: &Window<Dosed>, start: &[f64]| {
        let loss = L2Misfit::euclidean(window.part(&data)?)?;
        let transforms = [Transform::Log; 2];
        let descent = Descent::new(window.model(), &loss).transforms(&transforms);
        let report = descent.run(start, |_| ())?;
        solves += report.counts.model_solves;
        Ok(report)
    };
    let path = windows
        .run(&[0.3, 3.2], fit, |progress| seen.push(progress.value))
        .unwrap();
    assert!(path.reached(), "{path}");
    assert_eq!(seen, [1.0, 2.0, 4.0, 6.0]);
    assert_eq!(ends(&path), [4.0, 6.0]);
    let theta = &path.last().report.theta;
    assert!(gap(theta, &[0.4, 3.3]) < 0.02, "{theta:?}");
    assert_eq!(path.rejected().len(), 2);
    assert_eq!(path.rejected()[1].value, 2.0);
    let reason = &path.rejected()[0].reason;
    assert!(reason.contains("depends on θ1"), "{reason}");
    assert_eq!(path.counts().model_solves, solves);
}

fn ends(path: &Path) -> Vec<f64> {
    path.points().iter().map(|point| point.value).collect()
}

/// Fits windows of 20 times from the truth by a fit that refuses what `refuses` names: the numbers of times in the last window
/// and in this one.
fn walk(refuses: impl Fn(usize, usize) -> bool) -> Path {
    let model = prey((1..=20).map(f64::from));
    let data = model.predict(&TRUTH).unwrap();
    let mut last = 0;
    let fit = |window: &Window<LotkaVolterra>, start: &[f64]| -> Result<Report> {
        let count = window.entries().len() / 2;
        if refuses(last, count) {
            return Err(Error::custom("too far"));
        }
        last = count;
        let loss = L2Misfit::euclidean(window.part(&data)?)?;
        Descent::new(window.model(), &loss).run(start, |_| ())
    };
    let windows = GrowingWindow::new(&model, &[4.0, 12.0]).unwrap();
    windows.run(&TRUTH, fit, |_| ()).unwrap()
}

#[test]
fn windows_that_grow_too_fast_are_halved() {
    let path = walk(|last, count| last > 0 && count > last + 4);
    assert!(path.reached() && !path.rejected().is_empty(), "{path}");
    assert_eq!(ends(&path), [4.0, 8.0, 12.0, 16.0, 20.0], "{path}");
    assert_eq!(path.rejected()[0].value, 12.0);
    // The eleventh time is one too many for any window.
    let path = walk(|_, count| count > 10);
    assert_eq!(path.end(), End::Stuck { step: 1.0 }, "{path}");
    assert_eq!(path.last().value, 10.0);
}

/// Means and noise levels are entries of the state in turn. A datum whose noise level is outside is left out.
#[test]
fn a_part_of_a_likelihood_holds_the_data_of_its_entries() {
    let datum = |(k, value): (usize, &f64)| Datum {
        mean: 2 * k,
        noise: match k {
            0 => NoiseLevel::Given(0.3),
            _ => NoiseLevel::Entry(2 * k + 1),
        },
        value: *value,
        family: Family::Laplace,
    };
    let values = [1.0, 2.0, 4.0, 8.0];
    let whole = Likelihood::new(8, values.iter().enumerate().map(datum)).unwrap();
    let part = whole.part(&[0, 4, 5, 6]).unwrap();
    assert_eq!(part.count(), 2);
    let rho = [1.5, 3.0, 0.7, 9.0];
    let laplace = |y: f64, mean: f64, sigma: f64| (2.0 * sigma).ln() + (y - mean).abs() / sigma;
    let expected = laplace(1.0, 1.5, 0.3) + laplace(4.0, 3.0, 0.7);
    assert!((part.value(&rho) - expected).abs() < 1e-14);
    assert!(whole.part(&[0, 8]).is_err() && whole.part(&[6]).is_err());
}
