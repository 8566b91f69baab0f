//! Triangular solves with the fronts of a factorisation.

use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_unit_lower_triangular_in_place,
    solve_unit_upper_triangular_in_place, solve_upper_triangular_in_place,
};
use faer::{Accum, MatMut, MatRef, Par};

use super::symbolic::{Node, Symbolic};
use crate::operator::Side;

/// L and U of a matrix, or of its transpose.
#[derive(Clone, Copy)]
pub(super) struct Factors<'a> {
    pub(super) symbolic: &'a Symbolic,
    pub(super) values: &'a [f64],
}

/// The part of one node: a square with both triangles, and the rows of L and of Uᵀ below it.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    square: MatRef<'a, f64>,
    lower: MatRef<'a, f64>,
    upper: MatRef<'a, f64>,
}

impl<'a> Factors<'a> {
    fn part(self, node: &Node) -> Part<'a> {
        let values = &self.values[node.offset..][..node.len()];
        let (panel, upper) = values.split_at(node.size() * node.width);
        let panel = MatRef::from_column_major_slice(panel, node.size(), node.width);
        let (square, lower) = panel.split_at_row(node.width);
        Part {
            square,
            lower,
            upper: MatRef::from_column_major_slice(upper, node.below, node.width),
        }
    }

    /// X ← A⁻¹X or A⁻ᵀX for `columns` columns in the order of elimination, interleaved; `room` is for the rows below
    /// any node.
    pub(super) fn solve(self, side: Side, columns: usize, x: &mut [f64], room: &mut [f64]) {
        for node in &self.symbolic.nodes {
            self.forward(node, side, columns, (x, room));
        }
        for node in self.symbolic.nodes.iter().rev() {
            self.backward(node, side, columns, (x, room));
        }
    }

    fn forward(self, node: &Node, side: Side, columns: usize, (x, room): (&mut [f64], &mut [f64])) {
        let part = self.part(node);
        let (own, above) = x[node.start * columns..].split_at_mut(node.width * columns);
        let mut own = MatMut::from_row_major_slice_mut(own, node.width, columns);
        let panel = match side {
            Side::Plain => {
                solve_unit_lower_triangular_in_place(part.square, own.as_mut(), Par::Seq);
                part.lower
            }
            Side::Transpose => {
                let square = part.square.transpose();
                solve_lower_triangular_in_place(square, own.as_mut(), Par::Seq);
                part.upper
            }
        };
        let room = &mut room[..node.below * columns];
        let below = MatMut::from_row_major_slice_mut(room, node.below, columns);
        matmul(below, Accum::Replace, panel, own.as_ref(), 1.0, Par::Seq);
        let end = node.start + node.width;
        for (row, values) in self.symbolic.rows(node).iter().zip(room.chunks(columns)) {
            let target = &mut above[(row - end) * columns..][..columns];
            for (x, value) in target.iter_mut().zip(values) {
                *x -= value;
            }
        }
    }

    fn backward(
        self,
        node: &Node,
        side: Side,
        columns: usize,
        (x, room): (&mut [f64], &mut [f64]),
    ) {
        let part = self.part(node);
        let (own, above) = x[node.start * columns..].split_at_mut(node.width * columns);
        let mut own = MatMut::from_row_major_slice_mut(own, node.width, columns);
        let room = &mut room[..node.below * columns];
        let end = node.start + node.width;
        for (row, values) in self
            .symbolic
            .rows(node)
            .iter()
            .zip(room.chunks_mut(columns))
        {
            values.copy_from_slice(&above[(row - end) * columns..][..columns]);
        }
        let below = MatRef::from_row_major_slice(room, node.below, columns);
        let panel = match side {
            Side::Plain => part.upper,
            Side::Transpose => part.lower,
        };
        let panel = panel.transpose();
        matmul(own.as_mut(), Accum::Add, panel, below, -1.0, Par::Seq);
        match side {
            Side::Plain => solve_upper_triangular_in_place(part.square, own, Par::Seq),
            Side::Transpose => {
                solve_unit_upper_triangular_in_place(part.square.transpose(), own, Par::Seq);
            }
        }
    }
}
