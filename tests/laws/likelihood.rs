//! Likelihoods: densities of mass one, derivatives, and the Fisher information as the variance of the gradient.

use crate::support::{column, gap, matrix_gap, numbers};
use pullback::faer::Mat;
use pullback::loss::{Datum, Family, Likelihood, NoiseLevel};
use pullback::{Cpu, Loss, random, verify};
use serde_json::Value;
use std::f64::consts::FRAC_PI_2;

pub(crate) const FAMILIES: [Family; 7] = [
    Family::Gaussian,
    Family::Laplace,
    Family::LogNormal,
    Family::Log10Normal,
    Family::Student { freedom: 0.6 },
    Family::Student { freedom: 4.0 },
    Family::Student { freedom: 250.0 },
];

/// One datum with μ and σ as the entries of the state.
pub(crate) fn single(family: Family, value: f64) -> Likelihood {
    let datum = Datum {
        mean: 0,
        noise: NoiseLevel::Entry(1),
        value,
        family,
    };
    Likelihood::new(2, [datum]).unwrap()
}

fn gradient(loss: &dyn Loss, rho: &[f64]) -> Vec<f64> {
    let mut u = vec![f64::NAN; rho.len()];
    loss.gradient(rho, &mut u);
    u
}

fn fisher(loss: &dyn Loss, rho: &[f64]) -> Mat<f64> {
    let (cpu, metric) = (Cpu::default(), loss.metric().unwrap());
    let root = metric.at(rho, &cpu).unwrap();
    let identity = Mat::<f64>::identity(rho.len(), rho.len());
    root.apply(identity.as_ref()).unwrap()
}

fn hessian(loss: &dyn Loss, rho: &[f64]) -> Option<Mat<f64>> {
    let identity = Mat::<f64>::identity(rho.len(), rho.len());
    loss.hessian(rho, identity.as_ref()).unwrap()
}

/// ∫ p(y) h(y) dy over all y by the double exponential formula (Takahasi and Mori 1974), from the mean outwards.
pub(crate) fn expected(family: Family, rho: &[f64; 2], h: impl Fn(&Likelihood) -> f64) -> f64 {
    let logarithm = match family {
        Family::LogNormal => Some(1.0),
        Family::Log10Normal => Some(10.0_f64.ln()),
        _ => None,
    };
    let mut sum = 0.0;
    let step = 1.0 / 32.0;
    for i in -600..=600 {
        let t = f64::from(i) * step;
        // x = exp(π/2 sinh t) runs from 0 to ∞.
        let x = (FRAC_PI_2 * t.sinh()).exp();
        let dx = x * FRAC_PI_2 * t.cosh();
        for side in [-1.0, 1.0] {
            let (y, dy) = match logarithm {
                None => (rho[0] + side * rho[1] * x, rho[1] * dx),
                Some(unit) => {
                    let y = rho[0] * (side * rho[1] * unit * x).exp();
                    (y, y * rho[1] * unit * dx)
                }
            };
            if !(y.is_finite() && dy.is_finite()) || logarithm.is_some() && y < 1e-300 {
                continue;
            }
            let loss = single(family, y);
            let density = (-loss.value(rho)).exp();
            if density * dy > 1e-300 {
                sum += step * dy * density * h(&loss);
            }
        }
    }
    sum
}

#[test]
fn densities_have_mass_one() {
    for family in FAMILIES {
        for rho in [[0.7, 0.2], [3.0, 1.5]] {
            let mass = expected(family, &rho, |_| 1.0);
            assert!((mass - 1.0).abs() < 1e-11, "{family:?} at {rho:?}: {mass}");
        }
    }
}

#[test]
fn the_metric_is_the_expected_square_of_the_gradient_and_the_expected_hessian() {
    for family in FAMILIES {
        for rho in [[0.7, 0.2], [3.0, 1.5]] {
            let metric = fisher(&single(family, 1.0), &rho);
            let squares = Mat::from_fn(2, 2, |i, j| {
                expected(family, &rho, |loss| {
                    let u = gradient(loss, &rho);
                    u[i] * u[j]
                })
            });
            let off = matrix_gap(squares.as_ref(), metric.as_ref());
            assert!(off < 1e-10, "{family:?} at {rho:?}: {off:e}");
            if hessian(&single(family, 1.0), &rho).is_none() {
                assert_eq!(family, Family::Laplace);
                continue;
            }
            let mean = Mat::from_fn(2, 2, |i, j| {
                expected(family, &rho, |loss| hessian(loss, &rho).unwrap()[(i, j)])
            });
            let off = matrix_gap(mean.as_ref(), metric.as_ref());
            assert!(off < 1e-10, "{family:?} at {rho:?}: {off:e}");
        }
    }
}

/// Data of one family, or of all, on a state of six entries: a mean and a noise level shared by two data, a given noise level, an
/// entry that is both, and one that is not used.
pub(crate) fn mixed(families: &[Family]) -> Likelihood {
    let entry = NoiseLevel::Entry;
    let places = [
        (0, entry(4)),
        (0, entry(4)),
        (1, NoiseLevel::Given(0.4)),
        (2, entry(4)),
        (5, entry(5)),
        (1, entry(5)),
        (2, NoiseLevel::Given(1.3)),
    ];
    let values = random::uniform(places.len(), (0.5, 2.0), 4);
    let data = places.into_iter().zip(values).enumerate();
    let data = data.map(|(i, ((mean, noise), value))| Datum {
        mean,
        noise,
        value,
        family: families[i % families.len()],
    });
    Likelihood::new(6, data).unwrap()
}

