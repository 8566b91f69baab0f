//! Pivots from row sums, for symmetric M-matrices (Grassmann, Taksar and Heyman 1985; Alfa, Xue and Ye 2002).
//!
//! Let eᵢ = Σⱼ aᵢⱼ ≥ 0 be the row sums and aᵢⱼ ≤ 0 the off-diagonal entries. By symmetry the pivot follows from its
//! column: aₖₖ = eₖ − Σ_{i>k} aᵢₖ, a sum of terms of one sign. With lᵢₖ = aᵢₖ/aₖₖ ≤ 0, its elimination gives the
//! off-diagonal entries aᵢⱼ − lᵢₖ aₖⱼ ≤ 0 and the row sums eᵢ − lᵢₖ eₖ ≥ 0, again sums of terms of one sign.
//!
//! No subtraction cancels. The entries of L and U, and the solutions for right-hand sides of one sign, therefore
//! inherit the relative accuracy of the couplings and row sums, even if these are tiny relative to the diagonal.

use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_unit_lower_triangular_in_place,
};
use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Accum, MatMut, Par};

use super::front::{NARROW, Panels, tiles};

/// Row sums of the rows of a front, updated during elimination.
pub(super) struct Sums<'u> {
    /// Row sums e₁ of the rows that the front eliminates.
    own: Vec<f64>,
    /// Changes of the row sums e₂, which belong to the rows below the square.
    below: &'u mut [f64],
}

impl<'u> Sums<'u> {
    /// Creates the sums of a front from those of the matrix, and sets the changes below to zero.
    pub(super) fn new(own: impl Iterator<Item = f64>, below: &'u mut [f64]) -> Self {
        below.fill(0.0);
        Self {
            own: own.collect(),
            below,
        }
    }

    /// Adds the changes from the elimination of a child. `places` maps rows of the child to rows of this
    /// front.
    pub(super) fn add(&mut self, child: &[f64], places: &[usize]) {
        let width = self.own.len();
        for (sum, &place) in child.iter().zip(places) {
            match place.checked_sub(width) {
                None => self.own[place] += sum,
                Some(place) => self.below[place] += sum,
            }
        }
    }

    /// Returns tⱼ = Σ_{i below} aᵢⱼ − eⱼ for each column j of the square.
    ///
    /// By symmetry column j sums to eⱼ. If t is appended to the square as an extra row, every column
    /// therefore sums to zero: aⱼⱼ = −(tⱼ + other entries of the column in the square).
    pub(super) fn beneath(&self, panels: &Panels<'_>) -> Vec<f64> {
        let below = panels.lower.rb().split_at_row(self.own.len()).1;
        let columns = self.own.iter().zip(below.col_iter());
        columns.map(|(e, a)| a.iter().sum::<f64>() - e).collect()
    }

    /// Eliminates the row sums like a right-hand side: e₁ ← L₁₁⁻¹e₁, e₂ ← e₂ − L₂₁e₁.
    pub(super) fn eliminate(&mut self, panels: &Panels<'_>) {
        let (square, below) = panels.lower.rb().split_at_row(self.own.len());
        let [mut own, sums] = [&mut self.own[..], self.below].map(|v| {
            let n = v.len();
            MatMut::from_column_major_slice_mut(v, n, 1)
        });
        // The sums are the last column of [A | A·1], which elimination treats like any other column. L₁₁ and
        // L₂₁ have no positive entries off the diagonal, and e has no negative ones, so that forward
        // substitution adds terms of one sign.
        solve_unit_lower_triangular_in_place(square, own.rb_mut(), Par::Seq);
        matmul(sums, Accum::Add, below, own.rb(), -1.0, Par::Seq);
    }
}

/// Factorises A = L U in place, with `beneath` as an extra row t below A. Returns false if a pivot vanishes.
///
/// Ignores the stored diagonal of A, which is defined by the condition that every column of [A; t] sums to
/// zero. Elimination preserves this condition for the Schur complement, because 1ᵀ[A; t] = 0 implies
/// 1ᵀ[S; t'] = 0. On return `beneath` holds tU⁻¹, the extra row of L.
pub(super) fn factorise(mut a: MatMut<'_, f64>, beneath: &mut [f64]) -> bool {
    let n = a.nrows();
    if n <= NARROW {
        return factorise_narrow(a, beneath);
    }
    // The stored diagonal is never read, so that products may leave arbitrary values there.
    let half = (n / 2).next_multiple_of(8);
    let (mut a11, mut a12, mut a21, mut a22) = a.rb_mut().split_at_mut(half, half);
    let (left, right) = beneath.split_at_mut(half);
    // Below A₁₁ the columns continue in A₂₁ and t₁. Their sum acts as the extra row of the recursive call.
    let columns = left.iter().zip(a21.rb().col_iter());
    let mut beneath_a11: Vec<f64> = columns.map(|(t, a)| t + a.iter().sum::<f64>()).collect();
    if !factorise(a11.rb_mut(), &mut beneath_a11) {
        return false;
    }
    tiles(a12.rb_mut(), |_, tile| {
        solve_unit_lower_triangular_in_place(a11.rb(), tile, Par::Seq);
    });
    // A₂₁ ← A₂₁U₁₁⁻¹ and t₁ ← t₁U₁₁⁻¹, then t₂ ← t₂ − t₁U₁₂.
    let mut row = MatMut::from_column_major_slice_mut(left, half, 1);
    for block in [a21.rb_mut().transpose_mut(), row.rb_mut()] {
        tiles(block, |_, tile| {
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

/// Factorises [A; t] column by column, with t = `beneath`. Returns false if a pivot vanishes.
fn factorise_narrow(mut a: MatMut<'_, f64>, beneath: &mut [f64]) -> bool {
    let n = a.nrows();
    for k in 0..n {
        // Column k of [A; t] sums to zero, so that the pivot is minus the sum of the entries below it. These
        // entries are all ≤ 0: the couplings, and t = Σ couplings below − e. The pivot is therefore a sum of
        // terms of one sign, with a relative error of at most about n ε, however small it is.
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
