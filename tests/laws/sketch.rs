//! Sketches: right in the mean, honest about their errors, exact where they can be, and counted.
//!
//! A mean over seeds must lie within 4 of its standard errors; seeds are fixed, so nothing fails by chance later.

use crate::support;
use crate::support::sketches::{Case, Draws, KINDS, columns, each_case, flat};
use crate::support::{Explicit, Reaction, column, density, dot, gap, identity, matrix_gap};
use pullback::faer::Mat;
use pullback::metric::{L2, Wasserstein2};
use pullback::sketch::{ProbeKind, Probes, Sketch};
use pullback::{Cpu, Grid, Linearisation, Metric, Model, random};
use rayon::ThreadPoolBuilder;

#[test]
fn the_information_matrix_is_right_in_the_mean_and_knows_its_error() {
    each_case(|case| {
        for kind in KINDS {
            let draws = Draws::of(200, |seed| {
                flat(case.sketch(&case.probes(kind, 8, seed)).information())
            });
            let place = format!("{}, {kind:?}", case.name);
            let off = draws.off(&columns(&case.g));
            assert!(off < 4.0, "{place}: off by {off} standard errors");
            let honesty = draws.honesty();
            assert!((0.8..1.25).contains(&honesty), "{place}: {honesty}");
        }
    });
}

#[test]
fn sketch_and_solve_is_exact_on_data_that_the_model_explains() {
    each_case(|case| {
        let ((y, t), p) = (case.explained(), case.y.ncols());
        for (kind, m) in KINDS.into_iter().flat_map(|k| [(k, p), (k, p + 3)]) {
            let found = case.sketch(&case.probes(kind, m, 3)).solve(&y).unwrap();
            let place = format!("{}, {kind:?}, {m}", case.name);
            // Rounding times the condition of S, at most 10⁵.
            assert!(gap(&found.value, &t) < 1e-8, "{place}: {:?}", found.value);
            match found.standard_error {
                None => assert_eq!(m, p, "{place}: no error"),
                Some(error) => {
                    assert!(m > p, "{place}: {error:?}");
                    assert!((0..p).all(|i| error[i] < 1e-7 * t[i]), "{place}: {error:?}");
                }
            }
        }
    });
}

/// Of all η with Sη = −Wᵀy, the shortest in units of the columns of S.
#[test]
fn fewer_probes_than_parameters_give_the_shortest_answer() {
    each_case(|case| {
        let probes = case.probes(ProbeKind::Signs, 2, 5);
        let (sketch, (y, _)) = (case.sketch(&probes), case.unexplained());
        let found = sketch.solve(&y).unwrap();
        assert!(found.standard_error.is_none());
        let s = sketch.rows();
        let norm = |j: usize| s.col(j).norm_l2();
        let unit = Mat::from_fn(2, s.ncols(), |i, j| s[(i, j)] / norm(j));
        let gram = &unit * unit.transpose();
        let b = probes.vectors().transpose() * column(&y);
        let nu = support::reference_vector(gram.as_ref(), b.col_as_slice(0));
        let x = unit.transpose() * column(&nu);
        let eta: Vec<f64> = (0..s.ncols()).map(|j| -x[(j, 0)] / norm(j)).collect();
        assert!(gap(&found.value, &eta) < 1e-8, "{}", case.name);
    });
}

/// Asserts a mean length of 1 (within `slack`) and, from 24 probes on, an honest error.
fn judge(case: &Case<'_>, t: &[f64], what: &str, (draws, slack): (Draws, f64)) {
    let lengths = draws.map(|eta| case.length(eta, t));
    let error = lengths.spread()[0] / 200_f64.sqrt();
    let off = (lengths.mean()[0] - 1.0).abs();
    assert!(
        off < 4.0 * error + slack + 1e-9,
        "{}, {what}: length off by {off}",
        case.name
    );
    if case.y.nrows() > 24 {
        let honesty = draws.typical_honesty();
        assert!(
            (0.75..1.3).contains(&honesty),
            "{}, {what}: {honesty}",
            case.name
        );
    }
}

#[test]
fn noise_leaves_the_length_of_sketch_and_solve_alone() {
    each_case(|case| {
        let (y, t) = case.unexplained();
        for kind in KINDS {
            let draws = Draws::of(200, |seed| {
                let probes = case.probes(kind, 24, seed);
                case.sketch(&probes).solve(&y).unwrap()
            });
            judge(case, &t, &format!("{kind:?}"), (draws, 0.0));
        }
    });
}

