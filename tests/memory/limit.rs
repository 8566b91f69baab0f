//! A factorisation that does not fit is refused before it takes anything, and one that fits takes what was estimated.

use crate::allocator::{alone, peak};
use crate::support::stencils::{Case, Kind, cpu, lopsided};
use pullback::faer::{Mat, MatMut, MatRef};
use pullback::linalg::{Method, StencilSolver};
use pullback::{Backend, Cpu, Error, Operator, Side, random};
use rayon::ThreadPoolBuilder;

fn limited(bytes: usize) -> Cpu {
    let mut cpu = cpu(StencilSolver::Direct);
    cpu.memory = Some(bytes);
    cpu
}

fn sparse(kind: Kind, shape: &[usize]) -> Operator<'static> {
    let case = Case::new(kind, shape);
    let a = Operator::sparse(case.operator().to_sparse().unwrap());
    if case.definite {
        a.positive_definite()
    } else {
        a
    }
}

fn scattered(n: usize) -> Operator<'static> {
    let (places, values) = (
        random::uniform(3 * n, (0.0, n as f64), 1),
        random::normal(3 * n, 2, 0),
    );
    let off = (0..3 * n).map(|k| (k / 3, places[k] as usize, 0.1 * values[k]));
    Operator::triplets(n, n, off.chain((0..n).map(|i| (i, i, 1.0))))
}

/// A row and a column that are full, and a diagonal.
fn arrow(n: usize) -> Operator<'static> {
    let cross = (1..n).flat_map(|i| [(0, i, 1e-3), (i, 0, 1e-3)]);
    Operator::triplets(n, n, cross.chain((0..n).map(|i| (i, i, 1.0))))
}

fn dense(n: usize) -> Mat<f64> {
    Mat::from_fn(n, n, |i, j| if i == j { 2.0 } else { 1e-3 })
}

/// A factorisation, a matrix, and the least part of the estimate that is taken.
type Row = (&'static str, fn() -> Operator<'static>, f64);

fn factorisations() -> Vec<Row> {
    vec![
        ("dense LU", || Operator::dense(dense(300)), 0.9),
        (
            "dense Cholesky",
            || Operator::dense(dense(300)).positive_definite(),
            0.9,
        ),
        ("sparse Cholesky", || sparse(Kind::Pinned, &[40, 40]), 0.5),
        ("sparse LU", || lopsided(&[40, 40]), 0.2),
        ("sparse LU", || lopsided(&[1000]), 0.2),
        ("sparse LU", || lopsided(&[11, 12, 9]), 0.2),
        ("multifrontal LU", || sparse(Kind::Killed, &[40, 40]), 0.2),
        ("sparse LU", || scattered(900), 0.2),
        ("sparse LU", || arrow(2000), 0.2),
        (
            "sparse Cholesky",
            || Case::new(Kind::Pinned, &[11, 12, 9]).operator(),
            0.5,
        ),
        (
            "multifrontal LU",
            || Case::new(Kind::Killed, &[11, 12, 9]).operator(),
            0.2,
        ),
    ]
}

fn solve(cpu: &Cpu, a: Operator<'_>) -> pullback::Result<()> {
    let mut x = random::normal_matrix(a.nrows(), 1, 3);
    cpu.factor(a)?.solve(Side::Plain, None, x.as_mut())?;
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused_and_what_fits_takes_what_was_estimated() {
    let _alone = alone();
    // The room that dense products keep for every thread is not part of any factorisation: one thread, which has it.
    let pool = ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| {
        drop(dense(300) * dense(300));
        estimates();
        refusals_of_work();
        stencils_are_iterated_then();
        iterations_keep_to_the_limit();
        batches_of_several_widths_keep_to_it_together();
    });
}

fn estimates() {
    for (what, operator, least) in factorisations() {
        let rows = operator().nrows();
        let error = solve(&limited(0), operator()).unwrap_err();
        let Error::OutOfMemory {
            what: refused,
            needed: Some(needed),
            limit: Some(0),
            ..
        } = error
        else {
            panic!("{what} of {rows} rows: {error}");
        };
        assert_eq!(refused, what);
        let text = error.to_string();
        assert!(text.contains("B, but the limit is 0 bytes"), "{text}");
        assert!(text.contains("Cpu::memory"), "{text}");

        // What fits as factors leaves room for a solve, and for a panel of a dense matrix in its check.
        let work = rows * (72 * size_of::<f64>()) + (1 << 10);
        solve(&limited(needed + work), operator())
            .unwrap_or_else(|error| panic!("{what} of {rows} rows: {error}"));

        let enough = limited(1 << 30);
        // The analysis of the pattern is kept, and counted for itself.
        solve(&enough, operator()).unwrap();
        let a = operator();
        let (taken, _) = peak(|| enough.factor(a).map(|factor| solve_one(&*factor, rows)));
        println!("{what} of {rows} rows: {taken} bytes, {needed} estimated");
        // The check of a solve keeps the sizes of equations, a room for one column, and an expanded stencil.
        let besides = rows * (40 * size_of::<f64>()) + (64 << 10);
        assert!(
            taken <= needed * 5 / 4 + besides,
            "{what} of {rows} rows: {taken} for {needed}"
        );
        assert!(
            taken as f64 >= least * needed as f64,
            "{what} of {rows} rows: {taken} for {needed}"
        );
    }
}

