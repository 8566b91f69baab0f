//! Combinations of the parameters that the data see, against dense generalised eigenvalues, and in words.

use crate::support::{
    Explicit, column, definite, eigenvalues, gap, identity, matrix_gap, reference_solve,
};
use pullback::automatic::{Curve, Formula, Scalar};
use pullback::curvature::{Combinations, Sight, Unit};
use pullback::faer::{Mat, Scale};
use pullback::loss::{L2Misfit, Observations};
use pullback::posterior::Variance;
use pullback::prior::Tikhonov;
use pullback::{Descent, Noise, Operator, Prior, Transform, random};

const NOISE: f64 = 0.3;

fn observed(data: Vec<f64>) -> Observations {
    let n = data.len();
    Observations::new(
        Operator::identity(n),
        data,
        Noise::uniform(n, NOISE).unwrap(),
    )
    .unwrap()
}

/// Largest deviation from UᵀCU = I, UᵀGU = diag λ and from the covectors CU.
fn deviation(seen: &Combinations, g: &Mat<f64>, c: &Mat<f64>) -> f64 {
    let u = seen.directions();
    let n = u.ncols();
    let diagonal = Mat::from_fn(
        n,
        n,
        |i, j| if i == j { seen.information()[i] } else { 0.0 },
    );
    let cu = c * u;
    let inner = matrix_gap((u.transpose() * &cu).as_ref(), identity(n).as_ref());
    let spectrum = matrix_gap((u.transpose() * (g * u)).as_ref(), diagonal.as_ref());
    let covectors = matrix_gap(seen.covectors().as_ref(), cu.as_ref());
    inner.max(spectrum).max(covectors)
}

#[test]
fn they_are_eigenvectors_in_the_units_of_priors_sizes_or_the_caller() {
    let (f, theta) = (random::normal_matrix(8, 4, 1), [0.5, -1.5, 2.0, 0.7]);
    let model = Explicit(f.clone());
    let loss = observed(random::normal(8, 2, 0));
    let noise = definite(4, 3);
    let prior = Tikhonov::new(vec![1.0; 4], Noise::full(noise.clone()).unwrap()).unwrap();
    let descent = Descent::new(&model, &loss).prior(&prior as &dyn Prior);
    let g = (f.transpose() * &f) * Scale(NOISE.powi(-2));
    let diagonal =
        |units: &[f64]| Mat::from_fn(4, 4, |i, j| if i == j { units[i].powi(-2) } else { 0.0 });
    let given = [1.0, 2.0, 0.1, 5.0];
    let precision = reference_solve(noise.as_ref(), identity(4).as_ref());
    for (unit, c) in [
        (Unit::Prior, precision),
        (Unit::Sizes, diagonal(&theta)),
        (Unit::Given(&given), diagonal(&given)),
    ] {
        let seen = descent.combinations(&theta, Variance::Known, unit).unwrap();
        let off = deviation(&seen, &g, &c);
        assert!(off < 1e-12, "{unit:?}: {off:e}");
        // Eigenvalues by another library, of the symmetric matrix that is similar to C⁻¹G.
        let root = symmetric_root(&c);
        let mut values = eigenvalues((&root * (&g * &root)).as_ref());
        values.reverse();
        assert!(gap(seen.information(), &values) < 1e-11, "{unit:?}");
        // Without a prior, the covariance of the data is G⁻¹, and that of a combination 1/λ.
        let covectors = seen.covectors();
        let solved = reference_solve(g.as_ref(), covectors.as_ref());
        let variances = covectors.transpose() * solved;
        for (k, error) in seen.errors().iter().enumerate() {
            let off = variances[(k, k)].sqrt() / error - 1.0;
            assert!(off.abs() < 1e-10, "{unit:?} {k}: {off:e}");
        }
    }
}

/// C^{-1/2}.
fn symmetric_root(c: &Mat<f64>) -> Mat<f64> {
    let eigen = c.self_adjoint_eigen(pullback::faer::Side::Lower).unwrap();
    let (u, s) = (eigen.U(), eigen.S().column_vector());
    let n = c.nrows();
    let scaled = Mat::from_fn(n, n, |i, j| u[(i, j)] / s[j].sqrt());
    scaled * u.transpose()
}