#[test]
fn natural_directions_have_the_right_length_in_the_mean() {
    each_case(|case| {
        let (_, t) = case.explained();
        let grad = case.gradient(&t);
        for kind in KINDS {
            let draws = Draws::of(200, |seed| {
                let probes = case.probes(kind, 24, seed);
                case.sketch(&probes).natural(&grad).unwrap()
            });
            // Signs see little of a parameter that a single row of Y carries, as the docs say; 24/19 would be raw.
            let slack = if kind == ProbeKind::Signs {
                2.0 / 24.0
            } else {
                0.0
            };
            judge(case, &t, &format!("{kind:?}"), (draws, slack));
        }
    });
}

/// With Gaussian probes and p = 1 the law is known: m ĝ/g is χ² with m degrees of freedom, so η/t = (m − 2)/χ²ₘ has
/// the standard deviation √(2/(m − 4)).
#[test]
fn the_spread_of_a_single_natural_direction_is_that_of_an_inverse_chi_square() {
    let z = random::normal_matrix(50, 1, 8);
    let (model, theta) = (support::Explicit(z.clone()), [1.0]);
    let (rho, cpu) = (z.col_as_slice(0), Cpu::default());
    let jacobian = Linearisation::new(&model, rho, &theta, &cpu).unwrap();
    let draws = Draws::of(2000, |seed| {
        let probes = Probes::new(ProbeKind::Gaussian, 50, 24, seed).unwrap();
        let sketch = Sketch::of_state(&jacobian, &probes).unwrap();
        sketch.natural(&[-dot(rho, rho)]).unwrap()
    });
    let (mean, spread) = (draws.mean()[0], draws.spread()[0]);
    assert!(
        (mean - 1.0).abs() < 4.0 * spread / 2000_f64.sqrt(),
        "{mean}"
    );
    // The spread of 2000 draws is known to about 3 %, by the fourth moment of this law.
    assert!((spread / 0.1_f64.sqrt() - 1.0).abs() < 0.12, "{spread}");
}

#[test]
fn probes_that_span_the_jacobian_are_exact() {
    each_case(|case| {
        let ((y, t), p) = (case.unexplained(), case.y.ncols());
        for kind in KINDS {
            let probes = Probes::spanning(case.y.as_ref(), kind, 3, 1).unwrap();
            assert_eq!((probes.exact(), probes.random()), (p, 3));
            let sketch = case.sketch(&probes);
            let g = sketch.information();
            let place = format!("{}, {kind:?}", case.name);
            assert!(
                matrix_gap(g.value.as_ref(), case.g.as_ref()) < 1e-10,
                "{place}"
            );
            let error = g.standard_error.unwrap();
            let most = (0..p).map(|i| error[(i, i)] / case.g[(i, i)]);
            assert!(most.fold(0.0, f64::max) < 1e-10, "{place}");
            // Rounding times the condition of G, at most 10⁵ for Y.
            let natural = sketch.natural(&case.gradient(&t)).unwrap();
            assert!(gap(&natural.value, &t) < 1e-8, "{place}: natural");
            let solved = sketch.solve(&y).unwrap();
            assert!(gap(&solved.value, &t) < 1e-8, "{place}: solve");
        }
    });
}

/// Y with every column changed by this fraction of its size, in all directions.
fn changed(y: &Mat<f64>, by: f64) -> Mat<f64> {
    let noise = random::normal_matrix(y.nrows(), y.ncols(), 77);
    let size = |j: usize| by * y.col(j).norm_l2() / noise.col(j).norm_l2();
    Mat::from_fn(y.nrows(), y.ncols(), |i, j| {
        y[(i, j)] + size(j) * noise[(i, j)]
    })
}

/// Σ over the entries, which compares like with like as all have their columns' units.
fn total(case: &Case<'_>, draws: &Draws) -> f64 {
    let (spread, p) = (draws.spread(), case.y.ncols());
    let size = |i: usize, j: usize| (case.g[(i, i)] * case.g[(j, j)]).sqrt();
    (0..p * p).map(|e| spread[e] / size(e % p, e / p)).sum()
}

