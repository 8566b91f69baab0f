//! The published estimators: their mean, their errors, and the length that they lose.

use crate::support;
use crate::support::sketches::{Case, Draws, KINDS, columns, each_case, flat};
use crate::support::{Explicit, gap, matrix_gap, reference_solve};
use pullback::direction::{Estimator, Sketched};
use pullback::faer::Mat;
use pullback::loss::Observations;
use pullback::sketch::{Hutchinson, Length, ProbeKind, Probes, Sketch};
use pullback::{Cpu, Descent, Linearisation, Metric, Noise, Operator, random};

/// γ₂ with E[Ŷᵀ Ŷ] = γ₂G, as stated.
fn second_moment(kind: ProbeKind, k: f64, m: f64) -> f64 {
    match kind {
        ProbeKind::Signs => (k + m - 1.0) / m,
        ProbeKind::Gaussian => (k + m + 1.0) / m,
        ProbeKind::Orthonormal => k / m,
    }
}

#[test]
fn the_published_matrix_is_right_in_the_mean_and_knows_its_error() {
    each_case(|case| {
        for kind in KINDS {
            let draws = Draws::of(200, |seed| {
                let probes = case.probes(kind, 8, seed);
                flat(Hutchinson::new(&case.sketch(&probes)).matrix())
            });
            let place = format!("{}, {kind:?}", case.name);
            // 4 standard errors would be exceeded by a few of these 20 000 entries.
            let off = draws.off(&columns(&case.y));
            assert!(off < 5.0, "{place}: off by {off} standard errors");
            let honesty = draws.honesty();
            assert!((0.9..1.1).contains(&honesty), "{place}: {honesty}");
        }
    });
}

/// tr(G⁻¹ŶᵀŶ)/p.
fn excess(case: &Case<'_>, found: &Mat<f64>) -> f64 {
    let square = found.transpose() * found;
    let ratio = reference_solve(case.g.as_ref(), square.as_ref());
    (0..4).map(|i| ratio[(i, i)]).sum::<f64>() / 4.0
}

#[test]
fn its_square_is_too_large_by_the_stated_factor() {
    each_case(|case| {
        for kind in KINDS {
            let m = case.probes(kind, 16, 0).count() as f64;
            let draws = Draws::of(200, |seed| {
                let probes = case.probes(kind, 16, seed);
                let mut found = Hutchinson::new(&case.sketch(&probes)).matrix();
                found.standard_error = None;
                let value = vec![excess(case, &found.value)];
                let (standard_error, solves) = (None, found.solves);
                pullback::sketch::Estimate {
                    value,
                    standard_error,
                    solves,
                }
            });
            let stated = second_moment(kind, case.y.nrows() as f64, m);
            let off = draws.off(&[stated]);
            assert!(
                off < 4.0,
                "{}, {kind:?}: {:?}, not {stated}",
                case.name,
                draws.mean()
            );
        }
    });
}

fn draws(case: &Case<'_>, kind: ProbeKind, y: &[f64], length: Length) -> Draws {
    Draws::of(200, |seed| {
        let probes = case.probes(kind, 24, seed);
        let sketch = case.sketch(&probes);
        Hutchinson::new(&sketch).direction(y, length).unwrap()
    })
}

#[test]
fn corrected_directions_have_the_right_length_in_the_mean() {
    each_case(|case| {
        for (explained, kind) in [true, false]
            .into_iter()
            .flat_map(|e| KINDS.map(|k| (e, k)))
        {
            let (y, t) = if explained {
                case.explained()
            } else {
                case.unexplained()
            };
            if case.y.nrows() < 24 && kind == ProbeKind::Orthonormal {
                continue; // whole bases are exact: see below
            }
            let found = draws(case, kind, &y, Length::Corrected);
            let lengths = found.map(|eta| case.length(eta, &t));
            let off = (lengths.mean()[0] - 1.0).abs();
            let error = lengths.spread()[0] / 200_f64.sqrt();
            // For signs the factor is of first order in 1/(k + m), as the docs say.
            let first_order = 3.0 / (case.y.nrows() as f64 + 24.0);
            let slack = if kind == ProbeKind::Signs {
                first_order
            } else {
                1e-9
            };
            let place = format!("{}, {kind:?}", case.name);
            assert!(off < 4.0 * error + slack, "{place}: length off by {off}");
            if !explained {
                let honesty = found.typical_honesty();
                assert!((0.75..1.3).contains(&honesty), "{place}: {honesty}");
            }
        }
    });
}

