//! The second solve of a kind allocates nothing, on any thread.

use crate::allocator::{alone, counted, watch};
use crate::support;

use crate::support::definite;
use crate::support::stencils::{Case, Kind, SIDES, cpu, lopsided};
use pullback::faer::{Mat, MatMut, MatRef};
use pullback::linalg::{Factor, Pattern};
use pullback::{Backend, Cpu, Operator, Side, random};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Within the pool, as work from outside is handed over in memory of its own.
fn pool() -> ThreadPool {
    let pool = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    // Products of dense blocks keep room for every thread, made when a thread needs it first.
    let a = Mat::<f64>::identity(200, 200);
    pool.broadcast(|_| drop(&a * &a));
    watch(&pool);
    pool
}

const COLUMNS: [usize; 4] = [1, 3, 16, 40];

/// Solves twice with every side and number of columns; the second time nothing may be allocated.
fn settles(name: &str, factor: &dyn Factor, rows: usize) {
    for side in SIDES {
        for columns in COLUMNS {
            let b = random::normal_matrix(rows, columns, 7);
            let (mut first, mut second) = (b.clone(), b);
            factor.solve(side, None, first.as_mut()).unwrap();
            let mut outcome = None;
            let (calls, bytes) =
                counted(|| outcome = Some(factor.solve(side, None, second.as_mut())));
            outcome.unwrap().unwrap();
            let place = format!("{name}, {side:?}, {columns} columns");
            assert_eq!(calls, 0, "{place}: {calls} allocations of {bytes} bytes");
            assert_eq!(first, second, "{place}");
        }
    }
}

/// A lower bidiagonal matrix by its products, which need no memory.
fn bidiagonal(n: usize) -> Operator<'static> {
    let product = |side, x: MatRef<'_, f64>, mut out: MatMut<'_, f64>| {
        for j in 0..x.ncols() {
            for i in 0..x.nrows() {
                let beside = match side {
                    Side::Plain => (i > 0).then(|| x[(i - 1, j)]),
                    Side::Transpose => (i + 1 < x.nrows()).then(|| x[(i + 1, j)]),
                };
                out[(i, j)] = 3.0 * x[(i, j)] - beside.unwrap_or(0.0);
            }
        }
    };
    Operator::free(n, n, Box::new(product))
}

fn sparse(kind: Kind, shape: &[usize]) -> Operator<'static> {
    let case = Case::new(kind, shape);
    let sparse = case.operator().to_sparse().unwrap();
    let a = Operator::sparse(sparse);
    if case.definite {
        a.positive_definite()
    } else {
        a
    }
}

fn operators() -> Vec<(&'static str, Operator<'static>)> {
    let n = 90;
    let noise = random::normal_matrix(n, n, 1);
    let dense = || Mat::from_fn(n, n, |i, j| noise[(i, j)] + if i == j { 30.0 } else { 0.0 });
    let spd = || Operator::dense(definite(n, 2)).positive_definite();
    let chain = || sparse(Kind::Killed, &[140]);
    vec![
        ("identity", Operator::identity(n)),
        (
            "diagonal",
            Operator::diagonal(random::uniform(n, (0.5, 2.0), 3)),
        ),
        ("dense", Operator::dense(dense())),
        ("dense definite", spd()),
        ("sparse, without pivoting", sparse(Kind::Killed, &[17, 19])),
        ("sparse, simplicial", lopsided(&[140])),
        ("sparse, supernodal", lopsided(&[11, 12, 9])),
        ("sparse definite, simplicial", sparse(Kind::Pinned, &[140])),
        (
            "sparse definite, supernodal",
            sparse(Kind::Pinned, &[40, 40]),
        ),
        ("repeated dense", Operator::repeated(dense(), 3)),
        ("repeated dense definite", Operator::repeated(spd(), 3)),
        ("repeated sparse", Operator::repeated(chain(), 4)),
        ("free", bidiagonal(n)),
        ("repeated free", Operator::repeated(bidiagonal(n), 2)),
    ]
}

#[test]
fn the_second_solve_of_a_kind_allocates_nothing() {
    let _alone = alone();
    let one = counted(|| drop(std::hint::black_box(vec![1_u8; 10])));
    assert_eq!(one, (1, 10), "what is counted");
    pool().install(|| {
        for (name, operator) in operators() {
            let (cpu, rows) = (Cpu::default(), operator.nrows());
            settles(name, &*cpu.factor(operator).unwrap(), rows);
        }
        stencils();
    });
}

#[test]
fn assembling_again_allocates_values_alone_and_clones_nothing() {
    let _alone = alone();
    let n = 2000;
    let places = (0..n).flat_map(|i| [(i, i), (i, (i + 1) % n), (i, i)]);
    let pattern = Pattern::new(n, n, places).unwrap();
    let values = vec![1.0; 3 * n];
    pool().install(|| {
        let mut made = None;
        let (_, bytes) = counted(|| made = Some(pattern.with_values(&values)));
        let a = made.unwrap().unwrap();
        assert!(
            bytes < 2 * n * 8 + 200,
            "{bytes} bytes for {} values",
            2 * n
        );
        let others = operators().into_iter().map(|(_, operator)| operator);
        for operator in others.chain([a]) {
            let (_, bytes) = counted(|| drop((operator.clone(), operator.lend())));
            assert!(bytes < 500, "{bytes} bytes");
        }
    });
}

fn stencils() {
    let shapes: [&[usize]; 3] = [&[140], &[17, 19], &[11, 12, 9]];
    for solver in support::stencils::SOLVERS {
        for (kind, shape) in support::stencils::KINDS
            .into_iter()
            .flat_map(|kind| shapes.map(|shape| (kind, shape)))
        {
            let case = Case::new(kind, shape);
            let cpu = cpu(solver);
            let factor = cpu.factor(case.operator()).unwrap();
            let name = format!("{solver:?}, {}", case.name);
            settles(&name, &*factor, case.stencil.cells());
        }
    }
}
