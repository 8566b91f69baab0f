//! Triangular solves with the fronts of a factorisation.

use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_unit_lower_triangular_in_place,
    solve_unit_upper_triangular_in_place, solve_upper_triangular_in_place,
};
use faer::{MatRef, Par};

use super::symbolic::{Node, Symbolic};
use crate::linalg::cpu::direct::interleaved::{Interleaved, Supernode};
use crate::linalg::operator::Side;

/// L and U of a matrix, or of its transpose.
#[derive(Clone, Copy)]
pub(super) struct Factors<'a> {
    pub(super) symbolic: &'a Symbolic,
    pub(super) values: &'a [f64],
}

/// The part of one node: a square with both triangles, and the rows of L and of Uᵀ below it.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) node: Supernode<'a>,
    pub(super) square: MatRef<'a, f64>,
    pub(super) lower: MatRef<'a, f64>,
    pub(super) upper: MatRef<'a, f64>,
}

impl<'a> Factors<'a> {
    pub(super) fn part(self, node: &Node) -> Part<'a> {
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

    pub(super) fn parts(self) -> impl DoubleEndedIterator<Item = Part<'a>> {
        self.symbolic.nodes.iter().map(move |node| self.part(node))
    }

    /// X ← A⁻¹X or A⁻ᵀX.
    pub(super) fn solve(self, side: Side, x: &mut Interleaved<'_>) {
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
                    x.push(node, lower);
                }
                Side::Transpose => {
                    solve_lower_triangular_in_place(square.transpose(), x.own(node), Par::Seq);
                    x.push(node, upper);
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
                    x.pull(node, upper);
                    solve_upper_triangular_in_place(square, x.own(node), Par::Seq);
                }
                Side::Transpose => {
                    x.pull(node, lower);
                    solve_unit_upper_triangular_in_place(square.transpose(), x.own(node), Par::Seq);
                }
            }
        }
    }
}