#[test]
fn probes_that_span_a_former_jacobian_are_right_in_the_mean_and_vary_little() {
    each_case(|case| {
        let (exact, p) = (columns(&case.g), case.y.ncols());
        for kind in KINDS {
            let plain = Draws::of(100, |seed| {
                flat(case.sketch(&case.probes(kind, p + 4, seed)).information())
            });
            // The variance goes with the square of the square of the change.
            for (by, gain) in [(0.3, 0.5), (0.03, 0.01)] {
                let before = changed(&case.y, by);
                let probes = |seed| Probes::spanning(before.as_ref(), kind, 4, seed).unwrap();
                let draws = Draws::of(200, |seed| flat(case.sketch(&probes(seed)).information()));
                let place = format!("{}, {kind:?}, {by}", case.name);
                let (off, honesty) = (draws.off(&exact), draws.honesty());
                assert!(off < 4.0, "{place}: off by {off} standard errors");
                assert!((0.75..1.3).contains(&honesty), "{place}: {honesty}");
                let ratio = total(case, &draws) / total(case, &plain);
                assert!(ratio < gain, "{place}: {ratio} of the spread");
            }
        }
    });
}

/// A Jacobian that has changed by its own size: the inverse is too long by 5 to 10 % with 16 probes, of which the
/// jackknife leaves 1 or 2.
#[test]
fn beside_exact_probes_natural_directions_have_the_right_length_too() {
    each_case(|case| {
        if case.y.nrows() < 24 {
            return;
        }
        let before = changed(&case.y, 1.0);
        let (_, t) = case.explained();
        let grad = case.gradient(&t);
        for kind in KINDS {
            let draws = Draws::of(200, |seed| {
                let probes = Probes::spanning(before.as_ref(), kind, 16, seed).unwrap();
                case.sketch(&probes).natural(&grad).unwrap()
            });
            judge(case, &t, &format!("{kind:?}"), (draws, 0.0));
        }
    });
}

#[test]
fn all_probes_leave_nothing_to_chance() {
    each_case(|case| {
        let (probes, (y, t)) = (Probes::all(case.y.nrows()).unwrap(), case.unexplained());
        let sketch = case.sketch(&probes);
        let g = sketch.information();
        assert!(matrix_gap(g.value.as_ref(), case.g.as_ref()) < 1e-12);
        assert_eq!(columns(&g.standard_error.unwrap()), [0.0; 16]);
        for eta in [sketch.solve(&y), sketch.natural(&case.gradient(&t))] {
            let eta = eta.unwrap();
            assert!(gap(&eta.value, &t) < 1e-8, "{}", case.name);
            assert_eq!(eta.standard_error.unwrap(), [0.0; 4]);
        }
    });
}

#[test]
fn a_probe_costs_one_adjoint_solve_and_nothing_for_explicit_models() {
    each_case(|case| {
        let (tangents, adjoints) = case.z.solves();
        let probes = case.probes(ProbeKind::Signs, 7, 1);
        let sketch = case.sketch(&probes);
        let expected = if case.z.takes_solves() { 7 } else { 0 };
        assert_eq!(case.z.solves(), (tangents, adjoints + expected));
        // Reading it costs nothing more.
        let (y, t) = case.unexplained();
        assert_eq!(sketch.information().solves, expected);
        assert_eq!(sketch.solve(&y).unwrap().solves, expected);
        let natural = sketch.natural(&case.gradient(&t)).unwrap();
        assert_eq!(natural.solves, expected);
        assert_eq!(case.z.solves(), (tangents, adjoints + expected));
    });
}

#[test]
fn the_first_probes_do_not_depend_on_how_many_follow() {
    for kind in [ProbeKind::Signs, ProbeKind::Gaussian] {
        let few = Probes::new(kind, 30, 3, 9).unwrap();
        let many = Probes::new(kind, 30, 11, 9).unwrap();
        assert_eq!(few.vectors(), many.vectors().subcols(0, 3));
        let other = Probes::new(kind, 30, 3, 10).unwrap();
        assert_ne!(few.vectors(), other.vectors());
        assert_ne!(many.vectors().col(0), many.vectors().col(1));
    }
    assert_eq!(random::signs(6, 1, 2), random::signs(6, 1, 2));
    assert!(random::signs(50, 1, 2).iter().all(|s| s.abs() == 1.0));
}

