//! Spectra with eigenvalues that are zero or nearly so.

use pullback::curvature::{Condition, Extremes, Quadrature, Spectrum};
use pullback::faer::Mat;
use pullback::{Operator, random};

/// A matrix V Vᵀ of rank r.
fn of_rank(n: usize, rank: usize) -> Operator<'static> {
    let v: Mat<f64> = random::normal_matrix(n, rank, 3);
    Operator::dense(&v * v.transpose())
}

#[test]
fn an_eigenvalue_above_its_error_is_not_singular() {
    let condition = |values: &[f64]| {
        let h = Operator::diagonal(values.to_vec());
        Extremes::of(&h, &Default::default()).unwrap().condition()
    };
    for least in [9.9e-11, 1e-11, 1e-12] {
        let Condition::AtLeast(bound) = condition(&[1.0, least]) else {
            panic!("{least:e}: {}", condition(&[1.0, least]));
        };
        // Its accuracy is 1e-13 of the largest.
        assert!((bound * least - 1.0).abs() < 0.1, "{least:e}: {bound:e}");
    }
    // Enough for the six digits of the tolerance.
    assert!(matches!(condition(&[1.0, 2e-7]), Condition::Number(_)));
    for least in [0.0, 1e-14, -1e-14, -1e-11] {
        assert_eq!(condition(&[1.0, least]), Condition::Singular, "{least:e}");
    }
    assert_eq!(condition(&[1.0, -1e-9]), Condition::Indefinite);
}

/// Eight nearby rates of decay: the squares of the singular values of their derivatives lie eleven decades apart.
#[test]
fn the_condition_number_of_sums_of_exponentials_is_that_of_the_root() {
    let n = 8;
    let z = Mat::from_fn(60, n, |i, j| {
        let (t, rate) = (0.1 * i as f64, 1.25_f64.powi(j as i32 - 3));
        -t * (-rate * t).exp()
    });
    let scaled = Mat::from_fn(60, n, |i, j| z[(i, j)] / z.col(j).norm_l2());
    let root = scaled.singular_values().unwrap();
    for (first, last) in [(0, 4), (0, 5), (0, 6), (0, 7)] {
        let part = scaled.subcols(first, last - first + 1);
        let singular = part.singular_values().unwrap();
        let exact = (singular[0] / singular[last - first]).powi(2);
        let h = Operator::dense(part.transpose() * part);
        let found = Extremes::of(&h, &Default::default()).unwrap();
        println!("{last}: {exact:.3e} {found}");
        match found.condition() {
            Condition::Number(number) => assert!((number / exact - 1.0).abs() < 1e-5, "{number}"),
            Condition::AtLeast(bound) => {
                assert!((bound / exact - 1.0).abs() < 0.5 || exact > 1e12, "{bound}")
            }
            Condition::Singular => assert!(exact > 5e12, "{exact:e}"),
            Condition::Indefinite => panic!("{found}"),
        }
    }
    assert!(root[0] > root[n - 1]);
}

#[test]
fn eigenvalues_that_are_rounding_count_as_zero() {
    for h in [of_rank(300, 1), of_rank(100, 30)] {
        let some = Spectrum::of(&h, &Quadrature::default()).unwrap();
        let error = some.sum(f64::ln).unwrap_err().to_string();
        assert!(error.contains("-inf at the eigenvalue 0"), "{error}");
    }
    let h = of_rank(100, 30);
    let positive = |x: f64| if x > 0.0 { 1.0 } else { 0.0 };
    let all = Spectrum::dense(&h).unwrap();
    assert!((all.sum(positive).unwrap().value - 30.0).abs() < 1e-12);
    assert!(all.sum(f64::ln).is_err());
    // Steps that exhaust the range of H see all of its eigenvalues.
    let some = Spectrum::of(&h, &Quadrature::default()).unwrap();
    let count = some.sum(positive).unwrap();
    let (low, high) = count.interval(0.99).unwrap();
    println!("{count}: {low} {high}");
    assert!(low <= 30.0 && 30.0 <= high && high - low < 12.0, "{count}");
}

#[test]
fn numbers_without_digits_count_as_zero() {
    for size in [1e-300, 1e-310, 5e-324] {
        let h = Operator::diagonal((0..50).map(|i| size * f64::from(i)).collect::<Vec<_>>());
        for spectrum in [
            Spectrum::of(&h, &Quadrature::default()),
            Spectrum::dense(&h),
        ] {
            let spectrum = spectrum.unwrap();
            assert_eq!(spectrum.range(), (0.0, 0.0));
            assert!(spectrum.to_string().contains("trace 0 ("), "{spectrum}");
        }
    }
    // Smaller numbers have all their digits.
    let h = Operator::diagonal((1..50).map(|i| 1e-250 * f64::from(i)).collect::<Vec<_>>());
    let (low, high) = Spectrum::of(&h, &Quadrature::default()).unwrap().range();
    assert!(low > 0.9e-250 && high < 49.1e-250, "{low:e} {high:e}");
}

#[test]
fn intervals_of_effective_dimensions_stay_between_zero_and_all() {
    let h = Operator::diagonal((1..=60).map(|i| 10.0_f64.powi(-i / 6)).collect::<Vec<_>>());
    let spectrum = Spectrum::of(&h, &Quadrature::default()).unwrap();
    for alpha in [2e-10, 1e-9, 1e-5, 1.0, 1e5] {
        let (low, high) = spectrum
            .effective_dimension(alpha)
            .unwrap()
            .interval(0.999)
            .unwrap();
        assert!(
            0.0 <= low && low <= high && high <= 60.0,
            "{alpha}: {low} {high}"
        );
    }
}
