//! Multifrontal Cholesky factor of a symmetric positive definite matrix, and solves with the factor.

use std::sync::Arc;

use faer::dyn_stack::{MemStack, StackReq};
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_upper_triangular_in_place,
};
use faer::{MatMut, MatRef, Par};

use super::front::Source;
use super::numeric;
use super::symbolic::{Symbolic, Unit};
use super::walk::{self, Substitution};
use crate::error::{Error, Result};
use crate::linalg::cpu::direct::analyses::Matrix;
use crate::linalg::cpu::direct::interleaved::{Interleaved, Supernode};
use crate::linalg::cpu::direct::single_column;
use crate::linalg::memory::Budget;
use crate::linalg::operator::Side;

/// Cholesky factor L of A = L Lᵀ.
pub(crate) struct Cholesky {
    symbolic: Arc<Symbolic>,
    /// Panels of L, node by node, for every unit.
    values: Vec<Vec<f64>>,
    /// Reciprocals of the diagonal of L, for every unit.
    reciprocals: Vec<Vec<f64>>,
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
        let of_unit = |(unit, values): (&Unit, &Vec<f64>)| -> Vec<f64> {
            let mut reciprocals = Vec::with_capacity(unit.width);
            for node in &symbolic.nodes[unit.nodes.clone()] {
                let panel = &values[node.offset..][..node.len];
                let diagonal = panel.iter().step_by(node.size() + 1);
                reciprocals.extend(diagonal.map(|l| l.recip()));
            }
            reciprocals
        };
        let units = symbolic.units.iter().zip(&values);
        let reciprocals = units.map(of_unit).collect();
        Ok(Self {
            symbolic,
            values,
            reciprocals,
        })
    }

    /// Returns the size of the factor in bytes.
    pub(crate) fn bytes(&self) -> usize {
        (self.symbolic.len + self.symbolic.order.len()) * size_of::<f64>()
    }

    /// Returns the scratch memory that a solve with `columns` columns requires.
    pub(crate) fn scratch(&self, columns: usize) -> StackReq {
        walk::scratch(&self.symbolic, columns)
    }

    /// Computes batch ← A⁻¹ batch.
    pub(crate) fn solve(&self, batch: MatMut<'_, f64>, stack: &mut MemStack) {
        match batch.ncols() {
            1 => walk::solve(&self.symbolic, batch, stack, Single(self)),
            columns => walk::solve(&self.symbolic, batch, stack, Batch(self, columns)),
        }
    }

    /// Returns the nodes of a unit, with their rows in its segment.
    fn nodes(&self, unit: usize) -> impl DoubleEndedIterator<Item = single_column::Node<'_>> {
        let (values, reciprocals) = (&self.values[unit], &self.reciprocals[unit]);
        let unit = &self.symbolic.units[unit];
        let nodes = self.symbolic.nodes[unit.nodes.clone()].iter();
        nodes.map(move |node| {
            let start = node.start - unit.start;
            single_column::Node {
                start,
                width: node.width,
                rows: self.symbolic.places(node),
                panel: &values[node.offset..][..node.len],
                reciprocals: &reciprocals[start..start + node.width],
            }
        })
    }
}

/// Substitutions for a single column.
struct Single<'a>(&'a Cholesky);

impl Substitution for Single<'_> {
    fn forward(&self, unit: usize, segment: &mut [f64], scratch: &mut [f64]) {
        single_column::forward(self.0.nodes(unit), segment, scratch);
    }

    fn backward(&self, unit: usize, segment: &mut [f64], scratch: &mut [f64]) {
        single_column::backward(self.0.nodes(unit).rev(), segment, scratch);
    }
}

/// Substitutions for a batch of several columns.
struct Batch<'a>(&'a Cholesky, usize);

impl Substitution for Batch<'_> {
    fn forward(&self, unit: usize, x: &mut [f64], below: &mut [f64]) {
        let columns = self.1;
        let mut x = Interleaved { columns, x, below };
        // L y = b: x₁ ← L₁₁⁻¹x₁, then x₂ ← x₂ − L₂₁x₁, from the leaves to the root.
        for (node, square, panel) in self.0.nodes(unit).map(part) {
            solve_lower_triangular_in_place(square, x.own(node), Par::Seq);
            x.update_below(node, panel);
        }
    }

    fn backward(&self, unit: usize, x: &mut [f64], below: &mut [f64]) {
        let columns = self.1;
        let mut x = Interleaved { columns, x, below };
        // Lᵀx = y: x₁ ← L₁₁⁻ᵀ(x₁ − L₂₁ᵀx₂), from the root to the leaves.
        for (node, square, panel) in self.0.nodes(unit).rev().map(part) {
            x.update_own(node, panel);
            solve_upper_triangular_in_place(square.transpose(), x.own(node), Par::Seq);
        }
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
