//! Choice between device and processor, resident batches, and sharing of a device.

use pullback::linalg::{Batch, Fastest, StencilSolver};
use pullback::{Backend, Error, Operator, Side, random};

use super::{device, side_of, solve};
use crate::support::stencils::{Case, Kind, SIDES, assemble, cpu, operator, stencil};
use crate::support::{matrix_gap, reference_solve};

#[test]
fn sparse_matrices_are_solved_with_by_the_device_or_by_the_processor() {
    let Some(cuda) = device() else { return };
    // The first box is large enough for the device, the second one is not.
    for (shape, on_device) in [([22, 21, 23], true), ([5, 7, 6], false)] {
        for kind in [Kind::Killed, Kind::Pinned] {
            let sparse = || {
                let a = Operator::sparse(
                    Operator::stencil(stencil(kind, &shape))
                        .to_sparse()
                        .unwrap(),
                );
                if kind == Kind::Pinned {
                    a.positive_definite()
                } else {
                    a
                }
            };
            let b = random::normal_matrix(sparse().nrows(), 3, 2);
            for side in SIDES {
                let (x, stats) = solve(&cuda, sparse(), side, &b);
                let r = &b - sparse().apply(side, x.as_ref()).unwrap();
                assert!(r.norm_l2() < 1e-10 * b.norm_l2(), "{:e}", r.norm_l2());
                assert_eq!(stats.method.to_string().contains("GPU"), on_device);
            }
        }
    }
}

#[test]
fn what_iteration_cannot_do_is_done_on_the_processor() {
    let Some(mut cuda) = device() else { return };
    cuda.cpu.krylov_products = 2;
    let case = Case::new(Kind::Pinned, &[11, 12, 9]);
    let b = random::normal_matrix(case.dense.nrows(), 3, 2);
    let (x, stats) = solve(&cuda, case.operator(), Side::Plain, &b);
    let reference = reference_solve(case.dense.as_ref(), b.as_ref());
    assert!(matrix_gap(x.as_ref(), reference.as_ref()) < 1e-9);
    assert!(
        !stats.method.to_string().contains("GPU"),
        "{}",
        stats.method
    );
}

#[test]
fn what_does_not_fit_is_an_error_that_says_what_is_needed() {
    let Some(mut cuda) = device() else { return };
    cuda.memory = Some(1000);
    let case = Case::new(Kind::Killed, &[5, 7, 6]);
    let mut b = random::normal_matrix(case.dense.nrows(), 3, 2);
    let refused = cuda
        .factor(case.operator())
        .unwrap()
        .solve(Side::Plain, None, b.as_mut());
    match refused {
        Err(Error::OutOfMemory {
            needed: Some(needed),
            limit: Some(1000),
            ..
        }) => assert!(needed > 1000),
        other => panic!("{other:?}"),
    }
}

#[test]
fn batches_stay_on_the_device_between_solves() {
    let Some(cuda) = device() else { return };
    let (laplacian, flow) = (
        Case::new(Kind::Pinned, &[5, 7, 6]),
        Case::new(Kind::Killed, &[5, 7, 6]),
    );
    let n = flow.dense.nrows();
    let b = random::normal_matrix(n, 9, 4);
    let weights: Vec<f64> = (0..n).map(|i| 1.0 + (i % 5) as f64).collect();
    let c = random::normal_matrix(n, 4, 5);
    let sparse = Operator::triplets(n, 2, (0..n).map(|i| (i, i % 2, (i as f64).sin())));
    let pass = |backend: &dyn Backend| {
        let (first, second) = (
            backend.factor(laplacian.operator()).unwrap(),
            backend.factor(flow.operator()).unwrap(),
        );
        let (mut batch, _) = first
            .solve_batch(Side::Plain, None, b.clone().into())
            .unwrap();
        batch.scale(0.3).unwrap();
        batch.centre(&weights).unwrap();
        let (batch, _) = second.solve_batch(Side::Transpose, None, batch).unwrap();
        let stayed = matches!(batch, Batch::Device(_));
        let (again, _) = second.solve_batch(Side::Plain, None, batch).unwrap();
        (again, stayed)
    };
    for a in [Operator::dense(c), sparse] {
        let (there, stayed) = pass(&cuda);
        let (here, _) = pass(&cpu(StencilSolver::Direct));
        assert!(stayed, "columns were fetched between two solves");
        let [there, here] = [there, here].map(|x| x.apply(&a, Side::Transpose).unwrap());
        assert!(
            matches!(there, Batch::Device(_)),
            "columns were fetched for a product"
        );
        let [there, here] = [there, here].map(|x| x.fetch().unwrap());
        let off = matrix_gap(there.as_ref(), here.as_ref());
        assert!(off < 1e-8, "{off:e}");
    }
}

