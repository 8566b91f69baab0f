//! Triangular solves with multifrontal LU factors.

use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_unit_lower_triangular_in_place,
    solve_unit_upper_triangular_in_place, solve_upper_triangular_in_place,
};
use faer::{MatRef, Par};

use super::symbolic::{Node, Symbolic};
use crate::linalg::cpu::direct::interleaved::{Interleaved, Supernode};
use crate::linalg::operator::Side;

/// LU factors A = L U, stored front by front.
#[derive(Clone, Copy)]
pub(super) struct Factors<'a> {
    pub(super) symbolic: &'a Symbolic,
    pub(super) values: &'a [f64],
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
    fn part(self, node: &Node) -> Part<'a> {
        let values = &self.values[node.offset..][..node.len];
        let (panel, upper) = values.split_at(node.size() * node.width);
        let panel = MatRef::from_column_major_slice(panel, node.size(), node.width);
        let (square, lower) = panel.split_at_row(node.width);
        Part {
            node: Supernode {
                start: node.start,
                width: node.width,
                rows: self.symbolic.rows(node),
            },
            square,
            lower,
            upper: MatRef::from_column_major_slice(upper, node.below, node.width),
        }
    }

    fn parts(self) -> impl DoubleEndedIterator<Item = Part<'a>> {
        self.symbolic.nodes.iter().map(move |node| self.part(node))
    }

    /// Computes X ← A⁻¹X or A⁻ᵀX.
    pub(super) fn solve(self, side: Side, x: &mut Interleaved<'_>) {
        // Forward: x₁ ← L₁₁⁻¹x₁, x₂ ← x₂ − L₂₁x₁. Backward: x₁ ← U₁₁⁻¹(x₁ − U₁₂x₂). For Aᵀ = UᵀLᵀ, the
        // triangle Uᵀ takes the place of L, and Lᵀ that of U. Every entry of L and U enters one
        // multiplication and one addition per column. For a single column, the run time is therefore that of
        // loading the factors. The columns of a batch share this cost.
        for Part {
            node,
            square,
            lower,
            upper,
        } in self.parts()
        {
            match side {
                Side::Plain => {
                    solve_unit_lower_triangular_in_place(square, x.own(node), Par::Seq);
                    x.update_below(node, lower);
                }
                Side::Transpose => {
                    solve_lower_triangular_in_place(square.transpose(), x.own(node), Par::Seq);
                    x.update_below(node, upper);
                }
            }
        }
        for Part {
            node,
            square,
            lower,
            upper,
        } in self.parts().rev()
        {
            match side {
                Side::Plain => {
                    x.update_own(node, upper);
                    solve_upper_triangular_in_place(square, x.own(node), Par::Seq);
                }
                Side::Transpose => {
                    x.update_own(node, lower);
                    solve_unit_upper_triangular_in_place(square.transpose(), x.own(node), Par::Seq);
                }
            }
        }
    }
}
