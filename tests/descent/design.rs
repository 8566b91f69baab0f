//! Optimal designs: closed forms, the equivalence theorem, and all choices of a few.

use nalgebra::DMatrix;
use pullback::automatic::{Curve, Formula, Scalar};
use pullback::design::{Candidates, Criterion, Design};
use pullback::faer::Mat;
use pullback::{Noise, random};

const ALL: [Criterion; 3] = [Criterion::D, Criterion::A, Criterion::E];

/// Largest weight that deviates from these, by the indices of candidates.
fn deviation(design: &Design, expected: &[(usize, f64)]) -> f64 {
    let mut rest = design.weights.clone();
    expected.iter().for_each(|(i, weight)| rest[*i] -= weight);
    rest.iter().fold(0.0, |most, x| x.abs().max(most))
}

/// Gap to the optimum that designs leave at most, relative to it. For E, rounding of M makes M − tI inaccurate where it is almost
/// singular.
fn gap_of(criterion: Criterion) -> f64 {
    match criterion {
        Criterion::E => 5e-5,
        _ => 1e-8,
    }
}

/// Fits of a parabola on [−1, 1] (Pukelsheim 2006, section 9.6): the ends and the middle, by weights 1/3, 1/3, 1/3 for D,
/// 1/4, 1/2, 1/4 for A, and 1/5, 3/5, 1/5 for E.
#[test]
fn a_parabola_is_measured_at_its_ends_and_in_the_middle() {
    let x = |i: usize| (i as f64 - 100.0) / 100.0;
    let jacobian = Mat::from_fn(201, 3, |i, j| x(i).powi(j as i32));
    let candidates = Candidates::new(jacobian.as_ref(), &[1.0; 201]).unwrap();
    let third = 1.0 / 3.0;
    for (criterion, weights, value) in [
        (Criterion::D, [third, third, third], (4_f64 / 27.0).ln()),
        (Criterion::A, [0.25, 0.5, 0.25], 8.0),
        (Criterion::E, [0.2, 0.6, 0.2], 0.2),
    ] {
        let design = candidates.weights(criterion).unwrap();
        let [low, middle, high] = weights;
        let off = deviation(&design, &[(0, low), (100, middle), (200, high)]);
        // The smallest eigenvalue is flat around the best weights, and rounding limits it: see `gap_of`.
        let (weight, rest) = match criterion {
            Criterion::E => (1e-3, gap_of(criterion)),
            smooth => (1e-5, gap_of(smooth)),
        };
        assert!(off < weight, "{criterion:?}: {off:.1e}");
        assert!((design.value / value - 1.0).abs() < rest, "{design}");
        assert!(design.efficiency > 1.0 - rest, "{design}");
    }
}

/// y = a e^{−bt} at 61 times.
struct Decay;

impl Formula for Decay {
    fn dims(&self) -> (usize, usize) {
        (61, 2)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        for (i, y) in out.iter_mut().enumerate() {
            *y = theta[0] * (theta[1] * (-0.1 * i as f64)).exp();
        }
    }
}

/// Half of the effort at t = 0 and half at t = 1/b, whatever a and the noise are (Box and Lucas 1959).
#[test]
fn a_decay_is_measured_at_once_and_after_its_time() {
    let curve = Curve::new(Decay);
    for (a, b, place) in [(10.0, 0.5, 20), (0.3, 0.25, 40), (2.0, 2.0, 5)] {
        let noise = Noise::uniform(61, 0.2 * a).unwrap();
        let candidates = Candidates::of(&curve, &[a, b], &noise).unwrap();
        let design = candidates.weights(Criterion::D).unwrap();
        let off = deviation(&design, &[(0, 0.5), (place, 0.5)]);
        assert!(off < 1e-5, "{off:.1e} {design}");
    }
}

