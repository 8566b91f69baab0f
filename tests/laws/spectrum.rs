//! Spectra by Lanczos processes against dense eigenvalues, and the coverage of their error bars.

use crate::support::{Reaction, column, dot, eigenvalues, gap, matrix_gap};
use pullback::curvature::{
    Average, Condition, Curvature, Diagonal, Extremes, Group, Kind, Lanczos, Quadrature, Spectrum,
    blocks,
};
use pullback::faer::{Mat, MatRef};
use pullback::loss::Observations;
use pullback::prior::Tikhonov;
use pullback::sketch::{ProbeKind, Probes};
use pullback::{Cpu, Descent, Model, Noise, Operator, Result, random};
use std::cell::Cell;

/// Q diag(λ) Qᵀ with a random orthogonal Q.
fn with_eigenvalues(values: &[f64], seed: u64) -> Mat<f64> {
    let n = values.len();
    let probes = Probes::new(ProbeKind::Orthonormal, n, n, seed).unwrap();
    // Columns have the length √n.
    let q = probes.vectors();
    let scaled = Mat::from_fn(n, n, |i, j| q[(i, j)] * values[j] / n as f64);
    let h = &scaled * q.transpose();
    Mat::from_fn(n, n, |i, j| 0.5 * (h[(i, j)] + h[(j, i)]))
}

/// λⱼ from 1 down to `least`, evenly on a logarithmic scale.
fn decaying(n: usize, least: f64) -> Vec<f64> {
    let power = |j: usize| j as f64 / (n - 1) as f64;
    (0..n).map(|j| least.powf(power(j))).collect()
}

fn sloppy(n: usize, least: f64) -> Operator<'static> {
    Operator::dense(with_eigenvalues(&decaying(n, least), 3))
}

fn probes(seed: u64) -> Quadrature {
    Quadrature {
        seed,
        ..Quadrature::default()
    }
}

#[test]
fn extreme_eigenvalues_and_vectors_are_those_of_the_dense_matrix() {
    for (n, seed) in [(1, 1), (2, 2), (7, 3), (60, 4)] {
        let r = random::normal_matrix(n, n, seed);
        let h = Mat::from_fn(n, n, |i, j| r[(i, j)] + r[(j, i)]);
        let exact = eigenvalues(h.as_ref());
        let size = exact[n - 1].abs().max(exact[0].abs());
        let operator = Operator::dense(h.clone());
        let found = Extremes::of(&operator, &Lanczos::default()).unwrap();
        for (extreme, exact) in [(&found.smallest, exact[0]), (&found.largest, exact[n - 1])] {
            assert!(extreme.settled, "{n}: {found}");
            let off = (extreme.value - exact).abs() / size;
            assert!(off < 1e-11, "{n}: {off:e}");
            // The residual that the process knows is that of the vector.
            let image = operator.product(column(&extreme.vector)).unwrap();
            let pairs = image.col_as_slice(0).iter().zip(&extreme.vector);
            let residual: Vec<f64> = pairs.map(|(h, u)| h - extreme.value * u).collect();
            let off = (dot(&residual, &residual).sqrt() - extreme.error).abs() / size;
            assert!(off < 1e-12, "{n}: residual {off:e}");
            assert!((dot(&extreme.vector, &extreme.vector) - 1.0).abs() < 1e-13);
        }
    }
}

#[test]
fn the_condition_number_is_a_number_a_bound_or_a_reason() {
    let of = |values: &[f64], steps| {
        let h = Operator::dense(with_eigenvalues(values, 5));
        let options = Lanczos {
            steps,
            ..Lanczos::default()
        };
        Extremes::of(&h, &options).unwrap()
    };
    let Condition::Number(number) = of(&decaying(50, 1e-3), 50).condition() else {
        panic!("a regular matrix");
    };
    assert!((number / 1e3 - 1.0).abs() < 1e-9, "{number}");
    let few = of(&decaying(150, 1e-8), 30);
    let Condition::AtLeast(bound) = few.condition() else {
        panic!("{few}");
    };
    assert!(bound > 10.0 && bound < 1e8 && few.largest.settled);
    assert!(few.to_string().contains("not settled"), "{few}");
    let mut singular = decaying(30, 1e-2);
    singular[29] = 0.0;
    assert_eq!(of(&singular, 30).condition(), Condition::Singular);
    singular[29] = -0.5;
    assert_eq!(of(&singular, 30).condition(), Condition::Indefinite);
    // Twenty steps suffice for the largest eigenvalue of a matrix that decays.
    assert!((of(&decaying(150, 1e-8), 20).largest.value - 1.0).abs() < 1e-3);
}