/// Each family alone, and all together.
fn mixtures() -> Vec<(String, Likelihood)> {
    let mut all: Vec<_> = FAMILIES
        .iter()
        .map(|family| (format!("{family:?}"), mixed(&[*family])))
        .collect();
    all.push(("all".to_string(), mixed(&FAMILIES)));
    all
}

#[test]
fn likelihoods_pass_verification() {
    for (name, loss) in mixtures() {
        for seed in 0..3 {
            let rho = random::uniform(6, (0.5, 2.0), 30 + seed);
            let report = verify::loss(&loss, &rho, seed).unwrap();
            assert!(report.passed(), "{name}: {report}");
            let metric = loss.metric().unwrap();
            let report = verify::metric(metric.as_ref(), &rho, seed).unwrap();
            assert!(report.passed(), "{name}: {report}");
        }
    }
}

/// The best of several steps h: in between truncation and rounding.
#[test]
fn hessians_are_derivatives_of_gradients() {
    for (name, loss) in mixtures() {
        let rho = random::uniform(6, (0.5, 2.0), 41);
        let v = random::uniform(6, (-1.0, 1.0), 42);
        let Some(product) = loss.hessian(&rho, column(&v)).unwrap() else {
            assert!(name == "all" || name == "Laplace", "{name}");
            continue;
        };
        let moved = |h: f64| -> Vec<f64> { rho.iter().zip(&v).map(|(r, v)| r + h * v).collect() };
        let off = (6..16).map(|i| {
            let h = 0.5_f64.powi(i);
            let (ahead, behind) = (gradient(&loss, &moved(h)), gradient(&loss, &moved(-h)));
            let pairs = ahead.iter().zip(&behind);
            let change: Vec<f64> = pairs.map(|(a, b)| (a - b) / (2.0 * h)).collect();
            gap(&change, product.col_as_slice(0))
        });
        let off = off.fold(f64::INFINITY, f64::min);
        assert!(off < 1e-8, "{name}: {off:e}");
    }
}

#[test]
fn data_add_up_and_unused_entries_have_no_effect() {
    let family = Family::Student { freedom: 3.0 };
    let datum = |value| Datum {
        mean: 2,
        noise: NoiseLevel::Entry(0),
        value,
        family,
    };
    let rho = [0.8, f64::INFINITY, 1.4];
    let one = Likelihood::new(3, [datum(1.0)]).unwrap();
    let both = Likelihood::new(3, [datum(1.0), datum(1.0)]).unwrap();
    let missing = Likelihood::present(3, [datum(1.0), datum(f64::NAN), datum(1.0)]).unwrap();
    assert_eq!((one.count(), missing.count()), (1, 2));
    for double in [&both, &missing] {
        double.check(&rho).unwrap();
        assert!((double.value(&rho) - 2.0 * one.value(&rho)).abs() < 1e-14);
        let (u, half) = (gradient(double, &rho), gradient(&one, &rho));
        assert!((0..3).all(|i| (u[i] - 2.0 * half[i]).abs() < 1e-14) && u[1] == 0.0);
        let off = (fisher(double, &rho) - 2.0 * fisher(&one, &rho)).norm_max();
        assert!(off < 1e-14, "{off:e}");
    }
}

/// From a noise level that is far too small, the step of one datum changes it by about the logarithm of its distance; up to five
/// deviations the metric is the Fisher information.
#[test]
fn distant_data_shorten_the_step_of_their_noise_level() {
    for (distance, change) in [
        (0.0, -0.5),
        (4.9, 0.5 * (4.9 * 4.9 - 1.0)),
        (
            5.1,
            5.1_f64.ln() + (12.0 - 5_f64.ln()) * (5.0_f64 / 5.1).powi(2),
        ),
        (1e3, 1e3_f64.ln() + (12.0 - 5_f64.ln()) * 25e-6),
    ] {
        let (loss, rho) = (single(Family::Gaussian, 2.0 + 0.1 * distance), [2.0, 0.1]);
        let step = -gradient(&loss, &rho)[1] / fisher(&loss, &rho)[(1, 1)] / rho[1];
        assert!((step - change).abs() < 1e-9, "{distance}: {step}");
    }
}

#[test]
fn values_are_those_of_scipy() {
    let all: Value = serde_json::from_str(include_str!("../reference/likelihoods.json")).unwrap();
    let freedom = all["freedom"].as_f64().unwrap();
    for point in all["points"].as_array().unwrap() {
        let family = match point["family"].as_str().unwrap() {
            "gaussian" => Family::Gaussian,
            "laplace" => Family::Laplace,
            "log-normal" => Family::LogNormal,
            "log10-normal" => Family::Log10Normal,
            _ => Family::Student { freedom },
        };
        let number = |name: &str| point[name].as_f64().unwrap();
        let found = single(family, number("y")).value(&[number("mean"), number("sigma")]);
        let expected = number("value");
        assert!(
            (found - expected).abs() < 1e-13 * expected.abs().max(1.0),
            "{point}: {found}"
        );
    }
    assert_eq!(numbers(&all["t"]).len(), 40);
}