#[test]
fn batches_that_became_no_numbers_on_the_device_are_errors() {
    let Some(cuda) = device() else { return };
    let case = Case::new(Kind::Killed, &[5, 7, 6]);
    let factor = cuda.factor(case.operator()).unwrap();
    let b = random::normal_matrix(case.dense.nrows(), 3, 4);
    for broken in [f64::NAN, f64::INFINITY] {
        let (mut batch, _) = factor
            .solve_batch(Side::Plain, None, b.clone().into())
            .unwrap();
        batch.scale(broken).unwrap();
        match factor.solve_batch(Side::Plain, None, batch) {
            Err(Error::NotFinite { index: 0, .. }) => {}
            Ok(_) => panic!("{broken}: solved"),
            Err(e) => panic!("{broken}: {e}"),
        }
    }
}

#[test]
fn threads_may_share_a_device() {
    let Some(cuda) = device() else { return };
    let case = Case::new(Kind::Killed, &[5, 7, 6]);
    let b = random::normal_matrix(case.dense.nrows(), 3, 2);
    let (expected, _) = solve(&cuda, case.operator(), Side::Plain, &b);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    assert_eq!(solve(&cuda, case.operator(), Side::Plain, &b).0, expected);
                }
            });
        }
    });
}

#[test]
fn what_was_made_for_one_matrix_serves_the_next() {
    let Some(cuda) = device() else { return };
    let shape = [11, 12, 9];
    let mut at_once = Vec::new();
    let kinds = [Kind::Gauged, Kind::Pinned];
    for (step, kind) in kinds.into_iter().cycle().take(6).enumerate() {
        let case = Case::new(kind, &shape);
        let scale = 1.0 + step as f64;
        let scaled = |axis: usize, lower: usize| kind.rates(&shape, axis, lower).map(|r| scale * r);
        let (diagonal, gauge) = kind.closure(&shape);
        let mut changed = assemble(&shape, scaled);
        changed.add_diagonal(&diagonal.iter().map(|d| scale * d).collect::<Vec<_>>());
        let changed = changed.with_gauge(scale * gauge);
        let a = Operator::stencil(changed);
        let a = if case.definite {
            a.positive_definite()
        } else {
            a
        };
        let b = random::normal_matrix(case.dense.nrows(), 2 + step, 5);
        let factor = cuda.factor(a).unwrap();
        for side in SIDES {
            let mut x = b.clone();
            factor.solve(side, None, x.as_mut()).unwrap();
            let reference = reference_solve(side_of(&case, side), b.as_ref());
            let off = matrix_gap(
                (&x * pullback::faer::Scale(scale)).as_ref(),
                reference.as_ref(),
            );
            assert!(off < 1e-7, "{} times {scale}, {side:?}: {off:e}", case.name);
        }
        // The first factor stays in use while others are built. Idle ones are reused.
        if step == 0 {
            at_once.push(factor);
        }
    }
}

#[test]
fn auto_solves_on_the_processor_what_the_device_has_no_room_for() {
    if device().is_none() {
        return;
    }
    let mut auto = Fastest::new();
    let shape = [24, 25, 26];
    let a = || operator(&stencil(Kind::Killed, &shape), false);
    let b = random::normal_matrix(a().nrows(), 64, 4);
    for (memory, on_device) in [(None, true), (Some(1000), false)] {
        auto.device_mut().unwrap().memory = memory;
        let (x, stats) = solve(&auto, a(), Side::Plain, &b);
        let r = &b - a().apply(Side::Plain, x.as_ref()).unwrap();
        assert!(r.norm_l2() < 1e-10 * b.norm_l2(), "{:e}", r.norm_l2());
        assert_eq!(stats.method.to_string().contains("GPU"), on_device);
    }
}