#[test]
fn a_condition_number_beyond_the_accuracy_of_eigenvalues_is_a_bound() {
    for least in [1e-9, 1e-11] {
        let h = Operator::diagonal(decaying(30, least));
        let condition = Extremes::of(&h, &Lanczos::default()).unwrap().condition();
        let bound = match condition {
            Condition::Singular => f64::INFINITY,
            Condition::AtLeast(bound) => bound,
            other => panic!("{least:e}: {other}"),
        };
        assert!(bound > 1e6, "{least:e}: {condition}");
    }
}

#[test]
fn densities_hold_the_truth_or_say_that_they_do_not_resolve_it() {
    let h = Operator::diagonal(decaying(300, 1e-6));
    let (few, dense) = (
        Spectrum::of(&h, &probes(1)).unwrap(),
        Spectrum::dense(&h).unwrap(),
    );
    let decades: Vec<f64> = (0..80).map(|i| 0.1 * f64::from(i) - 7.0).collect();
    let found = few.density_of_decades(&decades, 0.3).unwrap();
    let exact = dense.density_of_decades(&decades, 0.3).unwrap();
    for ((x, found), exact) in decades.iter().zip(&found).zip(&exact) {
        let (low, high) = found.interval(0.9999).unwrap();
        assert!(
            low <= exact.value && exact.value <= high,
            "{x}: {found} for {exact}"
        );
    }
    assert!(found[5].truncation.is_infinite() && found[68].truncation.is_finite());
    assert!(
        found[5].to_string().contains("not resolved"),
        "{}",
        found[5]
    );
}

/// Number of seeds of [`coverage`].
const SEEDS: u64 = 400;

/// Checks that about 95 % of the intervals hold the truth: the share of 400 has a standard deviation of 1 %.
fn coverage(what: &str, truth: f64, averages: impl Iterator<Item = Average>) {
    let share = averages.filter(|a| holds(a, truth)).count() as f64 / SEEDS as f64;
    assert!((0.91..=0.98).contains(&share), "{what}: {share}");
}

fn holds(average: &Average, truth: f64) -> bool {
    let (low, high) = average.interval(0.95).unwrap();
    low <= truth && truth <= high
}

#[test]
fn intervals_of_95_percent_hold_the_truth_for_about_95_of_100_seeds() {
    let n = 100;
    // One spectrum that decays, and one with eigenvalues of both signs.
    let mixed: Vec<f64> = (0..n).map(|j| (j as f64 * 0.7).sin()).collect();
    for (values, point) in [(decaying(n, 1e-4), 0.02), (mixed, 0.8)] {
        let h = Operator::dense(with_eigenvalues(&values, 7));
        let at = |seed| Spectrum::of(&h, &probes(1000 + seed)).unwrap();
        let spectra: Vec<Spectrum> = (0..SEEDS).map(at).collect();
        let exact = |f: &dyn Fn(f64) -> f64| values.iter().map(|v| f(*v)).sum();
        coverage("trace", exact(&|v| v), spectra.iter().map(Spectrum::trace));
        let squares = spectra.iter().map(|s| s.sum(|v| v * v).unwrap());
        coverage("squares", exact(&|v| v * v), squares);
        let (points, width) = ([point, 0.3, 0.8], 0.1);
        let dense = Spectrum::dense(&h).unwrap().density(&points, width);
        for (k, dense) in dense.unwrap().iter().enumerate() {
            let at = |s: &Spectrum| s.density(&points, width).unwrap()[k];
            let found: Vec<Average> = spectra.iter().map(at).collect();
            let unresolved = found.iter().filter(|a| a.truncation.is_infinite()).count();
            let held = found.iter().filter(|a| holds(a, dense.value)).count();
            assert!(held as f64 >= 0.91 * SEEDS as f64, "{}: {held}", points[k]);
            // The second spectrum has gaps, beside which nodes do not settle.
            assert!(unresolved == 0 || values.iter().any(|v| *v < 0.0));
        }
        if values.iter().any(|v| *v < 0.0) {
            continue;
        }
        for alpha in [1e-1, 1e-3] {
            let found = spectra
                .iter()
                .map(|s| s.effective_dimension(alpha).unwrap());
            // Forty steps leave little of these.
            let resolved = |average: &Average| {
                assert!(average.truncation < 0.1 * average.standard_error);
            };
            let truth = exact(&|v| v / (v + alpha));
            coverage("dimension", truth, found.inspect(resolved));
        }
    }
}