/// Candidates that each see one parameter, with precisions aᵢ². M = diag(wᵢaᵢ²) gives equal weights for D, 1/aᵢ for A, and 1/aᵢ²
/// for E, whose eigenvalues are all the same. With n observations and a prior of precision cᵢ, D fills up wᵢ + cᵢ/(naᵢ²) to one
/// level, like water.
#[test]
fn separate_parameters_share_the_effort() {
    let a = [1.0, 2.0, 0.5, 4.0];
    let jacobian = Mat::from_fn(4, 4, |i, j| if i == j { 1.0 } else { 0.0 });
    let candidates = Candidates::new(jacobian.as_ref(), &a.map(f64::recip)).unwrap();
    for (criterion, power) in [(Criterion::D, 0), (Criterion::A, -1), (Criterion::E, -2)] {
        let shares = a.map(|a: f64| a.powi(power));
        let sum: f64 = shares.iter().sum();
        let expected: Vec<_> = (0..4).map(|i| (i, shares[i] / sum)).collect();
        let design = candidates.weights(criterion).unwrap();
        let off = deviation(&design, &expected);
        assert!(off < 1e-7, "{criterion:?}: {off:.1e}");
    }
    // The units divide each parameter by its 1/aᵢ.
    let scaled = candidates.clone().units(&a.map(f64::recip)).unwrap();
    let design = scaled.weights(Criterion::A).unwrap();
    assert!(deviation(&design, &[0, 1, 2, 3].map(|i| (i, 0.25))) < 1e-7);

    let c = [3.0, 8.0, 0.5, 1.6];
    let prior = Mat::from_fn(4, 4, |i, j| if i == j { c[i] } else { 0.0 });
    let known = candidates.prior(prior.as_ref()).unwrap();
    let design = known
        .observations(10.0)
        .unwrap()
        .weights(Criterion::D)
        .unwrap();
    // cᵢ/(10 aᵢ²) = 0.3, 0.2, 0.2 and 0.01 leave the level (1 + 0.71)/4.
    let level = (1.0 + 0.71) / 4.0;
    let expected = [level - 0.3, level - 0.2, level - 0.2, level - 0.01];
    let off = deviation(&design, &[0, 1, 2, 3].map(|i| (i, expected[i])));
    assert!(off < 1e-7, "{off:.1e}");
}

/// Random candidates of two rows each, as their Jacobian and deviations.
fn random_rows(count: usize, p: usize, seed: u64) -> (Mat<f64>, Vec<f64>) {
    let x = random::normal(2 * count * p, seed, 0);
    let jacobian = Mat::from_fn(2 * count, p, |i, j| x[i * p + j] * 3_f64.powi(j as i32));
    let levels = random::normal(2 * count, seed, 1);
    (jacobian, levels.iter().map(|x| (0.5 * x).exp()).collect())
}

fn dense(m: &Mat<f64>) -> DMatrix<f64> {
    DMatrix::from_fn(m.nrows(), m.ncols(), |i, j| m[(i, j)])
}

/// The value of a criterion for the information of these weights, from rows, by another library.
fn judged(rows: &(Mat<f64>, Vec<f64>), weights: &[f64], criterion: Criterion) -> f64 {
    let p = rows.0.ncols();
    let weight = |row: usize| weights[row / 2] / rows.1[row].powi(2);
    let m = DMatrix::from_fn(p, p, |i, j| {
        let terms = (0..rows.0.nrows()).map(|r| weight(r) * rows.0[(r, i)] * rows.0[(r, j)]);
        terms.sum::<f64>()
    });
    match criterion {
        Criterion::D => m.determinant().ln(),
        Criterion::A => m
            .try_inverse()
            .map_or(f64::INFINITY, |inverse| inverse.trace()),
        Criterion::E => m.symmetric_eigenvalues().min().max(0.0),
    }
}

