//! Batches that leave too little memory for a solve, on an emulated device with little memory.

use pullback::linalg::Batch;
use pullback::{Backend, Side, random};

use super::device;
use crate::support::stencils::{Case, Kind};
use crate::support::{matrix_gap, reference_solve};

/// Variable and value that give the emulated device 2 MiB of memory.
pub(crate) const LITTLE: (&str, &str) = ("EMULATED_MEMORY", "2097152");

#[test]
fn columns_that_leave_no_memory_for_a_solve_are_solved_in_blocks() {
    if std::env::var_os(LITTLE.0).is_none() {
        println!("skipped: needs an emulated device with little memory");
        return;
    }
    let Some(cuda) = device() else { return };
    let cases = [Kind::Pinned, Kind::Killed].map(|kind| Case::new(kind, &[5, 7, 6]));
    let factor = |case: &Case| cuda.factor(case.operator()).unwrap();
    let filling = factor(&cases[0]);
    let others = [factor(&cases[1]), factor(&cases[1])];
    let b = random::normal_matrix(cases[0].dense.nrows(), 60, 2);
    // A solve allocates vectors for one column at least, more than a batch of two columns but less than one of 60.
    let mut held = Vec::new();
    let fill = |held: &mut Vec<Batch>, columns: usize| loop {
        let batch = b.subcols(0, columns).to_owned().into();
        let (batch, _) = filling.solve_batch(Side::Plain, None, batch).unwrap();
        if matches!(batch, Batch::Host(_)) {
            break held.len();
        }
        held.push(batch);
    };
    assert!(
        fill(&mut held, 60) >= 2,
        "the memory is too small for this test"
    );
    let [first, second] = cases.map(|case| case.dense);
    let x = reference_solve(first.as_ref(), b.as_ref());
    for (other, is_resident) in others.iter().zip([true, false]) {
        fill(&mut held, 2);
        let resident = held.remove(0);
        let (batch, b) = if is_resident {
            (resident, &x)
        } else {
            drop(resident);
            (b.clone().into(), &b)
        };
        let (batch, _) = other.solve_batch(Side::Plain, None, batch).unwrap();
        let Batch::Host(found) = batch else {
            panic!("the columns fitted, resident before: {is_resident}");
        };
        let reference = reference_solve(second.as_ref(), b.as_ref());
        let off = matrix_gap(found.as_ref(), reference.as_ref());
        assert!(off < 1e-8, "{off:e}, resident before: {is_resident}");
    }
}