#[test]
fn intervals_of_diagonals_hold_the_truth_for_about_95_of_100_seeds() {
    let h = sloppy(40, 1e-3);
    let exact = Diagonal::exact(&h).unwrap();
    let dense = h.to_dense();
    let diagonal: Vec<f64> = (0..40).map(|i| dense[(i, i)]).collect();
    assert!(gap(&exact.values, &diagonal) < 1e-15 && exact.products == 40);
    assert!(exact.intervals(0.95).unwrap()[3] == (exact.values[3], exact.values[3]));
    let mut inside = 0;
    for seed in 0..100 {
        let found = Diagonal::estimated(&h, 16, seed).unwrap();
        assert_eq!((found.products, found.freedom), (16, 15));
        let intervals = found.intervals(0.95).unwrap();
        let pairs = intervals.iter().zip(&exact.values);
        inside += pairs
            .filter(|((low, high), x)| low <= *x && *x <= high)
            .count();
    }
    let share = inside as f64 / 4000.0;
    assert!((0.93..0.97).contains(&share), "{share}");
}

#[test]
fn the_error_by_few_steps_is_bounded() {
    // Eight decades: forty steps cannot resolve a damping at the lower end.
    let (h, alpha) = (sloppy(300, 1e-8), 1e-7);
    let with = |steps| {
        let options = Quadrature { steps, ..probes(2) };
        let spectrum = Spectrum::of(&h, &options).unwrap();
        spectrum.effective_dimension(alpha).unwrap()
    };
    let all = with(300);
    assert!(all.truncation < 1e-3, "{all:?}");
    for steps in [40, 80, 160] {
        // The same probes: nothing but the steps differ.
        let few = with(steps);
        let off = few.value - all.value;
        // The rule of Gauss is below the sum of α/(λ + α), and so above the dimension.
        assert!(
            off > 0.0 && off <= few.truncation + all.truncation,
            "{steps}: {few:?} {off}"
        );
        assert!(steps > 40 || few.truncation > few.standard_error, "{few:?}");
    }
}

#[test]
fn a_dense_spectrum_is_exact() {
    let values = decaying(25, 1e-3);
    let spectrum = Spectrum::dense(&sloppy(25, 1e-3)).unwrap();
    assert!(gap(spectrum.eigenvalues().unwrap(), &values) < 1e-13);
    let trace = spectrum.trace();
    assert!((trace.value / values.iter().sum::<f64>() - 1.0).abs() < 1e-13);
    assert_eq!(
        (trace.standard_error, trace.interval(0.9).unwrap().0),
        (0.0, trace.value)
    );
    let dimension = spectrum.effective_dimension(0.01).unwrap();
    let exact: f64 = values.iter().map(|v| v / (v + 0.01)).sum();
    assert!((dimension.value / exact - 1.0).abs() < 1e-12);
    // Both densities have the mass 1.
    let points: Vec<f64> = (0..2000).map(|i| 0.001 * f64::from(i) - 0.5).collect();
    let mass: f64 = spectrum
        .density(&points, 0.05)
        .unwrap()
        .iter()
        .map(|d| d.value)
        .sum();
    assert!((0.001 * mass - 1.0).abs() < 1e-9, "{mass}");
    let points: Vec<f64> = (0..600).map(|i| 0.01 * f64::from(i) - 5.0).collect();
    let decades = spectrum.density_of_decades(&points, 0.1).unwrap();
    let mass: f64 = decades.iter().map(|d| d.value).sum();
    assert!((0.01 * mass - 1.0).abs() < 1e-9, "{mass}");
    assert_eq!(
        spectrum.to_string(),
        "25 eigenvalues from 1.000e-3 to 1.000e0, trace 3.99531 (all eigenvalues, 25 products)"
    );
}

/// Curvature that counts its products.
struct Counted<'a>(&'a dyn Curvature, Cell<usize>);

impl Curvature for Counted<'_> {
    fn dim(&self) -> usize {
        self.0.dim()
    }

    fn product(&self, v: MatRef<'_, f64>) -> Result<Mat<f64>> {
        self.1.set(self.1.get() + v.ncols());
        self.0.product(v)
    }
}