/// By the equivalence theorem (Kiefer and Wolfowitz 1960), tr(M⁻¹Mᵢ) is p on the support of a D-optimal design, and tr(M⁻²Mᵢ) is
/// tr M⁻¹ on that of an A-optimal one; it is smaller elsewhere. The bound of the efficiency holds for any other weights.
#[test]
fn designs_satisfy_the_equivalence_theorem() {
    for seed in 0..5 {
        let (count, p) = (40, 4);
        let rows = random_rows(count, p, seed);
        let candidates = Candidates::new(rows.0.as_ref(), &rows.1).unwrap();
        let candidates = candidates.grouped(2).unwrap();
        for criterion in ALL {
            let design = candidates.weights(criterion).unwrap();
            let value = judged(&rows, &design.weights, criterion);
            assert!(
                (design.value - value).abs() < 1e-10 * value.abs(),
                "{design}"
            );
            assert!(design.efficiency > 1.0 - gap_of(criterion), "{design}");
            for other in 0..200 {
                let normal = random::normal(count, seed, 10 + other);
                let mut other: Vec<f64> = normal.iter().map(|x| (3.0 * x).exp()).collect();
                let sum: f64 = other.iter().sum();
                let pairs = other.iter_mut().zip(&design.weights);
                // Near the optimum, too.
                pairs.for_each(|(o, w)| *o = 0.99 * w + 0.01 * *o / sum);
                let other = judged(&rows, &other, criterion);
                let better = match criterion {
                    Criterion::A => other < value * (1.0 - gap_of(criterion)),
                    _ => other > value + gap_of(criterion) * value.abs(),
                };
                assert!(!better, "{criterion:?}: {other} {value}");
            }
            if criterion == Criterion::E {
                continue;
            }
            let m = dense(&candidates.information(&design.weights).unwrap());
            let inverse = m.try_inverse().unwrap();
            let (matrix, most) = match criterion {
                Criterion::D => (inverse, p as f64),
                _ => (&inverse * &inverse, inverse.trace()),
            };
            for (i, weight) in design.weights.iter().enumerate() {
                let mut one = vec![0.0; count];
                one[i] = 1.0;
                let own = dense(&candidates.information(&one).unwrap());
                let slope = (&matrix * own).trace() / most;
                assert!(slope < 1.0 + 1e-6, "{criterion:?} {i}: {slope}");
                assert!(
                    *weight < 1e-3 || slope > 1.0 - 1e-6,
                    "{criterion:?} {i}: {slope}"
                );
            }
        }
    }
}

/// Calls `each` with every choice of `count` of the numbers from `first` to `end`.
fn subsets(
    first: usize,
    end: usize,
    chosen: &mut Vec<usize>,
    count: usize,
    each: &mut dyn FnMut(&[usize]),
) {
    if chosen.len() == count {
        return each(chosen);
    }
    for next in first..end {
        chosen.push(next);
        subsets(next + 1, end, chosen, count, each);
        chosen.pop();
    }
}

#[test]
fn choices_are_the_best_of_all() {
    let mut missed = Vec::new();
    for seed in 0..20 {
        let (m, p) = (12, 3);
        let rows = random_rows(m, p, 100 + seed);
        let candidates = Candidates::new(rows.0.as_ref(), &rows.1).unwrap();
        let candidates = candidates.grouped(2).unwrap();
        for criterion in ALL {
            for count in [2, 4, 6] {
                let mut best = (f64::NEG_INFINITY, Vec::new());
                subsets(0, m, &mut Vec::new(), count, &mut |chosen| {
                    let mut ones = vec![0.0; m];
                    chosen.iter().for_each(|&i| ones[i] = 1.0);
                    let value = judged(&rows, &ones, criterion);
                    let quality = if criterion == Criterion::A {
                        -value
                    } else {
                        value
                    };
                    if quality > best.0 {
                        best = (quality, chosen.to_vec());
                    }
                });
                let found = candidates.choose(count, criterion).unwrap();
                assert!(
                    found.efficiency > 0.0 && found.efficiency <= 1.0,
                    "{found:?}"
                );
                if found.chosen != best.1 {
                    missed.push(format!("{seed} {criterion:?} {count}: {found:?} {best:?}"));
                }
            }
        }
    }
    assert!(missed.is_empty(), "{} of 180: {missed:#?}", missed.len());
}

/// Fewer rows than parameters tell enough beside a prior.
#[test]
fn earlier_data_lead_to_what_they_do_not_tell() {
    let jacobian = Mat::from_fn(3, 3, |i, j| if i == j { 1.0 } else { 0.0 });
    let candidates = Candidates::new(jacobian.as_ref(), &[1.0; 3]).unwrap();
    let earlier = candidates.information(&[5.0, 0.1, 4.0]).unwrap();
    let known = candidates.prior(earlier.as_ref()).unwrap();
    for criterion in ALL {
        assert_eq!(
            known.choose(1, criterion).unwrap().chosen,
            [1],
            "{criterion:?}"
        );
    }
    let all = known.choose(3, Criterion::A).unwrap();
    let expected = 1.0 / 6.0 + 1.0 / 1.1 + 1.0 / 5.0;
    assert!((all.value - expected).abs() < 1e-14, "{all:?}");
}
