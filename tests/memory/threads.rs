//! What fits into a limit of memory, and how it is solved, is the same for any number of threads.

use crate::allocator::alone;
use crate::support::stencils::{Case, Kind};
use pullback::faer::{Mat, MatMut, MatRef};
use pullback::linalg::{Method, StencilSolver};
use pullback::{Backend, Cpu, Operator, Side, random};
use rayon::ThreadPoolBuilder;

/// An operator, how stencils are solved with, and columns.
type Row = (
    &'static str,
    fn() -> Operator<'static>,
    StencilSolver,
    usize,
);

fn rows() -> [Row; 6] {
    use StencilSolver::{Auto, Direct, Multigrid};
    [
        (
            "dense",
            || {
                Operator::dense(Mat::from_fn(
                    200,
                    200,
                    |i, j| if i == j { 2.0 } else { 1e-3 },
                ))
            },
            Auto,
            100,
        ),
        (
            "sparse Cholesky",
            || Case::new(Kind::Pinned, &[30, 31]).operator(),
            Direct,
            100,
        ),
        (
            "multifrontal or iteration",
            || Case::new(Kind::Killed, &[11, 12, 9]).operator(),
            Auto,
            100,
        ),
        (
            "multigrid",
            || Case::new(Kind::Pinned, &[11, 12, 9]).operator(),
            Multigrid,
            40,
        ),
        (
            "BiCGSTAB",
            || Case::new(Kind::Gauged, &[11, 12, 9]).operator(),
            Multigrid,
            40,
        ),
        ("GMRES", products, Auto, 12),
    ]
}

fn products() -> Operator<'static> {
    let product = |_: Side, x: MatRef<'_, f64>, mut out: MatMut<'_, f64>| {
        out.copy_from(x);
        out *= pullback::faer::Scale(3.0);
    };
    Operator::free(2000, 2000, Box::new(product))
}

/// The method and the bits of the answer, or the kind of the error.
fn outcome(row: &Row, limit: usize) -> Result<(Method, Vec<u64>), &'static str> {
    let (_, operator, solver, columns) = row;
    let mut cpu = Cpu::default();
    (cpu.stencils, cpu.memory) = (*solver, Some(limit));
    let a = operator();
    let mut x = random::normal_matrix(a.nrows(), *columns, 7);
    let solved = cpu
        .factor(a)
        .and_then(|f| f.solve(Side::Plain, None, x.as_mut()));
    let bits = |x: &Mat<f64>| {
        x.col_iter()
            .flat_map(|c| c.iter().map(|x| x.to_bits()))
            .collect()
    };
    solved
        .map(|stats| (stats.method, bits(&x)))
        .map_err(|error| error.kind())
}

#[test]
fn limits_mean_the_same_to_any_number_of_threads() {
    let _alone = alone();
    let pools = [1, 2, 7].map(|n| ThreadPoolBuilder::new().num_threads(n).build().unwrap());
    for row in &rows() {
        let (mut solved, mut refused) = (0, 0);
        for step in 0..20 {
            let limit = 20_000.0 * 1.45_f64.powi(step);
            let [one, two, seven] = pools
                .each_ref()
                .map(|pool| pool.install(|| outcome(row, limit as usize)));
            let same = one == two && one == seven;
            let said = [&one, &two, &seven].map(|o| o.as_ref().map(|(method, _)| *method));
            assert!(same, "{} in {limit:.0} bytes: {said:?}", row.0);
            match one {
                Ok(_) => solved += 1,
                Err(kind) => {
                    assert_eq!(kind, "OutOfMemory", "{}", row.0);
                    refused += 1;
                }
            }
        }
        assert!(
            solved > 0 && refused > 0,
            "{}: {solved} and {refused}",
            row.0
        );
    }
}
