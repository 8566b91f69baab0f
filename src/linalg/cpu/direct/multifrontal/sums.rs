//! Pivots from sums of rows, for symmetric M-matrices (Grassmann, Taksar and Heyman 1985; Alfa, Xue and Ye 2002).
//!
//! With Σⱼ aᵢⱼ = eᵢ ≥ 0 a pivot is what the other entries of its column leave to be made up: aₖₖ = eₖ − Σ_{i>k} aᵢₖ, a sum
//! of numbers of one sign, as aᵢₖ ≤ 0. Its elimination gives aᵢⱼ − lᵢₖ aₖⱼ and eᵢ − lᵢₖ eₖ with lᵢₖ = aᵢₖ/aₖₖ ≤ 0: sums of
//! numbers of one sign again. So nothing cancels, and entries of L and U, and with them solutions for right-hand sides
//! of one sign, are as accurate as the couplings and sums are, however weak those are beside a diagonal.

use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_unit_lower_triangular_in_place,
};
use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Accum, MatMut, Par};

use super::front::{NARROW, Panels, tiles};

/// The sums of the rows of a front: those that are eliminated in it, and what that adds to those below.
pub(super) struct Sums<'u> {
    own: Vec<f64>,
    below: &'u mut [f64],
}

impl<'u> Sums<'u> {
    /// From what the matrix has.
    pub(super) fn new(own: impl Iterator<Item = f64>, below: &'u mut [f64]) -> Self {
        below.fill(0.0);
        Self {
            own: own.collect(),
            below,
        }
    }

    /// Adds what the elimination of a child added; `places` are those of its rows in this front.
    pub(super) fn add(&mut self, child: &[f64], places: &[usize]) {
        let width = self.own.len();
        for (sum, &place) in child.iter().zip(places) {
            match place.checked_sub(width) {
                None => self.own[place] += sum,
                Some(place) => self.below[place] += sum,
            }
        }
    }

    /// The sums of columns below the square, and of what makes the sum of a whole column zero.
    pub(super) fn beneath(&self, panels: &Panels<'_>) -> Vec<f64> {
        let below = panels.lower.rb().split_at_row(self.own.len()).1;
        let columns = self.own.iter().zip(below.col_iter());
        columns.map(|(e, a)| a.iter().sum::<f64>() - e).collect()
    }

    /// e ← L⁻¹e, of those below their part −L₂L₁₁⁻¹e.
    pub(super) fn eliminate(&mut self, panels: &Panels<'_>) {
        let (square, below) = panels.lower.rb().split_at_row(self.own.len());
        let [own, sums] = [&mut self.own[..], self.below]
            .map(|v| (v.len(), v))
            .map(|(n, v)| MatMut::from_column_major_slice_mut(v, n, 1));
        let mut own = own;
        solve_unit_lower_triangular_in_place(square, own.rb_mut(), Par::Seq);
        matmul(sums, Accum::Add, below, own.rb(), -1.0, Par::Seq);
    }
}

/// A = L U in place of A, of which the columns and `beneath` sum to zero, whatever its diagonal says; false if a pivot
/// vanishes. `beneath` becomes its own part of L.
pub(super) fn factorise(mut a: MatMut<'_, f64>, beneath: &mut [f64]) -> bool {
    let n = a.nrows();
    if n <= NARROW {
        return factorise_narrow(a, beneath);
    }
    let half = (n / 2).next_multiple_of(8);
    let (mut a11, mut a12, mut a21, mut a22) = a.rb_mut().split_at_mut(half, half);
    let (left, right) = beneath.split_at_mut(half);
    let columns = left.iter().zip(a21.rb().col_iter());
    let mut under: Vec<f64> = columns.map(|(t, a)| t + a.iter().sum::<f64>()).collect();
    if !factorise(a11.rb_mut(), &mut under) {
        return false;
    }
    tiles(a12.rb_mut(), |_, tile| {
        solve_unit_lower_triangular_in_place(a11.rb(), tile, Par::Seq);
    });
    let mut row = MatMut::from_column_major_slice_mut(left, half, 1);
    for beside in [a21.rb_mut().transpose_mut(), row.rb_mut()] {
        tiles(beside, |_, tile| {
            solve_lower_triangular_in_place(a11.rb().transpose(), tile, Par::Seq);
        });
    }
    let next = MatMut::from_column_major_slice_mut(right, n - half, 1);
    matmul(
        next,
        Accum::Add,
        a12.rb().transpose(),
        row.rb(),
        -1.0,
        Par::Seq,
    );
    tiles(a22.rb_mut(), |first, tile| {
        let a12 = a12.rb().subcols(first, tile.ncols());
        matmul(tile, Accum::Add, a21.rb(), a12, -1.0, Par::Seq);
    });
    factorise(a22, right)
}

fn factorise_narrow(mut a: MatMut<'_, f64>, beneath: &mut [f64]) -> bool {
    let n = a.nrows();
    for k in 0..n {
        let pivot = -(k + 1..n).fold(beneath[k], |sum, i| sum + a[(i, k)]);
        if !(pivot > 0.0 && pivot.is_finite()) {
            return false;
        }
        a[(k, k)] = pivot;
        beneath[k] /= pivot;
        for i in k + 1..n {
            a[(i, k)] /= pivot;
        }
        for j in k + 1..n {
            let u = a[(k, j)];
            for i in k + 1..n {
                a[(i, j)] -= a[(i, k)] * u;
            }
            beneath[j] -= beneath[k] * u;
        }
    }
    true
}