#[test]
fn products_are_counted_and_end_with_the_space() {
    // Three different eigenvalues: the space of any start has three dimensions.
    let values: Vec<f64> = (0..90).map(|j| 1.0 + f64::from(j % 3)).collect();
    let h = Operator::diagonal(values);
    let counted = Counted(&h, Cell::new(0));
    let spectrum = Spectrum::of(&counted, &probes(1)).unwrap();
    assert_eq!((spectrum.products(), counted.1.get()), (96, 96));
    // A diagonal matrix has an exact trace for every probe of signs.
    let trace = spectrum.trace();
    assert!((trace.value - 180.0).abs() < 1e-10 && trace.standard_error < 1e-11);
    let extremes = Extremes::of(&h, &Lanczos::default()).unwrap();
    assert_eq!(extremes.steps, 3);
    assert!((extremes.smallest.value - 1.0).abs() < 1e-13);
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let n = 20_000;
    let second = (1..n).flat_map(|i| [(i, i, 2.0), (i, i - 1, -1.0), (i - 1, i, -1.0)]);
    let h = Operator::triplets(n, n, second.chain([(0, 0, 2.0)]));
    let look = || {
        let extremes = Extremes::of(
            &h,
            &Lanczos {
                steps: 30,
                ..Lanczos::default()
            },
        )
        .unwrap();
        let spectrum = Spectrum::of(&h, &probes(4)).unwrap();
        let diagonal = Diagonal::estimated(&h, 40, 5).unwrap();
        let dimension = spectrum.effective_dimension(0.1).unwrap();
        (
            extremes.largest.vector,
            spectrum.trace(),
            dimension,
            diagonal,
        )
    };
    let expected = look();
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        assert!(pool.unwrap().install(look) == expected, "{threads} threads");
    }
}

#[test]
fn blocks_are_those_of_the_dense_matrix() {
    let h = sloppy(30, 1e-2);
    let dense = h.to_dense();
    let groups = [Group::new("first", 0..20), Group::new("odd", [29, 3])];
    for block in blocks(&h, &groups).unwrap() {
        let members = &block.group.members;
        let n = members.len();
        let part = Mat::from_fn(n, n, |i, j| dense[(members[i], members[j])]);
        assert!(matrix_gap(block.matrix.as_ref(), part.as_ref()) < 1e-15);
        let mut values = eigenvalues(part.as_ref());
        values.reverse();
        assert!(gap(&block.eigenvalues(), &values) < 1e-13);
        assert!((block.trace() - values.iter().sum::<f64>()).abs() < 1e-13);
    }
}

#[test]
fn a_descent_lends_its_three_curvatures() {
    let (k, p) = (9, 4);
    let model = Reaction::new(k, p, 2);
    let noise = Noise::deviations((1..=k).map(|i| 0.1 * i as f64).collect()).unwrap();
    let loss = Observations::new(Operator::identity(k), vec![0.7; k], noise.clone()).unwrap();
    let prior = Tikhonov::new(vec![0.3; p], Noise::uniform(p, 0.5).unwrap()).unwrap();
    let descent = Descent::new(&model, &loss).prior(&prior);
    let theta = [0.2, -0.1, 0.4, 0.3];
    let matrix = |kind| {
        let identity = Mat::<f64>::identity(p, p);
        descent
            .curvature(&theta, kind, |h| h.product(identity.as_ref()))
            .unwrap()
    };
    // Z by differences of the state, and H by differences of the gradient.
    let difference = |f: &dyn Fn(&[f64]) -> Vec<f64>| {
        let columns: Vec<Vec<f64>> = (0..p).map(|j| central(f, &theta, j)).collect();
        Mat::from_fn(columns[0].len(), p, |i, j| columns[j][i])
    };
    let z = difference(&|theta| {
        let mut rho = vec![0.0; k];
        model.solve(theta, &mut rho, Cpu::shared()).unwrap();
        rho
    });
    let whitened = Mat::from_fn(k, p, |i, j| z[(i, j)] / (0.1 * (i + 1) as f64));
    let information = whitened.transpose() * &whitened;
    let gradient = |theta: &[f64]| descent.gradient(theta).unwrap().gradient;
    let hessian = difference(&gradient);
    let with_prior = Mat::from_fn(p, p, |i, j| {
        information[(i, j)] + if i == j { 4.0 } else { 0.0 }
    });
    for (kind, expected) in [
        (Kind::Information, information),
        (Kind::GaussNewton, with_prior),
        (Kind::Exact, hessian),
    ] {
        let off = matrix_gap(matrix(kind).as_ref(), expected.as_ref());
        assert!(off < 1e-8, "{kind:?}: {off:e}");
    }
}

/// ∂f/∂θⱼ by differences of fourth order.
fn central(f: &dyn Fn(&[f64]) -> Vec<f64>, theta: &[f64], j: usize) -> Vec<f64> {
    let h = 1e-3;
    let at = |steps: f64| {
        let mut moved = theta.to_vec();
        moved[j] += steps * h;
        f(&moved)
    };
    let [a, b, c, d] = [-2.0, -1.0, 1.0, 2.0].map(at);
    let entry = |i: usize| (a[i] - 8.0 * b[i] + 8.0 * c[i] - d[i]) / (12.0 * h);
    (0..a.len()).map(entry).collect()
}