#[test]
fn small_information_is_not_lost_to_rounding() {
    // Singular values from 1 to 1e-9: squares that the matrix G cannot hold.
    let values = [1.0, 1e-3, 1e-6, 1e-9];
    let q = |seed| {
        let probes =
            pullback::sketch::Probes::new(pullback::sketch::ProbeKind::Orthonormal, 4, 4, seed);
        probes.unwrap().vectors() * Scale(0.5)
    };
    let f =
        q(1) * Mat::from_fn(4, 4, |i, j| if i == j { values[i] } else { 0.0 }) * q(2).transpose();
    let (model, loss) = (Explicit(f), L2Misfit::euclidean(vec![0.0; 4]).unwrap());
    let descent = Descent::new(&model, &loss);
    let seen = descent
        .combinations(&[1.0; 4], Variance::Known, Unit::Given(&[1.0; 4]))
        .unwrap();
    for (k, (found, value)) in seen.information().iter().zip(values).enumerate() {
        let off = (found.sqrt() / value - 1.0).abs();
        assert!(off < 4e-15 / value, "{k}: {off:e}");
    }
    assert_eq!(seen.sight(3), Sight::Weak);
}

/// y = a b t + c t² at t = 1, …, 6.
struct Product;

impl Formula for Product {
    fn dims(&self) -> (usize, usize) {
        (6, 3)
    }

    fn values<S: Scalar>(&self, theta: &[S], out: &mut [S]) {
        for (i, y) in out.iter_mut().enumerate() {
            let t = (i + 1) as f64;
            *y = theta[0] * theta[1] * t + theta[2] * (t * t);
        }
    }
}

#[test]
fn what_is_unseen_is_told_with_its_direction() {
    let model = Curve::new(Product);
    let loss = observed((1..=6).map(|t| f64::from(2 * t + 3 * t * t)).collect());
    let descent = Descent::new(&model, &loss);
    let seen = descent
        .combinations(&[1.0, 2.0, 3.0], Variance::Known, Unit::Sizes)
        .unwrap();
    let seen = seen.named(&["a", "b", "c"]).unwrap();
    let sights: Vec<Sight> = (0..3).map(|k| seen.sight(k)).collect();
    assert_eq!(
        sights,
        [Sight::Determined, Sight::Determined, Sight::Unseen]
    );
    assert_eq!(seen.errors()[2], f64::INFINITY);
    // The product a b does not change along (1, −2).
    let u = seen.directions().col_as_slice(2);
    assert!(
        (u[1] / u[0] + 2.0).abs() < 1e-12 && u[2].abs() < 1e-12,
        "{u:?}"
    );
    let text = seen.to_string();
    assert!(text.starts_with(
        "the data determine 2 of 3 combinations of the parameters to less than the sizes of the parameters\n"
    ));
    assert!(
        text.ends_with("they do not see small changes along\n  a − 2.0 b"),
        "{text}"
    );
    // Names are those of the model's parameters, or numbers.
    assert!(seen.named(&["a"]).is_err());
}

#[test]
fn a_combination_is_told_by_its_coefficients_and_its_error() {
    // Two data: σ + 0.3 ρ to 0.02, and, a hundred times less precisely, what is independent of it.
    let f = Mat::from_fn(2, 2, |i, j| [[50.0, 15.0], [-0.15, 0.5]][i][j]);
    let (model, loss) = (Explicit(f), L2Misfit::euclidean(vec![0.0; 2]).unwrap());
    let descent = Descent::new(&model, &loss);
    let unit = Unit::Given(&[1.0; 2]);
    let seen = descent
        .combinations(&[0.0; 2], Variance::Known, unit)
        .unwrap();
    let seen = seen.named(&["σ", "ρ"]).unwrap();
    assert_eq!(
        seen.to_string(),
        "the data determine 1 of 2 combinations of the parameters to less than a unit\n  \
         σ + 0.30 ρ to ± 0.020\nthey say little of\n  ρ − 0.30 σ to ± 2.0"
    );
    let given = Variance::Given {
        variance: 4.0,
        freedom: None,
    };
    let noisy = descent.combinations(&[0.0; 2], given, unit).unwrap();
    assert!(noisy.words(0).ends_with("to ± 0.040"), "{noisy}");
    let prior = Tikhonov::new(vec![0.0; 2], Noise::uniform(2, 5.0).unwrap()).unwrap();
    let descent = descent.prior(&prior as &dyn Prior);
    let beside = descent
        .combinations(&[0.0; 2], Variance::Known, Unit::Prior)
        .unwrap();
    // The combination has a standard deviation of 5 √1.09 before the data.
    assert_eq!(beside.words(0), "θ0 + 0.30 θ1 to ± 0.020 (prior ± 5.2)");
    assert_eq!(beside.count(Sight::Determined), 2);
}

