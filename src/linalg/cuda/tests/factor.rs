//! Test of the columns that a failed solve leaves unsolved.

use faer::mat;

use crate::linalg::cuda::factor::solve_rest;
use crate::linalg::operator::{Operator, Side};
use crate::linalg::{Backend, Cpu};

#[test]
fn solved_columns_are_not_solved_again() {
    let cpu = Cpu::default();
    let factor = cpu.factor(Operator::diagonal(vec![2.0, 4.0])).unwrap();
    let mut batch = mat![[1.0, 6.0, 3.0, 2.0], [5.0, 8.0, 7.0, 4.0]];
    let solved = [true, false, true, false];
    solve_rest(factor.as_ref(), Side::Plain, batch.as_mut(), &solved).unwrap();
    assert_eq!(batch, mat![[1.0, 3.0, 3.0, 1.0], [5.0, 2.0, 7.0, 1.0]]);
}