/// m/(k + m) to first order; exactly m/(k + m − 2p − 1) for Gaussian and m/k for orthonormal probes.
#[test]
fn literal_directions_are_as_short_as_stated() {
    each_case(|case| {
        let ((y, t), k) = (case.explained(), case.y.nrows() as f64);
        for kind in KINDS {
            let m = case.probes(kind, 24, 0).count() as f64;
            let lengths = draws(case, kind, &y, Length::Literal).map(|e| case.length(e, &t));
            let (mean, error) = (lengths.mean()[0], lengths.spread()[0] / 200_f64.sqrt());
            let (stated, slack) = match kind {
                ProbeKind::Gaussian => (m / (k + m - 9.0), 0.0),
                ProbeKind::Orthonormal => (m / k, 1e-9),
                // The inverse of the mean is not the mean of the inverse: 2p + 3 of k + m.
                ProbeKind::Signs => (1.0 / second_moment(kind, k, m), 11.0 * m / (k + m).powi(2)),
            };
            let off = (mean - stated).abs();
            assert!(
                off < 4.0 * error + slack,
                "{}, {kind:?}: {mean}, not {stated}",
                case.name
            );
        }
    });
}

#[test]
fn whole_bases_and_all_probes_are_exact() {
    each_case(|case| {
        let ((y, t), k) = (case.unexplained(), case.y.nrows());
        let whole = Probes::new(ProbeKind::Orthonormal, k, k, 1).unwrap();
        for probes in [whole, Probes::all(k).unwrap()] {
            let sketch = case.sketch(&probes);
            let published = Hutchinson::new(&sketch);
            let y_hat = published.matrix();
            assert!(matrix_gap(y_hat.value.as_ref(), case.y.as_ref()) < 1e-12);
            assert!(
                columns(&y_hat.standard_error.unwrap())
                    .iter()
                    .all(|e| *e == 0.0)
            );
            for length in [Length::Corrected, Length::Literal] {
                let found = published.direction(&y, length).unwrap();
                assert!(gap(&found.value, &t) < 1e-8, "{}", case.name);
                assert_eq!(found.standard_error.unwrap(), [0.0; 4]);
            }
        }
    });
}

/// Without a metric it is (1/m) H HᵀZ, which is what the Euclidean metric makes.
#[test]
fn of_state_is_the_euclidean_metric() {
    let model = support::Reaction::new(20, 4, 1);
    let (rho, theta, cpu) = (vec![0.5; 20], vec![0.1; 4], Cpu::default());
    let z = Linearisation::new(&model, &rho, &theta, &cpu).unwrap();
    let probes = Probes::new(ProbeKind::Signs, 20, 6, 1).unwrap();
    let euclidean = pullback::metric::L2::default();
    let root = euclidean.at(&rho, &cpu).unwrap();
    let bare = Sketch::of_state(&z, &probes).unwrap();
    let found = Hutchinson::new(&bare).matrix();
    let h = probes.vectors();
    let dense = h * (h.transpose() * z.matrix().unwrap());
    let dense = Mat::from_fn(20, 4, |i, j| dense[(i, j)] / 6.0);
    assert!(matrix_gap(found.value.as_ref(), dense.as_ref()) < 1e-12);
    let lifted = Sketch::new(&z, root.as_ref(), &probes).unwrap();
    assert_eq!(lifted.rows(), bare.rows());
    assert_eq!(found.solves, 6);
    // Fewer probes than parameters leave the error unknown.
    let few = Probes::new(ProbeKind::Signs, 20, 3, 1).unwrap();
    let few = Sketch::of_state(&z, &few).unwrap();
    let eta = Hutchinson::new(&few)
        .direction(&rho, Length::default())
        .unwrap();
    assert!(eta.standard_error.is_none());
}

/// What a corrected step promises is what it brings, in the mean: here all of the loss.
#[test]
fn corrected_steps_promise_what_their_length_brings() {
    let (k, m, seeds) = (40, 10, 60);
    let model = Explicit(random::normal_matrix(k, 3, 1));
    let data = model.0.col_as_slice(1).to_vec();
    let loss = 0.5 * data.iter().map(|y| y * y).sum::<f64>();
    let noise = Noise::uniform(k, 1.0).unwrap();
    let misfit = Observations::new(Operator::identity(k), data, noise).unwrap();
    let promised = (0..seeds).map(|seed| {
        let direction = Sketched {
            estimator: Estimator::Published(Length::Corrected),
            kind: ProbeKind::Orthonormal,
            probes: m,
            seed,
        };
        let descent = Descent::new(&model, &misfit).direction(&direction);
        let proposal = descent.propose(&[0.0; 3], 0.0).unwrap();
        assert!(gap(&proposal.eta, &[0.0, 1.0, 0.0]) < 1e-10);
        proposal.predicted / loss
    });
    let mean = promised.sum::<f64>() / seeds as f64;
    assert!((mean - 1.0).abs() < 0.2, "{mean}");
}
