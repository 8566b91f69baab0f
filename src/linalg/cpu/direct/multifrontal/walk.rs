//! Triangular solves with a factor, over the subtrees of the assembly tree in parallel.
//!
//! Every unit has a segment of the workspace with its part of the solution and with the rows below. In the forward
//! substitution a unit adds its updates of the rows below to its own segment, where the parent finds them. In the backward
//! substitution a unit first copies the solution in the rows below from its parent. Subtrees thus share no memory.

use faer::dyn_stack::{MemStack, StackReq};
use faer::prelude::ReborrowMut;
use faer::{MatMut, MatRef};
use rayon::prelude::*;

use super::symbolic::{Symbolic, Unit};
use super::units::Subtrees;
use crate::linalg::pool::is_parallel;

/// Number of multiplications from which a subtree is worth a thread of its own.
// About 50 µs, several times the cost of waking a thread.
const SPLIT: usize = 1 << 16;

/// Number of rows of a result that a thread copies at once.
const COPIED: usize = 1 << 13;

/// Triangular solves with the parts of a factor that belong to one unit.
///
/// A segment is row-major with a fixed number of columns. It holds the columns of the unit, then the rows below.
pub(super) trait Substitution: Sync {
    /// Computes x₁ ← L₁₁⁻¹x₁ for the unit's own rows x₁ of the segment, and x₂ ← x₂ − L₂₁x₁ for the rows below.
    fn forward(&self, unit: usize, segment: &mut [f64], scratch: &mut [f64]);

    /// Computes x₁ ← U₁₁⁻¹(x₁ − U₁₂x₂).
    fn backward(&self, unit: usize, segment: &mut [f64], scratch: &mut [f64]);
}

/// Walk over the units for a batch with `columns` columns.
struct Walk<'a, S> {
    symbolic: &'a Symbolic,
    columns: usize,
    parts: S,
}

/// Returns the scratch memory that [`solve`] needs.
pub(super) fn scratch(symbolic: &Symbolic, columns: usize) -> StackReq {
    StackReq::new::<f64>(symbolic.workspace() * columns)
}

/// Computes batch ← U⁻¹L⁻¹ batch, with substitutions by the parts of the units.
pub(super) fn solve(
    symbolic: &Symbolic,
    mut batch: MatMut<'_, f64>,
    stack: &mut MemStack,
    parts: impl Substitution,
) {
    let columns = batch.ncols();
    if columns == 0 {
        return;
    }
    let walk = Walk {
        symbolic,
        columns,
        parts,
    };
    let (mut segments, _) = stack.make_with(symbolic.workspace() * columns, |_| 0.0);
    walk.forward(&symbolic.roots, batch.as_ref(), &mut segments);
    walk.backward(&symbolic.roots, &mut segments);
    walk.store(&segments, batch.rb_mut());
}

impl<S: Substitution> Walk<'_, S> {
    /// Calls `work` for the subtrees of some units, in parallel if their work pays.
    fn subtrees(
        &self,
        units: &[usize],
        segments: &mut [f64],
        work: impl Fn(usize, &mut [f64]) + Sync,
    ) {
        let columns = self.columns;
        let extent = move |unit: &Unit| unit.rows * columns;
        let parallel = is_parallel();
        let pays = move |unit: &Unit| parallel && unit.entries * columns >= SPLIT;
        let subtrees = Subtrees {
            symbolic: self.symbolic,
            extent: &extent,
            pays: &pays,
            work,
        };
        subtrees.visit(units, segments);
    }

    /// Loads the right-hand sides of the subtrees of some units, and performs the forward substitution.
    fn forward(&self, units: &[usize], b: MatRef<'_, f64>, segments: &mut [f64]) {
        self.subtrees(units, segments, |u, segments| {
            let (unit, m) = (&self.symbolic.units[u], self.columns);
            let (before, segment) = segments.split_at_mut((unit.rows - unit.segment()) * m);
            self.forward(&unit.children, b, before);
            let (segment, scratch) = segment.split_at_mut((unit.width + unit.below) * m);
            // The rows below start at zero.
            self.load(unit, b, &mut segment[..unit.width * m]);
            self.with_children(unit, before, |place, below| {
                let target = &mut segment[place * m..][..m];
                target.iter_mut().zip(below).for_each(|(x, y)| *x += *y);
            });
            self.parts.forward(u, segment, scratch);
        });
    }

    /// Performs the backward substitution with the subtrees of some units, whose rows below hold the solution.
    fn backward(&self, units: &[usize], segments: &mut [f64]) {
        self.subtrees(units, segments, |u, segments| {
            let (unit, m) = (&self.symbolic.units[u], self.columns);
            let (before, segment) = segments.split_at_mut((unit.rows - unit.segment()) * m);
            let (segment, scratch) = segment.split_at_mut((unit.width + unit.below) * m);
            self.parts.backward(u, segment, scratch);
            self.with_children(unit, before, |place, below| {
                // A loop, because a call of `memcpy` costs more than the few numbers of a row.
                let source = &segment[place * m..][..m];
                below.iter_mut().zip(source).for_each(|(x, y)| *x = *y);
            });
            self.backward(&unit.children, before);
        });
    }

    /// Calls `work` with every row below a child of a unit, and the place of that row in the segment of the unit.
    fn with_children(
        &self,
        unit: &Unit,
        mut before: &mut [f64],
        mut work: impl FnMut(usize, &mut [f64]),
    ) {
        let m = self.columns;
        for &c in &unit.children {
            let child = &self.symbolic.units[c];
            let (subtree, others) = before.split_at_mut(child.rows * m);
            before = others;
            let own = (child.rows - child.segment() + child.width) * m;
            let below = subtree[own..].chunks_exact_mut(m);
            let places = child.above.iter().zip(below);
            places.for_each(|(&place, row)| work(place as usize, row));
        }
    }

    /// Copies the right-hand sides of a unit to its segment.
    fn load(&self, unit: &Unit, b: MatRef<'_, f64>, own: &mut [f64]) {
        let order = &self.symbolic.order[unit.start..][..unit.width];
        for (j, b) in b.col_iter().enumerate() {
            let rows = own.chunks_exact_mut(self.columns).zip(order);
            match b.try_as_col_major() {
                Some(b) => {
                    let b = b.as_slice();
                    rows.for_each(|(x, &i)| x[j] = b[i]);
                }
                None => rows.for_each(|(x, &i)| x[j] = b[i]),
            }
        }
    }

    /// Copies the solutions from the segments to the batch.
    fn store(&self, segments: &[f64], mut batch: MatMut<'_, f64>) {
        if is_parallel() && self.symbolic.len * self.columns >= 2 * SPLIT {
            let chunks = batch.par_row_chunks_mut(COPIED).enumerate();
            return chunks.for_each(|(k, part)| self.store_from(k * COPIED, segments, part));
        }
        self.store_from(0, segments, batch.rb_mut());
    }

    /// Copies the solutions of the unknowns from `first` on.
    fn store_from(&self, first: usize, segments: &[f64], batch: MatMut<'_, f64>) {
        let (m, places) = (self.columns, &self.symbolic.segments[first..]);
        for (j, mut x) in batch.col_iter_mut().enumerate() {
            let values = places.iter().map(|&place| segments[place as usize * m + j]);
            match x.rb_mut().try_as_col_major_mut() {
                Some(x) => x
                    .as_slice_mut()
                    .iter_mut()
                    .zip(values)
                    .for_each(|(x, v)| *x = v),
                None => x.iter_mut().zip(values).for_each(|(x, v)| *x = v),
            }
        }
    }
}
