//! Multifrontal Cholesky factor of a symmetric positive definite matrix, and solves with the factor.

use std::sync::Arc;

use faer::dyn_stack::{MemStack, StackReq};
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_upper_triangular_in_place,
};
use faer::{MatMut, MatRef, Par};

use super::front::Source;
use super::numeric;
use super::symbolic::Symbolic;
use crate::error::{Error, Result};
use crate::linalg::cpu::direct::analyses::Matrix;
use crate::linalg::cpu::direct::interleaved::Supernode;
use crate::linalg::cpu::direct::{interleaved, single_column};
use crate::linalg::memory::Budget;
use crate::linalg::operator::Side;

/// Cholesky factor L of A = L Lᵀ.
pub(crate) struct Cholesky {
    symbolic: Arc<Symbolic>,
    /// Panels of L, node by node.
    values: Vec<f64>,
    /// Reciprocals of the diagonal of L.
    reciprocals: Vec<f64>,
    /// Largest number of rows of any front, and largest number of rows below any node.
    heights: [usize; 2],
}

impl Cholesky {
    /// Factorises A, and reads only its lower triangle in elimination order.
    pub(crate) fn new(a: Matrix<'_>, symbolic: Arc<Symbolic>, budget: Budget) -> Result<Self> {
        let diagonal = size_of::<f64>() * a.size();
        budget.check(symbolic.form.name(), a.size(), symbolic.bytes() + diagonal)?;
        let source = Source {
            values: a.values(),
            side: Side::Plain,
            sums: None,
        };
        let values = numeric::factorise(&symbolic, source)?;
        let values = values.ok_or(Error::NotPositiveDefinite {
            what: "an operator declared positive definite",
        })?;
        // Diagonal entry k has the index k (size + 1) in a panel of length width·size. Exactly the indices
        // with k < width lie within the panel, so that the iteration ends with the square.
        let diagonal = symbolic.nodes.iter().flat_map(|node| {
            let panel = &values[node.offset..][..node.len];
            panel.iter().step_by(node.size() + 1).copied()
        });
        let reciprocals = diagonal.map(f64::recip).collect();
        Ok(Self {
            heights: [symbolic.largest(), symbolic.tallest()],
            symbolic,
            values,
            reciprocals,
        })
    }

    /// Returns the size of the factor in bytes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.values) + size_of_val(&*self.reciprocals)
    }

    /// Returns the scratch memory that a solve with `columns` columns requires.
    pub(crate) fn scratch(&self, columns: usize) -> StackReq {
        let rows = self.symbolic.order.len();
        let [largest, tallest] = self.heights;
        let single = StackReq::new::<f64>(rows).and(StackReq::new::<f64>(largest));
        interleaved::scratch((rows, tallest), columns).or(single)
    }

    /// Computes batch ← A⁻¹ batch.
    pub(crate) fn solve(&self, mut batch: MatMut<'_, f64>, stack: &mut MemStack) {
        if batch.ncols() == 1
            && let Some(column) = batch.as_mut().col_mut(0).try_as_col_major_mut()
        {
            return self.solve_single(column.as_slice_mut(), stack);
        }
        self.solve_batch(batch, stack);
    }

    fn nodes(&self) -> impl DoubleEndedIterator<Item = single_column::Node<'_>> + Clone {
        self.symbolic.nodes.iter().map(|node| single_column::Node {
            start: node.start,
            width: node.width,
            rows: self.symbolic.rows(node),
            panel: &self.values[node.offset..][..node.len],
            reciprocals: &self.reciprocals[node.start..node.start + node.width],
        })
    }

    /// Computes column ← A⁻¹ column.
    fn solve_single(&self, column: &mut [f64], stack: &mut MemStack) {
        let order = &self.symbolic.order;
        let (mut x, stack) = stack.make_with(order.len(), |k| column[order[k]]);
        let (mut workspace, _) = stack.make_with(self.heights[0], |_| 0.0);
        single_column::solve(self.nodes(), &mut x, &mut workspace);
        for (&unknown, x) in order.iter().zip(x.iter()) {
            column[unknown] = *x;
        }
    }

    fn solve_batch(&self, batch: MatMut<'_, f64>, stack: &mut MemStack) {
        let order = |position: usize| self.symbolic.order[position];
        let order = (order, self.heights[1]);
        interleaved::solve(order, batch, stack, |x| {
            // L y = b: x₁ ← L₁₁⁻¹x₁, then x₂ ← x₂ − L₂₁x₁, from the leaves to the roots.
            for (node, square, panel) in self.nodes().map(part) {
                solve_lower_triangular_in_place(square, x.own(node), Par::Seq);
                x.update_below(node, panel);
            }
            // Lᵀx = y: x₁ ← L₁₁⁻ᵀ(x₁ − L₂₁ᵀx₂), from the roots to the leaves.
            for (node, square, panel) in self.nodes().rev().map(part) {
                x.update_own(node, panel);
                solve_upper_triangular_in_place(square.transpose(), x.own(node), Par::Seq);
            }
        });
    }
}

/// Splits the panel of a node into the diagonal block L₁₁ and the block L₂₁ below.
fn part(node: single_column::Node<'_>) -> (Supernode<'_>, MatRef<'_, f64>, MatRef<'_, f64>) {
    let height = node.width + node.rows.len();
    let panel = MatRef::from_column_major_slice(node.panel, height, node.width);
    let supernode = Supernode {
        start: node.start,
        width: node.width,
        rows: node.rows,
    };
    let (square, panel) = panel.split_at_row(node.width);
    (supernode, square, panel)
}