#[test]
fn the_residual_tells_the_noise_and_transforms_change_nothing() {
    let f = random::normal_matrix(12, 3, 5);
    let truth = [1.0, 2.0, 0.5];
    let noise = random::normal(12, 6, 0);
    let exact = &f * column(&truth);
    let data: Vec<f64> = (0..12).map(|i| exact[(i, 0)] + 0.1 * noise[i]).collect();
    let (model, loss) = (Explicit(f), L2Misfit::euclidean(data).unwrap());
    let transforms = vec![Transform::Log; 3];
    let plain = Descent::new(&model, &loss);
    let logarithmic = Descent::new(&model, &loss).transforms(&transforms);
    let report = logarithmic.run(&[1.0; 3], |_| ()).unwrap();
    let seen = |descent: &Descent<'_>| {
        report
            .combinations(descent, Variance::Estimated, Unit::Sizes)
            .unwrap()
    };
    let found = seen(&plain);
    assert!(gap(seen(&logarithmic).information(), found.information()) < 1e-13);
    let variance = report.estimates(&plain, Variance::Estimated).unwrap();
    let variance = variance.uncertainty().variance();
    let known = report
        .combinations(&plain, Variance::Known, Unit::Sizes)
        .unwrap();
    let scaled: Vec<f64> = known.information().iter().map(|l| l / variance).collect();
    assert!(gap(found.information(), &scaled) < 1e-13);
}

#[test]
fn many_combinations_are_told_in_short() {
    let n = 30;
    let model = Explicit(random::normal_matrix(20, n, 9));
    let loss = observed(vec![0.0; 20]);
    let descent = Descent::new(&model, &loss);
    let units = vec![1.0; n];
    let seen = descent
        .combinations(&vec![0.0; n], Variance::Known, Unit::Given(&units))
        .unwrap();
    // Twenty data see twenty combinations at most.
    assert_eq!(seen.count(Sight::Unseen), 10);
    let text = seen.to_string();
    assert!(
        text.contains("and 10 more") && text.contains(" …"),
        "{text}"
    );
    assert!(text.lines().count() < 26);
}

/// Few data of many parameters take a decomposition of the few, and a basis of what they do not see.
#[test]
fn combinations_of_many_parameters_by_few_data_are_complete() {
    for (rows, n) in [(1, 5), (20, 200), (40, 41)] {
        let z = random::normal_matrix(rows, n, 3);
        let model = Explicit(z.clone());
        let units: Vec<f64> = (0..n).map(|j| 10.0_f64.powi(j as i32 % 5 - 2)).collect();
        let loss = observed(vec![0.0; rows]);
        let descent = Descent::new(&model, &loss);
        let seen = descent
            .combinations(&vec![0.0; n], Variance::Known, Unit::Given(&units))
            .unwrap();
        assert_eq!(seen.count(Sight::Unseen), n - rows);
        let g = Scale(NOISE.powi(-2)) * (z.transpose() * &z);
        let c = Mat::from_fn(n, n, |i, j| if i == j { units[i].powi(-2) } else { 0.0 });
        let off = deviation(&seen, &g, &c);
        assert!(off < 1e-10, "{rows} {n}: {off:e}");
    }
}
