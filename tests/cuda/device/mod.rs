//! Tests of solves on a device, with the processor as reference.

mod laws;
pub(crate) mod memory;
mod oracle;
mod red_black;
mod sharing;

use pullback::faer::{Mat, MatRef};
use pullback::linalg::{Cuda, SolveStats};
use pullback::{Backend, Operator, Side};

use crate::support::stencils::Case;

/// Opens the device; `None` without a device unless one is required.
fn device() -> Option<Cuda> {
    match Cuda::new(0) {
        Ok(cuda) => Some(cuda),
        Err(e) if std::env::var_os("PULLBACK_REQUIRE_GPU").is_none() => {
            println!("skipped: {e}");
            None
        }
        Err(e) => panic!("{e}"),
    }
}

fn solve(
    backend: &dyn Backend,
    a: Operator<'static>,
    side: Side,
    b: &Mat<f64>,
) -> (Mat<f64>, SolveStats) {
    let mut x = b.clone();
    let stats = backend
        .factor(a)
        .unwrap()
        .solve(side, None, x.as_mut())
        .unwrap();
    (x, stats)
}

fn side_of(case: &Case, side: Side) -> MatRef<'_, f64> {
    match side {
        Side::Plain => case.dense.as_ref(),
        Side::Transpose => case.dense.transpose(),
    }
}
