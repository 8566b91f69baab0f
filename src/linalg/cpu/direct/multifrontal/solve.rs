//! Triangular solves with multifrontal LU factors.

use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_unit_lower_triangular_in_place,
    solve_unit_upper_triangular_in_place, solve_upper_triangular_in_place,
};
use faer::{MatRef, Par};

use super::symbolic::{Node, Symbolic};
use super::walk::Substitution;
use crate::linalg::cpu::direct::interleaved::{Interleaved, Supernode};
use crate::linalg::operator::Side;

/// LU factors A = L U, stored front by front for every unit, and the system to solve with them.
#[derive(Clone, Copy)]
pub(super) struct Factors<'a> {
    pub(super) symbolic: &'a Symbolic,
    pub(super) values: &'a [Vec<f64>],
    /// System L U x = b or (L U)ᵀx = b.
    pub(super) side: Side,
    pub(super) columns: usize,
}

/// Blocks of the factors that belong to one node.
#[derive(Clone, Copy)]
struct Part<'a> {
    node: Supernode<'a>,
    /// Diagonal block of the node: L₁₁ (unit lower triangle) and U₁₁.
    square: MatRef<'a, f64>,
    /// Block L₂₁ of L below the diagonal block.
    lower: MatRef<'a, f64>,
    /// Transpose of the block U₁₂ of U to the right of the diagonal block.
    upper: MatRef<'a, f64>,
}

impl<'a> Factors<'a> {
    /// Returns the parts of the nodes of a unit, with their rows in its segment.
    fn parts(self, unit: usize) -> impl DoubleEndedIterator<Item = Part<'a>> {
        let (values, unit) = (&self.values[unit], &self.symbolic.units[unit]);
        let nodes = self.symbolic.nodes[unit.nodes.clone()].iter();
        nodes.map(move |node| {
            let rows = self.symbolic.places(node);
            part(node, (unit.start, rows), &values[node.offset..][..node.len])
        })
    }
}

/// Returns the blocks of a node of a unit that starts in column `start`.
fn part<'a>(node: &Node, (start, rows): (usize, &'a [u32]), values: &'a [f64]) -> Part<'a> {
    let (panel, upper) = values.split_at(node.size() * node.width);
    let panel = MatRef::from_column_major_slice(panel, node.size(), node.width);
    let (square, lower) = panel.split_at_row(node.width);
    Part {
        node: Supernode {
            start: node.start - start,
            width: node.width,
            rows,
        },
        square,
        lower,
        upper: MatRef::from_column_major_slice(upper, node.below, node.width),
    }
}

impl Substitution for Factors<'_> {
    // Forward: x₁ ← L₁₁⁻¹x₁, x₂ ← x₂ − L₂₁x₁. Backward: x₁ ← U₁₁⁻¹(x₁ − U₁₂x₂). For Aᵀ = UᵀLᵀ, the
    // triangle Uᵀ takes the place of L, and Lᵀ that of U. Every entry of L and U enters one
    // multiplication and one addition per column. For a single column, the run time is therefore that of
    // loading the factors. The columns of a batch share this cost.
    fn forward(&self, unit: usize, x: &mut [f64], below: &mut [f64]) {
        let columns = self.columns;
        let mut x = Interleaved { columns, x, below };
        for part in self.parts(unit) {
            let (own, square) = (x.own(part.node), part.square);
            match self.side {
                Side::Plain => {
                    solve_unit_lower_triangular_in_place(square, own, Par::Seq);
                    x.update_below(part.node, part.lower);
                }
                Side::Transpose => {
                    solve_lower_triangular_in_place(square.transpose(), own, Par::Seq);
                    x.update_below(part.node, part.upper);
                }
            }
        }
    }

    fn backward(&self, unit: usize, x: &mut [f64], below: &mut [f64]) {
        let columns = self.columns;
        let mut x = Interleaved { columns, x, below };
        for part in self.parts(unit).rev() {
            match self.side {
                Side::Plain => {
                    x.update_own(part.node, part.upper);
                    let own = x.own(part.node);
                    solve_upper_triangular_in_place(part.square, own, Par::Seq);
                }
                Side::Transpose => {
                    x.update_own(part.node, part.lower);
                    let (own, square) = (x.own(part.node), part.square.transpose());
                    solve_unit_upper_triangular_in_place(square, own, Par::Seq);
                }
            }
        }
    }
}
