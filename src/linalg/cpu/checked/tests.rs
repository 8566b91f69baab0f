//! Tests of refinement, fallback factorisation and refusal.

use faer::Mat;

use super::*;
use crate::linalg::Method;

/// Solver for 2 x = b that divides by the first number, which may be wrong. The fallback, if any, divides by
/// the second.
struct Divide(f64, Option<f64>);

impl Direct for Divide {
    fn method(&self) -> Method {
        Method::Named("division")
    }

    fn bytes(&self) -> usize {
        0
    }

    fn scratch(&self, _: usize) -> StackReq {
        StackReq::EMPTY
    }

    fn solve(&self, _: Side, mut batch: MatMut<'_, f64>, _: &mut MemStack) {
        let columns = batch.rb_mut().col_iter_mut();
        columns.for_each(|column| column.iter_mut().for_each(|x| *x /= self.0));
    }

    fn safer(&self, _: &Operator<'_>) -> Option<Box<dyn Direct>> {
        Some(Box::new(Divide(self.1?, None)))
    }
}

#[test]
fn inaccurate_solutions_are_refined_and_then_recomputed_by_the_fallback() {
    let solve = |direct: Divide| {
        let two = Operator::diagonal(vec![2.0; 3]);
        let mut x = Mat::from_fn(3, 20, |i, j| (i + j) as f64);
        let stats = Checked::new(two, direct, 1e-11).solve(Side::Plain, None, x.as_mut())?;
        assert!(stats.residual <= 1e-11 && (x[(2, 19)] - 10.5).abs() < 1e-9);
        Ok::<_, Error>(())
    };
    assert!(solve(Divide(2.0, None)).is_ok());
    assert!(solve(Divide(2.000001, None)).is_ok(), "one refinement");
    assert!(solve(Divide(5.0, None)).is_err());
    assert!(solve(Divide(5.0, Some(2.0))).is_ok());
    assert!(solve(Divide(0.0, Some(2.0))).is_ok());
    assert!(solve(Divide(5.0, Some(3.0))).is_err());
}

/// Solver that divides by the first number and aligns its stack memory to the second. Its fallback divides by
/// two.
struct Aligned(f64, usize);

/// Stack memory of [`Aligned`] in bytes, which is also the alignment of its fallback. `malloc` does not align
/// small arrays so strictly.
const BYTES: usize = 4096;

impl Direct for Aligned {
    fn method(&self) -> Method {
        Method::Named("aligned division")
    }

    fn bytes(&self) -> usize {
        0
    }

    fn scratch(&self, _: usize) -> StackReq {
        StackReq::new_aligned::<u8>(BYTES, self.1)
    }

    fn solve(&self, _: Side, mut batch: MatMut<'_, f64>, stack: &mut MemStack) {
        let (workspace, _) = stack.make_aligned_with::<u8>(BYTES, self.1, |_| 0);
        assert_eq!(workspace.len(), BYTES);
        let columns = batch.rb_mut().col_iter_mut();
        columns.for_each(|column| column.iter_mut().for_each(|x| *x /= self.0));
    }

    fn safer(&self, _: &Operator<'_>) -> Option<Box<dyn Direct>> {
        (self.1 == 1).then(|| Box::new(Self(2.0, BYTES)) as _)
    }
}

fn fall_back(budget: Budget) -> Result<()> {
    let two = Operator::diagonal(vec![2.0; 3]);
    let checked = Checked::new(two, Aligned(5.0, 1), 1e-11).within(budget);
    for _ in 0..3 {
        let mut x = Mat::from_fn(3, 1, |i, _| i as f64);
        checked.solve(Side::Plain, None, x.as_mut())?;
        assert_eq!(x[(2, 0)], 1.0);
    }
    Ok(())
}

#[test]
fn the_fallback_gets_memory_for_its_alignment_and_is_charged_for_it_once() {
    assert!(fall_back(Budget::UNLIMITED).is_ok());
    // x, r and |A||x| of three rows, and the stack of the first solver.
    let workspace = 3 * 3 * size_of::<f64>() + BYTES;
    let padding = BYTES - 1;
    assert!(fall_back(Budget::new(Some(workspace + padding))).is_ok());
    let error = fall_back(Budget::new(Some(workspace + padding - 1))).unwrap_err();
    assert_eq!(error.kind(), "OutOfMemory");
}