#[test]
fn orthonormal_probes_and_spans_are_orthonormal() {
    let probes = Probes::new(ProbeKind::Orthonormal, 40, 15, 2).unwrap();
    let gram = probes.vectors().transpose() * probes.vectors();
    assert!(matrix_gap(gram.as_ref(), (40.0 * identity(15)).as_ref()) < 1e-14);

    // A column of zeros, and one that repeats another in other units, add no direction.
    let two = random::normal_matrix(40, 2, 3);
    let previous = Mat::from_fn(40, 4, |i, j| match j {
        0 | 1 => two[(i, j)],
        2 => 1e9 * two[(i, 0)] - 1e9 * two[(i, 1)],
        _ => 0.0,
    });
    for kind in KINDS {
        let probes = Probes::spanning(previous.as_ref(), kind, 5, 4).unwrap();
        assert_eq!((probes.exact(), probes.count()), (2, 7));
        let q = probes.vectors().subcols(0, 2);
        assert!(matrix_gap((q.transpose() * q).as_ref(), identity(2).as_ref()) < 1e-14);
        let seen = probes.vectors().subcols(2, 5).transpose() * &two;
        assert!((0..2).all(|j| seen.col(j).norm_max() < 1e-13));
    }
    // Nothing is left for chance in a span that is everything.
    let full = Probes::spanning(identity(4).as_ref(), ProbeKind::Signs, 5, 4).unwrap();
    assert_eq!((full.exact(), full.random()), (4, 0));
}

/// Bits of all that a sketch says, for thirty parameters.
fn bits(kind: ProbeKind, spanning: bool) -> Vec<u64> {
    let grid = Grid::new(&[(0.0, 1.0, 150)]).unwrap();
    let (model, theta, cpu) = (Reaction::new(150, 30, 4), vec![0.1; 30], Cpu::default());
    let rho = density(&grid, 2);
    let z = Linearisation::new(&model, &rho, &theta, &cpu).unwrap();
    let mut numbers = Vec::new();
    let metrics: [&dyn Metric; 2] = [&L2::new(&grid), &Wasserstein2::new(&grid)];
    for metric in metrics {
        let root = metric.at(&rho, &cpu).unwrap();
        let dim = root.lifted_dim();
        let previous = random::normal_matrix(dim, model.param_dim(), 5);
        let probes = match spanning {
            false => Probes::new(kind, dim, 60, 1).unwrap(),
            true => Probes::spanning(previous.as_ref(), kind, 40, 1).unwrap(),
        };
        let sketch = Sketch::new(&z, root.as_ref(), &probes).unwrap();
        let dual = random::normal(dim, 6, 0);
        let solved = sketch.solve(&dual).unwrap();
        let natural = sketch.natural(&[1.0; 30]).unwrap();
        for estimate in [flat(sketch.information()), solved, natural] {
            numbers.extend(estimate.value);
            numbers.extend(estimate.standard_error.unwrap());
        }
    }
    numbers.iter().map(|x: &f64| x.to_bits()).collect()
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    for (kind, spanning) in KINDS.into_iter().flat_map(|k| [(k, false), (k, true)]) {
        let on = |threads| {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build();
            pool.unwrap().install(|| bits(kind, spanning))
        };
        let alone = on(1);
        for threads in [2, 4] {
            assert!(on(threads) == alone, "{kind:?}, {spanning}, {threads}");
        }
    }
}

/// Factorisations of this size are shared among threads unless they are told not to be.
#[test]
fn nor_do_they_with_hundreds_of_parameters() {
    let (model, rho, cpu) = (Reaction::new(400, 300, 4), vec![0.4; 400], Cpu::default());
    let theta = vec![0.02; 300];
    let z = Linearisation::new(&model, &rho, &theta, &cpu).unwrap();
    let probes = Probes::new(ProbeKind::Signs, 400, 360, 1).unwrap();
    let sketch = Sketch::of_state(&z, &probes).unwrap();
    let on = |threads| {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build();
        let solve = || (sketch.solve(&rho).unwrap(), sketch.natural(&theta).unwrap());
        pool.unwrap().install(solve)
    };
    let alone = on(1);
    assert!(on(2) == alone && on(4) == alone);
}

/// Complete orthonormal probes are exact for as many parameters as data, where no law of random inverses has a mean.
#[test]
fn complete_probes_invert_square_jacobians() {
    let z = random::normal_matrix(4, 4, 3);
    let (model, zeros, cpu) = (Explicit(z.clone()), [0.0; 4], Cpu::default());
    let linearised = Linearisation::new(&model, &zeros, &zeros, &cpu).unwrap();
    let probes = Probes::new(ProbeKind::Orthonormal, 4, 4, 1).unwrap();
    let sketch = Sketch::of_state(&linearised, &probes).unwrap();
    let gradient = [1.0, -2.0, 0.5, 3.0];
    let found = sketch.natural(&gradient).unwrap().value;
    let product = z.transpose() * (&z * column(&found));
    for (p, g) in product.col_as_slice(0).iter().zip(gradient) {
        assert!((p + g).abs() < 1e-10, "{p} {g}");
    }
}