/// Where no solver is asked for.
fn stencils_are_iterated_then() {
    for (kind, columns, method) in [
        (Kind::Pinned, 3, Method::MultigridConjugateGradients),
        (Kind::Killed, 40, Method::DiluBiCgStab),
    ] {
        let case = Case::new(kind, &[11, 12, 9]);
        let mut cpu = Cpu::default();
        cpu.memory = Some(300_000);
        let mut x = random::normal_matrix(11 * 12 * 9, columns, 1);
        let factor = cpu.factor(case.operator()).unwrap();
        let stats = factor.solve(Side::Plain, None, x.as_mut()).unwrap();
        assert_eq!(stats.method, method);
    }
}

/// The preconditioner and the room of solves share it.
fn iterations_keep_to_the_limit() {
    let case = Case::new(Kind::Killed, &[40, 40, 16]);
    let (mut solved, mut refused) = (0, 0);
    for limit in (1..=32).map(|quarters| quarters << 18) {
        let mut cpu = cpu(StencilSolver::Multigrid);
        cpu.memory = Some(limit);
        let (a, mut x) = (case.operator(), random::normal_matrix(40 * 40 * 16, 1, 1));
        let (taken, outcome) = peak(|| cpu.factor(a).unwrap().solve(Side::Plain, None, x.as_mut()));
        match outcome {
            Ok(_) => solved += 1,
            Err(_) => refused += 1,
        }
        // The inverse on the coarsest level comes on top.
        assert!(taken <= limit + (512 << 10), "{taken} bytes of {limit}");
    }
    assert!(solved > 0 && refused > 0);
}

/// Rooms for batches of one width do not stay beside those for another, and copies of batches are counted.
fn batches_of_several_widths_keep_to_it_together() {
    let (shape, widths) = (&[20, 20, 16], [1, 3, 6, 16, 12, 2]);
    let case = Case::new(Kind::Killed, shape);
    let mut solved = 0;
    for solver in [StencilSolver::Multigrid, StencilSolver::Auto] {
        for limit in [2, 3, 5, 7, 10, 14].map(|megabytes| megabytes << 20) {
            let mut cpu = cpu(solver);
            cpu.memory = Some(limit);
            let mut batches = widths.map(|w| random::normal_matrix(20 * 20 * 16, w, 1));
            let (a, mut outcomes) = (case.operator(), [false; 6]);
            let (taken, ()) = peak(|| {
                let factor = cpu.factor(a).unwrap();
                for (ok, x) in outcomes.iter_mut().zip(&mut batches) {
                    *ok = factor.solve(Side::Plain, None, x.as_mut()).is_ok();
                }
            });
            solved += outcomes.iter().filter(|ok| **ok).count();
            assert!(
                taken <= limit + (256 << 10),
                "{solver:?}: {taken} bytes of {limit}"
            );
        }
    }
    assert!(solved > 30, "{solved} were solved");
}

fn solve_one(factor: &dyn pullback::linalg::Factor, rows: usize) {
    let mut x = Mat::from_fn(rows, 1, |i, _| i as f64);
    factor.solve(Side::Plain, None, x.as_mut()).unwrap();
}

/// The factors fit, and the work for wide batches does not.
fn refusals_of_work() {
    let n = 20_000;
    let cpu = limited(4_000_000);
    let factor = cpu.factor(Operator::diagonal(vec![2.0; n])).unwrap();
    let solve = |columns| {
        let mut x = random::normal_matrix(n, columns, 1);
        factor.solve(Side::Plain, None, x.as_mut()).map(|_| ())
    };
    solve(1).unwrap();
    let error = solve(16).unwrap_err();
    assert!(
        error.to_string().contains("the batched solve of a"),
        "{error}"
    );
    solve(1).unwrap();

    let product = |_: Side, x: MatRef<'_, f64>, mut out: MatMut<'_, f64>| out.copy_from(x);
    let free = Operator::free(n, n, Box::new(product));
    let factor = cpu.factor(free).unwrap();
    let mut x = random::normal_matrix(n, 1, 1);
    let error = factor.solve(Side::Plain, None, x.as_mut()).unwrap_err();
    assert!(error.to_string().contains("GMRES"), "{error}");
}
